//! Animated GIF, PNG and WebP, by the `image` crate.

use std::io::Cursor;

use image::codecs::gif::GifDecoder;
use image::codecs::png::PngDecoder;
use image::codecs::webp::WebPDecoder;
use image::{AnimationDecoder as _, Frames, ImageDecoder, ImageError, RgbImage, RgbaImage};

use super::error::{VideoError, corrupt, truncated};
use super::facts::Facts;
use super::limits::VideoLimits;
use super::yuv::Sketch;
use super::{Event, Frame, Plan, Reader, Wanted};
use crate::container::png;
use crate::error::MediaError;
use crate::format::Format;
use crate::{metadata, orientation};

/// Time on the screen of a frame that asks for less than 20 ms, as browsers have it, in seconds.
const SLOWEST_TICK: f64 = 0.1;

/// An animation whose bytes are in memory.
pub(super) struct Animation {
    bytes: Vec<u8>,
    format: Format,
    times: Vec<f64>,
    facts: Facts,
    /// Orientation that EXIF declares, 1 to 8.
    turned: u8,
}

fn refused(format: Format, e: &ImageError) -> MediaError {
    let reason = e.to_string();
    match e {
        ImageError::Limits(_) => MediaError::Limit {
            what: "memory of the decoder".into(),
            value: 0,
            limit: 0,
        },
        ImageError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            MediaError::Truncated {
                format: format.name().into(),
                reason,
            }
        }
        _ => MediaError::Corrupt {
            format: format.name().into(),
            reason,
        },
    }
}

impl Animation {
    pub(super) fn new(
        bytes: Vec<u8>,
        format: Format,
        limits: &VideoLimits,
    ) -> Result<Self, MediaError> {
        let delays = match format {
            Format::Gif => gif_delays(&bytes),
            Format::Png => png_delays(&bytes),
            _ => webp_delays(&bytes),
        };
        if delays.is_empty() {
            return Err(truncated("there are no frames"));
        }
        let mut end = 0.0;
        let times: Vec<f64> = delays
            .iter()
            .map(|delay| {
                let start = end;
                end += if *delay < 0.02 { SLOWEST_TICK } else { *delay };
                start
            })
            .collect();
        let size = Self::size(&bytes, format, limits)?;
        let turned = metadata::orientation(&bytes, format);
        let (width, height) = if turned >= 5 { (size.1, size.0) } else { size };
        let mut facts = Facts {
            container: format.name().into(),
            codec: format.name().into(),
            decoder: "image".into(),
            width,
            height,
            ..Facts::default()
        };
        facts.timed(&times, end, &[0]);
        facts.bit_rate = facts
            .frame_rate
            .map(|_| (8.0 * bytes.len() as f64 / facts.duration_s) as u64);
        limits.length(facts.duration_s, facts.frame_count)?;
        Ok(Self {
            bytes,
            format,
            times,
            facts,
            turned,
        })
    }

    fn bounds(limits: &VideoLimits) -> image::Limits {
        let mut bounds = image::Limits::no_limits();
        bounds.max_alloc = Some(limits.picture.max_alloc);
        bounds
    }

    fn size(bytes: &[u8], format: Format, limits: &VideoLimits) -> Result<(u32, u32), MediaError> {
        let failed = |e: ImageError| refused(format, &e);
        let reader = Cursor::new(bytes);
        let (w, h) = match format {
            Format::Gif => GifDecoder::new(reader).map_err(failed)?.dimensions(),
            Format::Png => PngDecoder::with_limits(reader, Self::bounds(limits))
                .map_err(failed)?
                .dimensions(),
            _ => WebPDecoder::new(reader).map_err(failed)?.dimensions(),
        };
        // The canvas, the frame before and the copy without transparency exist at the same time.
        limits.picture.check(w.into(), h.into(), 12)?;
        Ok((w, h))
    }

    fn frames(&self, limits: &VideoLimits) -> Result<Frames<'_>, ImageError> {
        let reader = Cursor::new(self.bytes.as_slice());
        Ok(match self.format {
            Format::Gif => {
                let mut decoder = GifDecoder::new(reader)?;
                decoder.set_limits(Self::bounds(limits))?;
                decoder.into_frames()
            }
            Format::Png => PngDecoder::with_limits(reader, Self::bounds(limits))?
                .apng()?
                .into_frames(),
            _ => {
                let mut decoder = WebPDecoder::new(reader)?;
                decoder.set_limits(Self::bounds(limits))?;
                decoder.into_frames()
            }
        })
    }
}

impl Reader for Animation {
    fn facts(&self) -> &Facts {
        &self.facts
    }

    fn read(
        &mut self,
        plan: &Plan,
        limits: &VideoLimits,
        wanted: &mut Wanted<'_>,
    ) -> Result<(), VideoError> {
        // No frame but the first is sure to decode on its own.
        let all: Vec<u64> = (0..self.times.len() as u64).collect();
        let chosen = plan.choose(&self.times, &all)?;
        let (w, h) = (self.facts.width, self.facts.height);
        limits.work(chosen.last().map_or(0, |l| l + 1), w, h)?;
        let mut seen = 0;
        for (index, frame) in
            (0_u64..).zip(self.frames(limits).map_err(|e| refused(self.format, &e))?)
        {
            let keep = chosen.binary_search(&index).is_ok();
            if !wanted.sketches() && chosen.last().is_some_and(|last| index > *last) {
                return Ok(());
            }
            wanted.go_on()?;
            let frame = frame.map_err(|e| refused(self.format, &e))?;
            let Some(time) = self.times.get(index as usize).copied() else {
                break;
            };
            seen += 1;
            if !keep && !wanted.sketches() {
                continue;
            }
            let pixels = orientation::upright(on_white(frame.into_buffer()), self.turned);
            if wanted.sketches() {
                let sketch = Sketch::of(&pixels);
                wanted.take(Event::Sketch {
                    index,
                    time,
                    sketch,
                })?;
            }
            if keep {
                wanted.take(Event::Frame(Frame {
                    index,
                    time,
                    pixels,
                }))?;
            }
        }
        if seen < self.times.len() {
            let reason = format!("{seen} of {} frames", self.times.len());
            return Err(MediaError::Truncated {
                format: self.format.name().into(),
                reason,
            }
            .into());
        }
        Ok(())
    }
}

