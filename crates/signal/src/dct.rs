//! Orthonormal DCT-II of 8x8 blocks and of whole pictures.
//!
//! `X(u) = c(u) sum_x f(x) cos(pi (2x + 1) u / 2N)`, `c(0) = sqrt(1/N)`, else `sqrt(2/N)`; the
//! two-dimensional transform is separable. Equal to SciPy's `dctn(type=2, norm="ortho")`.

use std::f64::consts::PI;

use rustfft::FftPlanner;
use rustfft::num_complex::Complex;

use crate::Plane;

/// 8x8 basis: `BASIS[u][x]`.
fn basis() -> [[f32; 8]; 8] {
    std::array::from_fn(|u| {
        let c = if u == 0 { (0.125_f64).sqrt() } else { 0.5 };
        std::array::from_fn(|x| (c * (PI * (2 * x + 1) as f64 * u as f64 / 16.0).cos()) as f32)
    })
}

/// Coefficients of every whole 8x8 block, blocks row by row, each 64 numbers (`8 u + v`, `u` the
/// vertical frequency). Pixels beyond the last whole block are left out.
#[must_use]
pub fn blocks(plane: &Plane) -> Vec<[f32; 64]> {
    let basis = basis();
    let (columns, rows) = (plane.width / 8, plane.height / 8);
    let mut out = Vec::with_capacity(columns * rows);
    for by in 0..rows {
        for bx in 0..columns {
            let mut half = [[0.0_f32; 8]; 8];
            for (y, row) in half.iter_mut().enumerate() {
                for (v, h) in row.iter_mut().enumerate() {
                    *h = (0..8)
                        .map(|x| plane.at(8 * bx + x, 8 * by + y) * basis[v][x])
                        .sum();
                }
            }
            let mut block = [0.0; 64];
            for u in 0..8 {
                for v in 0..8 {
                    block[8 * u + v] = (0..8).map(|y| half[y][v] * basis[u][y]).sum();
                }
            }
            out.push(block);
        }
    }
    out
}

/// DCT of a whole plane, same sizes, `u` (vertical) by `v` (horizontal).
#[must_use]
pub fn global(plane: &Plane) -> Vec<f64> {
    let (w, h) = (plane.width, plane.height);
    let mut values: Vec<f64> = plane.values.iter().map(|v| f64::from(*v)).collect();
    let mut planner = FftPlanner::new();
    for row in values.chunks_mut(w.max(1)) {
        line(row, &mut planner);
    }
    let mut column = vec![0.0; h];
    for x in 0..w {
        for (y, c) in column.iter_mut().enumerate() {
            *c = values[y * w + x];
        }
        line(&mut column, &mut planner);
        for (y, c) in column.iter().enumerate() {
            values[y * w + x] = *c;
        }
    }
    values
}

/// One-dimensional DCT-II by an FFT of the reordered line (Makhoul 1980).
fn line(values: &mut [f64], planner: &mut FftPlanner<f64>) {
    let n = values.len();
    if n == 0 {
        return;
    }
    let mut buffer: Vec<Complex<f64>> = (0..n)
        .map(|i| {
            let source = if i < n.div_ceil(2) {
                2 * i
            } else {
                2 * (n - 1 - i) + 1
            };
            Complex::new(values[source], 0.0)
        })
        .collect();
    planner.plan_fft_forward(n).process(&mut buffer);
    for (k, value) in values.iter_mut().enumerate() {
        let twiddle = Complex::from_polar(1.0, -PI * k as f64 / (2 * n) as f64);
        let scale = if k == 0 {
            1.0 / n as f64
        } else {
            2.0 / n as f64
        };
        *value = scale.sqrt() * (buffer[k] * twiddle).re;
    }
}
