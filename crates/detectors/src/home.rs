//! The folder of installed models: `$REALSCOPE_HOME/models/ID/{card.toml, model.onnx}`, and `native.onnx` where the
//! card names a companion.

use std::path::{Path, PathBuf};

use realscope_engine::{Choice, EngineKind};

use crate::card::{Card, Input};
use crate::fused::Fused;
use crate::onnx::{OnnxDetector, sha256};
use crate::{Detector, DetectorError, clip_probe, default, npr};

/// Largest file that is imported, in bytes.
const MAX_IMPORT: u64 = 4 << 30;

/// Installed models.
#[derive(Clone, Debug)]
pub struct Home {
    models: PathBuf,
}

/// Why an import was refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The name is not allowed.
    #[error(
        "a model's name has letters, digits, `-` and `_` only, and is not an embedded one's: `{0}`"
    )]
    Name(String),
    /// An ONNX file needs a card.
    #[error("an ONNX classifier needs a card: --card CARD.toml")]
    NeedsCard,
    /// The card cannot be read.
    #[error("card {path}: {reason}")]
    Card {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The weights do not fit.
    #[error(transparent)]
    Detector(#[from] DetectorError),
}

impl Home {
    /// The folder below `root`.
    #[must_use]
    pub fn at(root: &Path) -> Self {
        Self {
            models: root.join("models"),
        }
    }

    fn folder(&self, id: &str) -> PathBuf {
        self.models.join(id)
    }

    /// Ids of installed models, in order.
    #[must_use]
    pub fn installed(&self) -> Vec<String> {
        let mut ids: Vec<String> = std::fs::read_dir(&self.models)
            .into_iter()
            .flatten()
            .flatten()
            .filter(|e| e.path().join("card.toml").is_file())
            .filter_map(|e| e.file_name().into_string().ok())
            .filter(|id| valid_name(id))
            .collect();
        ids.sort();
        ids
    }

    /// The card of an installed model.
    ///
    /// # Errors
    /// [`DetectorError::Corrupt`].
    pub fn card(&self, id: &str) -> Result<Card, DetectorError> {
        let path = self.folder(id).join("card.toml");
        let corrupt = |reason: String| DetectorError::Corrupt {
            id: id.to_owned(),
            reason,
        };
        let text = std::fs::read_to_string(&path).map_err(|e| corrupt(e.to_string()))?;
        let card: Card = toml::from_str(&text).map_err(|e| corrupt(e.to_string()))?;
        if card.id != id {
            return Err(corrupt(format!("its card is that of `{}`", card.id)));
        }
        Ok(card)
    }

    /// Loads an installed model, checking its hash.
    ///
    /// # Errors
    /// [`DetectorError`].
    pub fn load(
        &self,
        id: &str,
        engine: impl Into<Choice>,
    ) -> Result<Box<dyn Detector>, DetectorError> {
        let engine = engine.into();
        let card = self.card(id)?;
        let read = |name: &str| {
            let path = self.folder(id).join(name);
            std::fs::read(&path).map_err(|e| DetectorError::Corrupt {
                id: id.to_owned(),
                reason: format!("{}: {e}", path.display()),
            })
        };
        let bytes = read("model.onnx")?;
        Ok(if card.companion.is_some() {
            Box::new(Fused::load(card, &bytes, &read("native.onnx")?, engine)?)
        } else {
            Box::new(OnnxDetector::load(card, &bytes, engine)?)
        })
    }

    /// Installs `file` under `name`. `npr` takes a checkpoint in the published layout, `clip-probe` its encoder; any other
    /// name an ONNX classifier with a card, and with `native` a second one that its card names as companion.
    ///
    /// # Errors
    /// [`ImportError`]; nothing is installed then.
    pub fn import(
        &self,
        name: &str,
        file: &Path,
        card: Option<&Path>,
        native: Option<&Path>,
    ) -> Result<Card, ImportError> {
        if !valid_name(name) || name == default::ID {
            return Err(ImportError::Name(name.into()));
        }
        let io = |path: &Path| {
            let path = path.to_owned();
            move |source| ImportError::Io { path, source }
        };
        for file in std::iter::once(file).chain(native) {
            let size = std::fs::metadata(file).map_err(io(file))?.len();
            if size > MAX_IMPORT {
                return Err(ImportError::Card {
                    path: file.to_owned(),
                    reason: format!("{size} bytes, at most {MAX_IMPORT}"),
                });
            }
        }
        let mut companion = None;
        let (card, onnx) = if name == npr::ID {
            npr::convert(file)?
        } else if name == clip_probe::ID {
            clip_probe::convert(file)?
        } else {
            let path = card.ok_or(ImportError::NeedsCard)?;
            let fault = |reason: String| ImportError::Card {
                path: path.to_owned(),
                reason,
            };
            let text = std::fs::read_to_string(path).map_err(io(path))?;
            let mut card: Card = toml::from_str(&text).map_err(|e| fault(e.to_string()))?;
            if card.id != name {
                return Err(fault(format!("its id is `{}`, not `{name}`", card.id)));
            }
            let onnx = std::fs::read(file).map_err(io(file))?;
            let found = sha256(&onnx);
            if card.weights_sha256.is_empty() {
                card.weights_sha256 = found;
            } else if card.weights_sha256 != found {
                return Err(fault(format!(
                    "weights_sha256 is {}, the file has {found}",
                    card.weights_sha256
                )));
            }
            check_size(&card.input).map_err(fault)?;
            match (&card.companion, native) {
                (None, None) => {
                    OnnxDetector::load(card.clone(), &onnx, EngineKind::Rten)?;
                }
                (Some(c), Some(path)) => {
                    check_size(&c.input).map_err(fault)?;
                    let bytes = std::fs::read(path).map_err(io(path))?;
                    Fused::load(card.clone(), &onnx, &bytes, EngineKind::Rten)?;
                    companion = Some(bytes);
                }
                (Some(_), None) => {
                    return Err(fault("names a companion: --native FILE is missing".into()));
                }
                (None, Some(_)) => {
                    return Err(fault(
                        "--native FILE, but the card names no companion".into(),
                    ));
                }
            }
            (card, onnx)
        };
        let folder = self.folder(name);
        std::fs::create_dir_all(&folder).map_err(io(&folder))?;
        let text = toml::to_string(&card).map_err(|e| ImportError::Card {
            path: folder.join("card.toml"),
            reason: e.to_string(),
        })?;
        // The card is written last: without it the model does not count as installed.
        let native = companion.as_deref().map(|bytes| ("native.onnx", bytes));
        let files = [("model.onnx", onnx.as_slice())]
            .into_iter()
            .chain(native)
            .chain([("card.toml", text.as_bytes())]);
        for (file, bytes) in files {
            let path = folder.join(file);
            let fresh = folder.join(format!("{file}.new"));
            std::fs::write(&fresh, bytes).map_err(io(&fresh))?;
            std::fs::rename(&fresh, &path).map_err(io(&path))?;
        }
        Ok(card)
    }
}

fn check_size(input: &Input) -> Result<(), String> {
    if !(16..=2048).contains(&input.size) {
        return Err(format!("input size {}", input.size));
    }
    if input.max_windows == 0 || input.max_windows > 1024 {
        return Err(format!("max_windows {}", input.max_windows));
    }
    if input.std.iter().any(|s| !s.is_finite() || *s <= 0.0) {
        return Err("std must be positive".into());
    }
    Ok(())
}

fn valid_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 64
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}
