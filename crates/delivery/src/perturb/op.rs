//! The operations and their parameters.

use serde::Serialize;

use crate::resize::Filter;

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
        /// Resampling.
        filter: Filter,
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
