//! A detector that is one network with a card.

use std::path::Path;

use image::RgbImage;
use realscope_engine::{self as engine, Choice, Engine, Network, Tensor, Threads, packed};
use sha2::{Digest, Sha256};

use crate::card::{Card, ClipLayout, Colour, Head, Input, Polarity, View};
use crate::{Answer, Detector, DetectorError, Logit, Mask, Sample, Value};

/// Samples that go through a network at once.
const BATCH: usize = 8;

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
    let by_channel = matches!(
        input.view,
        View::Clip {
            layout: ClipLayout::ChannelFirst,
            ..
        }
    );
    if by_channel {
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
pub struct NetworkDetector {
    card: Card,
    engine: Box<dyn Engine>,
    /// Outputs that the heads read, each once.
    outputs: Vec<String>,
    /// Position in `outputs` of each head's.
    reads: Vec<usize>,
    batch: usize,
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
    /// Those of [`NetworkDetector::load`], and what `change` finds wrong.
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
        let (network, dynamic) = packed::expand(onnx).map_err(|e| corrupt(e.to_string()))?;
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
            // An 8-bit network scales its activations over the batch; alone, a sample's answer does not depend on
            // its neighbours.
            batch: if dynamic { 1 } else { BATCH },
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

    fn run(&self, samples: &[Sample], threads: &Threads) -> Result<Vec<Answer>, DetectorError> {
        let input = &self.card.input;
        let (side, frames) = (input.size as usize, input.view.frames());
        let mut values = Vec::with_capacity(samples.len() * frames * 3 * side * side);
        for sample in samples {
            normalise(&sample.frames, input, &mut values);
        }
        let n = samples.len();
        let shape = match input.view {
            View::Clip {
                layout: ClipLayout::FrameFirst,
                ..
            } => vec![n, frames, 3, side, side],
            View::Clip {
                layout: ClipLayout::ChannelFirst,
                ..
            } => vec![n, 3, frames, side, side],
            _ => vec![n, 3, side, side],
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
        (0..n)
            .map(|i| {
                let heads = self.card.heads.iter().zip(&self.reads);
                heads
                    .map(|(head, at)| self.value(head, &made[*at], i, n))
                    .collect::<Result<_, _>>()
                    .map(Answer)
            })
            .collect()
    }

    fn lacking(&self, reason: String) -> DetectorError {
        DetectorError::Corrupt {
            id: self.card.id.clone(),
            reason: format!("the network has {reason}"),
        }
    }

    /// What a head says of sample `i` of `n`.
    fn value(&self, head: &Head, t: &Tensor, i: usize, n: usize) -> Result<Value, DetectorError> {
        let width = t.values.len() / n.max(1);
        let row = t
            .values
            .get(i * width..(i + 1) * width)
            .filter(|r| !r.is_empty())
            .ok_or_else(|| self.lacking(format!("an empty output `{}`", t.name)))?;
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
            Head::Classes { names, .. } if row.len() == names.len() => Value::Classes(row.to_vec()),
            Head::Embedding { size, .. } if row.len() == *size => Value::Embedding(row.to_vec()),
            Head::Mask { stride, .. } => {
                let across = (self.card.input.size / stride) as usize;
                if across == 0 || row.len() != across * across {
                    return Err(self.lacking(format!("a map of {} cells", row.len())));
                }
                Value::Mask(Mask {
                    width: across,
                    height: across,
                    logits: row.to_vec(),
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
        let chunks: Vec<&[Sample]> = samples.chunks(self.batch).collect();
        let answers: Vec<Vec<Answer>> = if self.side_by_side {
            threads.side_by_side(&chunks, |chunk, threads| self.run(chunk, threads))?
        } else {
            let each = chunks.iter().map(|chunk| self.run(chunk, threads));
            each.collect::<Result<_, _>>()?
        };
        Ok(answers.into_iter().flatten().collect())
    }
}
