//! TIFF and BigTIFF through the `tiff` crate: strips and tiles, all depths, gray, palettes, RGB, CMYK, Lab, floats.

use std::io::Cursor;

use tiff::decoder::{Decoder, DecodingResult};
use tiff::tags::Tag;
use tiff::{ColorType, TiffError};

use super::canvas::unmultiplied;
use super::raw::{Colour, Raw, Samples};
use crate::container::tiff::{Directory, PHOTOMETRIC};
use crate::error::MediaError;
use crate::limits::Limits;
use crate::note::Note;

/// Tags without a name in the crate.
const ICC_PROFILE: Tag = Tag::Unknown(0x8773);
/// Values of PhotometricInterpretation.
const PALETTE: u32 = 3;
const CIELAB: u32 = 8;
const ICC_LAB: u32 = 9;

fn error(e: TiffError) -> MediaError {
    let format = "TIFF".to_owned();
    let reason = e.to_string();
    match e {
        TiffError::LimitsExceeded => MediaError::Limit {
            what: "memory of the decoder".into(),
            value: 0,
            limit: 0,
        },
        TiffError::IoError(io) if io.kind() == std::io::ErrorKind::UnexpectedEof => {
            MediaError::Truncated { format, reason }
        }
        TiffError::UnsupportedError(_) => MediaError::Unsupported {
            format: format!("TIFF variant ({reason})"),
        },
        _ if reason.to_ascii_lowercase().contains("unexpected end")
            || reason.to_ascii_lowercase().contains("eof") =>
        {
            MediaError::Truncated { format, reason }
        }
        _ => MediaError::Corrupt { format, reason },
    }
}

fn unsupported(what: impl std::fmt::Display) -> MediaError {
    MediaError::Unsupported {
        format: format!("TIFF with {what}"),
    }
}

fn corrupt(reason: &str) -> MediaError {
    MediaError::Corrupt {
        format: "TIFF".into(),
        reason: reason.into(),
    }
}

