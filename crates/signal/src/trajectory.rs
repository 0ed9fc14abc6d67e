//! How the features of a video's frames move: second differences and curvature.
//!
//! D3 (Zheng et al., ICCV 2025, arXiv 2508.00701) and ReStraV (Internò et al., NeurIPS 2025, arXiv 2507.00583) take the
//! features of any encoder, one vector a frame, evenly spaced in time.

/// What D3 compares neighbouring frames by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Euclidean distance.
    Distance,
    /// Cosine similarity.
    Cosine,
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter()
        .zip(b)
        .map(|(a, b)| f64::from(*a) * f64::from(*b))
        .sum()
}

fn minus(a: &[f32], b: &[f32]) -> Vec<f32> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let norm = |v: &[f32]| dot(v, v).sqrt().max(1e-8);
    (dot(a, b) / (norm(a) * norm(b))).clamp(-1.0, 1.0)
}

/// D3's score: the standard deviation (of a sample) of the second differences of `step`. Generated videos tend to score
/// lower. `None` of fewer than four frames.
#[must_use]
pub fn d3(frames: &[Vec<f32>], step: Step) -> Option<f64> {
    let first: Vec<f64> = frames
        .windows(2)
        .map(|w| match step {
            Step::Distance => {
                let d = minus(&w[1], &w[0]);
                dot(&d, &d).sqrt()
            }
            Step::Cosine => cosine(&w[0], &w[1]),
        })
        .collect();
    let second: Vec<f64> = first.windows(2).map(|w| w[1] - w[0]).collect();
    if second.len() < 2 {
        return None;
    }
    let n = second.len() as f64;
    let mean = second.iter().sum::<f64>() / n;
    let squares: f64 = second.iter().map(|v| (v - mean).powi(2)).sum();
    Some((squares / (n - 1.0)).sqrt())
}

/// How a video's frames lie in the space of their features.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// Euclidean distances between neighbouring frames.
    pub distances: Vec<f64>,
    /// Angles between neighbouring displacements, in degrees.
    pub angles: Vec<f64>,
}

/// The way that `frames` go.
#[must_use]
pub fn path(frames: &[Vec<f32>]) -> Path {
    let moves: Vec<Vec<f32>> = frames.windows(2).map(|w| minus(&w[1], &w[0])).collect();
    let turn = |w: &[Vec<f32>]| cosine(&w[0], &w[1]).acos().to_degrees();
    Path {
        distances: moves.iter().map(|m| dot(m, m).sqrt()).collect(),
        angles: moves.windows(2).map(turn).collect(),
    }
}

/// ReStraV's 21 numbers: the first seven distances of neighbouring frames, the first six angles between neighbouring
/// displacements in degrees, then mean, least, most and variance (of a population) of all distances and of all angles.
/// `None` of fewer than eight frames.
#[must_use]
pub fn restrav(frames: &[Vec<f32>]) -> Option<[f64; 21]> {
    if frames.len() < 8 {
        return None;
    }
    let Path { distances, angles } = path(frames);
    let mut out = [0.0; 21];
    out[..7].copy_from_slice(&distances[..7]);
    out[7..13].copy_from_slice(&angles[..6]);
    for (at, values) in [(13, &distances), (17, &angles)] {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        out[at] = mean;
        out[at + 1] = values.iter().copied().fold(f64::INFINITY, f64::min);
        out[at + 2] = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        out[at + 3] = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows<const N: usize>(rows: [[f32; 3]; N]) -> Vec<Vec<f32>> {
        rows.map(|r| r.to_vec()).to_vec()
    }

    /// Numbers of the published code on given features.
    #[test]
    fn second_differences_are_those_of_the_published_code() {
        let far = rows([
            [0.0, 0.0, 0.0],
            [1.0, 0.0, 0.0],
            [1.0, 2.0, 0.0],
            [4.0, 2.0, 4.0],
            [4.0, 2.0, 5.0],
            [0.0, 5.0, 5.0],
            [0.0, 5.0, -7.0],
            [1.0, 1.0, 1.0],
        ]);
        let score = d3(&far, Step::Distance).expect("a score");
        assert!((score - 4.226_898_193_359_375).abs() < 1e-6, "{score}");
        let turned = rows([
            [1.0, 0.0, 0.0],
            [2.0, 0.0, 0.0],
            [2.0, 2.0, 0.0],
            [5.0, 2.0, 4.0],
            [5.0, 2.0, 5.0],
            [1.0, 5.0, 5.0],
            [1.0, 5.0, -7.0],
            [2.0, 1.0, 1.0],
        ]);
        let score = d3(&turned, Step::Cosine).expect("a score");
        assert!((score - 0.420_612_245_798_110_96).abs() < 1e-6, "{score}");
        assert_eq!(d3(&far[..3], Step::Distance), None);
    }

    #[test]
    fn curvature_is_that_of_the_published_code() {
        let path = rows([
            [0.0, 0.0, 0.0],
            [1.0, 0.0, 0.0],
            [2.0, 0.0, 0.0],
            [2.0, 3.0, 0.0],
            [2.0, 3.0, 4.0],
            [0.0, 3.0, 4.0],
            [2.0, 3.0, 4.0],
            [2.0, 2.0, 4.0],
            [5.0, 2.0, 0.0],
            [5.0, 2.0, 1.0],
        ]);
        let expected = [
            1.0,
            1.0,
            3.0,
            4.0,
            2.0,
            2.0,
            1.0,
            0.0,
            90.0,
            90.0,
            90.0,
            180.0,
            90.0,
            2.222_222_328_186_035,
            1.0,
            5.0,
            1.950_617_313_385_009_8,
            96.641_265_869_140_62,
            0.0,
            180.0,
            2_333.744_628_906_25,
        ];
        let found = restrav(&path).expect("numbers");
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() < 1e-4 * b.max(1.0), "{a} in place of {b}");
        }
        assert_eq!(restrav(&path[..7]), None);
    }
}
