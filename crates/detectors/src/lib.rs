//! Detectors: what they are, how they look at a picture, where their weights lie.
//!
//! Owns: the [`Card`] of each detector, the one [`catalog`], choice of windows, calibration of a
//! score, and the folder of installed models.
//! Refuses: weights whose hash is not the card's, a head on another encoder than its own.
//!
//! Open first: [`catalog`], then [`default`].

pub mod calibration;
pub mod card;
pub mod catalog;
pub mod clip_probe;
pub mod default;

pub mod home;
pub mod npr;
pub mod onnx;
pub mod pull;
pub mod tower;
pub mod window;

use image::RgbImage;

pub use calibration::{Calibration, Tier};
pub use card::Card;
pub use window::Window;

use realscope_engine::EngineError;

/// Raw output of a detector; larger means more likely generated.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Logit(pub f64);

/// Calibrated probability that a picture is generated or manipulated.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Probability(pub f64);

/// Why a detector gave no score.
#[derive(Debug, thiserror::Error)]
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
    /// Inference failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A view of the picture could not be made.
    #[error(transparent)]
    Delivery(#[from] realscope_delivery::DeliveryError),
}

/// What a detector says of some windows.
#[derive(Clone, Debug, PartialEq)]
pub struct Outputs {
    /// One logit a window, positive = generated.
    pub logits: Vec<f64>,
    /// One logit a window, positive = looks painted or drawn; `None` when the network does not say. What looks so is
    /// not accused.
    pub artwork: Option<Vec<f64>>,
}

/// Scores pictures.
pub trait Detector: Send + Sync {
    /// What it is.
    fn card(&self) -> &Card;

    /// The windows of `picture` that it would look at, in a fixed order.
    ///
    /// # Errors
    /// [`DetectorError::Delivery`].
    fn windows(&self, picture: &RgbImage) -> Result<Vec<Window>, DetectorError>;

    /// One logit for each window, 1 = generated; the result for a window does not depend on the
    /// others.
    ///
    /// # Errors
    /// [`DetectorError::Engine`].
    fn logits(&self, windows: &[RgbImage]) -> Result<Vec<f64>, DetectorError>;

    /// [`Detector::logits`], and whatever else the same pass through the network says.
    ///
    /// # Errors
    /// [`DetectorError::Engine`].
    fn outputs(&self, windows: &[RgbImage]) -> Result<Outputs, DetectorError> {
        Ok(Outputs {
            logits: self.logits(windows)?,
            artwork: None,
        })
    }

    /// The picture's logit from those of its windows, in the order of [`Detector::windows`].
    fn fuse(&self, logits: &[f64]) -> Logit {
        Logit(logits.iter().sum::<f64>() / logits.len().max(1) as f64)
    }

    /// The picture's logit when its resized views (`whole`) or its native windows are left out; `None` when
    /// nothing remains.
    fn without(&self, windows: &[Window], logits: &[f64], whole: bool) -> Option<Logit> {
        let rest: Vec<f64> = windows
            .iter()
            .zip(logits)
            .filter(|(w, _)| w.whole != whole)
            .map(|(_, l)| *l)
            .collect();
        (!rest.is_empty()).then(|| self.fuse(&rest))
    }

    /// Side in pixels of the windows of a map.
    fn map_side(&self) -> u32 {
        self.card().input.size
    }

    /// Logits of a map's windows, on the scale of [`Detector::fuse`].
    ///
    /// # Errors
    /// [`DetectorError::Engine`].
    fn map_logits(&self, windows: &[RgbImage]) -> Result<Vec<f64>, DetectorError> {
        self.logits(windows)
    }
}
