//! Rows decided right, group by group.

use serde::{Deserialize, Serialize};

use super::measures::Settings;
use crate::table::Table;

/// A group in the table that is ordered worst first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupRow {
    /// Source or generator.
    pub group: String,
    /// Label of its rows.
    pub label: u8,
    /// Rows.
    pub n: usize,
    /// Rows decided right.
    pub right: usize,
    /// Share decided right; null under the least number of items.
    pub rate: Option<f64>,
    /// 95% interval of the share (Wilson), pictures counting as independent.
    pub ci95: Option<[f64; 2]>,
}

/// Wilson's 95% interval of a share.
#[must_use]
pub fn wilson(right: usize, n: usize) -> [f64; 2] {
    let (z, n) = (1.959_963_984_540_054, n as f64);
    let p = right as f64 / n;
    let centre = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z / (1.0 + z * z / n) * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    [(centre - half).max(0.0), (centre + half).min(1.0)]
}

/// All groups, worst first; none where every group has a single row.
pub(super) fn by_group(table: &Table, rows: &[usize], settings: &Settings) -> Vec<GroupRow> {
    // Rows decided right and rows, by class.
    let mut counts = vec![[[0_usize; 2]; 2]; table.group.distinct()];
    for i in rows {
        let positive = table.positive[*i];
        let [right, n] = &mut counts[table.group.at(*i) as usize][usize::from(positive)];
        *right += usize::from((table.score[*i] >= settings.threshold) == positive);
        *n += 1;
    }
    let filled = counts.iter().flatten().filter(|c| c[1] > 0).count();
    // A table of one picture a group says nothing.
    if filled == rows.len() && rows.len() > 1 {
        return Vec::new();
    }
    let mut out: Vec<GroupRow> = counts
        .into_iter()
        .enumerate()
        .flat_map(|(group, classes)| {
            let classes = classes.into_iter().enumerate();
            classes.map(move |(class, counts)| (group, class, counts))
        })
        .filter(|(_, _, [_, n])| *n > 0)
        .map(|(group, class, [right, n])| {
            let enough = n >= settings.min_items;
            GroupRow {
                group: table.group.name(group as u32).to_owned(),
                label: class as u8,
                n,
                right,
                rate: enough.then(|| right as f64 / n as f64),
                ci95: enough.then(|| wilson(right, n)),
            }
        })
        .collect();
    let share = |r: &GroupRow| r.right as f64 / r.n as f64;
    out.sort_by(|a, b| {
        let order = share(a).total_cmp(&share(b)).then(b.n.cmp(&a.n));
        order.then_with(|| (a.label, &a.group).cmp(&(b.label, &b.group)))
    });
    out
}
