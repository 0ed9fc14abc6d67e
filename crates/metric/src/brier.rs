//! Brier score: mean squared difference of probability and label (Brier 1950).

use crate::scores::Drawn;

/// The score; `None` without rows or when scores are no probabilities.
#[must_use]
pub fn brier(v: &Drawn<'_>) -> Option<f64> {
    if v.total() == 0.0 || !v.are_probabilities() {
        return None;
    }
    let sum: f64 = v
        .rows()
        .map(|(p, positive, t)| t * (p - f64::from(u8::from(positive))).powi(2))
        .sum();
    Some(sum / v.total())
}
