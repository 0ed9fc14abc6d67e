//! AVIF: `avif-parse` for the container, `rav1d` for the AV1 picture.
//!
//! The only `unsafe` of the project: `rav1d` offers dav1d's C interface. Every pointer handed over
//! outlives the call, every object received is released by its guard, and planes are read only
//! within the sizes and strides that the decoder reports.
#![expect(unsafe_code, reason = "rav1d has a C-style interface only")]

use std::ptr::NonNull;

use rav1d::include::dav1d::data::Dav1dData;
use rav1d::include::dav1d::dav1d::{Dav1dContext, Dav1dSettings};
use rav1d::include::dav1d::headers::{
    DAV1D_PIXEL_LAYOUT_I400, DAV1D_PIXEL_LAYOUT_I420, DAV1D_PIXEL_LAYOUT_I422,
    DAV1D_PIXEL_LAYOUT_I444,
};
use rav1d::include::dav1d::picture::Dav1dPicture;
use rav1d::src::lib as dav1d;

use super::raw::{Raw, Samples};
use crate::error::MediaError;
use crate::limits::Limits;
use crate::note::Note;

fn corrupt(reason: impl Into<String>) -> MediaError {
    MediaError::Corrupt {
        format: "AVIF".into(),
        reason: reason.into(),
    }
}

pub(crate) fn decode(bytes: &[u8], limits: &Limits) -> Result<Raw, MediaError> {
    // The parser asserts what it should report.
    let parsed = std::panic::catch_unwind(|| avif_parse::read_avif(&mut &bytes[..]))
        .map_err(|_| corrupt("the container contradicts itself"))?;
    let container = parsed.map_err(|e| match e {
        avif_parse::Error::UnexpectedEOF => MediaError::Truncated {
            format: "AVIF".into(),
            reason: "the container is incomplete".into(),
        },
        avif_parse::Error::Unsupported(what) => MediaError::Unsupported {
            format: format!("AVIF variant ({what})"),
        },
        other => corrupt(other.to_string()),
    })?;
    let header = container
        .primary_item_metadata()
        .map_err(|e| corrupt(e.to_string()))?;
    let (width, height) = (header.max_frame_width.get(), header.max_frame_height.get());
    limits.check(u64::from(width), u64::from(height), 12)?;
    let colour = picture(&container.primary_item, limits)?;
    let alpha = match &container.alpha_item {
        Some(item) => Some(picture(item, limits)?),
        None => None,
    };
    let mut notes = Vec::new();
    let rgb = colour.to_rgb16()?;
    let samples = match alpha {
        Some(alpha) if (alpha.width, alpha.height) == (colour.width, colour.height) => {
            let mut out = Vec::with_capacity(rgb.len() / 3 * 4);
            for (pixel, a) in rgb.chunks_exact(3).zip(&alpha.planes[0]) {
                out.extend_from_slice(pixel);
                out.push(alpha.full_scale_luma(*a));
            }
            Samples::Rgba16(out)
        }
        Some(_) => return Err(corrupt("the alpha plane has another size")),
        None => Samples::Rgb16(rgb),
    };
    if container.premultiplied_alpha {
        notes.push(Note::new(
            "premultiplied_alpha",
            "The colours are stored multiplied by the transparency and were composited as they are.",
        ));
    }
    Ok(Raw {
        samples,
        width: colour.width as u32,
        height: colour.height as u32,
        bit_depth: colour.depth,
        animated: false,
        icc: None,
        exif: None,
        orientation: None,
        jpeg: None,
        notes,
    })
}

/// Planes of a decoded AV1 picture, rows without padding.
struct Planes {
    width: usize,
    height: usize,
    depth: u8,
    /// Chroma size relative to luma as shifts (x, y); `None` without chroma.
    chroma: Option<(usize, usize)>,
    planes: [Vec<u16>; 3],
    full_range: bool,
    matrix: u32,
}

impl Planes {
    fn full_scale_luma(&self, v: u16) -> u16 {
        let max = f32::from((1_u16 << self.depth) - 1);
        let (low, range) = self.luma_range();
        let unit = (f32::from(v) / max - low) / range;
        (unit.clamp(0.0, 1.0) * 65535.0).round() as u16
    }

