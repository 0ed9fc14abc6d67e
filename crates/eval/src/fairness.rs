//! Measures by the values of a metadata column, such as age, apparent gender or skin type (after
//! Casual Conversations, Hazirbas et al., arXiv 2104.02821): does the detector treat all alike?
//!
//! The decision is the one of the whole set; each value gets its own rates, worst first, and the gap between
//! the best and the worst value is reported for each rate. A value with too few rows has counts alone
//! and takes no part in a gap.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::summary::{Settings, wilson};
use crate::table::Table;
use realscope_metric::{Scores, auc};

/// Why a column cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FairnessError {
    /// The file cannot be read.
    #[error("{path}: {reason}")]
    Unreadable {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No such column.
    #[error("{path} has no column `{column}`; it has {known}")]
    Column {
        /// The file.
        path: String,
        /// What was asked for.
        column: String,
        /// Those that there are.
        known: String,
    },
    /// A picture has two values.
    #[error("{path}: row {row} gives `{picture}` another value than before")]
    Contradiction {
        /// The file.
        path: String,
        /// Row from 1.
        row: usize,
        /// The picture.
        picture: String,
    },
    /// No prediction has a value.
    #[error("no prediction has a value of `{column}`")]
    Nothing {
        /// The column.
        column: String,
    },
}

/// Values of a column by key of the path (see [`Table::key_of`]).
pub type Values = HashMap<u64, String>;

/// Reads a column of a CSV file with `path`.
///
/// # Errors
/// [`FairnessError`].
pub fn read(path: &Path, column: &str) -> Result<Values, FairnessError> {
    let shown = path.display().to_string();
    let unreadable = |e: csv::Error| FairnessError::Unreadable {
        path: shown.clone(),
        reason: e.to_string(),
    };
    let tab = path
        .extension()
        .is_some_and(|e| e.eq_ignore_ascii_case("tsv"));
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(if tab { b'\t' } else { b',' })
        .from_path(path)
        .map_err(unreadable)?;
    let header = reader.headers().map_err(unreadable)?.clone();
    let find = |name: &str| {
        header
            .iter()
            .position(|h| h == name)
            .ok_or_else(|| FairnessError::Column {
                path: shown.clone(),
                column: name.to_owned(),
                known: header.iter().collect::<Vec<_>>().join(", "),
            })
    };
    let (name, value) = (find("path")?, find(column)?);
    let mut out = Values::new();
    for (i, row) in reader.records().enumerate() {
        let row = row.map_err(unreadable)?;
        let (picture, value) = (
            row.get(name).unwrap_or_default(),
            row.get(value).unwrap_or_default(),
        );
        if value.is_empty() {
            continue;
        }
        let before = out.insert(Table::key_of(picture), value.to_owned());
        if before.is_some_and(|b| b != value) {
            return Err(FairnessError::Contradiction {
                path: shown,
                row: i + 1,
                picture: picture.to_owned(),
            });
        }
    }
    Ok(out)
}

/// A share with its 95% interval (Wilson), null under the least number of items.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rate {
    /// Rows that count.
    pub hits: usize,
    /// Rows in all.
    pub n: usize,
    /// The share.
    pub value: Option<f64>,
    /// Its interval.
    pub ci95: Option<[f64; 2]>,
}

impl Rate {
    fn of(hits: usize, n: usize, least: usize) -> Self {
        let enough = n >= least.max(1);
        Self {
            hits,
            n,
            value: enough.then(|| hits as f64 / n as f64),
            ci95: enough.then(|| wilson(hits, n)),
        }
    }
}

/// One value of the column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The value; empty for rows without one.
    pub value: String,
    /// Share of authentic rows that are taken for generated.
    pub false_positive_rate: Rate,
    /// Share of generated rows that are found.
    pub recall: Rate,
    /// Share decided right.
    pub accuracy: Rate,
    /// AUC; null where a class has too few rows.
    pub auc: Option<f64>,
}

/// The column's table for one detector in one arm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fairness {
    /// The column.
    pub column: String,
    /// Detector.
    pub detector: String,
    /// Arm.
    pub arm: String,
    /// Threshold of the decision.
    pub threshold: f64,
    /// Values, lowest accuracy first.
    pub rows: Vec<Row>,
    /// Largest difference between two values, by rate; null with fewer than two values that carry it.
    pub gaps: BTreeMap<String, Option<f64>>,
}

fn gap(values: impl Iterator<Item = f64>) -> Option<f64> {
    let list: Vec<f64> = values.collect();
    let low = list.iter().copied().fold(f64::INFINITY, f64::min);
    let high = list.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (list.len() > 1).then_some(high - low)
}

