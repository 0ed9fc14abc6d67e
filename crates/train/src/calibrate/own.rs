//! Calibration of any detector on the caller's own labelled pictures, of one that sees clips on videos.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use image::RgbImage;
use realscope_data::clip;
use realscope_data::manifest::{Item, Manifest};
use realscope_detectors::calibration::Calibration;
use realscope_detectors::faces::{FaceFinder, JUDGED};
use realscope_detectors::prepare::ClipMaker;
use realscope_detectors::{Detector, DetectorError, Logit, Sample, Tier, pool, prepare};
use realscope_engine::{EngineKind, Threads};
use realscope_media::video::{Decoders, Event, Plan, Video, VideoLimits};

use super::{Scored, fit};
use crate::error::{TrainError, picture_error};
use crate::picture;
use crate::tier::{self, TIERS};

/// Fewest groups of each class: intervals are over groups.
const FEWEST_GROUPS: usize = 3;

/// A calibration, and what it rests on.
#[derive(Clone, Debug)]
pub struct Own {
    /// The fit.
    pub calibration: Calibration,
    /// Pictures that were scored, authentic and generated.
    pub pictures: [usize; 2],
    /// Their groups.
    pub groups: [usize; 2],
    /// Files that could not be scored, and why.
    pub left_out: Vec<(PathBuf, String)>,
}

/// Scores every picture of a manifest in every tier and fits sigmoid, operating points and thresholds.
///
/// Of a detector that sees clips the videos are scored, of any other the pictures; the rest is left out. Match sets of the manifest, where both classes share source and style, carry the verdict
/// `generated`; without them it is at most `uncertain`.
///
/// # Errors
/// [`TrainError::Manifest`], or [`TrainError::Recipe`] with fewer than three groups of a class.
pub fn calibrate(
    detector: &dyn Detector,
    manifest: &Path,
    log: &mut dyn FnMut(&str),
) -> Result<Own, TrainError> {
    let items = Manifest::read(manifest)?.items;
    let root = manifest.parent().unwrap_or(Path::new("."));
    let (mut scored, mut left_out) = (Vec::new(), Vec::new());
    let view = detector.card().input.view;
    let finder = view
        .wants_faces()
        .then(|| FaceFinder::embedded(EngineKind::Rten.into()))
        .transpose()?;
    for (n, item) in items.iter().enumerate() {
        let path = root.join(&item.path);
        let scores = if view.clip().is_some() {
            of_video(detector, finder.as_ref(), &path, item)
        } else {
            of_picture(detector, finder.as_ref(), &path, item)
        };
        match scores {
            Ok(scores) => scored.extend(scores),
            Err(e) => left_out.push((path, e.to_string())),
        }
        if (n + 1) % 100 == 0 {
            log(&format!("{} of {} files", n + 1, items.len()));
        }
    }
    let of = |label: u8| {
        scored
            .iter()
            .filter(move |s: &&Scored| s.item.label == label)
    };
    let groups = [0, 1].map(|l| of(l).map(|s| &s.item.group).collect::<BTreeSet<_>>().len());
    let pictures = [0, 1].map(|l| of(l).count() / TIERS.len());
    if groups.iter().any(|n| *n < FEWEST_GROUPS) {
        return Err(TrainError::Recipe(format!(
            "{} authentic and {} generated groups of pictures that could be scored; calibration needs \
             {FEWEST_GROUPS} of each",
            groups[0], groups[1]
        )));
    }
    Ok(Own {
        calibration: fit(&scored),
        pictures,
        groups,
        left_out,
    })
}

fn of_picture(
    detector: &dyn Detector,
    finder: Option<&FaceFinder>,
    path: &Path,
    item: &Item,
) -> Result<[Scored; TIERS.len()], TrainError> {
    if clip::is_video(path).is_ok_and(|video| video) {
        return Err(picture_error(path, &"a video; this detector sees pictures"));
    }
    let picture = picture::open(path)?;
    let score = |tier: Tier| -> Result<Scored, TrainError> {
        let delivered =
            tier::deliver(&picture, &tier::arm(tier), 0).map_err(|e| picture_error(path, &e))?;
        let logit = logit(detector, finder, &delivered).map_err(|e| picture_error(path, &e))?;
        Ok(Scored {
            item: item.clone(),
            tier,
            stored: true,
            logit: logit.0,
            artwork: false,
        })
    };
    Ok([score(TIERS[0])?, score(TIERS[1])?, score(TIERS[2])?])
}

