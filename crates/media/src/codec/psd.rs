//! The merged picture of a Photoshop document (Adobe Photoshop File Formats Specification).

use super::raw::{Colour, Raw, Samples};
use crate::container::heif::Numbers;
use crate::container::psd;
use crate::error::MediaError;
use crate::limits::Limits;
use crate::note::Note;

fn unsupported(what: impl std::fmt::Display) -> MediaError {
    MediaError::Unsupported {
        format: format!("Photoshop document {what}"),
    }
}

fn truncated() -> MediaError {
    MediaError::Truncated {
        format: "Photoshop document".into(),
        reason: "it ends within a section".into(),
    }
}

/// What stands ahead of the merged picture.
struct Document<'a> {
    /// The format for pictures beyond 30,000 pixels.
    big: bool,
    channels: usize,
    width: usize,
    height: usize,
    depth: usize,
    mode: u64,
    palette: &'a [u8],
    icc: Option<&'a [u8]>,
    /// Whether the merged picture is one, not a white plane in its place.
    merged: bool,
    /// Whether the first channel behind the colours is the transparency.
    transparent: bool,
    /// The merged picture: its compression and its data.
    picture: &'a [u8],
}

fn document(bytes: &[u8]) -> Option<Document<'_>> {
    let mut n = Numbers(bytes);
    n.take(4)?;
    let big = n.number(2)? == 2;
    n.take(6)?;
    let channels = n.number(2)? as usize;
    let (height, width) = (n.number(4)? as usize, n.number(4)? as usize);
    let (depth, mode) = (n.number(2)? as usize, n.number(2)?);
    let mut section = |wide: bool| {
        let len = n.number(if wide { 8 } else { 4 })?;
        n.take(usize::try_from(len).ok()?)
    };
    let palette = section(false)?;
    let resources = section(false)?;
    let layers = section(big)?;
    let picture = n.0;
    let resource = |wanted: u64| {
        let mut each = psd::each(resources);
        each.find(|(id, _)| *id == wanted).map(|(_, data)| data)
    };
    const ICC: u64 = 1039;
    const VERSION: u64 = 1057;
    // Version, then whether there is a merged picture.
    let merged = resource(VERSION).is_none_or(|v| v.get(4) != Some(&0));
    let mut l = Numbers(layers);
    let count = l
        .number(if big { 8 } else { 4 })
        .filter(|len| *len > 0)
        .and_then(|_| l.number(2));
    Some(Document {
        big,
        channels,
        width,
        height,
        depth,
        mode,
        palette,
        icc: resource(ICC),
        merged,
        // A negative number of layers says so.
        transparent: count.is_some_and(|c| (c as u16 as i16) < 0),
        picture,
    })
}

/// The bytes of the first `wanted` channels, one after the other.
fn planes(d: &Document<'_>, wanted: usize) -> Result<Vec<u8>, MediaError> {
    let row = (d.width * d.depth).div_ceil(8);
    let size = row * d.height * wanted;
    let mut n = Numbers(d.picture);
    let compression = n.number(2).ok_or_else(truncated)?;
    match compression {
        0 => n.take(size).map(<[u8]>::to_vec).ok_or_else(truncated),
        1 => {
            let wide = if d.big { 4 } else { 2 };
            let table = n.take(d.channels * d.height * wide).ok_or_else(truncated)?;
            let mut lengths = Numbers(table);
            let mut out = Vec::with_capacity(size);
            for _ in 0..wanted * d.height {
                let len = lengths.number(wide).ok_or_else(truncated)? as usize;
                let end = out.len() + row;
                unpack(n.take(len).ok_or_else(truncated)?, end, &mut out);
                if out.len() != end {
                    return Err(MediaError::Corrupt {
                        format: "Photoshop document".into(),
                        reason: "a row has another length".into(),
                    });
                }
            }
            Ok(out)
        }
        other => Err(unsupported(format_args!(
            "whose merged picture has compression {other}"
        ))),
    }
}

/// Undoes PackBits, never beyond `end`.
fn unpack(mut packed: &[u8], end: usize, out: &mut Vec<u8>) {
    while let [head, rest @ ..] = packed {
        packed = match (*head as i8, rest) {
            (-128, _) => rest,
            (n @ 0.., _) => {
                let len = usize::from(n as u8) + 1;
                let Some((literal, rest)) = rest.split_at_checked(len) else {
                    return;
                };
                out.extend_from_slice(&literal[..len.min(end.saturating_sub(out.len()))]);
                rest
            }
            (n, [value, rest @ ..]) => {
                let len = usize::from(n.unsigned_abs()) + 1;
                out.resize(end.min(out.len() + len), *value);
                rest
            }
            (_, []) => return,
        };
    }
}

