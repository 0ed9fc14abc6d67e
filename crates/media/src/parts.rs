//! Pictures within files that are no pictures themselves: PDF documents, SVG drawings, raw photographs with a preview.
//!
//! [`crate::decode()`] refuses such a file with [`MediaError::Parts`], which names the pictures;
//! [`crate::Options::part`] then asks for one of them.

mod pdf;
mod raw_photo;
mod svg;

use crate::codec::raw::Raw;
use crate::error::MediaError;
use crate::format::Format;
use crate::limits::Limits;

/// Most pictures of one file that are named.
const MOST: usize = 256;

/// A picture within a file.
pub(crate) enum Part {
    /// The bytes of a picture file.
    File(Vec<u8>),
    /// Samples that the file itself describes.
    Raw(Box<Raw>),
}

/// Names of the pictures, and how many more there are.
#[derive(Default)]
pub(crate) struct Names {
    names: Vec<String>,
    more: u64,
}

impl Names {
    fn push(&mut self, name: String) {
        if self.names.len() < MOST {
            self.names.push(name);
        } else {
            self.more += 1;
        }
    }
}

/// XMP packets of a document, or of the picture of that name within it; `None` where its structure cannot be followed.
pub(crate) fn packets(bytes: &[u8], format: Format, name: Option<&str>) -> Option<Vec<Vec<u8>>> {
    (format == Format::Pdf).then(|| pdf::packets(bytes, name).ok())?
}

/// What a scan of the whole file says: which pictures it has, or that it has none.
pub(crate) fn refusal(bytes: &[u8], format: Format) -> MediaError {
    let found = match format {
        Format::Pdf => pdf::names(bytes),
        Format::Svg => svg::names(bytes),
        _ => raw_photo::names(bytes),
    };
    match found {
        Err(e) => e,
        Ok(found) if found.names.is_empty() && format == Format::Raw => MediaError::Unsupported {
            format: format.name().into(),
        },
        Ok(found) if found.names.is_empty() => MediaError::NotAPicture {
            found: format!("a {} without pictures", format.name()),
        },
        Ok(found) => MediaError::Parts {
            format: format.name().into(),
            parts: found.names,
            more: found.more,
        },
    }
}

/// A picture by its name.
pub(crate) fn part(
    bytes: &[u8],
    format: Format,
    name: &str,
    limits: &Limits,
) -> Result<Part, MediaError> {
    let found = match format {
        Format::Pdf => pdf::part(bytes, name, limits)?,
        Format::Svg => svg::part(bytes, name),
        Format::Raw => raw_photo::part(bytes, name),
        _ => None,
    };
    found.ok_or_else(|| MediaError::NotAPicture {
        found: format!("a {} without a part {name}", format.name()),
    })
}
