//! One scanner for many callers: what is shared, what is bounded, and what a fault costs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use image::{Rgb, RgbImage};
use realscope::record::{ErrorCode, MediaKind};
use realscope::scanner::{BuildError, Deliveries, WhenFull};
use realscope::{Cancel, Options, ScanError, Scanner, Source};
use realscope_detectors::{Answer, Card, Detector, DetectorError, Logit, Sample, Value};
use realscope_engine::Threads;

/// The red channel of a sample's first pixel says what this detector does with it.
struct Told {
    card: Card,
    pause: Duration,
}

const FAILS: u8 = 100;
const PANICS: u8 = 150;
/// By how much a re-delivery may change a colour here.
const NEAR: u8 = 2;

const CARD: &str = r#"
id = "told"
summary = "does as it is told"
status = "preview"
since = "0.1.0"
task = "generated_picture"
engines = ["rten"]
licence = "MIT"
training_data = "none"
citation = "none"
known_failures = []

[input]
size = 16
filter = "bilinear"
mean = [0.5, 0.5, 0.5]
std = [0.5, 0.5, 0.5]

[input.view]
kind = "squash"

[[heads]]
kind = "binary"
polarity = "generated"
"#;

impl Told {
    fn detector(pause: u64) -> Arc<dyn Detector> {
        Arc::new(Self {
            card: Card::parse("told", CARD).expect("a card"),
            pause: Duration::from_millis(pause),
        })
    }
}

impl Detector for Told {
    fn card(&self) -> &Card {
        &self.card
    }

    fn infer(&self, samples: &[Sample], _: &Threads) -> Result<Vec<Answer>, DetectorError> {
        std::thread::sleep(self.pause);
        samples
            .iter()
            .map(|s| match s.frames[0].get_pixel(0, 0).0[0] {
                red if red.abs_diff(FAILS) <= NEAR => Err(DetectorError::Sample {
                    id: "told".into(),
                    reason: "it was told so".into(),
                }),
                red if red.abs_diff(PANICS) <= NEAR => panic!("told so"),
                red => Ok(Answer(vec![Value::Logit(Logit(f64::from(red)))])),
            })
            .collect()
    }
}

fn plain(red: u8) -> RgbImage {
    RgbImage::from_pixel(80, 70, Rgb([red, 0, 0]))
}

fn native() -> Options {
    Options {
        deliveries: Deliveries::AsNeeded,
        ..Options::default()
    }
}

fn scanner(pause: u64, queue: usize) -> Scanner {
    let builder = Scanner::builder()
        .detector(Told::detector(pause))
        .queue(queue);
    builder.threads(1).build().expect("a scanner")
}

#[test]
fn frames_are_scored_as_they_are_and_pooled() {
    let scanner = scanner(0, 8);
    let one = scanner
        .scan(Source::Frames(&[plain(40)]), &native())
        .expect("scores");
    assert_eq!(one.record.detectors[0].raw, 40.0);
    let media = one.record.media.expect("media");
    assert_eq!(
        (media.kind, media.width, media.height),
        (MediaKind::Picture, 80, 70)
    );
    let two = scanner
        .scan(Source::Frames(&[plain(40), plain(60)]), &native())
        .expect("scores");
    assert_eq!(two.record.detectors[0].raw, 50.0);
    assert_eq!(two.record.media.expect("media").kind, MediaKind::Video);
    let other = [plain(40), RgbImage::new(80, 71)];
    let sizes = scanner.scan(Source::Frames(&other), &native());
    assert!(matches!(sizes, Err(ScanError::FrameSizes)));
    let none = scanner.scan(Source::Frames(&[]), &native());
    assert!(matches!(none, Err(ScanError::NoFrame)));
}

