//! The whole picture resized.

use std::borrow::Cow;

use image::RgbImage;
use realscope_delivery::{self as delivery, DeliveryError};

use super::sample;
use super::windows::half_to_even;
use crate::card::Input;
use crate::{Rect, Sample};

/// Ratio of the sides beyond which only the middle of a picture is resized. The same square is shown; a strip of one
/// pixel by a million would otherwise be enlarged to gigabytes of which nearly all is cut away.
const LONGEST: u32 = 32;

/// The whole picture at the input's size, aspect ratio not kept.
///
/// # Errors
/// [`DeliveryError`] of the resizer.
pub fn squash(picture: &RgbImage, input: &Input) -> Result<Sample, DeliveryError> {
    let rect = Rect {
        left: 0,
        top: 0,
        width: picture.width(),
        height: picture.height(),
    };
    let frame = delivery::resize(picture, input.size, input.size, input.filter.into())?;
    Ok(sample(frame, rect, true))
}

/// The picture with its shorter side at the input's size, and of that the centre.
///
/// # Errors
/// [`DeliveryError`] of the resizer.
pub fn shorter_side(picture: &RgbImage, input: &Input) -> Result<Sample, DeliveryError> {
    let side = input.size;
    let rect = central_square(picture, 1.0);
    let picture = middle(picture);
    let (width, height) = picture.dimensions();
    let short = u64::from(width.min(height).max(1));
    let scaled = |v: u32| {
        u32::try_from((u64::from(v) * u64::from(side) + short / 2) / short)
            .unwrap_or(side)
            .max(side)
    };
    let (w, h) = (scaled(width), scaled(height));
    let resized = delivery::resize(&picture, w, h, input.filter.into())?;
    let frame = delivery::crop(&resized, (w - side) / 2, (h - side) / 2, side, side);
    Ok(sample(frame, rect, true))
}

/// The picture with its shorter side at `shorter` pixels, which are no fewer than the input's size, and of that the
/// centre: torchvision's `Resize` and `CenterCrop`, with their rounding (the longer side is rounded down, an odd rest
/// to the even pixel).
///
/// # Errors
/// [`DeliveryError`] of the resizer.
pub fn shorter_side_centre(
    picture: &RgbImage,
    input: &Input,
    shorter: u32,
) -> Result<Sample, DeliveryError> {
    let side = input.size;
    let shorter = shorter.max(side);
    let rect = central_square(picture, f64::from(side) / f64::from(shorter));
    let picture = middle(picture);
    let (width, height) = picture.dimensions();
    let short = u64::from(width.min(height).max(1));
    let scaled = |v: u32| {
        u32::try_from(u64::from(v) * u64::from(shorter) / short)
            .unwrap_or(shorter)
            .max(shorter)
    };
    let (w, h) = (scaled(width), scaled(height));
    let resized = delivery::resize(&picture, w, h, input.filter.into())?;
    let start = |size: u32| half_to_even(size - side);
    let frame = delivery::crop(&resized, start(w), start(h), side, side);
    Ok(sample(frame, rect, true))
}

/// The square in the middle whose side is `share` of the shorter side.
fn central_square(picture: &RgbImage, share: f64) -> Rect {
    let (width, height) = picture.dimensions();
    let short = width.min(height);
    let square = ((f64::from(short) * share).round() as u32).clamp(short.min(1), short);
    Rect {
        left: (width - square) / 2,
        top: (height - square) / 2,
        width: square,
        height: square,
    }
}

/// The picture, or of a long strip the middle.
fn middle(picture: &RgbImage) -> Cow<'_, RgbImage> {
    let (width, height) = picture.dimensions();
    let most = width.min(height).saturating_mul(LONGEST);
    if width.max(height) <= most {
        return Cow::Borrowed(picture);
    }
    let (w, h) = (width.min(most), height.min(most));
    let (left, top) = ((width - w) / 2, (height - h) / 2);
    Cow::Owned(delivery::crop(picture, left, top, w, h))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::card::{Colour, Filter, View};

    fn input(size: u32) -> Input {
        Input {
            size,
            filter: Filter::Bilinear,
            colour: Colour::Rgb,
            mean: [0.5; 3],
            std: [0.5; 3],
            view: View::ShorterSide,
        }
    }

    /// Each pixel is its own coordinates.
    fn picture(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| image::Rgb([x as u8, y as u8, 0]))
    }

    #[test]
    fn a_picture_of_the_inputs_size_is_shown_as_it_is() {
        let p = picture(32, 32);
        for made in [
            squash(&p, &input(32)),
            shorter_side(&p, &input(32)),
            shorter_side_centre(&p, &input(32), 32),
        ] {
            assert_eq!(made.expect("resizes").frames[0], p);
        }
    }

    #[test]
    fn the_centre_of_the_resized_picture_is_shown() {
        // 40 of 45 pixels that the shorter side of 90 becomes: 80 pixels of the picture.
        let made = shorter_side_centre(&picture(200, 90), &input(40), 45).expect("resizes");
        let rect = Rect {
            left: 60,
            top: 5,
            width: 80,
            height: 80,
        };
        assert_eq!(made.place.rect, rect);
        assert!(made.place.whole);
        let [frame] = made.frames.as_slice() else {
            panic!("one frame");
        };
        // Every second pixel of the picture, from the middle of the first two.
        for (x, y) in [(0, 0), (20, 11), (39, 39)] {
            let [red, green, _] = frame.get_pixel(x, y).0.map(i64::from);
            assert!((red - i64::from(60 + 2 * x)).abs() <= 1, "{x}: {red}");
            assert!((green - i64::from(5 + 2 * y)).abs() <= 2, "{y}: {green}");
        }
    }

    #[test]
    fn a_long_strip_shows_its_middle() {
        let strip = RgbImage::from_fn(100_000, 2, |x, _| {
            image::Rgb(
                [if (49_999..50_001).contains(&x) {
                    200
                } else {
                    20
                }; 3],
            )
        });
        for made in [
            shorter_side(&strip, &input(64)),
            shorter_side_centre(&strip, &input(64), 64),
        ] {
            let made = made.expect("resizes");
            assert_eq!(made.place.rect.left, 49_999);
            assert!(made.frames[0].get_pixel(32, 32)[0] > 190);
        }
    }
}
