//! Weights that are whole multiples of quantisation steps: one step for a matrix, or one for each of its rows. The
//! multiples are entropy-coded.

use super::integer::{BY_ROW, LEVELS, int8_tensors};
use super::tensor::{FLOAT, MOST, PackedError, bytes, matrix, unreadable};
use crate::proto::TensorProto;

/// The step of which all weights are whole multiples of at most 127, and the multiples.
pub(super) fn one_step(weights: &[f32]) -> Option<(f32, Vec<i8>)> {
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
pub(super) struct RowSteps {
    step: f32,
    /// Eighths of an octave that a row's step lies above `step`.
    octaves: Vec<i8>,
    levels: Vec<i8>,
}

/// `2^(eighths / 8)`, the factor between a row's step and the matrix's.
///
/// Whoever rounds to such steps takes the factor from here, so that it is found again to the last bit.
#[must_use]
pub fn row_factor(eighths: i8) -> f32 {
    (f64::from(eighths) / 8.0).exp2() as f32
}

/// Rows whose weights are whole multiples of at most 127 of a step of their own.
pub(super) fn row_steps(weights: &[f32], columns: usize) -> Option<RowSteps> {
    let first = weights.chunks_exact(columns).find_map(least)?;
    // The smallest multiple of a row, the first one's too, need not be one.
    (1..=4_u8).find_map(|n| row_steps_of(weights, columns, first / f32::from(n)))
}

/// As [`row_steps`], with rows' steps eighths of an octave away from `step`.
fn row_steps_of(weights: &[f32], columns: usize, step: f32) -> Option<RowSteps> {
    let mut found = RowSteps {
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

impl RowSteps {
    pub(super) fn pack(&self, columns: usize) -> Result<Vec<u8>, PackedError> {
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

pub(super) fn unpack_rows(t: &TensorProto) -> Result<Vec<TensorProto>, PackedError> {
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
    keep_sums_in_16_bits(&mut raw, columns);
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

/// Lowers the larger of two neighbours in a column where the sum of their products with 8-bit activations does not fit
/// into 16 bits: CPUs without 8-bit dot products would cut it off, and give another score than others.
fn keep_sums_in_16_bits(levels: &mut [u8], columns: usize) {
    const MOST: i16 = 2 * LEVELS as i16;
    for pair in levels.chunks_exact_mut(2 * columns) {
        let (first, second) = pair.split_at_mut(columns);
        for (a, b) in first.iter_mut().zip(second) {
            let (x, y) = (i16::from(a.cast_signed()), i16::from(b.cast_signed()));
            let over = (x + y).abs() - MOST;
            if over > 0 {
                let (larger, value) = if x.abs() >= y.abs() { (a, x) } else { (b, y) };
                *larger = ((value - over * value.signum()) as i8).cast_unsigned();
            }
        }
    }
}

/// Effort of the entropy coder; reading takes the same time for all.
const EFFORT: i32 = 19;

pub(super) fn pack_step(step: f32, levels: &[i8]) -> Result<Vec<u8>, PackedError> {
    let raw: Vec<u8> = levels.iter().map(|q| q.cast_unsigned()).collect();
    let mut out = step.to_le_bytes().to_vec();
    out.extend(zstd::bulk::compress(&raw, EFFORT).map_err(unreadable)?);
    Ok(out)
}

pub(super) fn unpack_step(t: &TensorProto) -> Result<Vec<TensorProto>, PackedError> {
    let [rows, columns] = matrix(t).ok_or_else(|| unreadable("a packed tensor is no matrix"))?;
    let fault = || unreadable("a packed matrix has another length than its sizes");
    let n = rows
        .checked_mul(columns)
        .filter(|n| *n <= MOST)
        .ok_or_else(fault)?;
    let (step, frame) = t.raw_data.split_first_chunk::<4>().ok_or_else(fault)?;
    let step = f32::from_le_bytes(*step);
    let mut raw = zstd::bulk::decompress(frame, n).map_err(unreadable)?;
    if raw.len() != n || !step.is_finite() {
        return Err(fault());
    }
    keep_sums_in_16_bits(&mut raw, columns);
    Ok(int8_tensors(
        &t.name,
        rows,
        columns,
        raw,
        &vec![step; columns],
    ))
}

#[cfg(test)]
mod tests {
    use super::super::tensor::{PACKED_ROW_STEPS, PACKED_STEP, floats};
    use super::*;

    #[test]
    fn multiples_of_a_step_are_stored_without_loss() {
        let levels: Vec<f32> = (0..256 * 512)
            .map(|i| ((i * 7919) % 9 - 4) as f32 * 0.013)
            .collect();
        let (step, found) = one_step(&levels).expect("steps");
        assert!((step - 0.013).abs() < 1e-7);
        let packed = pack_step(step, &found).expect("packs");
        assert!(packed.len() < levels.len() / 2);
        let mut t = TensorProto {
            dims: vec![256, 512],
            data_type: PACKED_STEP,
            name: "w".into(),
            raw_data: packed,
            ..Default::default()
        };
        let tensors = unpack_step(&t).expect("unpacks");
        let of = |name: &str| tensors.iter().find(|t| t.name == name).expect("there");
        let (weights, scales) = (of("w_i8"), of("w_scale"));
        for (q, w) in weights.raw_data.iter().zip(&levels) {
            assert!((f32::from(q.cast_signed()) * step - w).abs() < 1e-6);
        }
        assert_eq!(floats(&scales.raw_data), vec![step; 512]);
        assert!(one_step(&[0.013, 0.0195]).is_none());
        // Sizes that the frame does not fill, or that it overflows, and a cut frame.
        t.dims = vec![256, 513];
        assert!(unpack_step(&t).is_err());
        t.dims = vec![256, 511];
        assert!(unpack_step(&t).is_err());
        t.dims = vec![256, 512];
        t.raw_data.truncate(t.raw_data.len() - 3);
        assert!(unpack_step(&t).is_err());
    }

    #[test]
    fn no_pair_of_weights_overflows_16_bits() {
        let levels = [127_i8, -127, 100, 5, 60, -60, 3, -100, 28, -127];
        let mut raw: Vec<u8> = levels.map(i8::cast_unsigned).to_vec();
        keep_sums_in_16_bits(&mut raw, 2);
        let kept: Vec<i8> = raw.iter().map(|b| b.cast_signed()).collect();
        // Pairs of a column: 127 and 100, -127 and 5, 60 and 3, -60 and -100; a last row stands alone.
        assert_eq!(kept, [28, -127, 100, 5, 60, -60, 3, -68, 28, -127]);
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
        assert!(one_step(&weights).is_none());
        let found = row_steps(&weights, columns).expect("steps");
        let packed = found.pack(columns).expect("packs");
        assert!(packed.len() < weights.len() / 2);
        let mut t = TensorProto {
            dims: vec![rows as i64, columns as i64],
            data_type: PACKED_ROW_STEPS,
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
        assert!(row_steps(&[0.013, 0.0195, 0.4, 0.5101], 2).is_none());
        let thrice = [0.03, -0.05, 0.01, 0.02].map(|w: f32| w * 1.7);
        let found = row_steps(&thrice, 2).expect("steps");
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
