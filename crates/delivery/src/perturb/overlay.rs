//! What covers parts of a picture: letters, a disc, blocks.

use image::RgbImage;
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;

/// A line of block letters over the lower edge.
pub(super) fn text(picture: &RgbImage, mut rng: ChaCha8Rng) -> RgbImage {
    let (width, height) = picture.dimensions();
    let mut out = picture.clone();
    let size = (height / 14).max(6);
    let mut x = size / 2;
    while x + size < width {
        // A letter is a random 3 x 5 pattern: strokes without a font.
        let cell = (size / 5).max(1);
        for row in 0..5 {
            for column in 0..3 {
                if rng.random_bool(0.55) {
                    let left = x + column * cell;
                    let top = height.saturating_sub(size + size / 2) + row * cell;
                    fill(&mut out, left, top, cell, [255; 3]);
                }
            }
        }
        x += 4 * cell;
    }
    out
}

/// A half-transparent disc in the upper right corner.
pub(super) fn logo(picture: &RgbImage) -> RgbImage {
    let (width, height) = picture.dimensions();
    let mut out = picture.clone();
    let r = f64::from(width.min(height)) / 10.0;
    let (cx, cy) = (f64::from(width) - 1.5 * r, 1.5 * r);
    for (x, y, p) in out.enumerate_pixels_mut() {
        if (f64::from(x) - cx).hypot(f64::from(y) - cy) <= r {
            p.0 = p.0.map(|v| ((u16::from(v) + 235) / 2) as u8);
        }
    }
    out
}

/// Grey 8x8 blocks at random places, `count` for each 256 pixels of the shorter side.
pub(super) fn blocks(picture: &RgbImage, count: u32, mut rng: ChaCha8Rng) -> RgbImage {
    let (width, height) = picture.dimensions();
    let mut out = picture.clone();
    let scale = (width.min(height) / 256).max(1);
    for _ in 0..count * scale {
        let left = rng.random_range(0..width.saturating_sub(8).max(1));
        let top = rng.random_range(0..height.saturating_sub(8).max(1));
        fill(&mut out, left, top, 8, [128; 3]);
    }
    out
}

/// Fills the square of `side` pixels at (`left`, `top`), as far as it lies inside.
fn fill(picture: &mut RgbImage, left: u32, top: u32, side: u32, colour: [u8; 3]) {
    for y in top..(top + side).min(picture.height()) {
        for x in left..(left + side).min(picture.width()) {
            picture.get_pixel_mut(x, y).0 = colour;
        }
    }
}
