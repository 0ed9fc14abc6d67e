//! Random delivery of a training picture. Nothing here knows the class.

use image::{RgbImage, imageops};
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use realscope_data::split::Framing;
use realscope_delivery::perturb::{self, Op};
use realscope_delivery::{self as delivery, DeliveryError, Filter, Subsampling};

use crate::recipe::Augment;

/// Every random choice for one picture, drawn before the picture is touched, so that the members of
/// a pair can share them.
#[derive(Clone, Debug)]
pub struct RandomDelivery {
    x: f64,
    y: f64,
    flip: bool,
    scale: f64,
    filter: Filter,
    first_jpeg: Option<(u8, Subsampling)>,
    blur: Option<f32>,
    noise: Option<(f32, u64)>,
    colour: Option<[f32; 3]>,
    retouch: Option<Op>,
    webp: Option<u8>,
    jpeg: Option<(u8, Subsampling)>,
}

fn jpeg(range: [u8; 2], rng: &mut ChaCha8Rng) -> (u8, Subsampling) {
    let quality = rng.random_range(range[0]..=range[1]);
    let subsampling = if rng.random_bool(0.7) {
        Subsampling::S420
    } else {
        Subsampling::S444
    };
    (quality, subsampling)
}

/// A benign edit.
fn retouch(rng: &mut ChaCha8Rng) -> Op {
    match rng.random_range(0..8) {
        0 => Op::Denoise {
            range: rng.random_range(12..36),
        },
        1 => Op::Median { reach: 1 },
        2 => Op::Sharpen {
            sigma: rng.random_range(0.6..1.6),
            amount: rng.random_range(0.4..1.6),
        },
        3 => Op::Gamma {
            gamma: rng.random_range(0.55..1.7),
        },
        4 => Op::Colour {
            brightness: rng.random_range(0.7..1.25),
            contrast: rng.random_range(0.85..1.35),
            saturation: rng.random_range(0.0..1.6),
        },
        5 => Op::DownUp {
            divisor: rng.random_range(1.5..3.0),
        },
        _ => Op::Painterly {
            reach: rng.random_range(1..5),
        },
    }
}

/// A filter that makes a picture look painted or drawn.
fn drawing(rng: &mut ChaCha8Rng) -> Op {
    match rng.random_range(0..4) {
        0 => Op::Painterly {
            reach: rng.random_range(3..8),
        },
        1 => Op::Oil {
            reach: rng.random_range(2..6),
        },
        2 => Op::Comic {
            reach: rng.random_range(1..5),
            ink: rng.random_range(0.3..0.9),
        },
        _ => Op::Pencil {
            sigma: rng.random_range(2.0..8.0),
            colour: if rng.random_bool(0.3) {
                0.0
            } else {
                rng.random_range(0.4..1.0)
            },
        },
    }
}

impl RandomDelivery {
    /// The delivery, with a filter first that makes the picture look painted or drawn.
    #[must_use]
    pub fn drawn(self, rng: &mut ChaCha8Rng) -> Self {
        Self {
            retouch: Some(drawing(rng)),
            ..self
        }
    }

    /// Draws a delivery.
    pub fn draw(a: &Augment, rng: &mut ChaCha8Rng) -> Self {
        let filters = [
            Filter::Bilinear,
            Filter::Bicubic,
            Filter::Lanczos3,
            Filter::Box,
        ];
        Self {
            x: rng.random(),
            y: rng.random(),
            flip: rng.random_bool(0.5),
            scale: if rng.random_bool(a.scale) {
                rng.random_range(a.scale_range[0]..=a.scale_range[1])
            } else {
                1.0
            },
            filter: *filters.choose(rng).unwrap_or(&Filter::Bicubic),
            first_jpeg: rng
                .random_bool(a.jpeg / 3.0)
                .then(|| jpeg([a.jpeg_range[0].max(70), a.jpeg_range[1]], rng)),
            blur: rng
                .random_bool(a.blur)
                .then(|| rng.random_range(0.3..=a.blur_sigma) as f32),
            noise: rng
                .random_bool(a.noise)
                .then(|| (rng.random_range(0.5..=a.noise_sigma) as f32, rng.random())),
            colour: rng.random_bool(a.colour).then(|| {
                std::array::from_fn(|_| {
                    1.0 + rng.random_range(-a.colour_range..=a.colour_range) as f32
                })
            }),
            // Drawn only where it is asked for, so that earlier recipes keep their random numbers.
            retouch: (a.retouch > 0.0 && rng.random_bool(a.retouch)).then(|| retouch(rng)),
            webp: rng
                .random_bool(a.webp)
                .then(|| rng.random_range(a.webp_range[0]..=a.webp_range[1])),
            jpeg: rng.random_bool(a.jpeg).then(|| jpeg(a.jpeg_range, rng)),
        }
    }

    /// The delivered square of `input` pixels.
    ///
    /// # Errors
    /// [`DeliveryError`] of the encoder.
    pub fn apply(
        &self,
        picture: &RgbImage,
        framing: Framing,
        input: u32,
    ) -> Result<RgbImage, DeliveryError> {
        let p = match framing {
            Framing::Crop => self.window(picture, input)?,
            Framing::Whole => self.whole(picture, input)?,
        };
        let mut p = centre(&self.effects(p, framing == Framing::Crop)?, input);
        if self.flip {
            imageops::flip_horizontal_in_place(&mut p);
        }
        Ok(p)
    }

