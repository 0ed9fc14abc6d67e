//! Which constants of a network are packed.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::tensor::matrix;
use crate::proto::{Graph, Node};

/// Rows that share a scale.
pub(super) const GROUP: usize = 64;

/// Matrices with fewer weights keep their floats.
pub(super) const LARGE: usize = 65_536;

/// Kernels with fewer weights keep their floats.
pub(super) const KERNEL: usize = 1024;

/// Names of the constants that are nothing but the right side of a matrix product.
pub(super) fn products(graph: &Graph) -> BTreeMap<String, [usize; 2]> {
    let mut found: BTreeMap<String, [usize; 2]> = graph
        .initializer
        .iter()
        .filter_map(|t| Some((t.name.clone(), matrix(t)?)))
        .filter(|(_, [r, c])| r * c >= LARGE && r.is_multiple_of(GROUP))
        .collect();
    for node in &graph.node {
        for (i, input) in node.input.iter().enumerate() {
            if node.op_type != "MatMul" || i != 1 {
                found.remove(input);
            }
        }
    }
    found
}

/// Names of the constant factors of low-rank products: `x A B` where nothing else reads `x A`.
pub(super) fn factors(graph: &Graph) -> HashSet<String> {
    let sizes: HashMap<&str, [usize; 2]> = graph
        .initializer
        .iter()
        .filter_map(|t| Some((t.name.as_str(), matrix(t)?)))
        .filter(|(_, [r, c])| (KERNEL..LARGE).contains(&(r * c)))
        .collect();
    let mut readers: HashMap<&str, Vec<&Node>> = HashMap::new();
    for node in &graph.node {
        for input in &node.input {
            readers.entry(input).or_default().push(node);
        }
    }
    let only = |name: &str| match readers.get(name)?.as_slice() {
        [reader] if reader.op_type == "MatMul" => Some(*reader),
        _ => None,
    };
    let mut found = HashSet::new();
    for first in &graph.node {
        let ([_, a], [middle]) = (first.input.as_slice(), first.output.as_slice()) else {
            continue;
        };
        let Some([from, b]) = only(a).and(only(middle)).map(|n| n.input.as_slice()) else {
            continue;
        };
        if from == middle
            && only(b).is_some()
            && let (Some([rows, rank]), Some([_, columns])) =
                (sizes.get(a.as_str()), sizes.get(b.as_str()))
            && rank < rows
            && rank < columns
        {
            found.extend([a.clone(), b.clone()]);
        }
    }
    found
}
