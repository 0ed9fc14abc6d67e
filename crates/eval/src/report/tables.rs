//! Tables of measures and of groups.

use std::fmt::Write as _;

use super::chart::COLOURS;
use super::text::{cell, escape};
use crate::summary::{GroupRow, Measures, Part, Summary};

/// Matched sets first, then all items.
pub(super) fn measures_table(s: &Summary, parts: &[Part]) -> String {
    let mut out = String::new();
    let head = "<table><thead><tr><th>detector<th>arm<th>items<th>balanced accuracy<th>AUC<th>recall<th>specificity<th>recall at 5% FPR<th>TPR at 1% FPR<th>ECE<th>uncertain</tr></thead><tbody>";
    let row = |p: &Part, m: &Measures, abstain: bool| {
        let uncertain = match (&p.abstention, abstain) {
            (Some(a), true) => format!("{:.1}%", 100.0 * a.uncertain),
            _ => "&ndash;".into(),
        };
        format!(
            "<tr><td>{}<td>{}<td>{}</td>{}{}{}{}{}{}{}<td>{uncertain}</tr>",
            escape(&p.detector),
            escape(&p.arm),
            m.n,
            cell(&m.balanced_accuracy),
            cell(&m.auc),
            cell(&m.recall),
            cell(&m.specificity),
            cell(&m.recall_at_fpr_0_05),
            cell(&m.tpr_at_fpr_0_01),
            cell(&m.ece),
        )
    };
    if parts.iter().any(|p| p.matched.is_some()) {
        out.push_str(
            "<h2>Matched sets</h2><p>Both classes share source and style; the honest test.</p>",
        );
        out.push_str(head);
        for p in parts {
            if let Some(m) = &p.matched {
                out.push_str(&row(p, m, false));
            }
        }
        out.push_str("</tbody></table><details><summary>Each match set (AUC)</summary><table><thead><tr><th>detector<th>arm<th>set<th>items<th>AUC</tr></thead><tbody>");
        for p in parts {
            for set in &p.match_sets {
                let _ = write!(
                    out,
                    "<tr><td>{}<td>{}<td>{}<td>{}</td>{}</tr>",
                    escape(&p.detector),
                    escape(&p.arm),
                    escape(&set.match_set),
                    set.measures.n,
                    cell(&set.measures.auc)
                );
            }
        }
        out.push_str("</tbody></table></details>");
    }
    out.push_str("<h2>All items</h2>");
    out.push_str(head);
    for p in parts {
        out.push_str(&row(p, &p.all, true));
    }
    out.push_str("</tbody></table>");
    if s.failed > 0 {
        let _ = write!(
            out,
            "<p class=note>{} pictures failed and have no score; none was replaced.</p>",
            s.failed
        );
    }
    out.push_str("<p><small>Intervals: 95%, resampled by group; &ldquo;?&rdquo; marks fewer than ten groups. &ndash;: the data cannot carry the number (hover for the reason).</small></p>");
    out
}

/// Share decided right by group, as bars.
fn bars(p: &Part) -> String {
    let rows: Vec<&GroupRow> = p.by_group.iter().filter(|g| g.rate.is_some()).collect();
    if rows.is_empty() {
        return String::new();
    }
    let height = 20 * rows.len() + 20;
    let mut body = String::new();
    for (i, g) in rows.iter().enumerate() {
        let y = 20 * i + 4;
        let rate = g.rate.unwrap_or(0.0);
        let [low, high] = g.ci95.unwrap_or([rate, rate]);
        let colour = if g.label == 1 { COLOURS[1] } else { COLOURS[0] };
        let _ = write!(
            body,
            "<text x=236 y={0} text-anchor=end>{1}</text><rect x=240 y={y} width={2:.1} height=12 fill=\"{colour}\" opacity=.75><title>{3} of {4}</title></rect><line x1={5:.1} x2={6:.1} y1={7} y2={7} stroke=currentColor />",
            y + 10,
            escape(&g.group),
            300.0 * rate,
            g.right,
            g.n,
            240.0 + 300.0 * low,
            240.0 + 300.0 * high,
            y + 6
        );
    }
    format!(
        "<figure><svg viewBox=\"0 0 560 {height}\" width=560 role=img aria-label=\"share decided right by group\" font-size=10 fill=currentColor>{body}</svg><figcaption>Share decided right, worst first; red: generators, blue: sources; 95% intervals. Groups under the least number of items are in the table only.</figcaption></figure>"
    )
}

/// The groups of a part in a section that is open or closed at first.
pub(super) fn groups_table(p: &Part, open: bool) -> String {
    let mut out = String::new();
    let _ = write!(
        out,
        "<details{}><summary>Groups, {} {}</summary>{}<table><thead><tr><th>group<th>class<th>items<th>right<th>share</tr></thead><tbody>",
        if open { " open" } else { "" },
        escape(&p.detector),
        escape(&p.arm),
        bars(p)
    );
    for g in &p.by_group {
        let share = g.rate.map_or("&ndash;".into(), |r| format!("{r:.3}"));
        let _ = write!(
            out,
            "<tr><td>{}<td>{}<td>{}<td>{}<td>{share}</tr>",
            escape(&g.group),
            if g.label == 1 {
                "generated"
            } else {
                "authentic"
            },
            g.n,
            g.right
        );
    }
    out.push_str("</tbody></table></details>");
    out
}
