//! The face finder on real pictures, and detectors that see faces.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use image::{Rgb, RgbImage};
use realscope::record::Verdict;
use realscope::{Options, ScanError, Scanner, Source};
use realscope_delivery::{Filter, resize};
use realscope_detectors::faces::FaceFinder;
use realscope_detectors::{
    Answer, Calibration, Card, Detector, DetectorError, Logit, Rect, Sample, Value,
};
use realscope_engine::{EngineKind, Threads};

fn finder() -> FaceFinder {
    FaceFinder::embedded(EngineKind::Rten.into()).expect("loads")
}

fn picture(name: &str) -> RgbImage {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples")
        .join(name);
    let bytes = std::fs::read(path).expect("a file");
    let decoded = realscope_media::decode::decode(&bytes, &Default::default(), &Default::default());
    decoded.expect("a picture").pixels
}

fn middle(r: Rect) -> [u32; 2] {
    [r.left + r.width / 2, r.top + r.height / 2]
}

#[test]
fn a_face_is_found_where_it_is_at_any_size_and_place() {
    let finder = finder();
    let portrait = picture("generated.jpg");
    let threads = Threads::all();
    let alone = finder.find(&portrait, &threads).expect("looks");
    assert_eq!(alone.len(), 1, "{alone:?}");
    let face = alone[0];
    let [left_eye, right_eye, nose, left, right] = face.landmarks.expect("landmarks");
    assert!(left_eye[0] < nose[0] && nose[0] < right_eye[0], "{face:?}");
    assert!(left_eye[1] < nose[1] && nose[1] < left[1], "{face:?}");
    assert!(left[0] < right[0], "{face:?}");
    // The same whatever the threads.
    let one = finder.find(&portrait, &Threads::of(1)).expect("looks");
    assert_eq!(alone, one);
    // Half as large, in the corner of a large grey picture.
    let small = resize(&portrait, 320, 320, Filter::Lanczos3).expect("resizes");
    let mut large = RgbImage::from_pixel(1920, 1080, Rgb([90, 100, 110]));
    image::imageops::replace(&mut large, &small, 1500, 700);
    let found = finder.find(&large, &threads).expect("looks");
    assert_eq!(found.len(), 1, "{found:?}");
    let ([ax, ay], [bx, by]) = (middle(face.rect), middle(found[0].rect));
    assert!((1500 + ax / 2).abs_diff(bx) < 24, "{face:?} {found:?}");
    assert!((700 + ay / 2).abs_diff(by) < 24, "{face:?} {found:?}");
    let half = face.rect.width / 2;
    assert!(
        half.abs_diff(found[0].rect.width) < 30,
        "{face:?} {found:?}"
    );
}

#[test]
fn there_are_no_faces_in_leaves_and_flowers() {
    let finder = finder();
    for name in ["authentic.jpg", "authentic-2.jpg"] {
        let found = finder.find(&picture(name), &Threads::all()).expect("looks");
        assert_eq!(found, [], "{name}");
    }
}

/// Answers how bright the middle of a face is.
struct Bright(Card);

const CARD: &str = r#"
id = "bright"
summary = "brightness of faces"
status = "preview"
since = "0.1.0"
task = "manipulated_face"
engines = ["rten"]
licence = "MIT"
training_data = "none"
citation = "none"
known_failures = []

[input]
size = 64
filter = "bilinear"
mean = [0.5, 0.5, 0.5]
std = [0.5, 0.5, 0.5]

[input.view]
kind = "face"
margin = 1.0
aligned = true

[[heads]]
kind = "binary"
polarity = "generated"
"#;

impl Detector for Bright {
    fn card(&self) -> &Card {
        &self.0
    }

    fn infer(&self, samples: &[Sample], _: &Threads) -> Result<Vec<Answer>, DetectorError> {
        let each = samples.iter().map(|s| {
            let red = s.frames[0].get_pixel(32, 32).0[0];
            Answer(vec![Value::Logit(Logit(f64::from(red)))])
        });
        Ok(each.collect())
    }
}

/// Is sure of the first faces that it is shown, and of later ones that they are authentic.
struct Fickle(Card, AtomicUsize);

impl Detector for Fickle {
    fn card(&self) -> &Card {
        &self.0
    }

