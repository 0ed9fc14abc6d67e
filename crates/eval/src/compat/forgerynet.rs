//! ForgeryNet (He et al., CVPR 2021), as the public re-implementation in OmniFD evaluates it; in
//! percent.
//!
//! Departures: the area of the temporal average precision begins at the recall of the first
//! proposal, so that a first hit adds nothing; the "IoU" of the spatial task is pixel agreement, not intersection over union, and
//! everything spatial is pooled over the pixels of the set.

use realscope_metric::temporal::{self, Video};
use realscope_metric::{Scores, auc, multiclass};

/// Classification over 2, 3 or 16 classes, class 0 = real.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Classification {
    /// Balanced accuracy over the classes in the labels.
    pub m_acc: f64,
    /// AUC of `1 - P(real)`; `None` with a single class.
    pub auc: Option<f64>,
}

/// Measures of class probabilities; `None` without rows.
#[must_use]
pub fn classification(scores: &[Vec<f64>], labels: &[usize]) -> Option<Classification> {
    let predicted: Vec<usize> = scores.iter().map(|s| multiclass::argmax(s)).collect();
    let fake = Scores::new(
        scores
            .iter()
            .zip(labels)
            .map(|(s, l)| (1.0 - s.first().copied().unwrap_or(0.0), *l != 0, 0))
            .collect(),
    );
    Some(Classification {
        m_acc: 100.0 * multiclass::balanced_accuracy(&predicted, labels)?,
        auc: auc::auc(&fake.all()).map(|a| 100.0 * a),
    })
}

/// Temporal average precision at an overlap, in percent; `None` without a label.
#[must_use]
pub fn temporal_ap(videos: &[Video], overlap: f64) -> Option<f64> {
    let curve = temporal::precision_recall(videos, overlap)?;
    let first = curve.first().map_or(0.0, |p| p.0);
    Some(100.0 * temporal::area(&curve, first))
}

/// Mean of [`temporal_ap`] over ten overlaps; `None` without a label.
#[must_use]
pub fn temporal_map(videos: &[Video]) -> Option<f64> {
    let values: Option<Vec<f64>> = temporal::overlaps()
        .iter()
        .map(|t| temporal_ap(videos, *t))
        .collect();
    values.map(|v| v.iter().sum::<f64>() / v.len() as f64)
}

/// A map of logits or a mask, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Values.
    pub values: Vec<f32>,
}

/// Pooled sums of the spatial task.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spatial {
    agree: [f64; 2],
    close: [f64; 3],
    l1: f64,
    pixels: f64,
}

/// Thresholds of the pixel agreement.
pub const AGREE: [f32; 2] = [0.1, 0.2];
/// Tolerances of the pixel difference.
pub const CLOSE: [f32; 3] = [0.01, 0.05, 0.1];

impl Spatial {
    /// Adds a map of logits and its mask (0 to 255). A map of another size is resized to the mask
    /// (bilinear, pixel centres) ahead of the sigmoid.
    pub fn add(&mut self, logits: &Grid, mask: &Grid) {
        let logits = resize(logits, mask.width, mask.height);
        for (z, m) in logits.iter().zip(&mask.values) {
            let (p, truth) = (1.0 / (1.0 + (-z).exp()), m / 255.0);
            for (sum, t) in self.agree.iter_mut().zip(AGREE) {
                *sum += f64::from(u8::from((p >= t) == (truth >= t)));
            }
            for (sum, d) in self.close.iter_mut().zip(CLOSE) {
                *sum += f64::from(u8::from((p - truth).abs() <= d));
            }
            self.l1 += f64::from((p - truth).abs());
            self.pixels += 1.0;
        }
    }

    /// Percent of pixels that agree at [`AGREE`].
    #[must_use]
    pub fn iou(&self) -> [f64; 2] {
        self.agree.map(|s| 100.0 * s / self.pixels)
    }

    /// Percent of pixels within [`CLOSE`].
    #[must_use]
    pub fn iou_diff(&self) -> [f64; 3] {
        self.close.map(|s| 100.0 * s / self.pixels)
    }

    /// Mean absolute difference.
    #[must_use]
    pub fn l1_loss(&self) -> f64 {
        self.l1 / self.pixels
    }
}

fn resize(grid: &Grid, width: usize, height: usize) -> Vec<f32> {
    if (grid.width, grid.height) == (width, height) {
        return grid.values.clone();
    }
    let position = |i: usize, from: usize, to: usize| {
        let exact = ((i as f32 + 0.5) * from as f32 / to as f32 - 0.5).max(0.0);
        let low = (exact as usize).min(from - 1);
        (low, (low + 1).min(from - 1), exact - low as f32)
    };
    let mut out = Vec::with_capacity(width * height);
    for y in 0..height {
        let (top, bottom, fy) = position(y, grid.height, height);
        for x in 0..width {
            let (left, right, fx) = position(x, grid.width, width);
            let at = |x: usize, y: usize| grid.values[y * grid.width + x];
            let upper = at(left, top) * (1.0 - fx) + at(right, top) * fx;
            let lower = at(left, bottom) * (1.0 - fx) + at(right, bottom) * fx;
            out.push(upper * (1.0 - fy) + lower * fy);
        }
    }
    out
}
