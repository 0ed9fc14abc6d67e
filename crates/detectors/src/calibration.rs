//! From a logit to a probability, and thresholds with their evidence. All numbers come from
//! validation groups.

use serde::{Deserialize, Serialize};

use crate::{Logit, Probability};

/// How much of its making a picture can still show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    /// Lossless or JPEG quality of at least 85, short side of at least 200 pixels.
    Clean,
    /// JPEG quality of at least 55, short side of at least 100 pixels.
    Web,
    /// Anything smaller or more compressed.
    Hard,
}

impl Tier {
    /// The tier of a picture, from its short side in pixels and, for a JPEG, its quality.
    #[must_use]
    pub fn of(short_side: u32, jpeg_quality: Option<u8>) -> Self {
        let quality = jpeg_quality.unwrap_or(100);
        if quality >= 85 && short_side >= 200 {
            Self::Clean
        } else if quality >= 55 && short_side >= 100 {
            Self::Web
        } else {
            Self::Hard
        }
    }

    /// Name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Web => "web",
            Self::Hard => "hard",
        }
    }
}

/// A threshold and what it did on validation pictures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperatingPoint {
    /// False-positive rate that was asked for.
    pub max_fpr: f64,
    /// Probability from which a picture counts.
    pub threshold: f64,
    /// Share of generated validation pictures at or above it.
    pub recall: f64,
    /// Share of authentic validation pictures at or above it.
    pub fpr: f64,
}

/// An operating point that is stored with its card.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredPoint {
    /// The tier.
    pub tier: Tier,
    /// False-positive rate that was asked for.
    pub max_fpr: f64,
    /// Probability from which a picture counts.
    pub threshold: f64,
    /// Share of authentic validation pictures at or above it.
    pub fpr: f64,
    /// 95% interval of that share, whole groups resampled.
    pub fpr_ci95: [f64; 2],
    /// Share of generated validation pictures at or above it.
    pub recall: f64,
    /// 95% interval of that share, whole groups resampled.
    pub recall_ci95: [f64; 2],
}

/// Authentic validation pictures of one kind of content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kind {
    /// What they show and how that was made (`photograph`, `portrait`, `painting` and so on).
    pub content: String,
    /// How many groups they are of.
    pub groups: usize,
    /// How many there are.
    pub pictures: usize,
    /// Share of them, over all tiers, that is called `generated`.
    pub accused: f64,
    /// 95% interval of that share, whole groups resampled.
    pub accused_ci95: [f64; 2],
    /// Share of them, over all tiers, at or above the decision threshold.
    pub decided: f64,
}

/// Validation pictures of one tier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TierCalibration {
    /// The tier.
    pub tier: Tier,
    /// Sorted probabilities of authentic pictures.
    pub negatives: Vec<f32>,
    /// Sorted probabilities of generated pictures.
    pub positives: Vec<f32>,
}

/// Calibration of one detector.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calibration {
    /// Identifies the fit in records.
    pub id: String,
    /// Probability = sigmoid(`scale` x logit + `offset`).
    pub scale: f64,
    /// See `scale`.
    pub offset: f64,
    /// Probability from which the forced decision is "generated".
    pub decision_threshold: f64,
    /// Probability from which the verdict may be `generated`; `None` when validation does not
    /// carry such a verdict.
    pub generated_threshold: Option<f64>,
    /// Probability from which a picture that is not called `generated` is `uncertain`, at least
    /// `decision_threshold`; `None` for that threshold itself.
    #[serde(default)]
    pub doubt_threshold: Option<f64>,
    /// How far a re-delivery may lower and raise a picture's log-odds; `None` where it was not measured.
    #[serde(default)]
    pub delivery_reach: Option<[f64; 2]>,
    /// AUC on matched validation pictures with its 95% interval by group.
    pub matched_auc: f64,
    /// Lower bound of that interval.
    pub matched_auc_low: f64,
    /// Upper bound.
    pub matched_auc_high: f64,
    /// Operating points at 1% and 5% by tier, with intervals.
    #[serde(default)]
    pub operating_points: Vec<StoredPoint>,
    /// False alarms by kind of authentic picture.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<Kind>,
    /// Validation scores by tier, for operating points.
    pub tiers: Vec<TierCalibration>,
}

