//! Kinds of stored tensors, and what all of them share.

use prost::Message as _;

use crate::proto::{Graph, Model, TensorProto};

pub(super) const FLOAT: i32 = 1;
pub(super) const UINT8: i32 = 2;
pub(super) const INT8: i32 = 3;
/// A tensor of half floats that unpacks to floats.
pub(super) const PACKED_HALF: i32 = 1010;
/// A matrix of 4-bit weights.
pub(super) const PACKED_Q4: i32 = 1004;
/// A matrix of whole multiples of one step: the step, then the multiples as one Zstandard frame.
pub(super) const PACKED_STEP: i32 = 1003;
/// A matrix of whole multiples of one step a row: the step, for each row the eighths of an octave that its own lies
/// above it, then the multiples, rows in the order of their steps, as Zstandard frames of at least [`FRAME`]
/// weights, each after its length.
pub(super) const PACKED_ROW_STEPS: i32 = 1002;
/// A kernel of 8-bit weights: a scale for each output channel, then the weights.
pub(super) const PACKED_Q8: i32 = 1008;
/// A factor of a low-rank product, stored as [`PACKED_Q8`] with its smaller size first.
pub(super) const PACKED_FACTOR: i32 = 1009;
/// No matrix of a network has more weights than this.
pub(super) const MOST: usize = 1 << 28;

/// A file that is no network, or a packed tensor that is damaged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot read the network: {reason}")]
pub struct PackedError {
    /// What is wrong.
    pub reason: String,
}

pub(super) fn unreadable(reason: impl ToString) -> PackedError {
    PackedError {
        reason: reason.to_string(),
    }
}

pub(super) fn decode(bytes: &[u8]) -> Result<(Model, Graph), PackedError> {
    let mut model = Model::decode(bytes).map_err(unreadable)?;
    let graph = model
        .graph
        .take()
        .ok_or_else(|| unreadable("the file holds no graph"))?;
    Ok((model, graph))
}

pub(super) fn floats(raw: &[u8]) -> Vec<f32> {
    raw.chunks_exact(4)
        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect()
}

pub(super) fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// Sizes of a matrix tensor.
pub(super) fn matrix(t: &TensorProto) -> Option<[usize; 2]> {
    match t.dims.as_slice() {
        [rows, columns] => Some([
            usize::try_from(*rows).ok()?,
            usize::try_from(*columns).ok()?,
        ]),
        _ => None,
    }
}
