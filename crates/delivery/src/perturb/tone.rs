//! Tones: brightness, contrast, saturation, gamma. Each pixel changes by itself.

use image::RgbImage;

/// Factors of brightness, contrast (about 128) and saturation.
pub(super) fn colour(
    picture: &RgbImage,
    brightness: f32,
    contrast: f32,
    saturation: f32,
) -> RgbImage {
    let mut out = picture.clone();
    for p in out.pixels_mut() {
        let rgb = p.0.map(f32::from);
        let grey = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
        p.0 = rgb.map(|v| {
            let v = grey + (v - grey) * saturation;
            let v = (128.0 + (v - 128.0) * contrast) * brightness;
            v.round().clamp(0.0, 255.0) as u8
        });
    }
    out
}

/// Power law of levels in `[0, 1]`.
pub(super) fn gamma(picture: &RgbImage, gamma: f32) -> RgbImage {
    let mut out = picture.clone();
    for v in out.iter_mut() {
        let level = 255.0 * (f32::from(*v) / 255.0).powf(gamma);
        *v = level.round().clamp(0.0, 255.0) as u8;
    }
    out
}
