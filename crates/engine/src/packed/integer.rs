//! A graph's large matrix products in 8 bits, inputs quantised as they come (ONNX `DynamicQuantizeLinear`,
//! `MatMulInteger`).

use std::collections::{HashMap, HashSet};

use super::find::products;
use super::tensor::{FLOAT, INT8, UINT8, bytes, floats};
use crate::proto::{Attribute, Graph, Node, TensorProto};

/// Ends the name of the constant by which the input of a product is multiplied.
pub(super) const BY_ROW: &str = "_by_row";

fn node(op: &str, name: String, input: &[&str], output: &[&str]) -> Node {
    Node {
        input: input.iter().map(|s| (*s).to_owned()).collect(),
        output: output.iter().map(|s| (*s).to_owned()).collect(),
        name,
        op_type: op.into(),
        attribute: vec![],
    }
}

pub(super) fn to_int8(graph: &mut Graph) {
    let products = products(graph);
    let mut fresh = Vec::new();
    graph.initializer.retain(|t| match products.get(&t.name) {
        Some([rows, columns]) if t.data_type == FLOAT => {
            fresh.extend(int8_matrix(t, *rows, *columns));
            false
        }
        _ => true,
    });
    graph.initializer.extend(fresh);
    integer_products(graph, &products.into_keys().collect());
}

/// Multiplies the inputs of products whose matrix has steps by row.
///
/// Where an input comes from a layer normalisation and all who read it want it so, the normalisation's own scale
/// and shift take the factors; else the input is multiplied, once for all that share factors.
pub(super) fn scale_inputs(graph: &mut Graph) {
    let factors: HashMap<String, Vec<u8>> = graph
        .initializer
        .iter()
        .filter_map(|t| Some((t.name.strip_suffix(BY_ROW)?.to_owned(), t.raw_data.clone())))
        .collect();
    if factors.is_empty() {
        return;
    }
    let wanted = |n: &Node| -> Option<&Vec<u8>> {
        factors.get(n.input.get(1).filter(|_| n.op_type == "MatMul")?)
    };
    let mut readers: HashMap<String, Vec<Option<Vec<u8>>>> = HashMap::new();
    for n in &graph.node {
        for input in &n.input {
            let reader = readers.entry(input.clone()).or_default();
            reader.push(wanted(n).cloned());
        }
    }
    for output in &graph.output {
        readers.entry(output.name.clone()).or_default().push(None);
    }
    let mut constants: HashMap<String, &mut TensorProto> = graph
        .initializer
        .iter_mut()
        .map(|t| (t.name.clone(), t))
        .collect();
    let mut absorbed: HashSet<String> = HashSet::new();
    for n in &graph.node {
        let ("LayerNormalization", [_, affine @ ..], [x]) =
            (n.op_type.as_str(), n.input.as_slice(), n.output.as_slice())
        else {
            continue;
        };
        let all = readers.get(x).map_or(&[][..], Vec::as_slice);
        let [Some(first), ..] = all else {
            continue;
        };
        let own = |name: &String| {
            readers.get(name).is_some_and(|r| r.len() == 1)
                && constants
                    .get(name)
                    .is_some_and(|t| t.data_type == FLOAT && t.raw_data.len() == first.len())
        };
        if all.iter().any(|f| f.as_ref() != Some(first)) || !affine.iter().all(own) {
            continue;
        }
        for name in affine {
            if let Some(t) = constants.get_mut(name) {
                let scaled: Vec<f32> = floats(&t.raw_data)
                    .iter()
                    .zip(floats(first))
                    .map(|(v, f)| v * f)
                    .collect();
                t.raw_data = bytes(&scaled);
            }
        }
        absorbed.insert(x.clone());
    }
    let mut scaled: HashMap<(String, Vec<u8>), String> = HashMap::new();
    let mut used: HashSet<String> = HashSet::new();
    let mut nodes = Vec::with_capacity(graph.node.len());
    for mut n in std::mem::take(&mut graph.node) {
        if let Some(by) = wanted(&n).filter(|_| !absorbed.contains(&n.input[0])) {
            let (x, weight) = (n.input[0].clone(), n.input[1].clone());
            let fresh = scaled.entry((x.clone(), by.clone())).or_insert_with(|| {
                let (by, to) = (format!("{weight}{BY_ROW}"), format!("{x}_for_{weight}"));
                nodes.push(node("Mul", format!("make_{to}"), &[&x, &by], &[&to]));
                used.insert(by);
                to
            });
            n.input[0].clone_from(fresh);
        }
        nodes.push(n);
    }
    graph.node = nodes;
    graph
        .initializer
        .retain(|t| !t.name.ends_with(BY_ROW) || used.contains(&t.name));
}

