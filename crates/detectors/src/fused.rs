//! Two experts trained apart: one sees the whole picture resized, one native-resolution windows, and a
//! linear fusion fitted on validation groups weighs them.
//!
//! The sizes of the two inputs differ, so a view's size says which expert it is for.

use image::RgbImage;
use realscope_nn::engine::Choice;

use crate::card::{Card, Companion};
use crate::onnx::OnnxDetector;
use crate::{Detector, DetectorError, Logit, Window, window};

/// Detector of two experts.
pub struct Fused {
    card: Card,
    whole: OnnxDetector,
    native: OnnxDetector,
    companion: Companion,
}

impl Fused {
    /// Loads both experts; each must have the hash that the card says.
    ///
    /// # Errors
    /// [`DetectorError::Corrupt`] also when the card names no companion or both inputs have one size.
    pub fn load(
        card: Card,
        whole: &[u8],
        native: &[u8],
        engine: impl Into<Choice>,
    ) -> Result<Self, DetectorError> {
        let engine = engine.into();
        let corrupt = |reason: &str| DetectorError::Corrupt {
            id: card.id.clone(),
            reason: reason.into(),
        };
        let companion = card
            .companion
            .clone()
            .ok_or_else(|| corrupt("the card names no companion"))?;
        if companion.input.size == card.input.size {
            return Err(corrupt("both experts have the same input size"));
        }
        let mut native_card = card.clone();
        native_card.input = companion.input.clone();
        native_card
            .weights_sha256
            .clone_from(&companion.weights_sha256);
        Ok(Self {
            whole: OnnxDetector::load(card.clone(), whole, engine)?,
            native: OnnxDetector::load(native_card, native, engine)?,
            card,
            companion,
        })
    }

    fn weigh(&self, whole: f64, native: f64) -> Logit {
        Logit(self.companion.main_weight * whole + self.companion.weight * native)
    }
}

fn mean(list: &[f64]) -> f64 {
    list.iter().sum::<f64>() / list.len().max(1) as f64
}

impl Detector for Fused {
    fn card(&self) -> &Card {
        &self.card
    }

    /// The whole picture first, then native windows.
    fn windows(&self, picture: &RgbImage) -> Result<Vec<Window>, DetectorError> {
        let mut windows = self.whole.windows(picture)?;
        windows.extend(window::all(picture, &self.companion.input)?);
        Ok(windows)
    }

    fn logits(&self, windows: &[RgbImage]) -> Result<Vec<f64>, DetectorError> {
        let is_whole = |p: &RgbImage| p.width() == self.card.input.size;
        let (whole, native): (Vec<RgbImage>, Vec<RgbImage>) =
            windows.iter().cloned().partition(is_whole);
        let mut whole = self.whole.logits(&whole)?.into_iter();
        let mut native = self.native.logits(&native)?.into_iter();
        Ok(windows
            .iter()
            .filter_map(|p| {
                if is_whole(p) {
                    whole.next()
                } else {
                    native.next()
                }
            })
            .collect())
    }

    fn fuse(&self, logits: &[f64]) -> Logit {
        match logits {
            [] => self.weigh(self.companion.main_neutral, self.companion.neutral),
            [whole] => self.weigh(*whole, self.companion.neutral),
            [whole, native @ ..] => self.weigh(*whole, mean(native)),
        }
    }

    fn without(&self, windows: &[Window], logits: &[f64], whole: bool) -> Option<Logit> {
        let rest: Vec<f64> = windows
            .iter()
            .zip(logits)
            .filter(|(w, _)| w.whole != whole)
            .map(|(_, l)| *l)
            .collect();
        (!rest.is_empty()).then(|| {
            if whole {
                self.weigh(self.companion.main_neutral, mean(&rest))
            } else {
                self.weigh(mean(&rest), self.companion.neutral)
            }
        })
    }

    fn map_side(&self) -> u32 {
        self.companion.input.size
    }

    /// The native expert's part, the other one at its neutral value.
    fn map_logits(&self, windows: &[RgbImage]) -> Result<Vec<f64>, DetectorError> {
        Ok(self
            .native
            .logits(windows)?
            .into_iter()
            .map(|l| self.weigh(self.companion.main_neutral, l).0)
            .collect())
    }
}
