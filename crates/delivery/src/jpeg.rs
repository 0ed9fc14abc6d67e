//! Baseline JPEG: encoding, and the pixels that come back.

use image::RgbImage;

use crate::error::{DeliveryError, size_error};

/// Chroma subsampling of a JPEG.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subsampling {
    /// Full chroma.
    S444,
    /// Half chroma in both directions.
    S420,
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
