//! CLIP's image tower from an ONNX file whose matrices a common tool quantised to 8 bits.

use std::collections::HashMap;

use prost::Message as _;
use realscope_engine::proto::{Model, TensorProto};

use crate::weights::{StateDict, WeightsError};

/// `FLOAT` of `onnx.TensorProto.DataType`.
const FLOAT: i32 = 1;
/// `UINT8` of `onnx.TensorProto.DataType`.
const UINT8: i32 = 2;

fn unreadable(reason: impl ToString) -> WeightsError {
    WeightsError::Unreadable {
        path: "network".into(),
        reason: reason.to_string(),
    }
}

/// Values of a float tensor, however they are stored.
fn values(t: &TensorProto) -> Vec<f32> {
    if t.raw_data.is_empty() {
        return t.float_data.clone();
    }
    t.raw_data
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect()
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

/// CLIP's image tower from an ONNX file whose matrices a common tool quantised to 8 bits: keys of the
/// published layout, weights as `[out, in]`.
///
/// # Errors
/// [`WeightsError::Unreadable`] when the file is no such network.
pub fn clip_from_int8_onnx(onnx: &[u8]) -> Result<StateDict, WeightsError> {
    let graph = Model::decode(onnx)
        .map_err(unreadable)?
        .graph
        .ok_or_else(|| unreadable("the file holds no graph"))?;
    let tensors: HashMap<&str, &TensorProto> = graph
        .initializer
        .iter()
        .map(|t| (t.name.as_str(), t))
        .collect();
    let mut dict = StateDict::default();
    for t in &graph.initializer {
        if t.data_type == FLOAT && (t.name.starts_with("vision_model.")) {
            let shape = t.dims.iter().map(|d| *d as usize).collect();
            dict.insert(&t.name, shape, values(t));
        }
    }
    for n in graph.node.iter().filter(|n| n.op_type == "MatMulInteger") {
        let Some(key) = n.name.strip_suffix("/MatMul_quant") else {
            continue;
        };
        let key = key.trim_start_matches('/').replace('/', ".");
        let name = n.input.get(1).map(String::as_str).unwrap_or_default();
        let fault = || unreadable(format!("`{key}` has no 8-bit matrix with a scale a column"));
        let stem = name.strip_suffix("_quantized").ok_or_else(fault)?;
        let (Some(q), Some(s)) = (
            tensors.get(name),
            tensors.get(format!("{stem}_scale").as_str()),
        ) else {
            return Err(fault());
        };
        let [rows, columns] = matrix(q).ok_or_else(fault)?;
        let scales = values(s);
        if scales.len() != columns || q.raw_data.len() != rows * columns {
            return Err(fault());
        }
        let zero_points = tensors.get(format!("{stem}_zero_point").as_str());
        let zero = |c: usize| -> f32 {
            zero_points.map_or(0.0, |z| match z.raw_data.get(c) {
                Some(byte) => level(*byte, q.data_type),
                None => z.int32_data.get(c).map_or(0.0, |v| *v as f32),
            })
        };
        let stored = |z: &TensorProto| z.raw_data.len().max(z.int32_data.len());
        if zero_points.is_some_and(|z| stored(z) != columns) {
            return Err(fault());
        }
        let zeros: Vec<f32> = (0..columns).map(zero).collect();
        let mut weights = vec![0.0; rows * columns];
        for (i, b) in q.raw_data.iter().enumerate() {
            let (row, column) = (i / columns, i % columns);
            weights[column * rows + row] =
                (level(*b, q.data_type) - zeros[column]) * scales[column];
        }
        dict.insert(&format!("{key}.weight"), vec![columns, rows], weights);
    }
    if dict.len() < 20 {
        return Err(unreadable("the file is no 8-bit image tower of CLIP"));
    }
    Ok(dict)
}

fn level(byte: u8, data_type: i32) -> f32 {
    if data_type == UINT8 {
        f32::from(byte)
    } else {
        f32::from(byte.cast_signed())
    }
}
