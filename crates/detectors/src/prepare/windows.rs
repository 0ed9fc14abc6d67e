//! Windows at native resolution: several of a picture, or its centre.

use image::RgbImage;
use realscope_delivery as delivery;

use super::sample;
use crate::{Rect, Sample};

/// Positions of `side` that cover `size`: evenly spread, at least one, no two the same.
fn positions(size: u32, side: u32, most: u32) -> Vec<u32> {
    let free = size.saturating_sub(side);
    let wanted = size.div_ceil(side).clamp(1, most);
    if wanted == 1 || free == 0 {
        return vec![free / 2];
    }
    (0..wanted)
        .map(|i| {
            u32::try_from(u64::from(free) * u64::from(i) / u64::from(wanted - 1)).unwrap_or(free)
        })
        .collect()
}

/// Up to `most` native-resolution windows of `side` pixels: from a regular grid, the ones of middle
/// to high texture first, spread over the picture. Flat windows (sky, paper) show how nothing was
/// made and are used only where there is nothing else.
#[must_use]
pub fn windows(picture: &RgbImage, side: u32, most: usize) -> Vec<Sample> {
    let (width, height) = picture.dimensions();
    let mut candidates: Vec<(u32, u32, f64)> = Vec::new();
    for top in positions(height, side, 8) {
        for left in positions(width, side, 8) {
            candidates.push((left, top, texture(picture, left, top, side)));
        }
    }
    if candidates.len() > most {
        // Rank by texture; ties keep the order of the grid.
        candidates.sort_by(|a, b| b.2.total_cmp(&a.2));
        // The highest tenth is often foliage or text, where compression hides every trace.
        let skip = candidates.len() / 10;
        candidates.rotate_left(skip);
        candidates.truncate(most);
        candidates.sort_by_key(|(left, top, _)| (*top, *left));
    }
    candidates
        .into_iter()
        .map(|(left, top, _)| cut(picture, left, top, side))
        .collect()
}

/// Mean absolute difference to the right and lower neighbour of every second pixel, green channel.
fn texture(picture: &RgbImage, left: u32, top: u32, side: u32) -> f64 {
    let (width, height) = picture.dimensions();
    let raw = picture.as_raw();
    let green = |x: u32, y: u32| i32::from(raw[3 * (y as usize * width as usize + x as usize) + 1]);
    let (right, bottom) = ((left + side).min(width), (top + side).min(height));
    let (mut sum, mut count) = (0_u64, 0_u64);
    for y in (top..bottom.saturating_sub(1)).step_by(4) {
        for x in (left..right.saturating_sub(1)).step_by(4) {
            let here = green(x, y);
            sum += u64::from(here.abs_diff(green(x + 1, y)))
                + u64::from(here.abs_diff(green(x, y + 1)));
            count += 1;
        }
    }
    sum as f64 / count.max(1) as f64
}

/// The window at (`left`, `top`); what is smaller than `side` is continued by reflection.
#[must_use]
pub fn cut(picture: &RgbImage, left: u32, top: u32, side: u32) -> Sample {
    let (width, height) = picture.dimensions();
    let w = side.min(width - left.min(width));
    let h = side.min(height - top.min(height));
    let pixels = delivery::crop(picture, left, top, w, h);
    let rect = Rect {
        left,
        top,
        width: w,
        height: h,
    };
    let exact = (w, h) == (side, side);
    let frame = if exact {
        pixels
    } else {
        reflect(&pixels, side)
    };
    sample(frame, rect, false)
}

/// The picture in the middle of a square of `side` pixels, its borders continued by reflection.
#[must_use]
pub fn reflect(picture: &RgbImage, side: u32) -> RgbImage {
    let (width, height) = picture.dimensions();
    let source = |i: u32, size: u32| {
        let offset = i64::from(i) + (i64::from(size) - i64::from(side)).div_euclid(2);
        let period = 2 * i64::from(size);
        let folded = offset.rem_euclid(period);
        if folded < i64::from(size) {
            folded as u32
        } else {
            (period - 1 - folded) as u32
        }
    };
    RgbImage::from_fn(side, side, |x, y| {
        *picture.get_pixel(source(x, width), source(y, height))
    })
}

