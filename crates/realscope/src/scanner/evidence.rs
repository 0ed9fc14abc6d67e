//! What a verdict rests on and what was measured beside it, in words for a reader who is no expert.
//!
//! What is "usual" was measured on the authentic photographs of the training set (`realscope data usual`) or comes
//! from the detector's own validation scores; nothing is a guess.

use image::RgbImage;
use realscope_delivery as delivery;
use realscope_detectors::{Calibration, Card, Logit, Place, Tier, pool};
use realscope_media::Facts;
use realscope_signal::{Plane, blocking, noise, resampling};

use crate::record::{Evidence, EvidenceKind};

fn log_odds(p: f64) -> f64 {
    (p / (1.0 - p)).ln()
}

/// How many of 100 scores are at least `p`.
fn percent_at_least(scores: &[f32], p: f64) -> f64 {
    let count = scores.iter().filter(|s| f64::from(**s) >= p).count();
    100.0 * count as f64 / scores.len().max(1) as f64
}

/// How a score compares with those of validation pictures of the same quality.
fn compared(calibration: &Calibration, tier: Tier, p: f64) -> Option<String> {
    let scores = calibration.tiers.iter().find(|t| t.tier == tier)?;
    if scores.negatives.is_empty() || scores.positives.is_empty() {
        return None;
    }
    Some(format!(
        "Of 100 authentic validation pictures of this quality, {:.0} score as high or higher; of 100 generated ones, {:.0}.",
        percent_at_least(&scores.negatives, p),
        percent_at_least(&scores.positives, p)
    ))
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
    for (code, whole, what) in [
        ("native_windows", false, "in details at full resolution"),
        ("whole_view", true, "as a whole"),
    ] {
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
        let side = if weight > 0.0 {
            "more like generated pictures than like authentic ones"
        } else {
            "more like authentic pictures than like generated ones"
        };
        let mut evidence = Evidence {
            value: Some(mean.0),
            weight,
            ..Evidence::remark(
                code,
                EvidenceKind::Pixels,
                format!("Seen {what}, the picture looks {side}."),
            )
        };
        if let Some(c) = calibration {
            evidence.usual = compared(c, tier, c.probability(mean).0);
        }
        out.push(evidence);
    }
    out
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
            .meaning(if jpeg.quality < 55 {
                "Strong compression wipes out traces: the score is less sure."
            } else {
                "Compression of this strength leaves most of what is looked at."
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
    if let Some(level) = noise::level(&luma) {
        out.push(
            item(
                "noise_level",
                format!("Noise and finest texture are about {level:.1} of 255 grey levels."),
            )
            .valued(level),
        );
    }
    if let Some(grid) = blocking::grid(&luma)
        && grid.strength > 0.05
    {
        out.push(
            item(
                "blocking_grid",
                format!(
                    "There is a grid of 8x8 blocks at offset ({}, {}), strength {:.2}.",
                    grid.x, grid.y, grid.strength
                ),
            )
            .valued(grid.strength)
            .meaning("The pixels went through JPEG compression on that grid; at another offset than (0, 0) they were cropped since."),
        );
    }
    if let Some(p) = resampling::horizontal(&luma)
        && p.strength > 12.0
    {
        out.push(
            item(
                "resampling",
                format!(
                    "Neighbouring pixels repeat a pattern of {:.3} cycles a pixel, {:.0} times the median.",
                    p.frequency, p.strength
                ),
            )
            .valued(p.strength)
            .meaning("The picture was probably resized; cameras, editors and generators all do so."),
        );
    }
    out.extend(
        facts
            .into_iter()
            .flat_map(|f| &f.notes)
            .map(|n| item(&n.code, n.sentence.clone())),
    );
    out
}
