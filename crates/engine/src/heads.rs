//! Linear heads at the end of a network: taken off, so that it yields what they read, put on, exchanged.

use std::borrow::Cow;

use crate::proto::{Graph, Node};
use crate::surgery::tensor_of_floats;
use crate::{EngineError, Network};

/// Weights and offset of a head.
pub type Head<'a> = (&'a [f32], f32);

/// Name of the output of a network without heads.
pub const FEATURES: &str = "features";

/// The nodes of heads: `output = Identity(Add(MatMul(features, weights), offsets))`.
struct Found {
    features: String,
    weights: String,
    offsets: String,
    /// Values that these nodes make.
    made: [String; 3],
}

fn find(graph: &Graph) -> Result<Found, String> {
    let [output] = graph.output.as_slice() else {
        return Err(format!("{} outputs in place of one", graph.output.len()));
    };
    let input = |value: &str, op: &str, at: usize| -> Result<String, String> {
        let name = graph.made_by(value, op)?.input.get(at).cloned();
        name.ok_or_else(|| format!("{op} of `{value}` has too few inputs"))
    };
    let sum = input(&output.name, "Identity", 0)?;
    let product = input(&sum, "Add", 0)?;
    Ok(Found {
        features: input(&product, "MatMul", 0)?,
        weights: input(&product, "MatMul", 1)?,
        offsets: input(&sum, "Add", 1)?,
        made: [output.name.clone(), sum, product],
    })
}

fn edited(
    packed: &[u8],
    change: impl FnOnce(&mut Graph) -> Result<(), String>,
) -> Result<Vec<u8>, EngineError> {
    let network = Network::from(packed).edit(change);
    let network = network.map_err(|reason| EngineError::Load {
        engine: "onnx",
        reason,
    })?;
    network.whole().map(Cow::into_owned)
}

/// The network without its heads: it yields the features that they read, `[batch, width]`.
///
/// # Errors
/// [`EngineError::Load`] when the network does not end in linear heads.
pub fn without(packed: &[u8]) -> Result<Vec<u8>, EngineError> {
    edited(packed, |graph| {
        let found = find(graph)?;
        let makes = |n: &Node| n.output.iter().any(|o| found.made.contains(o));
        graph.node.retain(|n| !makes(n));
        graph
            .initializer
            .retain(|t| t.name != found.weights && t.name != found.offsets);
        graph.output.clear();
        graph.add("Identity", &[&found.features], FEATURES);
        graph.output_rows(FEATURES, "width");
        Ok(())
    })
}

/// The heads of a network: weights and offset of each column.
///
/// # Errors
/// [`EngineError::Load`] when the network does not end in linear heads.
pub fn of(packed: &[u8]) -> Result<Vec<(Vec<f32>, f32)>, EngineError> {
    let mut heads = Vec::new();
    edited(packed, |graph| {
        let found = find(graph)?;
        let (dims, weights) = graph.floats(&found.weights)?;
        let (_, offsets) = graph.floats(&found.offsets)?;
        let columns = dims.get(1).copied().unwrap_or(0);
        if columns != offsets.len() {
            return Err(format!("{columns} heads with {} offsets", offsets.len()));
        }
        for (column, offset) in offsets.into_iter().enumerate() {
            let own = weights.iter().skip(column).step_by(columns).copied();
            heads.push((own.collect(), offset));
        }
        Ok(())
    })?;
    Ok(heads)
}