pub(crate) fn decode(bytes: &[u8], limits: &Limits) -> Result<Raw, MediaError> {
    let d = document(bytes).ok_or_else(truncated)?;
    if !d.merged {
        return Err(unsupported("without a merged picture"));
    }
    // Bitmap, gray and duotone, palette, RGB, CMYK, Lab.
    let colours = match d.mode {
        0 | 1 | 2 | 8 => 1,
        3 | 9 => 3,
        4 => 4,
        other => return Err(unsupported(format_args!("of colour mode {other}"))),
    };
    if !matches!(d.depth, 1 | 8 | 16) || (d.depth == 1) != (d.mode == 0) {
        return Err(unsupported(format_args!("with {}-bit samples", d.depth)));
    }
    let bytes_per_sample = d.depth.div_ceil(8);
    limits.check(
        d.width as u64,
        d.height as u64,
        2 * (d.channels.min(5) * bytes_per_sample) as u64 + 6,
    )?;
    if d.channels < colours {
        return Err(truncated());
    }
    let alpha = d.transparent && d.channels > colours && matches!(d.mode, 1 | 3);
    let channels = colours + usize::from(alpha);
    let planes = planes(&d, channels)?;
    let pixels = d.width * d.height;
    let at = |c: usize, i: usize| planes[c * pixels + i];
    let deep = |c: usize, i: usize| {
        let at = 2 * (c * pixels + i);
        u16::from_be_bytes([planes[at], planes[at + 1]])
    };
    let order: &[usize] = match (colours, alpha) {
        (1, false) => &[0, 0, 0],
        (1, true) => &[0, 0, 0, 1],
        (3, false) => &[0, 1, 2],
        _ => &[0, 1, 2, 3],
    };
    let eight = || -> Vec<u8> {
        (0..pixels)
            .flat_map(|i| order.iter().map(move |c| at(*c, i)))
            .collect()
    };
    let sixteen = || -> Vec<u16> {
        (0..pixels)
            .flat_map(|i| order.iter().map(move |c| deep(*c, i)))
            .collect()
    };
    let samples = match (d.mode, d.depth) {
        (0, _) => {
            let row = d.width.div_ceil(8);
            let bit = |i: usize| {
                let (x, y) = (i % d.width, i / d.width);
                let ink = planes[y * row + x / 8] >> (7 - x % 8) & 1;
                [255 * (1 - ink); 3]
            };
            Samples::Rgb8((0..pixels).flat_map(bit).collect())
        }
        (2, _) => {
            let colour = |i: usize| {
                let index = usize::from(at(0, i));
                [0, 256, 512].map(|c| d.palette.get(c + index).copied().unwrap_or(0))
            };
            Samples::Rgb8((0..pixels).flat_map(colour).collect())
        }
        // Inks are stored upside down.
        (4, 8) => Samples::Cmyk8(eight().into_iter().map(|v| 255 - v).collect()),
        (4, _) => Samples::Cmyk8(
            sixteen()
                .into_iter()
                .map(|v| 255 - ((u32::from(v) + 128) / 257) as u8)
                .collect(),
        ),
        (9, 8) => Samples::Lab16(eight().into_iter().map(|v| u16::from(v) * 257).collect()),
        (9, _) => Samples::Lab16(sixteen()),
        (_, 8) if alpha => Samples::Rgba8(eight()),
        (_, 8) => Samples::Rgb8(eight()),
        _ if alpha => Samples::Rgba16(sixteen()),
        _ => Samples::Rgb16(sixteen()),
    };
    let mut notes = vec![Note::new(
        "merged_picture",
        "The merged picture of the document was read; its layers were not.",
    )];
    if d.mode == 4 && d.icc.is_none() {
        notes.push(Note::new(
            "cmyk",
            "The CMYK colours were converted without a profile.",
        ));
    }
    Ok(Raw {
        samples,
        width: d.width as u32,
        height: d.height as u32,
        bit_depth: d.depth as u8,
        animated: false,
        colour: d.icc.map_or(Colour::Srgb, |icc| Colour::Icc(icc.to_vec())),
        exif: None,
        // Photoshop shows a document as it stands, whatever its EXIF says.
        orientation: Some(1),
        jpeg: None,
        notes,
    })
}
