//! True positive rate at a false positive rate: the largest that a threshold reaches without more
//! false alarms than allowed. No interpolation: a rate between two thresholds cannot be had.

use crate::scores::Drawn;

/// Negatives that a rate of `fpr` needs to be more than a guess: `3 / fpr`, so that three false
/// alarms are expected at the threshold.
#[must_use]
pub fn needed_negatives(fpr: f64) -> usize {
    (3.0 / fpr - 1e-9).ceil() as usize
}

/// The rate; `None` with a single class.
#[must_use]
pub fn tpr_at_fpr(v: &Drawn<'_>, fpr: f64) -> Option<f64> {
    if !v.has_both() {
        return None;
    }
    let allowed = fpr * v.negatives + 1e-9;
    let mut best = 0.0;
    v.curve(|p| {
        if p.fp <= allowed {
            best = p.tp;
        }
    });
    Some(best / v.positives)
}
