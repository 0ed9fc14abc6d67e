//! A linear classifier on frozen features, fitted as a convex problem.
//!
//! Logistic regression with a ridge on standardised features, by gradient descent with Nesterov's
//! momentum from zero: no learning rate to tune, the same result on every run. The standardisation
//! is folded into the weights, so the network keeps its layout.

use rand::distr::weighted::WeightedIndex;
use rand::prelude::*;
use rand_chacha::ChaCha8Rng;
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

/// Adds what one row (values, number) contributes.
type AddRow<'a> = dyn Fn(&[f32], usize, &mut [f64]) + Sync + 'a;

/// Sum over all rows of what `add` puts into `width + 1` cells; in a fixed order, whatever the number
/// of threads.
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

/// Settings of [`fit_early`].
#[derive(Clone, Copy, Debug)]
pub struct Early {
    /// Passes over the rows.
    pub epochs: usize,
    /// Highest learning rate; it falls to zero along a half cosine.
    pub learning_rate: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Share of features that are left out of each row and step.
    pub dropout: f64,
    /// Targets are moved this far towards one half.
    pub smoothing: f64,
    /// Seed.
    pub seed: u64,
}

/// Rows of a step of [`fit_early`].
const STEP: usize = 256;

/// Fits by a few epochs of AdamW (Loshchilov and Hutter, ICLR 2019; betas .9 and .999, epsilon 1e-8) on
/// standardised rows drawn by weight. Stopping early is the regulariser: with features that hang
/// together as closely as a tower's, the full fit learns its training sources by heart.
#[must_use]
pub fn fit_early(
    mut rows: Vec<f32>,
    width: usize,
    labels: &[f32],
    weights: &[f32],
    how: &Early,
) -> Linear {
    let n = labels.len();
    let mean = column_sums(&rows, width, |v, _| v);
    let mean: Vec<f32> = mean.iter().map(|m| (m / n as f64) as f32).collect();
    let var = column_sums(&rows, width, |v, j| (v - f64::from(mean[j])).powi(2));
    let scale: Vec<f32> = var
        .iter()
        .map(|v| (1.0 / ((v / n as f64).sqrt() + 1e-3)) as f32)
        .collect();
    rows.par_chunks_mut(width).for_each(|row| {
        for ((v, m), s) in row.iter_mut().zip(&mean).zip(&scale) {
            *v = (*v - m) * s;
        }
    });
    let Ok(draw) = WeightedIndex::new(weights) else {
        return Linear {
            weight: vec![0.0; width],
            bias: 0.0,
        };
    };
    let mut rng = ChaCha8Rng::seed_from_u64(how.seed);
    let steps = (how.epochs * n).div_ceil(STEP);
    // The last cell is the bias.
    let mut w = vec![0.0_f32; width + 1];
    let (mut first, mut second) = (vec![0.0_f32; width + 1], vec![0.0_f32; width + 1]);
    let keep = (1.0 - how.dropout) as f32;
    for step in 0..steps {
        let chosen: Vec<(usize, u64)> = (0..STEP)
            .map(|_| (draw.sample(&mut rng), rng.random()))
            .collect();
        let gradient = chosen
            .par_chunks(64)
            .map(|part| {
                let mut g = vec![0.0_f32; width + 1];
                let mut x = vec![0.0_f32; width];
                for (i, seed) in part {
                    let mut mask = ChaCha8Rng::seed_from_u64(*seed);
                    let row = &rows[i * width..(i + 1) * width];
                    for (o, v) in x.iter_mut().zip(row) {
                        let dropped = mask.random::<f32>() >= keep;
                        *o = if dropped { 0.0 } else { v / keep };
                    }
                    let z = dot(&x, &w[..width]) + w[width];
                    let target =
                        f64::from(labels[*i]) * (1.0 - how.smoothing) + 0.5 * how.smoothing;
                    let e = (1.0 / (1.0 + (-z).exp()) - target as f32) / STEP as f32;
                    for (g, v) in g.iter_mut().zip(&x) {
                        *g += e * v;
                    }
                    g[width] += e;
                }
                g
            })
            .collect::<Vec<_>>();
        let progress = step as f64 / steps as f64;
        let rate = how.learning_rate * (1.0 + (std::f64::consts::PI * progress).cos()) / 2.0;
        let t = (step + 1) as i32;
        let (c1, c2) = (1.0 - 0.9_f64.powi(t), 1.0 - 0.999_f64.powi(t));
        for j in 0..=width {
            let g: f32 = gradient.iter().map(|p| p[j]).sum();
            first[j] = 0.9 * first[j] + 0.1 * g;
            second[j] = 0.999 * second[j] + 0.001 * g * g;
            let m = f64::from(first[j]) / c1;
            let v = f64::from(second[j]) / c2;
            let decayed = f64::from(w[j]) * (1.0 - rate * how.weight_decay);
            w[j] = (decayed - rate * m / (v.sqrt() + 1e-8)) as f32;
        }
    }
    let weight: Vec<f32> = w[..width].iter().zip(&scale).map(|(w, s)| w * s).collect();
    let shift: f64 = weight
        .iter()
        .zip(&mean)
        .map(|(w, m)| f64::from(*w) * f64::from(*m))
        .sum();
    Linear {
        bias: (f64::from(w[width]) - shift) as f32,
        weight,
    }
}

fn column_sums(rows: &[f32], width: usize, f: impl Fn(f64, usize) -> f64 + Sync) -> Vec<f64> {
    let mut sums = sum_rows(rows, width, &|row, _, out| {
        for (j, (o, v)) in out.iter_mut().zip(row).enumerate() {
            *o += f(f64::from(*v), j);
        }
    });
    sums.truncate(width);
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_early_fit_separates_and_repeats() {
        let mut rows = Vec::new();
        let mut labels = Vec::new();
        for i in 0..600 {
            let y = f32::from(u8::from(i % 2 == 1));
            let noise = ((i * 37) % 101) as f32 / 101.0;
            rows.extend([300.0 + 40.0 * y + 10.0 * noise, 0.5 * noise, 2.0 - y]);
            labels.push(y);
        }
        let how = Early {
            epochs: 200,
            learning_rate: 0.01,
            weight_decay: 0.01,
            dropout: 0.1,
            smoothing: 0.05,
            seed: 3,
        };
        let weights = vec![1.0; labels.len()];
        let l = fit_early(rows.clone(), 3, &labels, &weights, &how);
        for (row, y) in rows.chunks_exact(3).zip(&labels) {
            let z: f32 = l.bias + row.iter().zip(&l.weight).map(|(x, w)| x * w).sum::<f32>();
            assert_eq!(z > 0.0, *y > 0.5);
        }
        assert_eq!(l, fit_early(rows, 3, &labels, &weights, &how));
    }

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
