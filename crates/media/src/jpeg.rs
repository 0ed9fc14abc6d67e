//! JPEG: strict decoding, and the facts that its tables and markers hold (ITU-T T.81).

use serde::{Deserialize, Serialize};
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use crate::decode::{Note, Options, Raw, Samples};
use crate::{Limits, MediaError};

/// What the markers of a JPEG tell of its making.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JpegFacts {
    /// Quality (1 to 100) whose standard tables (T.81, annex K, scaled as the IJG library does)
    /// come nearest to the luma table.
    pub quality: u8,
    /// Whether the tables are exactly those of `quality`; if not, the encoder has its own.
    pub standard_tables: bool,
    /// Chroma subsampling in the usual notation, `gray` or `other`.
    pub subsampling: String,
    /// Progressive instead of baseline.
    pub progressive: bool,
    /// Colour components.
    pub components: u8,
    /// Interval of restart markers in MCUs; 0 for none.
    pub restart_interval: u16,
    /// Bytes of an embedded thumbnail, where there is one.
    pub thumbnail_bytes: Option<u64>,
    /// Quantization tables in natural order, by their index.
    pub quantization_tables: Vec<Vec<u16>>,
    /// Hints that the picture was JPEG-compressed more than once.
    pub double_compression_hints: Vec<String>,
    /// Bytes after the end marker.
    pub trailing_bytes: u64,
    /// Whether an end marker closes the picture.
    pub end_marker: bool,
}

/// Natural-order position of the `i`-th coefficient in zigzag order (T.81, figure A.6).
pub const ZIGZAG: [usize; 64] = [
    0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5, 12, 19, 26, 33, 40, 48, 41, 34, 27, 20,
    13, 6, 7, 14, 21, 28, 35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51, 58, 59,
    52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
];

/// Luma quantization table for quality 50 (T.81, table K.1), natural order.
pub const STANDARD_LUMA: [u16; 64] = [
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56,
    14, 17, 22, 29, 51, 87, 80, 62, 18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113,
    92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
];

/// The standard luma table at `quality` (1 to 100).
#[must_use]
pub fn standard_luma(quality: u8) -> [u16; 64] {
    let q = u32::from(quality.clamp(1, 100));
    let scale = if q < 50 { 5000 / q } else { 200 - 2 * q };
    STANDARD_LUMA.map(|v| ((u32::from(v) * scale + 50) / 100).clamp(1, 255) as u16)
}

fn nearest_quality(table: &[u16]) -> (u8, bool) {
    let distance = |q: u8| -> u32 {
        standard_luma(q)
            .iter()
            .zip(table)
            .map(|(a, b)| u32::from(a.abs_diff(*b)))
            .sum()
    };
    let best = (1..=100).min_by_key(|q| distance(*q)).unwrap_or(50);
    (best, distance(best) == 0)
}

/// A marker segment of a JPEG.
pub(crate) struct Segment<'a> {
    pub marker: u8,
    pub data: &'a [u8],
}

/// What walking the markers found.
pub(crate) struct Structure<'a> {
    /// Segments before and between the scans, without entropy-coded data.
    pub segments: Vec<Segment<'a>>,
    /// Whether the end marker was found.
    pub end_marker: bool,
    /// Offset just after the end marker, or the length of the file.
    pub end: usize,
}

/// Walks the markers of the first picture of a file; stops at its end marker or where the
/// structure breaks. Entropy-coded data is skipped, never searched for text.
pub(crate) fn structure(bytes: &[u8]) -> Structure<'_> {
    let mut segments = Vec::new();
    let mut at = 2;
    while at + 1 < bytes.len() {
        if bytes[at] != 0xff {
            break;
        }
        let marker = bytes[at + 1];
        match marker {
            0xff => at += 1,
            0xd9 => {
                return Structure {
                    segments,
                    end_marker: true,
                    end: at + 2,
                };
            }
            0x01 | 0xd0..=0xd8 => at += 2,
            _ => {
                let Some(len) = bytes
                    .get(at + 2..at + 4)
                    .map(|b| usize::from(u16::from_be_bytes([b[0], b[1]])))
                else {
                    break;
                };
                let Some(data) = bytes.get(at + 4..at + 2 + len.max(2)) else {
                    break;
                };
                segments.push(Segment { marker, data });
                at += 2 + len.max(2);
                if marker == 0xda {
                    at = skip_entropy(bytes, at);
                }
            }
        }
    }
    Structure {
        segments,
        end_marker: false,
        end: bytes.len(),
    }
}

