//! Smaller and faster forms of an exported network.
//!
//! *Packed*: the file that ships. Large matrices whose weights are whole multiples of one step (what
//! entropy-bounded training-aware rounding leaves), or of steps that differ from row to row by eighths of an octave,
//! are stored without loss as those multiples, entropy-coded;
//! other large matrices have 4 bits a weight and one scale for each 64 rows of a column; other large tensors are
//! half floats; the two factors of a low-rank product have 8 bits a weight. A packed file is an ONNX message whose tensors have types
//! of their own, so no engine mistakes it for a network.
//!
//! *Int8*: what an engine runs. Matrices have 8 bits a weight and one scale a column; activations are
//! quantised as they come (ONNX `DynamicQuantizeLinear`, `MatMulInteger`). [`unpack`] makes it from the
//! packed form at load time, [`dynamic_int8`] from a float network.

use std::collections::{BTreeMap, HashMap, HashSet};

use half::f16;
use prost::Message;

use crate::Network;
use crate::proto::{Attribute, Graph, Model, Node, TensorProto};

const FLOAT: i32 = 1;
const UINT8: i32 = 2;
const INT8: i32 = 3;
/// A tensor of half floats that unpacks to floats.
const PACKED_HALF: i32 = 1010;
/// A matrix of 4-bit weights.
const PACKED_Q4: i32 = 1004;
/// A matrix of whole multiples of one step: the step, then the multiples as one Zstandard frame.
const PACKED_LATTICE: i32 = 1003;
/// A matrix of whole multiples of one step a row: the step, for each row the eighths of an octave that its own lies
/// above it, then the multiples, rows in the order of their steps, as Zstandard frames of at least [`FRAME`]
/// weights, each after its length.
const PACKED_ROWS: i32 = 1002;
/// A kernel of 8-bit weights: a scale for each output channel, then the weights.
const PACKED_Q8: i32 = 1008;
/// A factor of a low-rank product, stored as [`PACKED_Q8`] with its smaller size first.
const PACKED_FACTOR: i32 = 1009;
/// Rows that share a scale.
const GROUP: usize = 64;
/// Matrices with fewer weights keep their floats.
const LARGE: usize = 65_536;
/// No matrix of a network has more weights than this.
const MOST: usize = 1 << 28;
/// Kernels with fewer weights keep their floats.
const KERNEL: usize = 1024;

/// A file that is no network, or a packed tensor that is damaged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot read the network: {reason}")]
pub struct PackedError {
    /// What is wrong.
    pub reason: String,
}

fn unreadable(reason: impl ToString) -> PackedError {
    PackedError {
        reason: reason.to_string(),
    }
}

fn decode(bytes: &[u8]) -> Result<(Model, Graph), PackedError> {
    let mut model = Model::decode(bytes).map_err(unreadable)?;
    let graph = model
        .graph
        .take()
        .ok_or_else(|| unreadable("the file holds no graph"))?;
    Ok((model, graph))
}

