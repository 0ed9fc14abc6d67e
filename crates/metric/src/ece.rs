//! Expected calibration error (Naeini et al., AAAI 2015): mean distance of mean probability and
//! share of positives over bins, weighted by their size.

use crate::scores::Drawn;

/// Number of bins.
pub const BINS: usize = 15;

/// One bin of a reliability diagram.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bin {
    /// Rows, with multiplicity.
    pub n: f64,
    /// Sum of probabilities.
    pub probability: f64,
    /// Positives.
    pub positives: f64,
}

/// Edges of the bins of equal width, 0 and 1 among them.
#[must_use]
pub fn edges() -> [f64; BINS + 1] {
    // As NumPy's linspace computes them, so that a score on an edge falls as it does there.
    std::array::from_fn(|i| {
        if i == BINS {
            1.0
        } else {
            i as f64 * (1.0 / BINS as f64)
        }
    })
}

/// Bins of equal width over `[0, 1]`, closed above: `(i/15, (i+1)/15]`, the first closed on both
/// sides. `None` without rows or when scores are no probabilities.
#[must_use]
pub fn equal_width(v: &Drawn<'_>) -> Option<[Bin; BINS]> {
    if v.total() == 0.0 || !v.are_probabilities() {
        return None;
    }
    let mut bins = [Bin::default(); BINS];
    let edges = edges();
    for (p, positive, t) in v.rows() {
        let index = edges[1..BINS].iter().take_while(|e| p > **e).count();
        add(&mut bins[index], p, positive, t);
    }
    Some(bins)
}

/// Bins of equal mass by rank from low to high; the first `n mod 15` hold one row more. Equal
/// scores keep the order of the data.
#[must_use]
pub fn equal_mass(v: &Drawn<'_>) -> Option<[Bin; BINS]> {
    if v.total() == 0.0 || !v.are_probabilities() {
        return None;
    }
    let n = v.total() as u64;
    let (size, larger) = (n / BINS as u64, n % BINS as u64);
    let mut bins = [Bin::default(); BINS];
    let (mut bin, mut room) = (0, size + u64::from(larger > 0));
    let mut place = |(p, positive, t): (f64, bool, f64)| {
        let mut left = t as u64;
        while left > 0 {
            if room == 0 {
                bin += 1;
                room = size + u64::from((bin as u64) < larger);
                continue;
            }
            let part = left.min(room);
            add(&mut bins[bin], p, positive, part as f64);
            left -= part;
            room -= part;
        }
    };
    // Rows come from high to low; equal ones are put back into the order of the data.
    let mut equal: Vec<(f64, bool, f64)> = Vec::new();
    for row in v.rows().rev() {
        if equal.first().is_some_and(|first| first.0 != row.0) {
            equal.drain(..).rev().for_each(&mut place);
        }
        equal.push(row);
    }
    equal.drain(..).rev().for_each(&mut place);
    Some(bins)
}

fn add(bin: &mut Bin, p: f64, positive: bool, times: f64) {
    bin.n += times;
    bin.probability += times * p;
    bin.positives += times * f64::from(u8::from(positive));
}

/// The error over bins.
#[must_use]
pub fn error(bins: &[Bin]) -> f64 {
    let n: f64 = bins.iter().map(|b| b.n).sum();
    bins.iter()
        .map(|b| (b.probability - b.positives).abs())
        .sum::<f64>()
        / n
}
