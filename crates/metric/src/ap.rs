//! Average precision: the sum over thresholds of precision times the recall gained, without
//! interpolation; equal scores are one step (scikit-learn's `average_precision_score`).

use crate::scores::Drawn;

/// The average; `None` without positives.
#[must_use]
pub fn average_precision(v: &Drawn<'_>) -> Option<f64> {
    if v.positives == 0.0 {
        return None;
    }
    let (mut sum, mut tp) = (0.0, 0.0);
    v.curve(|p| {
        sum += (p.tp - tp) * p.tp / (p.tp + p.fp);
        tp = p.tp;
    });
    Some(sum / v.positives)
}
