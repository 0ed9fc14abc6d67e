//! The measures of one set of scores, each with its interval or with the reason why it has no value.

use realscope_metric::bootstrap::{self, Interval};
use realscope_metric::{
    Drawn, Scores, accuracy, ap, auc, brier, ece, eer, f1, nll, risk, tpr_at_fpr,
};
use serde::{Deserialize, Serialize};

/// How measures are taken.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// A picture counts as generated from this score.
    pub threshold: f64,
    /// Items under which counts stand instead of a rate.
    pub min_items: usize,
    /// Bootstrap resamples; 0 for none.
    pub resamples: usize,
    /// Seed of the resamples.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            threshold: 0.5,
            min_items: 30,
            resamples: 1000,
            seed: 0,
        }
    }
}

/// A measure, or why there is none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// The value.
    pub value: Option<f64>,
    /// 95% interval by group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ci95: Option<[f64; 2]>,
    /// `unreliable` when fewer than ten groups carry the interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ci95_note: Option<String>,
    /// Why there is no value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Measure {
    fn none(reason: impl Into<String>) -> Self {
        Self {
            reason: Some(reason.into()),
            ..Self::default()
        }
    }
}

/// Number of measures with intervals.
const N: usize = 13;

/// Measures over one set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measures {
    /// Rows.
    pub n: usize,
    /// Generated ones.
    pub n_pos: usize,
    /// Authentic ones.
    pub n_neg: usize,
    /// Sources and generators.
    pub groups: usize,
    /// Threshold of the decisions.
    pub threshold: f64,
    /// Share of right decisions.
    pub accuracy: Measure,
    /// Mean of recall and specificity.
    pub balanced_accuracy: Measure,
    /// Area under the ROC curve.
    pub auc: Measure,
    /// Average precision.
    pub ap: Measure,
    /// Equal error rate, interpolated.
    pub eer: Measure,
    /// Recall at a false positive rate of 1%.
    pub tpr_at_fpr_0_01: Measure,
    /// Recall at a false positive rate of 0.1%.
    pub tpr_at_fpr_0_001: Measure,
    /// Recall at a false positive rate of 5%.
    pub recall_at_fpr_0_05: Measure,
    /// F1 of the generated class.
    pub f1: Measure,
    /// Calibration error, 15 bins of equal width.
    pub ece: Measure,
    /// Calibration error, 15 bins of equal mass.
    pub ece_adaptive: Measure,
    /// Brier score.
    pub brier: Measure,
    /// Negative log-likelihood in nats.
    pub nll: Measure,
    /// Accuracy at the best threshold of these very data: what only an oracle reaches.
    pub oracle_accuracy: Measure,
    /// Recall of generated pictures at the threshold.
    pub recall: Measure,
    /// Share of authentic pictures that count as authentic at the threshold.
    pub specificity: Measure,
    /// Mean risk over all coverages when the least confident decisions are withheld.
    pub coverage_risk_area: Measure,
}

fn all_measures(v: &Drawn<'_>, threshold: f64) -> [Option<f64>; N] {
    let at = v.at(threshold);
    [
        accuracy::accuracy(v, at),
        accuracy::balanced_accuracy(v, at),
        auc::auc(v),
        ap::average_precision(v),
        eer::eer(v),
        tpr_at_fpr::tpr_at_fpr(v, 0.01),
        tpr_at_fpr::tpr_at_fpr(v, 0.001),
        tpr_at_fpr::tpr_at_fpr(v, 0.05),
        f1::f1(v, at),
        ece::equal_width(v).map(|b| ece::error(&b)),
        ece::equal_mass(v).map(|b| ece::error(&b)),
        brier::brier(v),
        nll::nll(v),
    ]
}

/// Measures of some scores.
#[must_use]
pub fn measures(scores: &Scores, settings: &Settings) -> Measures {
    let v = scores.all();
    let (n_pos, n_neg) = (v.positives as usize, v.negatives as usize);
    let sizes = scores.group_sizes();
    let groups = sizes.iter().filter(|s| s[0] + s[1] > 0).count();
    let few = scores.len() < settings.min_items;
    let values = all_measures(&v, settings.threshold);
    let intervals: [Option<Interval>; N] = if settings.resamples == 0 || few || groups < 2 {
        [None; N]
    } else {
        let mut edges = ece::edges().to_vec();
        edges.push(settings.threshold);
        bootstrap::intervals(scores, settings.resamples, settings.seed, &edges, |v| {
            all_measures(v, settings.threshold)
        })
    };
    let few_reason = format!("{} items, {} needed", scores.len(), settings.min_items);
    let class_reason = if n_pos == 0 {
        "no positive item"
    } else if n_neg == 0 {
        "no negative item"
    } else {
        "not defined here"
    };
    let measure = |i: usize, absent: &str, needed: usize| {
        if few {
            return Measure::none(few_reason.clone());
        }
        let Some(value) = values[i] else {
            return Measure::none(absent);
        };
        if n_neg < needed {
            return Measure::none(format!("{n_neg} negatives, {needed} needed"));
        }
        let ci95 = intervals[i].map(|c| [c.low, c.high]);
        Measure {
            value: Some(value),
            ci95,
            ci95_note: if ci95.is_none() && groups < 2 {
                Some("no interval: a single group".into())
            } else if ci95.is_some() && groups < bootstrap::RELIABLE_GROUPS {
                Some(format!("unreliable: {groups} groups"))
            } else {
                None
            },
            reason: None,
        }
    };
    let probability_reason = "scores lie outside [0, 1]";
    let needed = tpr_at_fpr::needed_negatives;
    let plain = |value: Option<f64>, absent: &str| match value {
        _ if few => Measure::none(few_reason.clone()),
        None => Measure::none(absent),
        value => Measure {
            value,
            ..Measure::default()
        },
    };
    let at = v.at(settings.threshold);
    Measures {
        n: scores.len(),
        n_pos,
        n_neg,
        groups,
        threshold: settings.threshold,
        accuracy: measure(0, class_reason, 0),
        balanced_accuracy: measure(1, class_reason, 0),
        auc: measure(2, class_reason, 0),
        ap: measure(3, class_reason, 0),
        eer: measure(4, class_reason, 0),
        tpr_at_fpr_0_01: measure(5, class_reason, needed(0.01)),
        tpr_at_fpr_0_001: measure(6, class_reason, needed(0.001)),
        recall_at_fpr_0_05: measure(7, class_reason, needed(0.05)),
        f1: measure(8, class_reason, 0),
        ece: measure(9, probability_reason, 0),
        ece_adaptive: measure(10, probability_reason, 0),
        brier: measure(11, probability_reason, 0),
        nll: measure(12, probability_reason, 0),
        oracle_accuracy: plain(accuracy::oracle_accuracy(&v), class_reason),
        recall: plain((n_pos > 0).then(|| at.tp / v.positives), "no positive item"),
        specificity: plain(
            (n_neg > 0).then(|| 1.0 - at.fp / v.negatives),
            "no negative item",
        ),
        coverage_risk_area: plain(
            risk::area(&risk::coverage_risk(&v, settings.threshold)),
            class_reason,
        ),
    }
}
