//! What is reported of a set of predictions: measures with intervals, and tables by group.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::table::Table;
use realscope_metric::bootstrap::{self, Interval};
use realscope_metric::{
    Scores, View, accuracy, ap, auc, brier, ece, eer, f1, nll, risk, tpr_at_fpr,
};

/// Version of the JSON layout.
pub const SCHEMA_VERSION: u32 = 1;

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

fn all_measures(v: &View<'_>, threshold: f64) -> [Option<f64>; N] {
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

/// A group in the table that is ordered worst first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupRow {
    /// Source or generator.
    pub group: String,
    /// Label of its rows.
    pub label: u8,
    /// Rows.
    pub n: usize,
    /// Rows decided right.
    pub right: usize,
    /// Share decided right; null under the least number of items.
    pub rate: Option<f64>,
    /// 95% interval of the share (Wilson), pictures counting as independent.
    pub ci95: Option<[f64; 2]>,
}

/// A match set's row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MatchRow {
    /// Name of the set.
    pub match_set: String,
    /// Its measures.
    pub measures: Measures,
}

/// Verdicts of a scan.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Abstention {
    /// Rows by verdict.
    pub verdicts: BTreeMap<String, usize>,
    /// Share of `uncertain`.
    pub uncertain: f64,
    /// Accusations (`generated`, `manipulated`) of authentic rows.
    pub false_accusations: usize,
    /// Accusations in all.
    pub accusations: usize,
}

/// Everything about one detector in one arm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Detector; empty where the file names none.
    pub detector: String,
    /// Arm; empty where the file names none.
    pub arm: String,
    /// Rows with a match set, all sets together: the honest test.
    pub matched: Option<Measures>,
    /// Each match set.
    pub match_sets: Vec<MatchRow>,
    /// All rows.
    #[serde(flatten)]
    pub all: Measures,
    /// Generators and sources, worst first.
    pub by_group: Vec<GroupRow>,
    /// Verdicts; null where the file has none.
    pub abstention: Option<Abstention>,
}

/// A whole file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Version of this layout.
    pub schema_version: u32,
    /// The first part: native arm of the first detector.
    #[serde(flatten)]
    pub first: Part,
    /// All parts, in order of first appearance; empty where there is but one.
    pub parts: Vec<Part>,
    /// Rows left out by fault.
    pub quarantined: BTreeMap<String, usize>,
    /// Pictures that failed and have no score.
    pub failed: usize,
}

/// Scores of some rows of a table, groups renumbered.
#[must_use]
pub fn scores(table: &Table, rows: &[usize]) -> Scores {
    let mut numbers = vec![u32::MAX; table.group.distinct()];
    let mut next = 0;
    Scores::new(
        rows.iter()
            .map(|i| {
                let group = &mut numbers[table.group.at(*i) as usize];
                if *group == u32::MAX {
                    *group = next;
                    next += 1;
                }
                (table.score[*i], table.positive[*i], *group)
            })
            .collect(),
    )
}

/// Wilson's 95% interval of a share.
#[must_use]
pub fn wilson(right: usize, n: usize) -> [f64; 2] {
    let (z, n) = (1.959_963_984_540_054, n as f64);
    let p = right as f64 / n;
    let centre = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let half = z / (1.0 + z * z / n) * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    [(centre - half).max(0.0), (centre + half).min(1.0)]
}

