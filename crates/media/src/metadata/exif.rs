//! EXIF fields that speak of origin (CIPA DC-008).

use exif::{Context, Exif, In, Tag, Value};
use serde::{Deserialize, Serialize};

use super::text::{MAX_BLOCK, cut, decoded, utf16};

/// Fields that speak of origin.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ExifFacts {
    /// Maker of the camera.
    pub make: Option<String>,
    /// Model of the camera.
    pub model: Option<String>,
    /// Model of the lens.
    pub lens: Option<String>,
    /// Program that wrote the file.
    pub software: Option<String>,
    /// When the picture was taken.
    pub date_time_original: Option<String>,
    /// When the file was last changed.
    pub date_time: Option<String>,
    /// Exposure time, aperture and sensitivity as printed by a camera.
    pub exposure: Option<String>,
    /// Focal length in millimetres.
    pub focal_length: Option<f64>,
    /// Aperture.
    pub f_number: Option<f64>,
    /// Width and height that the camera wrote, in pixels.
    pub pixel_size: Option<[u32; 2]>,
    /// Latitude and longitude in degrees, north and east positive.
    pub position: Option<[f64; 2]>,
    /// Artist.
    pub artist: Option<String>,
    /// Copyright.
    pub copyright: Option<String>,
    /// Description.
    pub image_description: Option<String>,
    /// Free comment, decoded by its character code.
    pub user_comment: Option<String>,
    /// Comment as Windows keeps it.
    pub xp_comment: Option<String>,
    /// Orientation, 1 to 8.
    pub orientation: Option<u8>,
}

/// What a block gave.
#[derive(Debug, Default)]
pub(crate) struct Parsed {
    /// `None` when it holds nothing readable.
    pub facts: Option<ExifFacts>,
    /// What is damaged in it.
    pub damage: Option<String>,
}

/// Longest comment that is decoded, in bytes; JSON of generators may be long, and parsers see it whole.
const MAX_COMMENT: usize = MAX_BLOCK;

/// Reads a block and goes on behind faults.
fn open(block: Vec<u8>) -> Result<(Exif, Option<String>), exif::Error> {
    let mut damage = None;
    let exif = exif::Reader::new()
        .continue_on_error(true)
        .read_raw(block)
        .or_else(|e| {
            e.distill_partial_result(|faults| {
                damage = faults.first().map(ToString::to_string);
            })
        })?;
    Ok((exif, damage))
}

/// Parses a TIFF-structured block. A bad directory costs itself alone.
pub(crate) fn parse(block: Vec<u8>) -> Parsed {
    let (exif, damage) = match open(block) {
        Ok(read) => read,
        Err(e) => {
            return Parsed {
                facts: None,
                damage: Some(e.to_string()),
            };
        }
    };
    let get = |tag: Tag| exif.get_field(tag, In::PRIMARY).map(|f| &f.value);
    let text = |tag: Tag| get(tag).and_then(plain).map(|t| cut(&t));
    let shown = |tag: Tag| {
        exif.get_field(tag, In::PRIMARY)
            .map(|f| f.display_value().to_string())
    };
    let number = |tag: Tag| get(tag).and_then(|v| rationals(v).first().copied());
    let exposure: Vec<String> = [
        shown(Tag::ExposureTime).map(|v| format!("{v} s")),
        shown(Tag::FNumber).map(|v| format!("f/{v}")),
        shown(Tag::PhotographicSensitivity).map(|v| format!("ISO {v}")),
    ]
    .into_iter()
    .flatten()
    .collect();
    let uint = |tag: Tag| get(tag).and_then(|v| v.get_uint(0));
    let degrees = |tag: Tag, half: Tag, negative: &str| {
        let parts = get(tag).map(rationals)?;
        let [d, m, s] = *parts.first_chunk::<3>()?;
        let value = d + m / 60.0 + s / 3600.0;
        let below = text(half).is_some_and(|h| h.eq_ignore_ascii_case(negative));
        value
            .is_finite()
            .then_some(if below { -value } else { value })
    };
    let facts = ExifFacts {
        make: text(Tag::Make),
        model: text(Tag::Model),
        lens: text(Tag::LensModel),
        software: text(Tag::Software),
        date_time_original: text(Tag::DateTimeOriginal),
        date_time: text(Tag::DateTime),
        exposure: (!exposure.is_empty()).then(|| exposure.join(", ")),
        focal_length: number(Tag::FocalLength).filter(|v| v.is_finite()),
        f_number: number(Tag::FNumber).filter(|v| v.is_finite()),
        pixel_size: uint(Tag::PixelXDimension)
            .zip(uint(Tag::PixelYDimension))
            .map(|(x, y)| [x, y]),
        position: degrees(Tag::GPSLatitude, Tag::GPSLatitudeRef, "S")
            .zip(degrees(Tag::GPSLongitude, Tag::GPSLongitudeRef, "W"))
            .map(|(lat, lon)| [lat, lon]),
        artist: text(Tag::Artist),
        copyright: text(Tag::Copyright),
        image_description: text(Tag::ImageDescription),
        user_comment: comment(&exif).map(|t| cut(&t)),
        xp_comment: windows(&exif, XP_COMMENT).map(|t| cut(&t)),
        orientation: uint(Tag::Orientation).and_then(|v| u8::try_from(v).ok()),
    };
    Parsed {
        facts: (facts != ExifFacts::default()).then_some(facts),
        damage,
    }
}

