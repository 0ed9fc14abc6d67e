//! Area under the ROC curve; ties count half (Hanley and McNeil, Radiology 1982).

use crate::scores::Drawn;

/// The area; `None` with a single class.
#[must_use]
pub fn auc(v: &Drawn<'_>) -> Option<f64> {
    if !v.has_both() {
        return None;
    }
    let (mut area, mut tp, mut fp) = (0.0, 0.0, 0.0);
    v.curve(|p| {
        area += (p.fp - fp) * (p.tp + tp) / 2.0;
        (tp, fp) = (p.tp, p.fp);
    });
    Some(area / (v.positives * v.negatives))
}
