//! One fixed-length description of how a window was made: statistics of its high-pass residuals.
//!
//! After the spatial rich model (Fridrich and Kodovsky, IEEE TIFS 2012), its colour extension
//! (Goljan, Cogranne and Fridrich, WIFS 2014), radial spectra (Durall et al., CVPR 2020) and block
//! DCT statistics (Frank et al., ICML 2020). Every number is a share or the logarithm of a mean, so
//! windows of different sizes give comparable vectors. What a picture shows enters little: a
//! residual is what remains once a pixel is predicted from its neighbours.
//!
//! The vector is the concatenation of the [`GROUPS`], in that order.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use image::RgbImage;
use realfft::RealFftPlanner;
use rustfft::FftPlanner;

use crate::Plane;
use crate::dct;

/// Smallest side of a window.
pub const MIN_SIDE: u32 = 48;

/// Name and length of each part of the vector.
pub const GROUPS: [(&str, usize); 8] = [
    ("cooccurrence", CO_PAIRS * CO_BINS),
    ("colour_cooccurrence", COLOUR_PAIRS * COLOUR_BINS),
    ("radial_spectrum", 2 * RINGS + RINGS),
    ("lattice_spectrum", 3 * LATTICE),
    ("block_dct", 3 * 63),
    ("block_dct_zero", 2 * 63),
    ("phase", 2 * (2 + 4 + 8)),
    ("noise", NOISE),
];

/// Length of the vector.
pub const LENGTH: usize = {
    let mut sum = 0;
    let mut i = 0;
    while i < GROUPS.len() {
        sum += GROUPS[i].1;
        i += 1;
    }
    sum
};

/// Quantised residuals lie in `-T..=T`.
const T: i32 = 2;
const LEVELS: usize = (2 * T + 1) as usize;
/// Triples of quantised residuals up to sign and direction.
const CO_BINS: usize = 39;
/// Colour triples up to sign.
const COLOUR_BINS: usize = 63;
/// Residual arrangements times quantisation steps.
const CO_PAIRS: usize = 7 * 2;
const COLOUR_PAIRS: usize = 3 * 2;
const RINGS: usize = 32;
const TILE: usize = 64;
/// Points of the lattice of multiples of an eighth of the sampling frequency, without zero.
const LATTICE: usize = 24;
const NOISE: usize = 3 * LAGS + 3 + 3 + 8 + 3;
const LAGS: usize = 8;

/// A residual with integer values, row-major; borders that lack a neighbour are cut off.
struct Residual {
    width: usize,
    height: usize,
    values: Vec<i16>,
}

/// A channel as integers.
struct Grey {
    width: usize,
    height: usize,
    values: Vec<i16>,
}

impl Grey {
    fn luma(picture: &RgbImage) -> Self {
        let values = picture
            .pixels()
            .map(|p| {
                let [r, g, b] = p.0.map(i32::from);
                // 0.299, 0.587 and 0.114 in 16-bit fixed point, rounded.
                ((19595 * r + 38470 * g + 7471 * b + 32768) >> 16) as i16
            })
            .collect();
        Self {
            width: picture.width() as usize,
            height: picture.height() as usize,
            values,
        }
    }

    fn channel(picture: &RgbImage, index: usize) -> Self {
        Self {
            width: picture.width() as usize,
            height: picture.height() as usize,
            values: picture.pixels().map(|p| i16::from(p.0[index])).collect(),
        }
    }

    /// Cross-correlation with integer taps `(dx, dy, weight)` reaching `reach` pixels.
    fn filter(&self, reach: usize, taps: &[(isize, isize, i16)]) -> Residual {
        let (width, height) = (self.width - 2 * reach, self.height - 2 * reach);
        let mut values = vec![0_i16; width * height];
        for (y, row) in values.chunks_exact_mut(width).enumerate() {
            for &(dx, dy, weight) in taps {
                let start = ((y + reach) as isize + dy) * self.width as isize + reach as isize + dx;
                let source = &self.values[start as usize..start as usize + width];
                for (out, v) in row.iter_mut().zip(source) {
                    *out += weight * v;
                }
            }
        }
        Residual {
            width,
            height,
            values,
        }
    }
}