    fn luma_range(&self) -> (f32, f32) {
        if self.full_range {
            (0.0, 1.0)
        } else {
            (16.0 / 255.0, 219.0 / 255.0)
        }
    }

    /// Interleaved RGB of 16 bits (ITU-T H.273, matrix coefficients); chroma is repeated.
    fn to_rgb16(&self) -> Result<Vec<u16>, MediaError> {
        let max = f32::from((1_u16 << self.depth) - 1);
        let (low, range) = self.luma_range();
        let chroma_range = if self.full_range { 1.0 } else { 224.0 / 255.0 };
        let (kr, kb) = match self.matrix {
            0 => (0.0, 0.0),
            1 => (0.2126, 0.0722),
            9 => (0.2627, 0.0593),
            // 2 (unspecified), 5 and 6: BT.601, as browsers assume.
            2 | 5 | 6 => (0.299, 0.114),
            other => {
                return Err(MediaError::Unsupported {
                    format: format!("AVIF with matrix coefficients {other}"),
                });
            }
        };
        let kg = 1.0 - kr - kb;
        let unit = |v: u16| f32::from(v) / max;
        let mut out = Vec::with_capacity(self.width * self.height * 3);
        for y in 0..self.height {
            for x in 0..self.width {
                let luma = self.planes[0][y * self.width + x];
                let rgb = match self.chroma {
                    None => [(unit(luma) - low) / range; 3],
                    Some((sx, sy)) => {
                        let stride = (self.width + sx) >> sx;
                        let at = (y >> sy) * stride + (x >> sx);
                        let (u, v) = (unit(self.planes[1][at]), unit(self.planes[2][at]));
                        let l = (unit(luma) - low) / range;
                        if self.matrix == 0 {
                            // Identity: planes are G, B, R.
                            let scale = |c: f32| (c - low) / range;
                            [scale(v), l, scale(u)]
                        } else {
                            let half = f32::from(1_u16 << (self.depth - 1)) / max;
                            let (cb, cr) = ((u - half) / chroma_range, (v - half) / chroma_range);
                            let r = l + 2.0 * (1.0 - kr) * cr;
                            let b = l + 2.0 * (1.0 - kb) * cb;
                            [r, (l - kr * r - kb * b) / kg, b]
                        }
                    }
                };
                out.extend(rgb.map(|c| (c.clamp(0.0, 1.0) * 65535.0).round() as u16));
            }
        }
        Ok(out)
    }
}

struct Decoder(Option<Dav1dContext>);

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: the context came from `dav1d_open` and is closed once.
        unsafe { dav1d::dav1d_close(Some(NonNull::from(&mut self.0))) };
    }
}

struct Picture(Dav1dPicture);

impl Drop for Picture {
    fn drop(&mut self) {
        // SAFETY: the picture is empty or came from `dav1d_get_picture`, and is released once.
        unsafe { dav1d::dav1d_picture_unref(Some(NonNull::from(&mut self.0))) };
    }
}

struct Data(Dav1dData);

impl Drop for Data {
    fn drop(&mut self) {
        // SAFETY: what `dav1d_send_data` consumed was replaced by an empty value; unref accepts it.
        unsafe { dav1d::dav1d_data_unref(Some(NonNull::from(&mut self.0))) };
    }
}

