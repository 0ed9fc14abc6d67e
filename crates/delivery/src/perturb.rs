//! Perturbations with exact parameters, and the published sets of them.
//!
//! Each is deterministic: random ones draw from a seed and the picture's path. Severity counts from
//! 1 (mildest). What is not here: H.264 (video).

use image::{RgbImage, imageops};
use rand::prelude::*;
use rand_chacha::ChaCha8Rng;
use crate::{self as delivery, DeliveryError, Filter, Subsampling};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// One operation. Numbers are in pixels or grey levels unless stated.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "op", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Op {
    /// Baseline JPEG, standard tables, 4:2:0.
    Jpeg {
        /// 1 to 100.
        quality: u8,
    },
    /// Lossy WebP.
    Webp {
        /// 1 to 100.
        quality: u8,
    },
    /// AVIF by rav1e at speed 9, 4:4:4.
    Avif {
        /// 1 to 100.
        quality: u8,
    },
    /// Scaling by a factor.
    Scale {
        /// Factor of both sides.
        factor: f64,
        /// `nearest`, `box`, `bilinear`, `bicubic` or `lanczos3`.
        filter: &'static str,
    },
    /// Scaling of the shorter side to a size.
    ShortSide {
        /// Pixels.
        side: u32,
    },
    /// Down by a factor and back up to the former size (bilinear).
    DownUp {
        /// Divisor.
        divisor: f64,
    },
    /// Central crop.
    Crop {
        /// Share of each side that stays.
        keep: f64,
    },
    /// Bars of a colour above and below.
    Letterbox {
        /// Height of the bars as a share of the height.
        share: f64,
    },
    /// Shown on a screen of another density and captured: scaled by 1.25 (bilinear), a frame of
    /// interface grey, scaled back by 0.8, PNG.
    Screenshot,
    /// Gaussian blur.
    Blur {
        /// Standard deviation.
        sigma: f32,
    },
    /// Additive Gaussian noise, each channel by itself.
    Noise {
        /// Standard deviation in grey levels.
        sigma: f32,
    },
    /// Median over a square window.
    Median {
        /// Reach on each side.
        reach: usize,
    },
    /// Unsharp mask.
    Sharpen {
        /// Standard deviation of the blur.
        sigma: f32,
        /// Share of the difference that is added.
        amount: f32,
    },
    /// Denoising: each pixel moves to the mean of its 5x5 neighbours within a range of levels.
    Denoise {
        /// Range in grey levels.
        range: i32,
    },
    /// Painted look: each pixel takes the mean of the calmest of four squares that meet in it (Kuwahara
    /// et al., 1976).
    Painterly {
        /// Side of a square minus one.
        reach: u32,
    },
    /// Oil paint: each pixel takes the mean colour of the commonest of 24 grey levels around it.
    Oil {
        /// Reach on each side.
        reach: u32,
    },
    /// Comic: a painted look with dark lines along the edges.
    Comic {
        /// Side of the squares of the painted look minus one.
        reach: u32,
        /// Share of light that the strongest edges lose.
        ink: f32,
    },
    /// Pencil: levels divided by the blurred picture (colour dodge).
    Pencil {
        /// Standard deviation of the blur.
        sigma: f32,
        /// Share of the colours that stays; 0 is a grey drawing.
        colour: f32,
    },
    /// Factors of brightness, contrast (about 128) and saturation.
    Colour {
        /// Brightness.
        brightness: f32,
        /// Contrast.
        contrast: f32,
        /// Saturation.
        saturation: f32,
    },
    /// Power law of levels in `[0, 1]`.
    Gamma {
        /// Exponent.
        gamma: f32,
    },
    /// A line of block letters over the lower edge.
    Text,
    /// A half-transparent disc in a corner.
    Logo,
    /// Grey 8x8 blocks at random places.
    Blocks {
        /// Number for each 256 x 256 pixels.
        count: u32,
    },
    /// Horizontal mirror image.
    FlipH,
    /// Several in turn.
    Chain {
        /// Operations in order.
        steps: Vec<Op>,
    },
}

