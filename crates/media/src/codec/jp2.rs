//! JPEG 2000 through `hayro-jpeg2000`: bare codestreams and JP2 files.

use hayro_jpeg2000::{ColorSpace, DecodeError, DecodeSettings, DecoderContext, Image};

use super::raw::{Colour, Raw, Samples};
use crate::container::heif::child;
use crate::error::MediaError;
use crate::limits::Limits;
use crate::note::Note;

fn error(e: DecodeError) -> MediaError {
    use hayro_jpeg2000::{FormatError, MarkerError};
    let reason = format!("{e:?}");
    match e {
        DecodeError::Format(FormatError::Unsupported)
        | DecodeError::Marker(MarkerError::Unsupported) => MediaError::Unsupported {
            format: format!("JPEG 2000 variant ({reason})"),
        },
        _ => MediaError::Corrupt {
            format: "JPEG 2000".into(),
            reason,
        },
    }
}

/// Whether the codestream is closed by its end marker. The decoder takes what there is without a word.
fn is_whole(bytes: &[u8]) -> bool {
    const END: [u8; 2] = [0xff, 0xd9];
    let stream = if bytes.starts_with(&[0xff, 0x4f]) {
        bytes
    } else {
        child(bytes, b"jp2c").unwrap_or_default()
    };
    stream.windows(2).rev().take(64).any(|pair| pair == END)
}

pub(crate) fn decode(bytes: &[u8], limits: &Limits) -> Result<Raw, MediaError> {
    if !is_whole(bytes) {
        return Err(MediaError::Truncated {
            format: "JPEG 2000".into(),
            reason: "the codestream has no end marker".into(),
        });
    }
    let settings = DecodeSettings {
        strict: true,
        ..DecodeSettings::default()
    };
    let image = Image::new(bytes, &settings).map_err(error)?;
    let (width, height) = (image.width(), image.height());
    let colours = usize::from(image.color_space().num_channels());
    let channels = colours + usize::from(image.has_alpha());
    // The decoder works on 32-bit samples of every channel, and of one more while it undoes the wavelets.
    limits.check(
        u64::from(width),
        u64::from(height),
        4 * (channels as u64 + 2) + 6,
    )?;
    let bit_depth = image.original_bit_depth();
    let mut context = DecoderContext::default();
    let decoded = image.decode(&mut context).map_err(error)?;
    let components = decoded.components();
    let pixels = width as usize * height as usize;
    if components.len() < channels || components.iter().any(|c| c.samples().len() != pixels) {
        return Err(MediaError::Unsupported {
            format: "JPEG 2000 whose channels have different sizes".into(),
        });
    }
    let deep = components.iter().any(|c| c.bit_depth() > 8);
    let sample = |c: usize, i: usize, full: f32| {
        let component = &components[c];
        let max = ((1_u64 << component.bit_depth().min(32)) - 1) as f32;
        (component.samples()[i] / max * full)
            .round()
            .clamp(0.0, full)
    };
    let alpha = image.has_alpha();
    let order: &[usize] = match (colours, alpha) {
        (1, false) => &[0, 0, 0],
        (1, true) => &[0, 0, 0, 1],
        (3, false) => &[0, 1, 2],
        (3 | 4, _) => &[0, 1, 2, 3],
        _ => {
            return Err(MediaError::Unsupported {
                format: format!("JPEG 2000 of {channels} channels"),
            });
        }
    };
    let eight = || {
        let each = |i| order.iter().map(move |c| sample(*c, i, 255.0) as u8);
        (0..pixels).flat_map(each).collect()
    };
    let sixteen = || {
        let each = |i| order.iter().map(move |c| sample(*c, i, 65535.0) as u16);
        (0..pixels).flat_map(each).collect()
    };
    let samples = match (colours == 4, deep, order.len() == 4) {
        (true, ..) => Samples::Cmyk8(eight()),
        (_, false, false) => Samples::Rgb8(eight()),
        (_, false, true) => Samples::Rgba8(eight()),
        (_, true, false) => Samples::Rgb16(sixteen()),
        (_, true, true) => Samples::Rgba16(sixteen()),
    };
    let mut notes = Vec::new();
    let colour = match image.color_space() {
        ColorSpace::Icc { profile, .. } => Colour::Icc(profile.clone()),
        ColorSpace::CMYK => {
            notes.push(Note::new(
                "cmyk",
                "The CMYK colours were converted without a profile.",
            ));
            Colour::Srgb
        }
        _ => Colour::Srgb,
    };
    Ok(Raw {
        samples,
        width,
        height,
        bit_depth,
        animated: false,
        colour,
        exif: None,
        orientation: None,
        jpeg: None,
        notes,
    })
}