/// Where the program stands that wrote a file.
pub(crate) const SOFTWARE: &str = "EXIF Software";

/// Texts of a block in which generators keep their parameters, whole: place and text.
pub(crate) fn texts(block: Vec<u8>) -> Vec<(&'static str, String)> {
    let Ok((exif, _)) = open(block) else {
        return Vec::new();
    };
    let get = |tag: Tag| {
        exif.get_field(tag, In::PRIMARY)
            .and_then(|f| plain(&f.value))
    };
    [
        ("EXIF UserComment", comment(&exif)),
        ("EXIF ImageDescription", get(Tag::ImageDescription)),
        ("EXIF XPComment", windows(&exif, XP_COMMENT)),
        ("EXIF Make", get(Tag::Make)),
        ("EXIF Model", get(Tag::Model)),
        ("EXIF Artist", get(Tag::Artist)),
        ("EXIF Copyright", get(Tag::Copyright)),
        ("EXIF DocumentName", get(Tag(Context::Tiff, 0x010d))),
        ("EXIF XPTitle", windows(&exif, 0x9c9b)),
        ("EXIF XPAuthor", windows(&exif, 0x9c9d)),
        ("EXIF XPKeywords", windows(&exif, 0x9c9e)),
        ("EXIF XPSubject", windows(&exif, 0x9c9f)),
        (
            "EXIF MakerNote",
            misplaced(&exif, Tag::MakerNote).and_then(|f| plain(&f.value)),
        ),
        (SOFTWARE, get(Tag::Software)),
    ]
    .into_iter()
    .filter_map(|(place, text)| Some((place, text.filter(|t| t.len() <= MAX_COMMENT)?)))
    .collect()
}

/// A text of any type that writers use for one.
fn plain(value: &Value) -> Option<String> {
    let text = match value {
        Value::Ascii(parts) => parts
            .iter()
            .map(|p| decoded(p).trim().to_owned())
            .collect::<Vec<_>>()
            .join(" "),
        Value::Byte(bytes) | Value::Undefined(bytes, _) => decoded(bytes),
        _ => return None,
    };
    let text = text.trim_matches(['\0', ' ']).to_owned();
    (!text.is_empty()).then_some(text)
}

fn rationals(value: &Value) -> Vec<f64> {
    match value {
        Value::Rational(parts) => parts.iter().map(exif::Rational::to_f64).collect(),
        Value::SRational(parts) => parts.iter().map(exif::SRational::to_f64).collect(),
        _ => Vec::new(),
    }
}

