//! The log of a run: one line for each finished unit of work (item x arm), written once.

use std::collections::HashSet;
use std::fs::File;
use std::path::Path;

use realscope_data::manifest::Item;
use serde::{Deserialize, Serialize};

use super::error::{RunError, file_error};
use super::prediction::Prediction;
use crate::protocol::Arm;

/// A finished unit.
#[derive(Serialize, Deserialize)]
pub(super) struct Unit {
    pub unit: String,
    pub rows: Vec<Prediction>,
}

/// Name of a unit: path, range of frames, arm.
pub(super) fn unit_name(item: &Item, arm: &Arm) -> String {
    // A range without a last frame is named as before ranges had one.
    let last = match item.last_frame.as_str() {
        "" => String::new(),
        last => format!("-{last}"),
    };
    format!(
        "{}\u{1f}{}{last}\u{1f}{}",
        item.path,
        item.first_frame,
        arm.name()
    )
}

/// Names of finished units; a last line that a kill cut short is removed from the file.
pub(super) fn resume(log: &Path) -> Result<HashSet<String>, RunError> {
    let bytes = match std::fs::read(log) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(HashSet::new()),
        Err(e) => return Err(file_error(log, e)),
    };
    let whole = bytes
        .iter()
        .rposition(|b| *b == b'\n')
        .map_or(0, |at| at + 1);
    if whole < bytes.len() {
        let file = File::options()
            .write(true)
            .open(log)
            .map_err(|e| file_error(log, e))?;
        file.set_len(whole as u64).map_err(|e| file_error(log, e))?;
    }
    bytes[..whole]
        .split(|b| *b == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| {
            serde_json::from_slice::<Unit>(line)
                .map(|u| u.unit)
                .map_err(|e| file_error(log, e))
        })
        .collect()
}
