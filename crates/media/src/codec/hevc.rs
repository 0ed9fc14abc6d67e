//! HEVC pictures through `heifer-hevc-dec`.

use heifer_hevc_dec::Error;
use heifer_hevc_dec::decoder::{DecodeOptions, decode_picture};
use heifer_hevc_dec::nal::{NalUnit, split_annex_b};
use heifer_hevc_dec::params::ParameterSets;

use super::yuv::Planes;
use crate::container::heif::Numbers;
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
    let (primaries, transfer) = colours(&stream).unwrap_or((2, 2));
    Ok(Planes {
        width,
        height,
        depth,
        chroma,
        planes,
        full_range: frame.full_range,
        matrix: u16::from(frame.matrix_coeffs),
        primaries,
        transfer,
    })
}

/// Primaries and transfer characteristics as the parameter sets of the stream say them.
fn colours(stream: &[u8]) -> Option<(u16, u16)> {
    let mut sets = ParameterSets::default();
    for unit in split_annex_b(stream).filter_map(|u| NalUnit::parse(u).ok()) {
        if unit.header.unit_type.is_slice() {
            break;
        }
        // What cannot be read has been an error of the decoder, or does not matter to it.
        let _ = sets.add(&unit);
    }
    let vui = sets.sps.iter().flatten().find_map(|s| s.vui.as_ref())?;
    Some((
        u16::from(vui.colour_primaries),
        u16::from(vui.transfer_characteristics),
    ))
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
