//! Predictions: one row a picture, arm and detector, from Parquet or CSV.
//!
//! Needed columns: `path`, `label`, `group`, `score`. Known ones beside them: `arm`, `detector`,
//! `generator`, `source`, `match_set`, `tier`, `video`, `verdict`, `error`. Others are ignored.
//! Text is interned, so that ten million rows fit into memory.

use std::fs::File;
use std::hash::BuildHasher as _;
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float32Type, Float64Type, Int32Type, Int64Type, UInt8Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use foldhash::quality::FixedState;
use hashbrown::{HashSet, HashTable};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use rayon::prelude::*;

/// Why a table was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TableError {
    /// The file cannot be read.
    #[error("{path}: {reason}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        reason: String,
    },
    /// A needed column is missing.
    #[error("{path}: no column `{column}`")]
    Column {
        /// The file.
        path: PathBuf,
        /// The column.
        column: &'static str,
    },
    /// A row has a fault.
    #[error("{path}: row {row} ({subject}): {fault}")]
    Row {
        /// The file.
        path: PathBuf,
        /// Row, counted from 1 after the header.
        row: usize,
        /// Path of the picture.
        subject: String,
        /// What is wrong.
        fault: Fault,
    },
    /// The table has no row that can be used.
    #[error("{path}: no usable row")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// Labels are written in two ways, so that their polarity is in doubt.
    #[error("{path}: labels mix numbers and words; write all as 0 and 1 (1 = generated)")]
    MixedLabels {
        /// The file.
        path: PathBuf,
    },
}

/// What is wrong with a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The score is no finite number.
    #[error("the score is no finite number")]
    Score,
    /// The label is neither 0 nor 1.
    #[error("unknown label")]
    Label,
    /// The path came before in the same arm and detector.
    #[error("duplicate path")]
    Duplicate,
    /// The path is empty.
    #[error("the path is empty")]
    Path,
}

/// A column of names, each stored once. A column that the file lacks has no rows and is read as empty names.
#[derive(Clone, Debug)]
pub struct Names {
    /// Number of each row.
    rows: Vec<u32>,
    text: String,
    /// End of each name in the text.
    ends: Vec<usize>,
    index: HashTable<u32>,
}

fn slice<'a>(text: &'a str, ends: &[usize], number: u32) -> &'a str {
    let number = number as usize;
    let start = number.checked_sub(1).map_or(0, |before| ends[before]);
    &text[start..ends[number]]
}

/// The empty name, which every column knows.
const NO_NAME: u32 = 0;

impl Default for Names {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            text: String::new(),
            ends: vec![0],
            index: HashTable::new(),
        }
    }
}

impl Names {
    fn push(&mut self, name: &str) {
        if name.is_empty() {
            self.rows.push(NO_NAME);
            return;
        }
        // Neighbouring rows often share the name.
        if let Some(last) = self.rows.last().copied()
            && self.name(last) == name
        {
            self.rows.push(last);
            return;
        }
        let Self {
            rows,
            text,
            ends,
            index,
        } = self;
        let found = index.find(hash(name), |n| slice(text, ends, *n) == name);
        let number = match found {
            Some(number) => *number,
            None => {
                let number = ends.len() as u32;
                text.push_str(name);
                ends.push(text.len());
                index.insert_unique(hash(name), number, |n| hash(slice(text, ends, *n)));
                number
            }
        };
        rows.push(number);
    }

    /// Name of a number.
    #[must_use]
    pub fn name(&self, number: u32) -> &str {
        slice(&self.text, &self.ends, number)
    }

    /// Number of a name; `None` when no row has it.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u32> {
        if name.is_empty() {
            return Some(NO_NAME);
        }
        let found = self.index.find(hash(name), |n| self.name(*n) == name);
        found.copied()
    }

    /// Number of the name in a row.
    #[must_use]
    pub fn at(&self, row: usize) -> u32 {
        self.rows.get(row).copied().unwrap_or(NO_NAME)
    }

    /// How many different names there are, the empty one among them.
    #[must_use]
    pub fn distinct(&self) -> usize {
        self.ends.len()
    }

    /// Name in a row.
    #[must_use]
    pub fn of(&self, row: usize) -> &str {
        self.name(self.at(row))
    }
}

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

/// How a file is read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reading {
    /// Leave faulty rows out and count them, instead of refusing the file.
    pub quarantine: bool,
}

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
struct Raw<'a> {
    path: &'a str,
    label: &'a str,
    score: Option<f64>,
    group: &'a str,
    optional: [&'a str; 8],
    error: &'a str,
}

const OPTIONAL: [&str; 8] = [
    "arm",
    "detector",
    "generator",
    "source",
    "match_set",
    "tier",
    "video",
    "verdict",
];

struct Builder {
    path: PathBuf,
    reading: Reading,
    table: Table,
    /// Which optional columns the file has.
    present: [bool; OPTIONAL.len()],
    unique: Unique,
    spelling: Option<Spelling>,
    row: usize,
}

/// How rows are told apart, by a hash of path, arm and detector.
enum Unique {
    /// Sorted and compared once all are there: quick, and only says whether there are two alike.
    AtEnd(Vec<u64>),
    /// Row by row.
    AtOnce(HashSet<u64, FixedState>),
}

