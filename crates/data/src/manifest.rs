//! The list of a data set: one row a picture or video, in Parquet or CSV.
//!
//! Columns: `path` (relative to the manifest's folder or absolute), `label` (1 = generated or
//! manipulated), `split`, `group` (source or generator; never split), `generator`, `source`,
//! `video` (unique over the set), `first_frame`, `last_frame`, `mask`, `tier`, `licence`,
//! `match_set`, `fold`, `original_jpeg_quality`, `content`. Only `path`, `label` and `group` are needed; unknown columns
//! are refused so that a misspelt one is not lost.
//!
//! In text a label may be a word: `generated` and `manipulated` are 1, `real` and `cgi` (rendered or drawn by people)
//! are 0. Rows labelled `mask` or `spoof` are no items and are left out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::{Array as _, RecordBatch, StringArray, UInt8Array};
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use serde::{Deserialize, Serialize};

/// Version of the layout, kept in the Parquet file's metadata.
pub const SCHEMA_VERSION: u32 = 1;

/// Why a manifest was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// The file or folder cannot be read or written.
    #[error("{path}: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        reason: String,
    },
    /// A row has a fault.
    #[error("{path}: row {row}: {reason}")]
    Row {
        /// The file.
        path: PathBuf,
        /// Row, counted from 1 after the header.
        row: usize,
        /// What is wrong.
        reason: String,
    },
    /// The file was written by a newer version.
    #[error("{path}: layout version {found}; this program reads up to {SCHEMA_VERSION}")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: String,
    },
}

impl ManifestError {
    pub(crate) fn file(path: &Path, reason: impl ToString) -> Self {
        Self::File {
            path: path.to_owned(),
            reason: reason.to_string(),
        }
    }
}

/// One picture or video.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Item {
    /// Path, `/` between parts.
    pub path: String,
    /// 1 = generated or manipulated.
    pub label: u8,
    /// `train`, `val`, `test` or empty.
    pub split: String,
    /// Source or generator.
    pub group: String,
    /// Generator or manipulation; empty for authentic items.
    pub generator: String,
    /// Where the picture is from.
    pub source: String,
    /// Unique id of the video that it belongs to; empty for pictures.
    pub video: String,
    /// First frame; empty for the whole video.
    pub first_frame: String,
    /// Last frame.
    pub last_frame: String,
    /// Mask of the manipulated region.
    pub mask: String,
    /// Quality tier or compression.
    pub tier: String,
    /// Licence of the item.
    pub licence: String,
    /// Set in which both classes share source and style.
    pub match_set: String,
    /// Part of the training items for cross-validation; whole groups share one. Empty where the manifest has none.
    pub fold: String,
    /// Quality of the file's first JPEG encoding; empty where it is not known.
    pub original_jpeg_quality: String,
    /// What it shows and how that was made: `photograph`, `portrait`, `painting` and so on; empty where not known.
    pub content: String,
}

const COLUMNS: [&str; 15] = [
    "path",
    "split",
    "group",
    "generator",
    "source",
    "video",
    "first_frame",
    "last_frame",
    "mask",
    "tier",
    "licence",
    "match_set",
    "fold",
    "original_jpeg_quality",
    "content",
];

impl Item {
    fn text(&self, column: usize) -> &str {
        [
            &self.path,
            &self.split,
            &self.group,
            &self.generator,
            &self.source,
            &self.video,
            &self.first_frame,
            &self.last_frame,
            &self.mask,
            &self.tier,
            &self.licence,
            &self.match_set,
            &self.fold,
            &self.original_jpeg_quality,
            &self.content,
        ][column]
    }

    fn text_mut(&mut self, column: usize) -> &mut String {
        match column {
            0 => &mut self.path,
            1 => &mut self.split,
            2 => &mut self.group,
            3 => &mut self.generator,
            4 => &mut self.source,
            5 => &mut self.video,
            6 => &mut self.first_frame,
            7 => &mut self.last_frame,
            8 => &mut self.mask,
            9 => &mut self.tier,
            10 => &mut self.licence,
            11 => &mut self.match_set,
            12 => &mut self.fold,
            13 => &mut self.original_jpeg_quality,
            _ => &mut self.content,
        }
    }

    /// Quality of the file's first JPEG encoding; `None` where it is not known.
    #[must_use]
    pub fn jpeg_quality(&self) -> Option<u8> {
        self.original_jpeg_quality.trim().parse().ok()
    }
}

/// A file that an importer left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Quarantined {
    /// The file or list entry.
    pub path: String,
    /// Why.
    pub reason: String,
}

/// A data set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// Its items.
    pub items: Vec<Item>,
    /// What was left out, and why.
    pub quarantined: Vec<Quarantined>,
}

