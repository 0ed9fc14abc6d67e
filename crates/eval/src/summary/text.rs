//! The summary for people.

use std::fmt::Write as _;

use super::measures::{Measure, Measures};
use super::parts::Summary;

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
