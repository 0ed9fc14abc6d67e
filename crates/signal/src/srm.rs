//! The 30 high-pass kernels of the spatial rich model (Fridrich and Kodovsky, "Rich Models for
//! Steganalysis of Digital Images", IEEE TIFS 2012, figure 2), in the order and normalisation that
//! PatchCraft and AIDE use: first order (0-7), second (8-11), third (12-19), 3x3 edge (20-23), 5x5
//! edge (24-27), square 3x3 (28) and 5x5 (29). Each is a cross-correlation of integers over a divisor.

use crate::Plane;

/// Number of kernels.
pub const COUNT: usize = 30;

/// Divisor and 5x5 integers (row-major) of each kernel.
#[rustfmt::skip]
pub const KERNELS: [(f32, [i8; 25]); COUNT] = [
    (1.0, [0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, -1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    (1.0, [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, -1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    (1.0, [0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, -1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    (1.0, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, -1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    (1.0, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    (1.0, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]),
    (1.0, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]),
    (1.0, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]),
    (2.0, [0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, -2, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]),
    (2.0, [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, -2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]),
    (2.0, [0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, -2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]),
    (2.0, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, -2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    (3.0, [-1, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, -3, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]),
    (3.0, [0, 0, -1, 0, 0, 0, 0, 3, 0, 0, 0, 0, -3, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]),
    (3.0, [0, 0, 0, 0, -1, 0, 0, 0, 3, 0, 0, 0, -3, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]),
    (3.0, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, -3, 3, -1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    (3.0, [0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, -3, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0, 0, -1]),
    (3.0, [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, -3, 0, 0, 0, 0, 3, 0, 0, 0, 0, -1, 0, 0]),
    (3.0, [0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, -3, 0, 0, 0, 3, 0, 0, 0, -1, 0, 0, 0, 0]),
    (3.0, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -1, 3, -3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    (4.0, [0, 0, 0, 0, 0, 0, -1, 2, -1, 0, 0, 2, -4, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    (4.0, [0, 0, 0, 0, 0, 0, 0, 2, -1, 0, 0, 0, -4, 2, 0, 0, 0, 2, -1, 0, 0, 0, 0, 0, 0]),
    (4.0, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, -4, 2, 0, 0, -1, 2, -1, 0, 0, 0, 0, 0, 0]),
    (4.0, [0, 0, 0, 0, 0, 0, -1, 2, 0, 0, 0, 2, -4, 0, 0, 0, -1, 2, 0, 0, 0, 0, 0, 0, 0]),
    (12.0, [-1, 2, -2, 2, -1, 2, -6, 8, -6, 2, -2, 8, -12, 8, -2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    (12.0, [0, 0, -2, 2, -1, 0, 0, 8, -6, 2, 0, 0, -12, 8, -2, 0, 0, 8, -6, 2, 0, 0, -2, 2, -1]),
    (12.0, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, -2, 8, -12, 8, -2, 2, -6, 8, -6, 2, -1, 2, -2, 2, -1]),
    (12.0, [-1, 2, -2, 0, 0, 2, -6, 8, 0, 0, -2, 8, -12, 0, 0, 2, -6, 8, 0, 0, -1, 2, -2, 0, 0]),
    (4.0, [0, 0, 0, 0, 0, 0, -1, 2, -1, 0, 0, 2, -4, 2, 0, 0, -1, 2, -1, 0, 0, 0, 0, 0, 0]),
    (12.0, [-1, 2, -2, 2, -1, 2, -6, 8, -6, 2, -2, 8, -12, 8, -2, 2, -6, 8, -6, 2, -1, 2, -2, 2, -1]),
];

/// Response of kernel `index` at every pixel, zeros beyond the border.
///
/// # Panics
/// When `index` is 30 or more.
#[must_use]
pub fn filter(plane: &Plane, index: usize) -> Plane {
    let (divisor, kernel) = &KERNELS[index];
    let (width, height) = (plane.width as isize, plane.height as isize);
    let taps: Vec<(isize, isize, f32)> = kernel
        .iter()
        .enumerate()
        .filter(|(_, v)| **v != 0)
        .map(|(i, v)| {
            (
                i as isize % 5 - 2,
                i as isize / 5 - 2,
                f32::from(*v) / divisor,
            )
        })
        .collect();
    let mut out = Plane::new(plane.width, plane.height);
    for y in 0..height {
        for x in 0..width {
            let mut sum = 0.0;
            for (dx, dy, v) in &taps {
                let (sx, sy) = (x + dx, y + dy);
                if (0..width).contains(&sx) && (0..height).contains(&sy) {
                    sum += v * plane.values[(sy * width + sx) as usize];
                }
            }
            out.values[(y * width + x) as usize] = sum;
        }
    }
    out
}

/// Responses of all kernels, in order.
#[must_use]
pub fn bank(plane: &Plane) -> Vec<Plane> {
    (0..COUNT).map(|i| filter(plane, i)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kernel_ignores_a_constant() {
        for (divisor, kernel) in &KERNELS {
            assert_eq!(kernel.iter().map(|v| i32::from(*v)).sum::<i32>(), 0);
            assert!(*divisor > 0.0);
        }
    }
}
