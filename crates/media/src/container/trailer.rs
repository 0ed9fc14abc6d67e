//! What stands in a file behind the end of its picture.

use serde::{Deserialize, Serialize};

use super::{bmff, chunks, gif, jpeg, mpf, png};
use crate::format::{self, Format};

/// Most parts that are told.
const MAX_PARTS: usize = 32;
/// Longest text of a part that is kept, in bytes.
const MAX_TEXT: usize = 1 << 20;

/// A part of a file behind its picture.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Stable code: `gain_map`, `picture`, `preview`, `video`, `earlier_png`, `samsung`, `archive`, `document`, `text`, `padding`
    /// or `unknown`.
    pub kind: String,
    /// What it is, for people.
    pub what: String,
    /// Where it begins.
    pub offset: u64,
    /// Its length.
    pub bytes: u64,
    /// Name of a picture that can be scanned for itself ([`crate::Options::part`]), such as `trailer=1`.
    #[serde(default)]
    pub item: Option<String>,
    /// Of a preview: correlation of its brightness with that of the picture, as of the thumbnail in EXIF.
    #[serde(default)]
    pub likeness: Option<f64>,
    /// Texts that it holds, by name.
    #[serde(skip)]
    pub(crate) texts: Vec<(String, String)>,
}

/// The parts behind the picture of a file in `format`.
pub(crate) fn parts(bytes: &[u8], format: Format) -> Vec<Part> {
    let mut out = Vec::new();
    if let Some(end) = end(bytes, format) {
        behind(bytes, end, format, &mut out);
    }
    if format == Format::Jpeg {
        previews(bytes, &mut out);
    }
    name_items(bytes, &mut out);
    // Phones keep the video of a motion photograph in a box of HEIF.
    if matches!(format, Format::Avif | Format::Heic) {
        for b in bmff::boxes(bytes).filter(|b| b.kind == *b"mpvd").take(4) {
            out.push(part("video", "a video", b.end - b.data.len(), b.data.len()));
        }
    }
    out
}

/// Most pictures behind the first that are scanned for themselves.
const MAX_ITEMS: usize = 4;

/// Tells what the index of a JPEG calls a smaller copy of the picture.
fn previews(bytes: &[u8], parts: &mut [Part]) {
    let entries = mpf::entries(bytes, &jpeg::structure(bytes).segments);
    for part in parts.iter_mut().filter(|p| p.kind == "picture") {
        let own = |e: &mpf::Entry| e.offset == part.offset || e.bytes == part.bytes;
        if entries.iter().any(|e| e.preview && own(e)) {
            part.kind = "preview".into();
            part.what = part.what.replacen("a picture", "a preview", 1);
        }
    }
}

/// Names the pictures that may show something else than the first. Grey ones are maps of light or depth.
fn name_items(bytes: &[u8], parts: &mut [Part]) {
    let mut left = MAX_ITEMS;
    for (i, part) in parts.iter_mut().enumerate() {
        let own = slice(bytes, part).unwrap_or_default();
        let format = Format::sniff(own);
        let map = format == Some(Format::Jpeg) && is_grey(&jpeg::structure(own).segments);
        if matches!(part.kind.as_str(), "picture" | "preview") && !map && left > 0 {
            part.item = Some(format!("trailer={}", i + 1));
            left -= 1;
        }
    }
}

/// The bytes of a part.
pub(crate) fn slice<'a>(bytes: &'a [u8], part: &Part) -> Option<&'a [u8]> {
    let start = usize::try_from(part.offset).ok()?;
    bytes.get(start..start.checked_add(usize::try_from(part.bytes).ok()?)?)
}

/// The bytes of the part that is scanned under a name.
pub(crate) fn item<'a>(bytes: &'a [u8], format: Format, name: &str) -> Option<&'a [u8]> {
    let parts = parts(bytes, format);
    let part = parts.iter().find(|p| p.item.as_deref() == Some(name))?;
    slice(bytes, part)
}

/// Offset just behind the picture; `None` where the format has no end.
fn end(bytes: &[u8], format: Format) -> Option<usize> {
    match format {
        Format::Jpeg => {
            let structure = jpeg::structure(bytes);
            structure.end_marker.then_some(structure.end)
        }
        Format::Png => png::end(bytes),
        Format::Gif => gif::extensions(bytes).end,
        Format::Webp => chunks::riff_end(bytes),
        Format::Bmp => {
            let size = bytes.get(2..6)?;
            let size = u32::from_le_bytes([size[0], size[1], size[2], size[3]]) as usize;
            // Some writers leave the size out.
            (size > 26 && size <= bytes.len()).then_some(size)
        }
        Format::Avif | Format::Heic => boxed_end(bytes),
        Format::Jxl if bytes.starts_with(&[0]) => boxed_end(bytes),
        _ => None,
    }
}

