//! One row of predictions: an item in an arm as one detector scored it.

use realscope_data::manifest::Item;
use serde::{Deserialize, Serialize};

/// One row of predictions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// Path as in the manifest.
    pub path: String,
    /// 1 = generated.
    pub label: u8,
    /// Source or generator.
    pub group: String,
    /// Generator.
    pub generator: String,
    /// Source.
    pub source: String,
    /// Match set.
    pub match_set: String,
    /// Video.
    pub video: String,
    /// Arm.
    pub arm: String,
    /// Detector.
    pub detector: String,
    /// Calibrated probability, or the squashed raw score of an uncalibrated detector.
    pub score: Option<f64>,
    /// Raw logit.
    pub raw: Option<f64>,
    /// Verdict.
    pub verdict: String,
    /// Whether all re-deliveries gave one decision.
    pub stable: Option<bool>,
    /// Quality tier.
    pub tier: String,
    /// Milliseconds of the scan.
    pub ms: f64,
    /// Code of the failure; empty without one.
    pub error: String,
    /// Hash of the scanned bytes.
    pub sha256: String,
    /// Hash of the weights.
    pub weights_sha256: String,
}

impl Prediction {
    /// The row of an item that has no score yet. `error` is the code of its failure; empty without one.
    #[must_use]
    pub fn unscored(
        item: &Item,
        arm: &str,
        detector: &str,
        weights_sha256: &str,
        error: &str,
    ) -> Self {
        Self {
            path: item.path.clone(),
            label: item.label,
            group: item.group.clone(),
            generator: item.generator.clone(),
            source: item.source.clone(),
            match_set: item.match_set.clone(),
            video: item.video.clone(),
            arm: arm.to_owned(),
            detector: detector.to_owned(),
            score: None,
            raw: None,
            verdict: String::new(),
            stable: None,
            tier: String::new(),
            ms: 0.0,
            error: error.into(),
            sha256: String::new(),
            weights_sha256: weights_sha256.to_owned(),
        }
    }
}
