//! Training of Realscope's detectors.
//!
//! Owns: recipes, manifests and their split by group, balanced sampling, augmentation that treats
//! both classes alike, the training loop with resume, and calibration.
//! Refuses: a group on both sides of the split, an unreadable picture passed over in silence.
//!
//! Open first: [`recipe`], then [`run`].

pub mod adapter;
pub mod augment;
pub mod batch;
pub mod blend;
pub mod calibrate;
pub mod lattice;
pub mod manifest;
pub mod metrics;
pub mod probe;
pub mod recipe;
pub mod run;
pub mod semantic;
pub mod synth;
pub mod traces;

use std::path::PathBuf;

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
    #[error("manifest {path}: {reason}")]
    Manifest {
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
    Weights(#[from] realscope_nn::WeightsError),
    /// A detector or its card was refused.
    #[error(transparent)]
    Detector(#[from] realscope_detectors::DetectorError),
    /// Packing of weights failed.
    #[error(transparent)]
    Packed(#[from] realscope_engine::packed::PackedError),
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

pub(crate) fn io_error(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> TrainError {
    let path = path.to_owned();
    move |source| TrainError::Io { path, source }
}
