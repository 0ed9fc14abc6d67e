//! Sums in one order.
//!
//! An engine sums a row in as many parts as the CPU's vectors have lanes, so that layer normalisations and softmaxes
//! differ in their last bits between CPUs. Where activations are then rounded to 8 bits, that grows over the layers to
//! several hundredths of a probability. Matrix products sum each output from the first term to the last on every CPU;
//! here the sums become such products, and all else is done element by element.

use std::collections::{BTreeSet, HashMap};

use crate::proto::{Attribute, Graph, Node};

/// Columns of equal sums, of which one is read: a single column would be summed by lanes again.
const COLUMNS: usize = 8;

/// Names of lists of one integer: the first column and the second, the first of the last [`COLUMNS`] and the one behind
/// it, the last axis.
const FIRST: &str = "order_first";
const SECOND: &str = "order_second";
const SUM: &str = "order_sum";
const BEHIND: &str = "order_behind";
const AXIS: &str = "order_axis";
/// Name of the number one.
const ONE: &str = "order_one";

/// Rewrites layer normalisations, and softmaxes whose rows weigh a matrix.
pub(super) fn sums_in_one_order(graph: &mut Graph) {
    let normalised = normalisations(graph);
    let weighed = weights(graph);
    if normalised.is_empty() && weighed.is_empty() {
        return;
    }
    let columns = COLUMNS as i64;
    for (name, value) in [
        (FIRST, 0),
        (SECOND, 1),
        (SUM, -columns),
        (BEHIND, 1 - columns),
        (AXIS, -1),
    ] {
        graph.integers(name, &[value]);
    }
    graph.constant(ONE, &[], &[1.0]);
    for width in normalised.values().collect::<BTreeSet<_>>() {
        let shares = vec![1.0 / *width as f32; width * COLUMNS];
        graph.constant(&share_of(*width), &[*width, COLUMNS], &shares);
    }
    for rank in weighed.values().collect::<BTreeSet<_>>() {
        let mut pads = vec![0; 2 * rank];
        if let Some(last) = pads.last_mut() {
            *last = columns;
        }
        graph.integers(&pads_of(*rank), &pads);
    }
    for n in std::mem::take(&mut graph.node) {
        let of = |names: &HashMap<String, usize>, name: Option<&String>| {
            name.and_then(|name| names.get(name).copied())
        };
        match n.op_type.as_str() {
            "LayerNormalization" => match of(&normalised, n.output.first()) {
                Some(width) => normalise(graph, &n, width),
                None => graph.node.push(n),
            },
            "Softmax" if of(&weighed, n.output.first()).is_some() => {
                let (x, y) = (&n.input[0], &n.output[0]);
                let high = graph.add("ReduceMax", &[x], &format!("{y}_high"));
                graph.set_list("axes", &[-1]);
                let below = graph.add("Sub", &[x, &high], &format!("{y}_below"));
                graph.add("Exp", &[&below], y);
            }
            "MatMul" => match of(&weighed, n.input.first()) {
                Some(rank) => weigh(graph, &n, rank),
                None => graph.node.push(n),
            },
            _ => graph.node.push(n),
        }
    }
}

fn share_of(width: usize) -> String {
    format!("order_share_{width}")
}

fn pads_of(rank: usize) -> String {
    format!("order_pads_{rank}")
}

fn attribute<'a>(node: &'a Node, name: &str) -> Option<&'a Attribute> {
    node.attribute.iter().find(|a| a.name == name)
}

/// Whether it works on the last axis.
fn is_of_rows(node: &Node) -> bool {
    attribute(node, "axis").is_none_or(|a| a.i == -1)
}

/// Outputs of layer normalisations, and the length of their rows.
fn normalisations(graph: &Graph) -> HashMap<String, usize> {
    let width = |name: &str| {
        let constant = graph.initializer.iter().find(|t| t.name == name)?;
        match constant.dims[..] {
            [n] => usize::try_from(n).ok().filter(|n| *n > 0),
            _ => None,
        }
    };
    let all = graph.node.iter();
    let all = all.filter(|n| n.op_type == "LayerNormalization" && is_of_rows(n));
    all.filter_map(|n| match (n.input.as_slice(), n.output.as_slice()) {
        ([_, scale, _], [y]) => Some((y.clone(), width(scale)?)),
        _ => None,
    })
    .collect()
}

/// Softmaxes that one product reads as its first factor, with the rank of the second one.
fn weights(graph: &Graph) -> HashMap<String, usize> {
    let rank = |name: &str| {
        let permuted = graph.made_by(name, "Transpose").ok()?;
        Some(attribute(permuted, "perm")?.ints.len())
    };
    let reads = |name: &String| {
        let inputs = graph.node.iter().flat_map(|n| &n.input);
        let outputs = graph.output.iter().map(|o| &o.name);
        inputs.chain(outputs).filter(|i| *i == name).count()
    };
    let products = graph.node.iter().filter(|n| n.op_type == "MatMul");
    products
        .filter_map(|n| match n.input.as_slice() {
            [rows, matrix] => {
                let softmax = graph.made_by(rows, "Softmax").ok()?;
                let alone = is_of_rows(softmax) && reads(rows) == 1;
                Some((rows.clone(), rank(matrix).filter(|_| alone)?))
            }
            _ => None,
        })
        .collect()
}

