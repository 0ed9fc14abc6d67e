//! Fine detail: noise, and filters over the neighbours of a pixel.

use image::{RgbImage, imageops};
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;

/// Additive Gaussian noise with a standard deviation of `sigma` grey levels, each channel by itself.
pub(super) fn noise(picture: &RgbImage, sigma: f32, mut rng: ChaCha8Rng) -> RgbImage {
    let mut out = picture.clone();
    for v in out.iter_mut() {
        // Box and Muller's transform.
        let u: f32 = 1.0 - rng.random::<f32>();
        let angle = 2.0 * std::f32::consts::PI * rng.random::<f32>();
        let level = f32::from(*v) + sigma * (-2.0 * u.ln()).sqrt() * angle.cos();
        *v = level.round().clamp(0.0, 255.0) as u8;
    }
    out
}

/// Median over a square that reaches `reach` pixels to each side.
pub(super) fn median(picture: &RgbImage, reach: usize) -> RgbImage {
    neighbours(picture, reach, |list, _| {
        list.sort_unstable();
        list[list.len() / 2]
    })
}

/// Unsharp mask: the share `amount` of the difference from the blurred picture is added.
pub(super) fn sharpen(picture: &RgbImage, sigma: f32, amount: f32) -> RgbImage {
    let soft = imageops::blur(picture, sigma);
    let mut out = picture.clone();
    for (o, s) in out.iter_mut().zip(soft.iter()) {
        let v = f32::from(*o) + amount * (f32::from(*o) - f32::from(*s));
        *o = v.round().clamp(0.0, 255.0) as u8;
    }
    out
}

/// The mean of the 5x5 neighbours that lie within `range` grey levels.
pub(super) fn denoise(picture: &RgbImage, range: i32) -> RgbImage {
    neighbours(picture, 2, |list, centre| {
        let (mut sum, mut n) = (0, 0);
        for v in list.iter() {
            if (i32::from(*v) - i32::from(centre)).abs() <= range {
                sum += u32::from(*v);
                n += 1;
            }
        }
        ((sum + n / 2) / n.max(1)) as u8
    })
}

/// Replaces each sample by a function of those within `reach` and itself; borders are repeated.
fn neighbours(
    picture: &RgbImage,
    reach: usize,
    mut f: impl FnMut(&mut Vec<u8>, u8) -> u8,
) -> RgbImage {
    let (width, height) = picture.dimensions();
    let r = reach as i64;
    let mut out = picture.clone();
    let mut list = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let mut fresh = [0; 3];
            for (c, v) in fresh.iter_mut().enumerate() {
                list.clear();
                for dy in -r..=r {
                    for dx in -r..=r {
                        let sx = (i64::from(x) + dx).clamp(0, i64::from(width) - 1) as u32;
                        let sy = (i64::from(y) + dy).clamp(0, i64::from(height) - 1) as u32;
                        list.push(picture.get_pixel(sx, sy).0[c]);
                    }
                }
                *v = f(&mut list, picture.get_pixel(x, y).0[c]);
            }
            out.get_pixel_mut(x, y).0 = fresh;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::random;
    use super::*;

    #[test]
    fn noise_has_its_deviation() {
        let flat = RgbImage::from_pixel(200, 200, image::Rgb([128; 3]));
        let noisy = noise(&flat, 8.0, random::of(1, "x"));
        let n = noisy.as_raw().len() as f64;
        let mean = noisy.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
        let var = noisy
            .iter()
            .map(|v| (f64::from(*v) - mean).powi(2))
            .sum::<f64>()
            / n;
        assert!((var.sqrt() - 8.0).abs() < 0.15 && (mean - 128.0).abs() < 0.2);
    }
}
