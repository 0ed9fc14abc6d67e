//! EXIF fields that speak of origin (CIPA DC-008).

use exif::{In, Tag, Value};
use serde::{Deserialize, Serialize};

use super::text::cut;

/// Fields that speak of origin.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExifFacts {
    /// Maker of the camera.
    pub make: Option<String>,
    /// Model of the camera.
    pub model: Option<String>,
    /// Program that wrote the file.
    pub software: Option<String>,
    /// When the picture was taken.
    pub date_time_original: Option<String>,
    /// Exposure time, aperture and sensitivity as printed by a camera.
    pub exposure: Option<String>,
    /// Artist.
    pub artist: Option<String>,
    /// Description.
    pub image_description: Option<String>,
    /// Free comment, decoded by its character code.
    pub user_comment: Option<String>,
    /// Orientation, 1 to 8.
    pub orientation: Option<u8>,
}

/// Parses a TIFF-structured block; `None` when it holds nothing readable.
pub(crate) fn parse(block: Vec<u8>) -> Option<ExifFacts> {
    let exif = exif::Reader::new().read_raw(block).ok()?;
    let text = |tag: Tag| {
        exif.get_field(tag, In::PRIMARY)
            .and_then(|f| match &f.value {
                Value::Ascii(parts) => Some(
                    parts
                        .iter()
                        .map(|p| String::from_utf8_lossy(p).trim().to_owned())
                        .collect::<Vec<_>>()
                        .join(" "),
                ),
                _ => None,
            })
            .filter(|t| !t.is_empty())
            .map(|t| cut(&t))
    };
    let shown = |tag: Tag| {
        exif.get_field(tag, In::PRIMARY)
            .map(|f| f.display_value().to_string())
    };
    let exposure: Vec<String> = [
        shown(Tag::ExposureTime).map(|v| format!("{v} s")),
        shown(Tag::FNumber).map(|v| format!("f/{v}")),
        shown(Tag::PhotographicSensitivity).map(|v| format!("ISO {v}")),
    ]
    .into_iter()
    .flatten()
    .collect();
    let facts = ExifFacts {
        make: text(Tag::Make),
        model: text(Tag::Model),
        software: text(Tag::Software),
        date_time_original: text(Tag::DateTimeOriginal),
        exposure: (!exposure.is_empty()).then(|| exposure.join(", ")),
        artist: text(Tag::Artist),
        image_description: text(Tag::ImageDescription),
        user_comment: exif
            .get_field(Tag::UserComment, In::PRIMARY)
            .and_then(|f| match &f.value {
                Value::Undefined(bytes, _) => user_comment(bytes, exif.little_endian()),
                _ => None,
            }),
        orientation: exif
            .get_field(Tag::Orientation, In::PRIMARY)
            .and_then(|f| f.value.get_uint(0))
            .and_then(|v| u8::try_from(v).ok()),
    };
    (facts != ExifFacts::default()).then_some(facts)
}

/// UserComment: eight bytes of character code, then text. Generators write `UNICODE` in either byte
/// order whatever the block's order is, so the order is taken from where the zero bytes are.
fn user_comment(bytes: &[u8], little: bool) -> Option<String> {
    let (code, text) = bytes.split_at_checked(8)?;
    let text = match code {
        b"UNICODE\0" => {
            let (mut even, mut odd) = (0_usize, 0_usize);
            for pair in text.chunks_exact(2) {
                even += usize::from(pair[0] == 0);
                odd += usize::from(pair[1] == 0);
            }
            let big = if even == odd { !little } else { even > odd };
            let units: Vec<u16> = text
                .chunks_exact(2)
                .map(|p| {
                    if big {
                        u16::from_be_bytes([p[0], p[1]])
                    } else {
                        u16::from_le_bytes([p[0], p[1]])
                    }
                })
                .collect();
            String::from_utf16_lossy(&units)
        }
        _ => String::from_utf8_lossy(text).into_owned(),
    };
    let text = text.trim_matches(['\0', ' ']).to_owned();
    (!text.is_empty()).then_some(text)
}

/// Bytes of the thumbnail in a block's second directory.
pub(crate) fn thumbnail_len(block: &[u8]) -> Option<u64> {
    let exif = exif::Reader::new().read_raw(block.to_vec()).ok()?;
    let field = exif.get_field(Tag::JPEGInterchangeFormatLength, In::THUMBNAIL)?;
    field.value.get_uint(0).map(u64::from)
}
