//! Error level analysis (Krawetz, "A Picture's Worth", 2007): what one more JPEG encoding changes.
//!
//! Regions that were pasted from a source of other compression change more or less than the rest.
//! A hint for the eye, never proof: edges and saturated colours change more in every picture.

use image::RgbImage;
use realscope_delivery::{self as delivery, DeliveryError, Subsampling};

use crate::Plane;

/// Largest absolute difference over the channels, at each pixel, to the picture re-encoded at
/// `quality` (4:4:4).
///
/// # Errors
/// [`DeliveryError`] of the encoder.
pub fn error_level(picture: &RgbImage, quality: u8) -> Result<Plane, DeliveryError> {
    let again = delivery::through_jpeg(picture, quality, Subsampling::S444)?;
    let values = picture
        .pixels()
        .zip(again.pixels())
        .map(|(a, b)| {
            let largest = a.0.iter().zip(b.0).map(|(a, b)| a.abs_diff(b)).max();
            f32::from(largest.unwrap_or(0))
        })
        .collect();
    Ok(Plane {
        width: picture.width() as usize,
        height: picture.height() as usize,
        values,
    })
}
