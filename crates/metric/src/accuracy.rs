//! Accuracy and balanced accuracy at a fixed threshold, and the accuracy at the best threshold of
//! the very data, which only an oracle has.

use crate::scores::{Drawn, Point};

/// Share of right decisions; `None` without rows.
#[must_use]
pub fn accuracy(v: &Drawn<'_>, at: Point) -> Option<f64> {
    (v.total() > 0.0).then(|| (at.tp + v.negatives - at.fp) / v.total())
}

/// Mean of recall and specificity; `None` with a single class.
#[must_use]
pub fn balanced_accuracy(v: &Drawn<'_>, at: Point) -> Option<f64> {
    v.has_both()
        .then(|| (at.tp / v.positives + 1.0 - at.fp / v.negatives) / 2.0)
}

/// Highest accuracy over all thresholds of the data: what an oracle would reach. Never a result.
#[must_use]
pub fn oracle_accuracy(v: &Drawn<'_>) -> Option<f64> {
    let none = Point {
        threshold: f64::INFINITY,
        tp: 0.0,
        fp: 0.0,
    };
    let mut best = accuracy(v, none)?;
    v.curve(|p| best = best.max((p.tp + v.negatives - p.fp) / v.total()));
    Some(best)
}
