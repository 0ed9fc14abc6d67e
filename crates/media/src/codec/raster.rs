//! PNG, WebP, GIF, BMP and ICO through the `image` crate, within limits.

use std::io::Cursor;

use image::{ColorType, DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader};

use super::raw::{Colour, Raw, Samples};
use crate::container::{gif, png};
use crate::error::MediaError;
use crate::format::Format;
use crate::limits::Limits;
use crate::note::Note;

fn error(format: Format, e: &ImageError) -> MediaError {
    let format = format.name().to_owned();
    let reason = e.to_string();
    match e {
        ImageError::Limits(_) => MediaError::Limit {
            what: "memory of the decoder".into(),
            value: 0,
            limit: 0,
        },
        ImageError::IoError(io) if io.kind() == std::io::ErrorKind::UnexpectedEof => {
            MediaError::Truncated { format, reason }
        }
        ImageError::Unsupported(_) => MediaError::Unsupported {
            format: format!("{format} variant ({reason})"),
        },
        _ if reason.to_ascii_lowercase().contains("unexpected end")
            || reason.to_ascii_lowercase().contains("eof") =>
        {
            MediaError::Truncated { format, reason }
        }
        _ => MediaError::Corrupt { format, reason },
    }
}

/// The largest picture of an icon: as it is if it is a PNG, else as an icon of its own.
fn largest_of_icon(bytes: &[u8]) -> Option<(Format, Vec<u8>)> {
    const ENTRY: usize = 16;
    let entries = bytes.get(6..)?.chunks_exact(ENTRY);
    let side = |v: u8| if v == 0 { 256 } else { u32::from(v) };
    let word = |entry: &[u8], at: usize| {
        let digits = entry[at..at + 4].try_into().unwrap_or_default();
        u32::from_le_bytes(digits) as usize
    };
    let entry = entries
        .take(usize::from(*bytes.get(4)?))
        .max_by_key(|e| (side(e[0]) * side(e[1]), e[6]))?;
    let start = word(entry, 12);
    let data = bytes.get(start..start.checked_add(word(entry, 8))?)?;
    if data.starts_with(b"\x89PNG") {
        return Some((Format::Png, data.to_vec()));
    }
    let mut icon = vec![0, 0, 1, 0, 1, 0];
    icon.extend_from_slice(&entry[..12]);
    icon.extend((6 + ENTRY as u32).to_le_bytes());
    icon.extend_from_slice(data);
    Some((Format::Ico, icon))
}

pub(crate) fn decode(bytes: &[u8], format: Format, limits: &Limits) -> Result<Raw, MediaError> {
    if format != Format::Ico {
        return one(bytes, format, limits);
    }
    let (kind, picture) = largest_of_icon(bytes).ok_or_else(|| MediaError::Truncated {
        format: "ICO".into(),
        reason: "its largest picture is incomplete".into(),
    })?;
    let mut raw = one(&picture, kind, limits)?;
    if bytes[4] > 1 {
        raw.notes.push(Note::new(
            "largest_picture",
            format!("The icon has {} pictures; its largest was read.", bytes[4]),
        ));
    }
    Ok(raw)
}

fn one(bytes: &[u8], format: Format, limits: &Limits) -> Result<Raw, MediaError> {
    let kind = match format {
        Format::Png => ImageFormat::Png,
        Format::Webp => ImageFormat::WebP,
        Format::Gif => ImageFormat::Gif,
        Format::Bmp => ImageFormat::Bmp,
        _ => ImageFormat::Ico,
    };
    let failed = |e: ImageError| error(format, &e);
    if format == Format::Png
        && let Some(head) = bytes.get(16..24)
    {
        let word = |at: usize| {
            u64::from(u32::from_be_bytes([
                head[at],
                head[at + 1],
                head[at + 2],
                head[at + 3],
            ]))
        };
        limits.check(word(0), word(4), 3)?;
    }
    // The decoder calls a size that it does not like a fault of the file. Heights below zero count from the top.
    if format == Format::Bmp
        && let Some([w0, w1, w2, w3, h0, h1, h2, h3]) = bytes.get(18..26)
        && bytes.get(14..18).is_some_and(|len| len != [12, 0, 0, 0])
    {
        let width = i32::from_le_bytes([*w0, *w1, *w2, *w3]).unsigned_abs();
        let height = i32::from_le_bytes([*h0, *h1, *h2, *h3]).unsigned_abs();
        limits.check(width.into(), height.into(), 3)?;
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), kind);
    let mut bounds = image::Limits::no_limits();
    bounds.max_alloc = Some(limits.max_alloc);
    reader.limits(bounds.clone());
    let mut decoder = reader.into_decoder().map_err(failed)?;
    let (width, height) = decoder.dimensions();
    // The decoded samples, the RGB copy and an 8-bit upright copy exist at the same time.
    let sample = u64::from(decoder.color_type().bytes_per_pixel());
    limits.check(u64::from(width), u64::from(height), sample + 6)?;
    decoder.set_limits(bounds).map_err(failed)?;
    let icc = decoder.icc_profile().map_err(failed)?;
    let exif = decoder.exif_metadata().ok().flatten();
    let bit_depth = bit_depth(bytes, format, decoder.color_type());
    let picture = DynamicImage::from_decoder(decoder).map_err(failed)?;
    let alpha = picture.color().has_alpha();
    let deep = matches!(
        picture.color(),
        ColorType::L16
            | ColorType::La16
            | ColorType::Rgb16
            | ColorType::Rgba16
            | ColorType::Rgb32F
            | ColorType::Rgba32F
    );
    let samples = match (deep, alpha) {
        (false, false) => Samples::Rgb8(picture.into_rgb8().into_raw()),
        (false, true) => Samples::Rgba8(picture.into_rgba8().into_raw()),
        (true, false) => Samples::Rgb16(picture.into_rgb16().into_raw()),
        (true, true) => Samples::Rgba16(picture.into_rgba16().into_raw()),
    };
    Ok(Raw {
        samples,
        width,
        height,
        bit_depth,
        animated: animated(bytes, format),
        colour: png_colour(bytes, format)
            .or(icc.map(Colour::Icc))
            .unwrap_or_default(),
        exif,
        orientation: None,
        jpeg: None,
        notes: Vec::new(),
    })
}

