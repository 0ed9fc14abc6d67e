//! The folder of installed models, `$REALSCOPE_HOME/models/ID/{card.toml, model.onnx}`, and every detector that can be
//! had: embedded or installed.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use realscope_engine::{Choice, EngineKind};

use crate::calibration::Calibration;
use crate::card::Card;
use crate::catalog::{self, Availability, CATALOG, Listed};
use crate::network::{sha256, sha256_of};
use crate::{Detector, DetectorError};

/// Largest file that is imported, in bytes.
const MAX_IMPORT: u64 = 4 << 30;

/// Detectors of this program and of one folder. Those that are in use are loaded once and shared.
pub struct Models {
    folder: PathBuf,
    loaded: Mutex<HashMap<(String, Choice), Weak<dyn Detector>>>,
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
    /// A card in the program cannot be changed.
    #[error("`{0}` is not installed: the card of an embedded detector cannot be changed")]
    NotInstalled(String),
    /// An ONNX file needs a card.
    #[error("an ONNX classifier needs a card: --card CARD.toml")]
    NeedsCard,
    /// This program lacks the networks that conversion takes.
    #[error(
        "this program was built without conversion of published weights: build it with `--features lab`"
    )]
    NoConversion,
    /// The card cannot be read.
    #[error("card {path}: {reason}")]
    Card {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The detector's weights are no pinned file of a model hub.
    #[cfg(feature = "hub")]
    #[error("`{0}` has no weights on a model hub that this program knows")]
    NotPinned(String),
    /// The pinned file could not be had.
    #[cfg(feature = "hub")]
    #[error(transparent)]
    Pull(#[from] crate::pull::PullError),
    /// The weights do not fit.
    #[error(transparent)]
    Detector(#[from] DetectorError),
}

fn needs_weights(id: &str) -> DetectorError {
    let hint = catalog::find(id).and_then(|e| e.import());
    DetectorError::NeedsWeights {
        id: id.into(),
        hint: hint.map_or("there are none", |(hint, _)| hint).into(),
    }
}

impl Models {
    /// Models of the folder `root/models`, which need not exist.
    #[must_use]
    pub fn at(root: &Path) -> Self {
        Self {
            folder: root.join("models"),
            loaded: Mutex::default(),
        }
    }

    fn folder(&self, id: &str) -> PathBuf {
        self.folder.join(id)
    }

    /// Ids of installed models, in order.
    #[must_use]
    pub fn installed(&self) -> Vec<String> {
        let mut ids: Vec<String> = std::fs::read_dir(&self.folder)
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

    fn is_installed(&self, id: &str) -> bool {
        valid_name(id) && self.folder(id).join("card.toml").is_file()
    }

    fn installed_card(&self, id: &str) -> Result<Card, DetectorError> {
        let path = self.folder(id).join("card.toml");
        let text = std::fs::read_to_string(&path).map_err(|e| DetectorError::Corrupt {
            id: id.to_owned(),
            reason: e.to_string(),
        })?;
        Card::parse(id, &text)
    }

    /// Where the weights of an id are that [`Models::get`] would load; `None` for an unknown id.
    fn availability(&self, id: &str) -> Option<Availability> {
        let entry = catalog::find(id);
        // Weights that the user installed go before embedded ones, except where nothing may be imported.
        if entry.is_none_or(|e| e.import().is_some()) && self.is_installed(id) {
            return Some(Availability::Installed);
        }
        entry.map(|e| match e.embedded() {
            Some(_) => Availability::Embedded,
            None => Availability::NeedsWeights,
        })
    }

    /// All detectors, those of the catalog first, then installed ones by name.
    ///
    /// # Errors
    /// [`DetectorError::Corrupt`] for the first damaged installation.
    pub fn list(&self) -> Result<Vec<Listed>, DetectorError> {
        let others = self.installed();
        let others = others
            .iter()
            .map(String::as_str)
            .filter(|id| catalog::find(id).is_none());
        CATALOG
            .iter()
            .map(|e| e.id)
            .chain(others)
            .map(|id| self.listed(id))
            .collect()
    }

    /// One detector's card and where its weights are, by id or alias.
    ///
    /// # Errors
    /// [`DetectorError::Unknown`] or [`DetectorError::Corrupt`].
    pub fn listed(&self, name: &str) -> Result<Listed, DetectorError> {
        let id = catalog::resolve(name);
        let unknown = || DetectorError::Unknown { id: name.into() };
        let availability = self.availability(id).ok_or_else(unknown)?;
        let card = match (availability, catalog::find(id)) {
            (Availability::Installed, _) | (_, None) => self.installed_card(id)?,
            (_, Some(entry)) => (entry.card)()?,
        };
        Ok(Listed { card, availability })
    }

    /// A detector by id or alias, loaded with `choice`.
    ///
    /// # Errors
    /// [`DetectorError`].
    pub fn get(
        &self,
        name: &str,
        choice: impl Into<Choice>,
    ) -> Result<Arc<dyn Detector>, DetectorError> {
        let (id, choice) = (catalog::resolve(name), choice.into());
        // Held while loading: whoever asks for the same detector meanwhile waits for it.
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (id.to_owned(), choice);
        if let Some(detector) = loaded.get(&key).and_then(Weak::upgrade) {
            return Ok(detector);
        }
        let detector = self.load(id, choice)?;
        loaded.insert(key, Arc::downgrade(&detector));
        Ok(detector)
    }

    /// The card and the deployed file of an installed model.
    ///
    /// # Errors
    /// [`DetectorError::Unknown`], [`DetectorError::NeedsWeights`], or [`DetectorError::Corrupt`] of a file that cannot
    /// be read or has another hash.
    pub fn deployed(&self, id: &str) -> Result<(Card, Vec<u8>), DetectorError> {
        let corrupt = |reason: String| DetectorError::Corrupt {
            id: id.to_owned(),
            reason,
        };
        let listed = self.listed(id)?;
        if listed.availability != Availability::Installed {
            return Err(needs_weights(id));
        }
        let path = self.folder(id).join("model.onnx");
        let bytes =
            std::fs::read(&path).map_err(|e| corrupt(format!("{}: {e}", path.display())))?;
        let found = sha256(&bytes);
        if found == listed.card.weights_sha256 {
            Ok((listed.card, bytes))
        } else {
            Err(corrupt(format!(
                "the weights have SHA-256 {found}, the card says {}",
                listed.card.weights_sha256
            )))
        }
    }

    fn load(&self, id: &str, choice: Choice) -> Result<Arc<dyn Detector>, DetectorError> {
        let unknown = || DetectorError::Unknown { id: id.into() };
        let entry = catalog::find(id);
        let load = entry.map_or(crate::entry::network as crate::entry::Load, |e| e.load);
        match self.availability(id).ok_or_else(unknown)? {
            Availability::Installed => {
                let path = self.folder(id).join("model.onnx");
                let bytes = std::fs::read(&path).map_err(|e| DetectorError::Corrupt {
                    id: id.to_owned(),
                    reason: format!("{}: {e}", path.display()),
                })?;
                load(self.installed_card(id)?, &bytes, choice)
            }
            Availability::Embedded => {
                let entry = entry.ok_or_else(unknown)?;
                load(
                    (entry.card)()?,
                    entry.embedded().unwrap_or_default(),
                    choice,
                )
            }
            Availability::NeedsWeights => Err(needs_weights(id)),
        }
    }

    /// Installs `file` under `name`: the published weights of a detector of the catalog, or, with a card, any ONNX
    /// classifier.
    ///
    /// # Errors
    /// [`ImportError`]; nothing is installed then.
    pub fn import(
        &self,
        name: &str,
        file: &Path,
        card: Option<&Path>,
    ) -> Result<Card, ImportError> {
        let entry = catalog::find(name);
        let fixed = entry.is_some_and(|e| e.import().is_none());
        if !valid_name(name) || fixed || catalog::resolve(name) != name {
            return Err(ImportError::Name(name.into()));
        }
        let size = std::fs::metadata(file).map_err(io(file))?.len();
        if size > MAX_IMPORT {
            return Err(ImportError::Card {
                path: file.to_owned(),
                reason: format!("{size} bytes, at most {MAX_IMPORT}"),
            });
        }
        if let Some(pin) = entry.and_then(|e| e.pin()) {
            let found = sha256_of(file).map_err(io(file))?;
            if found != pin.sha256 {
                return Err(ImportError::Detector(DetectorError::Corrupt {
                    id: name.into(),
                    reason: format!(
                        "{} has SHA-256 {found}, the weights have {}",
                        file.display(),
                        pin.sha256
                    ),
                }));
            }
        }
        let (card, onnx) = match entry.and_then(|e| e.import()) {
            Some((_, Some(convert))) => convert(file)?,
            Some((_, None)) => return Err(ImportError::NoConversion),
            None => classifier(name, file, card.ok_or(ImportError::NeedsCard)?)?,
        };
        let load = entry.map_or(crate::entry::network as crate::entry::Load, |e| e.load);
        load(card.clone(), &onnx, EngineKind::Rten.into())?;
        let folder = self.folder(name);
        std::fs::create_dir_all(&folder).map_err(io(&folder))?;
        let text = toml::to_string(&card).map_err(|e| ImportError::Card {
            path: folder.join("card.toml"),
            reason: e.to_string(),
        })?;
        // The card is written last: without it the model does not count as installed.
        for (file, bytes) in [
            ("model.onnx", onnx.as_slice()),
            ("card.toml", text.as_bytes()),
        ] {
            let path = folder.join(file);
            let fresh = folder.join(format!("{file}.new"));
            std::fs::write(&fresh, bytes).map_err(io(&fresh))?;
            std::fs::rename(&fresh, &path).map_err(io(&path))?;
        }
        Ok(card)
    }

    /// Writes a calibration into the card of an installed detector.
    ///
    /// # Errors
    /// [`ImportError::NotInstalled`], [`ImportError::Card`], [`ImportError::Io`].
    pub fn calibrate(&self, id: &str, calibration: Calibration) -> Result<Card, ImportError> {
        if !self.is_installed(id) {
            return Err(ImportError::NotInstalled(id.into()));
        }
        let mut card = self.installed_card(id)?;
        card.calibration = Some(calibration);
        let path = self.folder(id).join("card.toml");
        let text = toml::to_string(&card).map_err(|e| ImportError::Card {
            path: path.clone(),
            reason: e.to_string(),
        })?;
        let fresh = path.with_extension("toml.new");
        std::fs::write(&fresh, text).map_err(io(&fresh))?;
        std::fs::rename(&fresh, &path).map_err(io(&path))?;
        // What is loaded has the card of before.
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.retain(|(loaded, _), _| loaded != id);
        Ok(card)
    }

    /// Fetches the pinned weights of a detector of the catalog from the model hub and installs them.
    ///
    /// # Errors
    /// [`ImportError::NotPinned`], [`ImportError::Pull`] (above all when the file's hash is not the pinned one), and
    /// those of [`Models::import`]; nothing is installed then.
    #[cfg(feature = "hub")]
    pub fn pull(&self, name: &str, hub: &crate::pull::Hub) -> Result<Card, ImportError> {
        let pin = catalog::find(name)
            .and_then(|e| e.pin())
            .ok_or_else(|| ImportError::NotPinned(name.into()))?;
        let file = crate::pull::Source::from(pin).fetch(hub)?;
        self.import(name, &file, None)
    }
}

fn io(path: &Path) -> impl Fn(std::io::Error) -> ImportError {
    let path = path.to_owned();
    move |source| ImportError::Io {
        path: path.clone(),
        source,
    }
}

/// An ONNX classifier with the card at `path`.
fn classifier(name: &str, file: &Path, path: &Path) -> Result<(Card, Vec<u8>), ImportError> {
    let fault = |reason: String| ImportError::Card {
        path: path.to_owned(),
        reason,
    };
    let text = std::fs::read_to_string(path).map_err(io(path))?;
    let mut card = match Card::parse(name, &text) {
        Ok(card) => card,
        Err(DetectorError::Corrupt { reason, .. }) => return Err(fault(reason)),
        Err(e) => return Err(e.into()),
    };
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
    Ok((card, onnx))
}

fn valid_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 64
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}
