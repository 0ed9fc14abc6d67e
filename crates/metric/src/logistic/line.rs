//! A single feature by Newton's method, as Platt's sigmoid needs it (Platt, *Advances in Large Margin Classifiers*,
//! 1999).

use super::sigmoid;

/// Log-odds = `scale` x feature + `offset`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    /// Weight of the feature.
    pub scale: f64,
    /// Bias.
    pub offset: f64,
}

/// The minimum of the sum over rows (feature, target, weight) of weight times cross-entropy, and half of `ridge` times
/// the squared scale; `None` where the steps run away, as on separable rows without a ridge.
#[must_use]
pub fn line(rows: &[(f64, f64, f64)], ridge: f64) -> Option<Line> {
    let (mut a, mut b) = (0.0_f64, 0.0_f64);
    for _ in 0..50 {
        let (mut ga, mut gb) = (ridge * a, 0.0);
        // The least of the offset's curvature keeps the system solvable.
        let (mut haa, mut hab, mut hbb) = (ridge, 0.0, 1e-9);
        for (x, target, w) in rows {
            let p = sigmoid(a * x + b);
            let e = w * (p - target);
            let h = w * p * (1.0 - p);
            ga += e * x;
            gb += e;
            haa += h * x * x;
            hab += h * x;
            hbb += h;
        }
        let det = haa * hbb - hab * hab;
        if det.abs() < 1e-15 {
            break;
        }
        a -= (hbb * ga - hab * gb) / det;
        b -= (haa * gb - hab * ga) / det;
    }
    (a.is_finite() && b.is_finite()).then_some(Line {
        scale: a,
        offset: b,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feature_of_two_values_has_the_odds_of_each() {
        // At 0 one of four is positive (odds 1/3), at 1 two of three (odds 2).
        let rows = [
            (0.0, 1.0, 1.0),
            (0.0, 0.0, 3.0),
            (1.0, 1.0, 2.0),
            (1.0, 0.0, 1.0),
        ];
        let l = line(&rows, 0.0).expect("a minimum");
        assert!((l.offset - (1.0_f64 / 3.0).ln()).abs() < 1e-7, "{l:?}");
        assert!((l.scale - 6.0_f64.ln()).abs() < 1e-7, "{l:?}");
    }

    #[test]
    fn the_ridge_holds_a_separable_problem_at_its_minimum() {
        // Weights of one half: 2 x half x ln(1 + exp(-a)) + ridge / 2 a^2 has its minimum at 1 for this ridge.
        let ridge = 1.0 / (1.0 + 1.0_f64.exp());
        let rows = [(1.0, 1.0, 0.5), (-1.0, 0.0, 0.5)];
        let l = line(&rows, ridge).expect("a minimum");
        assert!(
            (l.scale - 1.0).abs() < 1e-9 && l.offset.abs() < 1e-9,
            "{l:?}"
        );
    }

    #[test]
    fn it_agrees_with_the_fit_of_many_features() {
        let x: Vec<f32> = (0..60).map(|i| (i * 37 % 60) as f32 / 10.0).collect();
        let labels: Vec<f32> = (0..60)
            .map(|i| f32::from(u8::from(i * 37 % 60 + i * 11 % 30 > 45)))
            .collect();
        let rows: Vec<(f64, f64, f64)> = x
            .iter()
            .zip(&labels)
            .map(|(x, y)| (f64::from(*x), f64::from(*y), 1.0))
            .collect();
        let exact = line(&rows, 0.0).expect("a minimum");
        let samples = crate::logistic::Samples {
            rows: x,
            width: 1,
            labels: &labels,
            weights: &[1.0; 60],
        };
        let how = crate::logistic::Convex {
            ridge: 0.0,
            iterations: 5000,
        };
        let near = crate::logistic::fit(samples, &how);
        assert!(
            (f64::from(near.weight[0]) - exact.scale).abs() < 1e-3,
            "{near:?} {exact:?}"
        );
        assert!(
            (f64::from(near.bias) - exact.offset).abs() < 1e-2,
            "{near:?} {exact:?}"
        );
    }
}
