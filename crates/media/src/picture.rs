//! A decoded picture, the facts beside its pixels, and how lenient its decoding was.

use image::RgbImage;
use serde::{Deserialize, Serialize};

use crate::container::trailer::Part;
use crate::format::Format;
use crate::jpeg::JpegFacts;
use crate::metadata::{Anchors, Metadata};
use crate::note::Note;
use crate::thumbnail::Thumbnail;

/// How lenient decoding is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// Take what there is of a JPEG whose data end early, and say so.
    pub allow_truncated: bool,
    /// Which picture of a file that holds several to read, by its name ([`crate::MediaError::Parts`]).
    #[serde(default)]
    pub part: Option<String>,
    /// Read what the file declares and decode no pixel.
    pub metadata_only: bool,
    /// Whose signatures on content credentials are trusted; without them trust is not checked.
    pub trust: Option<Anchors>,
    /// The bytes are what [`crate::video::outline()`] left of a video: no hash of the file can be checked on them.
    #[serde(default)]
    pub outline: bool,
    /// The manifest store that was fetched from where the file says it is kept.
    #[serde(default)]
    pub manifest: Option<Vec<u8>>,
}

/// A picture with its facts.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// Upright sRGB pixels, 8 bits a channel.
    pub pixels: RgbImage,
    /// Everything else.
    pub facts: Facts,
}

/// What is known of a picture beside its pixels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// Format by content.
    pub format: Format,
    /// Width in pixels, upright.
    pub width: u32,
    /// Height in pixels, upright.
    pub height: u32,
    /// Bits of a stored sample.
    pub bit_depth: u8,
    /// Whether transparency was composited on white.
    pub alpha_composited: bool,
    /// Whether the file holds further frames, of which only the first was read.
    pub animated: bool,
    /// EXIF orientation that was undone (1 = none).
    pub orientation: u8,
    /// Name of an embedded colour profile that was converted to sRGB.
    pub icc_profile: Option<String>,
    /// Facts of a JPEG.
    pub jpeg: Option<JpegFacts>,
    /// The thumbnail in EXIF, compared with the picture.
    pub thumbnail: Option<Thumbnail>,
    /// What stands behind the picture.
    pub behind: Vec<Part>,
    /// What the file declares.
    pub metadata: Metadata,
    /// Things that a reader should know, each a stable code and a sentence.
    pub notes: Vec<Note>,
}
