//! What is kept of a picture while a data set is checked.

use std::path::Path;

use image::RgbImage;
use realscope_delivery::{Filter, resize};
use realscope_media::{Format, Limits, Options, decode};
use sha2::{Digest as _, Sha256};

use crate::clip;

/// One item as the checks see it.
pub(super) struct Seen {
    pub hash: [u8; 32],
    pub perceptual: u64,
    pub format: String,
    pub size: [f32; 3],
    pub quality: [f32; 3],
    pub thumbnail: Vec<f32>,
}

/// Looks at a picture, or at the middle frame of a video.
pub(super) fn look(path: &Path) -> Result<Seen, String> {
    if clip::is_video(path).map_err(|e| e.to_string())? {
        return look_at_video(path);
    }
    let bytes = std::fs::read(path).map_err(|e| e.to_string())?;
    let limits = Limits::default();
    let d = decode(&bytes, &limits, &Options::default()).map_err(|e| e.to_string())?;
    let small = resize(&d.pixels, 32, 32, Filter::Box).map_err(|e| e.to_string())?;
    let (w, h) = (f64::from(d.facts.width), f64::from(d.facts.height));
    let jpeg = d.facts.jpeg.as_ref();
    Ok(Seen {
        hash: Sha256::digest(&bytes).into(),
        perceptual: difference_hash(&d.pixels).unwrap_or(0),
        format: d.facts.format.name().into(),
        size: [w.ln() as f32, h.ln() as f32, (w / h).ln().abs() as f32],
        quality: [
            jpeg.map_or(101.0, |j| f32::from(j.quality)),
            jpeg.map_or(0.0, |j| f32::from(u8::from(j.progressive))),
            jpeg.map_or(0.0, |j| {
                f32::from(u8::from(!j.double_compression_hints.is_empty()))
            }),
        ],
        thumbnail: small
            .as_raw()
            .iter()
            .map(|v| f32::from(*v) / 255.0)
            .collect(),
    })
}

/// A video by its middle frame; of its encoding nothing but that it is one.
fn look_at_video(path: &Path) -> Result<Seen, String> {
    let picture = clip::middle(path)
        .map_err(|e| e.to_string())?
        .ok_or("no frames")?;
    let small = resize(&picture, 32, 32, Filter::Box).map_err(|e| e.to_string())?;
    let (w, h) = (f64::from(picture.width()), f64::from(picture.height()));
    let mut hash = Sha256::new();
    std::fs::File::open(path)
        .and_then(|mut file| std::io::copy(&mut file, &mut hash))
        .map_err(|e| e.to_string())?;
    Ok(Seen {
        hash: hash.finalize().into(),
        perceptual: difference_hash(&picture).unwrap_or(0),
        format: Format::Video.name().into(),
        size: [w.ln() as f32, h.ln() as f32, (w / h).ln().abs() as f32],
        quality: [101.0, 0.0, 0.0],
        thumbnail: small.as_raw().iter().map(|v| f32::from(*v)).collect(),
    })
}

/// Difference hash: 64 signs of neighbours in a 9 x 8 grey thumbnail.
fn difference_hash(picture: &RgbImage) -> Option<u64> {
    let small = resize(picture, 9, 8, Filter::Box).ok()?;
    let grey = |x, y| {
        let p = small.get_pixel(x, y).0.map(u32::from);
        299 * p[0] + 587 * p[1] + 114 * p[2]
    };
    let mut hash = 0;
    for y in 0..8 {
        for x in 0..8 {
            hash = hash << 1 | u64::from(grey(x, y) > grey(x + 1, y));
        }
    }
    Some(hash)
}
