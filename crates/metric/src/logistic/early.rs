//! A few epochs of AdamW (Loshchilov and Hutter, ICLR 2019; betas .9 and .999, epsilon 1e-8) on standardised rows that
//! are drawn by weight. Stopping early is the regulariser: with features that hang together as closely as an
//! encoder's, the full fit learns its training sources by heart.

use rand::distr::weighted::WeightedIndex;
use rand::prelude::*;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::{Linear, Samples, dot, standardise, sum_rows};

/// Settings of [`early`].
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

/// Rows of a step.
const STEP: usize = 256;

/// Fits by `how.epochs` passes; all zero where no row has weight.
#[must_use]
pub fn early(samples: Samples<'_>, how: &Early) -> Linear {
    let Samples {
        mut rows,
        width,
        labels,
        weights,
    } = samples;
    let n = labels.len();
    let nothing = Linear {
        weight: vec![0.0; width],
        bias: 0.0,
    };
    let Ok(draw) = WeightedIndex::new(weights) else {
        return nothing;
    };
    if width == 0 {
        return nothing;
    }
    let mean = column_sums(&rows, width, |v, _| v);
    let mean: Vec<f32> = mean.iter().map(|m| (m / n as f64) as f32).collect();
    let var = column_sums(&rows, width, |v, j| (v - f64::from(mean[j])).powi(2));
    let scale: Vec<f32> = var
        .iter()
        .map(|v| (1.0 / ((v / n as f64).sqrt() + 1e-3)) as f32)
        .collect();
    standardise(&mut rows, &mean, &scale);
    let mut rng = ChaCha8Rng::seed_from_u64(how.seed);
    let steps = (how.epochs * n).div_ceil(STEP);
    // The last cell is the bias.
    let mut w = vec![0.0_f32; width + 1];
    let (mut first, mut second) = (vec![0.0_f32; width + 1], vec![0.0_f32; width + 1]);
    for step in 0..steps {
        let chosen: Vec<(usize, u64)> = (0..STEP)
            .map(|_| (draw.sample(&mut rng), rng.random()))
            .collect();
        let gradient = gradient(&rows, width, labels, &w, &chosen, how);
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

/// Mean gradient over the chosen rows (number, seed of what is left out), in parts of a fixed order.
fn gradient(
    rows: &[f32],
    width: usize,
    labels: &[f32],
    w: &[f32],
    chosen: &[(usize, u64)],
    how: &Early,
) -> Vec<Vec<f32>> {
    let keep = (1.0 - how.dropout) as f32;
    chosen
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
                let target = f64::from(labels[*i]) * (1.0 - how.smoothing) + 0.5 * how.smoothing;
                // In single precision, as the weights that ship were fitted.
                let e = (1.0 / (1.0 + (-z).exp()) - target as f32) / STEP as f32;
                for (g, v) in g.iter_mut().zip(&x) {
                    *g += e * v;
                }
                g[width] += e;
            }
            g
        })
        .collect()
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

    const HOW: Early = Early {
        epochs: 200,
        learning_rate: 0.01,
        weight_decay: 0.01,
        dropout: 0.1,
        smoothing: 0.05,
        seed: 3,
    };

    #[test]
    fn it_separates_and_repeats() {
        let mut rows = Vec::new();
        let mut labels = Vec::new();
        for i in 0..600 {
            let y = f32::from(u8::from(i % 2 == 1));
            let noise = ((i * 37) % 101) as f32 / 101.0;
            rows.extend([300.0 + 40.0 * y + 10.0 * noise, 0.5 * noise, 2.0 - y]);
            labels.push(y);
        }
        let weights = vec![1.0; labels.len()];
        let samples = Samples {
            rows: rows.clone(),
            width: 3,
            labels: &labels,
            weights: &weights,
        };
        let l = early(samples.clone(), &HOW);
        for (row, y) in rows.chunks_exact(3).zip(&labels) {
            assert_eq!(l.logit(row) > 0.0, *y > 0.5);
        }
        assert_eq!(l, early(samples, &HOW));
    }

    #[test]
    fn rows_without_weight_are_never_drawn() {
        let rows = vec![1.0, -1.0, 1.0, -1.0];
        // The last two rows say the contrary.
        let samples = |weights| Samples {
            rows: rows.clone(),
            width: 1,
            labels: &[1.0, 0.0, 0.0, 1.0],
            weights,
        };
        let l = early(samples(&[1.0, 1.0, 0.0, 0.0]), &HOW);
        assert!(l.weight[0] > 0.0, "{l:?}");
        let none = early(samples(&[0.0; 4]), &HOW);
        assert_eq!((none.weight, none.bias), (vec![0.0], 0.0));
    }
}