pub(crate) fn decode(bytes: &[u8], limits: &Limits) -> Result<Raw, MediaError> {
    let directory = Directory::first(bytes);
    if directory.as_ref().is_some_and(Directory::is_preview) {
        return Err(MediaError::Unsupported {
            format: "TIFF that begins with a preview".into(),
        });
    }
    // The crate reads neither palettes nor Lab: their samples are read as gray and as RGB.
    let photometric = directory.as_ref().and_then(|d| d.value(PHOTOMETRIC));
    let read_as = match photometric {
        Some(PALETTE) => Some(1),
        Some(CIELAB | ICC_LAB) => Some(2),
        _ => None,
    };
    let patched = read_as.and_then(|v| directory.as_ref()?.with(bytes, PHOTOMETRIC, v));
    let bytes = patched.as_deref().unwrap_or(bytes);
    let most = usize::try_from(limits.max_alloc).unwrap_or(usize::MAX);
    let mut bounds = tiff::decoder::Limits::default();
    bounds.decoding_buffer_size = most;
    bounds.intermediate_buffer_size = most;
    bounds.ifd_value_size = bytes.len().min(most);
    let mut decoder = Decoder::new(Cursor::new(bytes))
        .map_err(error)?
        .with_limits(bounds);
    let mut number = |tag| decoder.find_tag_unsigned::<u32>(tag).ok().flatten();
    let orientation = number(Tag::Orientation).and_then(|o| u8::try_from(o).ok());
    let subsampled = decoder
        .find_tag_unsigned_vec::<u16>(Tag::ExtraSamples)
        .ok()
        .flatten();
    let associated = subsampled.is_some_and(|kinds| kinds.first() == Some(&1));
    let icc = decoder.get_tag_u8_vec(ICC_PROFILE).ok();
    let palette = decoder.get_tag_u16_vec(Tag::ColorMap).ok();
    let more = decoder.more_images();
    let (width, height) = decoder.dimensions().map_err(error)?;
    let kind = decoder.colortype().map_err(error)?;
    let depth = kind.bit_depth();
    // The decoded samples, the copy that is handed over and an 8-bit upright copy exist at the same time.
    let stored = u64::from(kind.num_samples()) * u64::from(depth).div_ceil(8);
    limits.check(u64::from(width), u64::from(height), stored + 6)?;
    let mut read = DecodingResult::U8(Vec::new());
    let layout = decoder.read_image_to_buffer(&mut read).map_err(error)?;
    let pixels = width as usize * height as usize;
    let channels = usize::from(kind.num_samples());
    let planes = layout.planes.max(1);
    let stride = layout.row_stride.map_or(0, |n| n.get());
    let mut cut = false;
    let values = match read {
        DecodingResult::U8(v) if depth < 8 => {
            if planes > 1 {
                return Err(unsupported("planes of less than 8 bits"));
            }
            let spread = photometric != Some(PALETTE);
            Values::Eight(unpacked(
                &v,
                width as usize * channels,
                stride,
                depth,
                spread,
            ))
        }
        DecodingResult::U8(v) => Values::Eight(v),
        DecodingResult::U16(v) => Values::Sixteen(v),
        DecodingResult::U32(v) => {
            Values::Sixteen(v.into_iter().map(|s| (s >> 16) as u16).collect())
        }
        DecodingResult::F16(v) => floats(v.into_iter().map(f32::from), &mut cut),
        DecodingResult::F32(v) => floats(v.into_iter(), &mut cut),
        DecodingResult::F64(v) => floats(v.into_iter().map(|s| s as f32), &mut cut),
        _ => return Err(unsupported("samples of this kind")),
    };
    let values = values.interleaved(planes, pixels)?;
    let mut samples = match kind {
        ColorType::Gray(_) if photometric == Some(PALETTE) => {
            values.look_up(palette.as_deref(), depth)?
        }
        ColorType::Gray(_) => values.pick(1, [0, 0, 0]),
        ColorType::GrayA(_) => values.pick_alpha(2, [0, 0, 0, 1]),
        ColorType::RGB(_) if matches!(photometric, Some(CIELAB | ICC_LAB)) => {
            values.lab(photometric == Some(CIELAB))
        }
        ColorType::RGB(_) => values.pick(3, [0, 1, 2]),
        ColorType::RGBA(_) => values.pick_alpha(4, [0, 1, 2, 3]),
        ColorType::CMYK(_) => Samples::Cmyk8(values.eight(4, 4)),
        ColorType::CMYKA(_) => Samples::Cmyk8(values.eight(5, 4)),
        ColorType::YCbCr(8) => Samples::Rgb8(rgb_of_ycbcr(&values.eight(3, 3))),
        other => return Err(unsupported(format_args!("{other:?} samples"))),
    };
    if associated {
        samples = unmultiplied(samples);
    }
    let mut notes = Vec::new();
    if more {
        notes.push(Note::new(
            "first_page",
            "The file has several pages; only its first was read.",
        ));
    }
    if matches!(kind, ColorType::CMYK(_) | ColorType::CMYKA(_)) && icc.is_none() {
        notes.push(Note::new(
            "cmyk",
            "The CMYK colours were converted without a profile.",
        ));
    }
    if cut {
        notes.push(Note::new(
            "samples_cut",
            "Samples outside 0 to 1 were taken as 0 or 1.",
        ));
    }
    Ok(Raw {
        samples,
        width,
        height,
        bit_depth: depth,
        animated: false,
        colour: icc.map_or(Colour::Srgb, Colour::Icc),
        exif: None,
        orientation,
        jpeg: None,
        notes,
    })
}

enum Values {
    Eight(Vec<u8>),
    Sixteen(Vec<u16>),
}

