//! Untrusted bytes to pixels and facts.
//!
//! Owns: telling formats apart by content, decoding within [`Limits`], JPEG facts, and reading what
//! a file declares about its origin (EXIF, XMP, IPTC, PNG text, C2PA).
//! Refuses: guessing. What cannot be decoded is a typed [`MediaError`]; nothing is filled in.
//!
//! Open first: [`mod@decode`], then [`metadata`].

pub mod decode;

pub mod format;
pub mod jpeg;
pub mod metadata;
pub mod video;

mod avif;
mod colour;
mod jxl;
mod raster;

pub use decode::{Decoded, Facts, Options, decode};
pub use format::Format;

use serde::{Deserialize, Serialize};

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

/// Why a file yields no picture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum MediaError {
    /// The file holds no bytes.
    #[error("the file is empty")]
    Empty,
    /// The content is no picture.
    #[error("not a picture: the content is {found}")]
    NotAPicture {
        /// What the content looks like.
        found: String,
    },
    /// A picture in a format without a decoder here.
    #[error("unsupported: {format}")]
    Unsupported {
        /// The format or its variant.
        format: String,
    },
    /// The data end before the picture does.
    #[error("truncated {format}: {reason}")]
    Truncated {
        /// The format.
        format: String,
        /// What the decoder said.
        reason: String,
    },
    /// The data contradict the format.
    #[error("corrupt {format}: {reason}")]
    Corrupt {
        /// The format.
        format: String,
        /// What the decoder said.
        reason: String,
    },
    /// A bound would be passed.
    #[error("limit exceeded: {value} {what}, at most {limit} allowed")]
    Limit {
        /// What is bounded.
        what: String,
        /// What the file asks for.
        value: u64,
        /// The bound.
        limit: u64,
    },
}

impl MediaError {
    /// Stable machine code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::NotAPicture { .. } => "not_a_picture",
            Self::Unsupported { .. } => "unsupported",
            Self::Truncated { .. } => "truncated",
            Self::Corrupt { .. } => "corrupt",
            Self::Limit { .. } => "limit_exceeded",
        }
    }
}
