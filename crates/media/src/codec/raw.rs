//! What a codec hands over, before orientation, profile and transparency are dealt with.

use crate::jpeg::JpegFacts;
use crate::note::Note;

/// A picture as its codec gives it.
pub(crate) struct Raw {
    pub samples: Samples,
    pub width: u32,
    pub height: u32,
    pub bit_depth: u8,
    pub animated: bool,
    pub icc: Option<Vec<u8>>,
    pub exif: Option<Vec<u8>>,
    /// Orientation that the container itself applied or declares, where that is not EXIF.
    pub orientation: Option<u8>,
    pub jpeg: Option<JpegFacts>,
    pub notes: Vec<Note>,
}

/// Interleaved samples.
pub(crate) enum Samples {
    Rgb8(Vec<u8>),
    Rgba8(Vec<u8>),
    Rgb16(Vec<u16>),
    Rgba16(Vec<u16>),
}