/// The colours of a PNG in their order of precedence (third edition, section 4.3): `cICP`, `iCCP`, `sRGB`, then `gAMA`
/// and `cHRM`. `None` leaves them to the profile, if there is one.
fn png_colour(bytes: &[u8], format: Format) -> Option<Colour> {
    if format != Format::Png {
        return None;
    }
    let ahead = || png::chunks(bytes).take_while(|(kind, _)| kind != b"IDAT");
    let chunk = |wanted: &[u8; 4]| {
        ahead()
            .find(|(kind, _)| kind == wanted)
            .map(|(_, data)| data)
    };
    // The matrix of RGB is 0, and samples of narrow range are not read.
    if let Some([primaries, transfer, 0, 1]) = chunk(b"cICP") {
        return Some(Colour::cicp(Some((
            u16::from(*primaries),
            u16::from(*transfer),
        ))));
    }
    if chunk(b"iCCP").is_some() {
        return None;
    }
    if chunk(b"sRGB").is_some() {
        return Some(Colour::Srgb);
    }
    let number = |data: &[u8], i: usize| {
        let word = data.get(4 * i..4 * i + 4)?.try_into().ok()?;
        Some(f64::from(u32::from_be_bytes(word)) / 100_000.0)
    };
    let gamma = chunk(b"gAMA")
        .and_then(|data| number(data, 0))
        .filter(|g| (0.1..=10.0).contains(g))
        .map(|g| 1.0 / g);
    let chromaticities = chunk(b"cHRM").and_then(|data| {
        let mut all = [0.0; 8];
        for (i, to) in all.iter_mut().enumerate() {
            *to = number(data, i).filter(|v| *v < 1.0)?;
        }
        Some(all)
    });
    (gamma.is_some() || chromaticities.is_some()).then_some(Colour::Measured {
        gamma,
        chromaticities,
    })
}

fn bit_depth(bytes: &[u8], format: Format, colour: ColorType) -> u8 {
    match format {
        // IHDR stands first, its depth at byte 24.
        Format::Png => bytes.get(24).copied().unwrap_or(8),
        _ => (colour.bits_per_pixel() / u16::from(colour.channel_count().max(1))) as u8,
    }
}

fn animated(bytes: &[u8], format: Format) -> bool {
    match format {
        Format::Png => png::chunks(bytes).any(|(kind, _)| kind == *b"acTL"),
        Format::Webp => {
            bytes.get(12..16) == Some(b"VP8X") && bytes.get(20).is_some_and(|flags| flags & 2 != 0)
        }
        Format::Gif => gif::frames(bytes) > 1,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_a_gif_are_counted_without_decoding_them() {
        let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/gif");
        let read = |name: &str| std::fs::read(corpus.join(name)).expect("seed");
        let moving = read("animated.gif");
        assert_eq!(gif::frames(&moving), 2);
        assert_eq!(gif::frames(&read("still.gif")), 1);
        for end in 0..moving.len() {
            assert!(gif::frames(&moving[..end]) <= 2);
        }
        // A second frame that claims 65,535 x 65,535 pixels costs nothing.
        // A graphic control block stands ahead of each frame.
        let second = moving
            .windows(9)
            .rposition(|w| w[..3] == [0x21, 0xf9, 4] && w[7..] == [0, 0x2c])
            .expect("frame")
            + 8;
        let mut huge = moving.clone();
        huge[second + 5..second + 9].fill(0xff);
        let decoded = decode(&huge, Format::Gif, &Limits::default()).expect("first frame");
        assert!(decoded.animated);
    }
}
