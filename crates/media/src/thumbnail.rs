//! Smaller copies of a picture in its file, compared with it: the thumbnail in EXIF, previews behind the picture.

use image::RgbImage;
use image::imageops::{FilterType, crop_imm, resize};
use serde::{Deserialize, Serialize};

use crate::codec::jpeg;
use crate::codec::raw::Samples;
use crate::limits::Limits;
use crate::metadata::exif;
use crate::orientation;
use crate::picture::Options;

/// Below this likeness a smaller copy shows another picture. Of 58 authentic photographs with a thumbnail, the least
/// alike has 0.885.
pub const ANOTHER: f64 = 0.7;

/// Side of the grid on which pictures are compared.
const SIDE: u32 = 32;

/// An embedded thumbnail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Thumbnail {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Correlation of its brightness with that of the picture, both on a grid of 32 x 32: 1 for the same picture.
    pub likeness: f64,
}

/// The thumbnail of an EXIF block, where it is a JPEG that decodes.
pub(crate) fn compare(block: &[u8], picture: &RgbImage, orientation: u8) -> Option<Thumbnail> {
    let bytes = exif::thumbnail(block)?;
    let limits = Limits {
        max_pixels: 1 << 21,
        max_alloc: 32 << 20,
        ..Limits::default()
    };
    let lenient = Options {
        allow_truncated: true,
        ..Options::default()
    };
    let raw = jpeg::decode(&bytes, &limits, &lenient).ok()?;
    let Samples::Rgb8(samples) = raw.samples else {
        return None;
    };
    let own = RgbImage::from_raw(raw.width, raw.height, samples)?;
    Some(Thumbnail {
        width: raw.width,
        height: raw.height,
        likeness: best(own, picture, orientation)?,
    })
}

/// The likeness of a preview behind the picture, where it decodes.
pub(crate) fn of_preview(bytes: &[u8], picture: &RgbImage, orientation: u8) -> Option<f64> {
    let limits = Limits {
        max_pixels: 1 << 24,
        max_alloc: 128 << 20,
        ..Limits::default()
    };
    let lenient = Options {
        allow_truncated: true,
        ..Options::default()
    };
    let own = crate::decode(bytes, &limits, &lenient).ok()?;
    best(own.pixels, picture, orientation)
}

/// The likeness of a smaller copy. Some programs turn the picture and leave the copy, or the other way round.
fn best(own: RgbImage, picture: &RgbImage, orientation: u8) -> Option<f64> {
    let turned = orientation::upright(own.clone(), orientation);
    let each = [own, turned];
    let each = each
        .iter()
        .flat_map(|t| [likeness(t, picture), likeness(&inside(t, picture), picture)])
        .flatten();
    each.fold(None, |best: Option<f64>, v| {
        Some(best.map_or(v, |b| b.max(v)))
    })
}

/// The middle of a thumbnail in the shape of the picture: cameras fill a fixed shape with black bars.
fn inside(thumbnail: &RgbImage, picture: &RgbImage) -> RgbImage {
    let (w, h) = thumbnail.dimensions();
    let (pw, ph) = picture.dimensions();
    let scale = (f64::from(w) / f64::from(pw)).min(f64::from(h) / f64::from(ph));
    let side = |of: u32, limit: u32| ((f64::from(of) * scale).round() as u32).clamp(1, limit);
    let (cw, ch) = (side(pw, w), side(ph, h));
    crop_imm(thumbnail, (w - cw) / 2, (h - ch) / 2, cw, ch).to_image()
}

/// Pearson's correlation of brightness; `None` where one of them is plain.
fn likeness(a: &RgbImage, b: &RgbImage) -> Option<f64> {
    let grid = |p: &RgbImage| -> Vec<f64> {
        // The nearest pixels of a large picture are enough ahead of the mean.
        let small = if p.width().max(p.height()) > 1024 {
            image::imageops::thumbnail(p, SIDE * 8, SIDE * 8)
        } else {
            p.clone()
        };
        resize(&small, SIDE, SIDE, FilterType::Triangle)
            .pixels()
            .map(|p| 0.299 * f64::from(p[0]) + 0.587 * f64::from(p[1]) + 0.114 * f64::from(p[2]))
            .collect()
    };
    let centred = |mut v: Vec<f64>| {
        let mean = v.iter().sum::<f64>() / v.len() as f64;
        v.iter_mut().for_each(|x| *x -= mean);
        v
    };
    let (a, b) = (centred(grid(a)), centred(grid(b)));
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let norm = (dot(&a, &a) * dot(&b, &b)).sqrt();
    // A plain surface is like any other.
    (norm > 1.0).then(|| dot(&a, &b) / norm)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(seed: u32, width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| {
            let (u, v) = (x * 8 / width, y * 8 / height);
            image::Rgb([((u * 31 + v * 17 + u * v * seed) % 8 * 32) as u8; 3])
        })
    }

    #[test]
    fn the_same_picture_is_alike_whatever_its_size_and_bars() {
        let picture = pattern(3, 900, 600);
        assert!(likeness(&pattern(3, 160, 107), &picture).is_some_and(|v| v > 0.98));
        assert!(likeness(&pattern(5, 160, 107), &picture).is_some_and(|v| v < 0.5));
        let mut barred = RgbImage::new(160, 120);
        image::imageops::replace(&mut barred, &pattern(3, 160, 107), 0, 6);
        assert!(likeness(&inside(&barred, &picture), &picture).is_some_and(|v| v > 0.98));
        assert_eq!(likeness(&RgbImage::new(160, 120), &picture), None);
    }
}
