//! AV1 pictures and videos through `rav1d`.
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

use super::yuv::Planes;
use crate::error::MediaError;
use crate::limits::Limits;

fn corrupt(reason: impl Into<String>) -> MediaError {
    MediaError::Corrupt {
        format: "AV1".into(),
        reason: reason.into(),
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

/// A decoder of one AV1 stream.
pub(crate) struct Stream {
    decoder: Decoder,
    limits: Limits,
}

impl Stream {
    /// A decoder that holds no frame yet.
    pub(crate) fn new(limits: &Limits) -> Result<Self, MediaError> {
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
        Ok(Self {
            decoder,
            limits: limits.clone(),
        })
    }

    /// The frame that a temporal unit shows; `None` where it shows none.
    pub(crate) fn decode(&mut self, unit: &[u8]) -> Result<Option<Planes>, MediaError> {
        let mut data = Data(Dav1dData::default());
        // SAFETY: the decoder allocates `unit.len()` bytes and returns their start or null.
        unsafe {
            let buffer = dav1d::dav1d_data_create(Some(NonNull::from(&mut data.0)), unit.len());
            if buffer.is_null() {
                return Err(corrupt("the decoder cannot take the data"));
            }
            std::ptr::copy_nonoverlapping(unit.as_ptr(), buffer, unit.len());
        }
        // A unit needs one or two rounds; the bound keeps hostile data from looping.
        for _ in 0..64 {
            if data.0.sz > 0 {
                // SAFETY: the context is open, the data belong to this function.
                let sent = unsafe {
                    dav1d::dav1d_send_data(self.decoder.0, Some(NonNull::from(&mut data.0)))
                };
                if sent.0 != 0 && sent.0 != -libc_eagain() {
                    return Err(corrupt(format!("AV1 data refused ({})", sent.0)));
                }
            }
            let mut frame = Picture(Dav1dPicture::default());
            // SAFETY: the context is open and the picture empty.
            let got = unsafe {
                dav1d::dav1d_get_picture(self.decoder.0, Some(NonNull::from(&mut frame.0)))
            };
            match got.0 {
                0 => return copy_planes(&frame.0, &self.limits).map(Some),
                e if e == -libc_eagain() && data.0.sz > 0 => {}
                e if e == -libc_eagain() => return Ok(None),
                e => return Err(corrupt(format!("AV1 frame refused ({e})"))),
            }
        }
        Err(corrupt("the AV1 decoder makes no progress"))
    }
}

/// Decodes the first frame of an AV1 still.
pub(crate) fn picture(obu: &[u8], limits: &Limits) -> Result<Planes, MediaError> {
    Stream::new(limits)?
        .decode(obu)?
        .ok_or_else(|| MediaError::Truncated {
            format: "AVIF".into(),
            reason: "the AV1 data hold no whole frame".into(),
        })
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
        matrix: u16::try_from(header.mtrx).unwrap_or(2),
        primaries: u16::try_from(header.pri).unwrap_or(2),
        transfer: u16::try_from(header.trc).unwrap_or(2),
    })
}
