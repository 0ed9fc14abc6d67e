//! `default`: what a scan uses. Its weights and card lie in the binary.
//!
//! A pixel expert (EfficientNet-Lite0) on native-resolution windows and one resized view of the
//! whole picture; the logits are averaged. Trained by `realscope train recipes/pixel.toml`.

use realscope_nn::engine::EngineKind;

use crate::onnx::OnnxDetector;
use crate::{Card, DetectorError};

/// Stable id.
pub const ID: &str = "default";

static CARD: &str = include_str!("../models/default.toml");
static WEIGHTS: &[u8] = include_bytes!("../models/default.onnx");

/// The embedded card.
///
/// # Errors
/// [`DetectorError::Corrupt`] when the build carries a damaged card.
pub fn card() -> Result<Card, DetectorError> {
    toml::from_str(CARD).map_err(|e| DetectorError::Corrupt {
        id: ID.into(),
        reason: e.to_string(),
    })
}

/// The detector with its embedded weights.
///
/// # Errors
/// [`DetectorError::Corrupt`] or [`DetectorError::Engine`].
pub fn load(kind: EngineKind) -> Result<OnnxDetector, DetectorError> {
    OnnxDetector::load(card()?, WEIGHTS, kind)
}