/// All residuals of one channel reach two pixels, so that they lie above each other.
const REACH: usize = 2;
const FIRST_H: &[(isize, isize, i16)] = &[(1, 0, 1), (0, 0, -1)];
const FIRST_V: &[(isize, isize, i16)] = &[(0, 1, 1), (0, 0, -1)];
const SECOND_H: &[(isize, isize, i16)] = &[(-1, 0, 1), (0, 0, -2), (1, 0, 1)];
const SECOND_V: &[(isize, isize, i16)] = &[(0, -1, 1), (0, 0, -2), (0, 1, 1)];
const THIRD_H: &[(isize, isize, i16)] = &[(-1, 0, 1), (0, 0, -3), (1, 0, 3), (2, 0, -1)];
const THIRD_V: &[(isize, isize, i16)] = &[(0, -1, 1), (0, 0, -3), (0, 1, 3), (0, 2, -1)];
#[rustfmt::skip]
const SQUARE: &[(isize, isize, i16)] = &[
    (-1, -1, -1), (0, -1, 2), (1, -1, -1),
    (-1, 0, 2), (0, 0, -4), (1, 0, 2),
    (-1, 1, -1), (0, 1, 2), (1, 1, -1),
];

impl Residual {
    /// Residuals divided by `step`, rounded half away from zero and clipped, as `0..LEVELS`.
    fn quantised(&self, step: i32) -> Vec<u8> {
        self.values
            .iter()
            .map(|v| {
                let v = i32::from(*v);
                let rounded = (2 * v.abs() + step) / (2 * step);
                (v.signum() * rounded).clamp(-T, T)
            })
            .map(|q| (q + T) as u8)
            .collect()
    }

    fn mean_square(&self) -> f64 {
        let sum: f64 = self.values.iter().map(|v| f64::from(*v).powi(2)).sum();
        sum / self.values.len().max(1) as f64
    }
}

/// Maps a triple's index to its class under the given symmetries.
fn classes(reverse: bool) -> Vec<usize> {
    let digits = |i: usize| [i / (LEVELS * LEVELS), i / LEVELS % LEVELS, i % LEVELS];
    let index = |d: [usize; 3]| (d[0] * LEVELS + d[1]) * LEVELS + d[2];
    let mut names: BTreeMap<usize, usize> = BTreeMap::new();
    (0..LEVELS.pow(3))
        .map(|i| {
            let d = digits(i);
            let negative = d.map(|v| LEVELS - 1 - v);
            let mut least = index(d).min(index(negative));
            if reverse {
                let back = |d: [usize; 3]| index([d[2], d[1], d[0]]);
                least = least.min(back(d)).min(back(negative));
            }
            let next = names.len();
            *names.entry(least).or_insert(next)
        })
        .collect()
}

fn line_classes() -> &'static [usize] {
    static CLASSES: OnceLock<Vec<usize>> = OnceLock::new();
    CLASSES.get_or_init(|| classes(true))
}

fn colour_classes() -> &'static [usize] {
    static CLASSES: OnceLock<Vec<usize>> = OnceLock::new();
    CLASSES.get_or_init(|| classes(false))
}

/// Adds triples of neighbours along a row (`along_row`) or a column.
fn count_lines(quantised: &[u8], width: usize, along_row: bool, counts: &mut [u32; 125]) {
    let stride = if along_row { 1 } else { width };
    let height = quantised.len() / width;
    let (columns, rows) = if along_row {
        (width - 2, height)
    } else {
        (width, height - 2)
    };
    for y in 0..rows {
        let start = y * width;
        for x in start..start + columns {
            let triple = usize::from(quantised[x]) * 25
                + usize::from(quantised[x + stride]) * 5
                + usize::from(quantised[x + 2 * stride]);
            counts[triple] += 1;
        }
    }
}

/// Square roots of shares: the variance of a count grows with its mean, that of its root does not.
fn shares(counts: &[u32; 125], classes: &[usize], bins: usize, out: &mut Vec<f32>) {
    let mut sums = vec![0_u64; bins];
    for (count, class) in counts.iter().zip(classes) {
        sums[*class] += u64::from(*count);
    }
    let total: u64 = sums.iter().sum();
    out.extend(
        sums.iter()
            .map(|s| (*s as f64 / total.max(1) as f64).sqrt() as f32),
    );
}

