//! To 8-bit sRGB: depth, transparency, embedded profile.

use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};

use crate::codec::raw::Samples;

pub(crate) struct Converted {
    pub rgb: Vec<u8>,
    pub alpha_composited: bool,
    pub profile: Option<String>,
    pub profile_problem: Option<String>,
}

/// Composites on white, converts by the profile, rounds to 8 bits.
pub(crate) fn to_srgb(samples: Samples, icc: Option<&[u8]>) -> Converted {
    let (rgb, alpha_composited) = match samples {
        Samples::Rgb8(v) => (v, false),
        Samples::Rgb16(v) => (
            v.into_iter()
                .map(|s| ((u32::from(s) + 128) / 257) as u8)
                .collect(),
            false,
        ),
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
    };
    let mut out = Converted {
        rgb,
        alpha_composited,
        profile: None,
        profile_problem: None,
    };
    let Some(icc) = icc else { return out };
    match apply_profile(&out.rgb, icc) {
        Ok(Some((rgb, name))) => {
            out.rgb = rgb;
            out.profile = Some(name);
        }
        Ok(None) => {}
        Err(problem) => out.profile_problem = Some(problem),
    }
    out
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

/// The converted pixels and the profile's name; `None` when the profile is sRGB itself.
fn apply_profile(rgb: &[u8], icc: &[u8]) -> Result<Option<(Vec<u8>, String)>, String> {
    let profile = ColorProfile::new_from_slice(icc).map_err(|e| format!("{e:?}"))?;
    let name = description(icc).unwrap_or_else(|| "unnamed".into());
    match profile.color_space {
        DataColorSpace::Rgb => {}
        // A grey profile has no matrix for RGB samples; its curve is close to sRGB's in practice.
        DataColorSpace::Gray => return Err("it is a grey profile".into()),
        other => return Err(format!("it is for {other:?}, the pixels are RGB")),
    }
    if name.to_ascii_lowercase().contains("srgb") {
        return Ok(None);
    }
    let transform = profile
        .create_transform_8bit(
            Layout::Rgb,
            &ColorProfile::new_srgb(),
            Layout::Rgb,
            TransformOptions::default(),
        )
        .map_err(|e| format!("{e:?}"))?;
    let mut converted = vec![0; rgb.len()];
    transform
        .transform(rgb, &mut converted)
        .map_err(|e| format!("{e:?}"))?;
    Ok(Some((converted, name)))
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
