//! The minimum, by gradient descent with Nesterov's momentum on standardised features: no learning rate to tune. The
//! standardisation is folded into the weights.

use super::{Linear, Samples, dot, sigmoid, standardise, sum_rows};

/// Settings of [`fit`].
#[derive(Clone, Copy, Debug)]
pub struct Convex {
    /// L2 penalty on the weights of standardised features, relative to the mean loss.
    pub ridge: f64,
    /// Iterations.
    pub iterations: usize,
}

/// Variance below which a feature is left out: scaled up it would carry nothing but noise.
const LEAST_VARIANCE: f64 = 1e-6;

/// The minimum of the loss, as near as `how.iterations` come to it.
#[must_use]
pub fn fit(samples: Samples<'_>, how: &Convex) -> Linear {
    let Samples {
        mut rows,
        width,
        labels,
        weights,
    } = samples;
    if width == 0 || rows.is_empty() {
        return Linear {
            weight: vec![0.0; width],
            bias: 0.0,
        };
    }
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
    let mut mean = moment(&|v, _| f64::from(v));
    let mut var = moment(&|v, j| (f64::from(v) - mean[j]).powi(2));
    mean.truncate(width);
    var.truncate(width);
    let scale: Vec<f32> = var
        .iter()
        .map(|v| match *v > LEAST_VARIANCE {
            true => (1.0 / v.sqrt()) as f32,
            false => 0.0,
        })
        .collect();
    let centre: Vec<f32> = mean.iter().map(|m| *m as f32).collect();
    standardise(&mut rows, &centre, &scale);
    let (w, b) = descend(&rows, width, labels, &share, how);
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

/// Weights and bias on standardised rows.
fn descend(
    rows: &[f32],
    width: usize,
    labels: &[f32],
    share: &[f32],
    how: &Convex,
) -> (Vec<f64>, f64) {
    let ridge = how.ridge;
    // The Hessian of the mean loss is at most a quarter of the covariance's largest eigenvalue.
    let step = 1.0 / (0.25 * largest_eigenvalue(rows, width, share) + ridge + 0.25);
    let (mut w, mut b) = (vec![0.0_f64; width], 0.0_f64);
    let (mut w_ahead, mut b_ahead) = (w.clone(), b);
    for k in 0..how.iterations {
        let ahead: Vec<f32> = w_ahead.iter().map(|v| *v as f32).collect();
        // One more cell holds the gradient of the bias.
        let mut gradient = sum_rows(rows, width, &|row, i, out| {
            let z = b_ahead + f64::from(dot(row, &ahead));
            let e = (sigmoid(z) - f64::from(labels[i])) * f64::from(share[i]);
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
    (w, b)
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

    fn fitted(rows: &[f32], width: usize, labels: &[f32], weights: &[f32], ridge: f64) -> Linear {
        let samples = Samples {
            rows: rows.to_vec(),
            width,
            labels,
            weights,
        };
        let how = Convex {
            ridge,
            iterations: 2000,
        };
        fit(samples, &how)
    }

    #[test]
    fn a_constant_feature_leaves_the_odds_to_the_bias() {
        // Three of four: the odds are 3.
        let l = fitted(&[7.0; 4], 1, &[1.0, 1.0, 1.0, 0.0], &[1.0; 4], 0.01);
        assert_eq!(l.weight, [0.0]);
        assert!((l.bias - 3.0_f32.ln()).abs() < 1e-5, "{l:?}");
    }

    #[test]
    fn a_feature_of_two_values_has_the_odds_of_each() {
        // At 0 one of four is positive (odds 1/3), at 1 two of three (odds 2). Weights stand for repeated rows.
        let rows = [0.0, 0.0, 1.0, 1.0];
        let labels = [1.0, 0.0, 1.0, 0.0];
        let l = fitted(&rows, 1, &labels, &[1.0, 3.0, 2.0, 1.0], 0.0);
        assert!((l.bias - (1.0_f32 / 3.0).ln()).abs() < 1e-3, "{l:?}");
        assert!((l.weight[0] - 6.0_f32.ln()).abs() < 1e-3, "{l:?}");
        assert!((l.logit(&[1.0]) - 2.0_f32.ln()).abs() < 1e-3, "{l:?}");
    }

    #[test]
    fn the_ridge_holds_a_separable_problem_at_its_minimum() {
        // One row at 1 and one at -1: the minimum of ln(1 + exp(-w)) + ridge / 2 w^2 lies at 1 for this ridge.
        let ridge = 1.0 / (1.0 + 1.0_f64.exp());
        let l = fitted(&[1.0, -1.0], 1, &[1.0, 0.0], &[1.0; 2], ridge);
        assert!((l.weight[0] - 1.0).abs() < 1e-4, "{l:?}");
        assert!(l.bias.abs() < 1e-5, "{l:?}");
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
        let l = fitted(&rows, 3, &labels, &[1.0; 200], 1e-3);
        for (row, y) in rows.chunks_exact(3).zip(&labels) {
            assert_eq!(l.logit(row) > 0.0, *y > 0.5);
        }
        assert_eq!(l.weight[2], 0.0);
    }

    #[test]
    fn nothing_gives_nothing() {
        let l = fitted(&[], 2, &[], &[], 0.1);
        assert_eq!((l.weight, l.bias), (vec![0.0; 2], 0.0));
    }
}