/// What `--max-fpr` yields.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Operating {
    /// A threshold that validation carries.
    Point(OperatingPoint),
    /// Fewer than `3 / max_fpr` authentic validation pictures in the tier.
    InsufficientData {
        /// How many there are.
        negatives: usize,
        /// How many are needed.
        needed: usize,
    },
}

/// What a score and its range over re-deliveries carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Band {
    /// High enough, on the generated side in every delivery.
    Generated,
    /// Neither.
    Doubt,
    /// Low, and in no delivery high enough to accuse.
    Low,
}

impl Calibration {
    /// Probability from which what is not accused is in doubt.
    #[must_use]
    pub fn doubt(&self) -> f64 {
        self.doubt_threshold
            .map_or(self.decision_threshold, |d| d.max(self.decision_threshold))
    }

    /// The band of a picture's `probability`, whose deliveries lie within `[low, high]`. `accuse` is the probability
    /// from which it may be called generated.
    #[must_use]
    pub fn band(&self, probability: f64, [low, high]: [f64; 2], accuse: Option<f64>) -> Band {
        let decision = self.decision_threshold;
        let doubt = self.doubt();
        let accused = |p: f64| accuse.is_some_and(|bar| p >= bar.max(decision));
        if accused(probability) && low >= decision {
            Band::Generated
        } else if probability >= doubt
            || accused(probability)
            || high >= accuse.unwrap_or(doubt).max(doubt)
        {
            Band::Doubt
        } else {
            Band::Low
        }
    }

    /// Whether re-deliveries could change the band of a picture's `probability`: whether some probability within reach
    /// gives another one. Where the reach was not measured, they always could.
    #[must_use]
    pub fn deliveries_matter(&self, probability: f64, accuse: Option<f64>) -> bool {
        let Some([fall, rise]) = self.delivery_reach else {
            return true;
        };
        let odds = (probability / (1.0 - probability)).ln();
        let at = |odds: f64| 1.0 / (1.0 + (-odds).exp());
        let range = [at(odds - fall), at(odds + rise)];
        let alone = [probability; 2];
        self.band(probability, range, accuse) != self.band(probability, alone, accuse)
    }

    /// Calibrated probability of a logit.
    #[must_use]
    pub fn probability(&self, logit: Logit) -> Probability {
        let z = self.scale * logit.0 + self.offset;
        // Never exactly 0 or 1: no finite validation set carries certainty.
        Probability((1.0 / (1.0 + (-z).exp())).clamp(1e-4, 1.0 - 1e-4))
    }

    /// The logit whose probability is `probability`; `None` where all logits have one.
    #[must_use]
    pub fn logit(&self, probability: f64) -> Option<Logit> {
        let p = probability.clamp(1e-9, 1.0 - 1e-9);
        (self.scale > 0.0).then(|| Logit(((p / (1.0 - p)).ln() - self.offset) / self.scale))
    }

    /// The stored operating point of a tier at exactly `max_fpr`.
    #[must_use]
    pub fn stored_point(&self, tier: Tier, max_fpr: f64) -> Option<&StoredPoint> {
        self.operating_points
            .iter()
            .find(|p| p.tier == tier && (p.max_fpr - max_fpr).abs() < 1e-9)
    }

    /// The lowest threshold whose false-positive rate in `tier` is at most `max_fpr`.
    #[must_use]
    pub fn operating_point(&self, tier: Tier, max_fpr: f64) -> Operating {
        let needed = (3.0 / max_fpr).ceil() as usize;
        let Some(t) = self.tiers.iter().find(|t| t.tier == tier) else {
            return Operating::InsufficientData {
                negatives: 0,
                needed,
            };
        };
        if t.negatives.len() < needed {
            return Operating::InsufficientData {
                negatives: t.negatives.len(),
                needed,
            };
        }
        operating_point(&t.negatives, &t.positives, max_fpr)
    }
}

