//! The record of one file. `schema/record.schema.json` in the repository describes it.

use std::collections::BTreeMap;

use realscope_detectors::Tier;
use realscope_media::{Facts, metadata::Metadata, video};
use serde::{Deserialize, Serialize};

/// Version of the record's layout.
pub const SCHEMA_VERSION: u32 = 2;

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
#[serde(deny_unknown_fields)]
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

/// Re-deliveries of the same pixels and the range of the probability over them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interval {
    /// Lowest of those that were run.
    pub low: f64,
    /// Highest of those that were run.
    pub high: f64,
    /// Probability by delivery, for those that were run; `native` always is.
    pub deliveries: BTreeMap<String, f64>,
    /// Deliveries that were not run, because no re-delivery of a validation picture moved a score as far as it would
    /// take to change this verdict.
    pub skipped: Vec<String>,
}

impl Interval {
    /// Lowest and highest probability; `None` where the picture was not delivered again.
    #[must_use]
    pub fn range(&self) -> Option<[f64; 2]> {
        (self.deliveries.len() > 1).then_some([self.low, self.high])
    }
}

/// Probabilities by kind of manipulation; null until a validated head exists.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassProbabilities {
    /// Whole picture generated.
    pub generated: Option<f64>,
    /// Parts manipulated.
    pub manipulated: Option<f64>,
}

/// A detector's part. The first decides; one may follow that is shown beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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

/// What evidence rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceKind {
    /// A detector's score of the pixels; the only kind that feeds the verdict.
    Pixels,
    /// A measured property that helps a reader.
    Context,
    /// What the file declares.
    Metadata,
}

/// One piece of evidence, in words for a reader who is no expert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// Stable code.
    pub code: String,
    /// What it rests on.
    pub kind: EvidenceKind,
    /// What was measured or found.
    pub measured: String,
    /// What is usual; null where nothing was measured to compare with.
    pub usual: Option<String>,
    /// What it means; null where it speaks for itself.
    pub meaning: Option<String>,
    /// Measured value.
    pub value: Option<f64>,
    /// Change of the verdict's log-odds when this input is left out; 0 for what does not feed it.
    pub weight: f64,
}

impl Evidence {
    /// A remark that feeds no verdict.
    pub(crate) fn remark(code: &str, kind: EvidenceKind, measured: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            kind,
            measured: measured.into(),
            usual: None,
            meaning: None,
            value: None,
            weight: 0.0,
        }
    }

    pub(crate) fn valued(mut self, value: f64) -> Self {
        self.value = Some(value);
        self
    }

    pub(crate) fn usually(mut self, usual: impl Into<String>) -> Self {
        self.usual = Some(usual.into());
        self
    }

    pub(crate) fn meaning(mut self, meaning: impl Into<String>) -> Self {
        self.meaning = Some(meaning.into());
        self
    }
}

/// What a file says of its own making, the weakest claim first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Declared {
    /// Nothing.
    None,
    /// A camera took it.
    Captured,
    /// It was edited.
    Edited,
    /// It was edited with AI.
    EditedWithAi,
    /// Parts of it were generated.
    CompositeWithGenerated,
    /// It was generated.
    Generated,
}

impl Declared {
    /// Word in reports.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Generated => "generated",
            Self::CompositeWithGenerated => "composite_with_generated",
            Self::EditedWithAi => "edited_with_ai",
            Self::Edited => "edited",
            Self::Captured => "captured",
            Self::None => "none",
        }
    }

    /// Whether it says that all or a part of the picture is an algorithm's.
    #[must_use]
    pub fn by_algorithm(self) -> bool {
        self >= Self::EditedWithAi
    }
}

/// One claim of a file about its own making.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// What it claims.
    pub declared: Declared,
    /// In which words.
    pub what: String,
    /// Where it stands.
    pub place: String,
}

/// Whether content credentials are whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Integrity {
    /// They fit the file.
    Valid,
    /// They do not.
    Invalid,
    /// They are kept elsewhere and were not fetched.
    NotChecked,
}

/// Whether the signer of content credentials is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trust {
    /// On a trust list that the user gave.
    Trusted,
    /// Not on it.
    Untrusted,
    /// No trust list was given.
    NotChecked,
}

