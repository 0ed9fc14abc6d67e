//! Detectors: what they are, what they are shown, what they answer, where their weights lie.
//!
//! Owns: the [`Card`] of each detector, the one [`catalog`], [`prepare`] (from a picture to samples), [`pool`] (from
//! answers to a picture's score), calibration of a score, and the folder of installed [`models`].
//! Refuses: weights whose hash is not the card's, a head on another encoder than its own, a sample that a detector is
//! not made for.
//!
//! A detector is a folder: `card.toml` (its card), `mod.rs` (its [`Entry`](entry::Entry)), and where the user brings
//! weights `convert.rs`. Two plain lines register it, its module below and its entry in [`catalog::CATALOG`];
//! `cargo xtask new-detector NAME --kind KIND` writes folder and lines.
//!
//! Open first: [`catalog`], then [`npr`] as an example.

pub mod calibration;
pub mod card;
pub mod catalog;
pub mod clip_blocks;
pub mod cnndetection;
pub mod community_forensics;
pub mod d3;
pub mod deepfakebench_xception;
pub mod demamba;
#[cfg(feature = "import")]
pub mod deploy;
pub mod encoders;
pub mod entry;
pub mod faces;
pub mod genconvit;
pub mod models;
pub mod network;
pub mod npr;
pub mod pool;
pub mod prepare;
#[cfg(feature = "hub")]
pub mod pull;
pub mod restrav;
pub mod sta;
#[cfg(feature = "import")]
pub mod tower;

use image::RgbImage;
use realscope_delivery::DeliveryError;
use realscope_engine::{EngineError, Threads};

pub use calibration::{Calibration, Tier};
pub use card::Card;
pub use models::Models;

/// Raw output of a detector; larger means more likely generated.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Logit(pub f64);

/// Calibrated probability that a picture is generated or manipulated.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Probability(pub f64);

/// A rectangle of a picture, in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Rect {
    /// Left edge.
    pub left: u32,
    /// Top edge.
    pub top: u32,
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
}

/// A stretch of time in a clip, in seconds from its start.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Span {
    /// First instant.
    pub start: f64,
    /// One past the last.
    pub end: f64,
}

/// A face that is followed over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TrackId(pub u32);

/// Where a sample lies in what is judged.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Place {
    /// The part of the picture that it shows.
    pub rect: Rect,
    /// When; `None` in a picture.
    pub time: Option<Span>,
    /// Whose face; `None` where it shows no tracked face.
    pub track: Option<TrackId>,
    /// Whether it shows the whole picture resized.
    pub whole: bool,
}

/// What a detector is shown at once: one frame, or the frames of a clip in order, each of the card's size.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The frames; one for a picture.
    pub frames: Vec<RgbImage>,
    /// Where it lies.
    pub place: Place,
}

/// A map of one number a cell over a sample, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Mask {
    /// Cells across.
    pub width: usize,
    /// Cells down.
    pub height: usize,
    /// Logits, positive = generated or manipulated.
    pub logits: Vec<f32>,
}

/// What one head of a detector says of a sample.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Of a binary head or a flag.
    Logit(Logit),
    /// Scores by class, in the order of the card's names.
    Classes(Vec<f32>),
    /// A map over the sample.
    Mask(Mask),
    /// A vector.
    Embedding(Vec<f32>),
}

/// What a detector says of one sample: one value a head, in the order of the card's heads.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer(pub Vec<Value>);

/// Why a detector gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DetectorError {
    /// No detector has this id.
    #[error("unknown detector `{id}`")]
    Unknown {
        /// The id.
        id: String,
    },
    /// Its weights are not installed.
    #[error("detector `{id}` needs weights: {hint}")]
    NeedsWeights {
        /// The detector.
        id: String,
        /// What to do.
        hint: String,
    },
    /// Installed files are damaged or do not belong together.
    #[error("detector `{id}`: {reason}")]
    Corrupt {
        /// The detector.
        id: String,
        /// What is wrong.
        reason: String,
    },
    /// It is not made for what it was shown.
    #[error("detector `{id}` is not made for this: {reason}")]
    Sample {
        /// The detector.
        id: String,
        /// What does not fit.
        reason: String,
    },
    /// Inference failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A sample could not be made.
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
}

impl DetectorError {
    /// Stable machine code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unknown { .. } => "detector_unknown",
            Self::NeedsWeights { .. } => "detector_needs_weights",
            Self::Corrupt { .. } => "detector_corrupt",
            Self::Sample { .. } => "detector_not_made_for",
            Self::Engine(_) | Self::Delivery(_) => "detector_failed",
        }
    }
}

/// Answers what it is shown.
pub trait Detector: Send + Sync {
    /// What it is.
    fn card(&self) -> &Card;

    /// One answer a sample, in order. An answer does not depend on the sample's neighbours, to the last bit.
    ///
    /// # Errors
    /// [`DetectorError::Sample`] for a sample of another size or number of frames than the card's,
    /// [`DetectorError::Engine`], [`DetectorError::Corrupt`] when the network lacks an output that the card names.
    fn infer(&self, samples: &[Sample], threads: &Threads) -> Result<Vec<Answer>, DetectorError>;
}