/// The lowest threshold on sorted scores whose false-positive rate is at most `max_fpr`.
#[must_use]
pub fn operating_point(negatives: &[f32], positives: &[f32], max_fpr: f64) -> Operating {
    let allowed = (negatives.len() as f64 * max_fpr).floor() as usize;
    // Just above the highest negative that must not count.
    let threshold = match negatives.len().checked_sub(allowed + 1) {
        Some(index) => f64::from(negatives[index]) + 1e-6,
        None => 0.0,
    };
    let share = |scores: &[f32]| {
        scores
            .iter()
            .filter(|s| f64::from(**s) >= threshold)
            .count() as f64
            / scores.len().max(1) as f64
    };
    Operating::Point(OperatingPoint {
        max_fpr,
        threshold,
        recall: share(positives),
        fpr: share(negatives),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calibration() -> Calibration {
        Calibration {
            id: "t".into(),
            scale: 1.0,
            offset: 0.0,
            decision_threshold: 0.5,
            generated_threshold: None,
            doubt_threshold: None,
            delivery_reach: None,
            matched_auc: 0.5,
            matched_auc_low: 0.4,
            matched_auc_high: 0.6,
            operating_points: vec![],
            kinds: vec![],
            tiers: vec![],
        }
    }

    #[test]
    fn the_threshold_keeps_the_promised_rate() {
        let negatives: Vec<f32> = (0..100).map(|i| i as f32 / 100.0).collect();
        let positives: Vec<f32> = (50..150).map(|i| i as f32 / 150.0).collect();
        let Operating::Point(p) = operating_point(&negatives, &positives, 0.05) else {
            panic!("a point exists");
        };
        assert_eq!(p.fpr, 0.05);
        assert!(p.threshold > 0.94 && p.threshold < 0.95);
    }

    #[test]
    fn bands_need_every_delivery_to_accuse_and_none_to_acquit() {
        let c = Calibration {
            decision_threshold: 0.5,
            doubt_threshold: Some(0.6),
            ..calibration()
        };
        for (p, range, accuse, band) in [
            (0.95, [0.5, 0.97], Some(0.9), Band::Generated),
            (0.95, [0.4, 0.97], Some(0.9), Band::Doubt),
            (0.95, [0.9, 0.97], None, Band::Doubt),
            (0.7, [0.7, 0.8], Some(0.9), Band::Doubt),
            (0.55, [0.4, 0.8], Some(0.9), Band::Low),
            (0.55, [0.4, 0.91], Some(0.9), Band::Doubt),
            (0.55, [0.4, 0.61], None, Band::Doubt),
            (0.55, [0.52, 0.56], Some(0.53), Band::Generated),
            (0.45, [0.4, 0.59], Some(0.1), Band::Low),
        ] {
            assert_eq!(c.band(p, range, accuse), band, "{p} {range:?} {accuse:?}");
        }
        let plain = Calibration {
            doubt_threshold: None,
            ..c
        };
        assert_eq!(plain.band(0.55, [0.4, 0.6], Some(0.9)), Band::Doubt);
    }

    #[test]
    fn a_probability_leads_back_to_its_logit() {
        let c = Calibration {
            scale: 0.7,
            offset: 0.2,
            ..calibration()
        };
        for logit in [-3.0, 0.0, 1.9] {
            let back = c.logit(c.probability(Logit(logit)).0).expect("a logit");
            assert!((back.0 - logit).abs() < 1e-9, "{back:?}");
        }
        let flat = Calibration { scale: 0.0, ..c };
        assert_eq!(flat.logit(0.5), None);
    }

    #[test]
    fn deliveries_matter_within_their_reach() {
        let c = Calibration {
            decision_threshold: 0.5,
            doubt_threshold: Some(0.75),
            delivery_reach: Some([2.1, 2.0]),
            ..calibration()
        };
        // Log-odds of .8 are 1.386: from .352 on (-.614) they can be reached.
        for (p, matters) in [
            (0.34, false),
            (0.36, true),
            (0.78, false),
            (0.81, true),
            (0.9, false),
        ] {
            // .78 is in doubt whatever the deliveries say; .9 (2.197) stays above .5 (0).
            assert_eq!(c.deliveries_matter(p, Some(0.8)), matters, "{p}");
        }
        let unknown = Calibration {
            delivery_reach: None,
            ..c
        };
        assert!(unknown.deliveries_matter(0.01, Some(0.8)));
    }

    #[test]
    fn too_few_negatives_are_said() {
        let c = Calibration {
            tiers: vec![TierCalibration {
                tier: Tier::Clean,
                negatives: vec![0.1; 299],
                positives: vec![0.9; 10],
            }],
            ..calibration()
        };
        assert_eq!(
            c.operating_point(Tier::Clean, 0.01),
            Operating::InsufficientData {
                negatives: 299,
                needed: 300
            }
        );
        assert!(matches!(
            c.operating_point(Tier::Clean, 0.02),
            Operating::Point(_)
        ));
    }
}
