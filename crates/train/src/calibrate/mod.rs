//! Fits the calibration of a detector: the map from logit to probability, and the thresholds.
//!
//! Only held-out pictures are used, each scored once in every tier ([`crate::tier`]).

pub mod own;
mod points;
mod scored;
mod thresholds;

use realscope_detectors::Logit;
use realscope_detectors::calibration::{Calibration, Tier, TierCalibration};
use realscope_detectors::network::sha256;
use realscope_metric::logistic::{self, Line};
use realscope_metric::{auc, nested};

use self::points::{kinds, operating_points};
pub use self::scored::Scored;
use self::scored::balance;
pub(crate) use self::scored::write;
use self::thresholds::{accusing_threshold, decision, doubt_threshold};
use crate::tier::TIERS;

/// Least lower bound of the matched AUC that carries the verdict `generated`.
const MATCHED_BAR: f64 = 0.55;
/// Least recall that carries it.
const RECALL_BAR: f64 = 0.10;

/// Scale and offset of Platt's sigmoid, a little shrunk towards no confidence.
pub(crate) fn platt(scored: &[Scored]) -> Line {
    const RIDGE: f64 = 1e-3;
    let weights = balance(&scored.iter().collect::<Vec<_>>());
    let rows: Vec<(f64, f64, f64)> = scored
        .iter()
        .zip(weights)
        .map(|(s, w)| (s.logit, f64::from(s.item.label), w))
        .collect();
    // A detector that ranks the wrong way round must not be turned about by its calibration.
    logistic::line(&rows, RIDGE)
        .filter(|l| l.scale > 0.0)
        .unwrap_or(Line {
            scale: 0.0,
            offset: 0.0,
        })
}

/// What accusations have to keep to on validation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bars {
    /// Highest share of authentic items accused, of all and of every kind.
    pub false_positives: f64,
    /// Whether the upper bound of the 95% interval of all, by group, has to keep to it, too.
    pub upper: bool,
    /// Fewest items of a kind of content whose own share is bounded.
    pub of_kind: usize,
}

impl Bars {
    /// Of pictures: one in a hundred.
    pub const PICTURES: Self = Self {
        false_positives: 0.01,
        upper: true,
        of_kind: 100,
    };
}

/// Fits the calibration of pictures.
#[must_use]
pub fn fit(scored: &[Scored]) -> Calibration {
    fit_to(scored, &[], Bars::PICTURES)
}

/// Fits a calibration whose accusations keep to `bars`, also of the authentic items of `beside`, of which nothing else
/// is fitted.
#[must_use]
pub fn fit_to(scored: &[Scored], beside: &[Scored], bars: Bars) -> Calibration {
    let Line { scale, offset } = platt(scored);
    let mut calibration = Calibration {
        id: String::new(),
        scale,
        offset,
        decision_threshold: 0.5,
        generated_threshold: None,
        doubt_threshold: None,
        // Measured apart, over re-deliveries of training pictures.
        delivery_reach: None,
        matched_auc: 0.5,
        matched_auc_low: 0.0,
        matched_auc_high: 1.0,
        operating_points: Vec::new(),
        kinds: Vec::new(),
        tiers: Vec::new(),
    };
    let sigmoid = calibration.clone();
    let probability = |s: &Scored| sigmoid.probability(Logit(s.logit)).0 as f32;
    for tier in TIERS {
        let list = |label: u8| {
            let mut list: Vec<f32> = scored
                .iter()
                .filter(|s| s.tier == tier && s.item.label == label)
                .map(probability)
                .collect();
            list.sort_by(f32::total_cmp);
            list
        };
        let fresh = TierCalibration {
            tier,
            negatives: list(0),
            positives: list(1),
        };
        calibration.tiers.push(fresh);
    }
    let matched: Vec<(f32, u8, &str)> = scored
        .iter()
        .filter(|s| s.tier == Tier::Clean && !s.item.match_set.is_empty())
        .map(|s| (s.logit as f32, s.item.label, s.item.group.as_str()))
        .collect();
    let plain: Vec<(f32, u8)> = matched.iter().map(|(s, l, _)| (*s, *l)).collect();
    if let (Some(auc), Some(interval)) = (
        auc::of_labels(&plain),
        nested::auc_interval(&matched, 1000, 7),
    ) {
        (
            calibration.matched_auc,
            calibration.matched_auc_low,
            calibration.matched_auc_high,
        ) = (auc, interval.low, interval.high);
    }
    calibration.decision_threshold = decision(&calibration.tiers);
    if calibration.matched_auc_low > MATCHED_BAR
        && let Some((threshold, recall)) = accusing_threshold(scored, beside, &probability, bars)
        && recall >= RECALL_BAR
    {
        calibration.generated_threshold = Some(threshold.max(calibration.decision_threshold));
        calibration.doubt_threshold = Some(doubt_threshold(&calibration, scored));
    }
    calibration.operating_points = operating_points(&calibration, scored);
    calibration.kinds = kinds(&calibration, scored);
    let text = serde_json::to_vec(&calibration).unwrap_or_default();
    calibration.id = sha256(&text)[..16].to_owned();
    calibration
}

