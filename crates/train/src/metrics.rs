//! What training watches: the area under the ROC curve and its interval by group.

use std::collections::BTreeMap;

use rand::prelude::*;
use rand_chacha::ChaCha8Rng;

/// Area under the ROC curve, ties counted half; `None` with a single class.
#[must_use]
pub fn auc(scores: &[(f32, u8)]) -> Option<f64> {
    let mut sorted = scores.to_vec();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    let positives = sorted.iter().filter(|s| s.1 == 1).count() as f64;
    let negatives = sorted.len() as f64 - positives;
    if positives == 0.0 || negatives == 0.0 {
        return None;
    }
    let (mut wins, mut below, mut i) = (0.0, 0.0, 0);
    while i < sorted.len() {
        let end = i + sorted[i..]
            .iter()
            .take_while(|s| s.0.total_cmp(&sorted[i].0).is_eq())
            .count();
        let tied_positives = sorted[i..end].iter().filter(|s| s.1 == 1).count() as f64;
        let tied_negatives = (end - i) as f64 - tied_positives;
        wins += tied_positives * (below + tied_negatives / 2.0);
        below += tied_negatives;
        i = end;
    }
    Some(wins / (positives * negatives))
}

/// 95% interval of the AUC, resampling groups within each class and pictures within each group.
///
/// A class with a single group varies by its pictures alone. `None` with a single class.
#[must_use]
pub fn auc_interval(rows: &[(f32, u8, &str)], resamples: usize, seed: u64) -> Option<(f64, f64)> {
    let mut groups: [BTreeMap<&str, Vec<f32>>; 2] = [BTreeMap::new(), BTreeMap::new()];
    for (score, label, group) in rows {
        groups[usize::from(*label == 1)]
            .entry(group)
            .or_default()
            .push(*score);
    }
    let lists: [Vec<&Vec<f32>>; 2] = [groups[0].values().collect(), groups[1].values().collect()];
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut values = Vec::with_capacity(resamples);
    for _ in 0..resamples {
        let mut scores = Vec::with_capacity(rows.len());
        for (label, list) in lists.iter().enumerate() {
            for _ in 0..list.len() {
                let group = list.choose(&mut rng)?;
                for _ in 0..group.len() {
                    scores.push((*group.choose(&mut rng)?, label as u8));
                }
            }
        }
        values.push(auc(&scores)?);
    }
    values.sort_by(f64::total_cmp);
    let at = |q: f64| values[((values.len() - 1) as f64 * q).round() as usize];
    Some((at(0.025), at(0.975)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auc_counts_ties_half() {
        // Pairs (positive, negative): .8>.5, .8>.3, .5=.5, .5>.3 -> 3.5 of 4.
        let scores = [(0.8, 1), (0.5, 1), (0.5, 0), (0.3, 0)];
        assert_eq!(auc(&scores), Some(0.875));
    }

    #[test]
    fn auc_of_one_class_is_none() {
        assert_eq!(auc(&[(0.8, 1), (0.5, 1)]), None);
    }

    #[test]
    fn interval_holds_the_value_and_shrinks_with_perfect_scores() {
        let rows: Vec<(f32, u8, &str)> = (0..40)
            .map(|i| {
                (
                    i as f32,
                    u8::from(i >= 20),
                    if i % 2 == 0 { "a" } else { "b" },
                )
            })
            .collect();
        assert_eq!(auc_interval(&rows, 100, 1), Some((1.0, 1.0)));
    }
}
