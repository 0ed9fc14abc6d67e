//! Round trips through encoders other than JPEG.

use image::RgbImage;

use crate::error::{DeliveryError, size_error};

/// Lossy WebP.
pub(super) fn webp(picture: &RgbImage, quality: u8) -> Result<RgbImage, DeliveryError> {
    let (width, height) = picture.dimensions();
    let fault = || size_error(width, height, "the WebP round trip failed");
    let bytes =
        ::webp::Encoder::from_rgb(picture.as_raw(), width, height).encode(f32::from(quality));
    let decoded = ::webp::Decoder::new(&bytes).decode().ok_or_else(fault)?;
    if decoded.is_alpha() {
        return Err(fault());
    }
    RgbImage::from_raw(width, height, decoded.to_vec()).ok_or_else(fault)
}

/// AVIF by rav1e at speed 9, 4:4:4.
pub(super) fn avif(picture: &RgbImage, quality: u8) -> Result<RgbImage, DeliveryError> {
    let (width, height) = picture.dimensions();
    let fault = |reason: String| size_error(width, height, reason);
    let pixels: Vec<rgb::RGB8> = picture
        .pixels()
        .map(|p| rgb::RGB8::new(p.0[0], p.0[1], p.0[2]))
        .collect();
    let encoded = ravif::Encoder::new()
        .with_quality(f32::from(quality))
        .with_speed(9)
        .encode_rgb(ravif::Img::new(&pixels, width as usize, height as usize))
        .map_err(|e| fault(e.to_string()))?;
    let decoded = realscope_media::decode(
        &encoded.avif_file,
        &realscope_media::Limits::default(),
        &realscope_media::Options::default(),
    )
    .map_err(|e| fault(e.to_string()))?;
    Ok(decoded.pixels)
}
