//! 95% intervals by resampling whole groups (percentile bootstrap).
//!
//! Pictures of one source or generator resemble each other; drawing them one by one would pretend
//! that they are independent. Groups with positives only, negatives only and both are drawn apart,
//! so that each resample keeps its classes.

use rand::prelude::*;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::scores::{Drawn, Scores};

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

/// Rows from which intervals are taken on a grid of levels of scores.
pub const GRID_ROWS: usize = 1 << 18;

/// Levels of scores in a grid, edges apart.
const LEVELS: usize = 4096;

/// Groups with positives only, negatives only, and both.
struct Strata([Vec<u32>; 3]);

impl Strata {
    fn of(scores: &Scores) -> Self {
        let mut strata: [Vec<u32>; 3] = Default::default();
        for (group, [positives, negatives]) in scores.group_sizes().iter().enumerate() {
            match (*positives > 0, *negatives > 0) {
                (true, true) => strata[2].push(group as u32),
                (true, false) => strata[0].push(group as u32),
                (false, true) => strata[1].push(group as u32),
                (false, false) => {}
            }
        }
        Self(strata)
    }

    /// Multiplicity of each of `groups` groups in resample number `index`.
    fn draw(&self, groups: usize, seed: u64, index: u64) -> Vec<u32> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(index);
        let mut times = vec![0; groups];
        for stratum in &self.0 {
            for _ in 0..stratum.len() {
                if let Some(group) = stratum.choose(&mut rng) {
                    times[*group as usize] += 1;
                }
            }
        }
        times
    }
}

/// Millions of scores as counts: how many positives and negatives each group has on each of some
/// 4,096 levels (quantiles of the scores, equal scores together). A resample then costs the filled cells
/// and not the rows.
struct Grid {
    /// One row a cell (level and class), at the mean score of the level; each its own group.
    cells: Scores,
    /// First entry of each group, and the end.
    starts: Vec<u32>,
    /// Cell and count.
    entries: Vec<(u32, u32)>,
}

impl Grid {
    /// Scores on either side of an edge, or on it, never share a level.
    fn new(scores: &Scores, edges: &[f64]) -> Self {
        let side = |score: f64| {
            let above = edges.iter().filter(|e| score > **e).count();
            (above, edges.iter().filter(|e| score >= **e).count())
        };
        let n = scores.len();
        let groups = scores.group_sizes().len();
        let mut starts = vec![0_u32; groups + 1];
        for (group, [positives, negatives]) in scores.group_sizes().iter().enumerate() {
            starts[group + 1] = starts[group] + positives + negatives;
        }
        // Rows by group; within a group from high to low.
        let mut by_group = vec![0_u32; n];
        let mut next = starts.clone();
        let mut rows = Vec::new();
        let (mut begin, mut level) = (0, 0_u32);
        while begin < n {
            let first = scores.score[begin];
            let of_first = side(first);
            let mut end = begin + 1;
            while end < n
                && (scores.score[end] == scores.score[end - 1] || end - begin < n / LEVELS)
                && side(scores.score[end]) == of_first
            {
                end += 1;
            }
            let sum: f64 = scores.score[begin..end].iter().sum();
            let mean = (sum / (end - begin) as f64).clamp(scores.score[end - 1], first);
            for i in begin..end {
                let group = scores.group[i] as usize;
                by_group[next[group] as usize] = 2 * level + u32::from(scores.positive[i]);
                next[group] += 1;
            }
            rows.push((mean, false, 2 * level));
            rows.push((mean, true, 2 * level + 1));
            (begin, level) = (end, level + 1);
        }
        let mut entries: Vec<(u32, u32)> = Vec::new();
        for group in 0..groups {
            let (start, end) = (starts[group] as usize, starts[group + 1] as usize);
            starts[group] = entries.len() as u32;
            by_group[start..end].sort_unstable();
            for run in by_group[start..end].chunk_by(|a, b| a == b) {
                entries.push((run[0], run.len() as u32));
            }
        }
        starts[groups] = entries.len() as u32;
        Self {
            cells: Scores::new(rows),
            starts,
            entries,
        }
    }

    /// Multiplicity of each cell when each group is drawn so often.
    fn counts(&self, times: impl Fn(usize) -> u32) -> Vec<u32> {
        let mut counts = vec![0; self.cells.len()];
        for (group, range) in self.starts.windows(2).enumerate() {
            let times = times(group);
            if times > 0 {
                for (cell, count) in &self.entries[range[0] as usize..range[1] as usize] {
                    counts[*cell as usize] += times * count;
                }
            }
        }
        counts
    }
}

