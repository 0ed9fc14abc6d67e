//! OW-DFA (Sun et al., ICCV 2023, arXiv 2309.11132): attribution with known and novel generators.
//!
//! Departures: known classes are scored directly, novel ones and all together under the best
//! assignment of clusters.

use realscope_metric::clustering::{ari, direct_accuracy, hungarian_accuracy, nmi};

/// Measures of one subset.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Agreement {
    /// Accuracy.
    pub acc: f64,
    /// Normalised mutual information.
    pub nmi: f64,
    /// Adjusted Rand index.
    pub ari: f64,
}

/// The protocol's measures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metrics {
    /// All samples, best assignment.
    pub all: Agreement,
    /// Known classes, direct; `None` without any.
    pub known: Option<Agreement>,
    /// Novel classes, best assignment; `None` without any.
    pub novel: Option<Agreement>,
    /// One minus the mean confidence.
    pub uncertainty: f64,
}

/// Measures of predicted clusters. Known classes are those up to the highest true label among
/// labelled samples (`tag` 1). `None` without rows.
#[must_use]
pub fn metrics(
    predicted: &[usize],
    truth: &[usize],
    tags: &[u8],
    confidence: &[f64],
) -> Option<Metrics> {
    let known = truth
        .iter()
        .zip(tags)
        .filter(|(_, tag)| **tag == 1)
        .map(|(t, _)| t + 1)
        .max()
        .unwrap_or(0);
    let subset = |keep: &dyn Fn(usize) -> bool| -> (Vec<usize>, Vec<usize>) {
        predicted
            .iter()
            .zip(truth)
            .filter(|(_, t)| keep(**t))
            .map(|(p, t)| (*p, *t))
            .unzip()
    };
    type Accuracy = fn(&[usize], &[usize]) -> Option<f64>;
    let agreement = |(p, t): (Vec<usize>, Vec<usize>), accuracy: Accuracy| {
        Some(Agreement {
            acc: accuracy(&p, &t)?,
            nmi: nmi(&p, &t)?,
            ari: ari(&p, &t)?,
        })
    };
    Some(Metrics {
        all: agreement(subset(&|_| true), hungarian_accuracy)?,
        known: agreement(subset(&|t| t < known), direct_accuracy),
        novel: agreement(subset(&|t| t >= known), hungarian_accuracy),
        uncertainty: 1.0 - confidence.iter().sum::<f64>() / confidence.len().max(1) as f64,
    })
}
