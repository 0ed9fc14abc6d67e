//! The log of a run as a table of predictions in Parquet.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray, UInt8Array};
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;

use super::error::{RunError, file_error};
use super::prediction::Prediction;
use super::units::Unit;

/// Rows per batch of the table.
const BATCH: usize = 8192;

/// Writes the predictions of a log as Parquet, in batches; returns the rows with an error.
pub(super) fn export(log: &Path, target: &Path) -> Result<usize, RunError> {
    let names = [
        "path",
        "group",
        "generator",
        "source",
        "match_set",
        "video",
        "arm",
        "detector",
        "verdict",
        "tier",
        "error",
        "sha256",
        "weights_sha256",
    ];
    let mut fields: Vec<Field> = names
        .iter()
        .map(|n| Field::new(*n, DataType::Utf8, false))
        .collect();
    fields.push(Field::new("label", DataType::UInt8, false));
    for n in ["score", "raw", "ms"] {
        fields.push(Field::new(n, DataType::Float64, true));
    }
    fields.push(Field::new("stable", DataType::UInt8, true));
    let schema = Arc::new(Schema::new(fields));
    let fresh = target.with_extension("new");
    let file = File::create(&fresh).map_err(|e| file_error(&fresh, e))?;
    let mut writer =
        ArrowWriter::try_new(file, schema.clone(), None).map_err(|e| file_error(&fresh, e))?;
    let mut rows: Vec<Prediction> = Vec::new();
    let mut errors = 0;
    let flush =
        |rows: &mut Vec<Prediction>, writer: &mut ArrowWriter<File>| -> Result<(), RunError> {
            let text = |get: fn(&Prediction) -> &str| -> ArrayRef {
                Arc::new(rows.iter().map(|r| Some(get(r))).collect::<StringArray>())
            };
            let number = |get: fn(&Prediction) -> Option<f64>| -> ArrayRef {
                Arc::new(rows.iter().map(get).collect::<Float64Array>())
            };
            let columns: Vec<ArrayRef> = vec![
                text(|r| &r.path),
                text(|r| &r.group),
                text(|r| &r.generator),
                text(|r| &r.source),
                text(|r| &r.match_set),
                text(|r| &r.video),
                text(|r| &r.arm),
                text(|r| &r.detector),
                text(|r| &r.verdict),
                text(|r| &r.tier),
                text(|r| &r.error),
                text(|r| &r.sha256),
                text(|r| &r.weights_sha256),
                Arc::new(rows.iter().map(|r| Some(r.label)).collect::<UInt8Array>()),
                number(|r| r.score),
                number(|r| r.raw),
                number(|r| Some(r.ms)),
                Arc::new(
                    rows.iter()
                        .map(|r| r.stable.map(u8::from))
                        .collect::<UInt8Array>(),
                ),
            ];
            let batch =
                RecordBatch::try_new(schema.clone(), columns).map_err(|e| file_error(target, e))?;
            writer.write(&batch).map_err(|e| file_error(target, e))?;
            rows.clear();
            Ok(())
        };
    let reader = BufReader::new(File::open(log).map_err(|e| file_error(log, e))?);
    for line in reader.lines() {
        let line = line.map_err(|e| file_error(log, e))?;
        let unit: Unit = serde_json::from_str(&line).map_err(|e| file_error(log, e))?;
        errors += unit.rows.iter().filter(|r| !r.error.is_empty()).count();
        rows.extend(unit.rows);
        if rows.len() >= BATCH {
            flush(&mut rows, &mut writer)?;
        }
    }
    flush(&mut rows, &mut writer)?;
    writer.close().map_err(|e| file_error(&fresh, e))?;
    std::fs::rename(&fresh, target).map_err(|e| file_error(target, e))?;
    Ok(errors)
}
