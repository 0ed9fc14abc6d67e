//! 95% intervals by resampling whole groups (percentile bootstrap).
//!
//! Pictures of one source or generator resemble each other; drawing them one by one would pretend
//! that they are independent. Groups with positives only, negatives only and both are drawn apart,
//! so that each resample keeps its classes.

use rand::prelude::*;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use super::{Scores, View};

/// An interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// 2.5% quantile.
    pub low: f64,
    /// 97.5% quantile.
    pub high: f64,
}

/// Groups below which an interval is called unreliable.
pub const RELIABLE_GROUPS: usize = 10;

/// Multiplicity of each group in resample number `index`.
#[must_use]
pub fn draw(scores: &Scores, seed: u64, index: u64) -> Vec<u32> {
    let mut strata: [Vec<usize>; 3] = Default::default();
    for (group, [positives, negatives]) in scores.group_sizes().iter().enumerate() {
        match (*positives > 0, *negatives > 0) {
            (true, true) => strata[2].push(group),
            (true, false) => strata[0].push(group),
            (false, true) => strata[1].push(group),
            (false, false) => {}
        }
    }
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(index);
    let mut times = vec![0; scores.group_sizes().len()];
    for stratum in &strata {
        for _ in 0..stratum.len() {
            if let Some(group) = stratum.choose(&mut rng) {
                times[*group] += 1;
            }
        }
    }
    times
}

/// Intervals of several measures at once; `None` where a measure never came out.
#[must_use]
pub fn intervals<const N: usize>(
    scores: &Scores,
    resamples: usize,
    seed: u64,
    measures: impl Fn(&View<'_>) -> [Option<f64>; N] + Sync,
) -> [Option<Interval>; N] {
    let drawn: Vec<[Option<f64>; N]> = (0..resamples as u64)
        .into_par_iter()
        .map(|i| {
            let times = draw(scores, seed, i);
            measures(&scores.drawn(Some(&times)))
        })
        .collect();
    std::array::from_fn(|m| {
        let mut values: Vec<f64> = drawn.iter().filter_map(|d| d[m]).collect();
        values.sort_by(f64::total_cmp);
        quantiles(&values)
    })
}

/// 2.5% and 97.5% quantiles of sorted values, linearly interpolated.
#[must_use]
pub fn quantiles(sorted: &[f64]) -> Option<Interval> {
    let at = |q: f64| {
        let position = q * (sorted.len() - 1) as f64;
        let (low, share) = (position.floor() as usize, position.fract());
        let high = (low + 1).min(sorted.len() - 1);
        sorted[low] + share * (sorted[high] - sorted[low])
    };
    (!sorted.is_empty()).then(|| Interval {
        low: at(0.025),
        high: at(0.975),
    })
}
