//! One level of the two-dimensional wavelet transform: Haar and bior1.3 (Mallat 1989; filters of
//! Cohen, Daubechies and Feauveau 1992).
//!
//! Equal to PyWavelets' `dwt2` with mode `symmetric`. Bands: approximation, then differences of
//! rows (`cH`), of columns (`cV`) and diagonal (`cD`).

use crate::Plane;

/// Wavelets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wavelet {
    /// Haar.
    Haar,
    /// Biorthogonal 1.3, as SAFE uses it.
    Bior13,
}

/// Bands of one level.
#[derive(Clone, Debug, PartialEq)]
pub struct Bands {
    /// Low-pass in both directions.
    pub approximation: Plane,
    /// Differences between rows (`cH`).
    pub rows: Plane,
    /// Differences between columns (`cV`).
    pub columns: Plane,
    /// High-pass in both directions (`cD`).
    pub diagonal: Plane,
}

const S: f64 = std::f64::consts::FRAC_1_SQRT_2;

impl Wavelet {
    /// Low-pass and high-pass decomposition filters.
    fn filters(self) -> (Vec<f64>, Vec<f64>) {
        match self {
            Self::Haar => (vec![S, S], vec![-S, S]),
            Self::Bior13 => (
                [-1.0, 1.0, 8.0, 8.0, 1.0, -1.0]
                    .map(|v| v * S / 8.0)
                    .to_vec(),
                vec![0.0, 0.0, -S, S, 0.0, 0.0],
            ),
        }
    }
}

/// Convolves a line with a filter and keeps every second value, borders continued by reflection
/// with the border sample repeated.
fn line(values: &[f64], filter: &[f64]) -> Vec<f64> {
    let (n, taps) = (values.len() as isize, filter.len() as isize);
    let sample = |i: isize| {
        let folded = i.rem_euclid(2 * n);
        values[(if folded < n {
            folded
        } else {
            2 * n - 1 - folded
        }) as usize]
    };
    (0..(n + taps - 1) / 2)
        .map(|k| {
            let centre = 2 * k + 1;
            (0..taps)
                .map(|j| filter[j as usize] * sample(centre - j))
                .sum()
        })
        .collect()
}

/// One level of the transform; an empty plane gives empty bands.
#[must_use]
pub fn forward(plane: &Plane, wavelet: Wavelet) -> Bands {
    let (low, high) = wavelet.filters();
    let (w, h) = (plane.width, plane.height);
    if w == 0 || h == 0 {
        let empty = Plane::new(0, 0);
        return Bands {
            approximation: empty.clone(),
            rows: empty.clone(),
            columns: empty.clone(),
            diagonal: empty,
        };
    }
    let horizontal = |filter: &[f64]| -> Vec<Vec<f64>> {
        (0..h)
            .map(|y| {
                let row: Vec<f64> = (0..w).map(|x| f64::from(plane.at(x, y))).collect();
                line(&row, filter)
            })
            .collect()
    };
    let vertical = |rows: &[Vec<f64>], filter: &[f64]| -> Plane {
        let width = rows[0].len();
        let columns: Vec<Vec<f64>> = (0..width)
            .map(|x| line(&rows.iter().map(|r| r[x]).collect::<Vec<_>>(), filter))
            .collect();
        let height = columns[0].len();
        let mut out = Plane::new(width, height);
        for (x, column) in columns.iter().enumerate() {
            for (y, value) in column.iter().enumerate() {
                out.values[y * width + x] = *value as f32;
            }
        }
        out
    };
    let (smooth, detail) = (horizontal(&low), horizontal(&high));
    Bands {
        approximation: vertical(&smooth, &low),
        rows: vertical(&smooth, &high),
        columns: vertical(&detail, &low),
        diagonal: vertical(&detail, &high),
    }
}