/// A video's frames are delivered one by one, as those of an evaluation are.
fn of_video(
    detector: &dyn Detector,
    finder: Option<&FaceFinder>,
    path: &Path,
    item: &Item,
) -> Result<[Scored; TIERS.len()], TrainError> {
    let fault = |e: &dyn std::fmt::Display| picture_error(path, e);
    let card = detector.card();
    if !clip::scored_as_video(item, path).is_ok_and(|video| video) {
        return Err(fault(&"a picture; this detector sees clips of videos"));
    }
    let limits = VideoLimits::default();
    let mut video =
        Video::open(path, &limits, clip::DEADLINE, Decoders::Any).map_err(|e| fault(&e))?;
    let facts = video.facts();
    let wanted = prepare::instants(
        &card.id,
        &card.input,
        facts.duration_s,
        facts.frame_count,
        prepare::CLIPS,
    );
    let wanted = wanted.map_err(|e| fault(&e))?;
    let plan = Plan::At {
        instants: wanted.concat(),
    };
    let mut makers = TIERS.map(|_| ClipMaker::new(&card.id, &card.input, wanted.clone()));
    let mut logits: [Vec<Logit>; TIERS.len()] = Default::default();
    let mut unmade = None;
    let threads = Threads::all();
    let mut score = |tier: usize, clips: &[Sample]| -> Result<(), DetectorError> {
        logits[tier].extend(pool::logits(card, &detector.infer(clips, &threads)?));
        Ok(())
    };
    video
        .read(&plan, false, false, &mut |event| {
            let Event::Frame(frame) = event else {
                return Ok(());
            };
            for (i, maker) in makers.iter_mut().enumerate() {
                let made = tier::deliver(&frame.pixels, &tier::arm(TIERS[i]), 0)
                    .map_err(|e| fault(&e))
                    .and_then(|delivered| {
                        let faces = finder.map_or(Ok(Vec::new()), |f| f.find(&delivered, &threads));
                        faces
                            .and_then(|faces| maker.take(frame.time, &delivered, &faces))
                            .and_then(|clips| score(i, &clips))
                            .map_err(|e| fault(&e))
                    });
                unmade = unmade.take().or(made.err());
            }
            Ok(())
        })
        .map_err(|e| fault(&e))?;
    for (i, maker) in makers.iter_mut().enumerate() {
        score(i, &maker.rest(true)).map_err(|e| fault(&e))?;
    }
    if let Some(e) = unmade {
        return Err(e);
    }
    let of = |tier: usize| -> Result<Scored, TrainError> {
        let logit = pool::mean(&logits[tier]).ok_or_else(|| match makers[tier].refusal() {
            Some(e) => fault(&e),
            None => fault(&"it gave no score"),
        })?;
        Ok(Scored {
            item: item.clone(),
            tier: TIERS[tier],
            stored: true,
            logit: logit.0,
            artwork: false,
        })
    };
    Ok([of(0)?, of(1)?, of(2)?])
}

