//! Negative log-likelihood in nats; probabilities are kept a rounding error away from 0 and 1, as
//! scikit-learn's `log_loss` does.

use crate::scores::Drawn;

/// The mean; `None` without rows or when scores are no probabilities.
#[must_use]
pub fn nll(v: &Drawn<'_>) -> Option<f64> {
    if v.total() == 0.0 || !v.are_probabilities() {
        return None;
    }
    let sum: f64 = v
        .rows()
        .map(|(p, positive, t)| {
            let p = p.clamp(f64::EPSILON, 1.0 - f64::EPSILON);
            -t * if positive { p.ln() } else { (1.0 - p).ln() }
        })
        .sum();
    Some(sum / v.total())
}
