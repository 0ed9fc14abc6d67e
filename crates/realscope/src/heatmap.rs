//! Sliding-window map of a detector at native resolution, and its drawing.

use image::{RgbImage, imageops};
use realscope_detectors::{Detector, DetectorError, Logit, window};

/// Most windows of a map; larger pictures get a wider stride.
const MAX_WINDOWS: usize = 400;

/// Calibrated probability (or a squashed logit, without calibration) on a grid over a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct HeatMap {
    /// Cells across.
    pub columns: usize,
    /// Cells down.
    pub rows: usize,
    /// Row-major, 0 to 1.
    pub values: Vec<f32>,
}

/// Computes the map: windows of the detector's input size, at most half a window apart where the
/// picture is small enough.
///
/// # Errors
/// [`DetectorError`].
pub fn compute(detector: &dyn Detector, picture: &RgbImage) -> Result<HeatMap, DetectorError> {
    let side = detector.map_side();
    let (width, height) = picture.dimensions();
    let mut stride = (side / 2).max(1);
    let cells = |size: u32, stride: u32| (size.saturating_sub(side)).div_ceil(stride) as usize + 1;
    while cells(width, stride) * cells(height, stride) > MAX_WINDOWS {
        stride += side / 4;
    }
    let (columns, rows) = (cells(width, stride), cells(height, stride));
    let at = |i: usize, size: u32| (i as u32 * stride).min(size.saturating_sub(side));
    let views: Vec<RgbImage> = (0..rows)
        .flat_map(|r| (0..columns).map(move |c| (r, c)))
        .map(|(r, c)| window::cut(picture, at(c, width), at(r, height), side).pixels)
        .collect();
    let values = detector
        .map_logits(&views)?
        .into_iter()
        .map(|logit| match &detector.card().calibration {
            Some(c) => c.probability(Logit(logit)).0 as f32,
            None => (1.0 / (1.0 + (-logit).exp())) as f32,
        })
        .collect();
    Ok(HeatMap {
        columns,
        rows,
        values,
    })
}

impl HeatMap {
    /// The map over a grey copy of the picture, at most `edge` pixels on the longer side: blue is
    /// low, red is high.
    #[must_use]
    pub fn overlay(&self, picture: &RgbImage, edge: u32) -> RgbImage {
        let (width, height) = picture.dimensions();
        let scale = f64::from(edge) / f64::from(width.max(height).max(1));
        let scale = scale.min(1.0);
        let size = |v: u32| ((f64::from(v) * scale).round() as u32).max(1);
        let base = imageops::thumbnail(picture, size(width), size(height));
        RgbImage::from_fn(base.width(), base.height(), |x, y| {
            let cell = |v: u32, size: u32, cells: usize| {
                ((f64::from(v) / f64::from(size)) * cells as f64) as usize
            };
            let column = cell(x, base.width(), self.columns).min(self.columns - 1);
            let row = cell(y, base.height(), self.rows).min(self.rows - 1);
            let p = self.values[row * self.columns + column];
            let rgb = base.get_pixel(x, y).0.map(f32::from);
            let grey = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
            let heat = [
                255.0 * p,
                80.0 * (1.0 - (2.0 * p - 1.0).abs()),
                255.0 * (1.0 - p),
            ];
            image::Rgb(heat.map(|h| (0.6 * grey + 0.4 * h).clamp(0.0, 255.0) as u8))
        })
    }
}
