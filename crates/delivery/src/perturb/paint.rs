//! Filters that paint and draw: calm squares, oil, comic, pencil.

use image::{RgbImage, imageops};

/// Each pixel takes the mean of the calmest of four squares that meet in it (Kuwahara et al., 1976). Sums
/// over rectangles come from summed-area tables.
pub(super) fn painterly(picture: &RgbImage, reach: u32) -> RgbImage {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    // Red, green, blue, grey and grey squared.
    let mut sums = vec![[0.0_f64; 5]; (width + 1) * (height + 1)];
    for y in 0..height {
        let mut row = [0.0; 5];
        for x in 0..width {
            let [r, g, b] = picture.get_pixel(x as u32, y as u32).0.map(f64::from);
            let grey = 0.299 * r + 0.587 * g + 0.114 * b;
            let above = sums[y * (width + 1) + x + 1];
            for (k, v) in [r, g, b, grey, grey * grey].into_iter().enumerate() {
                row[k] += v;
                sums[(y + 1) * (width + 1) + x + 1][k] = above[k] + row[k];
            }
        }
    }
    let reach = reach as usize;
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
        let (x, y) = (x as usize, y as usize);
        let mut best = (f64::INFINITY, picture.get_pixel(x as u32, y as u32).0);
        for (from_x, from_y) in [(true, true), (false, true), (true, false), (false, false)] {
            let span = |v: usize, back: bool, size: usize| {
                if back {
                    (v.saturating_sub(reach), v + 1)
                } else {
                    (v, (v + reach + 1).min(size))
                }
            };
            let ((left, right), (top, bottom)) = (span(x, from_x, width), span(y, from_y, height));
            let n = ((right - left) * (bottom - top)) as f64;
            let at = |x: usize, y: usize| sums[y * (width + 1) + x];
            let (a, b) = (at(left, top), at(right, top));
            let (c, d) = (at(left, bottom), at(right, bottom));
            let mean: [f64; 5] = std::array::from_fn(|k| (d[k] - b[k] - c[k] + a[k]) / n);
            let variance = mean[4] - mean[3] * mean[3];
            if variance < best.0 {
                let rgb = [mean[0], mean[1], mean[2]];
                best = (variance, rgb.map(|v| v.round().clamp(0.0, 255.0) as u8));
            }
        }
        image::Rgb(best.1)
    })
}

/// Each pixel takes the mean colour of the commonest of 24 grey levels around it.
pub(super) fn oil(picture: &RgbImage, reach: u32) -> RgbImage {
    const LEVELS: usize = 24;
    let (width, height) = picture.dimensions();
    let level: Vec<u8> = picture
        .pixels()
        .map(|p| (grey(p.0) / 256.0 * LEVELS as f32) as u8)
        .collect();
    RgbImage::from_fn(width, height, |x, y| {
        // Pixels and sums of colours by level.
        let mut bins = [[0_u32; 4]; LEVELS];
        for v in y.saturating_sub(reach)..(y + reach + 1).min(height) {
            for u in x.saturating_sub(reach)..(x + reach + 1).min(width) {
                let bin = &mut bins[usize::from(level[v as usize * width as usize + u as usize])];
                let rgb = picture.get_pixel(u, v).0.map(u32::from);
                bin[0] += 1;
                (0..3).for_each(|k| bin[k + 1] += rgb[k]);
            }
        }
        let most = bins.iter().max_by_key(|b| b[0]).copied().unwrap_or([1; 4]);
        image::Rgb([1, 2, 3].map(|k| ((most[k] + most[0] / 2) / most[0].max(1)) as u8))
    })
}

/// The painted look twice, darkened along the edges.
pub(super) fn comic(picture: &RgbImage, reach: u32, ink: f32) -> RgbImage {
    /// Sobel magnitude, in grey levels a pixel, of the strongest lines.
    const STRONG: f32 = 40.0;
    let mut flat = painterly(&painterly(picture, reach), reach);
    let light = imageops::fast_blur(&imageops::grayscale(picture), 0.8);
    let (width, height) = light.dimensions();
    let at = |x: i64, y: i64| {
        let inside = |v: i64, size: u32| v.clamp(0, i64::from(size) - 1) as u32;
        f32::from(light.get_pixel(inside(x, width), inside(y, height)).0[0])
    };
    for (x, y, pixel) in flat.enumerate_pixels_mut() {
        let (x, y) = (i64::from(x), i64::from(y));
        let slope = |f: &dyn Fn(i64, i64) -> f32| {
            (f(1, -1) + 2.0 * f(1, 0) + f(1, 1) - f(-1, -1) - 2.0 * f(-1, 0) - f(-1, 1)) / 8.0
        };
        let across = slope(&|u, v| at(x + u, y + v));
        let down = slope(&|u, v| at(x + v, y + u));
        let edge = (across.hypot(down) / STRONG).min(1.0);
        pixel.0 = pixel
            .0
            .map(|v| (f32::from(v) * (1.0 - ink * edge)).round() as u8);
    }
    flat
}

/// Levels divided by the blurred picture (colour dodge).
pub(super) fn pencil(picture: &RgbImage, sigma: f32, colour: f32) -> RgbImage {
    let light = imageops::grayscale(picture);
    let soft = imageops::fast_blur(&light, sigma);
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
        let rgb = picture.get_pixel(x, y).0;
        let own = f32::from(light.get_pixel(x, y).0[0]);
        let line = (own * 255.0 / f32::from(soft.get_pixel(x, y).0[0]).max(1.0)).min(255.0);
        let own = grey(rgb);
        image::Rgb(rgb.map(|v| {
            let v = line + colour * (f32::from(v) - own);
            v.round().clamp(0.0, 255.0) as u8
        }))
    })
}

/// Luma (ITU-R BT.601).
fn grey([r, g, b]: [u8; 3]) -> f32 {
    0.299 * f32::from(r) + 0.587 * f32::from(g) + 0.114 * f32::from(b)
}
