//! Why a video yields no frames.

use serde::{Deserialize, Serialize};

use super::FOLDER;
use crate::error::MediaError;

/// Why a video yields no frames.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum VideoError {
    /// ffmpeg or ffprobe cannot be started.
    #[error("{program} cannot be started: {reason}; install ffmpeg or set {FOLDER} to its folder")]
    Program {
        /// The program.
        program: String,
        /// What the system said.
        reason: String,
    },
    /// Nothing in the box decodes it, and there is no ffmpeg.
    #[error("{what}: this takes ffmpeg; install it or set {FOLDER} to its folder")]
    NeedsFfmpeg {
        /// What the decoders in the box refused.
        what: String,
    },
    /// The file cannot be read.
    #[error("{path}: {reason}")]
    File {
        /// The file.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// The decoder was stopped.
    #[error("the video took longer than {seconds} s to decode")]
    Deadline {
        /// The deadline.
        seconds: String,
    },
    /// The content.
    #[error(transparent)]
    Media {
        /// What is wrong with it.
        #[from]
        fault: MediaError,
    },
}

impl VideoError {
    /// Stable machine code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Program { .. } | Self::NeedsFfmpeg { .. } => "ffmpeg_missing",
            Self::File { .. } => "unreadable",
            Self::Deadline { .. } => "deadline",
            Self::Media { fault } => fault.code(),
        }
    }

    /// Whether another decoder may know more: the content was refused, not the file.
    pub(super) fn is_unsupported(&self) -> bool {
        matches!(
            self,
            Self::Media {
                fault: MediaError::Unsupported { .. }
            }
        )
    }
}

/// Data that contradict their format.
pub(super) fn corrupt(reason: impl Into<String>) -> MediaError {
    MediaError::Corrupt {
        format: "video".into(),
        reason: reason.into(),
    }
}

/// Data that end early.
pub(super) fn truncated(reason: impl Into<String>) -> MediaError {
    MediaError::Truncated {
        format: "video".into(),
        reason: reason.into(),
    }
}

/// What the decoders in the box do not know.
pub(super) fn unsupported(what: impl Into<String>) -> MediaError {
    MediaError::Unsupported {
        format: what.into(),
    }
}

/// A bound that would be passed.
pub(super) fn limit(what: &str, value: u64, limit: u64) -> MediaError {
    MediaError::Limit {
        what: what.into(),
        value,
        limit,
    }
}
