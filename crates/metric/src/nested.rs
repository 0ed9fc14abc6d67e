//! 95% intervals of calibration: groups are drawn within their class, and pictures within each group.
//!
//! [`crate::bootstrap`] draws whole groups, each with all of its pictures. Match sets of validation often have one
//! group in a class, and then only its pictures can vary. Quantiles are the nearest values, not interpolated. Cards
//! state these intervals, so the order of the draws must not change.

use std::collections::BTreeMap;

use rand::prelude::*;
use rand_chacha::ChaCha8Rng;

use crate::auc;
use crate::bootstrap::Interval;

/// The values at the nearest ranks of 2.5% and 97.5%.
fn nearest(mut values: Vec<f64>) -> Option<Interval> {
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    let at = |q: f64| values[(last as f64 * q).round() as usize];
    Some(Interval {
        low: at(0.025),
        high: at(0.975),
    })
}

/// Interval of the AUC of rows (score, label, group): groups are drawn within each class, pictures within each group.
///
/// A class with a single group varies by its pictures alone. `None` with a single class.
#[must_use]
pub fn auc_interval(rows: &[(f32, u8, &str)], resamples: usize, seed: u64) -> Option<Interval> {
    let mut groups: [BTreeMap<&str, Vec<f32>>; 2] = [BTreeMap::new(), BTreeMap::new()];
    for (score, label, group) in rows {
        groups[usize::from(*label == 1)]
            .entry(group)
            .or_default()
            .push(*score);
    }
    let lists = groups.each_ref().map(|g| g.values().collect::<Vec<_>>());
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
        values.push(auc::of_labels(&scores)?);
    }
    nearest(values)
}

/// Interval of a share over groups of (hits, pictures): whole groups are drawn. `None` without a group.
#[must_use]
pub fn share_interval(groups: &[(f64, f64)], resamples: u64, seed: u64) -> Option<Interval> {
    if groups.is_empty() {
        return None;
    }
    let shares = (0..resamples).map(|i| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(i);
        let (hits, n) = (0..groups.len()).fold((0.0, 0.0), |(hits, n), _| {
            let g = groups[rng.random_range(0..groups.len())];
            (hits + g.0, n + g.1)
        });
        hits / n
    });
    nearest(shares.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn perfect_scores_have_no_width_and_a_single_class_no_interval() {
        let row = |i: u8| {
            (
                f32::from(i),
                u8::from(i >= 20),
                ["a", "b"][usize::from(i % 2)],
            )
        };
        let rows: Vec<(f32, u8, &str)> = (0..40).map(row).collect();
        let one = Interval {
            low: 1.0,
            high: 1.0,
        };
        assert_eq!(auc_interval(&rows, 100, 1), Some(one));
        assert_eq!(auc_interval(&rows[..20], 100, 1), None);
    }

    #[test]
    fn a_single_group_of_a_class_varies_by_its_pictures() {
        let row = |i: u16| (f32::from(i * 37 % 40), u8::from(i >= 20), "one");
        let rows: Vec<(f32, u8, &str)> = (0..40).map(row).collect();
        let interval = auc_interval(&rows, 200, 1).expect("both classes");
        assert!(interval.high - interval.low > 0.1, "{interval:?}");
    }

    #[test]
    fn a_share_varies_between_that_of_its_groups() {
        let all_alike = share_interval(&[(1.0, 4.0), (2.0, 8.0)], 100, 1).expect("groups");
        assert_eq!((all_alike.low, all_alike.high), (0.25, 0.25));
        let apart = share_interval(&[(0.0, 4.0), (4.0, 4.0)], 100, 1).expect("groups");
        assert_eq!((apart.low, apart.high), (0.0, 1.0));
        assert_eq!(share_interval(&[], 100, 1), None);
    }
}
