//! What changes a picture's size or frame: scaling, cropping, bars, a capture of a screen.

use image::{RgbImage, imageops};

use crate::error::DeliveryError;
use crate::resize::{Filter, crop, resize};

/// A side times a factor, at least one pixel.
fn sized(side: u32, factor: f64) -> u32 {
    ((f64::from(side) * factor).round() as u32).max(1)
}

/// Both sides times a factor.
pub(super) fn by(
    picture: &RgbImage,
    factor: f64,
    filter: Filter,
) -> Result<RgbImage, DeliveryError> {
    let (width, height) = picture.dimensions();
    resize(picture, sized(width, factor), sized(height, factor), filter)
}

/// The shorter side scaled down to `side` pixels (Lanczos); a smaller picture stays.
pub(super) fn short_side(picture: &RgbImage, side: u32) -> Result<RgbImage, DeliveryError> {
    let (width, height) = picture.dimensions();
    let factor = f64::from(side) / f64::from(width.min(height));
    if factor >= 1.0 {
        return Ok(picture.clone());
    }
    by(picture, factor, Filter::Lanczos3)
}

/// Down by a divisor and back up to the former size (bilinear).
pub(super) fn down_up(picture: &RgbImage, divisor: f64) -> Result<RgbImage, DeliveryError> {
    let (width, height) = picture.dimensions();
    let small = by(picture, 1.0 / divisor, Filter::Bilinear)?;
    resize(&small, width, height, Filter::Bilinear)
}

/// The central part, `keep` being the share of each side that stays.
pub(super) fn keep_centre(picture: &RgbImage, keep: f64) -> RgbImage {
    let (width, height) = picture.dimensions();
    let (w, h) = (sized(width, keep), sized(height, keep));
    crop(picture, (width - w) / 2, (height - h) / 2, w, h)
}

/// Black bars above and below, each a share of the height.
pub(super) fn letterbox(picture: &RgbImage, share: f64) -> RgbImage {
    let (width, height) = picture.dimensions();
    let bar = sized(height, share);
    let mut out = RgbImage::new(width, height + 2 * bar);
    imageops::replace(&mut out, picture, 0, i64::from(bar));
    out
}

/// Scaled by 1.25 (bilinear), framed in interface grey, scaled back by 0.8 (bicubic).
pub(super) fn screenshot(picture: &RgbImage) -> Result<RgbImage, DeliveryError> {
    let shown = by(picture, 1.25, Filter::Bilinear)?;
    let frame = 24;
    let mut screen = RgbImage::from_pixel(
        shown.width() + 2 * frame,
        shown.height() + 2 * frame,
        image::Rgb([236; 3]),
    );
    imageops::replace(&mut screen, &shown, i64::from(frame), i64::from(frame));
    by(&screen, 0.8, Filter::Bicubic)
}
