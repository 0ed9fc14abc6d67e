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
//! packed form at load time, with sums that are taken in one order on every CPU; [`dynamic_int8`] makes it from a float
//! network.

mod channels;
mod find;
mod integer;
mod nibbles;
mod order;
mod steps;
mod tensor;

use std::collections::HashSet;

use half::f16;
use prost::Message as _;

pub use steps::row_factor;
pub use tensor::PackedError;

use crate::Network;
use crate::proto::{Node, TensorProto};
use channels::{pack_kernel, transposed, unpack_factor, unpack_kernel};
use find::{KERNEL, LARGE, factors, products};
use integer::{integer_products, scale_inputs, to_int8};
use nibbles::{pack_matrix, unpack_matrix};
use order::sums_in_one_order;
use steps::{one_step, pack_step, row_steps, unpack_rows, unpack_step};
use tensor::{
    FLOAT, PACKED_FACTOR, PACKED_HALF, PACKED_Q4, PACKED_Q8, PACKED_ROW_STEPS, PACKED_STEP, bytes,
    decode, floats, matrix, unreadable,
};

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
            if let Some((step, levels)) = one_step(&weights) {
                t.raw_data = pack_step(step, &levels)?;
                t.data_type = PACKED_STEP;
            } else if let Some(found) = row_steps(&weights, *columns) {
                t.raw_data = found.pack(*columns)?;
                t.data_type = PACKED_ROW_STEPS;
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

fn unpack_product(t: &TensorProto) -> Result<Vec<TensorProto>, PackedError> {
    match t.data_type {
        PACKED_STEP => unpack_step(t),
        PACKED_ROW_STEPS => unpack_rows(t),
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
        PACKED_STEP,
        PACKED_ROW_STEPS,
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
            .partition(|t| [PACKED_Q4, PACKED_STEP, PACKED_ROW_STEPS].contains(&t.data_type));
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
        sums_in_one_order(&mut graph);
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
