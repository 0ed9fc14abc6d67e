//! Agreement of predicted clusters with true classes: NMI, adjusted Rand index, accuracy under the
//! best assignment.

use std::collections::BTreeMap;

/// Counts of (cluster, class), with the sizes of both.
struct Contingency {
    cells: BTreeMap<(usize, usize), f64>,
    clusters: BTreeMap<usize, f64>,
    classes: BTreeMap<usize, f64>,
    n: f64,
}

fn contingency(predicted: &[usize], truth: &[usize]) -> Contingency {
    let mut c = Contingency {
        cells: BTreeMap::new(),
        clusters: BTreeMap::new(),
        classes: BTreeMap::new(),
        n: predicted.len().min(truth.len()) as f64,
    };
    for (p, t) in predicted.iter().zip(truth) {
        *c.cells.entry((*p, *t)).or_default() += 1.0;
        *c.clusters.entry(*p).or_default() += 1.0;
        *c.classes.entry(*t).or_default() += 1.0;
    }
    c
}

/// Normalised mutual information, arithmetic mean of the entropies (scikit-learn's default). Two
/// trivial labelings agree wholly; `None` without rows.
#[must_use]
pub fn nmi(predicted: &[usize], truth: &[usize]) -> Option<f64> {
    let c = contingency(predicted, truth);
    if c.n == 0.0 {
        return None;
    }
    if c.clusters.len() == c.classes.len() && c.clusters.len() == 1 {
        return Some(1.0);
    }
    let entropy = |sizes: &BTreeMap<usize, f64>| -> f64 {
        sizes.values().map(|s| -s / c.n * (s / c.n).ln()).sum()
    };
    let mutual: f64 = c
        .cells
        .iter()
        .map(|((p, t), n)| n / c.n * (n * c.n / (c.clusters[p] * c.classes[t])).ln())
        .sum();
    let mean = (entropy(&c.clusters) + entropy(&c.classes)) / 2.0;
    Some(if mutual <= f64::EPSILON {
        0.0
    } else {
        mutual / mean
    })
}

/// Adjusted Rand index (Hubert and Arabie, 1985); `None` without rows.
#[must_use]
pub fn ari(predicted: &[usize], truth: &[usize]) -> Option<f64> {
    let c = contingency(predicted, truth);
    if c.n == 0.0 {
        return None;
    }
    let pairs = |n: &f64| n * (n - 1.0) / 2.0;
    let cells: f64 = c.cells.values().map(pairs).sum();
    let clusters: f64 = c.clusters.values().map(pairs).sum();
    let classes: f64 = c.classes.values().map(pairs).sum();
    let expected = if c.n > 1.0 {
        clusters * classes / pairs(&c.n)
    } else {
        0.0
    };
    let largest = (clusters + classes) / 2.0;
    Some(if (largest - expected).abs() < 1e-15 {
        1.0
    } else {
        (cells - expected) / (largest - expected)
    })
}

/// Accuracy when each cluster stands for at most one class, assigned for the largest sum; clusters
/// without a class count as wrong. `None` without rows.
#[must_use]
pub fn hungarian_accuracy(predicted: &[usize], truth: &[usize]) -> Option<f64> {
    let n = predicted.len().min(truth.len());
    let side = predicted.iter().chain(truth).max()? + 1;
    let mut counts = vec![vec![0.0; side]; side];
    for (p, t) in predicted.iter().zip(truth) {
        counts[*p][*t] += 1.0;
    }
    let most = n as f64;
    let cost: Vec<Vec<f64>> = counts
        .iter()
        .map(|row| row.iter().map(|c| most - c).collect())
        .collect();
    let assigned = assignment(&cost);
    let right: f64 = assigned
        .iter()
        .enumerate()
        .map(|(row, column)| counts[row][*column])
        .sum();
    Some(right / n as f64)
}

/// Share of equal labels without any matching; `None` without rows.
#[must_use]
pub fn direct_accuracy(predicted: &[usize], truth: &[usize]) -> Option<f64> {
    let n = predicted.len().min(truth.len());
    let right = predicted.iter().zip(truth).filter(|(p, t)| p == t).count();
    (n > 0).then(|| right as f64 / n as f64)
}

/// Column of each row in the assignment of least cost of a square matrix (Kuhn and Munkres, with
/// potentials and shortest augmenting paths, O(n^3)).
fn assignment(cost: &[Vec<f64>]) -> Vec<usize> {
    let n = cost.len();
    // Rows and columns count from 1; column 0 stands for the row being placed.
    let (mut u, mut v) = (vec![0.0; n + 1], vec![0.0; n + 1]);
    let mut row_of = vec![0_usize; n + 1];
    for row in 1..=n {
        row_of[0] = row;
        let mut column = 0;
        let mut least = vec![f64::INFINITY; n + 1];
        let mut previous = vec![0; n + 1];
        let mut used = vec![false; n + 1];
        loop {
            used[column] = true;
            let (here, mut delta, mut next) = (row_of[column], f64::INFINITY, 0);
            for j in 1..=n {
                if used[j] {
                    continue;
                }
                let reduced = cost[here - 1][j - 1] - u[here] - v[j];
                if reduced < least[j] {
                    least[j] = reduced;
                    previous[j] = column;
                }
                if least[j] < delta {
                    delta = least[j];
                    next = j;
                }
            }
            for j in 0..=n {
                if used[j] {
                    u[row_of[j]] += delta;
                    v[j] -= delta;
                } else {
                    least[j] -= delta;
                }
            }
            column = next;
            if row_of[column] == 0 {
                break;
            }
        }
        while column != 0 {
            let before = previous[column];
            row_of[column] = row_of[before];
            column = before;
        }
    }
    let mut out = vec![0; n];
    for (column, row) in row_of.iter().enumerate().skip(1) {
        out[row - 1] = column - 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permutation_of_names_is_a_perfect_clustering() {
        let (p, t) = ([1, 1, 0, 0, 2], [0, 0, 2, 2, 1]);
        assert_eq!(hungarian_accuracy(&p, &t), Some(1.0));
        assert!((nmi(&p, &t).expect("rows") - 1.0).abs() < 1e-12);
        assert_eq!(ari(&p, &t), Some(1.0));
        assert_eq!(direct_accuracy(&p, &t), Some(0.0));
    }
}