/// A field of the EXIF directory, or where a writer put it into the first one.
fn misplaced(exif: &Exif, tag: Tag) -> Option<&exif::Field> {
    let first = Tag(Context::Tiff, tag.number());
    exif.get_field(tag, In::PRIMARY)
        .or_else(|| exif.get_field(first, In::PRIMARY))
}

fn comment(exif: &Exif) -> Option<String> {
    match &misplaced(exif, Tag::UserComment)?.value {
        Value::Undefined(bytes, _) | Value::Byte(bytes) => {
            user_comment(bytes, exif.little_endian())
        }
        Value::Ascii(parts) => user_comment(&parts.join(&0), exif.little_endian()),
        _ => None,
    }
}

/// Comment in UTF-16, as Windows keeps it.
const XP_COMMENT: u16 = 0x9c9c;

/// A field that Windows keeps in UTF-16.
fn windows(exif: &Exif, tag: u16) -> Option<String> {
    let tag = Tag(Context::Tiff, tag);
    match &exif.get_field(tag, In::PRIMARY)?.value {
        Value::Byte(bytes) | Value::Undefined(bytes, _) => {
            let text = utf16(bytes, true).trim_matches(['\0', ' ']).to_owned();
            (!text.is_empty()).then_some(text)
        }
        value => plain(value),
    }
}

/// UserComment: eight bytes of character code, then text. Generators write `UNICODE` in either byte
/// order whatever the block's order is, so the order is taken from where the zero bytes are. Some write no code.
fn user_comment(bytes: &[u8], little: bool) -> Option<String> {
    const ESCAPE: char = '\x1b';
    if bytes.len() > MAX_COMMENT {
        return None;
    }
    let text = match bytes.split_at_checked(8) {
        Some((b"UNICODE\0" | b"Unicode\0", text)) => match std::str::from_utf8(text) {
            // UTF-8 under the wrong name has no zero bytes.
            Ok(plain) if !text.contains(&0) && !plain.is_empty() => plain.to_owned(),
            _ => utf16(text, little),
        },
        Some((b"ASCII\0\0\0" | b"\0\0\0\0\0\0\0\0", text)) => decoded(text),
        // Of ISO-2022-JP only what is ASCII; the rest is between escapes.
        Some((b"JIS\0\0\0\0\0", text)) => decoded(text).replace(ESCAPE, "\u{fffd}"),
        _ => match std::str::from_utf8(bytes) {
            Ok(text) if !text.trim_matches('\0').contains('\0') => text.to_owned(),
            _ if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) => {
                utf16(bytes, little)
            }
            _ => decoded(bytes.get(8..)?),
        },
    };
    let text = text.trim_matches(['\0', ' ']).to_owned();
    (!text.is_empty()).then_some(text)
}

/// Bytes of the thumbnail in a block's second directory.
pub(crate) fn thumbnail_len(block: &[u8]) -> Option<u64> {
    let (exif, _) = open(block.to_vec()).ok()?;
    let field = exif.get_field(Tag::JPEGInterchangeFormatLength, In::THUMBNAIL)?;
    field.value.get_uint(0).map(u64::from)
}