/// A named perturbation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Perturbation {
    /// Name in predictions, such as `jpeg-q60`.
    pub name: String,
    /// Curve that it belongs to.
    pub family: String,
    /// Position on the curve, from 1.
    pub severity: u32,
    /// What it does.
    pub op: Op,
}

fn filter(name: &str) -> Filter {
    match name {
        "nearest" => Filter::Nearest,
        "box" => Filter::Box,
        "bilinear" => Filter::Bilinear,
        "bicubic" => Filter::Bicubic,
        _ => Filter::Lanczos3,
    }
}

/// Names of the sets.
pub const SETS: [&str; 17] = [
    "jpeg",
    "webp",
    "avif",
    "resize",
    "crop",
    "blur",
    "noise",
    "benign",
    "drawn",
    "overlay",
    "social",
    "screenshot",
    "genimage",
    "aigcdetect",
    "genvideo",
    "deeperforensics",
    "all",
];

/// The perturbations of a set; `None` for an unknown name.
#[must_use]
pub fn set(name: &str) -> Option<Vec<Perturbation>> {
    fn ladder(family: &str, steps: Vec<(String, Op)>) -> Vec<Perturbation> {
        steps
            .into_iter()
            .enumerate()
            .map(|(i, (suffix, op))| Perturbation {
                name: format!("{family}-{suffix}"),
                family: family.to_owned(),
                severity: i as u32 + 1,
                op,
            })
            .collect()
    }
    let colour = |brightness, contrast, saturation| Op::Colour {
        brightness,
        contrast,
        saturation,
    };
    let jpeg = |quality| Op::Jpeg { quality };
    let scale = |factor, filter| Op::Scale { factor, filter };
    Some(match name {
        "jpeg" => ladder(
            "jpeg",
            [95, 85, 75, 60, 50, 40, 30]
                .map(|q| (format!("q{q}"), jpeg(q)))
                .to_vec(),
        ),
        "webp" => ladder(
            "webp",
            [90, 75, 60, 45, 30]
                .map(|q| (format!("q{q}"), Op::Webp { quality: q }))
                .to_vec(),
        ),
        "avif" => ladder(
            "avif",
            [80, 60, 45, 30]
                .map(|q| (format!("q{q}"), Op::Avif { quality: q }))
                .to_vec(),
        ),
        "resize" => {
            let mut all = Vec::new();
            for f in ["box", "bilinear", "bicubic", "lanczos3"] {
                all.extend(ladder(
                    &format!("down-{f}"),
                    [0.75, 0.5, 0.33]
                        .map(|s| (format!("x{s}"), scale(s, f)))
                        .to_vec(),
                ));
            }
            all.extend(ladder(
                "up-bicubic",
                [1.25, 1.5, 2.0]
                    .map(|s| (format!("x{s}"), scale(s, "bicubic")))
                    .to_vec(),
            ));
            all
        }
        "crop" => [
            ladder(
                "crop",
                [0.9, 0.75, 0.5]
                    .map(|k| (format!("{k}"), Op::Crop { keep: k }))
                    .to_vec(),
            ),
            ladder(
                "letterbox",
                [0.08, 0.15, 0.25]
                    .map(|s| (format!("{s}"), Op::Letterbox { share: s }))
                    .to_vec(),
            ),
        ]
        .concat(),
        "blur" => ladder(
            "blur",
            [0.5, 1.0, 1.5, 2.0, 3.0]
                .map(|s| (format!("s{s}"), Op::Blur { sigma: s }))
                .to_vec(),
        ),
        "noise" => ladder(
            "noise",
            [1.0, 2.0, 4.0, 8.0, 12.0]
                .map(|s| (format!("s{s}"), Op::Noise { sigma: s }))
                .to_vec(),
        ),
        "benign" => [
            ladder(
                "tone",
                vec![
                    ("warm".into(), colour(1.03, 1.05, 1.1)),
                    ("punch".into(), colour(1.05, 1.15, 1.25)),
                    ("bright".into(), colour(1.2, 1.1, 1.3)),
                    ("night-lift".into(), Op::Gamma { gamma: 0.6 }),
                ],
            ),
            ladder(
                "sharpen",
                [0.4, 0.8, 1.5]
                    .map(|a| {
                        (
                            format!("a{a}"),
                            Op::Sharpen {
                                sigma: 1.0,
                                amount: a,
                            },
                        )
                    })
                    .to_vec(),
            ),
            ladder(
                "denoise",
                [6, 12, 20]
                    .map(|r| (format!("r{r}"), Op::Denoise { range: r }))
                    .to_vec(),
            ),
            ladder(
                "median",
                [1, 2]
                    .map(|r| (format!("r{r}"), Op::Median { reach: r }))
                    .to_vec(),
            ),
            ladder(
                "painterly",
                [2, 4, 6]
                    .map(|r| (format!("r{r}"), Op::Painterly { reach: r }))
                    .to_vec(),
            ),
        ]
        .concat(),
        "drawn" => [
            ladder(
                "oil",
                [2, 4, 6]
                    .map(|r| (format!("r{r}"), Op::Oil { reach: r }))
                    .to_vec(),
            ),
            ladder(
                "comic",
                [(1, 0.5), (3, 0.7), (5, 0.9)]
                    .map(|(reach, ink)| (format!("r{reach}"), Op::Comic { reach, ink }))
                    .to_vec(),
            ),
            ladder(
                "pencil",
                [("colour", 0.7), ("grey", 0.0)]
                    .map(|(n, colour)| (n.to_owned(), Op::Pencil { sigma: 4.0, colour }))
                    .to_vec(),
            ),
        ]
        .concat(),
        "overlay" => ladder(
            "overlay",
            vec![("logo".into(), Op::Logo), ("text".into(), Op::Text)],
        ),
        "screenshot" => ladder("screenshot", vec![("1".into(), Op::Screenshot)]),
        "social" => {
            let share = |side, quality| vec![Op::ShortSide { side }, Op::Jpeg { quality }];
            let chain = |steps: &[(u32, u8)]| Op::Chain {
                steps: steps.iter().flat_map(|(s, q)| share(*s, *q)).collect(),
            };
            ladder(
                "social",
                vec![
                    ("once".into(), chain(&[(1080, 82)])),
                    ("twice".into(), chain(&[(1080, 82), (720, 72)])),
                    ("thrice".into(), chain(&[(1080, 82), (720, 72), (480, 60)])),
                ],
            )
        }
        "genimage" => [
            ladder(
                "genimage-lr",
                [112, 64]
                    .map(|s| (s.to_string(), Op::ShortSide { side: s }))
                    .to_vec(),
            ),
            ladder(
                "genimage-jpeg",
                [65, 30].map(|q| (format!("q{q}"), jpeg(q))).to_vec(),
            ),
            ladder(
                "genimage-blur",
                [3.0, 5.0]
                    .map(|s| (format!("s{s}"), Op::Blur { sigma: s }))
                    .to_vec(),
            ),
        ]
        .concat(),
        "aigcdetect" => [
            ladder("aigcdetect-jpeg", vec![("q95".into(), jpeg(95))]),
            ladder(
                "aigcdetect-blur",
                vec![("s1".into(), Op::Blur { sigma: 1.0 })],
            ),
            ladder(
                "aigcdetect-resize",
                vec![("x0.5".into(), scale(0.5, "bilinear"))],
            ),
        ]
        .concat(),
        "genvideo" => [
            ladder("genvideo-jpeg", vec![("q35".into(), jpeg(35))]),
            ladder("genvideo-flip", vec![("h".into(), Op::FlipH)]),
            // A kernel of 7 pixels means a deviation of 0.3 ((7 - 1) / 2 - 1) + 0.8.
            ladder(
                "genvideo-blur",
                vec![("k7".into(), Op::Blur { sigma: 1.4 })],
            ),
            ladder(
                "genvideo-colour",
                vec![("0.5".into(), colour(1.5, 1.0, 1.0))],
            ),
            ladder("genvideo-imgwater", vec![("1".into(), Op::Logo)]),
            ladder("genvideo-textwater", vec![("1".into(), Op::Text)]),
        ]
        .concat(),
        "deeperforensics" => [
            ladder(
                "dfor-saturation",
                [0.4, 0.3, 0.2, 0.1, 0.0]
                    .map(|s| (format!("{s}"), colour(1.0, 1.0, s)))
                    .to_vec(),
            ),
            ladder(
                "dfor-contrast",
                [0.85, 0.725, 0.6, 0.475, 0.35]
                    .map(|c| (format!("{c}"), colour(1.0, c, 1.0)))
                    .to_vec(),
            ),
            ladder(
                "dfor-blocks",
                [16, 32, 48, 64, 80]
                    .map(|n| (n.to_string(), Op::Blocks { count: n }))
                    .to_vec(),
            ),
            ladder(
                "dfor-noise",
                [0.001_f32, 0.002, 0.005, 0.01, 0.05]
                    .map(|v| {
                        let sigma = 255.0 * v.sqrt();
                        (format!("v{v}"), Op::Noise { sigma })
                    })
                    .to_vec(),
            ),
            ladder(
                "dfor-blur",
                [7.0_f32, 9.0, 13.0, 17.0, 21.0]
                    .map(|k| (format!("k{k}"), Op::Blur { sigma: k / 6.0 }))
                    .to_vec(),
            ),
            ladder(
                "dfor-pixelate",
                [2.0, 3.0, 4.0, 5.0, 6.0]
                    .map(|d| (format!("x{d}"), Op::DownUp { divisor: d }))
                    .to_vec(),
            ),
        ]
        .concat(),
        "all" => SETS[..SETS.len() - 1]
            .iter()
            .filter_map(|s| set(s))
            .flatten()
            .collect(),
        _ => return None,
    })
}

