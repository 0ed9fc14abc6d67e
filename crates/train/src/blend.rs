//! Self-blended pictures: a picture blended with a slightly altered copy of itself under a soft mask.
//!
//! Shiohara and Yamasaki, "Detecting Deepfakes with Self-Blended Images", CVPR 2022, arXiv 2204.08376, section 3:
//! one of the two copies changes its tones or its sharpness, the source is shifted and scaled a little, the mask is a
//! distorted, blurred region, and the blending ratio is drawn. The paper's masks are hulls of facial landmarks;
//! these are random hulls, so that objects are blended as well.

use image::{GrayImage, Luma, RgbImage, imageops};
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use realscope_delivery::perturb::{self, Op};
use realscope_delivery::{DeliveryError, Filter, resize};

/// Blending ratios of section 3.3.
const RATIOS: [f32; 6] = [0.25, 0.5, 0.75, 1.0, 1.0, 1.0];

/// The picture blended with itself.
///
/// # Errors
/// [`DeliveryError`] of the resizer.
pub fn blended(picture: &RgbImage, rng: &mut ChaCha8Rng) -> Result<RgbImage, DeliveryError> {
    let altered = alter(picture, rng)?;
    let (source, target) = if rng.random_bool(0.5) {
        (altered, picture.clone())
    } else {
        (picture.clone(), altered)
    };
    let source = displace(&source, rng)?;
    let mask = mask(picture.width(), picture.height(), rng);
    let ratio = *RATIOS.choose(rng).unwrap_or(&1.0);
    let mut out = target;
    for ((x, y, o), s) in out.enumerate_pixels_mut().zip(source.pixels()) {
        let m = ratio * f32::from(mask.get_pixel(x, y).0[0]) / 255.0;
        for (o, s) in o.0.iter_mut().zip(s.0) {
            *o = (m * f32::from(s) + (1.0 - m) * f32::from(*o)).round() as u8;
        }
    }
    Ok(out)
}

/// Other tones, then another sharpness (section 3.2).
fn alter(picture: &RgbImage, rng: &mut ChaCha8Rng) -> Result<RgbImage, DeliveryError> {
    let mut out = picture.clone();
    let shift: [i16; 3] = std::array::from_fn(|_| rng.random_range(-20..=20));
    for pixel in out.pixels_mut() {
        for (v, s) in pixel.0.iter_mut().zip(shift) {
            *v = (i16::from(*v) + s).clamp(0, 255) as u8;
        }
    }
    let tones = Op::Colour {
        brightness: rng.random_range(0.9..1.1),
        contrast: rng.random_range(0.9..1.1),
        saturation: rng.random_range(0.7..1.3),
    };
    let sharpness = if rng.random_bool(0.5) {
        Op::DownUp {
            divisor: *[2.0, 4.0].choose(rng).unwrap_or(&2.0),
        }
    } else {
        Op::Sharpen {
            sigma: 1.0,
            amount: rng.random_range(0.2..0.5),
        }
    };
    out = perturb::apply(&out, &tones, 0, "")?;
    perturb::apply(&out, &sharpness, 0, "")
}

/// Scaled by .95 to 1/.95 and shifted by up to 3% and 1.5%; what comes in from outside repeats the border.
fn displace(picture: &RgbImage, rng: &mut ChaCha8Rng) -> Result<RgbImage, DeliveryError> {
    let (w, h) = picture.dimensions();
    let scale = rng.random_range(0.95..1.0 / 0.95);
    let (dx, dy) = (
        rng.random_range(-0.03..0.03) * f64::from(w),
        rng.random_range(-0.015..0.015) * f64::from(h),
    );
    let side = |v: u32| ((f64::from(v) * scale).round() as u32).max(1);
    let scaled = resize(picture, side(w), side(h), Filter::Bicubic)?;
    let from = |at: u32, size: u32, scaled: u32, by: f64| {
        let centre = (f64::from(scaled) - f64::from(size)) / 2.0;
        ((f64::from(at) + centre - by).round().max(0.0) as u32).min(scaled - 1)
    };
    Ok(RgbImage::from_fn(w, h, |x, y| {
        *scaled.get_pixel(
            from(x, w, scaled.width(), dx),
            from(y, h, scaled.height(), dy),
        )
    }))
}

/// A random star-shaped region of a tenth to a half of the picture, its rim blurred.
fn mask(w: u32, h: u32, rng: &mut ChaCha8Rng) -> GrayImage {
    const CORNERS: usize = 9;
    let (w, h) = (w as f32, h as f32);
    let (cx, cy) = (
        w * rng.random_range(0.35..0.65_f32),
        h * rng.random_range(0.35..0.65_f32),
    );
    let size = rng.random_range(0.2..0.45_f32);
    let radii: [f32; CORNERS] = std::array::from_fn(|_| size * rng.random_range(0.7..1.3_f32));
    let inside = GrayImage::from_fn(w as u32, h as u32, |x, y| {
        let (dx, dy) = ((x as f32 - cx) / w, (y as f32 - cy) / h);
        let turn = (dy.atan2(dx) / std::f32::consts::TAU).rem_euclid(1.0) * CORNERS as f32;
        let corner = (turn as usize).min(CORNERS - 1);
        let along = turn - corner as f32;
        let radius = radii[corner] * (1.0 - along) + radii[(corner + 1) % CORNERS] * along;
        Luma([if dx.hypot(dy) < radius { 255 } else { 0 }])
    });
    let sigma = rng.random_range(0.01..0.06_f32) * w.min(h);
    imageops::fast_blur(&inside, sigma.max(0.8))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;
    use realscope_delivery::crop;

    #[test]
    fn the_rim_stays_and_the_middle_changes() {
        let picture = RgbImage::from_fn(160, 120, |x, y| {
            image::Rgb([
                (x * 5 % 251) as u8,
                (y * 7 % 241) as u8,
                ((x + y) % 239) as u8,
            ])
        });
        // Half of the pictures alter the source, which the mask confines; the others the target around it.
        let (mut confined, mut around) = (0, 0);
        for seed in 0..40 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let out = blended(&picture, &mut rng).expect("blends");
            assert_eq!(out.dimensions(), picture.dimensions());
            assert_ne!(out, picture);
            let corner = |i: &RgbImage| crop(i, 0, 0, 4, 4);
            if corner(&out) == corner(&picture) {
                confined += 1;
            } else {
                around += 1;
            }
            let mut again = ChaCha8Rng::seed_from_u64(seed);
            assert_eq!(blended(&picture, &mut again).expect("blends"), out);
        }
        assert!(confined >= 8 && around >= 8, "{confined} {around}");
    }

    #[test]
    fn masks_cover_a_part() {
        for seed in 0..60 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let mask = mask(96, 128, &mut rng);
            let share =
                mask.pixels().map(|p| f64::from(p.0[0])).sum::<f64>() / (255.0 * 96.0 * 128.0);
            assert!((0.05..0.75).contains(&share), "{share}");
        }
    }
}