/// What the file declares.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provenance {
    /// The strongest claim.
    pub declared: Declared,
    /// All claims, each with its place.
    pub claims: Vec<Claim>,
    /// What was found, in words.
    pub found: Vec<String>,
    /// Integrity of content credentials; null without any.
    pub integrity: Option<Integrity>,
    /// Trust in their signer; null without any.
    pub trust: Option<Trust>,
    /// Where declaration and pixels disagree.
    pub contradictions: Vec<String>,
    /// Marks that cannot be read here.
    pub not_checkable: Vec<String>,
}

/// A window that speaks loud.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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

/// Whether validation data carry a rate that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OperatingStatus {
    /// They do.
    Ok,
    /// Too few authentic validation pictures in the tier.
    InsufficientData,
}

/// Threshold for `--max-fpr`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperatingRecord {
    /// Whether there is one.
    pub status: OperatingStatus,
    /// Quality tier of the picture.
    pub tier: Tier,
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

/// What was judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaKind {
    /// A still picture.
    Picture,
    /// A video or an animation, by its frames.
    Video,
}

/// Facts of a picture or video in a record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Media {
    /// Picture or video.
    pub kind: MediaKind,
    /// Format by content; `pixels` for frames that a caller handed over.
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
            kind: MediaKind::Picture,
            format: facts.format.name().into(),
            width: facts.width,
            height: facts.height,
            facts: map,
        }
    }

    /// Of a video.
    #[must_use]
    pub fn film(facts: &video::Facts) -> Self {
        let mut map: BTreeMap<String, serde_json::Value> = serde_json::to_value(facts)
            .ok()
            .and_then(|v| v.as_object().cloned())
            .into_iter()
            .flatten()
            .collect();
        for key in ["container", "width", "height"] {
            map.remove(key);
        }
        Self {
            kind: MediaKind::Video,
            format: facts.container.clone(),
            width: facts.width,
            height: facts.height,
            facts: map,
        }
    }

    /// Of `count` frames that a caller handed over.
    #[must_use]
    pub fn frames(width: u32, height: u32, count: usize) -> Self {
        Self {
            kind: if count == 1 {
                MediaKind::Picture
            } else {
                MediaKind::Video
            },
            format: "pixels".into(),
            width,
            height,
            facts: BTreeMap::new(),
        }
    }
}

/// A stretch of a video with a score of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Segment {
    /// First instant in seconds.
    pub start_s: f64,
    /// One past the last.
    pub end_s: f64,
    /// Calibrated probability; null without calibration.
    pub probability: Option<f64>,
    /// What is said of it.
    pub verdict: Verdict,
    /// Frames of it that were scored.
    pub frames: usize,
    /// Detector that scored them.
    pub detector: String,
    /// Why it is accused, or why not; null where the score speaks for itself.
    pub why: Option<String>,
}

/// A frame of a video that was scored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrameScore {
    /// Its number in the video, from 0.
    pub index: u64,
    /// When it is shown, in seconds after the first frame.
    pub time_s: f64,
    /// Raw logit.
    pub raw: f64,
    /// Calibrated probability; null without calibration.
    pub probability: Option<f64>,
    /// What it would be called alone, by the thresholds of videos, before it is delivered again.
    pub verdict: Verdict,
    /// Code of what keeps it from a clearer word; null where nothing does.
    pub held_back: Option<String>,
}

/// A face over time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Track {
    /// Number of the track.
    pub id: u32,
    /// First instant in seconds.
    pub start_s: f64,
    /// Last instant.
    pub end_s: f64,
    /// Calibrated probability that the face is generated or swapped; null where it was not scored.
    pub probability: Option<f64>,
    /// What is said of the face alone.
    pub verdict: Verdict,
    /// Times that it was scored.
    pub looks: usize,
    /// Detector.
    pub detector: String,
    /// Id of the calibration of its head for faces.
    pub calibration_id: Option<String>,
    /// Why it is accused, or why not; null where the score speaks.
    pub why: Option<String>,
    /// Where it is in each scored frame of the video that shows it.
    pub boxes: Vec<TrackBox>,
}

/// A face in one frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrackBox {
    /// When, in seconds after the first frame.
    pub time_s: f64,
    /// Left edge in pixels.
    pub x: u32,
    /// Top edge.
    pub y: u32,
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
    /// Calibrated probability of this look alone; null where it was not scored.
    pub probability: Option<f64>,
}

/// A map over the picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaskRecord {
    /// Detector.
    pub detector: String,
    /// Cells across.
    pub columns: usize,
    /// Cells down.
    pub rows: usize,
    /// Calibrated probability by cell, row-major.
    pub probabilities: Vec<f32>,
}

