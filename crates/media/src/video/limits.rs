//! Bounds of videos, each with its own error.

use serde::{Deserialize, Serialize};

use super::error::limit;
use crate::error::MediaError;
use crate::limits::Limits;

/// Bounds of videos, each with its own error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VideoLimits {
    /// Largest file in bytes.
    pub max_bytes: u64,
    /// Longest video in seconds.
    pub max_seconds: f64,
    /// Most frames.
    pub max_frames: u64,
    /// Most pixels that are decoded of one video, all frames together.
    pub max_work: u64,
    /// Bounds of one frame.
    pub picture: Limits,
}

impl Default for VideoLimits {
    fn default() -> Self {
        Self {
            max_bytes: 8 << 30,
            max_seconds: 4.0 * 3600.0,
            max_frames: 1_000_000,
            max_work: 200_000_000_000,
            picture: Limits::default(),
        }
    }
}

impl VideoLimits {
    /// Checks the size of a file.
    pub(super) fn bytes(&self, bytes: u64) -> Result<(), MediaError> {
        match bytes {
            0 => Err(MediaError::Empty),
            bytes if bytes > self.max_bytes => Err(limit("bytes of file", bytes, self.max_bytes)),
            _ => Ok(()),
        }
    }

    /// Checks the length of a video.
    pub(super) fn length(&self, seconds: f64, frames: u64) -> Result<(), MediaError> {
        if frames > self.max_frames {
            return Err(limit("frames", frames, self.max_frames));
        }
        if seconds > self.max_seconds {
            let most = self.max_seconds as u64;
            return Err(limit("seconds of video", seconds as u64, most));
        }
        Ok(())
    }

    /// Checks what decoding `frames` of a size takes.
    pub(super) fn work(&self, frames: u64, width: u32, height: u32) -> Result<(), MediaError> {
        let pixels = u64::from(width) * u64::from(height);
        let work = frames.saturating_mul(pixels);
        if work > self.max_work {
            return Err(limit("pixels of all frames", work, self.max_work));
        }
        Ok(())
    }
}