/// Intervals of several measures at once; `None` where a measure never came out.
///
/// From [`GRID_ROWS`] rows on, resamples are measured on scores rounded to some 4,096 quantiles, and the
/// interval is shifted by what the rounding changes in the measure over all rows. `edges` are scores that a
/// measure compares with, so that rounding carries none over them.
#[must_use]
pub fn intervals<const N: usize>(
    scores: &Scores,
    resamples: usize,
    seed: u64,
    edges: &[f64],
    measures: impl Fn(&Drawn<'_>) -> [Option<f64>; N] + Sync,
) -> [Option<Interval>; N] {
    let strata = Strata::of(scores);
    let groups = scores.group_sizes().len();
    let grid = (scores.len() >= GRID_ROWS).then(|| Grid::new(scores, edges));
    let drawn: Vec<[Option<f64>; N]> = (0..resamples as u64)
        .into_par_iter()
        .map(|i| {
            let times = strata.draw(groups, seed, i);
            match &grid {
                Some(grid) => {
                    let counts = grid.counts(|group| times[group]);
                    measures(&grid.cells.drawn(Some(&counts)))
                }
                None => measures(&scores.drawn(Some(&times))),
            }
        })
        .collect();
    let shift: [f64; N] = grid.map_or([0.0; N], |grid| {
        let rounded = measures(&grid.cells.drawn(Some(&grid.counts(|_| 1))));
        let exact = measures(&scores.all());
        std::array::from_fn(|m| exact[m].zip(rounded[m]).map_or(0.0, |(e, r)| e - r))
    });
    std::array::from_fn(|m| {
        let mut values: Vec<f64> = drawn.iter().filter_map(|d| d[m]).collect();
        values.sort_by(f64::total_cmp);
        quantiles(&values).map(|i| Interval {
            low: i.low + shift[m],
            high: i.high + shift[m],
        })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{accuracy, ap, auc, brier, ece, eer, nll, tpr_at_fpr};

    /// Groups of their own offsets, with ties, zeros and ones.
    fn rows(n: usize, groups: u32) -> Vec<(f64, bool, u32)> {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        (0..n)
            .map(|_| {
                let group = rng.random_range(0..groups);
                let positive = group % 2 == 0;
                let offset = 0.4 * f64::from(group) / f64::from(groups);
                let u = 0.5 * rng.random::<f64>() + offset + 0.15 * f64::from(u8::from(positive));
                let score = if rng.random_bool(0.1) {
                    (u * 20.0).round() / 20.0
                } else {
                    u
                };
                (score.clamp(0.0, 1.0), positive, group)
            })
            .collect()
    }

    fn measured(v: &Drawn<'_>) -> [Option<f64>; 8] {
        [
            accuracy::balanced_accuracy(v, v.at(0.37)),
            auc::auc(v),
            ap::average_precision(v),
            eer::eer(v),
            tpr_at_fpr::tpr_at_fpr(v, 0.05),
            ece::equal_width(v).map(|b| ece::error(&b)),
            brier::brier(v),
            nll::nll(v),
        ]
    }

    #[test]
    fn the_grid_changes_no_interval_by_more_than_a_thousandth() {
        let scores = Scores::new(rows(GRID_ROWS, 40));
        let mut edges = ece::edges().to_vec();
        edges.push(0.37);
        let rounded = intervals(&scores, 40, 3, &edges, measured);
        let strata = Strata::of(&scores);
        let exact: Vec<_> = (0..40)
            .map(|i| measured(&scores.drawn(Some(&strata.draw(40, 3, i)))))
            .collect();
        for (m, interval) in rounded.into_iter().enumerate() {
            let mut values: Vec<f64> = exact.iter().filter_map(|e| e[m]).collect();
            values.sort_by(f64::total_cmp);
            let (want, got) = (quantiles(&values).unwrap(), interval.unwrap());
            assert!(
                (want.low - got.low).abs() < 1e-3 && (want.high - got.high).abs() < 1e-3,
                "measure {m}: {want:?} and {got:?}"
            );
            assert!(got.high - got.low > 0.01, "measure {m}: {got:?}");
        }
    }

    #[test]
    fn a_grid_keeps_all_rows_and_what_lies_on_an_edge() {
        let scores = Scores::new(rows(20_000, 7));
        let edges = ece::edges();
        let grid = Grid::new(&scores, &edges);
        let counts = grid.counts(|_| 1);
        let (all, rounded) = (scores.all(), grid.cells.drawn(Some(&counts)));
        assert_eq!(all.positives, rounded.positives);
        assert_eq!(all.negatives, rounded.negatives);
        for edge in edges {
            assert_eq!(all.at(edge), rounded.at(edge));
        }
        assert_eq!(
            auc::auc(&Scores::new(vec![(0.5, true, 0), (0.5, false, 1)]).all()),
            Some(0.5)
        );
    }
}
