//! The one place of an evaluation that calls the scanner.

use std::time::Duration;

use image::RgbImage;
use realscope::Scanner;
use realscope::worker::{self, Launch};
use realscope_delivery::arm;
use realscope_detectors::Tier;
use realscope_media::{Limits, Options};
use serde_json::json;

use super::prediction::Prediction;

/// Time that decoding one picture for its delivery may take.
const DEADLINE: Duration = Duration::from_secs(30);

/// What a detector is given.
pub(super) enum Given<'a> {
    /// A file.
    File(Vec<u8>),
    /// Pixels that are scored as they are.
    Frame(&'a RgbImage),
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

/// A thread's means of decoding and scoring.
pub(super) struct Scoring {
    lane: worker::Lane,
}

impl Scoring {
    /// For one of `threads` that share `units` of work.
    pub(super) fn new(launch: &Launch, threads: usize, units: usize) -> Self {
        worker::share_cores(threads, units);
        Self {
            lane: worker::Lane::new(launch.clone()),
        }
    }

    /// Pixels of a file that is to be delivered.
    ///
    /// # Errors
    /// The code of the failure.
    pub(super) fn decode(&mut self, bytes: &[u8]) -> Result<RgbImage, &'static str> {
        self.lane
            .decode(bytes, &Limits::default(), &Options::default(), DEADLINE)
            .map(|decoded| decoded.pixels)
            .map_err(|e| e.code())
    }

    /// Fills the row of what was given.
    pub(super) fn score(
        &mut self,
        scanner: &Scanner,
        given: &Given<'_>,
        mut row: Prediction,
    ) -> Prediction {
        let encoded;
        let bytes = match given {
            Given::File(bytes) => bytes,
            Given::Frame(frame) => match arm::png(frame) {
                Ok(bytes) => {
                    encoded = bytes;
                    &encoded
                }
                Err(_) => {
                    row.error = "not_delivered".into();
                    return row;
                }
            },
        };
        let record = scanner.scan(&mut self.lane, &row.path, bytes, false).record;
        if let Some(e) = record.error {
            row.error = e.code;
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
        row.ms = record.timing_ms.get("total").copied().unwrap_or(0.0);
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
}
