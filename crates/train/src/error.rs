//! Why training stops.

use std::path::{Path, PathBuf};

use realscope_data::manifest::ManifestError;
use realscope_data::split::SplitError;
use realscope_detectors::DetectorError;
use realscope_engine::packed::PackedError;
use realscope_nn::WeightsError;

/// Why training stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// A file could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The recipe has a fault.
    #[error("recipe: {0}")]
    Recipe(String),
    /// The manifest has a fault.
    #[error("manifest {0}")]
    Manifest(#[from] ManifestError),
    /// The items of the manifest cannot be divided.
    #[error("manifest: {0}")]
    Split(#[from] SplitError),
    /// The list of aligned pairs has a fault.
    #[error("pairs {path}: {reason}")]
    Pairs {
        /// The file.
        path: PathBuf,
        /// The row and what is wrong with it.
        reason: String,
    },
    /// A picture of the manifest cannot be decoded.
    #[error("picture {path}: {reason}")]
    Picture {
        /// The file.
        path: PathBuf,
        /// What the decoder said.
        reason: String,
    },
    /// Weights were refused.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// A detector or its card was refused.
    #[error(transparent)]
    Detector(#[from] DetectorError),
    /// A network was refused.
    #[error(transparent)]
    Engine(#[from] realscope_engine::EngineError),
    /// Packing of weights failed.
    #[error(transparent)]
    Packed(#[from] PackedError),
    /// A checkpoint does not belong to this recipe or is damaged.
    #[error("checkpoint {path}: {reason}")]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The loss is no longer a number.
    #[error("the loss is not finite at step {step}")]
    Diverged {
        /// The step.
        step: usize,
    },
}

pub(crate) fn io_error(path: &Path) -> impl FnOnce(std::io::Error) -> TrainError {
    let path = path.to_owned();
    move |source| TrainError::Io { path, source }
}

pub(crate) fn picture_error(path: &Path, e: &dyn std::fmt::Display) -> TrainError {
    TrainError::Picture {
        path: path.to_owned(),
        reason: e.to_string(),
    }
}
