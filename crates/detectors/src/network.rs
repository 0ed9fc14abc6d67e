//! A detector that is one network with a card.

use std::path::Path;

use image::RgbImage;
use realscope_engine::{self as engine, Choice, Engine, Network, Tensor, Threads, packed};
use sha2::{Digest, Sha256};

use crate::card::{Card, ClipLayout, Colour, Head, Input, Polarity};
use crate::{Answer, Detector, DetectorError, Logit, Mask, Sample, Value};

/// Lower-case hex of the SHA-256 of `bytes`.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Lower-case hex of the SHA-256 of a file, which is read piece by piece.
///
/// # Errors
/// What the system says.
pub fn sha256_of(file: &Path) -> std::io::Result<String> {
    let mut file = std::fs::File::open(file)?;
    let mut hasher = Sha256::new();
    std::io::copy(&mut file, &mut hasher)?;
    Ok(hex(&hasher.finalize()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Appends one channel of a picture (0 = red), normalised as the card says.
fn plane(picture: &RgbImage, channel: usize, input: &Input, out: &mut Vec<f32>) {
    let (mean, std) = (input.mean[channel], input.std[channel]);
    let (scale, offset) = (1.0 / (255.0 * std), mean / std);
    out.extend(
        picture
            .as_raw()
            .iter()
            .skip(channel)
            .step_by(3)
            .map(|v| f32::from(*v) * scale - offset),
    );
}

/// Appends the frames of one sample in the order that the card's network takes.
pub fn normalise(frames: &[RgbImage], input: &Input, out: &mut Vec<f32>) {
    let channels = match input.colour {
        Colour::Rgb => [0, 1, 2],
        Colour::Bgr => [2, 1, 0],
    };
    let layout = input.view.clip().map(|clip| clip.layout);
    if layout == Some(ClipLayout::ChannelFirst) {
        for c in channels {
            for frame in frames {
                plane(frame, c, input, out);
            }
        }
    } else {
        for frame in frames {
            for c in channels {
                plane(frame, c, input, out);
            }
        }
    }
}

/// One network, one card.
///
/// Samples go through the network one by one: in a batch, products are rounded in another order, and an 8-bit network
/// scales its activations over the batch, so that an answer would depend on the sample's neighbours. On CPUs a batch
/// takes no less time.
pub struct NetworkDetector {
    card: Card,
    engine: Box<dyn Engine>,
    /// Outputs that the heads read, each once.
    outputs: Vec<String>,
    /// Position in `outputs` of each head's.
    reads: Vec<usize>,
    /// Whether samples go through the network side by side, which takes memory of its own.
    side_by_side: bool,
}

impl NetworkDetector {
    /// Loads weights, packed or plain, that must have the card's hash.
    ///
    /// # Errors
    /// [`DetectorError::Corrupt`] on a card that is not well formed, another hash or an output that the network lacks,
    /// [`DetectorError::Engine`] when the weights do not load.
    pub fn load(card: Card, onnx: &[u8], choice: Choice) -> Result<Self, DetectorError> {
        Self::load_with(card, onnx, choice, Ok)
    }

    /// As [`NetworkDetector::load`], with a change to the network on its way to the engine.
    ///
    /// # Errors
    /// Those of [`NetworkDetector::load`], and [`DetectorError::Corrupt`] of what `change` finds wrong.
    pub fn load_with(
        card: Card,
        onnx: &[u8],
        choice: Choice,
        change: impl FnOnce(Network) -> Result<Network, String>,
    ) -> Result<Self, DetectorError> {
        let corrupt = |reason: String| DetectorError::Corrupt {
            id: card.id.clone(),
            reason,
        };
        card.check().map_err(corrupt)?;
        let found = sha256(onnx);
        if found != card.weights_sha256 {
            return Err(corrupt(format!(
                "the weights have SHA-256 {found}, the card says {}",
                card.weights_sha256
            )));
        }
        let network = packed::unpack(onnx).map_err(|e| corrupt(e.to_string()))?;
        let engine = engine::load(choice, change(network).map_err(corrupt)?)?;
        let (mut outputs, mut reads) = (Vec::new(), Vec::new());
        for head in &card.heads {
            let name = match head.output() {
                Some(name) => engine.outputs().iter().find(|o| *o == name),
                None => engine.outputs().first(),
            };
            let Some(name) = name else {
                let wanted = head.output().unwrap_or("any");
                return Err(corrupt(format!("the network has no output `{wanted}`")));
            };
            let at = outputs.iter().position(|o| o == name).unwrap_or_else(|| {
                outputs.push(name.clone());
                outputs.len() - 1
            });
            reads.push(at);
        }
        Ok(Self {
            engine,
            outputs,
            reads,
            side_by_side: choice.prepack,
            card,
        })
    }

    fn check(&self, sample: &Sample) -> Result<(), DetectorError> {
        let input = &self.card.input;
        let refuse = |reason: String| {
            Err(DetectorError::Sample {
                id: self.card.id.clone(),
                reason,
            })
        };
        let frames = input.view.frames();
        if sample.frames.len() != frames {
            let found = sample.frames.len();
            return refuse(format!("a sample of {found} frames, it sees {frames}"));
        }
        let size = (input.size, input.size);
        match sample.frames.iter().find(|f| f.dimensions() != size) {
            Some(f) => refuse(format!(
                "a frame of {} x {} pixels, it sees {} x {}",
                f.width(),
                f.height(),
                input.size,
                input.size
            )),
            None => Ok(()),
        }
    }

    fn run(&self, sample: &Sample, threads: &Threads) -> Result<Answer, DetectorError> {
        let input = &self.card.input;
        let (side, frames) = (input.size as usize, input.view.frames());
        let mut values = Vec::with_capacity(frames * 3 * side * side);
        normalise(&sample.frames, input, &mut values);
        let shape = match input.view.clip().map(|clip| clip.layout) {
            Some(ClipLayout::FrameFirst) => vec![1, frames, 3, side, side],
            Some(ClipLayout::ChannelFirst) => vec![1, 3, frames, side, side],
            None => vec![1, 3, side, side],
        };
        let [name] = self.engine.inputs() else {
            return Err(self.lacking(format!("{} inputs", self.engine.inputs().len())));
        };
        let outputs: Vec<&str> = self.outputs.iter().map(String::as_str).collect();
        let inputs = [engine::Input {
            name,
            shape: &shape,
            values: &values,
        }];
        let made = self.engine.run(&inputs, &outputs, threads)?;
        let heads = self.card.heads.iter().zip(&self.reads);
        heads
            .map(|(head, at)| self.value(head, &made[*at]))
            .collect::<Result<_, _>>()
            .map(Answer)
    }

    fn lacking(&self, reason: String) -> DetectorError {
        DetectorError::Corrupt {
            id: self.card.id.clone(),
            reason: format!("the network has {reason}"),
        }
    }

    /// What a head says of the one sample that `t` was computed of.
    fn value(&self, head: &Head, t: &Tensor) -> Result<Value, DetectorError> {
        let row = &t.values;
        let at = |c: usize| {
            let value = row.get(c).copied().map(f64::from);
            value.ok_or_else(|| self.lacking(format!("{} columns in `{}`", row.len(), t.name)))
        };
        Ok(match head {
            Head::Binary {
                column, polarity, ..
            } => Value::Logit(Logit(match polarity {
                Polarity::Generated => at(*column)?,
                Polarity::Authentic => -at(*column)?,
                Polarity::AuthenticGenerated => at(column + 1)? - at(*column)?,
                Polarity::GeneratedAuthentic => at(*column)? - at(column + 1)?,
            })),
            Head::Flag { column, .. } => Value::Logit(Logit(at(*column)?)),
            Head::Classes { names, .. } if row.len() == names.len() => Value::Classes(row.clone()),
            Head::Embedding { size, .. } if row.len() == *size => Value::Embedding(row.clone()),
            Head::Mask { stride, .. } => {
                let across = (self.card.input.size / stride) as usize;
                if row.len() != across * across {
                    return Err(self.lacking(format!("a map of {} cells", row.len())));
                }
                Value::Mask(Mask {
                    width: across,
                    height: across,
                    logits: row.clone(),
                })
            }
            Head::Classes { .. } | Head::Embedding { .. } => {
                return Err(self.lacking(format!("{} columns in `{}`", row.len(), t.name)));
            }
        })
    }
}

impl Detector for NetworkDetector {
    fn card(&self) -> &Card {
        &self.card
    }

    fn infer(&self, samples: &[Sample], threads: &Threads) -> Result<Vec<Answer>, DetectorError> {
        samples.iter().try_for_each(|s| self.check(s))?;
        if self.side_by_side {
            threads.side_by_side(samples, |sample, threads| self.run(sample, threads))
        } else {
            samples.iter().map(|s| self.run(s, threads)).collect()
        }
    }
}
