//! HEVC pictures through `heifer-hevc-dec`.

use heifer_hevc_dec::Error;
use heifer_hevc_dec::decoder::{DecodeOptions, decode_picture};

use super::yuv::Planes;
use crate::container::heif::{Numbers, boxes};
use crate::error::MediaError;
use crate::limits::Limits;

const START: [u8; 4] = [0, 0, 0, 1];

fn corrupt(reason: impl Into<String>) -> MediaError {
    MediaError::Corrupt {
        format: "HEIC".into(),
        reason: reason.into(),
    }
}

/// Decodes the first picture of an item, `config` being its `hvcC` property.
pub(crate) fn picture(config: &[u8], data: &[u8], limits: &Limits) -> Result<Planes, MediaError> {
    let stream = stream(config, data).ok_or_else(|| corrupt("the units do not fit their item"))?;
    let options = DecodeOptions {
        max_pixels: limits.max_pixels,
        ..DecodeOptions::default()
    };
    let frame = decode_picture(&stream, options).map_err(|e| match e {
        Error::UnexpectedEof => MediaError::Truncated {
            format: "HEIC".into(),
            reason: e.to_string(),
        },
        Error::Unimplemented(what) => MediaError::Unsupported {
            format: format!("HEIC variant ({what})"),
        },
        other => corrupt(other.to_string()),
    })?;
    let (width, height) = (frame.widths[0] as usize, frame.heights[0] as usize);
    limits.check(width as u64, height as u64, 6)?;
    let chroma = match frame.chroma_format {
        1 => Some((1, 1)),
        2 => Some((1, 0)),
        3 => Some((0, 0)),
        _ => None,
    };
    let [depth, chroma_depth] = frame.bit_depth;
    let mut planes = frame.planes;
    if chroma.is_some() && chroma_depth != depth {
        for plane in &mut planes[1..] {
            for v in plane {
                *v = if depth > chroma_depth {
                    *v << (depth - chroma_depth)
                } else {
                    *v >> (chroma_depth - depth)
                };
            }
        }
    }
    Ok(Planes {
        width,
        height,
        depth,
        chroma,
        planes,
        full_range: frame.full_range,
        matrix: u16::from(frame.matrix_coeffs),
        primaries: 2,
        transfer: 2,
    })
}

/// The parameter sets of the configuration and the units of the item, each behind a start code (H.265, annex B).
fn stream(config: &[u8], data: &[u8]) -> Option<Vec<u8>> {
    let mut n = Numbers(config);
    n.take(21)?;
    let size = (n.number(1)? & 3) as usize + 1;
    let mut out = Vec::with_capacity(config.len() + data.len() + 64);
    let mut push = |unit: &[u8]| {
        out.extend_from_slice(&START);
        out.extend_from_slice(unit);
    };
    for _ in 0..n.number(1)? {
        n.number(1)?;
        for _ in 0..n.number(2)? {
            let len = n.number(2)? as usize;
            push(n.take(len)?);
        }
    }
    let mut units = Numbers(data);
    while !units.0.is_empty() {
        let len = usize::try_from(units.number(size)?).ok()?;
        push(units.take(len)?);
    }
    Some(out)
}

/// The configuration of a sequence's sample entry.
pub(crate) fn config(description: &[u8]) -> Option<&[u8]> {
    boxes(description)
        .find(|b| b.kind == *b"hvcC")
        .map(|b| b.data)
}
