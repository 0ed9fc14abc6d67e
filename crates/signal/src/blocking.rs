//! Traces of JPEG's 8x8 grid (Fan and de Queiroz, IEEE TIP 2003) and the ghost curve (Farid, "Exposing
//! Digital Forgeries from JPEG Ghosts", IEEE TIFS 2009).

use image::RgbImage;
use realscope_delivery::{self as delivery, DeliveryError, Subsampling};

use crate::Plane;

/// Strength of a blocking grid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grid {
    /// Column of the first block border, 0 to 7 (0 = aligned with the picture's edge).
    pub x: usize,
    /// Row of the first block border.
    pub y: usize,
    /// Mean absolute second difference across borders over that elsewhere, minus one; 0 = no grid.
    pub strength: f64,
}

/// The strongest of the 64 grids. `None` for a picture under 32 pixels on a side.
#[must_use]
pub fn grid(plane: &Plane) -> Option<Grid> {
    let (w, h) = (plane.width, plane.height);
    if w < 32 || h < 32 {
        return None;
    }
    // |b - a - (c - b + ... )| across a border: a step that its neighbours do not continue.
    let step = |a: f32, b: f32, c: f32, d: f32| f64::from((3.0 * (b - c) - (a - d)).abs());
    let (mut columns, mut rows) = ([0.0; 8], [0.0; 8]);
    let (mut column_count, mut row_count) = ([0_usize; 8], [0_usize; 8]);
    for y in 0..h {
        for x in 2..w - 1 {
            columns[x % 8] += step(
                plane.at(x - 2, y),
                plane.at(x - 1, y),
                plane.at(x, y),
                plane.at(x + 1, y),
            );
            column_count[x % 8] += 1;
        }
    }
    for y in 2..h - 1 {
        for x in 0..w {
            rows[y % 8] += step(
                plane.at(x, y - 2),
                plane.at(x, y - 1),
                plane.at(x, y),
                plane.at(x, y + 1),
            );
            row_count[y % 8] += 1;
        }
    }
    let strongest = |sums: [f64; 8], counts: [usize; 8]| {
        let means: [f64; 8] = std::array::from_fn(|i| sums[i] / counts[i].max(1) as f64);
        let best = (0..8)
            .max_by(|a, b| means[*a].total_cmp(&means[*b]))
            .unwrap_or(0);
        let others = (means.iter().sum::<f64>() - means[best]) / 7.0;
        (best, means[best] / others.max(1e-9) - 1.0)
    };
    let ((x, across), (y, down)) = (strongest(columns, column_count), strongest(rows, row_count));
    Some(Grid {
        x,
        y,
        strength: across.min(down).max(0.0),
    })
}

/// Mean squared difference of a picture to itself re-encoded at each quality of `qualities`. A dip
/// below the neighbours marks a quality at which it was encoded before.
///
/// # Errors
/// [`DeliveryError`] of the encoder.
pub fn ghost_curve(picture: &RgbImage, qualities: &[u8]) -> Result<Vec<f64>, DeliveryError> {
    qualities
        .iter()
        .map(|q| {
            let again = delivery::through_jpeg(picture, *q, Subsampling::S444)?;
            let sum: u64 = picture
                .iter()
                .zip(again.iter())
                .map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2))
                .sum();
            Ok(sum as f64 / picture.len().max(1) as f64)
        })
        .collect()
}
