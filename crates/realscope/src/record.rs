//! The record of one file. `schema/record.schema.json` in the repository describes it.

use std::collections::BTreeMap;

use realscope_media::{Facts, metadata::Metadata};
use serde::{Deserialize, Serialize};

/// Version of the record's layout.
pub const SCHEMA_VERSION: u32 = 1;

/// What a scan says of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The pixels show that the picture was generated.
    Generated,
    /// The pixels show that parts of it were.
    Manipulated,
    /// Cannot tell.
    Uncertain,
    /// The pixels show nothing of the kind; no proof of authenticity.
    NoEvidence,
}

impl Verdict {
    /// Word in reports.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Generated => "generated",
            Self::Manipulated => "manipulated",
            Self::Uncertain => "uncertain",
            Self::NoEvidence => "no_evidence",
        }
    }
}

/// What made the record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tool {
    /// Always `realscope`.
    pub name: String,
    /// Version of the program.
    pub version: String,
    /// Inference engine.
    pub engine: String,
    /// Profile.
    pub profile: String,
    /// Hash of the settings that bear on the result.
    pub config_sha256: String,
    /// Calibration in use; null for an uncalibrated detector.
    pub calibration_id: Option<String>,
}

/// Range of the probability over re-deliveries of the same pixels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lowest.
    pub low: f64,
    /// Highest.
    pub high: f64,
    /// Probability by delivery.
    pub deliveries: BTreeMap<String, f64>,
}

/// Probabilities by kind of manipulation; null until a validated head exists.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClassProbabilities {
    /// Whole picture generated.
    pub generated: Option<f64>,
    /// Parts manipulated.
    pub manipulated: Option<f64>,
}

/// A detector's part. The first decides; the embedded one may follow, asked whether the picture looks painted or drawn
/// where the first may accuse and cannot tell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DetectorScore {
    /// Stable id.
    pub id: String,
    /// Hash of its weights.
    pub weights_sha256: String,
    /// Raw logit.
    pub raw: f64,
    /// Calibrated probability; null without calibration.
    pub calibrated: Option<f64>,
}

/// One piece of evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Stable code.
    pub code: String,
    /// `pixels`, `context` or `metadata`.
    pub kind: String,
    /// Sentence for people.
    pub sentence: String,
    /// Measured value.
    pub value: Option<f64>,
    /// Change of the verdict's log-odds when this input is left out; 0 for what does not feed it.
    pub weight: f64,
}

/// What the file declares.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// `generated`, `edited`, `captured` or `none`.
    pub declared: String,
    /// What was found, in words.
    pub found: Vec<String>,
    /// Integrity of content credentials: `valid`, `invalid` or null without any.
    pub integrity: Option<String>,
    /// Trust in their signer: `trusted`, `untrusted`, `not_checked` or null.
    pub trust: Option<String>,
    /// Where declaration and pixels disagree.
    pub contradictions: Vec<String>,
    /// Marks that cannot be read here.
    pub not_checkable: Vec<String>,
}

/// Summary of a heat map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Region {
    /// Left edge in pixels.
    pub x: u32,
    /// Top edge.
    pub y: u32,
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
    /// Calibrated probability of the window alone; null without calibration.
    pub probability: Option<f64>,
}

/// Threshold for `--max-fpr`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OperatingRecord {
    /// `ok` or `insufficient_data`.
    pub status: String,
    /// Quality tier of the picture.
    pub tier: String,
    /// Rate that was asked for.
    pub max_fpr: f64,
    /// Threshold; null when data are insufficient.
    pub threshold: Option<f64>,
    /// Recall to expect there.
    pub expected_recall: Option<f64>,
    /// 95% interval of that recall over groups; null for rates other than 0.01 and 0.05.
    pub recall_interval: Option<[f64; 2]>,
    /// 95% interval of the false-positive rate over groups; null for rates other than 0.01 and 0.05.
    pub fpr_interval: Option<[f64; 2]>,
    /// Authentic validation pictures in the tier.
    pub negatives: usize,
}

/// Picture facts in a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Media {
    /// Format by content.
    pub format: String,
    /// Width in pixels, upright.
    pub width: u32,
    /// Height in pixels, upright.
    pub height: u32,
    /// All that decoding found; the metadata stand in `metadata`.
    #[serde(flatten)]
    pub facts: BTreeMap<String, serde_json::Value>,
}

impl Media {
    /// From the decoder's facts; the metadata are kept apart.
    #[must_use]
    pub fn new(facts: &Facts) -> Self {
        let mut map: BTreeMap<String, serde_json::Value> = serde_json::to_value(facts)
            .ok()
            .and_then(|v| v.as_object().cloned())
            .into_iter()
            .flatten()
            .collect();
        for key in ["format", "width", "height", "metadata"] {
            map.remove(key);
        }
        Self {
            format: facts.format.name().into(),
            width: facts.width,
            height: facts.height,
            facts: map,
        }
    }
}

/// Why a file has no verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordError {
    /// Stable code.
    pub code: String,
    /// Sentence for people.
    pub message: String,
}

/// The record of one file; every key is always present.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Version of this layout.
    pub schema_version: u32,
    /// What made it.
    pub tool: Tool,
    /// Path as given.
    pub path: String,
    /// Hash of the file's bytes; null where it could not be read.
    pub sha256: Option<String>,
    /// Picture facts; null on error.
    pub media: Option<Media>,
    /// Verdict; null on error.
    pub verdict: Option<Verdict>,
    /// Calibrated P(generated or manipulated), from pixels only; null on error or without
    /// calibration.
    pub probability: Option<f64>,
    /// Threshold of the forced decision; null without calibration.
    pub decision_threshold: Option<f64>,
    /// By kind.
    pub class_probabilities: ClassProbabilities,
    /// Range over re-deliveries; null on error or without calibration.
    pub interval: Option<Interval>,
    /// Whether every delivery gives the same forced decision; null on error.
    pub stable: Option<bool>,
    /// Detectors that ran.
    pub detectors: Vec<DetectorScore>,
    /// Why.
    pub evidence: Vec<Evidence>,
    /// What the file declares; null on error.
    pub provenance: Option<Provenance>,
    /// Declarations in full; null on error.
    pub metadata: Option<Metadata>,
    /// Windows that speak loudest.
    pub regions: Vec<Region>,
    /// Threshold for `--max-fpr`; null when that was not asked for.
    pub operating_point: Option<OperatingRecord>,
    /// Milliseconds by stage.
    pub timing_ms: BTreeMap<String, f64>,
    /// Why there is no verdict; null when there is one.
    pub error: Option<RecordError>,
}

impl Record {
    /// A record that says only why there is no verdict.
    #[must_use]
    pub fn failed(
        tool: &Tool,
        path: &str,
        sha256: Option<String>,
        code: &str,
        message: &str,
    ) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            tool: tool.clone(),
            path: path.into(),
            sha256,
            media: None,
            verdict: None,
            probability: None,
            decision_threshold: None,
            class_probabilities: ClassProbabilities::default(),
            interval: None,
            stable: None,
            detectors: Vec::new(),
            evidence: Vec::new(),
            provenance: None,
            metadata: None,
            regions: Vec::new(),
            operating_point: None,
            timing_ms: BTreeMap::new(),
            error: Some(RecordError {
                code: code.into(),
                message: message.into(),
            }),
        }
    }
}
