//! Passes over rows of features, the same in every run.

use rayon::prelude::*;

/// Inner product.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    // Eight running sums let the compiler use vector registers.
    let mut sums = [0.0_f32; 8];
    let (a8, b8) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = a8
        .remainder()
        .iter()
        .zip(b8.remainder())
        .map(|(x, y)| x * y)
        .sum();
    for (x, y) in a8.zip(b8) {
        for (s, (x, y)) in sums.iter_mut().zip(x.iter().zip(y)) {
            *s += x * y;
        }
    }
    sums.iter().sum::<f32>() + rest
}

/// Rows that one thread works on at a time.
const CHUNK: usize = 256;

/// Adds what one row (values, number) contributes.
pub(super) type AddRow<'a> = dyn Fn(&[f32], usize, &mut [f64]) + Sync + 'a;

/// Sum over all rows of what `add` puts into `width + 1` cells, in a fixed order.
pub(super) fn sum_rows(rows: &[f32], width: usize, add: &AddRow<'_>) -> Vec<f64> {
    let parts: Vec<Vec<f64>> = rows
        .par_chunks(CHUNK * width)
        .enumerate()
        .map(|(c, chunk)| {
            let mut out = vec![0.0; width + 1];
            for (r, row) in chunk.chunks_exact(width).enumerate() {
                add(row, c * CHUNK + r, &mut out);
            }
            out
        })
        .collect();
    let mut sum = vec![0.0; width + 1];
    for part in parts {
        for (s, p) in sum.iter_mut().zip(part) {
            *s += p;
        }
    }
    sum
}

/// Subtracts the mean of each feature and multiplies by its scale.
pub(super) fn standardise(rows: &mut [f32], mean: &[f32], scale: &[f32]) {
    rows.par_chunks_mut(mean.len()).for_each(|row| {
        for ((v, m), s) in row.iter_mut().zip(mean).zip(scale) {
            *v = (*v - m) * s;
        }
    });
}
