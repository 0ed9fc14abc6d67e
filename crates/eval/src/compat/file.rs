//! Files of the published benchmarks' own measures.
//!
//! - `genvidbench`, `forgerynet`: CSV with `path`, `label` (class from 0) and `score_0`, `score_1`, ... for
//!   each class.
//! - `ow-dfa`: CSV with `path`, `label`, `predicted` (class or cluster), `tag` (1 = labelled sample),
//!   `confidence`.
//! - `dgm4`: one JSON object a line, see [`super::dgm4::Grounding`].

use std::io::BufRead as _;
use std::path::Path;

use serde_json::{Value, json};

use super::{dgm4, forgerynet, genvidbench, owdfa};

/// Why a file cannot be measured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CompatError {
    /// The file cannot be read.
    #[error("{path}: {reason}")]
    Unreadable {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// A row is at fault.
    #[error("{path}: row {row}: {reason}")]
    Row {
        /// The file.
        path: String,
        /// Row from 1.
        row: usize,
        /// What is wrong.
        reason: String,
    },
    /// The rows do not carry the measures.
    #[error("{path}: {reason}")]
    Nothing {
        /// The file.
        path: String,
        /// What is missing.
        reason: String,
    },
}

struct Csv {
    shown: String,
    header: csv::StringRecord,
    rows: Vec<csv::StringRecord>,
}

impl Csv {
    fn read(path: &Path) -> Result<Self, CompatError> {
        let shown = path.display().to_string();
        let fault = |e: csv::Error| CompatError::Unreadable {
            path: shown.clone(),
            reason: e.to_string(),
        };
        let mut reader = csv::Reader::from_path(path).map_err(fault)?;
        let header = reader.headers().map_err(fault)?.clone();
        let rows = reader
            .records()
            .collect::<Result<Vec<_>, _>>()
            .map_err(fault)?;
        Ok(Self {
            shown,
            header,
            rows,
        })
    }

    fn column(&self, name: &str) -> Result<usize, CompatError> {
        self.header
            .iter()
            .position(|h| h == name)
            .ok_or_else(|| CompatError::Unreadable {
                path: self.shown.clone(),
                reason: format!("no column `{name}`"),
            })
    }

    fn parse<T: std::str::FromStr>(&self, row: usize, column: usize) -> Result<T, CompatError> {
        let cell = self.rows[row].get(column).unwrap_or_default().trim();
        cell.parse().map_err(|_| CompatError::Row {
            path: self.shown.clone(),
            row: row + 1,
            reason: format!("`{cell}` in column `{}`", &self.header[column]),
        })
    }

    fn number(&self, row: usize, column: usize) -> Result<f64, CompatError> {
        let value: f64 = self.parse(row, column)?;
        if value.is_finite() {
            return Ok(value);
        }
        Err(CompatError::Row {
            path: self.shown.clone(),
            row: row + 1,
            reason: format!("column `{}` is no finite number", &self.header[column]),
        })
    }

    fn nothing(&self, reason: &str) -> CompatError {
        CompatError::Nothing {
            path: self.shown.clone(),
            reason: reason.to_owned(),
        }
    }

    /// Class scores and labels.
    fn classes(&self) -> Result<(Vec<Vec<f64>>, Vec<usize>), CompatError> {
        let label = self.column("label")?;
        let columns: Vec<usize> = (0..)
            .map_while(|k| self.column(&format!("score_{k}")).ok())
            .collect();
        if columns.len() < 2 {
            return Err(self.nothing("no columns `score_0`, `score_1`, ..."));
        }
        let (mut scores, mut labels) = (Vec::new(), Vec::new());
        for row in 0..self.rows.len() {
            let class: usize = self.parse(row, label)?;
            if class >= columns.len() {
                return Err(CompatError::Row {
                    path: self.shown.clone(),
                    row: row + 1,
                    reason: format!("label {class}, but {} scores", columns.len()),
                });
            }
            labels.push(class);
            scores.push(
                columns
                    .iter()
                    .map(|c| self.number(row, *c))
                    .collect::<Result<Vec<_>, _>>()?,
            );
        }
        Ok((scores, labels))
    }
}

/// GenVidBench's measures of a file.
///
/// # Errors
/// [`CompatError`].
pub fn genvidbench(path: &Path) -> Result<Value, CompatError> {
    let file = Csv::read(path)?;
    let (scores, labels) = file.classes()?;
    let m = genvidbench::metrics(&scores, &labels).ok_or_else(|| file.nothing("no rows"))?;
    Ok(json!({
        "compat": "genvidbench", "n": labels.len(),
        "top1": m.top1, "top5": m.top5, "mean1": m.mean1,
    }))
}

/// ForgeryNet's classification measures of a file (2, 3 or n classes, class 0 = real), in percent.
///
/// # Errors
/// [`CompatError`].
pub fn forgerynet(path: &Path) -> Result<Value, CompatError> {
    let file = Csv::read(path)?;
    let (scores, labels) = file.classes()?;
    let m = forgerynet::classification(&scores, &labels).ok_or_else(|| file.nothing("no rows"))?;
    Ok(json!({
        "compat": "forgerynet", "n": labels.len(), "classes": scores[0].len(),
        "m_acc": m.m_acc, "auc": m.auc,
    }))
}