/// A likely generator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attribution {
    /// Name of the generator or family.
    pub generator: String,
    /// Its probability among those that are known.
    pub probability: f64,
}

/// Why a file has no verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorCode {
    /// There is no such file.
    NotFound,
    /// The file cannot be read.
    Unreadable,
    /// It holds no bytes.
    Empty,
    /// Its content is no picture.
    NotAPicture,
    /// A picture in a format without a decoder here.
    Unsupported,
    /// The data end before the picture does.
    Truncated,
    /// The data contradict the format.
    Corrupt,
    /// Only ffmpeg decodes it, and there is none.
    FfmpegMissing,
    /// A bound would be passed.
    LimitExceeded,
    /// It took too long.
    Deadline,
    /// The caller gave up.
    Cancelled,
    /// The queue is full.
    Busy,
    /// The decoding worker crashed.
    WorkerCrashed,
    /// No decoding worker can be started.
    WorkerUnavailable,
    /// No such detector.
    DetectorUnknown,
    /// The detector's weights are not installed.
    DetectorNeedsWeights,
    /// The detector's files are damaged.
    DetectorCorrupt,
    /// The detector is not made for this.
    DetectorNotMadeFor,
    /// The detector failed.
    DetectorFailed,
}

impl ErrorCode {
    /// Word in reports, the same as in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::Unreadable => "unreadable",
            Self::Empty => "empty",
            Self::NotAPicture => "not_a_picture",
            Self::Unsupported => "unsupported",
            Self::Truncated => "truncated",
            Self::Corrupt => "corrupt",
            Self::FfmpegMissing => "ffmpeg_missing",
            Self::LimitExceeded => "limit_exceeded",
            Self::Deadline => "deadline",
            Self::Cancelled => "cancelled",
            Self::Busy => "busy",
            Self::WorkerCrashed => "worker_crashed",
            Self::WorkerUnavailable => "worker_unavailable",
            Self::DetectorUnknown => "detector_unknown",
            Self::DetectorNeedsWeights => "detector_needs_weights",
            Self::DetectorCorrupt => "detector_corrupt",
            Self::DetectorNotMadeFor => "detector_not_made_for",
            Self::DetectorFailed => "detector_failed",
        }
    }
}

/// Why a file has no verdict, in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordError {
    /// Stable code.
    pub code: ErrorCode,
    /// Sentence for people.
    pub message: String,
}

/// The record of one file; every key is always present.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
    /// Whether every delivery gives the same forced decision; null on error and where deliveries were skipped.
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
    /// Length of a video in seconds; null for a picture.
    pub duration_s: Option<f64>,
    /// Segments of a video in order of time; null for a picture.
    pub segments: Option<Vec<Segment>>,
    /// Instants at which a new shot of a video begins, in seconds; null for a picture.
    pub shots: Option<Vec<f64>>,
    /// Frames of a video that were scored; null for a picture.
    pub frames: Option<Vec<FrameScore>>,
    /// Faces over time; null where none were followed.
    pub tracks: Option<Vec<Track>>,
    /// Maps; null where none were asked for.
    pub masks: Option<Vec<MaskRecord>>,
    /// Likely generators; null without a detector that tells.
    pub attribution: Option<Vec<Attribution>>,
    /// Threshold for `--max-fpr`; null when that was not asked for.
    pub operating_point: Option<OperatingRecord>,
    /// Milliseconds by stage.
    pub timing_ms: BTreeMap<String, f64>,
    /// Why there is no verdict; null when there is one.
    pub error: Option<RecordError>,
}

impl Record {
    /// Names of pictures behind the one that was scanned, which may show something else and can be scanned for
    /// themselves ([`crate::Options::part`]).
    #[must_use]
    pub fn further_pictures(&self) -> Vec<String> {
        let behind = self.media.as_ref().and_then(|m| m.facts.get("behind"));
        let parts = behind.and_then(|v| v.as_array()).into_iter().flatten();
        parts
            .filter_map(|p| p.get("item")?.as_str().map(str::to_owned))
            .collect()
    }

    /// A record that says only why there is no verdict.
    #[must_use]
    pub fn failed(
        tool: &Tool,
        path: &str,
        sha256: Option<String>,
        code: ErrorCode,
        message: impl Into<String>,
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
            duration_s: None,
            segments: None,
            shots: None,
            frames: None,
            tracks: None,
            masks: None,
            attribution: None,
            operating_point: None,
            timing_ms: BTreeMap::new(),
            error: Some(RecordError {
                code,
                message: message.into(),
            }),
        }
    }
}
