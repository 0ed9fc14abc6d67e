//! Localization: F1, IoU and AUC of pixels, and the false-alarm rate on authentic pictures.

use crate::scores::Scores;

/// Counts over pixels at a threshold.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct PixelCounts {
    /// Manipulated pixels that are marked.
    pub tp: f64,
    /// Authentic pixels that are marked.
    pub fp: f64,
    /// Manipulated pixels that are not marked.
    pub missed: f64,
    /// Authentic pixels that are not marked.
    pub tn: f64,
}

/// Counts of one map `[pixels]` against its mask; a pixel is marked when its score is at least the
/// threshold.
#[must_use]
pub fn count(map: &[f32], mask: &[bool], threshold: f32) -> PixelCounts {
    let mut c = PixelCounts::default();
    for (score, manipulated) in map.iter().zip(mask) {
        *match (*score >= threshold, manipulated) {
            (true, true) => &mut c.tp,
            (true, false) => &mut c.fp,
            (false, true) => &mut c.missed,
            (false, false) => &mut c.tn,
        } += 1.0;
    }
    c
}

impl PixelCounts {
    /// Harmonic mean of precision and recall; `None` when the mask is empty.
    #[must_use]
    pub fn f1(&self) -> Option<f64> {
        (self.tp + self.missed > 0.0)
            .then(|| 2.0 * self.tp / (2.0 * self.tp + self.fp + self.missed))
    }

    /// Intersection over union; `None` when the mask is empty.
    #[must_use]
    pub fn iou(&self) -> Option<f64> {
        (self.tp + self.missed > 0.0).then(|| self.tp / (self.tp + self.fp + self.missed))
    }

    /// Share of authentic pixels that are marked; on an authentic picture its false-alarm rate.
    #[must_use]
    pub fn false_alarm_rate(&self) -> Option<f64> {
        (self.fp + self.tn > 0.0).then(|| self.fp / (self.fp + self.tn))
    }
}

/// AUC over the pixels of one picture; `None` when the mask is empty or full.
#[must_use]
pub fn auc(map: &[f32], mask: &[bool]) -> Option<f64> {
    let rows = map
        .iter()
        .zip(mask)
        .map(|(s, m)| (f64::from(*s), *m, 0))
        .collect();
    super::auc::auc(&Scores::new(rows).all())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hand_counted() {
        let map = [0.9, 0.8, 0.2, 0.6];
        let mask = [true, false, false, true];
        let c = count(&map, &mask, 0.5);
        assert_eq!((c.tp, c.fp, c.missed, c.tn), (2.0, 1.0, 0.0, 1.0));
        assert_eq!(c.f1(), Some(0.8));
        assert_eq!(c.iou(), Some(2.0 / 3.0));
        assert_eq!(c.false_alarm_rate(), Some(0.5));
        // Pairs: .9>.8, .9>.2, .6<.8, .6>.2.
        assert_eq!(auc(&map, &mask), Some(0.75));
        assert_eq!(count(&map, &[false; 4], 0.5).f1(), None);
    }
}
