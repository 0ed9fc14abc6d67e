//! GenVidBench (AAAI 2026, arXiv 2501.11340): top-k and mean class accuracy as MMAction computes
//! them.
//!
//! Departures: top-k breaks ties towards the last class, the class mean towards the first; a class
//! that is only predicted counts with 0.

use realscope_metric::multiclass::argmax;

/// The measures.
#[derive(Clone, Debug, PartialEq)]
pub struct Metrics {
    /// Share whose class has the highest score.
    pub top1: f64,
    /// Share whose class is among the five highest.
    pub top5: f64,
    /// Mean accuracy over classes in labels or predictions.
    pub mean1: f64,
}

/// Whether `label` is among the `k` highest scores, of equal ones the last.
fn in_top(scores: &[f64], label: usize, k: usize) -> bool {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]));
    order.iter().rev().take(k).any(|i| *i == label)
}

/// Measures of rows of class scores; `None` without rows.
#[must_use]
pub fn metrics(scores: &[Vec<f64>], labels: &[usize]) -> Option<Metrics> {
    if scores.is_empty() {
        return None;
    }
    let n = scores.len() as f64;
    let top = |k| {
        let hits = scores.iter().zip(labels).filter(|(s, l)| in_top(s, **l, k));
        hits.count() as f64 / n
    };
    let predicted: Vec<usize> = scores.iter().map(|s| argmax(s)).collect();
    let mut classes: Vec<usize> = labels.iter().chain(&predicted).copied().collect();
    classes.sort_unstable();
    classes.dedup();
    let recall = |class: &usize| {
        let of = labels.iter().filter(|l| *l == class).count();
        let right = labels
            .iter()
            .zip(&predicted)
            .filter(|(l, p)| l == p && *l == class)
            .count();
        right as f64 / of.max(1) as f64
    };
    Some(Metrics {
        top1: top(1),
        top5: top(5),
        mean1: classes.iter().map(recall).sum::<f64>() / classes.len() as f64,
    })
}