/// Turns the products by the named matrices into integer ones.
///
/// Inputs are quantised to eight bits with a range of their own in each run: one for all rows, or where a product narrows
/// (an MLP's second, whose inputs differ between tokens by orders of magnitude) one for each row. With one range
/// there, rounding makes a third to a half of the variance of CLIP's class token over pictures; with one for each row
/// a twentieth.
pub(super) fn integer_products(graph: &mut Graph, names: &HashSet<String>) {
    let narrow: HashSet<String> = graph
        .initializer
        .iter()
        .filter_map(|t| t.name.strip_suffix("_sum"))
        .filter(|name| names.contains(*name))
        .map(str::to_owned)
        .collect();
    if !narrow.is_empty() {
        graph.initializer.extend(row_constants());
    }
    graph.initializer.push(TensorProto {
        data_type: INT8,
        name: WEIGHT_ZERO.into(),
        raw_data: vec![0],
        ..Default::default()
    });
    // Three products may read the same value, which is then quantised once.
    let mut quantised: HashSet<String> = HashSet::new();
    let mut nodes = Vec::with_capacity(2 * graph.node.len());
    for n in std::mem::take(&mut graph.node) {
        let Some(weight) = n.input.get(1).filter(|w| names.contains(*w)).cloned() else {
            nodes.push(n);
            continue;
        };
        let (x, y) = (n.input[0].clone(), n.output[0].clone());
        let by_row = narrow.contains(&weight);
        let base = format!("{x}_{}", if by_row { "rows" } else { "u8" });
        let fresh = quantised.insert(base.clone());
        let [scale, zero, low] = ["scale", "zero", "low"].map(|p| format!("{base}_{p}"));
        let (q, s) = (format!("{weight}_i8"), format!("{weight}_scale"));
        let [sum, real, both] = ["sum", "real", "scale"].map(|p| format!("{y}_{p}"));
        if !by_row {
            if fresh {
                nodes.push(node(
                    "DynamicQuantizeLinear",
                    format!("quantise_{x}"),
                    &[&x],
                    &[&base, &scale, &zero],
                ));
            }
            // With the weights' zero point named, the engine turns product, conversion and scale into one step.
            nodes.push(node(
                "MatMulInteger",
                format!("product_{y}"),
                &[&base, &q, &zero, WEIGHT_ZERO],
                &[&sum],
            ));
            nodes.push(to_float(&y, &sum, &real));
            nodes.push(node("Mul", format!("scales_{y}"), &[&scale, &s], &[&both]));
            nodes.push(node("Mul", format!("scale_{y}"), &[&real, &both], &[&y]));
            continue;
        }
        if fresh {
            quantise_rows(&x, [&base, &scale, &low], &mut nodes);
        }
        // x = scale * u8 + low, so its product is scale * (u8 product) + low * (sums of columns).
        let [rows, shift] = ["by_row", "shift"].map(|p| format!("{y}_{p}"));
        let sums = format!("{weight}_sum");
        let name = |what: &str| format!("{what}_{y}");
        nodes.push(node(
            "MatMulInteger",
            name("product"),
            &[&base, &q, ROWS[3], WEIGHT_ZERO],
            &[&sum],
        ));
        nodes.push(to_float(&y, &sum, &real));
        nodes.push(node("Mul", name("scale"), &[&real, &s], &[&both]));
        nodes.push(node("Mul", name("rows"), &[&both, &scale], &[&rows]));
        nodes.push(node("Mul", name("shift"), &[&low, &sums], &[&shift]));
        nodes.push(node("Add", name("sum"), &[&rows, &shift], &[&y]));
    }
    graph.node = nodes;
}

fn to_float(y: &str, from: &str, to: &str) -> Node {
    let mut cast = node("Cast", format!("cast_{y}"), &[from], &[to]);
    cast.attribute.push(integer("to", i64::from(FLOAT)));
    cast
}

fn integer(name: &str, i: i64) -> Attribute {
    Attribute {
        name: name.into(),
        i,
        kind: 2,
        ..Default::default()
    }
}

/// Name of the zero point of 8-bit weights, which is 0.
const WEIGHT_ZERO: &str = "weight_zero";