impl Manifest {
    /// Reads Parquet (told by its first bytes), CSV or tab-separated text (by the header line).
    ///
    /// # Errors
    /// [`ManifestError`] naming the row at fault: a missing path, a label other than 0 or 1, a path
    /// twice, one video id with two labels.
    pub fn read(path: &Path) -> Result<Self, ManifestError> {
        let bytes = {
            use std::io::Read as _;
            let mut head = [0; 4096];
            let mut file = File::open(path).map_err(|e| ManifestError::file(path, e))?;
            let n = file
                .read(&mut head)
                .map_err(|e| ManifestError::file(path, e))?;
            head[..n].to_vec()
        };
        let items = if bytes.starts_with(b"PAR1") {
            read_parquet(path)?
        } else {
            let line = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
            read_text(path, if line.contains(&b'\t') { b'\t' } else { b',' })?
        };
        check(path, &items)?;
        Ok(Self {
            items,
            quarantined: Vec::new(),
        })
    }

    /// Writes Parquet, or CSV where the name ends in `.csv`.
    ///
    /// # Errors
    /// [`ManifestError::File`].
    pub fn write(&self, path: &Path) -> Result<(), ManifestError> {
        if path.extension().is_some_and(|e| e == "csv") {
            let mut writer =
                csv::Writer::from_path(path).map_err(|e| ManifestError::file(path, e))?;
            for item in &self.items {
                writer
                    .serialize(item)
                    .map_err(|e| ManifestError::file(path, e))?;
            }
            return writer.flush().map_err(|e| ManifestError::file(path, e));
        }
        let mut fields = vec![Field::new("label", DataType::UInt8, false)];
        let labels: UInt8Array = self.items.iter().map(|i| Some(i.label)).collect();
        let mut columns: Vec<arrow_array::ArrayRef> = vec![Arc::new(labels)];
        for (c, name) in COLUMNS.iter().enumerate() {
            fields.push(Field::new(*name, DataType::Utf8, false));
            let values: StringArray = self.items.iter().map(|i| Some(i.text(c))).collect();
            columns.push(Arc::new(values));
        }
        let schema = Arc::new(Schema::new(fields));
        let properties = WriterProperties::builder()
            .set_compression(parquet::basic::Compression::SNAPPY)
            .set_key_value_metadata(Some(vec![KeyValue::new(
                "realscope.manifest".to_owned(),
                SCHEMA_VERSION.to_string(),
            )]))
            .build();
        let file = File::create(path).map_err(|e| ManifestError::file(path, e))?;
        let batch = RecordBatch::try_new(schema.clone(), columns)
            .map_err(|e| ManifestError::file(path, e))?;
        let mut writer = ArrowWriter::try_new(file, schema, Some(properties))
            .map_err(|e| ManifestError::file(path, e))?;
        writer
            .write(&batch)
            .and_then(|()| writer.close().map(drop))
            .map_err(|e| ManifestError::file(path, e))
    }

    /// Items by class.
    #[must_use]
    pub fn counts(&self) -> [usize; 2] {
        let generated = self.items.iter().filter(|i| i.label == 1).count();
        [self.items.len() - generated, generated]
    }
}

/// Columns that other tools add and that carry nothing an evaluation needs.
const IGNORED: [&str; 15] = [
    "width",
    "height",
    "original_format",
    "stored_as",
    "origin",
    "kind",
    "format",
    "bytes",
    "sha1",
    "repository",
    "commit",
    "file",
    "proof",
    "date",
    "note",
];

/// What a label says: the class, or `None` for a row that is no item.
fn label(text: &str) -> Result<Option<u8>, String> {
    match text {
        "0" | "real" | "cgi" => Ok(Some(0)),
        "1" | "generated" | "manipulated" => Ok(Some(1)),
        "mask" | "spoof" => Ok(None),
        other => Err(format!(
            "label `{other}` is neither 0 nor 1 (1 = generated), nor a word that stands for one"
        )),
    }
}

fn read_text(path: &Path, delimiter: u8) -> Result<Vec<Item>, ManifestError> {
    let fail = |e: csv::Error| ManifestError::file(path, e);
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .from_path(path)
        .map_err(fail)?;
    let header = reader.headers().map_err(fail)?.clone();
    let name = |h: &str| h.trim_start_matches('\u{feff}').trim().to_owned();
    let mut at_label = None;
    let mut columns: Vec<Option<usize>> = Vec::new();
    let has_source = header.iter().any(|h| name(h) == "source");
    for (i, h) in header.iter().enumerate() {
        let h = match name(h) {
            // Lists of files of public repositories name each picture's origin so.
            h if h == "repository" && !has_source => "source".to_owned(),
            h => h,
        };
        if h == "label" {
            at_label = Some(i);
        }
        let column = COLUMNS.iter().position(|c| *c == h);
        if column.is_none() && h != "label" && !IGNORED.contains(&h.as_str()) {
            return Err(ManifestError::file(path, format!("unknown column `{h}`")));
        }
        columns.push(column);
    }
    for needed in ["path", "group"] {
        if !header.iter().any(|h| name(h) == needed) {
            return Err(ManifestError::file(path, format!("no column `{needed}`")));
        }
    }
    let at_label = at_label.ok_or_else(|| ManifestError::file(path, "no column `label`"))?;
    let mut items = Vec::new();
    for (row, record) in reader.records().enumerate() {
        let record = record.map_err(fail)?;
        let mut item = Item::default();
        for (cell, column) in record.iter().zip(&columns) {
            if let Some(c) = column {
                item.text_mut(*c).push_str(cell);
            }
        }
        let text = record.get(at_label).unwrap_or_default().trim();
        let label = label(text).map_err(|reason| ManifestError::Row {
            path: path.to_owned(),
            row: row + 1,
            reason,
        })?;
        let Some(label) = label else { continue };
        item.label = label;
        items.push(item);
    }
    Ok(items)
}

