//! Logistic regression: the one implementation that training, calibration and checks of data sets share.
//!
//! The loss is the weighted mean of the cross-entropy, and half of `ridge` times the squared weights where there is
//! one; the bias is free. Three ways to its minimum:
//! - [`fit`]: all the way, on standardised features, for many features;
//! - [`early`]: a few passes of AdamW, where stopping early is the regulariser;
//! - [`line`]: Newton's method for a single feature, to the last digit.
//!
//! All start from zero and give the same result in every run, whatever the number of threads.

mod convex;
mod early;
mod line;

pub use convex::{Convex, fit};
pub use early::{Early, early};
pub use line::{Line, line};

use rayon::prelude::*;

/// Weights `[features]` and bias of a linear classifier.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear {
    /// Weights on raw features.
    pub weight: Vec<f32>,
    /// Bias.
    pub bias: f32,
}

impl Linear {
    /// The logit of a row of raw features.
    #[must_use]
    pub fn logit(&self, row: &[f32]) -> f32 {
        self.bias + self.weight.iter().zip(row).map(|(w, v)| w * v).sum::<f32>()
    }
}

/// What is fitted.
#[derive(Clone, Debug)]
pub struct Samples<'a> {
    /// Features, row by row. A fit standardises them in place.
    pub rows: Vec<f32>,
    /// Features of a row.
    pub width: usize,
    /// Target of each row, 0 to 1.
    pub labels: &'a [f32],
    /// How much each row counts.
    pub weights: &'a [f32],
}

fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
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
type AddRow<'a> = dyn Fn(&[f32], usize, &mut [f64]) + Sync + 'a;

/// Sum over all rows of what `add` puts into `width + 1` cells, in a fixed order.
fn sum_rows(rows: &[f32], width: usize, add: &AddRow<'_>) -> Vec<f64> {
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
fn standardise(rows: &mut [f32], mean: &[f32], scale: &[f32]) {
    rows.par_chunks_mut(mean.len()).for_each(|row| {
        for ((v, m), s) in row.iter_mut().zip(mean).zip(scale) {
            *v = (*v - m) * s;
        }
    });
}
