//! Rows as text become columns; faults are found here, whatever the format.

use std::path::{Path, PathBuf};

use foldhash::quality::FixedState;
use hashbrown::HashSet;

use super::columns::Table;
use super::error::{Fault, TableError};
use super::names::hash;

/// How a file is read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reading {
    /// Leave faulty rows out and count them, instead of refusing the file.
    pub quarantine: bool,
}

/// How labels are written.
#[derive(Clone, Copy, PartialEq)]
enum Spelling {
    Number,
    Word,
}

fn label(text: &str) -> Option<(bool, Spelling)> {
    let text = text.trim();
    let is = |words: &[&str]| words.iter().any(|w| text.eq_ignore_ascii_case(w));
    match text {
        "0" | "0.0" => Some((false, Spelling::Number)),
        "1" | "1.0" => Some((true, Spelling::Number)),
        _ if is(&["real", "authentic"]) => Some((false, Spelling::Word)),
        _ if is(&["fake", "generated", "manipulated"]) => Some((true, Spelling::Word)),
        _ => None,
    }
}

/// One row as text.
#[derive(Default)]
pub(super) struct Raw<'a> {
    pub path: &'a str,
    pub label: &'a str,
    pub score: Option<f64>,
    pub group: &'a str,
    pub optional: [&'a str; 8],
    pub error: &'a str,
}

/// Columns that a file may lack, in the order of [`Raw::optional`].
pub(super) const OPTIONAL: [&str; 8] = [
    "arm",
    "detector",
    "generator",
    "source",
    "match_set",
    "tier",
    "video",
    "verdict",
];

/// A table that is being read.
pub(super) struct Builder {
    path: PathBuf,
    reading: Reading,
    pub table: Table,
    /// Which optional columns the file has.
    pub present: [bool; OPTIONAL.len()],
    pub unique: Unique,
    spelling: Option<Spelling>,
    row: usize,
}

/// How rows are told apart, by a hash of path, arm and detector.
pub(super) enum Unique {
    /// Sorted and compared once all are there: quick, and only says whether there are two alike.
    AtEnd(Vec<u64>),
    /// Row by row.
    AtOnce(HashSet<u64, FixedState>),
}

impl Builder {
    /// Nothing read yet.
    pub(super) fn new(path: &Path, reading: Reading, unique: Unique) -> Self {
        Self {
            path: path.to_owned(),
            reading,
            table: Table::default(),
            present: [false; OPTIONAL.len()],
            unique,
            spelling: None,
            row: 0,
        }
    }

    /// Adds a row, or says what is wrong with it.
    pub(super) fn add(&mut self, raw: &Raw<'_>) -> Result<(), TableError> {
        self.row += 1;
        if !raw.error.is_empty() && raw.score.is_none() {
            self.table
                .failed
                .push((raw.path.to_owned(), raw.error.to_owned()));
            return Ok(());
        }
        let parsed = label(raw.label);
        let key = Table::key_of(raw.path);
        let unique = if raw.optional[0].is_empty() && raw.optional[1].is_empty() {
            key
        } else {
            hash((raw.path, raw.optional[0], raw.optional[1]))
        };
        let fault = if raw.path.is_empty() {
            Some(Fault::Path)
        } else if parsed.is_none() {
            Some(Fault::Label)
        } else if !raw.score.is_some_and(f64::is_finite) {
            Some(Fault::Score)
        } else if let Unique::AtOnce(seen) = &mut self.unique
            && !seen.insert(unique)
        {
            Some(Fault::Duplicate)
        } else {
            None
        };
        let (Some((positive, spelling)), Some(score), None) = (parsed, raw.score, fault) else {
            let fault = fault.unwrap_or(Fault::Label);
            if self.reading.quarantine {
                let subject = raw.path.to_owned();
                self.table.quarantined.push((self.row, subject, fault));
                return Ok(());
            }
            return Err(TableError::Row {
                path: self.path.clone(),
                row: self.row,
                subject: raw.path.to_owned(),
                fault,
            });
        };
        if self.spelling.is_some_and(|s| s != spelling) {
            return Err(TableError::MixedLabels {
                path: self.path.clone(),
            });
        }
        self.spelling = Some(spelling);
        if let Unique::AtEnd(all) = &mut self.unique {
            all.push(unique);
        }
        let t = &mut self.table;
        t.score.push(score);
        t.positive.push(positive);
        // Without a group, a picture stands for itself.
        t.group.push(if raw.group.is_empty() {
            raw.path
        } else {
            raw.group
        });
        let columns = [
            &mut t.arm,
            &mut t.detector,
            &mut t.generator,
            &mut t.source,
            &mut t.match_set,
            &mut t.tier,
            &mut t.video,
            &mut t.verdict,
        ];
        for ((column, value), present) in columns.into_iter().zip(raw.optional).zip(self.present) {
            if present {
                column.push(value);
            }
        }
        t.key.push(key);
        Ok(())
    }

    /// The table, which is not empty.
    pub(super) fn finish(self) -> Result<Table, TableError> {
        if self.table.score.is_empty() {
            return Err(TableError::Empty { path: self.path });
        }
        Ok(self.table)
    }
}
