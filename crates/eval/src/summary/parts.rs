//! The parts of a file, a detector in an arm each, and the whole.

use std::collections::BTreeMap;

use realscope_metric::Scores;
use serde::{Deserialize, Serialize};

use super::abstention::{Abstention, abstention};
use super::groups::{GroupRow, by_group};
use super::measures::{Measures, Settings, measures};
use crate::table::Table;

/// Version of the JSON layout.
pub const SCHEMA_VERSION: u32 = 1;

/// A match set's row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MatchRow {
    /// Name of the set.
    pub match_set: String,
    /// Its measures.
    pub measures: Measures,
}

/// Everything about one detector in one arm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Detector; empty where the file names none.
    pub detector: String,
    /// Arm; empty where the file names none.
    pub arm: String,
    /// Rows with a match set, all sets together: the honest test.
    pub matched: Option<Measures>,
    /// Each match set.
    pub match_sets: Vec<MatchRow>,
    /// All rows.
    #[serde(flatten)]
    pub all: Measures,
    /// Generators and sources, worst first.
    pub by_group: Vec<GroupRow>,
    /// Verdicts; null where the file has none.
    pub abstention: Option<Abstention>,
}

/// A whole file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Version of this layout.
    pub schema_version: u32,
    /// The first part: native arm of the first detector.
    #[serde(flatten)]
    pub first: Part,
    /// All parts, in order of first appearance; empty where there is but one.
    pub parts: Vec<Part>,
    /// Rows left out by fault.
    pub quarantined: BTreeMap<String, usize>,
    /// Pictures that failed and have no score.
    pub failed: usize,
}

/// Scores of some rows of a table, groups renumbered.
#[must_use]
pub fn scores(table: &Table, rows: &[usize]) -> Scores {
    let mut numbers = vec![u32::MAX; table.group.distinct()];
    let mut next = 0;
    Scores::new(
        rows.iter()
            .map(|i| {
                let group = &mut numbers[table.group.at(*i) as usize];
                if *group == u32::MAX {
                    *group = next;
                    next += 1;
                }
                (table.score[*i], table.positive[*i], *group)
            })
            .collect(),
    )
}

/// Measures of one detector in one arm.
#[must_use]
pub fn part(table: &Table, detector: &str, arm: &str, settings: &Settings) -> Part {
    let rows = table.rows_of(detector, arm);
    let mut sets: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for i in &rows {
        let set = table.match_set.of(*i);
        if !set.is_empty() {
            sets.entry(set).or_default().push(*i);
        }
    }
    let joint: Vec<usize> = sets.values().flatten().copied().collect();
    Part {
        detector: detector.to_owned(),
        arm: arm.to_owned(),
        matched: (!joint.is_empty()).then(|| measures(&scores(table, &joint), settings)),
        match_sets: sets
            .into_iter()
            .map(|(set, rows)| MatchRow {
                match_set: set.to_owned(),
                measures: measures(&scores(table, &rows), settings),
            })
            .collect(),
        all: measures(&scores(table, &rows), settings),
        by_group: by_group(table, &rows, settings),
        abstention: abstention(table, &rows),
    }
}

/// Arms in the order of reports.
const ARMS: [&str; 7] = [
    "native",
    "q95",
    "web",
    "hard",
    "web-scaled",
    "hard-scaled",
    "fakes-only-q96",
];

/// Measures of a whole table. `thresholds` holds those of detectors that have their own; others take
/// that of the settings.
#[must_use]
pub fn summarise(
    table: &Table,
    settings: &Settings,
    thresholds: &BTreeMap<String, f64>,
) -> Summary {
    let mut order = table.parts();
    // A run writes its units as they finish; the arms of delivery come in their own order, others after.
    order.sort_by_key(|(_, arm)| {
        ARMS.iter()
            .position(|a| a == arm)
            .unwrap_or(if arm.is_empty() { 0 } else { ARMS.len() })
    });
    let mut parts: Vec<Part> = order
        .iter()
        .map(|(detector, arm)| {
            let own = Settings {
                threshold: thresholds
                    .get(detector)
                    .copied()
                    .unwrap_or(settings.threshold),
                ..*settings
            };
            part(table, detector, arm, &own)
        })
        .collect();
    let first = parts
        .first()
        .cloned()
        .unwrap_or_else(|| part(table, "", "", settings));
    if parts.len() == 1 {
        parts.clear();
    }
    let mut quarantined: BTreeMap<String, usize> = BTreeMap::new();
    for (_, _, fault) in &table.quarantined {
        *quarantined.entry(fault.to_string()).or_default() += 1;
    }
    Summary {
        schema_version: SCHEMA_VERSION,
        first,
        parts,
        quarantined,
        failed: table.failed.len(),
    }
}