/// OW-DFA's measures of a file.
///
/// # Errors
/// [`CompatError`].
pub fn ow_dfa(path: &Path) -> Result<Value, CompatError> {
    let file = Csv::read(path)?;
    let columns = ["label", "predicted", "tag", "confidence"];
    let [label, predicted, tag, confidence] = {
        let mut found = [0; 4];
        for (at, name) in found.iter_mut().zip(columns) {
            *at = file.column(name)?;
        }
        found
    };
    let (mut truth, mut clusters, mut tags, mut sure) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for row in 0..file.rows.len() {
        truth.push(file.parse::<usize>(row, label)?);
        clusters.push(file.parse::<usize>(row, predicted)?);
        tags.push(file.parse::<u8>(row, tag)?);
        sure.push(file.number(row, confidence)?);
    }
    let m =
        owdfa::metrics(&clusters, &truth, &tags, &sure).ok_or_else(|| file.nothing("no rows"))?;
    let show = |a: owdfa::Agreement| json!({"acc": a.acc, "nmi": a.nmi, "ari": a.ari});
    Ok(json!({
        "compat": "ow-dfa", "n": truth.len(), "all": show(m.all),
        "known": m.known.map(show), "novel": m.novel.map(show), "uncertainty": m.uncertainty,
    }))
}

/// DGM4's measures of a file.
///
/// # Errors
/// [`CompatError`].
pub fn dgm4(path: &Path) -> Result<Value, CompatError> {
    let shown = path.display().to_string();
    let unreadable = |e: std::io::Error| CompatError::Unreadable {
        path: shown.clone(),
        reason: e.to_string(),
    };
    let reader = std::io::BufReader::new(std::fs::File::open(path).map_err(unreadable)?);
    let mut items = Vec::new();
    for (i, line) in reader.lines().enumerate() {
        let line = line.map_err(unreadable)?;
        if line.trim().is_empty() {
            continue;
        }
        let item: dgm4::Grounding = serde_json::from_str(&line).map_err(|e| CompatError::Row {
            path: shown.clone(),
            row: i + 1,
            reason: e.to_string(),
        })?;
        items.push(item);
    }
    let m = dgm4::metrics(&items).ok_or_else(|| CompatError::Nothing {
        path: shown.clone(),
        reason: "no rows, or a class is missing".into(),
    })?;
    Ok(json!({
        "compat": "dgm4", "n": items.len(), "auc": m.auc, "acc": m.acc, "eer": m.eer, "map": m.map,
        "ap_per_class": m.ap_per_class, "overall": m.overall, "per_class": m.per_class,
        "f1_per_class": m.f1_per_class, "iou_mean": m.iou_mean, "iou_above": m.iou_above,
        "token": m.token,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(folder: &tempfile::TempDir, text: &str) -> std::path::PathBuf {
        let path = folder.path().join("scores");
        std::fs::write(&path, text).expect("written");
        path
    }

    #[test]
    fn class_scores_are_read_and_measured() {
        let folder = tempfile::tempdir().expect("folder");
        let path = file(
            &folder,
            "path,label,score_0,score_1,score_2\na,0,.8,.1,.1\nb,1,.2,.7,.1\nc,2,.1,.6,.3\n",
        );
        let m = genvidbench(&path).expect("measured");
        assert_eq!(m["top1"], 2.0 / 3.0);
        let m = forgerynet(&path).expect("measured");
        assert_eq!(
            (m["classes"].as_u64(), m["auc"].as_f64()),
            (Some(3), Some(100.0))
        );
    }

    #[test]
    fn a_faulty_row_is_named() {
        let folder = tempfile::tempdir().expect("folder");
        for (text, expected) in [
            (
                "path,label,score_0,score_1\na,0,.8,.1\nb,2,.2,.7\n",
                "row 2: label 2, but 2 scores",
            ),
            (
                "path,label,score_0,score_1\na,0,nan,.1\n",
                "row 1: column `score_0` is no finite",
            ),
            (
                "path,label,score_0,score_1\na,x,.5,.1\n",
                "row 1: `x` in column `label`",
            ),
        ] {
            let e = genvidbench(&file(&folder, text)).expect_err("refused");
            assert!(e.to_string().contains(expected), "{e}");
        }
    }

    #[test]
    fn clusters_are_read_and_measured() {
        let folder = tempfile::tempdir().expect("folder");
        let path = file(
            &folder,
            "path,label,predicted,tag,confidence\na,0,0,1,.9\nb,1,1,1,.8\nc,2,5,0,.7\nd,2,5,0,.6\n",
        );
        let m = ow_dfa(&path).expect("measured");
        assert_eq!(m["all"]["acc"], 1.0);
        assert_eq!(m["novel"]["nmi"], 1.0);
        assert!((m["uncertainty"].as_f64().expect("number") - 0.25).abs() < 1e-12);
    }
}
