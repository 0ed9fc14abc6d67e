//! `default`: what a scan uses. Its weights and card lie in the binary.
//!
//! A linear head on blocks of CLIP's image tower, which see the whole picture resized. The tower's weights are
//! entropy-coded multiples of steps that differ from row to row and are expanded when they are loaded. Trained by
//! `realscope train recipes/semantic.toml`.

use realscope_engine::Choice;

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
    Card::parse(ID, CARD)
}

/// The detector with its embedded weights.
///
/// # Errors
/// [`DetectorError::Corrupt`] or [`DetectorError::Engine`].
pub fn load(engine: Choice) -> Result<OnnxDetector, DetectorError> {
    OnnxDetector::load(card()?, WEIGHTS, engine)
}
