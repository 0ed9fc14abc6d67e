//! Area under the ROC curve; ties count half (Hanley and McNeil, Radiology 1982).

use crate::scores::{Drawn, Scores};

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

/// The area over rows of (score, label), label 1 = generated; `None` with a single class. Scores must not be NaN.
#[must_use]
pub fn of_labels(rows: &[(f32, u8)]) -> Option<f64> {
    let rows = rows
        .iter()
        .map(|(s, label)| (f64::from(*s), *label == 1, 0));
    auc(&Scores::new(rows.collect()).all())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_count_half_and_a_single_class_has_no_area() {
        // Pairs (positive, negative): .8 > .5, .8 > .3, .5 = .5, .5 > .3: 3.5 of 4.
        let rows = [(0.8, 1), (0.5, 1), (0.5, 0), (0.3, 0)];
        assert_eq!(of_labels(&rows), Some(0.875));
        assert_eq!(of_labels(&rows[..2]), None);
        assert_eq!(of_labels(&[]), None);
    }
}
