//! JPEG by a strict decoder.

use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use super::raw::{Colour, Raw, Samples};
use crate::container::jpeg::{structure, without_stray};
use crate::error::MediaError;
use crate::jpeg;
use crate::limits::Limits;
use crate::metadata::exif;
use crate::note::Note;
use crate::picture::Options;

/// The kind of a frame that is not decoded here, by its marker and its sample precision (T.81, table B.1; T.87).
fn refused(bytes: &[u8]) -> Option<&'static str> {
    let segments = structure(bytes).segments;
    let frame = segments.iter().find(
        |s| matches!(s.marker, 0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf | 0xf7),
    )?;
    match (frame.marker, frame.data.first()) {
        (0xc3, _) => Some("lossless JPEG"),
        (0xc5..=0xc7, _) => Some("hierarchical JPEG"),
        (0xcb, _) => Some("lossless JPEG with arithmetic coding"),
        (0xcd..=0xcf, _) => Some("hierarchical JPEG with arithmetic coding"),
        (0xc9 | 0xca, _) => Some("JPEG with arithmetic coding"),
        (0xf7, _) => Some("JPEG-LS"),
        (_, Some(12)) => Some("JPEG with 12-bit samples"),
        _ => None,
    }
}

pub(crate) fn decode(bytes: &[u8], limits: &Limits, options: &Options) -> Result<Raw, MediaError> {
    if let Some(kind) = refused(bytes) {
        return Err(MediaError::Unsupported {
            format: kind.into(),
        });
    }
    let whole = bytes;
    let cleaned = without_stray(bytes);
    let bytes = cleaned.as_deref().unwrap_or(bytes);
    let mut facts = jpeg::facts(bytes);
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
    let block = header.exif().cloned();
    drop(header);
    let mut notes = Vec::new();
    if cleaned.is_some() {
        notes.push(Note::new(
            "stray_bytes",
            format!(
                "{} bytes between the segments of the JPEG belong to none.",
                whole.len() - bytes.len()
            ),
        ));
    }
    if !facts.end_marker {
        notes.push(Note::new("no_end_marker", "The JPEG has no end marker."));
    }
    if facts.components == 4 && icc.is_none() {
        notes.push(Note::new(
            "cmyk",
            "The CMYK colours were converted without a profile.",
        ));
    }
    // A profile for inks needs the inks.
    let inks = facts.components == 4 && icc.is_some();
    // Version, two words of flags, then the transform (Adobe Technical Note 5116).
    let adobe = structure(bytes)
        .segments
        .iter()
        .find_map(|s| (s.marker == 0xee).then(|| s.data.strip_prefix(b"Adobe"))?)
        .map(|rest| rest.get(6).copied().unwrap_or(0));
    let (out, channels) = match (inks, adobe) {
        (false, _) => (ColorSpace::RGB, 3),
        (true, Some(2)) => (ColorSpace::YCCK, 4),
        (true, _) => (ColorSpace::CMYK, 4),
    };
    let pixels = if facts.end_marker {
        run(bytes, settings(true, out))?
    } else {
        // Without an end marker the picture is whole only if what follows does not matter: two
        // different tails give the same pixels. Where data are missing, the tail is read as such.
        let ended = [bytes, &[0xff, 0xd9]].concat();
        let filled = [bytes, &[0xa5; 4096], &[0xff, 0xd9]].concat();
        let first = run(&ended, settings(false, out));
        let second = run(&filled, settings(false, out));
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
    if pixels.len() as u64 != u64::from(width) * u64::from(height) * channels {
        return Err(MediaError::Corrupt {
            format: "JPEG".into(),
            reason: "the decoder returned another size".into(),
        });
    }
    facts.thumbnail_bytes = block.as_deref().and_then(exif::thumbnail_len);
    facts.double_compression_hints = jpeg::double_compression(&facts);
    Ok(Raw {
        samples: if inks {
            Samples::Cmyk8(cmyk(pixels, adobe))
        } else {
            Samples::Rgb8(pixels)
        },
        width,
        height,
        bit_depth: 8,
        animated: false,
        colour: icc.map_or(Colour::Srgb, Colour::Icc),
        exif: block,
        orientation: None,
        jpeg: Some(facts),
        notes,
    })
}

/// Inks from what is stored. Adobe's programs store them upside down, and as luma and chroma where the transform is 2.
fn cmyk(mut stored: Vec<u8>, adobe: Option<u8>) -> Vec<u8> {
    for p in stored.chunks_exact_mut(4) {
        if adobe == Some(2) {
            let (y, cb, cr) = (
                f32::from(p[0]),
                f32::from(p[1]) - 128.0,
                f32::from(p[2]) - 128.0,
            );
            let colours = [
                y + 1.402 * cr,
                y - 0.344_136 * cb - 0.714_136 * cr,
                y + 1.772 * cb,
            ];
            for (to, v) in p.iter_mut().zip(colours) {
                *to = v.round().clamp(0.0, 255.0) as u8;
            }
        }
        if adobe.is_some() {
            for ink in p {
                *ink = 255 - *ink;
            }
        }
    }
    stored
}

fn run(bytes: &[u8], options: DecoderOptions) -> Result<Vec<u8>, MediaError> {
    JpegDecoder::new_with_options(ZCursor::new(bytes), options)
        .decode()
        .map_err(|e| error(&e))
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