    fn infer(&self, samples: &[Sample], _: &Threads) -> Result<Vec<Answer>, DetectorError> {
        let first = self.1.fetch_add(1, Ordering::Relaxed) == 0;
        let logit = Logit(if first { 5.0 } else { -5.0 });
        Ok(vec![Answer(vec![Value::Logit(logit)]); samples.len()])
    }
}

fn calibrated() -> Card {
    let mut card = Card::parse("bright", CARD).expect("a card");
    card.calibration = Some(Calibration {
        id: "test".into(),
        scale: 1.0,
        offset: 0.0,
        decision_threshold: 0.5,
        generated_threshold: Some(0.9),
        doubt_threshold: None,
        delivery_reach: None,
        matched_auc: 0.9,
        matched_auc_low: 0.8,
        matched_auc_high: 1.0,
        operating_points: vec![],
        kinds: vec![],
        tiers: vec![],
    });
    card
}

#[test]
fn a_face_is_accused_of_manipulation_where_all_deliveries_agree() {
    let of = |detector: Arc<dyn Detector>, frames: &[RgbImage]| {
        let scanner = Scanner::builder().detector(detector).build();
        let scanner = scanner.expect("a scanner");
        let scanned = scanner.scan(Source::Frames(frames), &Options::default());
        scanned.expect("scores").record
    };
    let portrait = picture("generated.jpg");
    let leaves = RgbImage::from_pixel(640, 640, Rgb([40, 90, 30]));
    for frames in [vec![portrait.clone()], vec![portrait.clone(), leaves]] {
        let record = of(Arc::new(Bright(calibrated())), &frames);
        assert_eq!(record.verdict, Some(Verdict::Manipulated));
        let interval = record.interval.expect("an interval");
        assert_eq!(interval.deliveries.len(), 4, "{interval:?}");
        assert_eq!(record.stable, Some(true));
    }
    let record = of(
        Arc::new(Fickle(calibrated(), AtomicUsize::new(0))),
        &[portrait],
    );
    assert_eq!(record.verdict, Some(Verdict::Uncertain));
    assert!(record.evidence.iter().any(|e| e.code == "unstable"));
}

#[test]
fn a_detector_of_faces_is_shown_those_of_a_picture() {
    let card = Card::parse("bright", CARD).expect("a card");
    let scanner = Scanner::builder().detector(Arc::new(Bright(card)));
    let scanner = scanner.build().expect("a scanner");
    let options = Options {
        draw: true,
        ..Options::default()
    };
    let portrait = picture("generated.jpg");
    let scanned = scanner
        .scan(Source::Frames(std::slice::from_ref(&portrait)), &options)
        .expect("scores");
    let record = scanned.record;
    let alone = record.detectors[0].raw;
    assert_eq!(record.regions.len(), 1, "{:?}", record.regions);
    let face = &record.regions[0];
    assert!(face.x > 100 && face.x + face.width < 540, "{face:?}");
    assert!(record.evidence.iter().any(|e| e.code == "face"));
    assert!(scanned.heatmap.is_none() && record.masks.is_none());
    // Of two faces in one picture the higher score counts.
    let mut both = RgbImage::from_pixel(1280, 640, Rgb([90; 3]));
    image::imageops::replace(&mut both, &portrait, 0, 0);
    let mut dark = portrait.clone();
    dark.iter_mut().for_each(|v| *v /= 2);
    image::imageops::replace(&mut both, &dark, 640, 0);
    let scanned = scanner.scan(Source::Frames(&[both]), &options);
    let record = scanned.expect("scores").record;
    assert_eq!(record.regions.len(), 2);
    assert!((record.detectors[0].raw - alone).abs() < 12.0);
    // Of frames those without a face are left out, and the others count alike.
    let leaves = RgbImage::from_pixel(640, 640, Rgb([40, 90, 30]));
    let frames = [leaves.clone(), portrait, dark];
    let record = scanner
        .scan(Source::Frames(&frames), &options)
        .expect("scores")
        .record;
    assert!((record.detectors[0].raw - 0.75 * alone).abs() < 6.0);
    let e = scanner.scan(Source::Frames(&[leaves]), &options);
    let Err(ScanError::Detector(e @ DetectorError::Sample { .. })) = e else {
        panic!("a picture without faces is refused");
    };
    assert_eq!(e.code(), "detector_not_made_for");
}