fn rng(seed: u64, path: &str) -> ChaCha8Rng {
    let digest = Sha256::digest(format!("{seed}/{path}"));
    let mut key = [0; 32];
    key.copy_from_slice(&digest);
    ChaCha8Rng::from_seed(key)
}

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
    let (width, height) = picture.dimensions();
    let sized = |v: u32, factor: f64| ((f64::from(v) * factor).round() as u32).max(1);
    Ok(match op {
        Op::Jpeg { quality } => delivery::through_jpeg(picture, *quality, Subsampling::S420)?,
        Op::Webp { quality } => through_webp(picture, *quality)?,
        Op::Avif { quality } => through_avif(picture, *quality)?,
        Op::Scale { factor, filter: f } => delivery::resize(
            picture,
            sized(width, *factor),
            sized(height, *factor),
            filter(f),
        )?,
        Op::ShortSide { side } => {
            let factor = f64::from(*side) / f64::from(width.min(height));
            if factor >= 1.0 {
                picture.clone()
            } else {
                delivery::resize(
                    picture,
                    sized(width, factor),
                    sized(height, factor),
                    Filter::Lanczos3,
                )?
            }
        }
        Op::DownUp { divisor } => {
            let small = delivery::resize(
                picture,
                sized(width, 1.0 / divisor),
                sized(height, 1.0 / divisor),
                Filter::Bilinear,
            )?;
            delivery::resize(&small, width, height, Filter::Bilinear)?
        }
        Op::Crop { keep } => {
            let (w, h) = (sized(width, *keep), sized(height, *keep));
            delivery::crop(picture, (width - w) / 2, (height - h) / 2, w, h)
        }
        Op::Letterbox { share } => {
            let bar = sized(height, *share);
            let mut out = RgbImage::new(width, height + 2 * bar);
            imageops::replace(&mut out, picture, 0, i64::from(bar));
            out
        }
        Op::Screenshot => {
            let shown = delivery::resize(
                picture,
                sized(width, 1.25),
                sized(height, 1.25),
                Filter::Bilinear,
            )?;
            let frame = 24;
            let mut screen = RgbImage::from_pixel(
                shown.width() + 2 * frame,
                shown.height() + 2 * frame,
                image::Rgb([236; 3]),
            );
            imageops::replace(&mut screen, &shown, i64::from(frame), i64::from(frame));
            delivery::resize(
                &screen,
                sized(screen.width(), 0.8),
                sized(screen.height(), 0.8),
                Filter::Bicubic,
            )?
        }
        Op::Blur { sigma } => imageops::blur(picture, *sigma),
        Op::Noise { sigma } => {
            let mut rng = rng(seed, path);
            map(picture, |v| {
                // Box and Muller's transform.
                let u: f32 = 1.0 - rng.random::<f32>();
                let angle = 2.0 * std::f32::consts::PI * rng.random::<f32>();
                v + sigma * (-2.0 * u.ln()).sqrt() * angle.cos()
            })
        }
        Op::Median { reach } => neighbours(picture, *reach, |list, _| {
            list.sort_unstable();
            list[list.len() / 2]
        }),
        Op::Sharpen { sigma, amount } => {
            let soft = imageops::blur(picture, *sigma);
            let mut out = picture.clone();
            for (o, s) in out.iter_mut().zip(soft.iter()) {
                let v = f32::from(*o) + amount * (f32::from(*o) - f32::from(*s));
                *o = v.round().clamp(0.0, 255.0) as u8;
            }
            out
        }
        Op::Denoise { range } => neighbours(picture, 2, |list, centre| {
            let (mut sum, mut n) = (0, 0);
            for v in list.iter() {
                if (i32::from(*v) - i32::from(centre)).abs() <= *range {
                    sum += u32::from(*v);
                    n += 1;
                }
            }
            ((sum + n / 2) / n.max(1)) as u8
        }),
        Op::Painterly { reach } => painterly(picture, *reach),
        Op::Oil { reach } => oil(picture, *reach),
        Op::Comic { reach, ink } => comic(picture, *reach, *ink),
        Op::Pencil { sigma, colour } => pencil(picture, *sigma, *colour),
        Op::Colour {
            brightness,
            contrast,
            saturation,
        } => {
            let mut out = picture.clone();
            for p in out.pixels_mut() {
                let rgb = p.0.map(f32::from);
                let grey = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
                p.0 = rgb.map(|v| {
                    let v = grey + (v - grey) * saturation;
                    let v = (128.0 + (v - 128.0) * contrast) * brightness;
                    v.round().clamp(0.0, 255.0) as u8
                });
            }
            out
        }
        Op::Gamma { gamma } => map(picture, |v| 255.0 * (v / 255.0).powf(*gamma)),
        Op::Text => {
            let mut out = picture.clone();
            let mut rng = rng(seed, path);
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
                            fill(&mut out, left, top, cell, cell, [255; 3], 1.0);
                        }
                    }
                }
                x += 4 * cell;
            }
            out
        }
        Op::Logo => {
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
        Op::Blocks { count } => {
            let mut out = picture.clone();
            let mut rng = rng(seed, path);
            let scale = (width.min(height) / 256).max(1);
            for _ in 0..count * scale {
                let left = rng.random_range(0..width.saturating_sub(8).max(1));
                let top = rng.random_range(0..height.saturating_sub(8).max(1));
                fill(&mut out, left, top, 8, 8, [128; 3], 1.0);
            }
            out
        }
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

fn map(picture: &RgbImage, mut f: impl FnMut(f32) -> f32) -> RgbImage {
    let mut out = picture.clone();
    for v in out.iter_mut() {
        *v = f(f32::from(*v)).round().clamp(0.0, 255.0) as u8;
    }
    out
}

fn fill(
    picture: &mut RgbImage,
    left: u32,
    top: u32,
    width: u32,
    height: u32,
    colour: [u8; 3],
    share: f32,
) {
    for y in top..(top + height).min(picture.height()) {
        for x in left..(left + width).min(picture.width()) {
            let p = picture.get_pixel_mut(x, y);
            for (v, c) in p.0.iter_mut().zip(colour) {
                *v = (share * f32::from(c) + (1.0 - share) * f32::from(*v)).round() as u8;
            }
        }
    }
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

/// Kuwahara's filter; sums over rectangles come from summed-area tables.
fn painterly(picture: &RgbImage, reach: u32) -> RgbImage {
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

fn grey([r, g, b]: [u8; 3]) -> f32 {
    0.299 * f32::from(r) + 0.587 * f32::from(g) + 0.114 * f32::from(b)
}

fn oil(picture: &RgbImage, reach: u32) -> RgbImage {
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

fn comic(picture: &RgbImage, reach: u32, ink: f32) -> RgbImage {
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

fn pencil(picture: &RgbImage, sigma: f32, colour: f32) -> RgbImage {
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

fn through_webp(picture: &RgbImage, quality: u8) -> Result<RgbImage, DeliveryError> {
    let (width, height) = picture.dimensions();
    let fault = || DeliveryError::Size {
        width,
        height,
        reason: "the WebP round trip failed".into(),
    };
    let bytes = webp::Encoder::from_rgb(picture.as_raw(), width, height).encode(f32::from(quality));
    let decoded = webp::Decoder::new(&bytes).decode().ok_or_else(fault)?;
    if decoded.is_alpha() {
        return Err(fault());
    }
    RgbImage::from_raw(width, height, decoded.to_vec()).ok_or_else(fault)
}

fn through_avif(picture: &RgbImage, quality: u8) -> Result<RgbImage, DeliveryError> {
    let (width, height) = picture.dimensions();
    let fault = |reason: String| DeliveryError::Size {
        width,
        height,
        reason,
    };
    let pixels: Vec<rgb::RGB8> = picture
        .pixels()
        .map(|p| rgb::RGB8::new(p.0[0], p.0[1], p.0[2]))
        .collect();
    let encoded = ravif::Encoder::new()
        .with_quality(f32::from(quality))
        .with_speed(9)
        .encode_rgb(ravif::Img::new(&pixels, width as usize, height as usize))
        .map_err(|e| fault(e.to_string()))?;
    let decoded = realscope_media::decode(
        &encoded.avif_file,
        &realscope_media::Limits::default(),
        &realscope_media::Options::default(),
    )
    .map_err(|e| fault(e.to_string()))?;
    Ok(decoded.pixels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_perturbation_runs_repeats_and_has_its_own_name() {
        let picture = RgbImage::from_fn(160, 144, |x, y| {
            image::Rgb([(x * 3) as u8, (y * 5) as u8, (x + y) as u8])
        });
        let all = set("all").expect("known");
        let mut names: Vec<&str> = all.iter().map(|p| p.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all.len());
        for p in &all {
            let a = apply(&picture, &p.op, 7, "a.png").expect("runs");
            assert_eq!(
                a,
                apply(&picture, &p.op, 7, "a.png").expect("runs"),
                "{}",
                p.name
            );
            // A short side of 480 or more leaves a small picture's size alone; all else changes it.
            assert!(a != picture || p.name.starts_with("social"), "{}", p.name);
        }
        let noise = Op::Noise { sigma: 4.0 };
        assert_ne!(
            apply(&picture, &noise, 7, "a.png").expect("runs"),
            apply(&picture, &noise, 7, "b.png").expect("runs")
        );
        assert!(set("nonsense").is_none());
    }

    #[test]
    fn noise_has_its_deviation() {
        let flat = RgbImage::from_pixel(200, 200, image::Rgb([128; 3]));
        let noisy = apply(&flat, &Op::Noise { sigma: 8.0 }, 1, "x").expect("runs");
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