/// Offset of the next marker that is neither a stuffed byte nor a restart marker.
fn skip_entropy(bytes: &[u8], mut at: usize) -> usize {
    while at + 1 < bytes.len() {
        if bytes[at] == 0xff && !matches!(bytes[at + 1], 0x00 | 0xd0..=0xd7 | 0xff) {
            return at;
        }
        at += 1;
    }
    bytes.len()
}

/// Facts from the markers.
pub(crate) fn facts(bytes: &[u8]) -> JpegFacts {
    let structure = structure(bytes);
    let mut facts = JpegFacts {
        end_marker: structure.end_marker,
        trailing_bytes: (bytes.len() - structure.end) as u64,
        subsampling: "other".into(),
        ..JpegFacts::default()
    };
    let mut tables: [Option<Vec<u16>>; 4] = Default::default();
    for segment in &structure.segments {
        match segment.marker {
            0xdb => read_tables(segment.data, &mut tables),
            0xdd if segment.data.len() >= 2 => {
                facts.restart_interval = u16::from_be_bytes([segment.data[0], segment.data[1]]);
            }
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                facts.progressive = matches!(segment.marker, 0xc2 | 0xc6 | 0xca | 0xce);
                facts.components = segment.data.get(5).copied().unwrap_or(0);
                facts.subsampling = subsampling(segment.data);
            }
            _ => {}
        }
    }
    facts.quantization_tables = tables.into_iter().flatten().collect();
    if let Some(luma) = facts.quantization_tables.first() {
        (facts.quality, facts.standard_tables) = nearest_quality(luma);
    }
    facts
}

fn read_tables(mut data: &[u8], tables: &mut [Option<Vec<u16>>; 4]) {
    while let [head, rest @ ..] = data {
        let wide = head >> 4 != 0;
        let size = if wide { 128 } else { 64 };
        let Some(raw) = rest.get(..size) else { return };
        let mut table = vec![0; 64];
        for (i, natural) in ZIGZAG.iter().enumerate() {
            table[*natural] = if wide {
                u16::from_be_bytes([raw[2 * i], raw[2 * i + 1]])
            } else {
                u16::from(raw[i])
            };
        }
        if let Some(slot) = tables.get_mut(usize::from(head & 15)) {
            *slot = Some(table);
        }
        data = &rest[size..];
    }
}

fn subsampling(frame: &[u8]) -> String {
    let count = usize::from(frame.get(5).copied().unwrap_or(0));
    let factors: Vec<u8> = (0..count)
        .filter_map(|i| frame.get(6 + 3 * i + 1).copied())
        .collect();
    match factors.as_slice() {
        [_] => "gray",
        [0x11, 0x11, 0x11] => "4:4:4",
        [0x21, 0x11, 0x11] => "4:2:2",
        [0x22, 0x11, 0x11] => "4:2:0",
        [0x12, 0x11, 0x11] => "4:4:0",
        [0x41, 0x11, 0x11] => "4:1:1",
        _ => "other",
    }
    .into()
}

fn error(e: &zune_jpeg::errors::DecodeErrors) -> MediaError {
    let reason = format!("{e:?}");
    let lower = reason.to_ascii_lowercase();
    let format = "JPEG".to_owned();
    if lower.contains("exhausted")
        || lower.contains("no more bytes")
        || lower.contains("not enough")
        || lower.contains("premature")
        || lower.contains("eof")
    {
        MediaError::Truncated { format, reason }
    } else if lower.contains("unsupported") {
        MediaError::Unsupported {
            format: format!("JPEG variant ({reason})"),
        }
    } else {
        MediaError::Corrupt { format, reason }
    }
}

