//! Finds the blocks of metadata in their containers, by structure.

use crate::container::{jpeg, png};
use crate::format::Format;

/// Largest block of metadata that is parsed, in bytes.
pub(super) const MAX_BLOCK: usize = 4 << 20;

/// Blocks of metadata as a container carries them.
#[derive(Default)]
pub(super) struct Blocks {
    pub exif: Option<Vec<u8>>,
    pub xmp: Option<Vec<u8>>,
    pub iptc: Option<Vec<u8>>,
    pub comments: Vec<String>,
    pub text: Vec<(String, String)>,
}

/// The blocks of a file in `format`.
pub(super) fn find(bytes: &[u8], format: Format) -> Blocks {
    match format {
        Format::Jpeg => jpeg_blocks(bytes),
        Format::Png => png_blocks(bytes),
        Format::Webp => webp_blocks(bytes),
        Format::Jxl => box_blocks(bytes),
        Format::Tiff => Blocks {
            exif: (bytes.len() <= MAX_BLOCK).then(|| bytes.to_vec()),
            ..Blocks::default()
        },
        _ => Blocks::default(),
    }
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
    for (kind, data) in png::chunks(bytes) {
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