/// Samples of less than 8 bits, each in a byte of its own; `spread` over its whole range.
fn unpacked(packed: &[u8], row: usize, stride: usize, depth: u8, spread: bool) -> Vec<u8> {
    let max = (1_u16 << depth) - 1;
    let mut out = Vec::new();
    for bytes in packed.chunks(stride.max(1)) {
        out.extend((0..row).map(|i| {
            let bit = i * usize::from(depth);
            // A sample of 3, 5, 6 or 7 bits may lie in two bytes.
            let pair = [0, 1].map(|n| bytes.get(bit / 8 + n).copied().unwrap_or(0));
            let word = u16::from_be_bytes(pair);
            let value = (word >> (16 - usize::from(depth) - bit % 8)) & max;
            if spread {
                (value * 255 / max) as u8
            } else {
                value as u8
            }
        }));
    }
    out
}

fn floats(samples: impl Iterator<Item = f32>, cut: &mut bool) -> Values {
    Values::Sixteen(
        samples
            .map(|v| {
                // NaN is no value between 0 and 1 either.
                *cut |= !(-0.001..=1.001).contains(&v);
                (v.clamp(0.0, 1.0) * 65535.0).round() as u16
            })
            .collect(),
    )
}

fn picked<T: Copy, const N: usize>(v: &[T], channels: usize, order: [usize; N]) -> Vec<T> {
    v.chunks_exact(channels)
        .flat_map(|p| order.map(|i| p[i]))
        .collect()
}

impl Values {
    fn len(&self) -> usize {
        match self {
            Self::Eight(v) => v.len(),
            Self::Sixteen(v) => v.len(),
        }
    }

    /// Planes one after the other as samples side by side.
    fn interleaved(self, planes: usize, pixels: usize) -> Result<Self, MediaError> {
        if planes == 1 {
            return Ok(self);
        }
        if self.len() < planes * pixels {
            return Err(corrupt("a plane is incomplete"));
        }
        fn join<T: Copy>(v: &[T], planes: usize, pixels: usize) -> Vec<T> {
            (0..pixels)
                .flat_map(|i| (0..planes).map(move |p| v[p * pixels + i]))
                .collect()
        }
        Ok(match self {
            Self::Eight(v) => Self::Eight(join(&v, planes, pixels)),
            Self::Sixteen(v) => Self::Sixteen(join(&v, planes, pixels)),
        })
    }

    fn pick(self, channels: usize, order: [usize; 3]) -> Samples {
        match self {
            Self::Eight(v) if channels == 3 => Samples::Rgb8(v),
            Self::Sixteen(v) if channels == 3 => Samples::Rgb16(v),
            Self::Eight(v) => Samples::Rgb8(picked(&v, channels, order)),
            Self::Sixteen(v) => Samples::Rgb16(picked(&v, channels, order)),
        }
    }

    fn pick_alpha(self, channels: usize, order: [usize; 4]) -> Samples {
        match self {
            Self::Eight(v) => Samples::Rgba8(picked(&v, channels, order)),
            Self::Sixteen(v) => Samples::Rgba16(picked(&v, channels, order)),
        }
    }

    /// The first `kept` of `channels` at 8 bits.
    fn eight(self, channels: usize, kept: usize) -> Vec<u8> {
        match self {
            Self::Eight(v) if channels == kept => v,
            Self::Eight(v) => v
                .chunks_exact(channels)
                .flat_map(|p| p[..kept].iter().copied())
                .collect(),
            Self::Sixteen(v) => v
                .chunks_exact(channels)
                .flat_map(|p| &p[..kept])
                .map(|s| ((u32::from(*s) + 128) / 257) as u8)
                .collect(),
        }
    }