pub(crate) fn decode(bytes: &[u8], limits: &Limits, options: &Options) -> Result<Raw, MediaError> {
    let mut facts = facts(bytes);
    let settings = |strict: bool, out: ColorSpace| {
        DecoderOptions::default()
            .set_strict_mode(strict)
            .set_max_width(65_535)
            .set_max_height(65_535)
            .jpeg_set_max_scans(200)
            .jpeg_set_out_colorspace(out)
    };
    let mut header =
        JpegDecoder::new_with_options(ZCursor::new(bytes), settings(true, ColorSpace::RGB));
    header.decode_headers().map_err(|e| error(&e))?;
    let info = header.info().ok_or_else(|| MediaError::Corrupt {
        format: "JPEG".into(),
        reason: "no frame header".into(),
    })?;
    let (width, height) = (u32::from(info.width), u32::from(info.height));
    // A progressive picture keeps every coefficient (two bytes) of every component while decoding.
    let cost = if facts.progressive {
        6 + 2 * u64::from(facts.components.max(1))
    } else {
        6
    };
    limits.check(u64::from(width), u64::from(height), cost)?;
    let icc = header.icc_profile();
    let exif = header.exif().cloned();
    drop(header);
    let mut notes = Vec::new();
    if !facts.end_marker {
        notes.push(Note::new("no_end_marker", "The JPEG has no end marker."));
    }
    if facts.trailing_bytes > 0 {
        notes.push(Note::new(
            "trailing_bytes",
            format!("{} bytes follow the end of the JPEG.", facts.trailing_bytes),
        ));
    }
    if facts.components == 4 {
        notes.push(Note::new(
            "cmyk",
            "The CMYK colours were converted without a profile.",
        ));
    }
    let pixels = if facts.end_marker {
        run(bytes, settings(true, ColorSpace::RGB))?
    } else {
        // Without an end marker the picture is whole only if what follows does not matter: two
        // different tails give the same pixels. Where data are missing, the tail is read as such.
        let ended = [bytes, &[0xff, 0xd9]].concat();
        let filled = [bytes, &[0xa5; 4096], &[0xff, 0xd9]].concat();
        let first = run(&ended, settings(false, ColorSpace::RGB));
        let second = run(&filled, settings(false, ColorSpace::RGB));
        match (first, second) {
            (Ok(first), Ok(second)) if first == second => first,
            (Ok(first), _) if options.allow_truncated => {
                notes.push(Note::new(
                    "truncated",
                    "Scanned what there is of a truncated picture.",
                ));
                first
            }
            _ => {
                return Err(MediaError::Truncated {
                    format: "JPEG".into(),
                    reason: "entropy-coded data are missing".into(),
                });
            }
        }
    };
    if pixels.len() as u64 != u64::from(width) * u64::from(height) * 3 {
        return Err(MediaError::Corrupt {
            format: "JPEG".into(),
            reason: "the decoder returned another size".into(),
        });
    }
    facts.thumbnail_bytes = exif
        .as_deref()
        .and_then(crate::metadata::exif::thumbnail_len);
    facts.double_compression_hints = double_compression(&facts);
    Ok(Raw {
        samples: Samples::Rgb8(pixels),
        width,
        height,
        bit_depth: 8,
        animated: false,
        icc: icc.filter(|_| facts.components == 3),
        exif,
        orientation: None,
        jpeg: Some(facts),
        notes,
    })
}

fn run(bytes: &[u8], options: DecoderOptions) -> Result<Vec<u8>, MediaError> {
    JpegDecoder::new_with_options(ZCursor::new(bytes), options)
        .decode()
        .map_err(|e| error(&e))
}

/// Hints from the tables: a resaved picture often carries tables whose chroma and luma qualities
/// disagree, or a thumbnail of other quality. These are hints, never proof.
fn double_compression(facts: &JpegFacts) -> Vec<String> {
    let mut hints = Vec::new();
    if !facts.standard_tables
        && facts.quality >= 1
        && facts.quantization_tables.len() == 1
        && facts.components == 3
    {
        hints.push("one quantization table serves luma and chroma".into());
    }
    hints
}
