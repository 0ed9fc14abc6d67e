//! A detector that is one ONNX classifier with a card.

use image::RgbImage;
use realscope_engine::{self, Choice, Engine, EngineError};
use realscope_engine::packed;
use sha2::{Digest, Sha256};

use crate::card::{Card, OutputKind};
use crate::{Detector, DetectorError, Outputs, Window, window};

/// Windows that go through a network at once.
const BATCH: usize = 8;

/// Lower-case hex of the SHA-256 of `bytes`.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}

/// Appends a picture as three planes, normalised.
pub fn normalise(picture: &RgbImage, mean: [f32; 3], std: [f32; 3], out: &mut Vec<f32>) {
    for c in 0..3 {
        let (scale, offset) = (1.0 / (255.0 * std[c]), mean[c] / std[c]);
        out.extend(
            picture
                .as_raw()
                .iter()
                .skip(c)
                .step_by(3)
                .map(|v| f32::from(*v) * scale - offset),
        );
    }
}

/// One network, one card.
pub struct OnnxDetector {
    card: Card,
    engine: Box<dyn Engine>,
    batch: usize,
    /// Whether windows go through the network side by side, which takes memory of its own.
    side_by_side: bool,
}

impl OnnxDetector {
    /// Loads weights, packed or plain, that must have the card's hash.
    ///
    /// # Errors
    /// [`DetectorError::Corrupt`] on another hash, [`DetectorError::Engine`] when they do not load.
    pub fn load(card: Card, onnx: &[u8], choice: impl Into<Choice>) -> Result<Self, DetectorError> {
        let choice = choice.into();
        let found = sha256(onnx);
        if found != card.weights_sha256 {
            return Err(DetectorError::Corrupt {
                id: card.id,
                reason: format!(
                    "the weights have SHA-256 {found}, the card says {}",
                    card.weights_sha256
                ),
            });
        }
        let (network, dynamic) = quantize::expand(onnx).map_err(|e| DetectorError::Corrupt {
            id: card.id.clone(),
            reason: e.to_string(),
        })?;
        Ok(Self {
            engine: engine::load(choice, network)?,
            // An 8-bit network scales its activations over the batch; alone, a window's score does not
            // depend on its neighbours.
            batch: if dynamic { 1 } else { BATCH },
            side_by_side: choice.prepack,
            card,
        })
    }

    /// Raw first outputs for windows, each a row.
    ///
    /// # Errors
    /// [`DetectorError::Engine`].
    pub fn rows(&self, windows: &[RgbImage]) -> Result<Vec<Vec<f32>>, DetectorError> {
        let input = &self.card.input;
        let side = input.size as usize;
        let run = |chunk: &&[RgbImage]| {
            let mut pixels = Vec::with_capacity(chunk.len() * 3 * side * side);
            for picture in *chunk {
                normalise(picture, input.mean, input.std, &mut pixels);
            }
            let output = self.engine.first(&pixels, [chunk.len(), 3, side, side])?;
            let width = output.values.len() / chunk.len();
            let rows = output.values.chunks(width.max(1)).map(<[f32]>::to_vec);
            Ok::<Vec<Vec<f32>>, EngineError>(rows.collect())
        };
        let chunks: Vec<&[RgbImage]> = windows.chunks(self.batch).collect();
        let rows: Vec<Vec<Vec<f32>>> = if self.side_by_side {
            engine::side_by_side(&chunks, run)?
        } else {
            chunks.iter().map(run).collect::<Result<_, _>>()?
        };
        Ok(rows.into_iter().flatten().collect())
    }
}

impl Detector for OnnxDetector {
    fn card(&self) -> &Card {
        &self.card
    }

    fn windows(&self, picture: &RgbImage) -> Result<Vec<Window>, DetectorError> {
        Ok(window::all(picture, &self.card.input)?)
    }

    fn logits(&self, windows: &[RgbImage]) -> Result<Vec<f64>, DetectorError> {
        Ok(self.outputs(windows)?.logits)
    }

    fn outputs(&self, windows: &[RgbImage]) -> Result<Outputs, DetectorError> {
        let rows = self.rows(windows)?;
        let lacking = |row: &[f32]| DetectorError::Corrupt {
            id: self.card.id.clone(),
            reason: format!("the network has {} outputs", row.len()),
        };
        let logits = rows
            .iter()
            .map(|row| {
                let at = |i: usize| row.get(i).copied().map(f64::from);
                match self.card.output {
                    OutputKind::Logit => at(0),
                    OutputKind::InvertedLogit => at(0).map(|v| -v),
                    OutputKind::RealFake => at(1).zip(at(0)).map(|(f, r)| f - r),
                    OutputKind::FakeReal => at(0).zip(at(1)).map(|(f, r)| f - r),
                }
                .ok_or_else(|| lacking(row))
            })
            .collect::<Result<_, _>>()?;
        let artwork = match self.card.artwork {
            Some(_) => Some(
                rows.iter()
                    .map(|row| {
                        row.get(1)
                            .copied()
                            .map(f64::from)
                            .ok_or_else(|| lacking(row))
                    })
                    .collect::<Result<_, _>>()?,
            ),
            None => None,
        };
        Ok(Outputs { logits, artwork })
    }
}
