//! The one place of an evaluation that calls the scanner.

use std::time::{Duration, Instant};

use image::RgbImage;
use realscope::record::ErrorCode;
use realscope::scanner::Deliveries;
use realscope::{Options, ScanError, Scanner, Source};
use realscope_detectors::Tier;
use realscope_detectors::network::sha256;
use realscope_media::Decoded;
use serde_json::json;

use super::prediction::Prediction;

/// Time that decoding one file may take.
const DEADLINE: Duration = Duration::from_secs(30);

/// What detectors are given.
pub(super) enum Given<'a> {
    /// A file, decoded once for all of them.
    File {
        /// Pixels and facts.
        decoded: Box<Decoded>,
        /// Hash of its bytes.
        sha256: String,
        /// Milliseconds of hashing and decoding.
        ms: f64,
    },
    /// A frame that is scored as it is.
    Frame(&'a RgbImage),
    /// The frames of one clip, which are scored as they are.
    Clip(&'a [RgbImage]),
}

impl Given<'_> {
    /// The pixels; `None` of a clip, which has no single picture.
    pub(super) fn pixels(&self) -> Option<&RgbImage> {
        match self {
            Self::File { decoded, .. } => Some(&decoded.pixels),
            Self::Frame(pixels) => Some(pixels),
            Self::Clip(_) => None,
        }
    }
}

/// A detector's part of a run's identity: id, weights, calibration, settings.
pub(super) fn identity(scanner: &Scanner) -> serde_json::Value {
    let card = scanner.detector().card();
    json!({
        "id": card.id,
        "weights_sha256": card.weights_sha256,
        "calibration": card.calibration.as_ref().map(|c| c.id.clone()),
        "decision_threshold": card.calibration.as_ref().map(|c| c.decision_threshold),
        "config_sha256": scanner.tool().config_sha256,
    })
}

/// Id and hash of the weights of a detector.
pub(super) fn names(scanner: &Scanner) -> (&str, &str) {
    let card = scanner.detector().card();
    (&card.id, &card.weights_sha256)
}

/// Decodes the bytes of a file in a worker of the first scanner.
///
/// # Errors
/// The code of the failure.
pub(super) fn open(scanners: &[Scanner], bytes: &[u8]) -> Result<Given<'static>, &'static str> {
    let Some(scanner) = scanners.first() else {
        return Err(ErrorCode::WorkerUnavailable.word());
    };
    let begun = Instant::now();
    let sha256 = sha256(bytes);
    let options = Options {
        deadline: DEADLINE,
        ..Options::default()
    };
    let decoded = scanner
        .decode(bytes, &options)
        .map_err(|e| ScanError::from(e).code().word())?;
    Ok(Given::File {
        decoded: Box::new(decoded),
        sha256,
        ms: begun.elapsed().as_secs_f64() * 1e3,
    })
}

/// Fills the row of what was given.
pub(super) fn score(scanner: &Scanner, given: &Given<'_>, mut row: Prediction) -> Prediction {
    let (source, opening) = match given {
        Given::File {
            decoded,
            sha256,
            ms,
        } => (Source::Decoded(decoded, sha256), *ms),
        Given::Frame(frame) => (Source::Frames(std::slice::from_ref(*frame)), 0.0),
        Given::Clip(frames) => (Source::Frames(frames), 0.0),
    };
    let options = Options {
        path: row.path.clone(),
        // Stability is a column of predictions.
        deliveries: Deliveries::All,
        // However long the queue is, every unit is scored.
        deadline: Duration::MAX,
        ..Options::default()
    };
    let record = scanner.record(source, &options).record;
    if let Some(e) = record.error {
        row.error = e.code.word().into();
        return row;
    }
    row.raw = record.detectors.first().map(|d| d.raw);
    row.score = record
        .probability
        .or(row.raw.map(|z| 1.0 / (1.0 + (-z).exp())));
    row.verdict = record
        .verdict
        .map(|v| v.word().to_owned())
        .unwrap_or_default();
    row.stable = record.stable;
    row.sha256 = record.sha256.unwrap_or_default();
    row.ms = opening + record.timing_ms.get("total").copied().unwrap_or(0.0);
    if let Some(m) = record.media {
        let quality = m
            .facts
            .get("jpeg")
            .and_then(|j| j.get("quality"))
            .and_then(serde_json::Value::as_u64)
            .and_then(|q| u8::try_from(q).ok());
        row.tier = Tier::of(m.width.min(m.height), quality).name().into();
    }
    row
}
