//! To 8-bit sRGB: profiles and code points at the depth of the samples, then transparency, then 8 bits.

mod hdr;
mod light;

use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};

use crate::codec::raw::{Colour, Samples};
use light::Converter;

pub(crate) struct Converted {
    pub rgb: Vec<u8>,
    pub alpha_composited: bool,
    /// Name of the profile or colour space that was converted.
    pub profile: Option<String>,
    pub profile_problem: Option<String>,
    /// How a picture of high dynamic range was brought down.
    pub tone_mapped: Option<String>,
}

/// Pixels that a profile converts at once, so that no second whole copy is needed.
const CHUNK: usize = 1 << 16;

/// Converts to sRGB, composites on white, rounds to 8 bits.
pub(crate) fn to_srgb(samples: Samples, colour: &Colour) -> Converted {
    let mut profile = None;
    let mut problem = None;
    let mut tone_mapped = None;
    let mut samples = samples;
    match colour {
        Colour::Srgb => {}
        Colour::Icc(icc) => match by_profile(&samples, icc) {
            Ok(Some((converted, name))) => {
                samples = converted;
                profile = Some(name);
            }
            Ok(None) => {}
            Err(reason) => problem = Some(reason),
        },
        other => {
            let converter = Converter::of(other);
            match converter {
                Ok(None) => {}
                Ok(Some(converter)) => {
                    (samples, tone_mapped) = converter.convert(samples);
                    profile = Some(converter.name);
                }
                Err(reason) => problem = Some(reason),
            }
        }
    }
    let (rgb, alpha_composited) = flat(samples);
    Converted {
        rgb,
        alpha_composited,
        profile,
        profile_problem: problem,
        tone_mapped,
    }
}

/// Whether EXIF says Adobe RGB (1998), as cameras do without a profile: "uncalibrated" with the interoperability index
/// `R03` (DCF 2.0).
pub(crate) fn is_adobe_rgb(exif: &[u8]) -> bool {
    use exif::{In, Tag, Value};
    let mut reader = exif::Reader::new();
    reader.continue_on_error(true);
    let read = reader.read_raw(exif.to_vec());
    let Ok(exif) = read.or_else(|e| e.distill_partial_result(|_| {})) else {
        return false;
    };
    let field = |tag| exif.get_field(tag, In::PRIMARY).map(|f| &f.value);
    let index = field(Tag::InteroperabilityIndex);
    field(Tag::ColorSpace).and_then(|v| v.get_uint(0)) == Some(0xffff)
        && matches!(index, Some(Value::Ascii(parts)) if parts.first().is_some_and(|p| p.starts_with(b"R03")))
}

/// 8-bit RGB without transparency; CMYK without a profile by its complement, as viewers do.
fn flat(samples: Samples) -> (Vec<u8>, bool) {
    match samples {
        Samples::Rgb8(v) => (v, false),
        Samples::Rgb16(v) => (v.into_iter().map(narrow).collect(), false),
        Samples::Rgba8(v) => composite(
            v.chunks_exact(4)
                .map(|p| ([p[0], p[1], p[2]].map(u32::from), u32::from(p[3]))),
            255,
        ),
        Samples::Rgba16(v) => composite(
            v.chunks_exact(4)
                .map(|p| ([p[0], p[1], p[2]].map(u32::from), u32::from(p[3]))),
            65535,
        ),
        Samples::Cmyk8(v) => {
            let rest = |ink: u8| u32::from(255 - ink);
            let light = |p: &[u8]| [0, 1, 2].map(|i| ((rest(p[i]) * rest(p[3]) + 127) / 255) as u8);
            (v.chunks_exact(4).flat_map(light).collect(), false)
        }
        Samples::Lab16(v) => (
            v.chunks_exact(3).flat_map(light::srgb_of_lab).collect(),
            false,
        ),
    }
}

fn narrow(s: u16) -> u8 {
    ((u32::from(s) + 128) / 257) as u8
}

