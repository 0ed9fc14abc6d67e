//! Sliding-window map of a detector at native resolution, and its drawing.

use image::{RgbImage, imageops};
use realscope_detectors::{Answer, Card, Sample, pool, prepare};

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
    /// First and one past the last pixel that each column sees.
    across: Vec<[u32; 2]>,
    /// The same of each row.
    down: Vec<[u32; 2]>,
}

/// Computes the map: windows of the detector's input size, at most half a window apart where the
/// picture is small enough. `infer` answers samples in order.
///
/// # Errors
/// Those of `infer`.
pub fn compute<E>(
    card: &Card,
    picture: &RgbImage,
    infer: impl FnOnce(Vec<Sample>) -> Result<Vec<Answer>, E>,
) -> Result<HeatMap, E> {
    let side = card.input.size;
    let (width, height) = picture.dimensions();
    let mut stride = (side / 2).max(1);
    let cells = |size: u32, stride: u32| (size.saturating_sub(side)).div_ceil(stride) as usize + 1;
    while cells(width, stride) * cells(height, stride) > MAX_WINDOWS {
        stride += side / 4;
    }
    let (columns, rows) = (cells(width, stride), cells(height, stride));
    let spans = |count: usize, size: u32| -> Vec<[u32; 2]> {
        let start = |i: usize| (i as u32 * stride).min(size.saturating_sub(side));
        (0..count)
            .map(|i| [start(i), (start(i) + side).min(size)])
            .collect()
    };
    let (across, down) = (spans(columns, width), spans(rows, height));
    let samples: Vec<Sample> = down
        .iter()
        .flat_map(|d| across.iter().map(move |a| (a[0], d[0])))
        .map(|(left, top)| prepare::cut(picture, left, top, side))
        .collect();
    let answers = infer(samples)?;
    let values = pool::logits(card, &answers)
        .into_iter()
        .map(|logit| match &card.calibration {
            Some(c) => c.probability(logit).0 as f32,
            None => (1.0 / (1.0 + (-logit.0).exp())) as f32,
        })
        .collect();
    Ok(HeatMap {
        columns,
        rows,
        values,
        across,
        down,
    })
}

impl HeatMap {
    /// Value of every pixel of the picture, row-major: the mean over the windows that see it.
    #[must_use]
    pub fn pixels(&self) -> Vec<f32> {
        let size = |spans: &[[u32; 2]]| spans.last().map_or(0, |s| s[1]);
        let (width, height) = (size(&self.across), size(&self.down));
        let seen = |spans: &[[u32; 2]], v: u32| -> Vec<usize> {
            let sees = |s: &[u32; 2]| (s[0]..s[1]).contains(&v);
            (0..spans.len()).filter(|i| sees(&spans[*i])).collect()
        };
        let columns: Vec<Vec<usize>> = (0..width).map(|x| seen(&self.across, x)).collect();
        let mut out = Vec::with_capacity(width as usize * height as usize);
        for y in 0..height {
            let rows = seen(&self.down, y);
            // Sums over the rows first: neighbouring pixels share them.
            let sums: Vec<f32> = (0..self.columns)
                .map(|c| rows.iter().map(|r| self.values[r * self.columns + c]).sum())
                .collect();
            out.extend(columns.iter().map(|columns| {
                let sum: f32 = columns.iter().map(|c| sums[*c]).sum();
                sum / (columns.len() * rows.len()).max(1) as f32
            }));
        }
        out
    }

    /// The map over a grey copy of the picture, at most `edge` pixels on the longer side: blue is
    /// low, red is high.
    #[must_use]
    pub fn overlay(&self, picture: &RgbImage, edge: u32) -> RgbImage {
        let (width, height) = picture.dimensions();
        let scale = f64::from(edge) / f64::from(width.max(height).max(1));
        let scale = scale.min(1.0);
        let size = |v: u32| ((f64::from(v) * scale).round() as u32).max(1);
        let base = imageops::thumbnail(picture, size(width), size(height));
        let pixels = self.pixels();
        let source = |v: u32, small: u32, large: u32| {
            ((f64::from(v) + 0.5) / f64::from(small) * f64::from(large)) as u32
        };
        RgbImage::from_fn(base.width(), base.height(), |x, y| {
            let (at_x, at_y) = (
                source(x, base.width(), width).min(width - 1),
                source(y, base.height(), height).min(height - 1),
            );
            let p = pixels[at_y as usize * width as usize + at_x as usize];
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pixel_has_the_mean_of_the_windows_that_see_it() {
        let map = HeatMap {
            columns: 2,
            rows: 1,
            values: vec![0.0, 1.0],
            across: vec![[0, 4], [2, 6]],
            down: vec![[0, 2]],
        };
        let row = [0.0, 0.0, 0.5, 0.5, 1.0, 1.0];
        assert_eq!(map.pixels(), [row, row].concat());
    }
}