fn by_group(table: &Table, rows: &[usize], settings: &Settings) -> Vec<GroupRow> {
    // Rows decided right and rows, by class.
    let mut counts = vec![[[0_usize; 2]; 2]; table.group.distinct()];
    for i in rows {
        let positive = table.positive[*i];
        let [right, n] = &mut counts[table.group.at(*i) as usize][usize::from(positive)];
        *right += usize::from((table.score[*i] >= settings.threshold) == positive);
        *n += 1;
    }
    let filled = counts.iter().flatten().filter(|c| c[1] > 0).count();
    // A table of one picture a group says nothing.
    if filled == rows.len() && rows.len() > 1 {
        return Vec::new();
    }
    let mut out: Vec<GroupRow> = counts
        .into_iter()
        .enumerate()
        .flat_map(|(group, classes)| {
            let classes = classes.into_iter().enumerate();
            classes.map(move |(class, counts)| (group, class, counts))
        })
        .filter(|(_, _, [_, n])| *n > 0)
        .map(|(group, class, [right, n])| {
            let enough = n >= settings.min_items;
            GroupRow {
                group: table.group.name(group as u32).to_owned(),
                label: class as u8,
                n,
                right,
                rate: enough.then(|| right as f64 / n as f64),
                ci95: enough.then(|| wilson(right, n)),
            }
        })
        .collect();
    let share = |r: &GroupRow| r.right as f64 / r.n as f64;
    out.sort_by(|a, b| {
        let order = share(a).total_cmp(&share(b)).then(b.n.cmp(&a.n));
        order.then_with(|| (a.label, &a.group).cmp(&(b.label, &b.group)))
    });
    out
}

fn abstention(table: &Table, rows: &[usize]) -> Option<Abstention> {
    // Rows by verdict and class.
    let mut counts = vec![[0_usize; 2]; table.verdict.distinct()];
    for i in rows {
        counts[table.verdict.at(*i) as usize][usize::from(table.positive[*i])] += 1;
    }
    let mut out = Abstention::default();
    for (number, [negatives, positives]) in counts.into_iter().enumerate() {
        if negatives + positives == 0 {
            continue;
        }
        let verdict = table.verdict.name(number as u32);
        if verdict.is_empty() {
            return None;
        }
        out.verdicts
            .insert(verdict.to_owned(), negatives + positives);
        if matches!(verdict, "generated" | "manipulated") {
            out.accusations += negatives + positives;
            out.false_accusations += negatives;
        }
    }
    let uncertain = out.verdicts.get("uncertain").copied().unwrap_or(0);
    out.uncertain = uncertain as f64 / rows.len() as f64;
    Some(out)
}

/// Measures of one detector in one arm.
#[must_use]
pub fn part(table: &Table, detector: &str, arm: &str, settings: &Settings) -> Part {
    let rows = table.rows_of(detector, arm);
    let mut sets: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for i in &rows {
        let set = table.match_set.of(*i);
        if !set.is_empty() {
            sets.entry(set).or_default().push(*i);
        }
    }
    let joint: Vec<usize> = sets.values().flatten().copied().collect();
    Part {
        detector: detector.to_owned(),
        arm: arm.to_owned(),
        matched: (!joint.is_empty()).then(|| measures(&scores(table, &joint), settings)),
        match_sets: sets
            .into_iter()
            .map(|(set, rows)| MatchRow {
                match_set: set.to_owned(),
                measures: measures(&scores(table, &rows), settings),
            })
            .collect(),
        all: measures(&scores(table, &rows), settings),
        by_group: by_group(table, &rows, settings),
        abstention: abstention(table, &rows),
    }
}

/// Arms in the order of reports.
const ARMS: [&str; 7] = [
    "native",
    "q95",
    "web",
    "hard",
    "web-scaled",
    "hard-scaled",
    "fakes-only-q96",
];

/// Measures of a whole table. `thresholds` holds those of detectors that have their own; others take
/// that of the settings.
#[must_use]
pub fn summarise(
    table: &Table,
    settings: &Settings,
    thresholds: &BTreeMap<String, f64>,
) -> Summary {
    let mut order = table.parts();
    // A run writes its units as they finish; the arms of delivery come in their own order, others after.
    order.sort_by_key(|(_, arm)| {
        ARMS.iter()
            .position(|a| a == arm)
            .unwrap_or(if arm.is_empty() { 0 } else { ARMS.len() })
    });
    let mut parts: Vec<Part> = order
        .iter()
        .map(|(detector, arm)| {
            let own = Settings {
                threshold: thresholds
                    .get(detector)
                    .copied()
                    .unwrap_or(settings.threshold),
                ..*settings
            };
            part(table, detector, arm, &own)
        })
        .collect();
    let first = parts
        .first()
        .cloned()
        .unwrap_or_else(|| part(table, "", "", settings));
    if parts.len() == 1 {
        parts.clear();
    }
    let mut quarantined: BTreeMap<String, usize> = BTreeMap::new();
    for (_, _, fault) in &table.quarantined {
        *quarantined.entry(fault.to_string()).or_default() += 1;
    }
    Summary {
        schema_version: SCHEMA_VERSION,
        first,
        parts,
        quarantined,
        failed: table.failed.len(),
    }
}