impl Builder {
    fn add(&mut self, raw: &Raw<'_>) -> Result<(), TableError> {
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

    fn finish(self) -> Result<Table, TableError> {
        if self.table.score.is_empty() {
            return Err(TableError::Empty { path: self.path });
        }
        Ok(self.table)
    }
}

fn hash(value: impl std::hash::Hash) -> u64 {
    FixedState::default().hash_one(value)
}

impl Table {
    /// Reads a Parquet file (told by its first bytes) or a CSV file.
    ///
    /// # Errors
    /// [`TableError`] naming the file, and the row where one is at fault.
    pub fn read(path: &Path, reading: Reading) -> Result<Self, TableError> {
        let unreadable = |reason: String| TableError::Unreadable {
            path: path.to_owned(),
            reason,
        };
        let mut magic = [0; 4];
        {
            use std::io::Read as _;
            let mut file = File::open(path).map_err(|e| unreadable(e.to_string()))?;
            let read = file
                .read(&mut magic)
                .map_err(|e| unreadable(e.to_string()))?;
            if read == 0 {
                return Err(TableError::Empty {
                    path: path.to_owned(),
                });
            }
        }
        let read = |unique: Unique| {
            let mut builder = Builder {
                path: path.to_owned(),
                reading,
                table: Self::default(),
                present: [false; OPTIONAL.len()],
                unique,
                spelling: None,
                row: 0,
            };
            if magic == *b"PAR1" {
                read_parquet(path, &mut builder)?;
            } else {
                read_csv(path, &mut builder)?;
            }
            Ok(builder)
        };
        // Only a file with a fault is read again with an eye on every row: the first fault is then named in its order.
        let quick = read(Unique::AtEnd(Vec::new()));
        if let Ok(Builder {
            unique: Unique::AtEnd(mut all),
            table,
            ..
        }) = quick
        {
            all.par_sort_unstable();
            if all.windows(2).all(|pair| pair[0] != pair[1]) && !table.is_empty() {
                return Ok(table);
            }
        }
        read(Unique::AtOnce(HashSet::default()))?.finish()
    }

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

fn read_csv(path: &Path, builder: &mut Builder) -> Result<(), TableError> {
    let unreadable = |e: csv::Error| TableError::Unreadable {
        path: path.to_owned(),
        reason: e.to_string(),
    };
    let mut reader = csv::ReaderBuilder::new()
        .flexible(false)
        .from_path(path)
        .map_err(unreadable)?;
    let header = reader.headers().map_err(unreadable)?.clone();
    let find = |name: &str| {
        header
            .iter()
            .position(|h| h.trim_start_matches('\u{feff}').trim() == name)
    };
    let need = |column: &'static str| {
        find(column).ok_or(TableError::Column {
            path: path.to_owned(),
            column,
        })
    };
    let (at_path, at_label, at_group, at_score) = (
        need("path")?,
        need("label")?,
        need("group")?,
        need("score")?,
    );
    let optional = OPTIONAL.map(find);
    builder.present = optional.map(|column| column.is_some());
    let at_error = find("error");
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(unreadable)? {
        let cell = |at: Option<usize>| at.and_then(|i| record.get(i)).unwrap_or("");
        builder.add(&Raw {
            path: cell(Some(at_path)),
            label: cell(Some(at_label)),
            score: cell(Some(at_score)).trim().parse().ok(),
            group: cell(Some(at_group)),
            optional: optional.map(cell),
            error: cell(at_error),
        })?;
    }
    Ok(())
}

/// A cell as text; numbers are written out.
fn text(batch: &RecordBatch, column: Option<usize>, row: usize) -> String {
    let Some(array) = column.map(|c| batch.column(c)) else {
        return String::new();
    };
    if array.is_null(row) {
        return String::new();
    }
    match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value(row).to_owned(),
        DataType::LargeUtf8 => array.as_string::<i64>().value(row).to_owned(),
        DataType::Utf8View => array.as_string_view().value(row).to_owned(),
        DataType::Boolean => u8::from(array.as_boolean().value(row)).to_string(),
        DataType::UInt8 => array.as_primitive::<UInt8Type>().value(row).to_string(),
        DataType::Int32 => array.as_primitive::<Int32Type>().value(row).to_string(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::Float32 => f64::from(array.as_primitive::<Float32Type>().value(row)).to_string(),
        DataType::Float64 => array.as_primitive::<Float64Type>().value(row).to_string(),
        _ => String::new(),
    }
}

fn read_parquet(path: &Path, builder: &mut Builder) -> Result<(), TableError> {
    let unreadable = |reason: String| TableError::Unreadable {
        path: path.to_owned(),
        reason,
    };
    let file = File::open(path).map_err(|e| unreadable(e.to_string()))?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)
        .and_then(ParquetRecordBatchReaderBuilder::build)
        .map_err(|e| unreadable(e.to_string()))?;
    for batch in reader {
        let batch = batch.map_err(|e| unreadable(e.to_string()))?;
        let schema = batch.schema();
        let find = |name: &str| schema.index_of(name).ok();
        let need = |column: &'static str| {
            find(column).ok_or(TableError::Column {
                path: path.to_owned(),
                column,
            })
        };
        let needed = [
            need("path")?,
            need("label")?,
            need("group")?,
            need("score")?,
        ];
        let optional = OPTIONAL.map(find);
        builder.present = optional.map(|column| column.is_some());
        let at_error = find("error");
        for row in 0..batch.num_rows() {
            let [p, l, g, s] = needed.map(|c| text(&batch, Some(c), row));
            let o = optional.map(|c| text(&batch, c, row));
            let e = text(&batch, at_error, row);
            builder.add(&Raw {
                path: &p,
                label: &l,
                score: s.parse().ok(),
                group: &g,
                optional: std::array::from_fn(|i| o[i].as_str()),
                error: &e,
            })?;
        }
    }
    Ok(())
}
