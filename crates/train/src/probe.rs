//! A linear classifier on frozen features, fitted as a convex problem.
//!
//! Logistic regression with a ridge on standardised features, by gradient descent with Nesterov's
//! momentum from zero: no learning rate to tune, the same result on every run. The standardisation
//! is folded into the weights, so the network keeps its layout.

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
    let n = labels.len();
    let mut mean = vec![0.0_f64; width];
    let mut var = vec![0.0_f64; width];
    for row in rows.chunks_exact(width) {
        for (m, v) in mean.iter_mut().zip(row) {
            *m += f64::from(*v) / n as f64;
        }
    }
    for row in rows.chunks_exact(width) {
        for ((s, m), v) in var.iter_mut().zip(&mean).zip(row) {
            *s += (f64::from(*v) - m).powi(2) / n as f64;
        }
    }
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
    let standard: Vec<f32> = rows
        .chunks_exact(width)
        .flat_map(|row| {
            row.iter()
                .zip(mean.iter().zip(&scale))
                .map(|(v, (m, s))| (v - *m as f32) * s)
        })
        .collect();
    // The Hessian of the mean loss is at most a quarter of the covariance's largest eigenvalue.
    let step = 1.0 / (0.25 * largest_eigenvalue(&standard, width) + ridge + 0.25);
    let (mut w, mut b) = (vec![0.0_f64; width], 0.0_f64);
    let (mut w_ahead, mut b_ahead) = (w.clone(), b);
    for k in 0..iterations {
        let mut gradient: Vec<f64> = w_ahead.iter().map(|v| ridge * v).collect();
        let mut gradient_b = 0.0;
        for (row, y) in standard.chunks_exact(width).zip(labels) {
            let z = b_ahead
                + row
                    .iter()
                    .zip(&w_ahead)
                    .map(|(x, w)| f64::from(*x) * w)
                    .sum::<f64>();
            let e = (1.0 / (1.0 + (-z).exp()) - f64::from(*y)) / n as f64;
            gradient_b += e;
            for (g, x) in gradient.iter_mut().zip(row) {
                *g += e * f64::from(*x);
            }
        }
        let momentum = k as f64 / (k as f64 + 3.0);
        let next: Vec<f64> = w_ahead
            .iter()
            .zip(&gradient)
            .map(|(w, g)| w - step * g)
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

/// Largest eigenvalue of the covariance of standardised rows, by power iteration.
fn largest_eigenvalue(rows: &[f32], width: usize) -> f64 {
    let n = (rows.len() / width).max(1) as f64;
    let mut v = vec![1.0 / (width as f64).sqrt(); width];
    let mut value = 1.0;
    for _ in 0..12 {
        let mut next = vec![0.0; width];
        for row in rows.chunks_exact(width) {
            let dot: f64 = row.iter().zip(&v).map(|(x, v)| f64::from(*x) * v).sum();
            for (o, x) in next.iter_mut().zip(row) {
                *o += dot * f64::from(*x) / n;
            }
        }
        value = next.iter().map(|x| x * x).sum::<f64>().sqrt();
        if value <= f64::MIN_POSITIVE {
            return 0.0;
        }
        v = next.into_iter().map(|x| x / value).collect();
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
