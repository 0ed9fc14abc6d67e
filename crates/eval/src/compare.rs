//! Two or more runs side by side, with significance.

use std::collections::HashMap;

use serde::Serialize;

use crate::summary::{self, Measures, Settings};
use crate::table::Table;
use realscope_metric::permutation::{self, Paired};
use realscope_metric::{auc, delong};

/// One detector in one arm of one file.
#[derive(Clone, Debug, Serialize)]
pub struct Column {
    /// File.
    pub file: String,
    /// Detector.
    pub detector: String,
    /// Arm.
    pub arm: String,
    /// Measures over the pictures that all columns of the arm share.
    pub measures: Measures,
}

/// Difference of two columns on their common pictures.
#[derive(Clone, Debug, Serialize)]
pub struct Difference {
    /// Arm.
    pub arm: String,
    /// Names of the two columns.
    pub between: [String; 2],
    /// Common pictures.
    pub n: usize,
    /// AUC of the first minus that of the second.
    pub auc_difference: f64,
    /// Paired permutation test of the AUC on ranks, whole groups exchanged.
    pub permutation_p: Option<f64>,
    /// DeLong's test, pictures counting as independent.
    pub delong_p: Option<f64>,
}

/// Outcome of a comparison.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Comparison {
    /// Every column.
    pub columns: Vec<Column>,
    /// Every pair within an arm.
    pub differences: Vec<Difference>,
    /// What could not be compared.
    pub notes: Vec<String>,
}

struct Side<'a> {
    name: String,
    file: &'a str,
    detector: String,
    table: &'a Table,
    rows: HashMap<u64, usize>,
}

/// Compares files (name and table) in every arm that at least two columns have.
#[must_use]
pub fn compare(files: &[(String, Table)], settings: &Settings) -> Comparison {
    let mut out = Comparison::default();
    let mut arms: Vec<String> = Vec::new();
    for (_, table) in files {
        for (_, arm) in table.parts() {
            if !arms.contains(&arm) {
                arms.push(arm);
            }
        }
    }
    for arm in arms {
        let mut sides: Vec<Side<'_>> = Vec::new();
        for (file, table) in files {
            for (detector, of) in table.parts() {
                if of != arm {
                    continue;
                }
                let rows = table
                    .rows_of(&detector, &arm)
                    .into_iter()
                    .map(|i| (table.key[i], i))
                    .collect();
                sides.push(Side {
                    name: [file.as_str(), detector.as_str()]
                        .iter()
                        .filter(|s| !s.is_empty())
                        .copied()
                        .collect::<Vec<_>>()
                        .join(":"),
                    file,
                    detector,
                    table,
                    rows,
                });
            }
        }
        if sides.len() < 2 {
            out.notes.push(format!("arm `{arm}` has a single column"));
        }
        let mut common: Vec<u64> = sides
            .first()
            .map(|s| s.rows.keys().copied().collect())
            .unwrap_or_default();
        common.retain(|k| sides.iter().all(|s| s.rows.contains_key(k)));
        common.sort_by_key(|k| sides[0].rows[k]);
        for s in &sides {
            if s.rows.len() != common.len() {
                out.notes.push(format!(
                    "arm `{arm}`: {} of {} pictures of {} are in every column",
                    common.len(),
                    s.rows.len(),
                    s.name
                ));
            }
            let rows: Vec<usize> = common.iter().map(|k| s.rows[k]).collect();
            out.columns.push(Column {
                file: s.file.to_owned(),
                detector: s.detector.clone(),
                arm: arm.clone(),
                measures: summary::measures(&summary::scores(s.table, &rows), settings),
            });
        }
        for i in 0..sides.len() {
            for j in i + 1..sides.len() {
                match difference(&arm, &sides[i], &sides[j], &common, settings) {
                    Some(d) => out.differences.push(d),
                    None => out.notes.push(format!(
                        "arm `{arm}`: {} and {} cannot be compared (labels differ or one class)",
                        sides[i].name, sides[j].name
                    )),
                }
            }
        }
    }
    out
}

fn difference(
    arm: &str,
    a: &Side<'_>,
    b: &Side<'_>,
    common: &[u64],
    settings: &Settings,
) -> Option<Difference> {
    let pick =
        |s: &Side<'_>| -> Vec<f64> { common.iter().map(|k| s.table.score[s.rows[k]]).collect() };
    let (x, y) = (pick(a), pick(b));
    let labels: Vec<bool> = common.iter().map(|k| a.table.positive[a.rows[k]]).collect();
    if common
        .iter()
        .zip(&labels)
        .any(|(k, l)| b.table.positive[b.rows[k]] != *l)
    {
        return None;
    }
    let d = delong::delong(&labels, &x, &y)?;
    let (rx, ry) = (permutation::ranks(&x), permutation::ranks(&y));
    let rows: Vec<Paired> = common
        .iter()
        .enumerate()
        .map(|(i, k)| Paired {
            scores: [rx[i], ry[i]],
            positive: labels[i],
            group: a.table.group.at(a.rows[k]),
        })
        .collect();
    let test = permutation::test(&rows, settings.resamples, settings.seed, |s| {
        auc::auc(&s.all())
    });
    Some(Difference {
        arm: arm.to_owned(),
        between: [a.name.clone(), b.name.clone()],
        n: common.len(),
        auc_difference: d.auc[0] - d.auc[1],
        permutation_p: test.map(|t| t.p_value),
        delong_p: Some(d.p_value),
    })
}