#[cfg(test)]
mod tests {
    use realscope_data::manifest::Item;

    use super::thresholds::MOST_UNCERTAIN;
    use super::*;

    /// Ten groups of 100 authentic pictures, of one of which a fifth scores above the generated ones.
    fn scored(odd: bool) -> Vec<Scored> {
        let item = |label: u8, group: usize, i: usize| Item {
            path: format!("{group}/{i}"),
            label,
            group: format!("g{group}"),
            match_set: "m".into(),
            ..Item::default()
        };
        let mut out = Vec::new();
        for group in 0..10 {
            for i in 0..100 {
                for label in [0, 1] {
                    let base = match (label, odd && group == 3 && i < 20) {
                        (1, _) => 3.0,
                        (_, true) => 4.0,
                        _ => -3.0,
                    };
                    let logit = base + i as f64 / 200.0;
                    out.push(Scored {
                        item: item(label, group + 10 * usize::from(label), i),
                        tier: Tier::Clean,
                        stored: true,
                        logit,
                        artwork: false,
                    });
                }
            }
        }
        out
    }

    #[test]
    fn the_forced_decision_leaves_authentic_pictures_of_every_tier_alone() {
        // A tenth of the authentic pictures score as high as most generated ones; saved again they do so less often.
        let mut pictures = scored(false);
        for (k, s) in pictures.iter_mut().enumerate() {
            s.logit = match (s.item.label, k / 2 % 10) {
                (0, 0) | (1, 0..6) => 1.0,
                (1, _) => 3.0,
                _ => -3.0,
            };
        }
        let mut saved = pictures.clone();
        for (k, s) in saved.iter_mut().enumerate() {
            s.tier = Tier::Web;
            if s.item.label == 0 && k / 2 % 20 == 0 {
                s.logit = -3.0;
            }
        }
        pictures.extend(saved);
        let c = fit(&pictures);
        let called = |label: u8, tier: Tier| {
            let list: Vec<bool> = pictures
                .iter()
                .filter(|s| s.item.label == label && s.tier == tier)
                .map(|s| c.probability(Logit(s.logit)).0 >= c.decision_threshold)
                .collect();
            list.iter().filter(|called| **called).count() as f64 / list.len() as f64
        };
        // At best balanced accuracy it would call the tenth of the first tier.
        for tier in [Tier::Clean, Tier::Web] {
            assert!(called(0, tier) <= 0.07, "{tier:?}: {}", called(0, tier));
            assert!((called(1, tier) - 0.4).abs() < 0.01);
        }
    }

