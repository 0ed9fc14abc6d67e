//! Predictions by column.

use foldhash::quality::FixedState;
use hashbrown::HashSet;

use super::error::Fault;
use super::names::{Names, hash};

/// Predictions by column.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// Score; larger means more likely generated.
    pub score: Vec<f64>,
    /// Label.
    pub positive: Vec<bool>,
    /// Source or generator.
    pub group: Names,
    /// Arm of the protocol; empty without one.
    pub arm: Names,
    /// Detector; empty without one.
    pub detector: Names,
    /// Generator.
    pub generator: Names,
    /// Source.
    pub source: Names,
    /// Set in which both classes share source and style.
    pub match_set: Names,
    /// Quality tier.
    pub tier: Names,
    /// Video that a frame belongs to.
    pub video: Names,
    /// Verdict of a scan.
    pub verdict: Names,
    /// Hash of the path, to pair runs.
    pub key: Vec<u64>,
    /// Rows left out, by fault.
    pub quarantined: Vec<(usize, String, Fault)>,
    /// Rows whose picture failed and that have no score.
    pub failed: Vec<(String, String)>,
}

impl Table {
    /// Key of a path, see [`Table::key`].
    #[must_use]
    pub fn key_of(path: &str) -> u64 {
        hash(path)
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

    /// Rows whose (detector, arm) is the given pair, in order.
    #[must_use]
    pub fn rows_of(&self, detector: &str, arm: &str) -> Vec<usize> {
        let (Some(detector), Some(arm)) = (self.detector.number(detector), self.arm.number(arm))
        else {
            return Vec::new();
        };
        (0..self.len())
            .filter(|i| self.detector.at(*i) == detector && self.arm.at(*i) == arm)
            .collect()
    }

    /// Pairs of (detector, arm) in order of first appearance.
    #[must_use]
    pub fn parts(&self) -> Vec<(String, String)> {
        let mut seen = HashSet::<(u32, u32), FixedState>::default();
        (0..self.len())
            .map(|i| (self.detector.at(i), self.arm.at(i)))
            .filter(|pair| seen.insert(*pair))
            .map(|(d, a)| {
                (
                    self.detector.name(d).to_owned(),
                    self.arm.name(a).to_owned(),
                )
            })
            .collect()
    }
}
