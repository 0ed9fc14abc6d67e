//! `default`: what a scan uses. Its weights and card lie in the binary.
//!
//! Two experts ([`crate::fused`]): a linear head on the first blocks of CLIP's image tower, which see the whole
//! picture resized, and a small convolutional network on native-resolution windows. Trained by
//! `realscope train` with `recipes/semantic.toml`, `recipes/pixel-a.toml`, `recipes/pixel-b.toml`, and fused by
//! `recipes/default.toml`.

use realscope_nn::engine::EngineKind;

use crate::fused::Fused;
use crate::{Card, DetectorError};

/// Stable id.
pub const ID: &str = "default";

static CARD: &str = include_str!("../models/default.toml");
static WEIGHTS: &[u8] = include_bytes!("../models/default.onnx");
static NATIVE: &[u8] = include_bytes!("../models/default-native.onnx");

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
pub fn load(kind: EngineKind) -> Result<Fused, DetectorError> {
    Fused::load(card()?, WEIGHTS, NATIVE, kind)
}
