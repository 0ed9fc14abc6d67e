//! What a file declares about its origin, read by structure and never by searching raw bytes.
//!
//! Declarations are evidence beside the pixels. Nothing here decides a verdict.

pub mod c2pa;
pub mod exif;
pub mod generators;
pub mod iptc;
pub mod xmp;

use serde::{Deserialize, Serialize};

use crate::{Format, jpeg, raster};

pub use c2pa::C2pa;
pub use exif::ExifFacts;
pub use generators::GeneratorMark;
pub use iptc::IptcFacts;
pub use xmp::XmpFacts;

/// Longest text that is kept of any field, in characters.
pub(crate) const MAX_TEXT: usize = 2_000;
/// Largest block of metadata that is parsed, in bytes.
const MAX_BLOCK: usize = 4 << 20;

/// Everything that a file declares.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Metadata {
    /// EXIF fields.
    pub exif: Option<ExifFacts>,
    /// XMP properties.
    pub xmp: Option<XmpFacts>,
    /// IPTC-IIM datasets.
    pub iptc: Option<IptcFacts>,
    /// PNG text chunks as (keyword, text), long texts cut.
    pub png_text: Vec<(String, String)>,
    /// Traces that generators leave.
    pub generators: Vec<GeneratorMark>,
    /// Content credentials.
    pub c2pa: Option<C2pa>,
}

pub(crate) fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_TEXT) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// Blocks of metadata as a container carries them.
#[derive(Default)]
struct Blocks {
    exif: Option<Vec<u8>>,
    xmp: Option<Vec<u8>>,
    iptc: Option<Vec<u8>>,
    comments: Vec<String>,
    text: Vec<(String, String)>,
}

/// Reads all declarations. `exif` is a block that the decoder already found.
pub(crate) fn read(bytes: &[u8], format: Format, exif: Option<&[u8]>) -> Metadata {
    let mut blocks = match format {
        Format::Jpeg => jpeg_blocks(bytes),
        Format::Png => png_blocks(bytes),
        Format::Webp => webp_blocks(bytes),
        Format::Jxl => box_blocks(bytes),
        Format::Tiff => Blocks {
            exif: (bytes.len() <= MAX_BLOCK).then(|| bytes.to_vec()),
            ..Blocks::default()
        },
        _ => Blocks::default(),
    };
    if blocks.exif.is_none() {
        blocks.exif = exif.map(<[u8]>::to_vec);
    }
    let mut metadata = Metadata {
        exif: blocks
            .exif
            .filter(|b| b.len() <= MAX_BLOCK)
            .and_then(exif::parse),
        xmp: blocks
            .xmp
            .filter(|b| b.len() <= MAX_BLOCK)
            .and_then(|b| xmp::parse(&b)),
        iptc: blocks.iptc.and_then(|b| iptc::parse(&b)),
        c2pa: c2pa::read(bytes, format),
        ..Metadata::default()
    };
    metadata.generators = generators::find(&blocks.text, &blocks.comments, &metadata);
    metadata.png_text = blocks
        .text
        .into_iter()
        .take(32)
        .map(|(k, v)| (cut(&k), cut(&v)))
        .collect();
    metadata
}

fn jpeg_blocks(bytes: &[u8]) -> Blocks {
    const EXIF: &[u8] = b"Exif\0\0";
    const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
    const PHOTOSHOP: &[u8] = b"Photoshop 3.0\0";
    let mut blocks = Blocks::default();
    for segment in jpeg::structure(bytes).segments {
        match segment.marker {
            0xe1 => {
                if let Some(rest) = segment.data.strip_prefix(EXIF) {
                    blocks.exif.get_or_insert_with(|| rest.to_vec());
                } else if let Some(rest) = segment.data.strip_prefix(XMP) {
                    blocks.xmp.get_or_insert_with(|| rest.to_vec());
                }
            }
            0xed => {
                if let Some(rest) = segment.data.strip_prefix(PHOTOSHOP) {
                    blocks
                        .iptc
                        .get_or_insert_with(Vec::new)
                        .extend_from_slice(rest);
                }
            }
            0xfe => blocks
                .comments
                .push(String::from_utf8_lossy(segment.data).into_owned()),
            _ => {}
        }
    }
    blocks
}

