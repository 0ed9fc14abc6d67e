//! Matrices in 4 bits a weight, one scale for each column of a group of rows.

use half::f16;

use super::find::GROUP;
use super::integer::{LEVELS, int8_tensors};
use super::tensor::{PackedError, matrix, unreadable};
use crate::proto::TensorProto;

/// Scales `[rows / GROUP, columns]` as half floats, then 4 bits a weight, row-major, the first weight of
/// a byte in its low half; a value `q` is stored as `q + 8`.
pub(super) fn pack_matrix(weights: &[f32], rows: usize, columns: usize) -> Vec<u8> {
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
pub(super) fn unpack_matrix(t: &TensorProto) -> Result<Vec<TensorProto>, PackedError> {
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
    let steps: Vec<f32> = most.iter().map(|m| m / LEVELS).collect();
    let inverse: Vec<f32> = most
        .iter()
        .map(|m| if *m > 0.0 { LEVELS / m } else { 0.0 })
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
