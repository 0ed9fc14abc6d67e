//! Measures over more than two classes.

/// Index of the largest score, of equal ones the first.
#[must_use]
pub fn argmax(scores: &[f64]) -> usize {
    let mut best = 0;
    for (i, s) in scores.iter().enumerate() {
        if *s > scores[best] {
            best = i;
        }
    }
    best
}

/// Mean recall over the classes that occur in `truth`; `None` without rows.
#[must_use]
pub fn balanced_accuracy(predicted: &[usize], truth: &[usize]) -> Option<f64> {
    let mut classes: Vec<usize> = truth.to_vec();
    classes.sort_unstable();
    classes.dedup();
    let recall = |class: usize| {
        let of = truth.iter().filter(|t| **t == class).count();
        let right = predicted
            .iter()
            .zip(truth)
            .filter(|(p, t)| **t == class && p == t)
            .count();
        right as f64 / of as f64
    };
    let sum: f64 = classes.iter().map(|c| recall(*c)).sum();
    (!classes.is_empty()).then(|| sum / classes.len() as f64)
}