/// The table of one detector in one arm.
///
/// # Errors
/// [`FairnessError::Nothing`].
pub fn measure(
    table: &Table,
    detector: &str,
    arm: &str,
    column: &str,
    values: &Values,
    settings: &Settings,
) -> Result<Fairness, FairnessError> {
    let mut by_value: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut known = false;
    for i in table.rows_of(detector, arm) {
        let value = values.get(&table.key[i]).map_or("", String::as_str);
        known |= !value.is_empty();
        by_value.entry(value).or_default().push(i);
    }
    if !known {
        return Err(FairnessError::Nothing {
            column: column.to_owned(),
        });
    }
    let mut rows: Vec<Row> = by_value
        .into_iter()
        .map(|(value, list)| {
            let mut counts = [[0_usize; 2]; 2];
            for i in &list {
                let called = table.score[*i] >= settings.threshold;
                counts[usize::from(table.positive[*i])][usize::from(called)] += 1;
            }
            let [[tn, fp], [fal, tp]] = counts;
            let least = settings.min_items;
            let enough = tn + fp >= least && fal + tp >= least;
            let scores = Scores::new(
                list.iter()
                    .map(|i| (table.score[*i], table.positive[*i], 0))
                    .collect(),
            );
            Row {
                value: value.to_owned(),
                false_positive_rate: Rate::of(fp, tn + fp, least),
                recall: Rate::of(tp, fal + tp, least),
                accuracy: Rate::of(tn + tp, list.len(), least),
                auc: auc::auc(&scores.all()).filter(|_| enough),
            }
        })
        .collect();
    let share = |r: &Row| r.accuracy.hits as f64 / r.accuracy.n as f64;
    rows.sort_by(|a, b| share(a).total_cmp(&share(b)).then(a.value.cmp(&b.value)));
    let named = || rows.iter().filter(|r| !r.value.is_empty());
    let gaps = BTreeMap::from([
        (
            "false_positive_rate".to_owned(),
            gap(named().filter_map(|r| r.false_positive_rate.value)),
        ),
        (
            "recall".to_owned(),
            gap(named().filter_map(|r| r.recall.value)),
        ),
        (
            "accuracy".to_owned(),
            gap(named().filter_map(|r| r.accuracy.value)),
        ),
        ("auc".to_owned(), gap(named().filter_map(|r| r.auc))),
    ]);
    Ok(Fairness {
        column: column.to_owned(),
        detector: detector.to_owned(),
        arm: arm.to_owned(),
        threshold: settings.threshold,
        rows,
        gaps,
    })
}

/// The table for people.
#[must_use]
pub fn text(f: &Fairness) -> String {
    use std::fmt::Write as _;
    let rate = |r: &Rate| match (r.value, r.ci95) {
        (Some(v), Some([l, h])) => format!("{v:.3} [{l:.3}, {h:.3}]"),
        _ => format!("{} of {}", r.hits, r.n),
    };
    let title = [f.detector.as_str(), f.arm.as_str()]
        .iter()
        .filter(|t| !t.is_empty())
        .copied()
        .collect::<Vec<_>>()
        .join(", ");
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(out, "by {} {title} (threshold {})", f.column, f.threshold);
    let _ = writeln!(
        out,
        "  {:<20}{:<24}{:<24}{:<24}AUC",
        "value", "false-positive rate", "recall", "accuracy"
    );
    for r in &f.rows {
        let _ = writeln!(
            out,
            "  {:<20}{:<24}{:<24}{:<24}{}",
            if r.value.is_empty() { "-" } else { &r.value },
            rate(&r.false_positive_rate),
            rate(&r.recall),
            rate(&r.accuracy),
            r.auc.map_or("-".into(), |a| format!("{a:.3}"))
        );
    }
    for (name, gap) in &f.gaps {
        let gap = gap.map_or("- (fewer than two values carry it)".into(), |g| {
            format!("{g:.3}")
        });
        let _ = writeln!(out, "  largest gap in {name}: {gap}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Reading;

    /// 40 pictures of each class and value; of `b`, ten authentic ones are called generated.
    fn files(folder: &Path) -> (std::path::PathBuf, std::path::PathBuf) {
        let (mut scores, mut values) = (
            String::from("path,label,group,score\n"),
            String::from("path,skin\n"),
        );
        for value in ["a", "b"] {
            for i in 0..40 {
                for label in [0, 1] {
                    let wrong = value == "b" && label == 0 && i < 10;
                    let score = if (label == 1) != wrong { 0.9 } else { 0.1 };
                    scores += &format!("{value}{i}-{label},{label},g{i},{score}\n");
                    values += &format!("{value}{i}-{label},{value}\n");
                }
            }
        }
        let paths = (folder.join("s.csv"), folder.join("v.csv"));
        std::fs::write(&paths.0, scores).expect("written");
        std::fs::write(&paths.1, values).expect("written");
        paths
    }

    #[test]
    fn a_value_that_is_accused_more_often_stands_first_with_its_gap() {
        let folder = tempfile::tempdir().expect("folder");
        let (scores, values) = files(folder.path());
        let table = Table::read(&scores, Reading::default()).expect("table");
        let values = read(&values, "skin").expect("values");
        let f = measure(&table, "", "", "skin", &values, &Settings::default()).expect("measured");
        assert_eq!(f.rows[0].value, "b");
        assert_eq!(f.rows[0].false_positive_rate.value, Some(0.25));
        assert_eq!(f.rows[0].auc, Some(0.875));
        assert_eq!(f.rows[1].accuracy.value, Some(1.0));
        assert_eq!(f.gaps["false_positive_rate"], Some(0.25));
        assert_eq!(f.gaps["recall"], Some(0.0));
    }

    #[test]
    fn few_rows_give_counts_and_no_gap() {
        let folder = tempfile::tempdir().expect("folder");
        let (scores, values) = files(folder.path());
        let table = Table::read(&scores, Reading::default()).expect("table");
        let values = read(&values, "skin").expect("values");
        let settings = Settings {
            min_items: 100,
            ..Settings::default()
        };
        let f = measure(&table, "", "", "skin", &values, &settings).expect("measured");
        assert_eq!(f.rows[0].recall.value, None);
        assert_eq!(f.rows[0].recall.hits, 40);
        assert_eq!(f.gaps["recall"], None);
    }

    #[test]
    fn an_unknown_column_is_named() {
        let folder = tempfile::tempdir().expect("folder");
        let (_, values) = files(folder.path());
        let e = read(&values, "age").expect_err("no such column");
        assert!(e.to_string().contains("`age`; it has path, skin"), "{e}");
    }
}
