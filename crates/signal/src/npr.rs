//! Neighbouring pixel relationships (Tan et al., CVPR 2024, arXiv 2312.10461, section 3.2).
//!
//! In each 2x2 cell every pixel minus the top-left one: what nearest or learnt up-sampling by two
//! leaves between neighbours. An odd last row or column is dropped.

use crate::Plane;

/// Differences to the top-left pixel of each cell; sizes are even.
#[must_use]
pub fn relationships(plane: &Plane) -> Plane {
    let (width, height) = (plane.width & !1, plane.height & !1);
    let mut out = Plane::new(width, height);
    for y in 0..height {
        for x in 0..width {
            out.values[y * width + x] = plane.at(x, y) - plane.at(x & !1, y & !1);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_up_sampling_leaves_nothing() {
        let plane = Plane {
            width: 6,
            height: 4,
            values: (0..24)
                .map(|i| ((i % 6) / 2 + 3 * (i / 12)) as f32)
                .collect(),
        };
        assert!(relationships(&plane).values.iter().all(|v| *v == 0.0));
    }
}