/// Decodes the first frame of an AV1 still.
fn picture(obu: &[u8], limits: &Limits) -> Result<Planes, MediaError> {
    let mut settings = std::mem::MaybeUninit::<Dav1dSettings>::uninit();
    // SAFETY: the pointer is valid for writing; the call fills every field.
    let mut settings = unsafe {
        dav1d::dav1d_default_settings(NonNull::new_unchecked(settings.as_mut_ptr()));
        settings.assume_init()
    };
    settings.n_threads = 1;
    settings.max_frame_delay = 1;
    settings.frame_size_limit = u32::try_from(limits.max_pixels).unwrap_or(u32::MAX);
    let mut decoder = Decoder(None);
    // SAFETY: both pointers are valid for the call.
    let result = unsafe {
        dav1d::dav1d_open(
            Some(NonNull::from(&mut decoder.0)),
            Some(NonNull::from(&mut settings)),
        )
    };
    if result.0 != 0 {
        return Err(corrupt(format!("the decoder cannot start ({})", result.0)));
    }
    let mut data = Data(Dav1dData::default());
    // SAFETY: the decoder allocates `obu.len()` bytes and returns their start or null.
    unsafe {
        let buffer = dav1d::dav1d_data_create(Some(NonNull::from(&mut data.0)), obu.len());
        if buffer.is_null() {
            return Err(corrupt("the decoder cannot take the data"));
        }
        std::ptr::copy_nonoverlapping(obu.as_ptr(), buffer, obu.len());
    }
    let mut frame = Picture(Dav1dPicture::default());
    // A still needs one or two rounds; the bound keeps hostile data from looping.
    for _ in 0..64 {
        if data.0.sz > 0 {
            // SAFETY: the context is open, the data belong to this function.
            let sent =
                unsafe { dav1d::dav1d_send_data(decoder.0, Some(NonNull::from(&mut data.0))) };
            if sent.0 != 0 && sent.0 != -libc_eagain() {
                return Err(corrupt(format!("AV1 data refused ({})", sent.0)));
            }
        }
        // SAFETY: the context is open and the picture empty.
        let got = unsafe { dav1d::dav1d_get_picture(decoder.0, Some(NonNull::from(&mut frame.0))) };
        match got.0 {
            0 => return copy_planes(&frame.0, limits),
            e if e == -libc_eagain() && data.0.sz > 0 => {}
            e if e == -libc_eagain() => {
                return Err(MediaError::Truncated {
                    format: "AVIF".into(),
                    reason: "the AV1 data hold no whole frame".into(),
                });
            }
            e => return Err(corrupt(format!("AV1 frame refused ({e})"))),
        }
    }
    Err(corrupt("the AV1 decoder makes no progress"))
}

/// `EAGAIN`, which the decoder returns negated when it needs more data.
fn libc_eagain() -> i32 {
    if cfg!(any(
        target_os = "macos",
        target_os = "ios",
        target_os = "freebsd"
    )) {
        35
    } else {
        11
    }
}

fn copy_planes(frame: &Dav1dPicture, limits: &Limits) -> Result<Planes, MediaError> {
    let (Ok(width), Ok(height)) = (usize::try_from(frame.p.w), usize::try_from(frame.p.h)) else {
        return Err(corrupt("negative size"));
    };
    limits.check(width as u64, height as u64, 12)?;
    let chroma = match frame.p.layout {
        DAV1D_PIXEL_LAYOUT_I400 => None,
        DAV1D_PIXEL_LAYOUT_I420 => Some((1, 1)),
        DAV1D_PIXEL_LAYOUT_I422 => Some((1, 0)),
        DAV1D_PIXEL_LAYOUT_I444 => Some((0, 0)),
        _ => return Err(corrupt("unknown pixel layout")),
    };
    let depth = u8::try_from(frame.p.bpc).unwrap_or(8).clamp(8, 12);
    let Some(header) = frame.seq_hdr else {
        return Err(corrupt("no sequence header"));
    };
    // SAFETY: the header lives as long as the picture that refers to it.
    let header = unsafe { header.as_ref() };
    let mut planes: [Vec<u16>; 3] = Default::default();
    for (i, plane) in planes.iter_mut().enumerate() {
        let (w, h) = match (i, chroma) {
            (0, _) => (width, height),
            (_, Some((sx, sy))) => ((width + sx) >> sx, (height + sy) >> sy),
            (_, None) => continue,
        };
        let Some(start) = frame.data[i] else {
            return Err(corrupt("a plane is missing"));
        };
        let stride = frame.stride[usize::from(i > 0)];
        plane.reserve_exact(w * h);
        for y in 0..h as isize {
            // SAFETY: the decoder guarantees `h` rows of `stride` bytes, each at least `w` samples
            // of one byte (8 bits) or two (more), aligned for that type.
            unsafe {
                let row = start.as_ptr().cast::<u8>().offset(y * stride);
                if depth == 8 {
                    let row = std::slice::from_raw_parts(row, w);
                    plane.extend(row.iter().map(|v| u16::from(*v)));
                } else {
                    plane.extend_from_slice(std::slice::from_raw_parts(row.cast::<u16>(), w));
                }
            }
        }
    }
    Ok(Planes {
        width,
        height,
        depth,
        chroma,
        planes,
        full_range: header.color_range != 0,
        matrix: header.mtrx,
    })
}
