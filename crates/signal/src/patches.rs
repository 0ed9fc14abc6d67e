//! Smash and reconstruct: poor and rich texture patches (Zhong et al., PatchCraft, arXiv
//! 2311.12397, section 3.1).
//!
//! Random patches are ranked by texture; the poorest and the richest make a picture each.
//! Generators render flat areas better than rich ones, or the other way round; the two pictures
//! show the gap.

use image::{RgbImage, imageops};

/// A pair of pictures, each `per_side * patch` pixels square.
#[derive(Clone, Debug, PartialEq)]
pub struct Smashed {
    /// The poorest patches, poorest first, row by row.
    pub poor: RgbImage,
    /// The richest patches, richest first, row by row.
    pub rich: RgbImage,
}

/// Texture of a patch: sum over the channels of absolute differences to the right, lower, diagonal
/// and anti-diagonal neighbours, values in `[0, 1]` (equation 1 of the paper).
#[must_use]
pub fn texture(picture: &RgbImage, left: u32, top: u32, side: u32) -> f64 {
    let at = |x: u32, y: u32| picture.get_pixel(left + x, top + y).0.map(i32::from);
    let distance = |a: [i32; 3], b: [i32; 3]| -> u64 {
        a.iter().zip(b).map(|(a, b)| u64::from(a.abs_diff(b))).sum()
    };
    let mut sum = 0;
    for y in 0..side {
        for x in 0..side {
            let here = at(x, y);
            if x + 1 < side {
                sum += distance(here, at(x + 1, y));
            }
            if y + 1 < side {
                sum += distance(here, at(x, y + 1));
            }
            if x + 1 < side && y + 1 < side {
                sum += distance(here, at(x + 1, y + 1));
                sum += distance(at(x + 1, y), at(x, y + 1));
            }
        }
    }
    sum as f64 / 255.0
}

/// SplitMix64, the generator of the patch positions; the same seed gives the same patches on every
/// platform.
struct Positions(u64);

impl Positions {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let unit = ((z ^ (z >> 31)) >> 11) as f64 * 2.0_f64.powi(-53);
        (unit * f64::from(bound)) as u32
    }
}

/// Draws `3 * per_side^2` patches with `seed` and reconstructs the two pictures. A picture whose
/// shorter side is under `patch` is enlarged to it first; `None` when a size is zero.
#[must_use]
pub fn smash(picture: &RgbImage, patch: u32, per_side: u32, seed: u64) -> Option<Smashed> {
    let (width, height) = picture.dimensions();
    if patch == 0 || per_side == 0 || width == 0 || height == 0 {
        return None;
    }
    if width.min(height) < patch {
        let square = imageops::resize(picture, patch, patch, imageops::FilterType::Triangle);
        return smash(&square, patch, per_side, seed);
    }
    let mut random = Positions(seed);
    let positions: Vec<(u32, u32)> = (0..3 * per_side * per_side)
        .map(|_| {
            let top = random.below(height - patch + 1);
            (random.below(width - patch + 1), top)
        })
        .collect();
    Some(reconstruct(picture, &positions, patch, per_side))
}

/// Ranks the patches at `positions` (left, top) and lays out the poorest and the richest.
///
/// # Panics
/// When a patch leaves the picture or there are fewer than `per_side^2` positions.
#[must_use]
pub fn reconstruct(
    picture: &RgbImage,
    positions: &[(u32, u32)],
    patch: u32,
    per_side: u32,
) -> Smashed {
    let mut ranked: Vec<(f64, (u32, u32))> = positions
        .iter()
        .map(|(left, top)| (texture(picture, *left, *top, patch), (*left, *top)))
        .collect();
    // Stable: patches of equal texture keep the order in which they were drawn.
    ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
    let lay = |order: &mut dyn Iterator<Item = &(f64, (u32, u32))>| {
        let mut out = RgbImage::new(per_side * patch, per_side * patch);
        for (i, (_, (left, top))) in order.take((per_side * per_side) as usize).enumerate() {
            let i = i as u32;
            let view = imageops::crop_imm(picture, *left, *top, patch, patch).to_image();
            imageops::replace(
                &mut out,
                &view,
                i64::from(i % per_side * patch),
                i64::from(i / per_side * patch),
            );
        }
        out
    };
    Smashed {
        poor: lay(&mut ranked.iter()),
        rich: lay(&mut ranked.iter().rev()),
    }
}