/// Offset behind the last box of a kind that such files have.
fn boxed_end(bytes: &[u8]) -> Option<usize> {
    let letters = |kind: [u8; 4]| kind.iter().all(|c| c.is_ascii_graphic() || *c == b' ');
    let known = bmff::boxes(bytes).take_while(|b| letters(b.kind));
    known.map(|b| b.end).last()
}

fn part(kind: &str, what: &str, offset: usize, len: usize) -> Part {
    Part {
        kind: kind.into(),
        what: what.into(),
        offset: offset as u64,
        bytes: len as u64,
        item: None,
        likeness: None,
        texts: Vec::new(),
    }
}

fn behind(bytes: &[u8], mut at: usize, format: Format, out: &mut Vec<Part>) {
    let samsung = samsung(bytes, at);
    let end = samsung.as_ref().map_or(bytes.len(), |p| p.offset as usize);
    while at < end && out.len() < MAX_PARTS {
        let rest = &bytes[at..end];
        let (found, len) = match known(rest) {
            Some((kind, what, len)) => (part(kind, &what, at, len), len),
            None => {
                let len = next_known(rest);
                (unknown(&rest[..len], at, format), len)
            }
        };
        out.push(found);
        at += len.max(1);
    }
    out.extend(samsung);
}

/// What `rest` begins with, and its length.
fn known(rest: &[u8]) -> Option<(&'static str, String, usize)> {
    let all = rest.len();
    let sniffed = Format::sniff(rest).filter(|f| !matches!(f, Format::Pdf | Format::Svg));
    if let Some(kind) = sniffed {
        let name = kind.name();
        return Some(match kind {
            Format::Jpeg => {
                let structure = jpeg::structure(rest);
                if gain_map(&structure.segments) {
                    ("gain_map", "a gain map (JPEG)".into(), structure.end)
                } else {
                    ("picture", described(&structure.segments), structure.end)
                }
            }
            Format::Video if rest.starts_with(b"RIFF") => (
                "video",
                "a video".into(),
                chunks::riff_end(rest).unwrap_or(all),
            ),
            Format::Video => ("video", "a video".into(), boxed_end(rest).unwrap_or(all)),
            Format::Tiff => ("picture", format!("a picture ({name})"), all),
            _ => {
                let len = end(rest, kind).unwrap_or(all);
                ("picture", format!("a picture ({name})"), len)
            }
        });
    }
    Some(match rest {
        [b'P', b'K', 3, 4, ..] => ("archive", "a ZIP archive".into(), all),
        [b'R', b'a', b'r', b'!', 0x1a, 7, ..] => ("archive", "a RAR archive".into(), all),
        [b'7', b'z', 0xbc, 0xaf, 0x27, 0x1c, ..] => ("archive", "a 7z archive".into(), all),
        [0x1f, 0x8b, 8, ..] => ("archive", "gzip data".into(), all),
        [b'%', b'P', b'D', b'F', b'-', ..] => ("document", "a PDF document".into(), all),
        _ => return None,
    })
}

/// Offset of the next thing of a known kind, or the length of `rest`.
fn next_known(rest: &[u8]) -> usize {
    let starts: [(&[u8], usize); 8] = [
        (b"\xff\xd8\xff\xe0", 0),
        (b"\xff\xd8\xff\xe1", 0),
        (b"\xff\xd8\xff\xdb", 0),
        (b"\x89PNG\r\n\x1a\n", 0),
        (b"PK\x03\x04", 0),
        (b"%PDF-", 0),
        // Behind the length of its box.
        (b"ftyp", 4),
        (b"RIFF", 0),
    ];
    (1..rest.len())
        .find(|at| {
            starts.iter().any(|(mark, ahead)| {
                rest.get(at + ahead..).is_some_and(|r| r.starts_with(mark))
                    && (*mark != b"RIFF" || known(&rest[*at..]).is_some())
            })
        })
        .unwrap_or(rest.len())
}

fn unknown(rest: &[u8], at: usize, format: Format) -> Part {
    const IEND: &[u8] = b"\0\0\0\0IEND\xaeB`\x82";
    let len = rest.len();
    if rest.iter().all(|b| *b == rest[0]) {
        return part("padding", "padding", at, len);
    }
    if format == Format::Png && rest.windows(IEND.len()).any(|w| w == IEND) {
        let what = "the rest of an earlier PNG, which may show what was cropped away";
        return part("earlier_png", what, at, len);
    }
    if format::describe(rest) == "text" && rest.iter().all(|b| *b >= 9) {
        return part("text", "text", at, len);
    }
    part("unknown", "data of an unknown kind", at, len)
}