fn composite(pixels: impl Iterator<Item = ([u32; 3], u32)>, max: u32) -> (Vec<u8>, bool) {
    let mut rgb = Vec::with_capacity(pixels.size_hint().0 * 3);
    let mut transparent = false;
    for (colour, alpha) in pixels {
        transparent |= alpha != max;
        for c in colour {
            let c = u64::from(c) * u64::from(alpha) + u64::from(max) * u64::from(max - alpha);
            let max = u64::from(max);
            let scaled = (c * 255 + max * max / 2) / (max * max);
            rgb.push(u8::try_from(scaled).unwrap_or(u8::MAX));
        }
    }
    (rgb, transparent)
}

/// The converted samples and the profile's name; `None` when the profile says what sRGB says, whatever its name.
fn by_profile(samples: &Samples, icc: &[u8]) -> Result<Option<(Samples, String)>, String> {
    let profile = ColorProfile::new_from_slice(icc).map_err(|e| format!("{e:?}"))?;
    let name = description(icc).unwrap_or_else(|| "unnamed".into());
    let convert = match (profile.color_space, samples) {
        (
            DataColorSpace::Rgb,
            Samples::Rgb8(_) | Samples::Rgba8(_) | Samples::Rgb16(_) | Samples::Rgba16(_),
        ) => rgb,
        (
            DataColorSpace::Gray,
            Samples::Rgb8(_) | Samples::Rgba8(_) | Samples::Rgb16(_) | Samples::Rgba16(_),
        ) => gray,
        (DataColorSpace::Cmyk, Samples::Cmyk8(_)) => cmyk,
        // The samples are already what the profile would lead to.
        (DataColorSpace::Lab, Samples::Lab16(_)) => return Ok(None),
        (of, samples) => {
            return Err(format!(
                "it is for {of:?}, the pixels are {}",
                kind(samples)
            ));
        }
    };
    Ok(convert(samples, &profile)?.map(|samples| (samples, name)))
}

fn kind(samples: &Samples) -> &'static str {
    match samples {
        Samples::Cmyk8(_) => "CMYK",
        Samples::Lab16(_) => "Lab",
        _ => "RGB",
    }
}

/// Runs a transform over `from` in parts.
fn chunks<T: Copy + Default>(
    from: &[T],
    channels: (usize, usize),
    transform: &(dyn moxcms::TransformExecutor<T> + Send + Sync),
) -> Result<Vec<T>, String> {
    let mut out = vec![T::default(); from.len() / channels.0 * channels.1];
    for (from, to) in from
        .chunks(CHUNK * channels.0)
        .zip(out.chunks_mut(CHUNK * channels.1))
    {
        transform
            .transform(from, to)
            .map_err(|e| format!("{e:?}"))?;
    }
    Ok(out)
}

fn rgb(samples: &Samples, profile: &ColorProfile) -> Result<Option<Samples>, String> {
    let srgb = ColorProfile::new_srgb();
    let options = TransformOptions::default();
    let eight = |layout| {
        profile
            .create_transform_8bit(layout, &srgb, layout, options)
            .map_err(|e| format!("{e:?}"))
    };
    let sixteen = |layout| {
        profile
            .create_transform_16bit(layout, &srgb, layout, options)
            .map_err(|e| format!("{e:?}"))
    };
    let probe: Vec<u8> = (0..9 * 9 * 9)
        .flat_map(|i: u32| [i / 81, i / 9 % 9, i % 9].map(|v| (v * 255 / 8) as u8))
        .collect();
    let shown = chunks(&probe, (3, 3), &*eight(Layout::Rgb)?)?;
    // Versions of sRGB differ by as much.
    if probe.iter().zip(&shown).all(|(a, b)| a.abs_diff(*b) <= 2) {
        return Ok(None);
    }
    Ok(Some(match samples {
        Samples::Rgb8(v) => Samples::Rgb8(chunks(v, (3, 3), &*eight(Layout::Rgb)?)?),
        Samples::Rgba8(v) => Samples::Rgba8(chunks(v, (4, 4), &*eight(Layout::Rgba)?)?),
        Samples::Rgb16(v) => Samples::Rgb16(chunks(v, (3, 3), &*sixteen(Layout::Rgb)?)?),
        Samples::Rgba16(v) => Samples::Rgba16(chunks(v, (4, 4), &*sixteen(Layout::Rgba)?)?),
        _ => return Ok(None),
    }))
}

