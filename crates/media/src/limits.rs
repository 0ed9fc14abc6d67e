//! Bounds that hold before anything is allocated.

use serde::{Deserialize, Serialize};

use crate::error::MediaError;

/// Bounds that hold before anything is allocated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Largest file in bytes.
    pub max_bytes: u64,
    /// Largest picture in pixels.
    pub max_pixels: u64,
    /// Most memory that decoding one file may claim, in bytes.
    pub max_alloc: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_bytes: 64 << 20,
            max_pixels: 50_000_000,
            max_alloc: 512 << 20,
        }
    }
}

impl Limits {
    /// Checks the size of a picture whose pixels take `bytes_per_pixel` while being decoded.
    ///
    /// # Errors
    /// [`MediaError::Limit`] or [`MediaError::Empty`].
    pub fn check(&self, width: u64, height: u64, bytes_per_pixel: u64) -> Result<(), MediaError> {
        if width == 0 || height == 0 {
            return Err(MediaError::Corrupt {
                format: "picture".into(),
                reason: format!("it is {width} x {height}"),
            });
        }
        let pixels = width.saturating_mul(height);
        if pixels > self.max_pixels {
            return Err(MediaError::Limit {
                what: "pixels".into(),
                value: pixels,
                limit: self.max_pixels,
            });
        }
        let bytes = pixels.saturating_mul(bytes_per_pixel);
        if bytes > self.max_alloc {
            return Err(MediaError::Limit {
                what: "bytes of memory".into(),
                value: bytes,
                limit: self.max_alloc,
            });
        }
        Ok(())
    }
}