/// The data of a JPEG's frame header.
fn frame<'a>(segments: &[jpeg::Segment<'a>]) -> Option<&'a [u8]> {
    let of = |marker| matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc);
    segments.iter().find(|s| of(s.marker)).map(|s| s.data)
}

/// Whether a JPEG has one component.
fn is_grey(segments: &[jpeg::Segment<'_>]) -> bool {
    frame(segments).is_some_and(|f| f.get(5) == Some(&1))
}

/// A JPEG by its size and colours.
fn described(segments: &[jpeg::Segment<'_>]) -> String {
    match frame(segments) {
        Some([_, h1, h0, w1, w0, components, ..]) => {
            let (width, height) = (
                u16::from_be_bytes([*w1, *w0]),
                u16::from_be_bytes([*h1, *h0]),
            );
            if *components == 1 {
                format!(
                    "a grey picture of {width} x {height} (JPEG), as gain maps and depth maps are"
                )
            } else {
                format!("a picture of {width} x {height} (JPEG)")
            }
        }
        _ => "a picture (JPEG)".into(),
    }
}

/// Whether a JPEG is a gain map: Adobe's XMP or the marker of ISO 21496-1.
fn gain_map(segments: &[jpeg::Segment<'_>]) -> bool {
    const ISO: &[u8] = b"urn:iso:std:iso:ts:21496:-1\0";
    const ADOBE: &[u8] = b"http://ns.adobe.com/hdr-gain-map/1.0/";
    segments.iter().any(|s| match s.marker {
        0xe2 => s.data.starts_with(ISO),
        0xe1 => s.data.windows(ADOBE.len()).any(|w| w == ADOBE),
        _ => false,
    })
}

/// Samsung's trailer: blocks with names, a directory (`SEFH`), and its length before `SEFT` at the very end.
fn samsung(bytes: &[u8], from: usize) -> Option<Part> {
    let number = |at: usize| {
        let b = bytes.get(at..at.checked_add(4)?)?;
        Some(u32::from_le_bytes([b[0], b[1], b[2], b[3]]) as usize)
    };
    // Zeros may follow.
    let end = bytes.iter().rposition(|b| *b != 0)? + 1;
    if end < from + 20 || bytes.get(end - 4..end)? != b"SEFT" {
        return None;
    }
    let directory = (end - 8).checked_sub(number(end - 8)?)?;
    if directory < from || bytes.get(directory..directory + 4)? != b"SEFH" {
        return None;
    }
    let count = number(directory + 8)?.min(256);
    let mut start = directory;
    let mut texts = Vec::new();
    let mut names = Vec::new();
    for i in 0..count {
        let entry = directory + 12 + 12 * i;
        let (Some(back), Some(len)) = (number(entry + 4), number(entry + 8)) else {
            break;
        };
        let Some(block) = directory.checked_sub(back).filter(|b| *b >= from) else {
            continue;
        };
        let Some(name_len) = number(block + 4) else {
            continue;
        };
        let whole = bytes.get(block..block.saturating_add(len).min(directory));
        let split = whole.and_then(|b| b.get(8..)?.split_at_checked(name_len));
        let Some((name, value)) = split else { continue };
        start = start.min(block);
        let name = String::from_utf8_lossy(&name[..name.len().min(64)]).into_owned();
        if value.len() <= MAX_TEXT
            && let Ok(value) = std::str::from_utf8(value)
        {
            texts.push((name.clone(), value.to_owned()));
        }
        let holds = match Format::sniff(value) {
            Some(Format::Video) => " (a video)",
            Some(_) => " (a picture)",
            None => "",
        };
        names.push(format!("{name}{holds}"));
    }
    names.dedup();
    names.truncate(16);
    let what = format!("Samsung's trailer: {}", names.join(", "));
    let mut found = part(
        "samsung",
        what.trim_end_matches([':', ' ']),
        start,
        bytes.len() - start,
    );
    found.texts = texts;
    Some(found)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn kinds(bytes: &[u8], format: Format) -> Vec<(String, u64)> {
        let found = parts(bytes, format);
        found.into_iter().map(|p| (p.kind, p.bytes)).collect()
    }

    fn jpeg_with(segment: &[u8]) -> Vec<u8> {
        let len = (segment.len() as u16 + 2).to_be_bytes();
        [b"\xff\xd8\xff\xe1", &len[..], segment, b"\xff\xd9"].concat()
    }

    /// Samsung's trailer with one block.
    pub(crate) fn samsung_trailer(name: &str, value: &[u8]) -> Vec<u8> {
        let block = [
            &[0, 0, 0xa1, 0x0b][..],
            &(name.len() as u32).to_le_bytes(),
            name.as_bytes(),
            value,
        ]
        .concat();
        let len = (block.len() as u32).to_le_bytes();
        let directory = [
            b"SEFH",
            &107_u32.to_le_bytes()[..],
            &1_u32.to_le_bytes(),
            &[0, 0, 0xa1, 0x0b],
            &len,
            &len,
        ]
        .concat();
        let size = (directory.len() as u32).to_le_bytes();
        [&block[..], &directory, &size, b"SEFT"].concat()
    }

    #[test]
    fn each_part_behind_a_picture_is_told() {
        let main = jpeg_with(b"Exif\0\0");
        let gain =
            jpeg_with(b"http://ns.adobe.com/xap/1.0/\0 http://ns.adobe.com/hdr-gain-map/1.0/");
        let video = b"\0\0\0\x10ftypmp42\0\0\0\0\0\0\0\x0cmdat1234".to_vec();
        let zip = b"PK\x03\x04 and so on".to_vec();
        let other = jpeg_with(b"nothing");
        let trailer = samsung_trailer("Image_UTC_Data", b"1700000000000");
        let file = [
            &main[..],
            &gain,
            b"\x01\x02\x03unknown",
            &other,
            &video,
            &zip,
            &trailer,
        ]
        .concat();
        let found = kinds(&file, Format::Jpeg);
        assert_eq!(
            found,
            [
                ("gain_map", gain.len()),
                ("unknown", 10),
                ("picture", other.len()),
                ("video", video.len()),
                ("archive", zip.len()),
                ("samsung", trailer.len()),
            ]
            .map(|(kind, len)| (kind.to_owned(), len as u64))
        );
        for end in 0..file.len() {
            let _ = parts(&file[..end], Format::Jpeg);
        }
        assert!(kinds(&main, Format::Jpeg).is_empty());
        let padded = [&main[..], &[0; 40]].concat();
        assert_eq!(kinds(&padded, Format::Jpeg), [("padding".to_owned(), 40)]);
        let texts = &parts(&file, Format::Jpeg)[5].texts;
        assert_eq!(texts[0], ("Image_UTC_Data".into(), "1700000000000".into()));
    }

    #[test]
    fn pictures_that_may_show_something_else_are_named() {
        let grey = b"\xff\xd8\xff\xc0\0\x0b\x08\0\x08\0\x08\x01\x01\x11\0\xff\xd9".to_vec();
        let other = jpeg_with(b"nothing");
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\0IEND\xaeB`\x82".to_vec();
        // The index lies 2 + 4 bytes into the file; it tells the preview by its length.
        let main = [
            b"\xff\xd8",
            &mpf::tests::segment(1, other.len() as u32)[..],
            b"\xff\xd9",
        ]
        .concat();
        let file = [&main[..], &other, &grey, &png].concat();
        let found = parts(&file, Format::Jpeg);
        let found: Vec<_> = found
            .iter()
            .map(|p| (p.kind.as_str(), p.item.as_deref()))
            .collect();
        assert_eq!(
            found,
            [
                ("preview", Some("trailer=1")),
                ("picture", None),
                ("picture", Some("trailer=3"))
            ]
        );
        assert_eq!(item(&file, Format::Jpeg, "trailer=3"), Some(&png[..]));
        assert_eq!(item(&file, Format::Jpeg, "trailer=2"), None);
    }

    #[test]
    fn the_rest_of_an_earlier_png_is_told() {
        let iend = b"\0\0\0\0IEND\xaeB`\x82";
        let png = [
            b"\x89PNG\r\n\x1a\n",
            &iend[..],
            b"\x07rest of the old one",
            iend,
        ]
        .concat();
        assert_eq!(kinds(&png, Format::Png), [("earlier_png".to_owned(), 32)]);
        let gif = b"GIF89a\x01\0\x01\0\0\0\0\x3bhidden text".to_vec();
        assert_eq!(kinds(&gif, Format::Gif), [("text".to_owned(), 11)]);
        let webp = b"RIFF\x04\0\0\0WEBPPK\x03\x04".to_vec();
        assert_eq!(kinds(&webp, Format::Webp), [("archive".to_owned(), 4)]);
    }
}