/// A gray profile: its curve, on samples whose channels are equal.
fn gray(samples: &Samples, profile: &ColorProfile) -> Result<Option<Samples>, String> {
    let srgb = ColorProfile::new_srgb();
    let ramp: Vec<u16> = (0..=u16::MAX).collect();
    let transform = profile
        .create_transform_16bit(
            Layout::Gray,
            &srgb,
            Layout::Rgb,
            TransformOptions::default(),
        )
        .map_err(|e| format!("{e:?}"))?;
    let curve = chunks(&ramp, (1, 3), &*transform)?;
    let curve: Vec<u16> = curve.chunks_exact(3).map(|p| p[1]).collect();
    let step = |v: u8| curve[usize::from(v) * 257];
    if (0..=u8::MAX).all(|v| narrow(step(v)).abs_diff(v) <= 2) {
        return Ok(None);
    }
    let eight = |v: &u8| narrow(step(*v));
    let sixteen = |v: &u16| curve[usize::from(*v)];
    Ok(Some(match samples {
        Samples::Rgb8(v) => Samples::Rgb8(v.iter().map(eight).collect()),
        Samples::Rgb16(v) => Samples::Rgb16(v.iter().map(sixteen).collect()),
        Samples::Rgba8(v) => Samples::Rgba8(
            v.chunks_exact(4)
                .flat_map(|p| [eight(&p[0]), eight(&p[1]), eight(&p[2]), p[3]])
                .collect(),
        ),
        Samples::Rgba16(v) => Samples::Rgba16(
            v.chunks_exact(4)
                .flat_map(|p| [sixteen(&p[0]), sixteen(&p[1]), sixteen(&p[2]), p[3]])
                .collect(),
        ),
        _ => return Ok(None),
    }))
}

fn cmyk(samples: &Samples, profile: &ColorProfile) -> Result<Option<Samples>, String> {
    let Samples::Cmyk8(v) = samples else {
        return Ok(None);
    };
    let transform = profile
        .create_transform_8bit(
            Layout::Rgba,
            &ColorProfile::new_srgb(),
            Layout::Rgb,
            TransformOptions::default(),
        )
        .map_err(|e| format!("{e:?}"))?;
    chunks(v, (4, 3), &*transform).map(|rgb| Some(Samples::Rgb8(rgb)))
}

/// Text of the `desc` tag, in its version 2 (ASCII) or version 4 (UTF-16) form.
fn description(icc: &[u8]) -> Option<String> {
    let word = |at: usize| {
        icc.get(at..at + 4)
            .map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]) as usize)
    };
    let count = word(128)?.min(100);
    let offset = (0..count)
        .map(|i| 132 + 12 * i)
        .find(|at| icc.get(*at..at + 4) == Some(b"desc"))
        .and_then(|at| word(at + 4))?;
    match icc.get(offset..offset + 4)? {
        b"desc" => {
            let len = word(offset + 8)?.min(200);
            let text = icc.get(offset + 12..offset.checked_add(12 + len)?)?;
            Some(
                String::from_utf8_lossy(text)
                    .trim_end_matches('\0')
                    .to_owned(),
            )
        }
        b"mluc" => {
            let len = word(offset + 20)?.min(400);
            let start = offset.checked_add(word(offset + 24)?)?;
            let text = icc.get(start..start.checked_add(len)?)?;
            let units: Vec<u16> = text
                .chunks_exact(2)
                .map(|b| u16::from_be_bytes([b[0], b[1]]))
                .collect();
            Some(
                String::from_utf16_lossy(&units)
                    .trim_end_matches('\0')
                    .to_owned(),
            )
        }
        _ => None,
    }
}