fn on_white(frame: RgbaImage) -> RgbImage {
    let (w, h) = frame.dimensions();
    let raw: Vec<u8> = frame
        .as_raw()
        .chunks_exact(4)
        .flat_map(|p| {
            let alpha = u32::from(p[3]);
            [p[0], p[1], p[2]].map(|c| ((u32::from(c) * alpha + 255 * (255 - alpha)) / 255) as u8)
        })
        .collect();
    RgbImage::from_raw(w, h, raw).unwrap_or_default()
}

/// Seconds that each frame of a GIF stays.
fn gif_delays(bytes: &[u8]) -> Vec<f64> {
    let table = |flags: u8| {
        if flags & 0x80 == 0 {
            0
        } else {
            3 << ((flags & 7) + 1)
        }
    };
    let Some(flags) = bytes.get(10) else {
        return Vec::new();
    };
    let mut at = 13 + table(*flags);
    let mut delay = 0.0;
    let mut out = Vec::new();
    let skip_blocks = |mut at: usize| {
        while let Some(len) = bytes.get(at) {
            at += 1 + usize::from(*len);
            if *len == 0 {
                break;
            }
        }
        at
    };
    loop {
        match bytes.get(at) {
            Some(0x21) => {
                // A graphic control block holds the time of the picture behind it, in hundredths.
                if let Some([0xf9, 4, _, low, high]) = bytes.get(at + 1..at + 6) {
                    delay = f64::from(u16::from_le_bytes([*low, *high])) / 100.0;
                }
                at = skip_blocks(at + 2);
            }
            Some(0x2c) => {
                let Some(flags) = bytes.get(at + 9) else {
                    return out;
                };
                out.push(std::mem::take(&mut delay));
                at = skip_blocks(at + 10 + table(*flags) + 1);
            }
            _ => return out,
        }
    }
}

/// Seconds that each frame of an animated PNG stays.
fn png_delays(bytes: &[u8]) -> Vec<f64> {
    png::chunks(bytes)
        .filter(|(kind, _)| kind == b"fcTL")
        .filter_map(|(_, data)| {
            let part = |at: usize| Some(u16::from_be_bytes([*data.get(at)?, *data.get(at + 1)?]));
            let (share, whole) = (part(20)?, part(22)?);
            // Without a unit the delay counts hundredths.
            Some(f64::from(share) / f64::from(if whole == 0 { 100 } else { whole }))
        })
        .collect()
}

/// Seconds that each frame of an animated WebP stays.
fn webp_delays(bytes: &[u8]) -> Vec<f64> {
    riff(bytes.get(12..).unwrap_or_default())
        .filter(|(kind, _)| kind == b"ANMF")
        .filter_map(|(_, data)| {
            let three = data.get(12..15)?;
            let ms = u32::from_le_bytes([three[0], three[1], three[2], 0]);
            Some(f64::from(ms) / 1000.0)
        })
        .collect()
}

/// Chunks of a RIFF file as (kind, content); ends at the first damaged one.
fn riff(bytes: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let head = rest.get(..8)?;
        let size = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let kind = [head[0], head[1], head[2], head[3]];
        let content = rest.get(8..8_usize.checked_add(size)?)?;
        rest = rest.get(8 + size + size % 2..).unwrap_or_default();
        Some((kind, content))
    })
}

/// Whether an animation is one: more than one frame.
pub(super) fn moves(bytes: &[u8], format: Format) -> Result<bool, MediaError> {
    Ok(match format {
        Format::Gif => gif_delays(bytes).len() > 1,
        Format::Png => png_delays(bytes).len() > 1,
        Format::Webp => webp_delays(bytes).len() > 1,
        _ => return Err(corrupt("no animation")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::exif::tests::block;

    #[test]
    fn frames_are_turned_as_stills_are() {
        let folder =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/webp");
        let animated = std::fs::read_dir(folder)
            .expect("corpus")
            .filter_map(|e| std::fs::read(e.ok()?.path()).ok())
            .find(|bytes| webp_delays(bytes).len() > 1)
            .expect("an animation");
        let limits = VideoLimits::default();
        let size = |bytes: Vec<u8>| {
            let film = Animation::new(bytes, Format::Webp, &limits).expect("opens");
            (film.facts.width, film.facts.height)
        };
        let (width, height) = size(animated.clone());
        assert_ne!(width, height);
        let orientation = block(&[(0x0112, 3, &[6, 0])]);
        let mut turned = animated;
        turned.extend(b"EXIF");
        turned.extend((orientation.len() as u32).to_le_bytes());
        turned.extend(&orientation);
        turned.extend(vec![0; orientation.len() % 2]);
        let len = (turned.len() as u32 - 8).to_le_bytes();
        turned[4..8].copy_from_slice(&len);
        assert_eq!(size(turned), (height, width));
    }
}