    /// The whole picture, some of its borders cut off, delivered at its own aspect ratio.
    ///
    /// # Errors
    /// [`DeliveryError`] of the encoder.
    pub fn deliver_whole(&self, picture: &RgbImage) -> Result<RgbImage, DeliveryError> {
        let (width, height) = picture.dimensions();
        let keep = |v: u32, share: f64| ((f64::from(v) * (0.85 + 0.15 * share)) as u32).max(1);
        let (w, h) = (keep(width, self.x), keep(height, self.y));
        let left = (self.y * f64::from(width - w)) as u32;
        let top = (self.x * f64::from(height - h)) as u32;
        let mut p = self.effects(delivery::crop(picture, left, top, w, h), true)?;
        if self.flip {
            imageops::flip_horizontal_in_place(&mut p);
        }
        Ok(p)
    }

    /// Everything that happens on the way, in the order of the fields.
    fn effects(&self, mut p: RgbImage, rescale: bool) -> Result<RgbImage, DeliveryError> {
        if let Some(op) = &self.retouch {
            p = perturb::apply(&p, op, 0, "")?;
        }
        if let Some((quality, subsampling)) = self.first_jpeg {
            p = delivery::through_jpeg(&p, quality, subsampling)?;
        }
        if rescale && self.scale != 1.0 {
            let side = ((f64::from(p.width()) * self.scale).round() as u32).max(16);
            let height = ((f64::from(p.height()) * self.scale).round() as u32).max(16);
            p = delivery::resize(&p, side, height, self.filter)?;
        }
        if let Some(sigma) = self.blur {
            p = imageops::fast_blur(&p, sigma);
        }
        if let Some((sigma, seed)) = self.noise {
            add_noise(&mut p, sigma, seed);
        }
        if let Some(factors) = self.colour {
            shift_colour(&mut p, factors);
        }
        if let Some(quality) = self.webp {
            p = through_webp(&p, quality);
        }
        if let Some((quality, subsampling)) = self.jpeg {
            p = delivery::through_jpeg(&p, quality, subsampling)?;
        }
        Ok(p)
    }

    fn window(&self, picture: &RgbImage, input: u32) -> Result<RgbImage, DeliveryError> {
        let (width, height) = picture.dimensions();
        let side = (f64::from(input) / self.scale).ceil() as u32;
        let (w, h) = (side.min(width), side.min(height));
        let left = (self.x * f64::from(width - w + 1)) as u32;
        let top = (self.y * f64::from(height - h + 1)) as u32;
        Ok(delivery::crop(
            picture,
            left.min(width - w),
            top.min(height - h),
            w,
            h,
        ))
    }

    fn whole(&self, picture: &RgbImage, input: u32) -> Result<RgbImage, DeliveryError> {
        // Down to between the input and the stored size first, so that effects act at a size at
        // which the picture may have been delivered.
        let (width, height) = picture.dimensions();
        let keep = 0.8 + 0.2 * self.x;
        let (w, h) = (
            (f64::from(width) * keep) as u32,
            (f64::from(height) * (0.8 + 0.2 * self.y)) as u32,
        );
        let left = (self.y * f64::from(width - w)) as u32;
        let top = (self.x * f64::from(height - h)) as u32;
        let p = delivery::crop(picture, left, top, w.max(1), h.max(1));
        let small = ((f64::from(input) * self.scale.min(1.0)) as u32).max(48);
        let p = delivery::resize(&p, small, small, self.filter)?;
        delivery::resize(&p, input, input, Filter::Bilinear)
    }
}

/// The central square of at most `side` pixels.
#[must_use]
pub fn centre_at_most(picture: &RgbImage, side: u32) -> RgbImage {
    centre(picture, picture.width().min(picture.height()).min(side))
}

/// The central square of `side` pixels; what is too small is continued by reflection.
#[must_use]
pub fn centre(picture: &RgbImage, side: u32) -> RgbImage {
    let (width, height) = picture.dimensions();
    if width >= side && height >= side {
        return delivery::crop(picture, (width - side) / 2, (height - side) / 2, side, side);
    }
    let source = |i: u32, size: u32| {
        let offset = i64::from(i) + (i64::from(size) - i64::from(side)) / 2;
        let period = 2 * i64::from(size);
        let folded = offset.rem_euclid(period);
        let inside = if folded < i64::from(size) {
            folded
        } else {
            period - 1 - folded
        };
        inside as u32
    };
    RgbImage::from_fn(side, side, |x, y| {
        *picture.get_pixel(source(x, width), source(y, height))
    })
}

fn add_noise(picture: &mut RgbImage, sigma: f32, seed: u64) {
    use rand::SeedableRng;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for v in picture.iter_mut() {
        // Sum of four uniform numbers: near enough to normal, deviation 1/sqrt 3.
        let sum: f32 = (0..4).map(|_| rng.random::<f32>() - 0.5).sum();
        *v = (f32::from(*v) + sigma * sum * 1.732)
            .round()
            .clamp(0.0, 255.0) as u8;
    }
}

fn shift_colour(picture: &mut RgbImage, [brightness, contrast, saturation]: [f32; 3]) {
    for pixel in picture.pixels_mut() {
        let rgb = pixel.0.map(f32::from);
        let grey = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
        for (out, v) in pixel.0.iter_mut().zip(rgb) {
            let v = grey + (v - grey) * saturation;
            let v = 128.0 + (v - 128.0) * contrast;
            *out = (v * brightness).round().clamp(0.0, 255.0) as u8;
        }
    }
}

fn through_webp(picture: &RgbImage, quality: u8) -> RgbImage {
    let (width, height) = picture.dimensions();
    let bytes = webp::Encoder::from_rgb(picture.as_raw(), width, height).encode(f32::from(quality));
    match webp::Decoder::new(&bytes).decode() {
        Some(decoded) if !decoded.is_alpha() => {
            RgbImage::from_raw(width, height, decoded.to_vec()).unwrap_or_else(|| picture.clone())
        }
        _ => picture.clone(),
    }
}
