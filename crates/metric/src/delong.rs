//! DeLong's test for two AUCs on the same pictures (DeLong et al., Biometrics 1988), with placement
//! values from mid-ranks (Sun and Xu, IEEE SPL 2014).
//!
//! Pictures count as independent; where they come in groups, the interval by group is the honest
//! one and stands beside this.

/// Outcome of the test.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DeLong {
    /// AUC of either detector.
    pub auc: [f64; 2],
    /// Variance of each AUC.
    pub variance: [f64; 2],
    /// Covariance.
    pub covariance: f64,
    /// `(auc0 - auc1) / sd`; 0 when the difference has no variance.
    pub z: f64,
    /// Two-sided.
    pub p_value: f64,
}

/// Mid-ranks from 1, of equal values their mean.
fn midranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut i = 0;
    while i < order.len() {
        let end = i + order[i..]
            .iter()
            .take_while(|o| values[**o] == values[order[i]])
            .count();
        let rank = (i + end + 1) as f64 / 2.0;
        for o in &order[i..end] {
            ranks[*o] = rank;
        }
        i = end;
    }
    ranks
}

/// Compares two score lists over the same labels; `None` when a class has fewer than two rows or
/// the lengths differ.
#[must_use]
pub fn delong(positive: &[bool], a: &[f64], b: &[f64]) -> Option<DeLong> {
    let m = positive.iter().filter(|p| **p).count();
    let n = positive.len() - m;
    if m < 2 || n < 2 || a.len() != positive.len() || b.len() != positive.len() {
        return None;
    }
    let mut auc = [0.0; 2];
    let mut placements: [[Vec<f64>; 2]; 2] = Default::default();
    for (k, scores) in [a, b].into_iter().enumerate() {
        let pick = |want: bool| -> Vec<f64> {
            scores
                .iter()
                .zip(positive)
                .filter(|(_, p)| **p == want)
                .map(|(s, _)| *s)
                .collect()
        };
        let (x, y) = (pick(true), pick(false));
        let joint: Vec<f64> = x.iter().chain(&y).copied().collect();
        let (all, own_x, own_y) = (midranks(&joint), midranks(&x), midranks(&y));
        auc[k] =
            all[..m].iter().sum::<f64>() / (m * n) as f64 - (m as f64 + 1.0) / (2.0 * n as f64);
        placements[k][0] = (0..m).map(|i| (all[i] - own_x[i]) / n as f64).collect();
        placements[k][1] = (0..n)
            .map(|i| 1.0 - (all[m + i] - own_y[i]) / m as f64)
            .collect();
    }
    let covariance = |i: usize, j: usize| -> f64 {
        [m, n]
            .iter()
            .enumerate()
            .map(|(class, size)| {
                let (u, v) = (&placements[i][class], &placements[j][class]);
                let sum: f64 = u
                    .iter()
                    .zip(v)
                    .map(|(u, v)| (u - auc[i]) * (v - auc[j]))
                    .sum();
                sum / (*size as f64 - 1.0) / *size as f64
            })
            .sum()
    };
    let variance = [covariance(0, 0), covariance(1, 1)];
    let between = covariance(0, 1);
    let deviation = (variance[0] + variance[1] - 2.0 * between).max(0.0).sqrt();
    let z = if deviation > 1e-12 {
        (auc[0] - auc[1]) / deviation
    } else {
        0.0
    };
    Some(DeLong {
        auc,
        variance,
        covariance: between,
        z,
        p_value: erfc(z.abs() / std::f64::consts::SQRT_2),
    })
}

/// Complementary error function: series near zero, continued fraction beyond (Abramowitz and
/// Stegun 7.1.5 and 7.1.14).
fn erfc(x: f64) -> f64 {
    let root_pi = std::f64::consts::PI.sqrt();
    if x < 2.5 {
        let (mut term, mut sum) = (x, x);
        for k in 1..80 {
            term *= -x * x / f64::from(k);
            sum += term / f64::from(2 * k + 1);
        }
        return 1.0 - 2.0 / root_pi * sum;
    }
    let mut tail = 0.0;
    for k in (1..=120).rev() {
        tail = f64::from(k) / 2.0 / (x + tail);
    }
    (-x * x).exp() / (root_pi * (x + tail))
}
