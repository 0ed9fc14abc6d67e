//! One entry for every format: sniff, check limits, decode, bring to upright sRGB, collect facts.

use image::RgbImage;
use serde::{Deserialize, Serialize};

use crate::format::{self, Format};
use crate::jpeg::JpegFacts;
use crate::metadata::{self, Metadata};
use crate::{Limits, MediaError, avif, colour, jpeg, jxl, raster};

/// How lenient decoding is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// Take what there is of a JPEG whose data end early, and say so.
    pub allow_truncated: bool,
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
    /// What the file declares.
    pub metadata: Metadata,
    /// Things that a reader should know, each a stable code and a sentence.
    pub notes: Vec<Note>,
}

/// A remark on how a file was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Stable code.
    pub code: String,
    /// Sentence for people.
    pub sentence: String,
}

impl Note {
    pub(crate) fn new(code: &str, sentence: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            sentence: sentence.into(),
        }
    }
}

/// A picture with its facts.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// Upright sRGB pixels, 8 bits a channel.
    pub pixels: RgbImage,
    /// Everything else.
    pub facts: Facts,
}

/// What a codec hands over, before orientation, profile and transparency are dealt with.
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

/// Decodes `bytes` within `limits`.
///
/// Catches neither a stuck decoder nor an aborting allocation: run it in a worker process with a
/// deadline where the bytes are untrusted.
///
/// # Errors
/// [`MediaError`] with a stable code.
pub fn decode(bytes: &[u8], limits: &Limits, options: &Options) -> Result<Decoded, MediaError> {
    if bytes.is_empty() {
        return Err(MediaError::Empty);
    }
    if bytes.len() as u64 > limits.max_bytes {
        return Err(MediaError::Limit {
            what: "bytes of file".into(),
            value: bytes.len() as u64,
            limit: limits.max_bytes,
        });
    }
    if let Some(name) = format::undecoded(bytes) {
        return Err(MediaError::Unsupported {
            format: name.into(),
        });
    }
    let Some(format) = Format::sniff(bytes) else {
        return Err(MediaError::NotAPicture {
            found: format::describe(bytes).into(),
        });
    };
    // A decoder's own assertion is a fault of the file to its reader, not of the program.
    let guarded = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let raw = pixels(bytes, format, limits, options)?;
        let metadata = metadata::read(bytes, format, raw.exif.as_deref());
        Ok(finish(raw, format, metadata))
    }));
    guarded.unwrap_or_else(|_| {
        Err(MediaError::Corrupt {
            format: format.name().into(),
            reason: "the decoder gave up on a broken assumption".into(),
        })
    })
}

fn pixels(
    bytes: &[u8],
    format: Format,
    limits: &Limits,
    options: &Options,
) -> Result<Raw, MediaError> {
    Ok(match format {
        Format::Jpeg => jpeg::decode(bytes, limits, options)?,
        Format::Png | Format::Webp | Format::Gif | Format::Bmp | Format::Tiff => {
            raster::decode(bytes, format, limits)?
        }
        Format::Avif => avif::decode(bytes, limits)?,
        Format::Jxl => jxl::decode(bytes, limits)?,
        Format::Heic => {
            return Err(MediaError::Unsupported {
                format: "HEIC".into(),
            });
        }
        Format::Video => {
            return Err(MediaError::Unsupported {
                format: "video".into(),
            });
        }
    })
}

fn finish(raw: Raw, format: Format, metadata: Metadata) -> Decoded {
    let mut notes = raw.notes;
    let converted = colour::to_srgb(raw.samples, raw.icc.as_deref());
    if let Some(reason) = converted.profile_problem {
        notes.push(Note::new(
            "icc_ignored",
            format!("The embedded colour profile could not be applied: {reason}."),
        ));
    }
    if converted.alpha_composited {
        notes.push(Note::new(
            "alpha_composited",
            "Transparency was composited on white.",
        ));
    }
    if raw.animated {
        notes.push(Note::new(
            "first_frame",
            "The file is animated; only its first frame was read.",
        ));
    }
    let orientation = raw
        .orientation
        .or(metadata.exif.as_ref().and_then(|e| e.orientation))
        .filter(|o| (1..=8).contains(o))
        .unwrap_or(1);
    let upright = RgbImage::from_raw(raw.width, raw.height, converted.rgb)
        .map(|p| orient(p, orientation))
        .unwrap_or_default();
    Decoded {
        facts: Facts {
            format,
            width: upright.width(),
            height: upright.height(),
            bit_depth: raw.bit_depth,
            alpha_composited: converted.alpha_composited,
            animated: raw.animated,
            orientation,
            icc_profile: converted.profile,
            jpeg: raw.jpeg,
            metadata,
            notes,
        },
        pixels: upright,
    }
}

/// Undoes an EXIF orientation (tag 0x0112, 1 to 8).
fn orient(picture: RgbImage, orientation: u8) -> RgbImage {
    use image::imageops::{flip_horizontal, flip_vertical, rotate90, rotate180, rotate270};
    match orientation {
        2 => flip_horizontal(&picture),
        3 => rotate180(&picture),
        4 => flip_vertical(&picture),
        5 => flip_horizontal(&rotate90(&picture)),
        6 => rotate90(&picture),
        7 => flip_horizontal(&rotate270(&picture)),
        8 => rotate270(&picture),
        _ => picture,
    }
}