fn cell(m: &Measure) -> String {
    match (m.value, m.ci95) {
        (Some(v), Some([low, high])) => {
            let note = if m.ci95_note.is_some() { "?" } else { "" };
            format!("{v:.3} [{low:.3}, {high:.3}]{note}")
        }
        (Some(v), None) => format!("{v:.3}"),
        (None, _) => format!("- ({})", m.reason.as_deref().unwrap_or("none")),
    }
}

fn write_measures(out: &mut String, title: &str, m: &Measures) {
    let _ = writeln!(
        out,
        "{title}: {} items, {} generated, {} authentic, {} groups, threshold {}",
        m.n, m.n_pos, m.n_neg, m.groups, m.threshold
    );
    for (name, measure) in [
        ("balanced accuracy", &m.balanced_accuracy),
        ("accuracy", &m.accuracy),
        ("recall", &m.recall),
        ("specificity", &m.specificity),
        ("AUC", &m.auc),
        ("AP", &m.ap),
        ("EER", &m.eer),
        ("recall at 5% FPR", &m.recall_at_fpr_0_05),
        ("TPR at 1% FPR", &m.tpr_at_fpr_0_01),
        ("TPR at 0.1% FPR", &m.tpr_at_fpr_0_001),
        ("F1", &m.f1),
        ("ECE", &m.ece),
        ("adaptive ECE", &m.ece_adaptive),
        ("Brier", &m.brier),
        ("NLL", &m.nll),
        ("coverage-risk area", &m.coverage_risk_area),
        ("oracle accuracy (no result)", &m.oracle_accuracy),
    ] {
        let _ = writeln!(out, "  {name:<28}{}", cell(measure));
    }
}

/// The summary for people; matched sets first, worst groups first.
#[must_use]
pub fn text(s: &Summary) -> String {
    let mut out = String::new();
    let parts = if s.parts.is_empty() {
        std::slice::from_ref(&s.first)
    } else {
        &s.parts
    };
    for p in parts {
        let title = [p.detector.as_str(), p.arm.as_str()]
            .iter()
            .filter(|t| !t.is_empty())
            .copied()
            .collect::<Vec<_>>()
            .join(", ");
        let title = if title.is_empty() { "all" } else { &title };
        if let Some(m) = &p.matched {
            write_measures(&mut out, &format!("{title}: matched sets"), m);
            for set in &p.match_sets {
                let _ = writeln!(
                    out,
                    "  {:<28}n {:<5}AUC {}",
                    set.match_set,
                    set.measures.n,
                    cell(&set.measures.auc)
                );
            }
        }
        write_measures(&mut out, &format!("{title}: all"), &p.all);
        if let Some(a) = &p.abstention {
            let _ = writeln!(
                out,
                "  verdicts {:?}; uncertain {:.1}%; {} accusations, {} of them false",
                a.verdicts,
                100.0 * a.uncertain,
                a.accusations,
                a.false_accusations
            );
        }
        if !p.by_group.is_empty() {
            let _ = writeln!(out, "  worst groups first:");
            for g in &p.by_group {
                let rate = match (g.rate, g.ci95) {
                    (Some(r), Some([l, h])) => format!("{r:.3} [{l:.3}, {h:.3}]"),
                    _ => "-".into(),
                };
                let kind = if g.label == 1 {
                    "generated"
                } else {
                    "authentic"
                };
                let _ = writeln!(
                    out,
                    "    {:<44}{kind:<10}{:>4} of {:<5}{rate}",
                    g.group, g.right, g.n
                );
            }
        }
    }
    for (fault, n) in &s.quarantined {
        let _ = writeln!(out, "quarantined: {n} rows, {fault}");
    }
    if s.failed > 0 {
        let _ = writeln!(out, "failed and without a score: {}", s.failed);
    }
    out
}
