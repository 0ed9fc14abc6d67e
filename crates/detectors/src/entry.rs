//! What a detector registers: its card, where its weights come from, how they are loaded.

use std::path::Path;
use std::sync::Arc;

use realscope_engine::Choice;

use crate::card::Card;
use crate::network::{NetworkDetector, sha256};
use crate::{Detector, DetectorError};

/// Converts published weights: the card with the hash of the deployed file, and that file.
pub type Convert = fn(&Path) -> Result<(Card, Vec<u8>), DetectorError>;

/// Loads deployed weights.
pub type Load = fn(Card, &[u8], Choice) -> Result<Arc<dyn Detector>, DetectorError>;

/// One file of a model hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin {
    /// Repository, `OWNER/NAME`.
    pub repo: &'static str,
    /// Commit, 40 hexadecimal digits.
    pub revision: &'static str,
    /// File in the repository.
    pub file: &'static str,
    /// Lower-case hex of the file's SHA-256.
    pub sha256: &'static str,
}

/// Where weights come from.
pub enum Weights {
    /// They lie in the binary.
    Embedded(&'static [u8]),
    /// The user brings a file.
    Import {
        /// How to get it.
        hint: &'static str,
        /// Makes the deployed file of it; `None` in a program without the networks (feature `import`).
        convert: Option<Convert>,
    },
    /// One file of a model hub, which is fetched or brought by the user, and no other.
    Pinned {
        /// The file.
        pin: Pin,
        /// How to get it.
        hint: &'static str,
        /// Makes the deployed file of it; `None` in a program without the networks (feature `import`).
        convert: Option<Convert>,
    },
}

/// A detector that this program knows by itself.
pub struct Entry {
    /// Stable id.
    pub id: &'static str,
    /// Its card, as far as it is known without imported weights.
    pub card: fn() -> Result<Card, DetectorError>,
    /// Its weights. Imported ones go before embedded ones.
    pub weights: &'static [Weights],
    /// Makes a detector of them.
    pub load: Load,
}

impl Entry {
    /// Weights in the binary.
    #[must_use]
    pub fn embedded(&self) -> Option<&'static [u8]> {
        self.weights.iter().find_map(|w| match w {
            Weights::Embedded(bytes) => Some(*bytes),
            Weights::Import { .. } | Weights::Pinned { .. } => None,
        })
    }

    /// How to get weights, and what converts them, where the user may bring a file.
    #[must_use]
    pub fn import(&self) -> Option<(&'static str, Option<Convert>)> {
        self.weights.iter().find_map(|w| match w {
            Weights::Embedded(_) => None,
            Weights::Import { hint, convert } | Weights::Pinned { hint, convert, .. } => {
                Some((*hint, *convert))
            }
        })
    }

    /// The file of a hub that its weights are.
    #[must_use]
    pub fn pin(&self) -> Option<&'static Pin> {
        self.weights.iter().find_map(|w| match w {
            Weights::Pinned { pin, .. } => Some(pin),
            Weights::Embedded(_) | Weights::Import { .. } => None,
        })
    }
}

/// Loads a detector that is one network.
///
/// # Errors
/// Those of [`NetworkDetector::load`].
pub fn network(
    card: Card,
    onnx: &[u8],
    choice: Choice,
) -> Result<Arc<dyn Detector>, DetectorError> {
    Ok(Arc::new(NetworkDetector::load(card, onnx, choice)?))
}

/// The conversion of weights that need none: `file` is the ONNX network that the card describes.
///
/// # Errors
/// [`DetectorError::Corrupt`] when it cannot be read.
pub fn onnx(mut card: Card, file: &Path) -> Result<(Card, Vec<u8>), DetectorError> {
    let onnx = std::fs::read(file).map_err(|e| DetectorError::Corrupt {
        id: card.id.clone(),
        reason: format!("{}: {e}", file.display()),
    })?;
    card.weights_sha256 = sha256(&onnx);
    Ok((card, onnx))
}
