//! JPEG by a strict decoder.

use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use super::raw::{Raw, Samples};
use crate::error::MediaError;
use crate::jpeg;
use crate::limits::Limits;
use crate::metadata::exif;
use crate::note::Note;
use crate::picture::Options;

pub(crate) fn decode(bytes: &[u8], limits: &Limits, options: &Options) -> Result<Raw, MediaError> {
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
    if !facts.end_marker {
        notes.push(Note::new("no_end_marker", "The JPEG has no end marker."));
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
    facts.thumbnail_bytes = block.as_deref().and_then(exif::thumbnail_len);
    facts.double_compression_hints = jpeg::double_compression(&facts);
    Ok(Raw {
        samples: Samples::Rgb8(pixels),
        width,
        height,
        bit_depth: 8,
        animated: false,
        icc: icc.filter(|_| facts.components == 3),
        exif: block,
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