/// The network with other heads in place of its own, one column each.
///
/// # Errors
/// [`EngineError::Load`] when the network does not end in linear heads, or these are not of its width.
pub fn with(packed: &[u8], heads: &[Head<'_>]) -> Result<Vec<u8>, EngineError> {
    edited(packed, |graph| {
        let found = find(graph)?;
        let (dims, _) = graph.floats(&found.weights)?;
        let width = dims.first().copied().unwrap_or(0);
        if heads.is_empty() || heads.iter().any(|(weight, _)| weight.len() != width) {
            return Err(format!("heads that do not read {width} features"));
        }
        let (columns, offsets) = columns(heads, width);
        for t in &mut graph.initializer {
            if t.name == found.weights {
                *t = tensor_of_floats(&found.weights, &[width, heads.len()], &columns);
            } else if t.name == found.offsets {
                *t = tensor_of_floats(&found.offsets, &[1, heads.len()], &offsets);
            }
        }
        graph.output.clear();
        graph.output_rows(&found.made[0], "heads");
        Ok(())
    })
}

/// A network that yields features `[batch, width]` as its one output, with heads on them.
///
/// # Errors
/// [`EngineError::Load`] when it has another number of outputs, or the heads are none or of several widths.
pub fn onto(features: &[u8], heads: &[Head<'_>]) -> Result<Vec<u8>, EngineError> {
    edited(features, |graph| {
        let [output] = graph.output.as_slice() else {
            return Err(format!("{} outputs in place of one", graph.output.len()));
        };
        let name = output.name.clone();
        let width = heads.first().map_or(0, |(weight, _)| weight.len());
        if width == 0 || heads.iter().any(|(weight, _)| weight.len() != width) {
            return Err("heads of several widths or of none".into());
        }
        let (columns, offsets) = columns(heads, width);
        let weights = graph.constant("head_weights", &[width, heads.len()], &columns);
        let offsets = graph.constant("head_offsets", &[1, heads.len()], &offsets);
        let product = graph.add("MatMul", &[&name, &weights], "head_product");
        let sum = graph.add("Add", &[&product, &offsets], "head_sum");
        let logit = graph.add("Identity", &[&sum], "logit");
        graph.output.clear();
        graph.output_rows(&logit, "heads");
        Ok(())
    })
}

/// Weights of heads, a column each, and their offsets.
fn columns(heads: &[Head<'_>], width: usize) -> (Vec<f32>, Vec<f32>) {
    let columns = (0..width)
        .flat_map(|i| heads.iter().map(move |(weight, _)| weight[i]))
        .collect();
    (columns, heads.iter().map(|(_, offset)| *offset).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{Model, OperatorSet};
    use crate::{EngineKind, Threads, load};

    #[test]
    fn heads_come_off_and_go_on() {
        let mut graph = Graph::default();
        graph.constant("scale", &[1, 2], &[10.0, 100.0]);
        graph.constant("w", &[2, 1], &[2.0, -1.0]);
        graph.constant("b", &[1, 1], &[0.5]);
        graph.add("Mul", &["x", "scale"], "f");
        graph.add("MatMul", &["f", "w"], "product");
        graph.add("Add", &["product", "b"], "sum");
        graph.add("Identity", &["sum"], "logit");
        graph.output_rows("x", "columns");
        graph.input = std::mem::take(&mut graph.output);
        graph.output_rows("logit", "columns");
        let model = Model {
            ir_version: 8,
            opset_import: vec![OperatorSet {
                domain: String::new(),
                version: 17,
            }],
            graph: Some(graph),
            ..Default::default()
        };
        let network = Network::of(model).whole().expect("encodes").into_owned();
        let run = |onnx: Vec<u8>| {
            let engine = load(EngineKind::Rten, onnx).expect("loads");
            let mut made = engine
                .run_all(&[3.0, 1.0], &[1, 2], &Threads::all())
                .expect("runs");
            made.remove(0).values
        };
        assert_eq!(run(network.clone()), [30.0 * 2.0 - 100.0 + 0.5]);
        assert_eq!(run(without(&network).expect("edits")), [30.0, 100.0]);
        let two = with(&network, &[(&[1.0, 0.0], 1.0), (&[0.0, 1.0], -1.0)]).expect("edits");
        assert_eq!(
            of(&two).expect("has heads"),
            [(vec![1.0, 0.0], 1.0), (vec![0.0, 1.0], -1.0)]
        );
        assert_eq!(run(two), [31.0, 99.0]);
        assert!(with(&network, &[(&[1.0], 0.0)]).is_err());
        let bare = without(&network).expect("edits");
        assert_eq!(
            run(onto(&bare, &[(&[1.0, 2.0], 3.0)]).expect("edits")),
            [233.0]
        );
        assert!(onto(&bare, &[]).is_err());
        assert!(onto(&bare, &[(&[1.0, 2.0], 0.0), (&[1.0], 0.0)]).is_err());
        assert!(without(&without(&network).expect("edits")).is_err());
    }
}