/// `(x - mean) / sqrt(mean of (x - mean)^2 + epsilon) * scale + shift`.
fn normalise(graph: &mut Graph, n: &Node, width: usize) {
    let (x, scale, shift, y) = (&n.input[0], &n.input[1], &n.input[2], &n.output[0]);
    let part = |what: &str| format!("{y}_{what}");
    let share = share_of(width);
    let mean_of = |graph: &mut Graph, from: &str, to: &str| {
        let columns = graph.add("MatMul", &[from, &share], &format!("{to}_columns"));
        graph.add("Slice", &[&columns, FIRST, SECOND, AXIS], to)
    };
    let mean = mean_of(graph, x, &part("mean"));
    let centred = graph.add("Sub", &[x, &mean], &part("centred"));
    let squares = graph.add("Mul", &[&centred, &centred], &part("squares"));
    let variance = mean_of(graph, &squares, &part("variance"));
    let epsilon = attribute(n, "epsilon").map_or(1e-5, |a| a.f);
    let epsilon = graph.constant(&part("epsilon"), &[], &[epsilon]);
    let above = graph.add("Add", &[&variance, &epsilon], &part("above"));
    let deviation = graph.add("Sqrt", &[&above], &part("deviation"));
    let plain = graph.add("Div", &[&centred, &deviation], &part("plain"));
    let scaled = graph.add("Mul", &[&plain, scale], &part("scaled"));
    graph.add("Add", &[&scaled, shift], y);
}

/// The product of powers with a matrix that has columns of ones behind its own, over the last columns, which are the
/// sums of the powers.
fn weigh(graph: &mut Graph, n: &Node, rank: usize) {
    let (powers, matrix, y) = (&n.input[0], &n.input[1], &n.output[0]);
    let part = |what: &str| format!("{y}_{what}");
    let ones = graph.add("Pad", &[matrix, &pads_of(rank), ONE], &part("with_ones"));
    let both = graph.add("MatMul", &[powers, &ones], &part("with_sums"));
    let product = graph.add("Slice", &[&both, FIRST, SUM, AXIS], &part("product"));
    let sums = graph.add("Slice", &[&both, SUM, BEHIND, AXIS], &part("sums"));
    graph.add("Div", &[&product, &sums], y);
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;
    use crate::proto::{Model, OperatorSet};
    use crate::{EngineKind, Threads, load};

    /// Attention of five tokens of 16 numbers to themselves, after a normalisation.
    fn attention() -> Graph {
        let mut graph = Graph::default();
        let scale: Vec<f32> = (0..16).map(|i| 0.5 + i as f32 / 16.0).collect();
        graph.constant("scale", &[16], &scale);
        graph.constant("shift", &[16], &[0.1; 16]);
        graph.integers("heads", &[1, 5, 2, 8]);
        graph.integers("rows", &[1, 80]);
        graph.integers("tokens", &[1, 5, 16]);
        graph.add("Reshape", &["x", "tokens"], "t");
        graph.add("LayerNormalization", &["t", "scale", "shift"], "n");
        graph.set("axis", -1);
        graph.add("Reshape", &["n", "heads"], "h");
        graph.add("Transpose", &["h"], "q");
        graph.set_list("perm", &[0, 2, 1, 3]);
        graph.add("Transpose", &["h"], "k");
        graph.set_list("perm", &[0, 2, 3, 1]);
        graph.add("MatMul", &["q", "k"], "s");
        graph.add("Softmax", &["s"], "p");
        graph.set("axis", -1);
        graph.add("MatMul", &["p", "q"], "o");
        graph.add("Reshape", &["o", "rows"], "y");
        graph.output_rows("x", "columns");
        graph.input = std::mem::take(&mut graph.output);
        graph.output_rows("y", "columns");
        graph
    }

    fn run(graph: &Graph) -> Vec<f32> {
        let model = Model {
            ir_version: 8,
            graph: Some(graph.clone()),
            opset_import: vec![OperatorSet {
                domain: String::new(),
                version: 17,
            }],
            ..Model::default()
        };
        let engine = load(EngineKind::Rten, model.encode_to_vec()).expect("loads");
        let x: Vec<f32> = (0..80)
            .map(|i| ((i * 37) % 101) as f32 / 25.0 - 2.0)
            .collect();
        let mut outputs = engine.run_all(&x, &[1, 80], &Threads::of(1)).expect("runs");
        outputs.swap_remove(0).values
    }

    fn operators(graph: &Graph) -> Vec<&str> {
        graph.node.iter().map(|n| n.op_type.as_str()).collect()
    }

    #[test]
    fn what_is_computed_stays_the_same() {
        let plain = attention();
        let mut ordered = plain.clone();
        sums_in_one_order(&mut ordered);
        for gone in ["LayerNormalization", "Softmax"] {
            assert!(operators(&plain).contains(&gone));
            assert!(!operators(&ordered).contains(&gone), "{gone}");
        }
        let (expected, found) = (run(&plain), run(&ordered));
        assert_eq!((expected.len(), found.len()), (80, 80));
        for (e, f) in expected.iter().zip(&found) {
            assert!((e - f).abs() < 1e-5, "{e} {f}");
        }
    }

    #[test]
    fn what_another_reads_stays_as_it_is() {
        let mut graph = attention();
        // The rows are an output, too, and the normalisation works on another axis.
        graph.output_rows("p", "columns");
        for n in &mut graph.node {
            if n.op_type == "LayerNormalization" {
                n.attribute[0].i = 1;
            }
        }
        let before = graph.clone();
        sums_in_one_order(&mut graph);
        assert_eq!(graph, before);
    }
}