fn png_blocks(bytes: &[u8]) -> Blocks {
    let mut blocks = Blocks::default();
    for (kind, data) in raster::png_chunks(bytes) {
        match &kind {
            b"eXIf" => blocks.exif = Some(data.to_vec()),
            b"tEXt" | b"zTXt" | b"iTXt" => {
                if let Some((key, value)) = png_text(&kind, data) {
                    if key == "XML:com.adobe.xmp" {
                        blocks.xmp = Some(value.into_bytes());
                    } else if blocks.text.len() < 256 {
                        blocks.text.push((key, value));
                    }
                }
            }
            _ => {}
        }
    }
    blocks
}

/// A text chunk (PNG, third edition, section 11.3.3).
fn png_text(kind: &[u8; 4], data: &[u8]) -> Option<(String, String)> {
    let zero = data.iter().position(|b| *b == 0)?;
    let latin = |b: &[u8]| b.iter().map(|c| char::from(*c)).collect::<String>();
    let key = latin(&data[..zero]);
    let rest = &data[zero + 1..];
    let value = match kind {
        // Generators write UTF-8 here although the standard says Latin-1.
        b"tEXt" => String::from_utf8(rest.to_vec()).unwrap_or_else(|_| latin(rest)),
        b"zTXt" => {
            let text = inflate(rest.get(1..)?)?;
            String::from_utf8(text.clone()).unwrap_or_else(|_| latin(&text))
        }
        _ => {
            let compressed = *rest.first()? == 1;
            let mut parts = rest.get(2..)?.splitn(3, |b| *b == 0);
            let (_, _, text) = (parts.next()?, parts.next()?, parts.next()?);
            let text = if compressed {
                inflate(text)?
            } else {
                text.to_vec()
            };
            String::from_utf8_lossy(&text).into_owned()
        }
    };
    (value.len() <= MAX_BLOCK).then_some((key, value))
}

fn inflate(data: &[u8]) -> Option<Vec<u8>> {
    use std::io::Read;
    let mut out = Vec::new();
    flate2::read::ZlibDecoder::new(data)
        .take(MAX_BLOCK as u64 + 1)
        .read_to_end(&mut out)
        .ok()?;
    (out.len() <= MAX_BLOCK).then_some(out)
}

fn webp_blocks(bytes: &[u8]) -> Blocks {
    let mut blocks = Blocks::default();
    let mut at = 12;
    while let Some(head) = bytes.get(at..at + 8) {
        let len = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let Some(data) = (at + 8)
            .checked_add(len)
            .and_then(|end| bytes.get(at + 8..end))
        else {
            break;
        };
        match &head[..4] {
            b"EXIF" => {
                let tiff = data.strip_prefix(b"Exif\0\0").unwrap_or(data);
                blocks.exif = Some(tiff.to_vec());
            }
            b"XMP " => blocks.xmp = Some(data.to_vec()),
            _ => {}
        }
        at += 8 + len + len % 2;
    }
    blocks
}

/// `Exif` and `xml ` boxes of a JPEG XL container.
fn box_blocks(bytes: &[u8]) -> Blocks {
    let mut blocks = Blocks::default();
    let mut at = 0;
    while let Some(head) = bytes.get(at..at + 8) {
        let declared = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let end = match declared {
            0 => bytes.len(),
            n if n >= 8 => at.saturating_add(n),
            _ => break,
        };
        let Some(data) = bytes.get(at + 8..end) else {
            break;
        };
        match &head[4..8] {
            b"Exif" => blocks.exif = data.get(4..).map(<[u8]>::to_vec),
            b"xml " => blocks.xmp = Some(data.to_vec()),
            _ => {}
        }
        at = end;
    }
    blocks
}
