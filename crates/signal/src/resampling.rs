//! Periodicity of interpolation (Gallagher, "Detection of Linear and Cubic Interpolation in JPEG
//! Compressed Images", CRV 2005).
//!
//! The variance of the second derivative of a resampled line is periodic with the resampling
//! factor; its spectrum has a peak at the frequency of the factor.

use realfft::RealFftPlanner;

use crate::Plane;

/// The strongest periodicity.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Periodicity {
    /// Cycles a pixel, above 0 and at most 0.5.
    pub frequency: f64,
    /// Height of the peak over the median of the spectrum.
    pub strength: f64,
}

/// Mean absolute horizontal second difference of each column.
fn profile(plane: &Plane) -> Vec<f64> {
    (1..plane.width.saturating_sub(1))
        .map(|x| {
            let sum: f64 = (0..plane.height)
                .map(|y| {
                    f64::from(
                        (2.0 * plane.at(x, y) - plane.at(x - 1, y) - plane.at(x + 1, y)).abs(),
                    )
                })
                .sum();
            sum / plane.height.max(1) as f64
        })
        .collect()
}

/// The strongest horizontal periodicity that is no multiple of 1/8 (JPEG's grid). `None` under 64
/// pixels of width or without any variation.
#[must_use]
pub fn horizontal(plane: &Plane) -> Option<Periodicity> {
    if plane.width < 64 || plane.height == 0 {
        return None;
    }
    let line = profile(plane);
    let mean = line.iter().sum::<f64>() / line.len() as f64;
    // A short moving average removes what the picture shows and leaves what interpolation adds.
    let detrended: Vec<f64> = (0..line.len())
        .map(|i| {
            let window = &line[i.saturating_sub(8)..(i + 9).min(line.len())];
            line[i] - window.iter().sum::<f64>() / window.len() as f64
        })
        .collect();
    if mean <= 0.0 || detrended.iter().all(|v| v.abs() < 1e-9) {
        return None;
    }
    let n = detrended.len();
    let plan = RealFftPlanner::<f64>::new().plan_fft_forward(n);
    let mut input = detrended;
    let mut output = plan.make_output_vec();
    plan.process(&mut input, &mut output).ok()?;
    let magnitudes: Vec<f64> = output.iter().map(|c| c.norm()).collect();
    let frequency = |i: usize| i as f64 / n as f64;
    let grid = |f: f64| (f * 8.0 - (f * 8.0).round()).abs() < 0.04;
    let usable: Vec<usize> = (1..magnitudes.len())
        .filter(|i| frequency(*i) > 0.05 && !grid(frequency(*i)))
        .collect();
    let mut sorted: Vec<f64> = usable.iter().map(|i| magnitudes[*i]).collect();
    sorted.sort_by(f64::total_cmp);
    let median = *sorted.get(sorted.len() / 2)?;
    let best = usable
        .into_iter()
        .max_by(|a, b| magnitudes[*a].total_cmp(&magnitudes[*b]))?;
    Some(Periodicity {
        frequency: frequency(best),
        strength: magnitudes[best] / median.max(1e-12),
    })
}