struct Spectrum {
    /// `TILE x TILE` mean power, zero frequency first.
    power: Vec<f64>,
}

/// Mean power spectrum of Hann-windowed tiles, half overlapping.
fn spectrum(plane: &Plane) -> Spectrum {
    let tile = TILE.min(plane.width).min(plane.height);
    let window: Vec<f64> = (0..tile)
        .map(|i| {
            let phase = 2.0 * std::f64::consts::PI * (i as f64 + 0.5) / tile as f64;
            0.5 - 0.5 * phase.cos()
        })
        .collect();
    // In doubles like every transform here: transforms of a second kind would double what is compiled.
    let mut planner = RealFftPlanner::<f64>::new();
    let rows = planner.plan_fft_forward(tile);
    let columns = FftPlanner::<f64>::new().plan_fft_forward(tile);
    let half = tile / 2 + 1;
    let mut sum = vec![0.0_f64; half * tile];
    let starts = |size: usize| {
        let last = size - tile;
        let n = last.div_ceil(tile / 2) + 1;
        (0..n).map(move |i| if n == 1 { 0 } else { last * i / (n - 1) })
    };
    let mut line = rows.make_input_vec();
    let mut buffer = rows.make_output_vec();
    let mut grid = vec![rustfft::num_complex::Complex::new(0.0_f64, 0.0); half * tile];
    let mut tiles = 0.0;
    for top in starts(plane.height) {
        for left in starts(plane.width) {
            tiles += 1.0;
            let mean: f32 = (0..tile)
                .map(|y| {
                    let at = (top + y) * plane.width + left;
                    plane.values[at..at + tile].iter().sum::<f32>()
                })
                .sum::<f32>()
                / (tile * tile) as f32;
            for y in 0..tile {
                let at = (top + y) * plane.width + left;
                for ((l, v), w) in line.iter_mut().zip(&plane.values[at..]).zip(&window) {
                    *l = f64::from(v - mean) * w * window[y];
                }
                if rows.process(&mut line, &mut buffer).is_err() {
                    continue;
                }
                // Transposed, so that the second pass runs over contiguous columns.
                for (u, value) in buffer.iter().enumerate() {
                    grid[u * tile + y] = *value;
                }
            }
            columns.process(&mut grid);
            for (s, value) in sum.iter_mut().zip(&grid) {
                *s += value.norm_sqr();
            }
        }
    }
    // Brought to a full TILE x TILE grid by the nearest frequency where the window was smaller.
    let scale = tile as f64 / TILE as f64;
    let mut power = vec![0.0; TILE * TILE];
    for v in 0..TILE {
        for u in 0..TILE {
            let wrap = |i: usize| ((i as f64 * scale).round() as usize) % tile;
            let (mut u2, mut v2) = (wrap(u), wrap(v));
            if u2 >= half {
                u2 = tile - u2;
                v2 = (tile - v2) % tile;
            }
            power[v * TILE + u] = sum[u2 * tile + v2] / tiles + 1e-3;
        }
    }
    Spectrum { power }
}

impl Spectrum {
    /// Mean log power by ring, relative to the mean over rings.
    fn rings(&self, out: &mut Vec<f32>) -> f64 {
        let mut sums = [(0.0_f64, 0.0_f64); RINGS];
        for v in 0..TILE {
            for u in 0..TILE {
                let fold = |i: usize| i.min(TILE - i) as f64;
                let radius = fold(u).hypot(fold(v)).round() as usize;
                if (1..=RINGS).contains(&radius) {
                    let (sum, count) = &mut sums[radius - 1];
                    *sum += self.power[v * TILE + u].ln();
                    *count += 1.0;
                }
            }
        }
        let values = sums.map(|(s, n)| s / f64::max(n, 1.0));
        let mean = values.iter().sum::<f64>() / RINGS as f64;
        out.extend(values.map(|v| (v - mean) as f32));
        mean
    }

