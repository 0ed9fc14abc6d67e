//! Equal error rate: where the ROC polygon meets `false negative rate = false positive rate`.

use crate::scores::Drawn;

/// The rate, interpolated along the polygon; `None` with a single class.
#[must_use]
pub fn eer(v: &Drawn<'_>) -> Option<f64> {
    if !v.has_both() {
        return None;
    }
    let (mut last_fpr, mut last_fnr) = (0.0, 1.0);
    let mut found = None;
    v.curve(|p| {
        if found.is_some() {
            return;
        }
        let (fpr, fnr) = (p.fp / v.negatives, 1.0 - p.tp / v.positives);
        if fpr >= fnr {
            // The difference changes sign on this segment.
            let (before, after) = (last_fnr - last_fpr, fpr - fnr);
            let share = before / (before + after);
            found = Some(last_fpr + share * (fpr - last_fpr));
        }
        (last_fpr, last_fnr) = (fpr, fnr);
    });
    found
}
