//! Predictions from CSV.

use std::path::Path;

use super::builder::{Builder, OPTIONAL, Raw};
use super::error::TableError;

/// Adds the rows of a file.
pub(super) fn read(path: &Path, builder: &mut Builder) -> Result<(), TableError> {
    let unreadable = |e: ::csv::Error| TableError::Unreadable {
        path: path.to_owned(),
        reason: e.to_string(),
    };
    let mut reader = ::csv::ReaderBuilder::new()
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
    let mut record = ::csv::StringRecord::new();
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
