//! Marker segments of a JPEG (ITU-T T.81, annex B).

use std::ops::Range;

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
    /// Bytes between segments that belong to none.
    pub stray: Vec<Range<usize>>,
}

/// Most bytes between two segments that are passed over.
const MOST_STRAY: usize = 4096;

/// Walks the markers of the first picture of a file; stops at its end marker or where the
/// structure breaks. Bytes between segments are passed over, as decoders do. Entropy-coded data is skipped, never
/// searched for text.
pub(crate) fn structure(bytes: &[u8]) -> Structure<'_> {
    let mut segments = Vec::new();
    let mut stray = Vec::new();
    let mut at = 2;
    while at + 1 < bytes.len() {
        if bytes[at] != 0xff {
            let is_marker = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0 | 0xff);
            let near = &bytes[at..bytes.len().min(at + MOST_STRAY)];
            let Some(skip) = near.windows(2).position(is_marker) else {
                break;
            };
            stray.push(at..at + skip);
            at += skip;
        }
        let marker = bytes[at + 1];
        match marker {
            0xff => at += 1,
            0xd9 => {
                return Structure {
                    segments,
                    end_marker: true,
                    end: at + 2,
                    stray,
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
        stray,
    }
}

/// The file without the bytes that belong to no segment; `None` where there are none.
pub(crate) fn without_stray(bytes: &[u8]) -> Option<Vec<u8>> {
    let stray = structure(bytes).stray;
    let last = stray.last()?.end;
    let mut from = 0;
    let mut out = Vec::with_capacity(bytes.len());
    for range in stray {
        out.extend_from_slice(&bytes[from..range.start]);
        from = range.end;
    }
    out.extend_from_slice(&bytes[last..]);
    Some(out)
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
