//! `clip-blocks`: what a scan uses (alias `default`). Its weights and card lie in the binary.
//!
//! A linear head on blocks of CLIP's image tower, which see the whole picture resized. The tower's weights are
//! entropy-coded multiples of quantisation steps that differ from row to row and are expanded when they are loaded.
//! Trained by `realscope train recipes/semantic.toml`.
//!
//! The head is linear and reads the mean of the patch tokens, so its logit is also the mean of one number a patch. That
//! is the detector's mask: it costs no pass of its own. It follows the patch tokens of the last two blocks; those of the
//! first one that the head reads are noisier, and what they add counts for all patches alike.

use std::sync::Arc;

use realscope_engine::proto::Graph;
use realscope_engine::{Choice, Network};

use crate::card::Card;
use crate::entry::{Entry, Weights};
use crate::network::NetworkDetector;
use crate::{Detector, DetectorError};

/// Stable id.
pub const ID: &str = "clip-blocks";

/// The catalog's entry.
pub static ENTRY: Entry = Entry {
    id: ID,
    card: || Card::parse(ID, include_str!("card.toml")),
    weights: &[Weights::Embedded(include_bytes!("weights.onnx"))],
    load,
};

fn load(card: Card, onnx: &[u8], choice: Choice) -> Result<Arc<dyn Detector>, DetectorError> {
    let detector = NetworkDetector::load_with(card, onnx, choice, with_mask)?;
    Ok(Arc::new(detector))
}

/// Name of the mask among the network's outputs.
const MASK: &str = "patches";

/// Last blocks whose patch tokens the mask follows.
const MASK_BLOCKS: usize = 2;

/// The network with the mask as a second output, `[batch, patches]`, row-major over the view. The mean over the
/// patches of a view is its logit.
fn with_mask(network: Network) -> Result<Network, String> {
    network.edit(add_mask)
}

fn add_mask(graph: &mut Graph) -> Result<(), String> {
    let input = |graph: &Graph, value: &str, op: &str, at: usize| -> Result<String, String> {
        let node = graph.made_by(value, op)?;
        let name = node.input.get(at).cloned();
        name.ok_or_else(|| format!("{op} of `{value}` has too few inputs"))
    };
    let logits = input(graph, "logit", "Identity", 0)?;
    let product = input(graph, &logits, "Add", 0)?;
    let head = input(graph, &product, "MatMul", 1)?;
    let features = input(graph, &product, "MatMul", 0)?;
    let features = graph.made_by(&features, "Concat")?.input.clone();
    let (dims, weights) = graph.floats(&head)?;
    let &[rows, columns] = dims.as_slice() else {
        return Err(format!("a head of {dims:?}"));
    };
    let width = rows / features.len().max(1);
    if width * features.len() != rows || columns == 0 {
        return Err(format!("a head of {dims:?} on {} features", features.len()));
    }
    let mut blocks = Vec::new();
    for (i, feature) in features.iter().enumerate() {
        let pooled = input(graph, feature, "Reshape", 0)?;
        // The others are class tokens and deviations.
        if let Ok(patches) = input(graph, &pooled, "ReduceMean", 0) {
            blocks.push((i, patches));
        }
    }
    // What each patch adds to the first logit, block by block. `[batch, patches, 1]`.
    let mut sum: Option<String> = None;
    for (i, patches) in blocks.iter().rev().take(MASK_BLOCKS) {
        let own = weights.iter().step_by(columns).skip(i * width).take(width);
        let own: Vec<f32> = own.copied().collect();
        let own = graph.constant(&format!("mask_head{i}"), &[width, 1], &own);
        let part = graph.add("MatMul", &[patches, &own], &format!("mask_part{i}"));
        sum = Some(match sum {
            Some(before) => graph.add("Add", &[&before, &part], &format!("mask_sum{i}")),
            None => part,
        });
    }
    let sum = sum.ok_or("the head reads no mean patch token")?;
    let [flat, zero, one] = [
        ("mask_flat", vec![0, -1]),
        ("mask_zero", vec![0]),
        ("mask_one", vec![1]),
    ]
    .map(|(name, values)| graph.integers(name, &values));
    let sum = graph.add("Reshape", &[&sum, &flat], "mask_raw");
    let mean = graph.add("ReduceMean", &[&sum], "mask_mean");
    graph.set_list("axes", &[1]);
    graph.set("keepdims", 1);
    // What class tokens, deviations and the offset add is the same for all patches.
    let logit = graph.add("Slice", &[&logits, &zero, &one, &one], "mask_logit");
    let rest = graph.add("Sub", &[&logit, &mean], "mask_rest");
    let mask = graph.add("Add", &[&sum, &rest], MASK);
    graph.output_rows(&mask, "patches");
    Ok(())
}

#[cfg(test)]
mod tests {
    use image::RgbImage;
    use realscope_engine::{EngineKind, Threads};

    use super::*;
    use crate::{Place, Sample, Value};

    #[test]
    fn the_mean_of_the_mask_is_the_logit_and_the_logit_is_as_without_it() {
        let card = (ENTRY.card)().expect("a card");
        let onnx = ENTRY.embedded().expect("weights");
        let choice = EngineKind::Rten.into();
        let mut plain = card.clone();
        plain.heads.retain(|h| h.output().is_none());
        let plain = NetworkDetector::load(plain, onnx, choice).expect("loads");
        let masked = load(card, onnx, choice).expect("loads");
        let samples = [1, 7].map(|k| Sample {
            frames: vec![RgbImage::from_fn(224, 224, |x, y| {
                image::Rgb([(x * k) as u8, (y * k) as u8, (x * y / 50) as u8])
            })],
            place: Place::default(),
        });
        let without = plain.infer(&samples, &Threads::all()).expect("answers");
        let with = masked.infer(&samples, &Threads::all()).expect("answers");
        for (without, with) in without.iter().zip(&with) {
            assert_eq!(without.0, with.0[..without.0.len()]);
            let (Some(logit), Some(mask)) = (masked.card().logit(with), masked.card().mask(with))
            else {
                panic!("a logit and a mask, not {with:?}");
            };
            assert_eq!((mask.width, mask.height), (14, 14));
            let mean = mask.logits.iter().map(|v| f64::from(*v)).sum::<f64>() / 196.0;
            assert!((mean - logit.0).abs() < 1e-4, "{mean}, expected {logit:?}");
            assert!(matches!(with.0.last(), Some(Value::Mask(_))));
        }
    }
}