/// Names of [`row_constants`]: a level's share of the range, the smallest step, a step of one, no offset.
const ROWS: [&str; 4] = ["rows_share", "rows_least", "rows_one", "rows_zero"];

fn row_constants() -> Vec<TensorProto> {
    let [share, least, one, zero] = ROWS;
    let float = |name: &str, value: f32| TensorProto {
        data_type: FLOAT,
        name: name.into(),
        raw_data: bytes(&[value]),
        ..Default::default()
    };
    vec![
        float(share, 1.0 / 255.0),
        float(least, f32::MIN_POSITIVE),
        float(one, 1.0),
        TensorProto {
            data_type: UINT8,
            name: zero.into(),
            raw_data: vec![0],
            ..Default::default()
        },
    ]
}

/// Quantises each row of `x` over its own range: `x` is about `scale * base + low`.
fn quantise_rows(x: &str, [base, scale, low]: [&str; 3], nodes: &mut Vec<Node>) {
    let [share, least, one, zero] = ROWS;
    let inner = |what: &str| format!("{base}_{what}");
    let [high, span, step, above, level] = ["high", "span", "step", "above", "level"].map(inner);
    for (op, to) in [("ReduceMin", low), ("ReduceMax", &high)] {
        let mut n = node(op, format!("{op}_{x}"), &[x], &[to]);
        n.attribute.push(Attribute {
            name: "axes".into(),
            ints: vec![-1],
            kind: 7,
            ..Default::default()
        });
        n.attribute.push(integer("keepdims", 1));
        nodes.push(n);
    }
    for (op, from, to) in [
        ("Sub", [high.as_str(), low], span.as_str()),
        ("Mul", [span.as_str(), share], step.as_str()),
        ("Max", [step.as_str(), least], scale),
        ("Sub", [x, low], above.as_str()),
        ("Div", [above.as_str(), scale], level.as_str()),
    ] {
        nodes.push(node(op, format!("make_{to}"), &from, &[to]));
    }
    nodes.push(node(
        "QuantizeLinear",
        format!("quantise_{base}"),
        &[&level, one, zero],
        &[base],
    ));
}

/// Largest size of a weight that is rounded here. CPUs without 8-bit dot products add the products of two neighbours
/// with 8-bit activations in 16 bits, which holds twice this many times 255.
pub(super) const LEVELS: f32 = 64.0;

/// Symmetric 8-bit weights and one scale a column.
fn int8_matrix(t: &TensorProto, rows: usize, columns: usize) -> Vec<TensorProto> {
    let values = floats(&t.raw_data);
    let mut scales = vec![0.0_f32; columns];
    for row in values.chunks_exact(columns) {
        for (s, v) in scales.iter_mut().zip(row) {
            *s = s.max(v.abs() / LEVELS);
        }
    }
    let raw = values
        .chunks_exact(columns)
        .flat_map(|row| {
            row.iter().zip(&scales).map(|(v, s)| {
                let q = if *s > 0.0 { (v / s).round() } else { 0.0 };
                (q.clamp(-LEVELS, LEVELS) as i8).cast_unsigned()
            })
        })
        .collect();
    int8_tensors(&t.name, rows, columns, raw, &scales)
}

pub(super) fn int8_tensors(
    name: &str,
    rows: usize,
    columns: usize,
    raw: Vec<u8>,
    scales: &[f32],
) -> Vec<TensorProto> {
    let constant = |suffix: &str, values: &[f32]| TensorProto {
        dims: vec![columns as i64],
        data_type: FLOAT,
        name: format!("{name}_{suffix}"),
        raw_data: bytes(values),
        ..Default::default()
    };
    let mut out = Vec::with_capacity(3);
    out.push(constant("scale", scales));
    if rows > columns {
        // What a constant input of one gives.
        let mut sums = vec![0_i32; columns];
        for row in raw.chunks_exact(columns) {
            for (s, v) in sums.iter_mut().zip(row) {
                *s += i32::from(v.cast_signed());
            }
        }
        let sums: Vec<f32> = sums
            .iter()
            .zip(scales)
            .map(|(n, s)| *n as f32 * s)
            .collect();
        out.push(constant("sum", &sums));
    }
    out.push(TensorProto {
        dims: vec![rows as i64, columns as i64],
        data_type: INT8,
        name: format!("{name}_i8"),
        raw_data: raw,
        ..Default::default()
    });
    out
}
