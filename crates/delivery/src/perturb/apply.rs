//! An operation's effect: which function does it.

use image::{RgbImage, imageops};

use super::op::Op;
use super::{codec, detail, overlay, paint, random, scale, tone};
use crate::error::DeliveryError;
use crate::jpeg::{Subsampling, through_jpeg};

/// Applies an operation; `seed` and `path` choose what is random in it.
///
/// # Errors
/// [`DeliveryError`] of a resizer or encoder.
pub fn apply(
    picture: &RgbImage,
    op: &Op,
    seed: u64,
    path: &str,
) -> Result<RgbImage, DeliveryError> {
    Ok(match op {
        Op::Jpeg { quality } => through_jpeg(picture, *quality, Subsampling::S420)?,
        Op::Webp { quality } => codec::webp(picture, *quality)?,
        Op::Avif { quality } => codec::avif(picture, *quality)?,
        Op::Scale { factor, filter } => scale::by(picture, *factor, *filter)?,
        Op::ShortSide { side } => scale::short_side(picture, *side)?,
        Op::DownUp { divisor } => scale::down_up(picture, *divisor)?,
        Op::Crop { keep } => scale::keep_centre(picture, *keep),
        Op::Letterbox { share } => scale::letterbox(picture, *share),
        Op::Screenshot => scale::screenshot(picture)?,
        Op::Blur { sigma } => imageops::blur(picture, *sigma),
        Op::Noise { sigma } => detail::noise(picture, *sigma, random::of(seed, path)),
        Op::Median { reach } => detail::median(picture, *reach),
        Op::Sharpen { sigma, amount } => detail::sharpen(picture, *sigma, *amount),
        Op::Denoise { range } => detail::denoise(picture, *range),
        Op::Painterly { reach } => paint::painterly(picture, *reach),
        Op::Oil { reach } => paint::oil(picture, *reach),
        Op::Comic { reach, ink } => paint::comic(picture, *reach, *ink),
        Op::Pencil { sigma, colour } => paint::pencil(picture, *sigma, *colour),
        Op::Colour {
            brightness,
            contrast,
            saturation,
        } => tone::colour(picture, *brightness, *contrast, *saturation),
        Op::Gamma { gamma } => tone::gamma(picture, *gamma),
        Op::Text => overlay::text(picture, random::of(seed, path)),
        Op::Logo => overlay::logo(picture),
        Op::Blocks { count } => overlay::blocks(picture, *count, random::of(seed, path)),
        Op::FlipH => imageops::flip_horizontal(picture),
        Op::Chain { steps } => {
            let mut p = picture.clone();
            for step in steps {
                p = apply(&p, step, seed, path)?;
            }
            p
        }
    })
}
