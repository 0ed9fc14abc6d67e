//! Verdicts of a scan: how often it says that it cannot tell, and how often it accuses wrongly.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::table::Table;

/// Verdicts of a scan.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Abstention {
    /// Rows by verdict.
    pub verdicts: BTreeMap<String, usize>,
    /// Share of `uncertain`.
    pub uncertain: f64,
    /// Accusations (`generated`, `manipulated`) of authentic rows.
    pub false_accusations: usize,
    /// Accusations in all.
    pub accusations: usize,
}

/// Verdicts of some rows; `None` where one has no verdict.
pub(super) fn abstention(table: &Table, rows: &[usize]) -> Option<Abstention> {
    // Rows by verdict and class.
    let mut counts = vec![[0_usize; 2]; table.verdict.distinct()];
    for i in rows {
        counts[table.verdict.at(*i) as usize][usize::from(table.positive[*i])] += 1;
    }
    let mut out = Abstention::default();
    for (number, [negatives, positives]) in counts.into_iter().enumerate() {
        if negatives + positives == 0 {
            continue;
        }
        let verdict = table.verdict.name(number as u32);
        if verdict.is_empty() {
            return None;
        }
        out.verdicts
            .insert(verdict.to_owned(), negatives + positives);
        if matches!(verdict, "generated" | "manipulated") {
            out.accusations += negatives + positives;
            out.false_accusations += negatives;
        }
    }
    let uncertain = out.verdicts.get("uncertain").copied().unwrap_or(0);
    out.uncertain = uncertain as f64 / rows.len() as f64;
    Some(out)
}
