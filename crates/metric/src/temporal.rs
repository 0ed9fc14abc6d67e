//! Temporal localization: average precision and recall of proposed segments.
//!
//! Follows the evaluation that ForgeryNet and LAV-DF results use: a label takes the first unused
//! proposal of the list whose overlap exceeds the threshold; the precision is interpolated.

/// A proposed segment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Proposal {
    /// Confidence.
    pub score: f64,
    /// Start and end in any unit that labels share.
    pub segment: [f64; 2],
}

/// One video.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Video {
    /// True manipulated segments; none for an authentic video.
    pub labels: Vec<[f64; 2]>,
    /// Proposals in the detector's order.
    pub proposals: Vec<Proposal>,
}

/// Temporal intersection over union; 0 for segments that do not overlap.
#[must_use]
pub fn iou(a: [f64; 2], b: [f64; 2]) -> f64 {
    let shared = (a[1].min(b[1]) - a[0].max(b[0])).max(0.0);
    let union = (a[1] - a[0]) + (b[1] - b[0]) - shared;
    if union > 0.0 { shared / union } else { 0.0 }
}

/// Recall and interpolated precision after each proposal of the set, by falling score, at an overlap
/// (strictly above it); `None` without a label.
#[must_use]
pub fn precision_recall(videos: &[Video], overlap: f64) -> Option<Vec<(f64, f64)>> {
    let labels: usize = videos.iter().map(|v| v.labels.len()).sum();
    if labels == 0 {
        return None;
    }
    let mut scored: Vec<(f64, bool)> = Vec::new();
    for v in videos {
        let mut taken = vec![false; v.proposals.len()];
        for label in &v.labels {
            let fit = v
                .proposals
                .iter()
                .enumerate()
                .position(|(i, p)| !taken[i] && iou(p.segment, *label) > overlap);
            if let Some(i) = fit {
                taken[i] = true;
            }
        }
        scored.extend(v.proposals.iter().zip(taken).map(|(p, t)| (p.score, t)));
    }
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut curve = Vec::with_capacity(scored.len());
    let mut hits = 0.0;
    for (i, (_, hit)) in scored.iter().enumerate() {
        hits += f64::from(u8::from(*hit));
        curve.push((hits / labels as f64, hits / (i + 1) as f64));
    }
    // The precision at a recall is the best at that recall or beyond.
    let mut best = 0.0_f64;
    for (_, precision) in curve.iter_mut().rev() {
        best = best.max(*precision);
        *precision = best;
    }
    Some(curve)
}

/// Area under [`precision_recall`] from recall `from` on.
#[must_use]
pub fn area(curve: &[(f64, f64)], from: f64) -> f64 {
    let (mut area, mut last) = (0.0, from);
    for (recall, precision) in curve {
        area += (recall - last) * precision;
        last = *recall;
    }
    area
}

/// Average precision at an overlap; `None` without a label.
#[must_use]
pub fn average_precision(videos: &[Video], overlap: f64) -> Option<f64> {
    precision_recall(videos, overlap).map(|curve| area(&curve, 0.0))
}

/// Overlaps over which means are taken: 0.50 to 0.95 in steps of 0.05.
#[must_use]
pub fn overlaps() -> [f64; 10] {
    std::array::from_fn(|i| 0.5 + 0.05 * i as f64)
}

/// Mean of the average precision over [`overlaps`].
#[must_use]
pub fn mean_average_precision(videos: &[Video]) -> Option<f64> {
    let values: Option<Vec<f64>> = overlaps()
        .iter()
        .map(|t| average_precision(videos, *t))
        .collect();
    values.map(|v| v.iter().sum::<f64>() / v.len() as f64)
}

/// Mean over [`overlaps`] of the share of labels that the first `n` proposals of their video reach
/// (strictly above the overlap; one proposal may serve several labels). `None` without a label.
#[must_use]
pub fn average_recall(videos: &[Video], n: usize) -> Option<f64> {
    let mut best = Vec::new();
    for v in videos {
        for label in &v.labels {
            best.push(
                v.proposals
                    .iter()
                    .take(n)
                    .map(|p| iou(p.segment, *label))
                    .fold(0.0, f64::max),
            );
        }
    }
    if best.is_empty() {
        return None;
    }
    let mean: f64 = overlaps()
        .iter()
        .map(|t| best.iter().filter(|b| **b > *t).count() as f64 / best.len() as f64)
        .sum();
    Some(mean / 10.0)
}