    #[test]
    fn few_pictures_of_a_tier_are_uncertain() {
        // All pictures overlap, generated ones higher.
        let mut pictures = scored(false);
        for (k, s) in pictures.iter_mut().enumerate() {
            let u = (k as f64 * 0.618_034).fract();
            s.logit = if s.item.label == 1 {
                u.powf(0.1)
            } else {
                u * u
            };
        }
        let c = fit(&pictures);
        let doubt = c.doubt_threshold.expect("carries the word");
        let accuse = c.generated_threshold.expect("carries the word");
        let share = |t: f64| {
            let within = |s: &&Scored| {
                let p = c.probability(Logit(s.logit)).0;
                p >= t && p < accuse
            };
            pictures.iter().filter(within).count() as f64 / pictures.len() as f64
        };
        assert!(
            share(c.decision_threshold) > MOST_UNCERTAIN,
            "{}",
            share(c.decision_threshold)
        );
        assert!(doubt > c.decision_threshold && doubt < accuse);
        assert!(
            share(doubt) <= MOST_UNCERTAIN && share(doubt) > MOST_UNCERTAIN - 0.05,
            "{}",
            share(doubt)
        );
    }

    #[test]
    fn operating_points_have_intervals_over_groups() {
        let c = fit(&scored(true));
        let p = c.stored_point(Tier::Clean, 0.05).expect("enough pictures");
        assert!(p.fpr <= 0.05 && p.fpr_ci95[0] <= p.fpr && p.fpr <= p.fpr_ci95[1]);
        assert!(p.recall_ci95[0] <= p.recall && p.recall <= p.recall_ci95[1]);
        // A fifth of one group in ten is accused: samples without that group have a lower rate, others a higher one.
        assert!(
            p.fpr_ci95[0] < 0.8 * p.fpr && p.fpr_ci95[1] > 1.2 * p.fpr,
            "{p:?}"
        );
        assert!(c.stored_point(Tier::Web, 0.05).is_none());
    }

    #[test]
    fn artwork_is_no_accusation() {
        let mut pictures = scored(true);
        for s in &mut pictures {
            s.artwork = s.item.label == 0 && s.logit > 0.0;
        }
        assert!(fit(&pictures).generated_threshold.is_some());
        // Held back, every generated picture is in doubt.
        let mut pictures = scored(false);
        let c = fit(&pictures);
        for s in &mut pictures {
            s.artwork = s.item.label == 1;
        }
        let bar = c.generated_threshold.expect("carries the word");
        assert_eq!(doubt_threshold(&c, &pictures), bar);
    }

    #[test]
    fn a_kind_of_authentic_picture_that_is_accused_raises_the_threshold() {
        // One picture in fifty of each group scores as high as generated ones, all of them memes: well under one in a
        // hundred of all, a tenth of the memes.
        let mut pictures = scored(false);
        for (k, s) in pictures
            .iter_mut()
            .enumerate()
            .filter(|(_, s)| s.item.label == 0)
        {
            let meme = k / 2 % 10 == 0;
            s.item.content = if meme { "meme" } else { "photograph" }.into();
            s.item.group = if meme {
                "m".into()
            } else {
                s.item.group.clone()
            };
            if meme && k / 2 % 100 == 0 {
                s.logit = 3.2;
            }
        }
        let c = fit(&pictures);
        let [meme, photograph] = c.kinds.as_slice() else {
            panic!("two kinds, not {:?}", c.kinds);
        };
        assert_eq!(
            (meme.content.as_str(), meme.pictures, meme.groups),
            ("meme", 100, 1)
        );
        assert!(meme.accused <= 0.01 && meme.decided > 0.05, "{meme:?}");
        assert_eq!((photograph.pictures, photograph.accused), (900, 0.0));
        let threshold = c.generated_threshold.expect("carries the word");
        assert!(c.probability(Logit(3.2)).0 < threshold);
    }

    #[test]
    fn one_group_that_is_accused_again_and_again_forbids_the_word() {
        assert!(fit(&scored(false)).generated_threshold.is_some());
        // Two per cent over all pictures, twenty in that group.
        assert_eq!(fit(&scored(true)).generated_threshold, None);
    }
}
