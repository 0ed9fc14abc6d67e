//! Why a table was refused, and what is wrong with a row.

use std::path::PathBuf;

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
