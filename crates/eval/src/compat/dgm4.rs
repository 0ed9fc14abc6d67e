//! DGM4 / HAMMER (Shao et al., CVPR 2023, arXiv 2304.02556): detection and grounding of image-text
//! manipulation.
//!
//! Departures: a logit of 0 counts as positive; the mean IoU runs over pristine items too, which
//! count 1 when an empty box is predicted; thresholds of the IoU are strict.

use realscope_metric::{Scores, auc, eer};

/// One item: its label, its manipulations and where they are, true and predicted.
#[derive(Clone, Debug, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grounding {
    /// Whether it is manipulated.
    pub fake: bool,
    /// Logits of real and fake.
    pub real_fake: [f64; 2],
    /// Which of face swap, face attribute, text swap, text attribute apply.
    pub manipulations: [bool; 4],
    /// Their logits.
    pub multi_label: [f64; 4],
    /// Predicted box: centre x, centre y, width, height, in `[0, 1]`.
    pub predicted: [f64; 4],
    /// True box; all zero when there is none.
    pub truth: [f64; 4],
    /// For each sub-word: whether its word is fake, and the logits of real and fake.
    pub tokens: Vec<(bool, [f64; 2])>,
}

/// The measures, as fractions.
#[derive(Clone, Debug, PartialEq)]
pub struct Metrics {
    /// AUC of the fake probability.
    pub auc: f64,
    /// Accuracy of the larger logit.
    pub acc: f64,
    /// Interpolated equal error rate.
    pub eer: f64,
    /// Mean of [`Metrics::ap_per_class`].
    pub map: f64,
    /// Average precision of each manipulation.
    pub ap_per_class: [f64; 4],
    /// Precision, recall and F1 of counts pooled over manipulations.
    pub overall: [f64; 3],
    /// Mean precision and recall over manipulations, and their F1.
    pub per_class: [f64; 3],
    /// F1 of each manipulation.
    pub f1_per_class: [f64; 4],
    /// Mean IoU over all items.
    pub iou_mean: f64,
    /// Share of items above 0.5, 0.75 and 0.95.
    pub iou_above: [f64; 3],
    /// Accuracy, precision, recall and F1 of sub-words.
    pub token: [f64; 4],
}

fn corners([cx, cy, w, h]: [f64; 4]) -> [f32; 4] {
    [
        cx as f32 - 0.5 * w as f32,
        cy as f32 - 0.5 * h as f32,
        cx as f32 + 0.5 * w as f32,
        cy as f32 + 0.5 * h as f32,
    ]
}

/// IoU of a predicted and a true box with the rule for pristine items.
#[must_use]
pub fn iou(predicted: [f64; 4], truth: [f64; 4]) -> f64 {
    let (p, t) = (corners(predicted), corners(truth));
    if t[0] == 0.0 && p.iter().all(|v| *v < 1e-4) {
        return 1.0;
    }
    let area = |b: [f32; 4]| (b[2] - b[0]) * (b[3] - b[1]);
    let side = |low: usize, high: usize| (p[high].min(t[high]) - p[low].max(t[low])).max(0.0);
    let shared = side(0, 2) * side(1, 3);
    let union = area(p) + area(t) - shared;
    if union > 0.0 {
        f64::from(shared / union)
    } else {
        0.0
    }
}

/// Mean of the precision at each positive, scores from high to low.
fn average_precision(rows: &[(f64, bool)]) -> f64 {
    let mut sorted = rows.to_vec();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let (mut hits, mut sum) = (0.0, 0.0);
    for (i, (_, positive)) in sorted.iter().enumerate() {
        if *positive {
            hits += 1.0;
            sum += hits / (i + 1) as f64;
        }
    }
    if hits > 0.0 { sum / hits } else { 0.0 }
}

fn ratio(a: f64, b: f64) -> f64 {
    if b > 0.0 { a / b } else { 0.0 }
}

fn harmonic(p: f64, r: f64) -> f64 {
    ratio(2.0 * p * r, p + r)
}

/// All measures; `None` with a single class.
#[must_use]
pub fn metrics(items: &[Grounding]) -> Option<Metrics> {
    let n = items.len() as f64;
    let scores = Scores::new(
        items
            .iter()
            .map(|i| {
                let z = (i.real_fake[1] - i.real_fake[0]) as f32;
                (f64::from(1.0 / (1.0 + (-z).exp())), i.fake, 0)
            })
            .collect(),
    );
    let right = items
        .iter()
        .filter(|i| (i.real_fake[1] > i.real_fake[0]) == i.fake)
        .count();
    // (true positives, predicted, actual) of each manipulation.
    let counts: [[f64; 3]; 4] = std::array::from_fn(|c| {
        let mut out = [0.0; 3];
        for i in items {
            let (predicted, actual) = (i.multi_label[c] >= 0.0, i.manipulations[c]);
            out[0] += f64::from(u8::from(predicted && actual));
            out[1] += f64::from(u8::from(predicted));
            out[2] += f64::from(u8::from(actual));
        }
        out
    });
    let pooled: [f64; 3] = std::array::from_fn(|k| counts.iter().map(|c| c[k]).sum());
    let (op, or) = (ratio(pooled[0], pooled[1]), ratio(pooled[0], pooled[2]));
    let mean = |of: &dyn Fn(&[f64; 3]) -> f64| counts.iter().map(of).sum::<f64>() / 4.0;
    let cp = mean(&|c| c[0] / c[1].max(1.0));
    let cr = mean(&|c| ratio(c[0], c[2]));
    let ap_per_class: [f64; 4] = std::array::from_fn(|c| {
        let rows: Vec<(f64, bool)> = items
            .iter()
            .map(|i| (i.multi_label[c], i.manipulations[c]))
            .collect();
        average_precision(&rows)
    });
    let ious: Vec<f64> = items.iter().map(|i| iou(i.predicted, i.truth)).collect();
    let above = |t: f64| ious.iter().filter(|v| **v > t).count() as f64 / n;
    let mut token = [0.0; 4];
    for (fake, logits) in items.iter().flat_map(|i| &i.tokens) {
        let cell = match (logits[1] > logits[0], *fake) {
            (true, true) => 0,
            (true, false) => 1,
            (false, true) => 2,
            (false, false) => 3,
        };
        token[cell] += 1.0;
    }
    let [tp, fp, missed, tn] = token;
    let (precision, recall) = (ratio(tp, tp + fp), ratio(tp, tp + missed));
    Some(Metrics {
        auc: auc::auc(&scores.all())?,
        acc: right as f64 / n,
        eer: eer::eer(&scores.all())?,
        map: ap_per_class.iter().sum::<f64>() / 4.0,
        ap_per_class,
        overall: [op, or, harmonic(op, or)],
        per_class: [cp, cr, harmonic(cp, cr)],
        f1_per_class: counts.map(|c| ratio(2.0 * c[0], c[1] + c[2])),
        iou_mean: ious.iter().sum::<f64>() / n,
        iou_above: [above(0.5), above(0.75), above(0.95)],
        token: [
            ratio(tp + tn, tp + fp + missed + tn),
            precision,
            recall,
            harmonic(precision, recall),
        ],
    })
}
