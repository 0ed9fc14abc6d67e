//! Text and numbers in HTML.

use crate::summary::Measure;

/// Text without meaning to a browser.
pub(super) fn escape(text: &str) -> String {
    text.chars()
        .flat_map(|c| match c {
            '&' => "&amp;".chars().collect::<Vec<_>>(),
            '<' => "&lt;".chars().collect(),
            '>' => "&gt;".chars().collect(),
            '"' => "&quot;".chars().collect(),
            c if c.is_control() => "\u{fffd}".chars().collect(),
            c => vec![c],
        })
        .collect()
}

/// A measure as a cell: value and interval, or a dash with the reason.
pub(super) fn cell(m: &Measure) -> String {
    match (m.value, m.ci95) {
        (Some(v), Some([l, h])) => format!(
            "<td data-v=\"{v}\">{v:.3} <small>[{l:.3}, {h:.3}]</small>{}</td>",
            m.ci95_note.as_ref().map_or(String::new(), |n| format!(
                " <span class=q title=\"{}\">?</span>",
                escape(n)
            ))
        ),
        (Some(v), None) => format!("<td data-v=\"{v}\">{v:.3}</td>"),
        (None, _) => format!(
            "<td data-v=\"-1\" title=\"{}\">&ndash;</td>",
            escape(m.reason.as_deref().unwrap_or(""))
        ),
    }
}