fn read_parquet(path: &Path) -> Result<Vec<Item>, ManifestError> {
    let fail = |e: &dyn std::fmt::Display| ManifestError::file(path, e);
    let file = File::open(path).map_err(|e| fail(&e))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| fail(&e))?;
    let version = builder
        .metadata()
        .file_metadata()
        .key_value_metadata()
        .and_then(|all| all.iter().find(|kv| kv.key == "realscope.manifest"))
        .and_then(|kv| kv.value.clone());
    if let Some(found) = version
        && found.parse::<u32>().map_or(true, |v| v > SCHEMA_VERSION)
    {
        return Err(ManifestError::Newer {
            path: path.to_owned(),
            found,
        });
    }
    let mut items = Vec::new();
    for batch in builder.build().map_err(|e| fail(&e))? {
        let batch = batch.map_err(|e| fail(&e))?;
        let labels = batch
            .column_by_name("label")
            .and_then(|c| c.as_any().downcast_ref::<UInt8Array>())
            .ok_or_else(|| ManifestError::file(path, "no column `label` of unsigned bytes"))?;
        let columns: Vec<Option<&StringArray>> = COLUMNS
            .iter()
            .map(|name| batch.column_by_name(name).and_then(|c| c.as_string_opt()))
            .collect();
        if columns[0].is_none() || columns[2].is_none() {
            return Err(ManifestError::file(path, "no column `path` or `group`"));
        }
        for row in 0..batch.num_rows() {
            let mut item = Item {
                label: labels.value(row),
                ..Item::default()
            };
            for (c, column) in columns.iter().enumerate() {
                if let Some(values) = column {
                    item.text_mut(c).push_str(values.value(row));
                }
            }
            items.push(item);
        }
    }
    Ok(items)
}

fn check(path: &Path, items: &[Item]) -> Result<(), ManifestError> {
    let fault = |row: usize, reason: String| ManifestError::Row {
        path: path.to_owned(),
        row: row + 1,
        reason,
    };
    let mut seen = BTreeSet::new();
    let mut videos: BTreeMap<&str, u8> = BTreeMap::new();
    for (row, item) in items.iter().enumerate() {
        if item.path.is_empty() {
            return Err(fault(row, "the path is empty".into()));
        }
        if item.group.is_empty() {
            return Err(fault(row, "the group is empty".into()));
        }
        if item.label > 1 {
            return Err(fault(row, format!("label {}", item.label)));
        }
        if !seen.insert((&item.path, &item.first_frame)) {
            return Err(fault(row, format!("`{}` comes twice", item.path)));
        }
        if !item.video.is_empty() && *videos.entry(&item.video).or_insert(item.label) != item.label
        {
            return Err(fault(
                row,
                format!("video `{}` has items of both labels", item.video),
            ));
        }
    }
    if items.is_empty() {
        return Err(ManifestError::file(path, "no item"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_of_training_are_kept_and_misspelt_ones_refused() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("m.tsv");
        let head = "path\tlabel\tsplit\tfold\tgroup\twidth\toriginal_jpeg_quality\n";
        let rows = "a.jpg\t0\ttrain\t3\ta\t640\t92\nb.png\t1\ttrain\t4\tb\t\t\n";
        std::fs::write(&path, format!("{head}{rows}")).expect("writes");
        let set = Manifest::read(&path).expect("reads");
        let kept: Vec<(&str, Option<u8>)> = set
            .items
            .iter()
            .map(|i| (i.fold.as_str(), i.jpeg_quality()))
            .collect();
        assert_eq!(kept, [("3", Some(92)), ("4", None)]);
        for name in ["m.parquet", "m.csv"] {
            let copy = folder.path().join(name);
            set.write(&copy).expect("writes");
            assert_eq!(Manifest::read(&copy).expect("reads"), set, "{name}");
        }
        let words = "c.jpg\tcgi\ttrain\t3\tc\t\t\nd.jpg\tgenerated\ttrain\t3\td\t\t\ne.png\tmask\ttrain\t3\te\t\t\n";
        std::fs::write(&path, format!("{head}{words}")).expect("writes");
        let set = Manifest::read(&path).expect("reads");
        let labels: Vec<(&str, u8)> = set
            .items
            .iter()
            .map(|i| (i.path.as_str(), i.label))
            .collect();
        assert_eq!(labels, [("c.jpg", 0), ("d.jpg", 1)]);
        std::fs::write(&path, format!("{head}{rows}").replace("fold", "fodl")).expect("writes");
        let e = Manifest::read(&path).expect_err("refused");
        assert!(e.to_string().contains("unknown column `fodl`"), "{e}");
    }
}
