//! A linear classifier on frozen features, fitted as a convex problem.
//!
//! Logistic regression with a ridge on standardised features, by gradient descent with Nesterov's
//! momentum from zero: no learning rate to tune, the same result on every run. The standardisation
//! is folded into the weights, so the network keeps its layout.

use rayon::prelude::*;

/// Weights `[features]` and bias of a linear layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear {
    /// Weights on raw features.
    pub weight: Vec<f32>,
    /// Bias.
    pub bias: f32,
}

/// Fits `rows` of `width` features each to `labels` (0 or 1); `ridge` is relative to the number of
/// rows.
#[must_use]
pub fn fit(rows: &[f32], width: usize, labels: &[f32], ridge: f64, iterations: usize) -> Linear {
    let weights = vec![1.0; labels.len()];
    fit_weighted(rows.to_vec(), width, labels, &weights, ridge, iterations)
}

/// Rows that one thread works on at a time.
const CHUNK: usize = 256;

/// Fits as [`fit`] does, each row counting by its weight. Takes the rows, since it standardises them
/// in place.
#[must_use]
pub fn fit_weighted(
    mut rows: Vec<f32>,
    width: usize,
    labels: &[f32],
    weights: &[f32],
    ridge: f64,
    iterations: usize,
) -> Linear {
    let total: f64 = weights.iter().map(|w| f64::from(*w)).sum();
    let share: Vec<f32> = weights
        .iter()
        .map(|w| (f64::from(*w) / total) as f32)
        .collect();
    let moment = |power: &(dyn Fn(f32, usize) -> f64 + Sync)| -> Vec<f64> {
        sum_rows(&rows, width, &|row, i, out| {
            for (j, (o, v)) in out.iter_mut().zip(row).enumerate() {
                *o += f64::from(share[i]) * power(*v, j);
            }
        })
    };
    let mean = moment(&|v, _| f64::from(v));
    let var = moment(&|v, j| (f64::from(v) - mean[j]).powi(2));
    // Features that hardly vary carry nothing but noise once they are scaled up.
    let scale: Vec<f32> = var
        .iter()
        .map(|v| {
            if *v > 1e-6 {
                (1.0 / v.sqrt()) as f32
            } else {
                0.0
            }
        })
        .collect();
    rows.par_chunks_mut(width).for_each(|row| {
        for ((v, m), s) in row.iter_mut().zip(&mean).zip(&scale) {
            *v = (*v - *m as f32) * s;
        }
    });
    let standard = rows;
    // The Hessian of the mean loss is at most a quarter of the covariance's largest eigenvalue.
    let step = 1.0 / (0.25 * largest_eigenvalue(&standard, width, &share) + ridge + 0.25);
    let (mut w, mut b) = (vec![0.0_f64; width], 0.0_f64);
    let (mut w_ahead, mut b_ahead) = (w.clone(), b);
    for k in 0..iterations {
        let ahead: Vec<f32> = w_ahead.iter().map(|v| *v as f32).collect();
        // One more cell holds the gradient of the bias.
        let mut gradient = sum_rows(&standard, width, &|row, i, out| {
            let z = b_ahead + f64::from(dot(row, &ahead));
            let e = (1.0 / (1.0 + (-z).exp()) - f64::from(labels[i])) * f64::from(share[i]);
            for (g, x) in out.iter_mut().zip(row) {
                *g += e * f64::from(*x);
            }
            out[width] += e;
        });
        let gradient_b = gradient.pop().unwrap_or(0.0);
        let momentum = k as f64 / (k as f64 + 3.0);
        let next: Vec<f64> = w_ahead
            .iter()
            .zip(&gradient)
            .map(|(w, g)| w - step * (g + ridge * w))
            .collect();
        let next_b = b_ahead - step * gradient_b;
        w_ahead = next
            .iter()
            .zip(&w)
            .map(|(n, o)| n + momentum * (n - o))
            .collect();
        b_ahead = next_b + momentum * (next_b - b);
        (w, b) = (next, next_b);
    }
    let weight: Vec<f32> = w.iter().zip(&scale).map(|(w, s)| *w as f32 * s).collect();
    let shift: f64 = weight
        .iter()
        .zip(&mean)
        .map(|(w, m)| f64::from(*w) * m)
        .sum();
    Linear {
        weight,
        bias: (b - shift) as f32,
    }
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

/// Sum over all rows of what `add` puts into `width + 1` cells; in a fixed order, whatever the number
/// of threads.
fn sum_rows(
    rows: &[f32],
    width: usize,
    add: &(dyn Fn(&[f32], usize, &mut [f64]) + Sync),
) -> Vec<f64> {
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

/// Largest eigenvalue of the weighted covariance of standardised rows, by power iteration.
fn largest_eigenvalue(rows: &[f32], width: usize, share: &[f32]) -> f64 {
    let mut v = vec![1.0 / (width as f32).sqrt(); width];
    let mut value = 1.0;
    for _ in 0..12 {
        let mut next = sum_rows(rows, width, &|row, i, out| {
            let d = f64::from(dot(row, &v)) * f64::from(share[i]);
            for (o, x) in out.iter_mut().zip(row) {
                *o += d * f64::from(*x);
            }
        });
        next.truncate(width);
        value = next.iter().map(|x| x * x).sum::<f64>().sqrt();
        if value <= f64::MIN_POSITIVE {
            return 0.0;
        }
        v = next.into_iter().map(|x| (x / value) as f32).collect();
    }
    // Power iteration comes from below.
    1.1 * value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_separable_problem_is_separated_whatever_the_scale_of_its_features() {
        let mut rows = Vec::new();
        let mut labels = Vec::new();
        for i in 0..200 {
            let y = f32::from(u8::from(i % 2 == 1));
            let noise = ((i * 37) % 11) as f32 / 11.0;
            rows.extend([1000.0 + 50.0 * y + 10.0 * noise, 0.01 * noise, 5.0]);
            labels.push(y);
        }
        let l = fit(&rows, 3, &labels, 1e-3, 300);
        for (row, y) in rows.chunks_exact(3).zip(&labels) {
            let z: f32 = l.bias + row.iter().zip(&l.weight).map(|(x, w)| x * w).sum::<f32>();
            assert_eq!(z > 0.0, *y > 0.5);
        }
        assert_eq!(l.weight[2], 0.0);
    }
}
