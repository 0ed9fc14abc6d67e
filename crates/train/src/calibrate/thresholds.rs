//! Thresholds of a calibration: the forced decision, the accusation, and doubt.

use std::collections::{BTreeMap, BTreeSet};

use rand::prelude::*;
use rand_chacha::ChaCha8Rng;
use realscope_detectors::Logit;
use realscope_detectors::calibration::{Band, Calibration, Tier, TierCalibration};

use super::Bars;
use super::scored::Scored;
use crate::tier::TIERS;

/// Largest share of a tier's pictures, about half of them generated, that may be `uncertain` on validation: a fifth. Most
/// of these are generated ones, of which `no_evidence` would be said otherwise.
pub(super) const MOST_UNCERTAIN: f64 = 0.22;

/// The lowest threshold from which pictures are `uncertain` that leaves at most [`MOST_UNCERTAIN`] of every tier there.
/// The other tiers of a picture stand for its re-deliveries.
pub(super) fn doubt_threshold(calibration: &Calibration, scored: &[Scored]) -> f64 {
    /// Tier, probability, whether it looks painted or drawn.
    type Delivered = (Tier, f64, bool);
    let mut pictures: BTreeMap<(&str, bool), Vec<Delivered>> = BTreeMap::new();
    for s in scored {
        let p = calibration.probability(Logit(s.logit)).0;
        let deliveries = pictures.entry((&s.item.path, s.stored)).or_default();
        deliveries.push((s.tier, p, s.artwork));
    }
    let accuse = calibration.generated_threshold;
    let decision = calibration.decision_threshold;
    let bar = accuse.unwrap_or(1.0).max(decision);
    let uncertain = |tier: Tier, doubt: f64| {
        let with = Calibration {
            doubt_threshold: Some(doubt),
            tiers: Vec::new(),
            ..calibration.clone()
        };
        let (mut n, mut doubtful) = (0, 0);
        for deliveries in pictures.values() {
            let low = deliveries.iter().map(|d| d.1).fold(1.0, f64::min);
            let high = deliveries.iter().map(|d| d.1).fold(0.0, f64::max);
            for (_, p, artwork) in deliveries.iter().filter(|d| d.0 == tier) {
                n += 1;
                let band = with.band(*p, [low, high], accuse);
                let held_back = band == Band::Generated && *artwork;
                doubtful += usize::from(band == Band::Doubt || held_back);
            }
        }
        doubtful as f64 / f64::from(n.max(1))
    };
    let steps = ((bar - decision) / 0.005).floor().max(0.0) as u32;
    (0..=steps)
        .map(|i| decision + 0.005 * f64::from(i))
        .find(|t| {
            TIERS
                .iter()
                .all(|tier| uncertain(*tier, *t) <= MOST_UNCERTAIN)
        })
        .unwrap_or(bar)
}

/// Resamples of groups behind intervals and [`accusing_threshold`].
pub(super) const RESAMPLES: u64 = 400;

/// The lowest threshold at which false accusations stay rare on groups like the validation ones, and its
/// recall: the upper bound of the false-positive rate's 95% interval by group is at most that of `bars`, and so is the
/// rate of every kind of content with enough of them. The rate over all pictures alone would let one kind of
/// authentic picture be accused again and again.
pub(super) fn accusing_threshold(
    scored: &[Scored],
    beside: &[Scored],
    probability: &dyn Fn(&Scored) -> f32,
    bars: Bars,
) -> Option<(f64, f64)> {
    let mut groups: BTreeMap<&str, Vec<f32>> = BTreeMap::new();
    let mut positives = Vec::new();
    let mut kinds: BTreeMap<&str, (BTreeSet<&str>, Vec<f32>)> = BTreeMap::new();
    for s in scored.iter().chain(beside) {
        // What looks painted or drawn is accused at no threshold.
        let p = if s.artwork { 0.0 } else { probability(s) };
        if s.item.label == 0 {
            groups.entry(&s.item.group).or_default().push(p);
            let kind = kinds.entry(&s.item.content).or_default();
            kind.0.insert(&s.item.path);
            kind.1.push(p);
        } else {
            positives.push(p);
        }
    }
    if groups.is_empty() || positives.is_empty() {
        return None;
    }
    let groups: Vec<Vec<f32>> = groups.into_values().collect();
    let draws: Vec<Vec<usize>> = (0..RESAMPLES)
        .map(|i| {
            let mut rng = ChaCha8Rng::seed_from_u64(11);
            rng.set_stream(i);
            (0..groups.len())
                .map(|_| rng.random_range(0..groups.len()))
                .collect()
        })
        .collect();
    let above = |list: &[f32], t: f64| list.iter().filter(|p| f64::from(**p) >= t).count() as f64;
    (500..1000).map(|i| f64::from(i) / 1000.0).find_map(|t| {
        let counts: Vec<f64> = groups.iter().map(|g| above(g, t)).collect();
        let all: f64 = groups.iter().map(|g| g.len() as f64).sum();
        let share = counts.iter().sum::<f64>() / all;
        let mut rates: Vec<f64> = draws
            .iter()
            .map(|drawn| {
                let n: f64 = drawn.iter().map(|g| groups[*g].len() as f64).sum();
                drawn.iter().map(|g| counts[*g]).sum::<f64>() / n
            })
            .collect();
        rates.sort_by(f64::total_cmp);
        let upper = rates[((rates.len() - 1) as f64 * 0.975).round() as usize];
        let of_kind = |list: &[f32]| above(list, t) / list.len() as f64;
        let rare = kinds.iter().all(|(content, (pictures, list))| {
            content.is_empty()
                || pictures.len() < bars.of_kind
                || of_kind(list) <= bars.false_positives
        });
        (rare && (!bars.upper || upper <= bars.false_positives) && share <= bars.false_positives)
            .then(|| (t, above(&positives, t) / positives.len() as f64))
    })
}

/// Least share of a tier's authentic pictures that the forced decision leaves alone.
const SPECIFICITY: f64 = 0.93;

/// Threshold of the forced decision: best balanced accuracy over the tiers together among those that keep to
/// [`SPECIFICITY`] in every tier; the highest where none does.
pub(super) fn decision(tiers: &[TierCalibration]) -> f64 {
    let at_or_above = |list: &[f32], t: f64| list.iter().filter(|p| f64::from(**p) >= t).count();
    let share = |pick: fn(&TierCalibration) -> &Vec<f32>, t: f64| {
        let hit: usize = tiers.iter().map(|x| at_or_above(pick(x), t)).sum();
        let n: usize = tiers.iter().map(|x| pick(x).len()).sum();
        hit as f64 / n.max(1) as f64
    };
    let specific = |t: f64| {
        tiers.iter().all(|x| {
            let accused = at_or_above(&x.negatives, t) as f64;
            accused <= (1.0 - SPECIFICITY) * x.negatives.len() as f64
        })
    };
    let accuracy = |t: f64| (share(|x| &x.positives, t) + 1.0 - share(|x| &x.negatives, t)) / 2.0;
    (1..100)
        .map(|i| f64::from(i) / 100.0)
        .filter(|t| specific(*t))
        .max_by(|a, b| {
            accuracy(*a)
                .total_cmp(&accuracy(*b))
                // Of equally good thresholds the one that accuses less.
                .then(a.total_cmp(b))
        })
        .unwrap_or(0.99)
}
