//! Curves of detectors: ROC, DET, reliability, abstention, severity of perturbations.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use realscope_metric::{Scores, ece, risk};

use super::chart::{COLOURS, Chart};
use crate::summary::Summary;

/// Ticks of the unit interval.
const UNIT: &[(f64, &str)] = &[
    (0.0, "0"),
    (0.25, ".25"),
    (0.5, ".5"),
    (0.75, ".75"),
    (1.0, "1"),
];

/// Recall against false alarms.
pub(super) fn roc(sides: &[(String, Scores)]) -> String {
    let mut chart = Chart::new([0.0, 1.0], [0.0, 1.0]);
    for (i, (name, s)) in sides.iter().enumerate() {
        let v = s.all();
        if !v.has_both() {
            continue;
        }
        let mut points = vec![(0.0, 0.0)];
        v.curve(|p| points.push((p.fp / v.negatives, p.tp / v.positives)));
        chart.line(&points, i, name);
    }
    chart.finish(
        "ROC: recall against false alarms",
        ["false positive rate", "true positive rate"],
        [UNIT, UNIT],
    )
}

/// Quantile of the normal distribution (Acklam's rational approximation, error below 1.2e-9).
fn probit(p: f64) -> f64 {
    let p = p.clamp(1e-4, 1.0 - 1e-4);
    let a = [
        -39.696_830_286_653_76,
        220.946_098_424_520_5,
        -275.928_510_446_968_7,
        138.357_751_867_269,
        -30.664_798_066_147_16,
        2.506_628_277_459_239,
    ];
    let b = [
        -54.476_098_798_224_06,
        161.585_836_858_040_9,
        -155.698_979_859_886_6,
        66.801_311_887_719_72,
        -13.280_681_552_885_72,
    ];
    let c = [
        -0.007_784_894_002_430_293,
        -0.322_396_458_041_136_4,
        -2.400_758_277_161_838,
        -2.549_732_539_343_734,
        4.374_664_141_464_968,
        2.938_163_982_698_783,
    ];
    let d = [
        0.007_784_695_709_041_462,
        0.322_467_129_070_039_8,
        2.445_134_137_142_996,
        3.754_408_661_907_416,
    ];
    let poly = |k: &[f64], x: f64| k.iter().fold(0.0, |acc, v| acc * x + v);
    if p < 0.02425 {
        let q = (-2.0 * p.ln()).sqrt();
        poly(&c, q) / (poly(&d, q) * q + 1.0)
    } else if p > 1.0 - 0.02425 {
        -probit(1.0 - p)
    } else {
        let q = p - 0.5;
        let r = q * q;
        poly(&a, r) * q / (poly(&b, r) * r + 1.0)
    }
}

/// Misses against false alarms.
pub(super) fn det(sides: &[(String, Scores)]) -> String {
    let (low, high) = (probit(0.002), probit(0.98));
    let mut chart = Chart::new([low, high], [low, high]);
    for (i, (name, s)) in sides.iter().enumerate() {
        let v = s.all();
        if !v.has_both() {
            continue;
        }
        let mut points = Vec::new();
        v.curve(|p| {
            points.push((probit(p.fp / v.negatives), probit(1.0 - p.tp / v.positives)));
        });
        chart.line(&points, i, name);
    }
    let ticks: Vec<(f64, &str)> = [
        (0.005, ".5%"),
        (0.02, "2%"),
        (0.1, "10%"),
        (0.3, "30%"),
        (0.6, "60%"),
        (0.9, "90%"),
    ]
    .iter()
    .map(|(p, t)| (probit(*p), *t))
    .collect();
    chart.finish(
        "DET: misses against false alarms, normal deviates",
        ["false positive rate", "miss rate"],
        [&ticks, &ticks],
    )
}

/// Share of generated pictures against stated probability.
pub(super) fn reliability(sides: &[(String, Scores)]) -> String {
    let mut chart = Chart::new([0.0, 1.0], [0.0, 1.0]);
    chart.line(&[(0.0, 0.0), (1.0, 1.0)], 7, "calibrated");
    for (i, (name, s)) in sides.iter().enumerate() {
        if let Some(bins) = ece::equal_width(&s.all()) {
            let points: Vec<(f64, f64)> = bins
                .iter()
                .filter(|b| b.n > 0.0)
                .map(|b| (b.probability / b.n, b.positives / b.n))
                .collect();
            chart.line(&points, i, name);
        }
    }
    chart.finish(
        "Reliability: share of generated pictures against stated probability",
        ["mean probability", "share generated"],
        [UNIT, UNIT],
    )
}

/// Risk against coverage.
pub(super) fn coverage(sides: &[(String, Scores)], threshold: f64) -> String {
    let mut chart = Chart::new([0.0, 1.0], [0.0, 0.5]);
    for (i, (name, s)) in sides.iter().enumerate() {
        let points: Vec<(f64, f64)> = risk::coverage_risk(&s.all(), threshold)
            .iter()
            .map(|k| (k.coverage, k.risk))
            .collect();
        chart.line(&points, i, name);
    }
    chart.finish(
        "Abstention: share of wrong decisions against share of pictures decided",
        ["coverage", "risk"],
        [UNIT, &[(0.0, "0"), (0.1, ".1"), (0.25, ".25"), (0.5, ".5")]],
    )
}

/// A detector's curve: its name and (severity, AUC).
type Named = (String, Vec<(f64, f64)>);

/// Severity curves: AUC by position on each family of perturbations. `families` maps an arm to its
/// family and severity.
pub(super) fn severity(s: &Summary, families: &BTreeMap<String, (String, u32)>) -> String {
    let mut curves: BTreeMap<(String, String), Vec<(f64, f64)>> = BTreeMap::new();
    for p in &s.parts {
        if let (Some((family, step)), Some(auc)) = (families.get(&p.arm), p.all.auc.value) {
            curves
                .entry((family.clone(), p.detector.clone()))
                .or_default()
                .push((f64::from(*step), auc));
        }
    }
    let mut by_family: BTreeMap<String, Vec<Named>> = BTreeMap::new();
    for ((family, detector), mut points) in curves {
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        by_family
            .entry(family)
            .or_default()
            .push((detector, points));
    }
    let mut out = String::new();
    for (family, lines) in by_family {
        let most = lines
            .iter()
            .flat_map(|l| l.1.iter().map(|p| p.0))
            .fold(1.0, f64::max);
        let mut chart = Chart::new([1.0, most.max(2.0)], [0.4, 1.0]);
        for (i, (name, points)) in lines.iter().enumerate() {
            chart.line(points, i, name);
            for (x, y) in points {
                let (px, py) = chart.point(*x, *y);
                let _ = write!(
                    chart.body,
                    "<circle cx={px:.1} cy={py:.1} r=3 fill=\"{}\"/>",
                    COLOURS[i % COLOURS.len()]
                );
            }
        }
        out.push_str(&chart.finish(
            &format!("Severity: {family}"),
            ["severity", "AUC"],
            [&[(1.0, "1")], &[(0.5, ".5"), (0.75, ".75"), (1.0, "1")]],
        ));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probit_is_the_inverse_of_the_normal_distribution() {
        for (p, z) in [(0.5, 0.0), (0.975, 1.959_963_985), (0.01, -2.326_347_874)] {
            assert!((probit(p) - z).abs() < 1e-6, "{p}");
        }
    }
}
