//! F1: harmonic mean of precision and recall of the positive class.

use crate::scores::{Drawn, Point};

/// The measure; 0 when nothing is found, `None` without positives.
#[must_use]
pub fn f1(v: &Drawn<'_>, at: Point) -> Option<f64> {
    (v.positives > 0.0).then(|| 2.0 * at.tp / (v.positives + at.tp + at.fp))
}