#[test]
fn a_fault_costs_its_own_picture_and_keeps_its_type() {
    let scanner = scanner(5, 64);
    let reds: Vec<u8> = (0..40).map(|i| 5 * i).collect();
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let all: Vec<_> = reds
            .iter()
            .map(|red| {
                let scanner = scanner.clone();
                scope.spawn(move || scanner.scan(Source::Frames(&[plain(*red)]), &native()))
            })
            .collect();
        all.into_iter().map(|t| t.join().expect("ends")).collect()
    });
    for (red, outcome) in reds.iter().zip(outcomes) {
        match (*red, outcome) {
            (FAILS, Err(ScanError::Detector(DetectorError::Sample { reason, .. }))) => {
                assert_eq!(reason, "it was told so");
            }
            (PANICS, Err(ScanError::Detector(DetectorError::Corrupt { .. }))) => {}
            (red, Ok(scanned)) => assert_eq!(scanned.record.detectors[0].raw, f64::from(red)),
            (red, Err(e)) => panic!("{red}: {e}"),
        }
    }
    let record = scanner
        .record(Source::Frames(&[plain(FAILS)]), &native())
        .record;
    let error = record.error.expect("an error");
    assert_eq!(error.code, ErrorCode::DetectorNotMadeFor);
    assert!(record.verdict.is_none() && error.message.contains("told so"));
}

#[test]
fn a_full_queue_is_said() {
    let scanner = scanner(200, 1);
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..12)
            .map(|_| {
                let scanner = scanner.clone();
                scope.spawn(move || {
                    let options = Options {
                        when_full: WhenFull::Refuse,
                        ..native()
                    };
                    scanner
                        .scan(Source::Frames(&[plain(1)]), &options)
                        .map(|_| ())
                })
            })
            .collect();
        all.into_iter().map(|t| t.join().expect("ends")).collect()
    });
    let refused = |o: &&Result<(), ScanError>| matches!(o, Err(ScanError::Busy { waiting: 1.. }));
    assert!(outcomes.iter().any(|o| o.is_ok()));
    assert!(outcomes.iter().filter(refused).count() >= 6, "{outcomes:?}");
    // Whoever waits instead gets an answer.
    let waits = scanner.scan(Source::Frames(&[plain(1)]), &native());
    assert!(waits.is_ok());
}

#[test]
fn callers_can_give_up_and_deadlines_are_kept() {
    let scanner = scanner(1500, 8);
    let cancel = Cancel::default();
    let begun = Instant::now();
    let outcome = std::thread::scope(|scope| {
        let options = Options {
            cancel: cancel.clone(),
            ..native()
        };
        let waiting = scope.spawn(|| {
            let options = options;
            scanner
                .scan(Source::Frames(&[plain(1)]), &options)
                .map(|_| ())
        });
        std::thread::sleep(Duration::from_millis(100));
        cancel.cancel();
        waiting.join().expect("ends")
    });
    assert_eq!(outcome, Err(ScanError::Cancelled));
    let options = Options {
        deadline: Duration::from_millis(200),
        ..native()
    };
    let late = scanner
        .scan(Source::Frames(&[plain(1)]), &options)
        .map(|_| ());
    assert_eq!(late, Err(ScanError::Deadline));
    assert!(
        begun.elapsed() < Duration::from_millis(1400),
        "nobody waits for the detector"
    );
}

#[test]
fn outcomes_come_in_order() {
    let scanner = scanner(0, 8);
    let mut taken = Vec::new();
    let work = |scanner: &Scanner, red: u8| {
        let record = scanner
            .record(Source::Frames(&[plain(red)]), &native())
            .record;
        record.detectors.first().map(|d| d.raw)
    };
    let done: Result<(), ()> = scanner.scan_ordered(20..30_u8, work, |raw| {
        taken.push(raw);
        Ok(())
    });
    assert_eq!(done, Ok(()));
    assert_eq!(
        taken,
        (20..30_u8).map(|r| Some(f64::from(r))).collect::<Vec<_>>()
    );
}

#[test]
fn settings_of_a_request_are_in_the_hash() {
    let scanner = scanner(0, 8);
    let hash = |max_fpr| {
        let options = Options {
            max_fpr,
            ..native()
        };
        let scanned = scanner.scan(Source::Frames(&[plain(40)]), &options);
        scanned.expect("scores").record.tool.config_sha256
    };
    assert_eq!(hash(None), hash(None));
    assert_ne!(hash(None), hash(Some(0.01)));
    assert_ne!(hash(Some(0.05)), hash(Some(0.01)));
}

#[test]
fn what_a_scanner_lacks_is_said() {
    assert!(matches!(
        Scanner::builder().build(),
        Err(BuildError::NoDetector)
    ));
    let outcome = scanner(0, 8)
        .scan(Source::Bytes(b"bytes"), &native())
        .map(|_| ());
    assert_eq!(
        outcome.expect_err("decodes nothing").code(),
        ErrorCode::WorkerUnavailable
    );
}