/// The pooled logit of a picture; `finder` finds the faces for a detector that sees those.
pub(crate) fn logit(
    detector: &dyn Detector,
    finder: Option<&FaceFinder>,
    picture: &RgbImage,
) -> Result<Logit, DetectorError> {
    let card = detector.card();
    let threads = Threads::all();
    let samples = match finder {
        Some(finder) => {
            let shown = finder.show(picture, card, JUDGED, &threads)?;
            shown.into_iter().map(|(_, sample)| sample).collect()
        }
        None => prepare::picture(picture, &card.id, &card.input)?,
    };
    let logits = pool::logits(card, &detector.infer(&samples, &threads)?);
    let pooled = if finder.is_some() {
        pool::highest(&logits)
    } else {
        pool::mean(&logits)
    };
    pooled.ok_or_else(|| DetectorError::Corrupt {
        id: card.id.clone(),
        reason: "it has no binary head".into(),
    })
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use image::codecs::gif::GifEncoder;
    use realscope_detectors::{Answer, Card, Models, Value};

    use super::*;

    #[test]
    fn own_pictures_give_a_calibration_and_bad_files_are_named() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let models = Models::at(folder.path());
        let detector = models.get("npr", EngineKind::Rten).expect("loads");
        let mut rows = String::from("path,label,group,content\n");
        for i in 0..24_u32 {
            // Generated ones are enlarged by repetition, which `npr` is made for.
            let label = i % 2;
            let picture = RgbImage::from_fn(256, 256, |x, y| {
                let (x, y) = if label == 1 { (x / 2, y / 2) } else { (x, y) };
                let v = (x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(40_503 + i)) >> 7;
                image::Rgb([v as u8, (v >> 3) as u8, (v >> 5) as u8])
            });
            let name = format!("{i}.png");
            picture.save(folder.path().join(&name)).expect("writes");
            writeln!(rows, "{name},{label},g{},photograph", i % 8).expect("writes");
        }
        std::fs::write(folder.path().join("bad.png"), "no picture").expect("writes");
        rows.push_str("bad.png,0,g0,photograph\n");
        let manifest = folder.path().join("m.csv");
        std::fs::write(&manifest, &rows).expect("writes");
        let own = calibrate(detector.as_ref(), &manifest, &mut |_| ()).expect("calibrates");
        assert_eq!((own.pictures, own.groups), ([12, 12], [4, 4]));
        assert!(own.left_out.len() == 1 && own.left_out[0].0.ends_with("bad.png"));
        let c = own.calibration;
        assert_eq!(c.tiers.len(), TIERS.len());
        assert_eq!(c.kinds.len(), 1);
        // No match sets: nothing shows that it does not tell sources apart.
        assert_eq!(c.generated_threshold, None);

        let few = rows.lines().take(4).collect::<Vec<_>>().join("\n");
        std::fs::write(&manifest, few).expect("writes");
        let e = calibrate(detector.as_ref(), &manifest, &mut |_| ()).expect_err("refused");
        assert!(e.to_string().contains("groups"), "{e}");
    }

    /// Answers how much the first and the last frame of a clip differ.
    struct Moves(Card);

    impl Detector for Moves {
        fn card(&self) -> &Card {
            &self.0
        }

        fn infer(&self, clips: &[Sample], _: &Threads) -> Result<Vec<Answer>, DetectorError> {
            let grey = |frame: &RgbImage| f64::from(frame.get_pixel(8, 8)[0]);
            let answer = |clip: &Sample| {
                let logit = grey(&clip.frames[3]) - grey(&clip.frames[0]);
                Answer(vec![Value::Logit(Logit(logit))])
            };
            Ok(clips.iter().map(answer).collect())
        }
    }

    #[test]
    fn a_detector_of_clips_is_calibrated_on_videos() {
        let card = r#"
            id = "moves"
            summary = "how much frames differ"
            status = "preview"
            since = "0.1.0"
            task = "generated_clip"
            engines = ["rten"]
            licence = "none"
            training_data = "none"
            citation = "this test"
            known_failures = ["all cases"]
            heads = [{ kind = "binary", polarity = "generated" }]
            [input]
            size = 16
            filter = "bilinear"
            mean = [0.5, 0.5, 0.5]
            std = [0.5, 0.5, 0.5]
            [input.view]
            kind = "clip"
            frames = 4
            pace = { stride = 2 }
            layout = "frame_first"
        "#;
        let detector = Moves(Card::parse("moves", card).expect("a card"));
        let folder = tempfile::tempdir().expect("folder");
        let mut rows = String::from("path,label,group,content,video\n");
        for i in 0..24_u32 {
            let label = i % 2;
            let name = format!("{i}.gif");
            let file = std::fs::File::create(folder.path().join(&name)).expect("created");
            let mut film = GifEncoder::new(file);
            for k in 0..8_u32 {
                // Generated ones grow brighter.
                let grey = (60 + i + 20 * k * label) as u8;
                let pixels =
                    image::RgbaImage::from_pixel(64, 48, image::Rgba([grey, grey, grey, 255]));
                film.encode_frame(image::Frame::new(pixels))
                    .expect("encodes");
            }
            drop(film);
            writeln!(rows, "{name},{label},g{},photograph,v{i}", i % 8).expect("writes");
        }
        let picture = RgbImage::new(64, 48);
        picture
            .save(folder.path().join("still.png"))
            .expect("writes");
        rows.push_str("still.png,0,g0,photograph,\n");
        let manifest = folder.path().join("m.csv");
        std::fs::write(&manifest, &rows).expect("writes");
        let own = calibrate(&detector, &manifest, &mut |_| ()).expect("calibrates");
        assert_eq!((own.pictures, own.groups), ([12, 12], [4, 4]));
        assert!(own.left_out.len() == 1 && own.left_out[0].0.ends_with("still.png"));
        let p = |logit: f64| own.calibration.probability(Logit(logit)).0;
        assert!(p(100.0) > 0.8 && p(0.0) < 0.2, "{} {}", p(100.0), p(0.0));
    }
}