fn floats(raw: &[u8]) -> Vec<f32> {
    raw.chunks_exact(4)
        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect()
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// Sizes of a matrix tensor.
fn matrix(t: &TensorProto) -> Option<[usize; 2]> {
    match t.dims.as_slice() {
        [rows, columns] => Some([
            usize::try_from(*rows).ok()?,
            usize::try_from(*columns).ok()?,
        ]),
        _ => None,
    }
}

/// Names of the constants that are nothing but the right side of a matrix product.
fn products(graph: &Graph) -> BTreeMap<String, [usize; 2]> {
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
fn factors(graph: &Graph) -> HashSet<String> {
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

/// Packs a float network; kernels of convolutions stay half floats.
///
/// # Errors
/// [`PackedError`] when the bytes are no ONNX message.
pub fn pack(onnx: &[u8]) -> Result<Vec<u8>, PackedError> {
    pack_as(onnx, false)
}

/// Packs a convolutional network: kernels have 8 bits a weight and one scale an output channel.
///
/// # Errors
/// Those of [`pack`].
pub fn pack_kernels(onnx: &[u8]) -> Result<Vec<u8>, PackedError> {
    pack_as(onnx, true)
}

fn pack_as(onnx: &[u8], kernels: bool) -> Result<Vec<u8>, PackedError> {
    let (mut model, mut graph) = decode(onnx)?;
    let products = products(&graph);
    let factors = factors(&graph);
    for t in &mut graph.initializer {
        if t.data_type != FLOAT {
            continue;
        }
        if let Some([rows, columns]) = matrix(t).filter(|_| factors.contains(&t.name)) {
            let mut weights = floats(&t.raw_data);
            if rows > columns {
                weights = transposed(&weights, columns);
            }
            t.raw_data = pack_kernel(&weights, rows.min(columns));
            t.data_type = PACKED_FACTOR;
            continue;
        }
        if let Some([rows, columns]) = products.get(&t.name) {
            let weights = floats(&t.raw_data);
            if let Some((step, levels)) = lattice(&weights) {
                t.raw_data = pack_lattice(step, &levels)?;
                t.data_type = PACKED_LATTICE;
            } else if let Some(found) = row_lattice(&weights, *columns) {
                t.raw_data = found.pack(*columns)?;
                t.data_type = PACKED_ROWS;
            } else {
                t.raw_data = pack_matrix(&weights, *rows, *columns);
                t.data_type = PACKED_Q4;
            }
        } else if let [channels, _, _, _] = t.dims[..]
            && kernels
            && t.raw_data.len() >= 4 * KERNEL
        {
            t.raw_data = pack_kernel(&floats(&t.raw_data), channels as usize);
            t.data_type = PACKED_Q8;
        } else if t.raw_data.len() >= 4 * LARGE {
            t.raw_data = floats(&t.raw_data)
                .iter()
                .flat_map(|v| f16::from_f32(*v).to_le_bytes())
                .collect();
            t.data_type = PACKED_HALF;
        }
    }
    model.graph = Some(graph);
    Ok(model.encode_to_vec())
}

/// The step of which all weights are whole multiples of at most 127, and the multiples.
fn lattice(weights: &[f32]) -> Option<(f32, Vec<i8>)> {
    let step = least(weights)?;
    Some((step, multiples(weights, step, 1e-3)?))
}

/// The weights as whole multiples of `step`, at most 127, each within `tolerance` of a step.
fn multiples(weights: &[f32], step: f32, tolerance: f32) -> Option<Vec<i8>> {
    weights
        .iter()
        .map(|w| {
            let q = w / step;
            let whole = q.round();
            ((q - whole).abs() < tolerance && whole.abs() <= 127.0).then_some(whole as i8)
        })
        .collect()
}

/// The smallest size of a weight that is not zero.
fn least(weights: &[f32]) -> Option<f32> {
    let sizes = weights.iter().map(|w| w.abs()).filter(|w| *w > 0.0);
    sizes.min_by(f32::total_cmp)
}

/// Weights as whole multiples of steps that differ from row to row.
struct RowLattice {
    step: f32,
    /// Eighths of an octave that a row's step lies above `step`.
    octaves: Vec<i8>,
    levels: Vec<i8>,
}

/// `2^(eighths / 8)`, the factor between a row's step and the matrix's.
///
/// Whoever rounds to such a lattice takes the factor from here, so that it is found again to the last bit.
#[must_use]
pub fn row_factor(eighths: i8) -> f32 {
    (f64::from(eighths) / 8.0).exp2() as f32
}

/// Rows whose weights are whole multiples of at most 127 of a step of their own.
fn row_lattice(weights: &[f32], columns: usize) -> Option<RowLattice> {
    let first = weights.chunks_exact(columns).find_map(least)?;
    // The smallest multiple of a row, the first one's too, need not be one.
    (1..=4_u8).find_map(|n| row_lattice_of(weights, columns, first / f32::from(n)))
}

/// As [`row_lattice`], with rows' steps eighths of an octave away from `step`.
fn row_lattice_of(weights: &[f32], columns: usize, step: f32) -> Option<RowLattice> {
    let mut found = RowLattice {
        step,
        octaves: Vec::with_capacity(weights.len() / columns),
        levels: Vec::with_capacity(weights.len()),
    };
    for row in weights.chunks_exact(columns) {
        let smallest = least(row).unwrap_or(step);
        let (octaves, levels) = (1..=4_u8).find_map(|n| {
            let eighths = (smallest / f32::from(n) / step).log2() * 8.0;
            let octaves = (eighths.abs() < 127.0).then_some(eighths.round() as i8)?;
            Some((octaves, multiples(row, step * row_factor(octaves), 2e-3)?))
        })?;
        found.octaves.push(octaves);
        found.levels.extend(levels);
    }
    Some(found)
}

/// Least number of weights in a frame: rows of like steps have like multiples, and share a code.
const FRAME: usize = 1 << 16;

impl RowLattice {
    fn pack(&self, columns: usize) -> Result<Vec<u8>, PackedError> {
        let mut out = self.step.to_le_bytes().to_vec();
        out.extend(self.octaves.iter().map(|k| k.cast_unsigned()));
        for rows in frames(&self.octaves, columns) {
            let raw: Vec<u8> = rows
                .iter()
                .flat_map(|r| &self.levels[r * columns..(r + 1) * columns])
                .map(|q| q.cast_unsigned())
                .collect();
            let frame = zstd::bulk::compress(&raw, EFFORT).map_err(unreadable)?;
            let length = u32::try_from(frame.len()).map_err(unreadable)?;
            out.extend(length.to_le_bytes());
            out.extend(frame);
        }
        Ok(out)
    }
}

/// Rows of each frame.
fn frames(octaves: &[i8], columns: usize) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..octaves.len()).collect();
    order.sort_by_key(|r| octaves[*r]);
    let rows = FRAME.div_ceil(columns.max(1)).max(1);
    order.chunks(rows).map(<[usize]>::to_vec).collect()
}

fn unpack_rows(t: &TensorProto) -> Result<Vec<TensorProto>, PackedError> {
    let [rows, columns] = matrix(t).ok_or_else(|| unreadable("a packed tensor is no matrix"))?;
    let fault = || unreadable("a packed matrix has another length than its sizes");
    let n = rows
        .checked_mul(columns)
        .filter(|n| *n <= MOST)
        .ok_or_else(fault)?;
    let (step, rest) = t.raw_data.split_first_chunk::<4>().ok_or_else(fault)?;
    let step = f32::from_le_bytes(*step);
    let (octaves, mut rest) = rest.split_at_checked(rows).ok_or_else(fault)?;
    let octaves: Vec<i8> = octaves.iter().map(|b| b.cast_signed()).collect();
    let mut raw = vec![0_u8; n];
    for rows in frames(&octaves, columns) {
        let (length, tail) = rest.split_first_chunk::<4>().ok_or_else(fault)?;
        let length = u32::from_le_bytes(*length) as usize;
        let (frame, tail) = tail.split_at_checked(length).ok_or_else(fault)?;
        rest = tail;
        let part = zstd::bulk::decompress(frame, rows.len() * columns).map_err(unreadable)?;
        if part.len() != rows.len() * columns {
            return Err(fault());
        }
        for (r, values) in rows.iter().zip(part.chunks_exact(columns)) {
            raw[r * columns..(r + 1) * columns].copy_from_slice(values);
        }
    }
    if !rest.is_empty() || !step.is_finite() {
        return Err(fault());
    }
    let mut tensors = int8_tensors(&t.name, rows, columns, raw, &vec![step; columns]);
    let factors: Vec<f32> = octaves.iter().map(|k| row_factor(*k)).collect();
    tensors.push(TensorProto {
        dims: vec![rows as i64],
        data_type: FLOAT,
        name: format!("{}{BY_ROW}", t.name),
        raw_data: bytes(&factors),
        ..Default::default()
    });
    Ok(tensors)
}

/// Ends the name of the constant by which the input of a product is multiplied.
const BY_ROW: &str = "_by_row";

/// Effort of the entropy coder; reading takes the same time for all.
const EFFORT: i32 = 19;

fn pack_lattice(step: f32, levels: &[i8]) -> Result<Vec<u8>, PackedError> {
    let raw: Vec<u8> = levels.iter().map(|q| q.cast_unsigned()).collect();
    let mut out = step.to_le_bytes().to_vec();
    out.extend(zstd::bulk::compress(&raw, EFFORT).map_err(unreadable)?);
    Ok(out)
}

fn unpack_lattice(t: &TensorProto) -> Result<Vec<TensorProto>, PackedError> {
    let [rows, columns] = matrix(t).ok_or_else(|| unreadable("a packed tensor is no matrix"))?;
    let fault = || unreadable("a packed matrix has another length than its sizes");
    let n = rows
        .checked_mul(columns)
        .filter(|n| *n <= MOST)
        .ok_or_else(fault)?;
    let (step, frame) = t.raw_data.split_first_chunk::<4>().ok_or_else(fault)?;
    let step = f32::from_le_bytes(*step);
    let raw = zstd::bulk::decompress(frame, n).map_err(unreadable)?;
    if raw.len() != n || !step.is_finite() {
        return Err(fault());
    }
    Ok(int8_tensors(
        &t.name,
        rows,
        columns,
        raw,
        &vec![step; columns],
    ))
}

/// One scale a channel, then one signed byte a weight.
fn pack_kernel(weights: &[f32], channels: usize) -> Vec<u8> {
    let each = weights.len() / channels.max(1);
    let scales: Vec<f32> = weights
        .chunks(each.max(1))
        .map(|c| c.iter().fold(0.0_f32, |m, v| m.max(v.abs())) / 127.0)
        .collect();
    let mut out = bytes(&scales);
    out.extend(weights.iter().enumerate().map(|(i, w)| {
        let scale = scales[i / each.max(1)];
        let q = if scale > 0.0 {
            (w / scale).round()
        } else {
            0.0
        };
        (q.clamp(-127.0, 127.0) as i8).cast_unsigned()
    }));
    out
}

/// A matrix of `columns` columns with rows and columns exchanged.
fn transposed(values: &[f32], columns: usize) -> Vec<f32> {
    (0..columns)
        .flat_map(|c| values.iter().skip(c).step_by(columns))
        .copied()
        .collect()
}

fn unpack_factor(t: &TensorProto) -> Result<Vec<f32>, PackedError> {
    let [rows, columns] = matrix(t).ok_or_else(|| unreadable("a packed factor is no matrix"))?;
    let weights = unpack_channels(t, rows.min(columns))?;
    Ok(if rows > columns {
        transposed(&weights, rows)
    } else {
        weights
    })
}

fn unpack_kernel(t: &TensorProto) -> Result<Vec<f32>, PackedError> {
    let channels = t.dims.first().and_then(|d| usize::try_from(*d).ok());
    unpack_channels(t, channels.unwrap_or(0))
}

fn unpack_channels(t: &TensorProto, channels: usize) -> Result<Vec<f32>, PackedError> {
    let fault = || unreadable("a packed kernel has another length than its sizes");
    let n = t
        .dims
        .iter()
        .try_fold(1_usize, |n, d| n.checked_mul(usize::try_from(*d).ok()?))
        .filter(|n| (1..=MOST).contains(n))
        .ok_or_else(fault)?;
    if t.raw_data.len() != 4 * channels + n {
        return Err(fault());
    }
    let scales = floats(&t.raw_data[..4 * channels]);
    let each = n / channels;
    Ok(t.raw_data[4 * channels..]
        .iter()
        .enumerate()
        .map(|(i, b)| f32::from(b.cast_signed()) * scales[i / each])
        .collect())
}

/// Scales `[rows / GROUP, columns]` as half floats, then 4 bits a weight, row-major, the first weight of
/// a byte in its low half; a value `q` is stored as `q + 8`.
fn pack_matrix(weights: &[f32], rows: usize, columns: usize) -> Vec<u8> {
    let groups = rows / GROUP;
    let mut scales = vec![0.0_f32; groups * columns];
    for g in 0..groups {
        for c in 0..columns {
            let column: Vec<f32> = (0..GROUP)
                .map(|r| weights[(g * GROUP + r) * columns + c])
                .collect();
            scales[g * columns + c] = best_scale(&column);
        }
    }
    let mut out: Vec<u8> = scales
        .iter()
        .flat_map(|s| f16::from_f32(*s).to_le_bytes())
        .collect();
    let quantised: Vec<u8> = weights
        .iter()
        .enumerate()
        .map(|(i, w)| {
            let (row, column) = (i / columns, i % columns);
            let scale = f16::from_f32(scales[row / GROUP * columns + column]).to_f32();
            nibble(*w, scale)
        })
        .collect();
    out.extend(
        quantised
            .chunks(2)
            .map(|pair| pair[0] | pair.get(1).unwrap_or(&0) << 4),
    );
    out
}

fn nibble(w: f32, scale: f32) -> u8 {
    let q = if scale > 0.0 { w / scale } else { 0.0 };
    (q.round().clamp(-8.0, 7.0) + 8.0) as u8
}

/// The scale of least squared error among some that clip the largest weights.
fn best_scale(column: &[f32]) -> f32 {
    let most = column.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
    let mut best = (f32::INFINITY, most / 7.0);
    for i in 0..10 {
        let scale = f16::from_f32(most * (1.0 - 0.04 * i as f32) / 7.0).to_f32();
        if scale <= 0.0 {
            continue;
        }
        let error: f32 = column
            .iter()
            .map(|w| (w - scale * (f32::from(nibble(*w, scale)) - 8.0)).powi(2))
            .sum();
        if error < best.0 {
            best = (error, scale);
        }
    }
    best.1
}

/// A packed matrix as int8 with one scale a column, row by row: the float form of a whole network would be
/// the largest thing in memory.
fn unpack_matrix(t: &TensorProto) -> Result<Vec<TensorProto>, PackedError> {
    let [rows, columns] = matrix(t).ok_or_else(|| unreadable("a packed tensor is no matrix"))?;
    let heads = 2 * (rows / GROUP) * columns;
    if !rows.is_multiple_of(GROUP)
        || !columns.is_multiple_of(2)
        || t.raw_data.len() != heads + rows * columns / 2
    {
        return Err(unreadable(
            "a packed matrix has another length than its sizes",
        ));
    }
    let scales: Vec<f32> = t.raw_data[..heads]
        .chunks_exact(2)
        .map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32())
        .collect();
    let packed = &t.raw_data[heads..];
    let row = |r: usize| {
        packed[r * columns / 2..(r + 1) * columns / 2]
            .iter()
            .flat_map(|byte| [byte & 15, byte >> 4])
            .map(|q| f32::from(q) - 8.0)
            .zip(&scales[r / GROUP * columns..(r / GROUP + 1) * columns])
            .map(|(q, scale)| q * scale)
    };
    let mut most = vec![0.0_f32; columns];
    for r in 0..rows {
        for (m, v) in most.iter_mut().zip(row(r)) {
            *m = m.max(v.abs());
        }
    }
    let steps: Vec<f32> = most.iter().map(|m| m / 127.0).collect();
    let inverse: Vec<f32> = most
        .iter()
        .map(|m| if *m > 0.0 { 127.0 / m } else { 0.0 })
        .collect();
    let mut raw = Vec::with_capacity(rows * columns);
    for r in 0..rows {
        raw.extend(
            row(r)
                .zip(&inverse)
                .map(|(v, i)| ((v * i).round() as i8).cast_unsigned()),
        );
    }
    Ok(int8_tensors(&t.name, rows, columns, raw, &steps))
}

