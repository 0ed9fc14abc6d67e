//! Files of a run: what it continues from, and what it leaves.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use realscope_data::manifest::Item;
use realscope_nn::StateDict;
use serde::{Deserialize, Serialize};

use super::validation::{Logits, Validation};
use crate::error::{TrainError, io_error};

/// How far a run has come.
#[derive(Serialize, Deserialize)]
pub(super) struct State {
    pub recipe: String,
    pub step: usize,
    pub loss_sum: f64,
    pub loss_count: usize,
}

/// Where a run keeps its files.
pub(super) struct Files {
    pub model: PathBuf,
    pub average: PathBuf,
    pub optimizer: PathBuf,
    pub state: PathBuf,
    pub log: PathBuf,
    scores: PathBuf,
}

impl Files {
    pub fn new(out: &Path) -> Self {
        Self {
            model: out.join("model.safetensors"),
            average: out.join("weights.safetensors"),
            optimizer: out.join("optimizer.bin"),
            state: out.join("state.json"),
            log: out.join("log.jsonl"),
            scores: out.join("validation.csv"),
        }
    }

    pub fn read_state(&self) -> Result<State, TrainError> {
        let text = std::fs::read_to_string(&self.state).map_err(io_error(&self.state))?;
        serde_json::from_str(&text).map_err(|e| self.fault(&self.state, &e))
    }

    pub fn fault(&self, path: &Path, e: &dyn std::fmt::Display) -> TrainError {
        TrainError::Checkpoint {
            path: path.to_owned(),
            reason: e.to_string(),
        }
    }

    /// Writes every file beside its name and renames last, the state file at the very end, so that
    /// a kill between two writes leaves the former checkpoint whole.
    pub fn save(
        &self,
        model: &StateDict,
        average: &StateDict,
        state: &State,
        optimizer: impl FnOnce() -> Result<Vec<u8>, TrainError>,
    ) -> Result<(), TrainError> {
        let encode = |dict: &StateDict| {
            dict.to_safetensors()
                .map_err(|e| self.fault(&self.model, &e))
        };
        let state = serde_json::to_vec(state).map_err(|e| self.fault(&self.state, &e))?;
        let files = [
            (&self.model, encode(model)?),
            (&self.average, encode(average)?),
            (&self.optimizer, optimizer()?),
            (&self.state, state),
        ];
        let fresh = |path: &Path| path.with_extension("new");
        for (path, bytes) in &files {
            let path = fresh(path);
            std::fs::write(&path, bytes).map_err(io_error(&path))?;
        }
        for (path, _) in &files {
            std::fs::rename(fresh(path), path).map_err(io_error(path))?;
        }
        Ok(())
    }

    pub fn append_log(&self, validation: &Validation) -> Result<(), TrainError> {
        let line = serde_json::to_string(validation).map_err(|e| self.fault(&self.log, &e))?;
        let mut file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)
            .map_err(io_error(&self.log))?;
        writeln!(file, "{line}").map_err(io_error(&self.log))
    }

    /// The last validation of the log, if there is one. Half a line that a kill left is cut off.
    pub fn last_validation(&self) -> Result<Option<Validation>, TrainError> {
        if !self.log.is_file() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(&self.log).map_err(io_error(&self.log))?;
        let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
        if whole.len() < text.len() {
            std::fs::write(&self.log, whole).map_err(io_error(&self.log))?;
        }
        let line = whole.lines().last();
        line.map(|line| serde_json::from_str(line).map_err(|e| self.fault(&self.log, &e)))
            .transpose()
    }

    pub fn write_scores(&self, scores: &Logits, items: &[Item]) -> Result<(), TrainError> {
        let mut writer =
            csv::Writer::from_path(&self.scores).map_err(|e| self.fault(&self.scores, &e))?;
        writer
            .write_record(["arm", "path", "label", "group", "match_set", "logit"])
            .map_err(|e| self.fault(&self.scores, &e))?;
        for (arm, logits) in scores {
            for (item, logit) in items.iter().zip(logits) {
                writer
                    .write_record([
                        arm,
                        &item.path,
                        &item.label.to_string(),
                        &item.group,
                        &item.match_set,
                        &logit.to_string(),
                    ])
                    .map_err(|e| self.fault(&self.scores, &e))?;
            }
        }
        writer.flush().map_err(io_error(&self.scores))
    }
}
