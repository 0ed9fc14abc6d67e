//! What makes a run what it is, and the claim that a folder holds this run and no other.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::{RunError, file_error};

/// What makes a run what it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// Version of this layout.
    pub schema_version: u32,
    /// Version of the program.
    pub version: String,
    /// Hash of the items that take part.
    pub manifest_sha256: String,
    /// Protocol with its version.
    pub protocol: String,
    /// Detectors: id, weights, calibration, settings.
    pub detectors: Vec<serde_json::Value>,
    /// Arms with their exact parameters.
    pub arms: serde_json::Value,
    /// Side of the common window.
    pub window: u32,
    /// Seed of random perturbations.
    pub seed: u64,
    /// Frames of a video that are scored.
    pub frames: usize,
}

impl Identity {
    /// Writes `run.json` into the folder, or compares with the one that is there.
    pub(super) fn claim(&self, folder: &Path) -> Result<(), RunError> {
        let path = folder.join("run.json");
        let fresh = serde_json::to_value(self).map_err(|e| file_error(&path, e))?;
        match std::fs::read(&path) {
            Ok(bytes) => {
                let old: serde_json::Value =
                    serde_json::from_slice(&bytes).map_err(|e| file_error(&path, e))?;
                let keys = fresh.as_object().into_iter().flatten();
                for (key, value) in keys {
                    if old.get(key) != Some(value) {
                        return Err(RunError::Other {
                            path: folder.to_owned(),
                            difference: key.clone(),
                        });
                    }
                }
                Ok(())
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let text = serde_json::to_vec_pretty(&fresh).map_err(|e| file_error(&path, e))?;
                std::fs::write(&path, text).map_err(|e| file_error(&path, e))
            }
            Err(e) => Err(file_error(&path, e)),
        }
    }
}
