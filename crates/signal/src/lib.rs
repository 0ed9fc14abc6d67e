//! Forensic signals: pure mathematics on pixels, without files, networks or verdicts.
//!
//! One file a signal, each with formula and source. Detectors, heat maps and explanations share
//! them. Open first: [`Plane`], then the signal that you need.

pub mod blocking;
pub mod dct;
pub mod dwt;
pub mod ela;
pub mod fft;
pub mod ghost;
pub mod noise;
pub mod npr;
pub mod patches;
pub mod resampling;
pub mod rich;
pub mod scope;
pub mod srm;
pub mod trajectory;

use image::RgbImage;

/// One channel of a picture, row-major; grey levels are 0 to 255 unless a function says otherwise.
#[derive(Clone, Debug, PartialEq)]
pub struct Plane {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// `width * height` values.
    pub values: Vec<f32>,
}

impl Plane {
    /// A plane of zeros.
    #[must_use]
    pub fn new(width: usize, height: usize) -> Self {
        Self {
            width,
            height,
            values: vec![0.0; width * height],
        }
    }

    /// A plane of given values; `None` when their number does not fit.
    #[must_use]
    pub fn from_values(width: usize, height: usize, values: Vec<f32>) -> Option<Self> {
        (values.len() == width * height).then_some(Self {
            width,
            height,
            values,
        })
    }

    /// Luma of ITU-T T.871 (JPEG): 0.299 R + 0.587 G + 0.114 B.
    #[must_use]
    pub fn luma(picture: &RgbImage) -> Self {
        let values = picture
            .pixels()
            .map(|p| {
                0.299 * f32::from(p.0[0]) + 0.587 * f32::from(p.0[1]) + 0.114 * f32::from(p.0[2])
            })
            .collect();
        Self {
            width: picture.width() as usize,
            height: picture.height() as usize,
            values,
        }
    }

    /// Channel 0 (red), 1 (green) or 2 (blue).
    ///
    /// # Panics
    /// When `index` is above 2.
    #[must_use]
    pub fn channel(picture: &RgbImage, index: usize) -> Self {
        Self {
            width: picture.width() as usize,
            height: picture.height() as usize,
            values: picture.pixels().map(|p| f32::from(p.0[index])).collect(),
        }
    }

    /// Value at a pixel.
    ///
    /// # Panics
    /// Outside the plane.
    #[must_use]
    pub fn at(&self, x: usize, y: usize) -> f32 {
        self.values[y * self.width + x]
    }

    /// Mean of all values; 0 for an empty plane.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.values.iter().map(|v| f64::from(*v)).sum::<f64>() / self.values.len().max(1) as f64
    }
}