/// The window of `side` pixels in the middle. What is smaller than `side` lies in the middle of black, and an odd rest
/// is rounded to the even pixel: torchvision's `CenterCrop`, with which published detectors are measured.
#[must_use]
pub fn centre(picture: &RgbImage, side: u32) -> Sample {
    let (width, height) = picture.dimensions();
    // Where the window starts in the picture, or the picture in the window.
    let starts = |size: u32| match size.checked_sub(side) {
        Some(free) => (half_to_even(free), 0),
        None => (0, (side - size) / 2),
    };
    let ((left, across), (top, down)) = (starts(width), starts(height));
    let rect = Rect {
        left,
        top,
        width: side.min(width),
        height: side.min(height),
    };
    let pixels = delivery::crop(picture, left, top, rect.width, rect.height);
    let frame = if pixels.dimensions() == (side, side) {
        pixels
    } else {
        let mut black = RgbImage::new(side, side);
        image::imageops::replace(&mut black, &pixels, across.into(), down.into());
        black
    };
    sample(frame, rect, false)
}

/// Half of `n`, rounded to the even neighbour like Python's `round`.
pub(super) fn half_to_even(n: u32) -> u32 {
    let half = n / 2;
    half + (n % 2) * (half % 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_stay_inside_and_are_of_the_input_size() {
        for (w, h) in [
            (1, 1),
            (5, 300),
            (127, 129),
            (128, 128),
            (4000, 130),
            (641, 480),
        ] {
            let picture = RgbImage::from_fn(w, h, |x, y| image::Rgb([x as u8, y as u8, 7]));
            let samples = windows(&picture, 128, 6);
            assert!(!samples.is_empty() && samples.len() <= 6);
            for sample in samples {
                assert_eq!(sample.frames[0].dimensions(), (128, 128));
                let rect = sample.place.rect;
                assert!(rect.left + rect.width <= w && rect.top + rect.height <= h);
            }
        }
    }

    /// Values of torchvision 0.15's `CenterCrop(4)` on pictures whose pixels are their own coordinates.
    #[test]
    fn the_centre_is_torchvisions() {
        let first = |w, h| {
            let picture = RgbImage::from_fn(w, h, |x, y| image::Rgb([x as u8 + 1, y as u8 + 1, 9]));
            let sample = centre(&picture, 4);
            let rect = sample.place.rect;
            assert_eq!(sample.frames[0].dimensions(), (4, 4));
            assert!(rect.left + rect.width <= w && rect.top + rect.height <= h);
            sample.frames[0].clone()
        };
        // A rest of 1, 3, 5 and 7 pixels starts at 0, 2, 2 and 4.
        for (size, start) in [(4, 0), (5, 0), (6, 1), (7, 2), (8, 2), (9, 2), (11, 4)] {
            assert_eq!(first(size, 4).get_pixel(0, 0)[0], start + 1, "{size}");
            assert_eq!(first(4, size).get_pixel(0, 0)[1], start + 1, "{size}");
        }
        // A picture of 3 x 1 starts at (0, 1) of the window; the rest is black.
        let small = first(3, 1);
        assert_eq!(small.get_pixel(0, 1).0, [1, 1, 9]);
        assert_eq!(small.get_pixel(2, 1).0, [3, 1, 9]);
        assert!((0..4).all(|x| small.get_pixel(x, 0).0 == [0; 3]));
        assert_eq!(small.get_pixel(3, 1).0, [0; 3]);
    }

    #[test]
    fn a_textured_window_is_preferred() {
        let picture = RgbImage::from_fn(1024, 256, |x, y| {
            let v = if x >= 512 {
                ((x * 7 + y * 13) % 64) as u8
            } else {
                90
            };
            image::Rgb([v; 3])
        });
        let samples = windows(&picture, 128, 4);
        assert!(samples.iter().all(|s| s.place.rect.left >= 384));
    }
}
