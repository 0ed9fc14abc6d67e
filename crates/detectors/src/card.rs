//! A detector's passport: everything that is needed to use its weights and to judge them.

use serde::{Deserialize, Serialize};

use crate::DetectorError;
use crate::calibration::Calibration;

/// How far a detector has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// May change or go.
    Preview,
    /// Kept.
    Stable,
    /// Will be removed.
    Deprecated,
}

/// What a detector answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Is the picture generated?
    GeneratedImage,
}

/// What the network sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum View {
    /// Windows at native resolution.
    Windows,
    /// The whole picture resized, aspect ratio not kept.
    Squash,
    /// The shorter side resized to the input, then the centre.
    ShorterSide,
    /// The whole picture like [`View::ShorterSide`], and native windows beside it.
    WholeAndWindows,
}

/// Preprocessing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Side of the square input in pixels.
    pub size: u32,
    /// What is shown.
    pub view: View,
    /// Most windows of a picture.
    pub max_windows: usize,
    /// Resampling filter where a view is resized.
    pub filter: Filter,
    /// Mean per channel (R, G, B), of values in `[0, 1]`.
    pub mean: [f32; 3],
    /// Standard deviation per channel.
    pub std: [f32; 3],
}

/// Resampling filters of cards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    /// Triangle with antialiasing.
    Bilinear,
    /// Catmull-Rom with antialiasing.
    Bicubic,
    /// Lanczos with three lobes.
    Lanczos3,
}

impl From<Filter> for realscope_delivery::Filter {
    fn from(filter: Filter) -> Self {
        match filter {
            Filter::Bilinear => Self::Bilinear,
            Filter::Bicubic => Self::Bicubic,
            Filter::Lanczos3 => Self::Lanczos3,
        }
    }
}

/// How the network's output becomes a logit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputKind {
    /// One logit, positive = generated.
    Logit,
    /// One logit, positive = real.
    InvertedLogit,
    /// Two logits: real, generated.
    RealFake,
    /// Two logits: generated, real.
    FakeReal,
}

/// A second expert that sees native-resolution windows, and how the two are weighed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Companion {
    /// Its preprocessing.
    pub input: Input,
    /// SHA-256 of its weights.
    pub weights_sha256: String,
    /// Factor of the main expert's logit.
    pub main_weight: f64,
    /// Factor of the companion's mean logit.
    pub weight: f64,
    /// The main expert's logit that speaks for neither class; stands in when it is left out.
    pub main_neutral: f64,
    /// The companion's.
    pub neutral: f64,
}

/// A second logit: positive = the window looks painted or drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Artwork {
    /// Logit of the whole picture from which it counts as painted or drawn.
    pub threshold: f64,
    /// Share of authentic photographs of held-out folds at or above it.
    pub photographs: f64,
    /// Share of photographs of held-out folds after a filter that paints or draws.
    pub filtered: f64,
    /// Share of generated pictures in artists' styles of held-out folds.
    pub styled: f64,
    /// Share of all generated pictures of held-out folds.
    pub generated: f64,
}

/// The passport.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// Stable id.
    pub id: String,
    /// One line for people.
    pub summary: String,
    /// How far it has come.
    pub status: Status,
    /// What it answers.
    pub task: Task,
    /// Preprocessing.
    pub input: Input,
    /// Meaning of the output.
    pub output: OutputKind,
    /// SHA-256 of the deployed weights (the ONNX file), lower-case hex; empty until installed.
    #[serde(default)]
    pub weights_sha256: String,
    /// Hash of the encoder file that a head was trained on.
    #[serde(default)]
    pub encoder_sha256: Option<String>,
    /// Licence of the weights.
    pub licence: String,
    /// What it was trained on.
    pub training_data: String,
    /// Where the method is described.
    pub citation: String,
    /// Cases in which it is known to fail.
    pub known_failures: Vec<String>,
    /// Share of the windows of authentic validation pictures that its map puts at or above the decision threshold.
    #[serde(default)]
    pub map_false_alarm_rate: Option<f64>,
    /// The network's second output and what is made of it, where it has one.
    #[serde(default)]
    pub artwork: Option<Artwork>,
    /// Second expert, where there is one.
    #[serde(default)]
    pub companion: Option<Companion>,
    /// Calibration; without one, its verdict is at most `uncertain`.
    #[serde(default)]
    pub calibration: Option<Calibration>,
}

impl Card {
    /// The card in `text` (TOML) of detector `id`.
    ///
    /// # Errors
    /// [`DetectorError::Corrupt`] when it is no card.
    pub fn parse(id: &str, text: &str) -> Result<Self, DetectorError> {
        toml::from_str(text).map_err(|e| DetectorError::Corrupt {
            id: id.into(),
            reason: e.to_string(),
        })
    }
}
