//! Operating points that are stored with a card.

use std::collections::{BTreeMap, BTreeSet};

use realscope_detectors::Logit;
use realscope_detectors::calibration::{Calibration, Kind, Operating, StoredPoint};
use realscope_metric::nested;

use super::scored::Scored;
use super::thresholds::RESAMPLES;
use crate::tier::TIERS;

/// False-positive rates whose operating points are stored.
const STORED_RATES: [f64; 2] = [0.01, 0.05];

/// False alarms by kind of authentic picture, of kinds that the manifest names.
pub(super) fn kinds(calibration: &Calibration, scored: &[Scored]) -> Vec<Kind> {
    #[derive(Default)]
    struct Counts<'a> {
        /// Accused and all scores, by group.
        groups: BTreeMap<&'a str, (f64, f64)>,
        pictures: BTreeSet<&'a str>,
        decided: f64,
    }
    let mut found: BTreeMap<&str, Counts<'_>> = BTreeMap::new();
    let authentic = scored.iter().filter(|s| s.item.label == 0);
    for s in authentic.filter(|s| !s.item.content.is_empty()) {
        let p = calibration.probability(Logit(s.logit)).0;
        let accused = !s.artwork && calibration.generated_threshold.is_some_and(|t| p >= t);
        let counts = found.entry(&s.item.content).or_default();
        let group = counts.groups.entry(&s.item.group).or_default();
        group.0 += f64::from(u8::from(accused));
        group.1 += 1.0;
        counts.pictures.insert(&s.item.path);
        counts.decided += f64::from(u8::from(p >= calibration.decision_threshold));
    }
    found
        .into_iter()
        .map(|(content, counts)| {
            let groups: Vec<(f64, f64)> = counts.groups.into_values().collect();
            let all: f64 = groups.iter().map(|g| g.1).sum();
            let interval = nested::share_interval(&groups, RESAMPLES, 17);
            Kind {
                content: content.into(),
                groups: groups.len(),
                pictures: counts.pictures.len(),
                accused: groups.iter().map(|g| g.0).sum::<f64>() / all,
                accused_ci95: interval.map_or([0.0, 1.0], |i| [i.low, i.high]),
                decided: counts.decided / all,
            }
        })
        .collect()
}

/// Operating points of every tier with enough authentic pictures, with intervals over resampled groups.
pub(super) fn operating_points(calibration: &Calibration, scored: &[Scored]) -> Vec<StoredPoint> {
    let mut out = Vec::new();
    for tier in TIERS {
        for max_fpr in STORED_RATES {
            let Operating::Point(p) = calibration.operating_point(tier, max_fpr) else {
                continue;
            };
            // By class: pictures at or above the threshold, and all, of each group.
            let mut groups: [BTreeMap<&str, (f64, f64)>; 2] = Default::default();
            for s in scored.iter().filter(|s| s.tier == tier) {
                let hit = calibration.probability(Logit(s.logit)).0 as f32;
                let counts = groups[usize::from(s.item.label)]
                    .entry(&s.item.group)
                    .or_default();
                counts.0 += f64::from(u8::from(f64::from(hit) >= p.threshold));
                counts.1 += 1.0;
            }
            let [fpr_ci95, recall_ci95] = groups.map(|g| {
                let groups: Vec<(f64, f64)> = g.into_values().collect();
                nested::share_interval(&groups, RESAMPLES, 13)
                    .map_or([0.0, 1.0], |i| [i.low, i.high])
            });
            out.push(StoredPoint {
                tier,
                max_fpr,
                threshold: p.threshold,
                fpr: p.fpr,
                fpr_ci95,
                recall: p.recall,
                recall_ci95,
            });
        }
    }
    out
}
