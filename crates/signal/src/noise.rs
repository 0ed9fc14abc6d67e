//! Noise residual and its level (Immerkaer, "Fast Noise Variance Estimation", CVIU 1996).

use crate::Plane;

/// Plane minus its 3x3 median, borders repeated: noise, and the finest texture.
#[must_use]
pub fn residual(plane: &Plane) -> Plane {
    let (w, h) = (plane.width, plane.height);
    let mut out = Plane::new(w, h);
    for y in 0..h {
        for x in 0..w {
            let mut around = [0.0_f32; 9];
            for (i, v) in around.iter_mut().enumerate() {
                let sx = (x + i % 3).saturating_sub(1).min(w - 1);
                let sy = (y + i / 3).saturating_sub(1).min(h - 1);
                *v = plane.at(sx, sy);
            }
            around.sort_by(f32::total_cmp);
            out.values[y * w + x] = plane.at(x, y) - around[4];
        }
    }
    out
}

/// Standard deviation of additive noise in grey levels, from the mean absolute response to
/// `[1 -2 1; -2 4 -2; 1 -2 1]` times `sqrt(pi / 2) / 6`. `None` under 3 pixels on a side.
#[must_use]
pub fn level(plane: &Plane) -> Option<f64> {
    let (w, h) = (plane.width, plane.height);
    if w < 3 || h < 3 {
        return None;
    }
    let mut sum = 0.0;
    for y in 1..h - 1 {
        for x in 1..w - 1 {
            let p = |dx: usize, dy: usize| plane.at(x + dx - 1, y + dy - 1);
            let response = p(0, 0) + p(2, 0) + p(0, 2) + p(2, 2)
                - 2.0 * (p(1, 0) + p(0, 1) + p(2, 1) + p(1, 2))
                + 4.0 * p(1, 1);
            sum += f64::from(response.abs());
        }
    }
    let count = ((w - 2) * (h - 2)) as f64;
    Some((std::f64::consts::FRAC_PI_2).sqrt() / 6.0 * sum / count)
}