fn unpack_product(t: &TensorProto) -> Result<Vec<TensorProto>, PackedError> {
    match t.data_type {
        PACKED_LATTICE => unpack_lattice(t),
        PACKED_ROWS => unpack_rows(t),
        _ => unpack_matrix(t),
    }
}

/// The int8 network of a packed one; a network that is not packed comes back as it is.
///
/// # Errors
/// [`PackedError`] on damaged bytes.
pub fn unpack(packed: &[u8]) -> Result<Network, PackedError> {
    expand(packed).map(|(network, _)| network)
}

/// As [`unpack`], and whether the network scales its activations over the batch.
///
/// # Errors
/// Those of [`unpack`].
pub fn expand(packed: &[u8]) -> Result<(Network, bool), PackedError> {
    let (mut model, mut graph) = decode(packed)?;
    let scaled = |n: &Node| n.op_type == "DynamicQuantizeLinear";
    let kinds = [
        PACKED_Q4,
        PACKED_LATTICE,
        PACKED_ROWS,
        PACKED_HALF,
        PACKED_Q8,
        PACKED_FACTOR,
    ];
    if !graph
        .initializer
        .iter()
        .any(|t| kinds.contains(&t.data_type))
    {
        // Other writers' files hold more than the messages here know of.
        return Ok((packed.into(), graph.node.iter().any(scaled)));
    }
    let (matrices, rest): (Vec<TensorProto>, Vec<TensorProto>) =
        std::mem::take(&mut graph.initializer)
            .into_iter()
            .partition(|t| [PACKED_Q4, PACKED_LATTICE, PACKED_ROWS].contains(&t.data_type));
    graph.initializer = rest;
    for t in &mut graph.initializer {
        if t.data_type == PACKED_HALF {
            let values: Vec<f32> = t
                .raw_data
                .chunks_exact(2)
                .map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32())
                .collect();
            t.raw_data = bytes(&values);
            t.data_type = FLOAT;
        } else if t.data_type == PACKED_Q8 {
            t.raw_data = bytes(&unpack_kernel(t)?);
            t.data_type = FLOAT;
        } else if t.data_type == PACKED_FACTOR {
            t.raw_data = bytes(&unpack_factor(t)?);
            t.data_type = FLOAT;
        }
    }
    let dynamic = !matrices.is_empty() || graph.node.iter().any(scaled);
    if !matrices.is_empty() {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let share = matrices.len().div_ceil(threads);
        let unpacked: Vec<Result<Vec<TensorProto>, PackedError>> = std::thread::scope(|scope| {
            let workers: Vec<_> = matrices
                .chunks(share)
                .map(|part| scope.spawn(|| part.iter().map(unpack_product).collect::<Vec<_>>()))
                .collect();
            workers
                .into_iter()
                .flat_map(|w| {
                    w.join().unwrap_or_else(|_| {
                        vec![Err(unreadable("a packed matrix cannot be expanded"))]
                    })
                })
                .collect()
        });
        let names: HashSet<String> = matrices.into_iter().map(|t| t.name).collect();
        for pair in unpacked {
            graph.initializer.extend(pair?);
        }
        scale_inputs(&mut graph);
        integer_products(&mut graph, &names);
    }
    model.graph = Some(graph);
    Ok((Network::of(model), dynamic))
}

