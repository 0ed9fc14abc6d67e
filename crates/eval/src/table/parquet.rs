//! Predictions from Parquet.

use std::fs::File;
use std::path::Path;

use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float32Type, Float64Type, Int32Type, Int64Type, UInt8Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;

use super::builder::{Builder, OPTIONAL, Raw};
use super::error::TableError;

/// Adds the rows of a file.
pub(super) fn read(path: &Path, builder: &mut Builder) -> Result<(), TableError> {
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
