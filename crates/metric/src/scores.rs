//! Scores of one detector on one set, and how often each row of them counts.

use rayon::prelude::*;

/// Scores of one detector on one set, sorted from high to low (stable).
#[derive(Clone, Debug, Default)]
pub struct Scores {
    pub(crate) score: Vec<f64>,
    pub(crate) positive: Vec<bool>,
    pub(crate) group: Vec<u32>,
    /// Positives and negatives of each group.
    sizes: Vec<[u32; 2]>,
    within_unit: bool,
}

impl Scores {
    /// Sorts rows of (score, positive, group). Scores must not be NaN; groups are small numbers.
    #[must_use]
    pub fn new(mut rows: Vec<(f64, bool, u32)>) -> Self {
        rows.par_sort_by(|a, b| b.0.total_cmp(&a.0));
        // -0.0 and 0.0 are one score.
        let groups = rows.iter().map(|r| r.2 as usize + 1).max().unwrap_or(0);
        let mut sizes = vec![[0; 2]; groups];
        for (_, positive, group) in &rows {
            sizes[*group as usize][usize::from(!*positive)] += 1;
        }
        Self {
            within_unit: rows.iter().all(|r| (0.0..=1.0).contains(&r.0)),
            score: rows.iter().map(|r| r.0 + 0.0).collect(),
            positive: rows.iter().map(|r| r.1).collect(),
            group: rows.iter().map(|r| r.2).collect(),
            sizes,
        }
    }

    /// Every row once.
    #[must_use]
    pub fn all(&self) -> Drawn<'_> {
        self.drawn(None)
    }

    /// Every row as often as its group was drawn.
    #[must_use]
    pub fn drawn<'a>(&'a self, times: Option<&'a [u32]>) -> Drawn<'a> {
        let (mut positives, mut negatives) = (0.0, 0.0);
        for (i, [p, n]) in self.sizes.iter().enumerate() {
            let t = times.map_or(1.0, |t| f64::from(t[i]));
            positives += t * f64::from(*p);
            negatives += t * f64::from(*n);
        }
        Drawn {
            scores: self,
            times,
            positives,
            negatives,
        }
    }

    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.score.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.score.is_empty()
    }

    /// Positives and negatives of each group.
    #[must_use]
    pub fn group_sizes(&self) -> &[[u32; 2]] {
        &self.sizes
    }

    /// Whether all scores lie in `[0, 1]`, so that they can be probabilities.
    #[must_use]
    pub fn are_probabilities(&self) -> bool {
        self.within_unit
    }
}

/// Scores with multiplicities: each row counts as often as its group was drawn.
#[derive(Clone, Copy, Debug)]
pub struct Drawn<'a> {
    scores: &'a Scores,
    times: Option<&'a [u32]>,
    /// Positives, with multiplicity.
    pub positives: f64,
    /// Negatives, with multiplicity.
    pub negatives: f64,
}

/// Counts above a threshold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Lowest score that counts as positive here; infinite at the start of a curve.
    pub threshold: f64,
    /// True positives.
    pub tp: f64,
    /// False positives.
    pub fp: f64,
}

impl Drawn<'_> {
    /// Rows as (score, positive, multiplicity), from high to low.
    pub fn rows(&self) -> impl DoubleEndedIterator<Item = (f64, bool, f64)> + '_ {
        let s = self.scores;
        (0..s.score.len()).map(move |i| {
            let times = self
                .times
                .map_or(1.0, |t| f64::from(t[s.group[i] as usize]));
            (s.score[i], s.positive[i], times)
        })
    }

    /// Calls `visit` with the counts after each distinct score, from high to low; equal scores come
    /// in together.
    pub fn curve(&self, mut visit: impl FnMut(Point)) {
        let mut at = Point {
            threshold: f64::INFINITY,
            tp: 0.0,
            fp: 0.0,
        };
        let mut pending = false;
        for (score, positive, times) in self.rows() {
            if times == 0.0 {
                continue;
            }
            if pending && score != at.threshold {
                visit(at);
            }
            pending = true;
            at.threshold = score;
            if positive {
                at.tp += times;
            } else {
                at.fp += times;
            }
        }
        if pending {
            visit(at);
        }
    }

    /// Whether both classes occur.
    #[must_use]
    pub fn has_both(&self) -> bool {
        self.positives > 0.0 && self.negatives > 0.0
    }

    /// Whether all scores lie in `[0, 1]`, so that they can be probabilities.
    #[must_use]
    pub fn are_probabilities(&self) -> bool {
        self.scores.are_probabilities()
    }

    /// Number of rows, with multiplicity.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.positives + self.negatives
    }

    /// Counts at a threshold.
    #[must_use]
    pub fn at(&self, threshold: f64) -> Point {
        let (mut tp, mut fp) = (0.0, 0.0);
        for (score, positive, times) in self.rows() {
            if score < threshold {
                break;
            }
            if positive {
                tp += times;
            } else {
                fp += times;
            }
        }
        Point { threshold, tp, fp }
    }
}
