//! Paired permutation test between two detectors: under the null hypothesis the two scores of a
//! group may be exchanged. Whole groups are exchanged, for the reason of the bootstrap by group.

use rand::prelude::*;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::scores::Scores;

/// One picture with both scores, ranks or decisions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Paired {
    /// Score of either detector.
    pub scores: [f64; 2],
    /// Label.
    pub positive: bool,
    /// Group.
    pub group: u32,
}

/// Outcome.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Permutation {
    /// Measure of the first minus that of the second detector.
    pub difference: f64,
    /// Two-sided, with the observed arrangement counted in.
    pub p_value: f64,
}

/// Tests the difference of `measure`. Scores of the two detectors should be on one scale (ranks or
/// calibrated probabilities). `None` when the measure does not come out.
#[must_use]
pub fn test(
    rows: &[Paired],
    permutations: usize,
    seed: u64,
    measure: impl Fn(&Scores) -> Option<f64> + Sync,
) -> Option<Permutation> {
    let groups = rows.iter().map(|r| r.group as usize + 1).max()?;
    let difference = |swapped: &dyn Fn(u32) -> bool| -> Option<f64> {
        let side = |k: usize| {
            measure(&Scores::new(
                rows.iter()
                    .map(|r| {
                        let pick = if swapped(r.group) { 1 - k } else { k };
                        (r.scores[pick], r.positive, r.group)
                    })
                    .collect(),
            ))
        };
        Some(side(0)? - side(1)?)
    };
    let observed = difference(&|_| false)?;
    let as_large = (0..permutations as u64)
        .into_par_iter()
        .filter(|i| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(*i);
            let swaps: Vec<bool> = (0..groups).map(|_| rng.random_bool(0.5)).collect();
            difference(&|g| swaps[g as usize]).is_some_and(|d| d.abs() >= observed.abs() - 1e-12)
        })
        .count();
    Some(Permutation {
        difference: observed,
        p_value: (as_large + 1) as f64 / (permutations + 1) as f64,
    })
}

/// Mid-ranks of scores scaled to `[0, 1]`, for detectors on different scales.
#[must_use]
pub fn ranks(scores: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]));
    let mut out = vec![0.0; scores.len()];
    let mut i = 0;
    while i < order.len() {
        let same = order[i..]
            .iter()
            .take_while(|o| scores[**o] == scores[order[i]])
            .count();
        for o in &order[i..i + same] {
            out[*o] = (2 * i + same) as f64 / (2 * scores.len()) as f64;
        }
        i += same;
    }
    out
}
