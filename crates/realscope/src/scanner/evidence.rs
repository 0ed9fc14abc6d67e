//! What a verdict rests on and what was measured beside it, in words for a reader who is no expert.
//!
//! What is "usual" was measured: on the detector's validation pictures, or on authentic photographs of the training
//! split (`scripts/usual.py`).

use image::RgbImage;
use realscope_delivery as delivery;
use realscope_detectors::card::Task;
use realscope_detectors::{Calibration, Card, Logit, Place, Tier, pool};
use realscope_media::Facts;
use realscope_signal::blocking::{self, Grid};
use realscope_signal::resampling::{self, Periodicity};
use realscope_signal::{Plane, noise};

use crate::record::{Evidence, EvidenceKind};

fn log_odds(p: f64) -> f64 {
    (p / (1.0 - p)).ln()
}

/// The share of scores that are at least `p`, in words.
fn share_at_least(scores: &[f32], p: f64) -> String {
    let count = scores.iter().filter(|s| f64::from(**s) >= p).count();
    match 100.0 * count as f64 / scores.len().max(1) as f64 {
        0.0 => "None".into(),
        share if share < 0.5 => "Under 1%".into(),
        share => format!("{share:.0}%"),
    }
}

/// How a score compares with those of validation pictures of the same quality.
fn compared(calibration: &Calibration, tier: Tier, p: f64) -> Option<String> {
    let scores = calibration.tiers.iter().find(|t| t.tier == tier)?;
    if scores.negatives.is_empty() || scores.positives.is_empty() {
        return None;
    }
    Some(format!(
        "{} of the authentic validation pictures of this quality score as high or higher, and {} of the generated ones.",
        share_at_least(&scores.negatives, p),
        share_at_least(&scores.positives, p).to_lowercase()
    ))
}

/// What a score means: by the threshold of an accusation, and by which class is more likely.
fn side(card: &Card, odds: f64, p: f64) -> String {
    let calibration = card.calibration.as_ref();
    let (found, things) = match card.task {
        Task::ManipulatedFace => ("manipulated", "faces"),
        _ => ("generated", "pictures"),
    };
    let accuses = calibration.and_then(|c| c.generated_threshold);
    let likely = calibration.map_or(odds >= 0.0, |_| p >= 0.5);
    if accuses.is_some_and(|t| p >= t) {
        format!("It looks like {found} {things}; authentic ones rarely score so high.")
    } else if likely {
        format!(
            "It looks more like {found} {things} than like authentic ones; many authentic {things} score so too."
        )
    } else {
        format!(
            "It looks more like authentic {things} than like {found} ones; many {found} {things} score so too."
        )
    }
}

/// One piece of evidence for the native windows and one for the whole view, each with the change
/// in log-odds when it is left out.
pub(super) fn of_samples(
    card: &Card,
    places: &[Place],
    logits: &[Logit],
    tier: Tier,
) -> Vec<Evidence> {
    let calibration = card.calibration.as_ref();
    let odds = |logit: Logit| calibration.map_or(logit.0, |c| log_odds(c.probability(logit).0));
    let Some(all) = pool::mean(logits) else {
        return Vec::new();
    };
    let mut out = Vec::new();
    let parts = if card.input.view.is_face() {
        ("face", false, "in its faces")
    } else {
        ("native_windows", false, "in details at full resolution")
    };
    for (code, whole, what) in [parts, ("whole_view", true, "as a whole")] {
        let own: Vec<Logit> = places
            .iter()
            .zip(logits)
            .filter(|(p, _)| p.whole == whole)
            .map(|(_, l)| *l)
            .collect();
        let Some(mean) = pool::mean(&own) else {
            continue;
        };
        // Left out, the other input alone remains, or nothing but even odds.
        let weight = odds(all) - pool::without(places, logits, whole).map_or(0.0, odds);
        let p = calibration.map(|c| c.probability(mean).0);
        let measured = match p {
            Some(p) => format!("Seen {what}, the picture scores {:.0} of 100.", 100.0 * p),
            None => format!("Seen {what}, the picture has a score without calibration."),
        };
        let mut evidence = Evidence::remark(code, EvidenceKind::Pixels, measured)
            .valued(mean.0)
            .meaning(side(card, mean.0, p.unwrap_or_default()));
        evidence.weight = weight;
        evidence.usual = calibration.zip(p).and_then(|(c, p)| compared(c, tier, p));
        out.push(evidence);
    }
    out
}

/// 5th, 50th and 95th percentile of a measure on 657 authentic photographs of the training split, all JPEG files with
/// the pixels of their source, at most 30 of a group. `scripts/usual.py` prints them.
struct Usual {
    low: f64,
    middle: f64,
    high: f64,
}