    /// Log power at multiples of an eighth of the sampling frequency, relative to the surroundings:
    /// up-sampling by 2, 4 or 8 and block coding leave peaks there.
    fn lattice(&self, out: &mut Vec<f32>) {
        let step = TILE / 8;
        let at = |u: isize, v: isize| {
            let wrap = |i: isize| i.rem_euclid(TILE as isize) as usize;
            self.power[wrap(v) * TILE + wrap(u)].ln()
        };
        for v in 0..=4_isize {
            for u in 0..=4_isize {
                if u == 0 && v == 0 {
                    continue;
                }
                let (cu, cv) = (u * step as isize, v * step as isize);
                let mut around = 0.0;
                for (du, dv) in [
                    (-3, -2),
                    (-3, 2),
                    (3, -2),
                    (3, 2),
                    (-2, -3),
                    (2, -3),
                    (-2, 3),
                    (2, 3),
                ] {
                    around += at(cu + du, cv + dv) / 8.0;
                }
                out.push((at(cu, cv) - around) as f32);
            }
        }
    }
}

fn chroma(picture: &RgbImage, weights: [f32; 3]) -> Plane {
    Plane {
        width: picture.width() as usize,
        height: picture.height() as usize,
        values: picture
            .pixels()
            .map(|p| {
                p.0.iter()
                    .zip(weights)
                    .map(|(v, w)| f32::from(*v) * w)
                    .sum()
            })
            .collect(),
    }
}

/// `ln` of the mean magnitude and share of near-zero values, for each of 63 frequencies.
fn block_statistics(plane: &Plane, means: &mut Vec<f32>, zeros: Option<&mut Vec<f32>>) {
    let blocks = dct::blocks(plane);
    let n = blocks.len().max(1) as f32;
    for i in 1..64 {
        let mean = blocks.iter().map(|b| b[i].abs()).sum::<f32>() / n;
        means.push((mean + 0.05).ln());
    }
    if let Some(zeros) = zeros {
        for i in 1..64 {
            let small = blocks.iter().filter(|b| b[i].abs() < 0.6).count();
            zeros.push(small as f32 / n);
        }
    }
}

/// Mean squared residual by position modulo `period`, as logarithms relative to their mean.
fn phases(residual: &Residual, along_x: bool, period: usize, out: &mut Vec<f32>) {
    let mut sums = vec![(0.0_f64, 0.0_f64); period];
    for (y, row) in residual.values.chunks_exact(residual.width).enumerate() {
        for (x, v) in row.iter().enumerate() {
            let phase = (if along_x { x } else { y }) % period;
            sums[phase].0 += f64::from(v.unsigned_abs().min(24));
            sums[phase].1 += 1.0;
        }
    }
    let logs: Vec<f64> = sums
        .iter()
        .map(|(s, n)| (s / f64::max(*n, 1.0) + 0.05).ln())
        .collect();
    let mean = logs.iter().sum::<f64>() / period as f64;
    // Where the window begins says nothing, so the order is by size.
    let mut relative: Vec<f32> = logs.iter().map(|l| (l - mean) as f32).collect();
    relative.sort_by(f32::total_cmp);
    out.extend(relative);
}

fn correlation(a: &[i16], b: &[i16]) -> f32 {
    let (mut ab, mut aa, mut bb) = (0.0_f64, 1e-6_f64, 1e-6_f64);
    for (x, y) in a.iter().zip(b) {
        let (x, y) = (f64::from(*x), f64::from(*y));
        ab += x * y;
        aa += x * x;
        bb += y * y;
    }
    (ab / (aa * bb).sqrt()) as f32
}

/// Autocorrelation of a residual at lags along a row, a column and the diagonal.
fn autocorrelation(r: &Residual, out: &mut Vec<f32>) {
    for (dx, dy) in [(1, 0), (0, 1), (1, 1)] {
        for lag in 1..=LAGS {
            let (dx, dy) = (dx * lag, dy * lag);
            let (mut ab, mut aa) = (0.0_f64, 1e-6_f64);
            for y in 0..r.height - dy {
                let here = &r.values[y * r.width..y * r.width + r.width - dx];
                let there = &r.values[(y + dy) * r.width + dx..(y + dy) * r.width + r.width];
                let (mut row_ab, mut row_aa) = (0_i64, 0_i64);
                for (a, b) in here.iter().zip(there) {
                    row_ab += i64::from(*a) * i64::from(*b);
                    row_aa += i64::from(*a) * i64::from(*a);
                }
                ab += row_ab as f64;
                aa += row_aa as f64;
            }
            out.push((ab / aa) as f32);
        }
    }
}