/// The thumbnail in a block's second directory, a JPEG.
pub(crate) fn thumbnail(block: &[u8]) -> Option<Vec<u8>> {
    let (exif, _) = open(block.to_vec()).ok()?;
    let number = |tag| {
        let field = exif.get_field(tag, In::THUMBNAIL)?;
        Some(field.value.get_uint(0)? as usize)
    };
    let start = number(Tag::JPEGInterchangeFormat)?;
    let len = number(Tag::JPEGInterchangeFormatLength)?;
    Some(block.get(start..start.checked_add(len)?)?.to_vec())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A little-endian block of one directory: tag, type, and bytes of the value.
    pub(crate) fn block(entries: &[(u16, u16, &[u8])]) -> Vec<u8> {
        let mut out = b"II*\0\x08\0\0\0".to_vec();
        out.extend((entries.len() as u16).to_le_bytes());
        let mut far = Vec::new();
        let start = 8 + 2 + 12 * entries.len() + 4;
        for (tag, kind, value) in entries {
            let unit = match kind {
                3 => 2,
                4 => 4,
                5 | 10 => 8,
                _ => 1,
            };
            out.extend(tag.to_le_bytes());
            out.extend(kind.to_le_bytes());
            out.extend(((value.len() / unit) as u32).to_le_bytes());
            if value.len() <= 4 {
                let mut inline = [0; 4];
                inline[..value.len()].copy_from_slice(value);
                out.extend(inline);
            } else {
                out.extend(((start + far.len()) as u32).to_le_bytes());
                far.extend_from_slice(value);
            }
        }
        out.extend([0; 4]);
        out.extend(far);
        out
    }

    #[test]
    fn a_bad_directory_costs_itself_alone() {
        // The GPS directory (0x8825) points at one whose next pointer leads outside.
        let mut bytes = block(&[
            (0x10f, 2, b"Maker\0"),
            (0x112, 3, &[6, 0]),
            (0x8825, 4, &[0; 4]),
        ]);
        let gps = bytes.len() as u32;
        let at = bytes.len() - 6 - 4 - 4;
        bytes[at..at + 4].copy_from_slice(&gps.to_le_bytes());
        bytes.extend(b"\x01\0\x00\0\x01\0\x04\0\0\0\x02\x03\0\0\xff\xff\xff\xff");
        let parsed = parse(bytes.clone());
        let facts = parsed.facts.unwrap();
        assert_eq!(
            (facts.make.as_deref(), facts.orientation),
            (Some("Maker"), Some(6))
        );
        assert!(parsed.damage.is_some());
        for end in 0..bytes.len() {
            let _ = parse(bytes[..end].to_vec());
        }
    }

    #[test]
    fn a_comment_is_read_whatever_its_type_and_code() {
        let utf16: Vec<u8> = "Füchse".encode_utf16().flat_map(u16::to_be_bytes).collect();
        for (bytes, expected) in [
            ([b"UNICODE\0", &utf16[..]].concat(), "Füchse"),
            ([b"UNICODE\0", "Füchse".as_bytes()].concat(), "Füchse"),
            (b"ASCII\0\0\0a fox".to_vec(), "a fox"),
            (b"\0\0\0\0\0\0\0\0a fox\0\0".to_vec(), "a fox"),
            (
                b"{\"prompt\": \"a fox\"}".to_vec(),
                "{\"prompt\": \"a fox\"}",
            ),
            (b"JIS\0\0\0\0\0fox".to_vec(), "fox"),
            // A code that does not fit the text.
            (b"ASCII\0\0\0a\0 \0f\0o\0x\0".to_vec(), "a fox"),
            (b"ASCII\0\0\0\0a\0 \0f\0o\0x".to_vec(), "a fox"),
        ] {
            for kind in [1, 2, 7] {
                // The tag belongs to the EXIF directory; some writers put it into the first one.
                let facts = parse(block(&[(0x9286, kind, &bytes)])).facts.unwrap();
                assert_eq!(facts.user_comment.as_deref(), Some(expected), "type {kind}");
                let mut file = block(&[(0x8769, 4, &26_u32.to_le_bytes())]);
                let inner = block(&[(0x9286, kind, &bytes)]);
                // The value of the moved directory stands 18 bytes further on.
                let mut inner = inner[8..].to_vec();
                let place = u32::from_le_bytes(inner[10..14].try_into().unwrap()) + 18;
                inner[10..14].copy_from_slice(&place.to_le_bytes());
                file.extend(inner);
                let facts = parse(file).facts.unwrap();
                assert_eq!(facts.user_comment.as_deref(), Some(expected), "type {kind}");
            }
        }
    }

    #[test]
    fn a_windows_comment_is_read() {
        let text: Vec<u8> = "a fox\0"
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect();
        let facts = parse(block(&[(0x9c9c, 1, &text)])).facts.unwrap();
        assert_eq!(facts.xp_comment.as_deref(), Some("a fox"));
    }
}
