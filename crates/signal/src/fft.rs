//! Log power spectrum and its radial profile (Durall et al., CVPR 2020, arXiv 2003.01826).
//!
//! Up-sampling copies the spectrum periodically; generators that up-sample show peaks and an
//! unusual fall-off towards high frequencies.

use rustfft::FftPlanner;
use rustfft::num_complex::Complex;

use crate::Plane;

/// `ln(1 + |F|)` of the plane minus its mean, zero frequency in the centre (`width / 2`,
/// `height / 2`); same sizes.
#[must_use]
pub fn log_spectrum(plane: &Plane) -> Plane {
    let (w, h) = (plane.width, plane.height);
    let mean = plane.mean();
    let mut data: Vec<Complex<f64>> = plane
        .values
        .iter()
        .map(|v| Complex::new(f64::from(*v) - mean, 0.0))
        .collect();
    let mut planner = FftPlanner::new();
    if w > 0 && h > 0 {
        let row = planner.plan_fft_forward(w);
        data.chunks_mut(w).for_each(|r| row.process(r));
        let column = planner.plan_fft_forward(h);
        let mut buffer = vec![Complex::default(); h];
        for x in 0..w {
            for (y, b) in buffer.iter_mut().enumerate() {
                *b = data[y * w + x];
            }
            column.process(&mut buffer);
            for (y, b) in buffer.iter().enumerate() {
                data[y * w + x] = *b;
            }
        }
    }
    let mut out = Plane::new(w, h);
    for y in 0..h {
        for x in 0..w {
            let target = ((y + h / 2) % h) * w + (x + w / 2) % w;
            out.values[target] = data[y * w + x].norm().ln_1p() as f32;
        }
    }
    out
}

/// Mean of a centred spectrum over rings of one pixel, from the centre to the nearest border.
#[must_use]
pub fn radial_profile(spectrum: &Plane) -> Vec<f64> {
    let (cx, cy) = (spectrum.width / 2, spectrum.height / 2);
    let rings = cx.min(cy);
    let mut sums = vec![(0.0, 0_usize); rings];
    for y in 0..spectrum.height {
        for x in 0..spectrum.width {
            let (dx, dy) = (x as f64 - cx as f64, y as f64 - cy as f64);
            let ring = dx.hypot(dy).round() as usize;
            if let Some((sum, count)) = sums.get_mut(ring) {
                *sum += f64::from(spectrum.at(x, y));
                *count += 1;
            }
        }
    }
    sums.into_iter()
        .map(|(sum, count)| sum / count.max(1) as f64)
        .collect()
}
