//! Maps at another size, one side at a time: each side is a matrix product with constants.
//!
//! A matrix runs in every engine and has a gradient, and its numbers are PyTorch's by construction. ONNX has an
//! operator for it (`Resize`), but rten's knows no cubic filter.

/// Which neighbours make a resampled value. No filter widens when a map shrinks (no antialias).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// The two nearest, linearly.
    Bilinear,
    /// The four nearest by Keys' cubic convolution with `a = -0.75` (Keys, IEEE TASSP 1981, eq. 4; PyTorch's
    /// `bicubic`).
    Bicubic,
}

/// Where the places of the new map lie in the old one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Grid {
    /// Pixels are areas: `(i + 1/2) old / new - 1/2` (`align_corners` off).
    HalfPixel,
    /// The outermost pixels stay where they are: `i (old - 1) / (new - 1)` (`align_corners` on).
    Corners,
    /// As [`Grid::HalfPixel`] with a factor for rows and one for columns that need not be `new / old`:
    /// `(i + 1/2) / factor - 1/2`.
    Factors([f64; 2]),
}

/// How a map is resampled.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Resampling {
    /// Which neighbours make a value.
    pub filter: Filter,
    /// Where places lie.
    pub grid: Grid,
}

/// Rows of `[to, from]` that hold the weight of each old value in each new one; `side` is 0 for rows, 1 for columns.
/// Beyond the edge its last value counts.
pub(crate) fn weights(how: Resampling, side: usize, from: usize, to: usize) -> Vec<f32> {
    let place = |i: usize| {
        let i = i as f64;
        match how.grid {
            Grid::HalfPixel => (i + 0.5) * from as f64 / to as f64 - 0.5,
            Grid::Corners if to > 1 => i * (from - 1) as f64 / (to - 1) as f64,
            Grid::Corners => 0.0,
            Grid::Factors(factors) => (i + 0.5) / factors[side] - 0.5,
        }
    };
    let mut out = vec![0.0_f32; to * from];
    for (i, row) in out.chunks_exact_mut(from.max(1)).enumerate() {
        let place = place(i);
        let (first, t) = (place.floor(), place - place.floor());
        let taps: &[(f64, f64)] = &match how.filter {
            Filter::Bilinear => [(0.0, 1.0 - t), (1.0, t), (0.0, 0.0), (0.0, 0.0)],
            Filter::Bicubic => {
                [-1.0, 0.0, 1.0, 2.0].map(|offset: f64| (offset, cubic((t - offset).abs())))
            }
        };
        for (offset, weight) in taps {
            let index = (first + offset).clamp(0.0, from as f64 - 1.0) as usize;
            row[index] += *weight as f32;
        }
    }
    out
}

/// Keys' kernel at distance `x` from 0 to 2.
fn cubic(x: f64) -> f64 {
    const A: f64 = -0.75;
    if x <= 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    }
}

/// Rows of `[to, from]` that hold the means of `to` bins, bin `i` from `floor(i from / to)` up to
/// `ceil((i + 1) from / to)`, which overlap where `to` does not divide `from`.
pub(crate) fn means(from: usize, to: usize) -> Vec<f32> {
    let mut out = vec![0.0_f32; to * from];
    for (i, row) in out.chunks_exact_mut(from.max(1)).enumerate() {
        let (start, end) = (i * from / to, ((i + 1) * from).div_ceil(to));
        row[start..end].fill(1.0 / (end - start) as f32);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: &[f32], expected: &[f32]) {
        assert_eq!(found.len(), expected.len());
        for (f, e) in found.iter().zip(expected) {
            assert!((f - e).abs() < 1e-6, "{found:?}");
        }
    }

    #[test]
    fn weights_by_hand() {
        let how = |filter, grid| Resampling { filter, grid };
        // Places -1/4, 1/4, 3/4, 5/4 of two values.
        let double = weights(how(Filter::Bilinear, Grid::HalfPixel), 0, 2, 4);
        near(&double, &[1.0, 0.0, 0.75, 0.25, 0.25, 0.75, 0.0, 1.0]);
        let corners = weights(how(Filter::Bilinear, Grid::Corners), 0, 2, 3);
        near(&corners, &[1.0, 0.0, 0.5, 0.5, 0.0, 1.0]);
        // Half-way the kernel is -3/32, 19/32, 19/32, -3/32.
        let halved = weights(how(Filter::Bicubic, Grid::HalfPixel), 0, 4, 2);
        let (near_by, far) = (19.0 / 32.0, -3.0 / 32.0);
        near(
            &halved,
            &[
                near_by + far,
                near_by,
                far,
                0.0,
                0.0,
                far,
                near_by,
                near_by + far,
            ],
        );
        // A factor of 1.25 for columns: places -1/10 and 7/10.
        let grid = Grid::Factors([9.0, 1.25]);
        let columns = weights(how(Filter::Bilinear, grid), 1, 2, 2);
        near(&columns, &[1.0, 0.0, 0.3, 0.7]);
    }

    #[test]
    fn bins_overlap_where_sizes_do_not_divide() {
        near(
            &means(5, 3),
            &[
                0.5,
                0.5,
                0.0,
                0.0,
                0.0, //
                0.0,
                1.0 / 3.0,
                1.0 / 3.0,
                1.0 / 3.0,
                0.0, //
                0.0,
                0.0,
                0.0,
                0.5,
                0.5,
            ],
        );
    }
}