    /// L* over the whole range; a* and b* around 128 with 8 bits and around 32768 with 16, or else `signed`.
    fn lab(self, signed: bool) -> Samples {
        let unsigned = if signed { 0x8000 } else { 0 };
        let around = |v: u16| u16::try_from(u32::from(v) * 257 / 256).unwrap_or(u16::MAX);
        Samples::Lab16(match self {
            Self::Eight(v) => v
                .chunks_exact(3)
                .flat_map(|p| {
                    let flip = (unsigned >> 8) as u8;
                    [p[0], p[1] ^ flip, p[2] ^ flip].map(|s| u16::from(s) * 257)
                })
                .collect(),
            Self::Sixteen(v) => v
                .chunks_exact(3)
                .flat_map(|p| [p[0], around(p[1] ^ unsigned), around(p[2] ^ unsigned)])
                .collect(),
        })
    }

    fn look_up(self, palette: Option<&[u16]>, depth: u8) -> Result<Samples, MediaError> {
        let indices: Vec<usize> = match self {
            Self::Eight(v) => v.into_iter().map(usize::from).collect(),
            Self::Sixteen(v) => v.into_iter().map(usize::from).collect(),
        };
        let size = 1_usize << depth.min(16);
        let palette = palette
            .filter(|p| p.len() == 3 * size)
            .ok_or_else(|| corrupt("the palette has another size"))?;
        // Some writers fill only the lower bytes.
        let low = palette.iter().all(|v| *v < 256);
        // Others write 256 times a value of 8 bits, or 257 times.
        let colour = |v: u16| if low { v as u8 } else { (v >> 8) as u8 };
        let rgb = indices
            .into_iter()
            .flat_map(|i| [0, 1, 2].map(|c| colour(palette[c * size + i])));
        Ok(Samples::Rgb8(rgb.collect()))
    }
}

/// RGB of samples of full range by BT.601, as TIFF's usual coefficients say.
fn rgb_of_ycbcr(v: &[u8]) -> Vec<u8> {
    v.chunks_exact(3)
        .flat_map(|p| {
            let (y, cb, cr) = (
                f32::from(p[0]),
                f32::from(p[1]) - 128.0,
                f32::from(p[2]) - 128.0,
            );
            [
                y + 1.402 * cr,
                y - 0.344_136 * cb - 0.714_136 * cr,
                y + 1.772 * cb,
            ]
            .map(|c| c.round().clamp(0.0, 255.0) as u8)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use image::ImageFormat;

    use super::*;

    #[test]
    fn a_raw_photograph_is_not_judged_by_its_preview() {
        for tag in [0xfe_u16, 0xc612] {
            let mut file = b"II*\0\x08\0\0\0\x01\0".to_vec();
            file.extend(tag.to_le_bytes());
            file.extend(b"\x04\0\x01\0\0\0\x01\0\0\0\0\0\0\0");
            let found = crate::decode(&file, &Limits::default(), &crate::Options::default());
            let found = found.map(|_| ());
            assert_eq!(found.expect_err("refused").code(), "unsupported");
        }
    }

    #[test]
    fn further_pages_of_a_tiff_are_told() {
        let mut file = Cursor::new(Vec::new());
        image::RgbImage::new(9, 7)
            .write_to(&mut file, ImageFormat::Tiff)
            .expect("encodes");
        let mut file = file.into_inner();
        let notes = |file: &[u8]| {
            let decoded = decode(file, &Limits::default()).expect("decodes");
            decoded
                .notes
                .iter()
                .map(|n| n.code.clone())
                .collect::<Vec<_>>()
        };
        assert!(notes(&file).is_empty());
        // A copy of the directory behind the file is a second page.
        let start = u32::from_le_bytes(file[4..8].try_into().expect("four")) as usize;
        let count = usize::from(file[start]) + 256 * usize::from(file[start + 1]);
        let next = start + 2 + 12 * count;
        let directory = file[start..next + 4].to_vec();
        let end = u32::try_from(file.len()).expect("small").to_le_bytes();
        file[next..next + 4].copy_from_slice(&end);
        file.extend(directory);
        assert_eq!(notes(&file), ["first_page"]);
        for end in 0..file.len() {
            let _ = Directory::first(&file[..end]);
        }
    }
}