/// The vector of a window; `None` when a side is below [`MIN_SIDE`].
#[must_use]
pub fn describe(picture: &RgbImage) -> Option<Vec<f32>> {
    if picture.width() < MIN_SIDE || picture.height() < MIN_SIDE {
        return None;
    }
    let mut out = Vec::with_capacity(LENGTH);
    let luma = Grey::luma(picture);
    let first = [luma.filter(REACH, FIRST_H), luma.filter(REACH, FIRST_V)];
    let second = [luma.filter(REACH, SECOND_H), luma.filter(REACH, SECOND_V)];
    let third = [luma.filter(REACH, THIRD_H), luma.filter(REACH, THIRD_V)];
    let square = luma.filter(REACH, SQUARE);
    // Along and across the direction of prediction; the square one both ways at once.
    for (pair, steps) in [(&first, [1, 3]), (&second, [1, 4]), (&third, [2, 6])] {
        for step in steps {
            let quantised = [pair[0].quantised(step), pair[1].quantised(step)];
            for along in [true, false] {
                let mut counts = [0; 125];
                count_lines(&quantised[0], pair[0].width, along, &mut counts);
                count_lines(&quantised[1], pair[1].width, !along, &mut counts);
                shares(&counts, line_classes(), CO_BINS, &mut out);
            }
        }
    }
    for step in [2, 7] {
        let quantised = square.quantised(step);
        let mut counts = [0; 125];
        count_lines(&quantised, square.width, true, &mut counts);
        count_lines(&quantised, square.width, false, &mut counts);
        shares(&counts, line_classes(), CO_BINS, &mut out);
    }

    let channels: [Grey; 3] = std::array::from_fn(|i| Grey::channel(picture, i));
    let mut colour_squares = Vec::with_capacity(3);
    for (taps, steps) in [
        ([FIRST_H, FIRST_V], [1, 3]),
        ([SECOND_H, SECOND_V], [1, 4]),
        ([SQUARE, SQUARE], [2, 7]),
    ] {
        let single = std::ptr::eq(taps[0], taps[1]);
        let residuals: Vec<Vec<Residual>> = taps
            .iter()
            .take(if single { 1 } else { 2 })
            .map(|t| channels.iter().map(|c| c.filter(REACH, t)).collect())
            .collect();
        for step in steps {
            let mut counts = [0; 125];
            for three in &residuals {
                let q: Vec<Vec<u8>> = three.iter().map(|r| r.quantised(step)).collect();
                for ((r, g), b) in q[0].iter().zip(&q[1]).zip(&q[2]) {
                    counts[usize::from(*r) * 25 + usize::from(*g) * 5 + usize::from(*b)] += 1;
                }
            }
            shares(&counts, colour_classes(), COLOUR_BINS, &mut out);
        }
        if single {
            colour_squares = residuals.into_iter().flatten().collect();
        }
    }

    let luma_plane = Plane::luma(picture);
    let blue = chroma(picture, [-0.1687, -0.3313, 0.5]);
    let red = chroma(picture, [0.5, -0.4187, -0.0813]);
    let spectra = [spectrum(&luma_plane), spectrum(&blue), spectrum(&red)];
    for s in &spectra {
        s.rings(&mut out);
    }
    for s in &spectra {
        s.lattice(&mut out);
    }
    let mut zeros = Vec::with_capacity(2 * 63);
    block_statistics(&luma_plane, &mut out, Some(&mut zeros));
    block_statistics(&blue, &mut out, Some(&mut zeros));
    block_statistics(&red, &mut out, None);
    out.extend(zeros);

    for period in [2, 4, 8] {
        phases(&first[0], true, period, &mut out);
        phases(&first[1], false, period, &mut out);
    }

    autocorrelation(&square, &mut out);
    for (a, b) in [(0, 1), (1, 2), (0, 2)] {
        out.push(correlation(
            &colour_squares[a].values,
            &colour_squares[b].values,
        ));
    }
    for r in &colour_squares {
        out.push((r.mean_square() + 0.1).ln() as f32);
    }
    // Noise against brightness: sensors grow noisier with light, generators need not.
    let mut bins = [(0.0_f64, 0.0_f64); 8];
    for y in 0..square.height {
        for x in 0..square.width {
            let level = luma.values[(y + REACH) * luma.width + x + REACH];
            let bin = &mut bins[usize::from(level.clamp(0, 255) as u8) / 32];
            bin.0 += f64::from(square.values[y * square.width + x].unsigned_abs().min(60));
            bin.1 += 1.0;
        }
    }
    let all = bins.iter().map(|b| b.0).sum::<f64>() / square.values.len() as f64;
    for (sum, count) in bins {
        // Bins that hardly occur are drawn to the mean.
        out.push(((sum + 50.0 * all) / (count + 50.0) + 0.1).ln() as f32);
    }
    let second_moment = square.mean_square().max(1e-3);
    let fourth = square
        .values
        .iter()
        .map(|v| f64::from(*v).powi(4))
        .sum::<f64>()
        / square.values.len() as f64;
    out.push((fourth / second_moment.powi(2) + 0.1).ln() as f32);
    let clipped = |test: fn(u8) -> bool| {
        let n = picture.as_raw().iter().filter(|v| test(**v)).count();
        (n as f32 / picture.as_raw().len() as f32).sqrt()
    };
    out.push(clipped(|v| v <= 1));
    out.push(clipped(|v| v >= 254));
    debug_assert_eq!(out.len(), LENGTH);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn textured(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| {
            let v = (x * 31 + y * 17 + (x * y) % 23) % 200;
            image::Rgb([v as u8, (v / 2 + x % 7) as u8, (255 - v) as u8])
        })
    }

    #[test]
    fn symmetries_leave_the_stated_number_of_classes() {
        assert_eq!(classes(true).iter().max(), Some(&(CO_BINS - 1)));
        assert_eq!(classes(false).iter().max(), Some(&(COLOUR_BINS - 1)));
    }

    #[test]
    fn the_vector_has_its_length_and_is_finite_at_every_size() {
        for (w, h) in [(48, 48), (48, 301), (97, 64), (256, 256)] {
            let v = describe(&textured(w, h)).expect("large enough");
            assert_eq!(v.len(), LENGTH, "{w} x {h}");
            assert!(v.iter().all(|x| x.is_finite()), "{w} x {h}");
            let flat = describe(&RgbImage::from_pixel(w, h, image::Rgb([9; 3])));
            assert!(flat.expect("large enough").iter().all(|x| x.is_finite()));
        }
        assert_eq!(describe(&textured(47, 400)), None);
    }

    #[test]
    fn mirroring_changes_no_share() {
        let picture = textured(96, 80);
        let mirrored = image::imageops::flip_horizontal(&picture);
        let (a, b) = (describe(&picture), describe(&mirrored));
        let (a, b) = (a.expect("vector"), b.expect("vector"));
        // Second-order residuals are symmetric; bins 4 to 7 of the co-occurrences are theirs.
        for i in 4 * CO_BINS..8 * CO_BINS {
            assert!((a[i] - b[i]).abs() < 1e-6, "{i}");
        }
    }

    #[test]
    fn doubling_pixels_shows_in_the_phases() {
        let small = textured(64, 64);
        let doubled =
            image::imageops::resize(&small, 128, 128, image::imageops::FilterType::Nearest);
        let start: usize = GROUPS[..6].iter().map(|g| g.1).sum();
        let plain = describe(&textured(128, 128)).expect("vector");
        let copied = describe(&doubled).expect("vector");
        let spread = |v: &[f32]| v[start + 1] - v[start];
        assert!(spread(&copied) > 2.0 && spread(&plain) < 1.0);
    }
}