/// A float network with its large matrix products in 8 bits, inputs rounded as in packed networks.
///
/// # Errors
/// [`PackedError`] when the bytes are no ONNX message.
pub fn dynamic_int8(onnx: &[u8]) -> Result<Vec<u8>, PackedError> {
    let (mut model, mut graph) = decode(onnx)?;
    to_int8(&mut graph);
    model.graph = Some(graph);
    Ok(model.encode_to_vec())
}

fn node(op: &str, name: String, input: &[&str], output: &[&str]) -> Node {
    Node {
        input: input.iter().map(|s| (*s).to_owned()).collect(),
        output: output.iter().map(|s| (*s).to_owned()).collect(),
        name,
        op_type: op.into(),
        attribute: vec![],
    }
}

fn to_int8(graph: &mut Graph) {
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
fn scale_inputs(graph: &mut Graph) {
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
fn integer_products(graph: &mut Graph, names: &HashSet<String>) {
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

/// Symmetric 8-bit weights and one scale a column.
fn int8_matrix(t: &TensorProto, rows: usize, columns: usize) -> Vec<TensorProto> {
    let values = floats(&t.raw_data);
    let mut scales = vec![0.0_f32; columns];
    for row in values.chunks_exact(columns) {
        for (s, v) in scales.iter_mut().zip(row) {
            *s = s.max(v.abs() / 127.0);
        }
    }
    let raw = values
        .chunks_exact(columns)
        .flat_map(|row| {
            row.iter().zip(&scales).map(|(v, s)| {
                let q = if *s > 0.0 { (v / s).round() } else { 0.0 };
                (q.clamp(-127.0, 127.0) as i8).cast_unsigned()
            })
        })
        .collect();
    int8_tensors(&t.name, rows, columns, raw, &scales)
}

fn int8_tensors(
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multiples_of_a_step_are_stored_without_loss() {
        let levels: Vec<f32> = (0..256 * 512)
            .map(|i| ((i * 7919) % 9 - 4) as f32 * 0.013)
            .collect();
        let (step, found) = lattice(&levels).expect("a lattice");
        assert!((step - 0.013).abs() < 1e-7);
        let packed = pack_lattice(step, &found).expect("packs");
        assert!(packed.len() < levels.len() / 2);
        let mut t = TensorProto {
            dims: vec![256, 512],
            data_type: PACKED_LATTICE,
            name: "w".into(),
            raw_data: packed,
            ..Default::default()
        };
        let tensors = unpack_lattice(&t).expect("unpacks");
        let of = |name: &str| tensors.iter().find(|t| t.name == name).expect("there");
        let (weights, scales) = (of("w_i8"), of("w_scale"));
        for (q, w) in weights.raw_data.iter().zip(&levels) {
            assert!((f32::from(q.cast_signed()) * step - w).abs() < 1e-6);
        }
        assert_eq!(floats(&scales.raw_data), vec![step; 512]);
        assert!(lattice(&[0.013, 0.0195]).is_none());
        // Sizes that the frame does not fill, or that it overflows, and a cut frame.
        t.dims = vec![256, 513];
        assert!(unpack_lattice(&t).is_err());
        t.dims = vec![256, 511];
        assert!(unpack_lattice(&t).is_err());
        t.dims = vec![256, 512];
        t.raw_data.truncate(t.raw_data.len() - 3);
        assert!(unpack_lattice(&t).is_err());
    }

    /// Multiples of steps that differ between rows by up to two octaves.
    fn by_row(rows: usize, columns: usize) -> Vec<f32> {
        (0..rows * columns)
            .map(|i| {
                let (row, level) = (i / columns, ((i * 7919) % 9) as f32 - 4.0);
                level * 0.004 * row_factor(((row * 31) % 17) as i8 - 8)
            })
            .collect()
    }

    #[test]
    fn multiples_of_a_step_a_row_are_stored_without_loss() {
        let (rows, columns) = (256, 512);
        let mut weights = by_row(rows, columns);
        // A row of zeros, and one whose multiples are 0, 2 and 3 alone.
        weights[..columns].fill(0.0);
        for (i, w) in weights[columns..2 * columns].iter_mut().enumerate() {
            *w = 0.004 * [0.0, 2.0, -3.0][i % 3];
        }
        assert!(lattice(&weights).is_none());
        let found = row_lattice(&weights, columns).expect("a lattice");
        let packed = found.pack(columns).expect("packs");
        assert!(packed.len() < weights.len() / 2);
        let mut t = TensorProto {
            dims: vec![rows as i64, columns as i64],
            data_type: PACKED_ROWS,
            name: "w".into(),
            raw_data: packed.clone(),
            ..Default::default()
        };
        let tensors = unpack_rows(&t).expect("unpacks");
        let of = |name: &str| tensors.iter().find(|t| t.name == name).expect("there");
        let (levels, scales, factors) = (of("w_i8"), of("w_scale"), of("w_by_row"));
        let (step, factors) = (floats(&scales.raw_data)[0], floats(&factors.raw_data));
        for (i, (q, w)) in levels.raw_data.iter().zip(&weights).enumerate() {
            let back = f32::from(q.cast_signed()) * step * factors[i / columns];
            assert!((back - w).abs() <= 1e-5 * w.abs(), "{i} {back} {w}");
        }
        assert!(row_lattice(&[0.013, 0.0195, 0.4, 0.5101], 2).is_none());
        let thrice = [0.03, -0.05, 0.01, 0.02].map(|w: f32| w * 1.7);
        let found = row_lattice(&thrice, 2).expect("a lattice");
        assert_eq!(found.levels, [3, -5, 1, 2]);
        for dims in [[256, 513], [256, 511], [255, 512], [257, 512]] {
            t.dims = dims.to_vec();
            assert!(unpack_rows(&t).is_err(), "{dims:?}");
        }
        t.dims = vec![rows as i64, columns as i64];
        for length in [0, 3, 200, 262, packed.len() - 3] {
            t.raw_data = packed[..length].to_vec();
            assert!(unpack_rows(&t).is_err(), "{length}");
        }
        t.raw_data = packed;
        t.raw_data.push(0);
        assert!(unpack_rows(&t).is_err());
    }
}
