//! What happens to a picture on its way to a reader: cropping, resizing, re-encoding.
//!
//! Training, evaluation and the stability check of a scan use the same functions, so that a
//! delivery means the same everywhere.

#[cfg(feature = "arms")]
pub mod arm;
#[cfg(feature = "arms")]
pub mod perturb;

use fast_image_resize as fir;
use fir::images::{TypedImage, TypedImageRef};
use image::RgbImage;

/// Resampling filters by the names that picture tools use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Nearest neighbour.
    Nearest,
    /// Area average.
    Box,
    /// Triangle with antialiasing.
    Bilinear,
    /// Catmull-Rom with antialiasing.
    Bicubic,
    /// Lanczos with three lobes.
    Lanczos3,
}

impl Filter {
    fn resize_algorithm(self) -> fir::ResizeAlg {
        match self {
            Self::Nearest => fir::ResizeAlg::Nearest,
            Self::Box => fir::ResizeAlg::Convolution(fir::FilterType::Box),
            Self::Bilinear => fir::ResizeAlg::Convolution(fir::FilterType::Bilinear),
            Self::Bicubic => fir::ResizeAlg::Convolution(fir::FilterType::CatmullRom),
            Self::Lanczos3 => fir::ResizeAlg::Convolution(fir::FilterType::Lanczos3),
        }
    }
}

/// Chroma subsampling of a JPEG.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subsampling {
    /// Full chroma.
    S444,
    /// Half chroma in both directions.
    S420,
}

/// Why a picture could not be delivered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeliveryError {
    /// A side is zero or too large for the format.
    #[error("cannot deliver a picture of {width} x {height}: {reason}")]
    Size {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// What the encoder or resizer said.
        reason: String,
    },
}

fn size_error(width: u32, height: u32, reason: impl ToString) -> DeliveryError {
    DeliveryError::Size {
        width,
        height,
        reason: reason.to_string(),
    }
}

/// The picture at `width x height`, aspect ratio not kept.
///
/// # Errors
/// [`DeliveryError::Size`] when a side is zero.
pub fn resize(
    picture: &RgbImage,
    width: u32,
    height: u32,
    filter: Filter,
) -> Result<RgbImage, DeliveryError> {
    if picture.dimensions() == (width, height) {
        return Ok(picture.clone());
    }
    if width == 0 || height == 0 || picture.width() == 0 || picture.height() == 0 {
        return Err(size_error(width, height, "a side is zero"));
    }
    // Views of one kind of pixel: the untyped ones compile every filter for every kind, most of this crate.
    let source = TypedImageRef::<fir::pixels::U8x3>::from_buffer(
        picture.width(),
        picture.height(),
        picture.as_raw(),
    )
    .map_err(|e| size_error(width, height, e))?;
    let mut resized = RgbImage::new(width, height);
    let mut target = TypedImage::<fir::pixels::U8x3>::from_buffer(width, height, &mut resized)
        .map_err(|e| size_error(width, height, e))?;
    let options = fir::ResizeOptions::new().resize_alg(filter.resize_algorithm());
    fir::Resizer::new()
        .resize_typed(&source, &mut target, &options)
        .map_err(|e| size_error(width, height, e))?;
    Ok(resized)
}

/// The picture with its longest edge at most `edge`, aspect ratio kept, never enlarged.
///
/// # Errors
/// [`DeliveryError::Size`] when the picture is empty.
pub fn limit_edge(
    picture: &RgbImage,
    edge: u32,
    filter: Filter,
) -> Result<RgbImage, DeliveryError> {
    let (width, height) = picture.dimensions();
    let longest = width.max(height);
    if longest <= edge {
        return Ok(picture.clone());
    }
    let scaled = |side: u32| {
        let exact = u64::from(side) * u64::from(edge) + u64::from(longest) / 2;
        u32::try_from(exact / u64::from(longest))
            .unwrap_or(edge)
            .max(1)
    };
    resize(picture, scaled(width), scaled(height), filter)
}

/// The window of `width x height` at (`left`, `top`), clipped to the picture.
#[must_use]
pub fn crop(picture: &RgbImage, left: u32, top: u32, width: u32, height: u32) -> RgbImage {
    image::imageops::crop_imm(picture, left, top, width, height).to_image()
}

/// Bytes of a baseline JPEG with the standard tables at `quality` (1 to 100), no metadata.
///
/// # Errors
/// [`DeliveryError::Size`] when a side is zero or above 65,535.
pub fn encode_jpeg(
    picture: &RgbImage,
    quality: u8,
    subsampling: Subsampling,
) -> Result<Vec<u8>, DeliveryError> {
    let (width, height) = picture.dimensions();
    let (Ok(w), Ok(h)) = (u16::try_from(width), u16::try_from(height)) else {
        return Err(size_error(width, height, "JPEG sides end at 65535"));
    };
    let mut bytes = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, quality.clamp(1, 100));
    encoder.set_sampling_factor(match subsampling {
        Subsampling::S444 => jpeg_encoder::SamplingFactor::R_4_4_4,
        Subsampling::S420 => jpeg_encoder::SamplingFactor::R_4_2_0,
    });
    encoder
        .encode(picture.as_raw(), w, h, jpeg_encoder::ColorType::Rgb)
        .map_err(|e| size_error(width, height, e))?;
    Ok(bytes)
}

/// The pixels after one JPEG round trip.
///
/// # Errors
/// [`DeliveryError::Size`] as for [`encode_jpeg`].
pub fn through_jpeg(
    picture: &RgbImage,
    quality: u8,
    subsampling: Subsampling,
) -> Result<RgbImage, DeliveryError> {
    let (width, height) = picture.dimensions();
    let bytes = encode_jpeg(picture, quality, subsampling)?;
    let mut decoder = zune_jpeg::JpegDecoder::new(zune_core::bytestream::ZCursor::new(&bytes));
    let pixels = decoder
        .decode()
        .map_err(|e| size_error(width, height, format!("{e:?}")))?;
    RgbImage::from_raw(width, height, pixels)
        .ok_or_else(|| size_error(width, height, "buffer mismatch"))
}
