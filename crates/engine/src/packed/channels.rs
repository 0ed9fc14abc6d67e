//! Kernels and factors of low-rank products in 8 bits a weight, one scale an output channel.

use super::tensor::{MOST, PackedError, bytes, floats, matrix, unreadable};
use crate::proto::TensorProto;

/// One scale a channel, then one signed byte a weight.
pub(super) fn pack_kernel(weights: &[f32], channels: usize) -> Vec<u8> {
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
pub(super) fn transposed(values: &[f32], columns: usize) -> Vec<f32> {
    (0..columns)
        .flat_map(|c| values.iter().skip(c).step_by(columns))
        .copied()
        .collect()
}

pub(super) fn unpack_factor(t: &TensorProto) -> Result<Vec<f32>, PackedError> {
    let [rows, columns] = matrix(t).ok_or_else(|| unreadable("a packed factor is no matrix"))?;
    let weights = unpack_channels(t, rows.min(columns))?;
    Ok(if rows > columns {
        transposed(&weights, rows)
    } else {
        weights
    })
}

pub(super) fn unpack_kernel(t: &TensorProto) -> Result<Vec<f32>, PackedError> {
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
