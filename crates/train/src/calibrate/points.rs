//! Operating points that are stored with a card.

use std::collections::BTreeMap;

use realscope_detectors::Logit;
use realscope_detectors::calibration::{Calibration, Operating, StoredPoint};
use realscope_metric::nested;

use super::scored::Scored;
use super::thresholds::RESAMPLES;
use crate::tier::TIERS;

/// False-positive rates whose operating points are stored.
const STORED_RATES: [f64; 2] = [0.01, 0.05];

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
