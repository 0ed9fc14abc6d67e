//! Why a run stopped.

use std::path::{Path, PathBuf};

use realscope_media::video::FOLDER;

/// Why a run stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// A file of the run cannot be read or written.
    #[error("{path}: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        reason: String,
    },
    /// The folder holds another run.
    #[error("{path} holds another run ({difference} differs); choose another folder")]
    Other {
        /// The folder.
        path: PathBuf,
        /// Key that differs.
        difference: String,
    },
    /// No item of the manifest takes part.
    #[error("no item of the manifest takes part in protocol `{protocol}`{}", for_videos(*videos))]
    Nothing {
        /// The protocol.
        protocol: String,
        /// Videos in the manifest.
        videos: usize,
    },
    /// There are videos and nothing that decodes them.
    #[error(
        "the manifest holds videos, and ffmpeg or ffprobe cannot be started: install ffmpeg or set {FOLDER}"
    )]
    Ffmpeg,
}

fn for_videos(videos: usize) -> &'static str {
    if videos > 0 {
        "; its videos do in protocol `video`"
    } else {
        ""
    }
}

pub(super) fn file_error(path: &Path, reason: impl ToString) -> RunError {
    RunError::File {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}
