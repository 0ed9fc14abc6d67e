//! Facts that the tables and markers of a JPEG hold (ITU-T T.81).

use serde::{Deserialize, Serialize};

use crate::container::jpeg::structure;

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

/// Hints from the tables: a resaved picture often carries tables whose chroma and luma qualities
/// disagree, or a thumbnail of other quality. These are hints, never proof.
pub(crate) fn double_compression(facts: &JpegFacts) -> Vec<String> {
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