/// Standard deviation of noise in grey levels.
const NOISE: Usual = Usual {
    low: 0.245,
    middle: 1.112,
    high: 6.457,
};
/// Strength of the 8x8 grid.
const GRID: Usual = Usual {
    low: 0.023,
    middle: 0.313,
    high: 1.503,
};
/// Strength of the strongest repetition.
const REPETITION: Usual = Usual {
    low: 3.184,
    middle: 5.454,
    high: 9.612,
};
/// Strength of the 8x8 grid that 95% of 300 of these photographs stay below, shrunk to 60% and stored without loss, so
/// that there is none.
const NO_GRID: f64 = 0.168;

impl Usual {
    fn sentence(&self, digits: usize) -> String {
        format!(
            "90 of 100 authentic photographs have {:.digits$} to {:.digits$}, half of them under {:.digits$}.",
            self.low, self.high, self.middle
        )
    }
}

fn noise_level(level: f64) -> Evidence {
    let meaning = if level < NOISE.low {
        "Few photographs are so smooth. Filters, compression, plain surfaces and generators make them so."
    } else if level > NOISE.high {
        "Few photographs are so rough. Film grain, darkness, dense texture and added noise make them so."
    } else {
        "That is usual, and speaks for neither side."
    };
    Evidence::remark(
        "noise_level",
        EvidenceKind::Context,
        format!("Noise and finest texture are about {level:.1} of 255 grey levels."),
    )
    .valued(level)
    .usually(NOISE.sentence(1))
    .meaning(meaning)
}

fn blocking_grid(grid: Grid) -> Evidence {
    let meaning = if grid.strength < NO_GRID {
        "No grid stands out: the picture was compressed weakly or never, or it was resized since."
    } else if (grid.x, grid.y) == (0, 0) {
        "The pixels went through JPEG compression on this grid, as those of any JPEG file."
    } else {
        "The pixels went through JPEG compression, and were cropped since."
    };
    Evidence::remark(
        "blocking_grid",
        EvidenceKind::Context,
        format!(
            "The grid of 8x8 blocks that JPEG leaves has strength {:.2}, at offset ({}, {}).",
            grid.strength, grid.x, grid.y
        ),
    )
    .valued(grid.strength)
    .usually(GRID.sentence(2))
    .meaning(meaning)
}

fn repetition(found: Periodicity) -> Evidence {
    let meaning = if found.strength > REPETITION.high {
        "Few photographs repeat so clearly. Regular textures do, and enlarged pictures, authentic or generated."
    } else {
        "Nothing stands out. Enlarging can leave such a pattern."
    };
    Evidence::remark(
        "resampling",
        EvidenceKind::Context,
        format!(
            "The clearest repetition across the picture comes every {:.1} pixels, {:.1} times the median.",
            1.0 / found.frequency,
            found.strength
        ),
    )
    .valued(found.strength)
    .usually(REPETITION.sentence(1))
    .meaning(meaning)
}

/// Measured signals that help a reader and do not feed the verdict.
pub(super) fn context(pixels: &RgbImage, facts: Option<&Facts>) -> Vec<Evidence> {
    let item =
        |code: &str, measured: String| Evidence::remark(code, EvidenceKind::Context, measured);
    let mut out = Vec::new();
    if let Some(jpeg) = facts.and_then(|f| f.jpeg.as_ref()) {
        let tables = if jpeg.standard_tables {
            "the standard tables"
        } else {
            "tables of its encoder's own"
        };
        out.push(
            item(
                "jpeg_quality",
                format!(
                    "The file is a JPEG of quality about {} of 100 ({}, {tables}).",
                    jpeg.quality, jpeg.subsampling
                ),
            )
            .valued(f64::from(jpeg.quality))
            .meaning(match Tier::of(u32::MAX, Some(jpeg.quality)) {
                Tier::Clean => "Compression of this strength leaves most traces.",
                Tier::Web => "Compression of this strength wipes out some traces.",
                Tier::Hard => "Strong compression wipes out many traces, so the score tells less.",
            }),
        );
        out.extend(jpeg.double_compression_hints.iter().map(|h| {
            item(
                "double_compression",
                format!("There are hints of an earlier JPEG encoding: {h}."),
            )
            .meaning(
                "The file was probably saved again after it was made; editors and web sites do so.",
            )
        }));
    }
    // A central part is enough for these and keeps large pictures quick.
    let (w, h) = pixels.dimensions();
    let (cw, ch) = (w.min(512), h.min(512));
    let part = delivery::crop(pixels, (w - cw) / 2 / 8 * 8, (h - ch) / 2 / 8 * 8, cw, ch);
    let luma = Plane::luma(&part);
    out.extend(noise::level(&luma).map(noise_level));
    out.extend(blocking::grid(&luma).map(blocking_grid));
    out.extend(resampling::horizontal(&luma).map(repetition));
    out.extend(
        facts
            .into_iter()
            .flat_map(|f| &f.notes)
            .map(|n| item(&n.code, n.sentence.clone())),
    );
    out
}
