//! One row a file.

use crate::record::{Record, Verdict};

/// Columns of the CSV report.
pub const CSV_COLUMNS: [&str; 12] = [
    "path",
    "sha256",
    "format",
    "width",
    "height",
    "verdict",
    "probability",
    "interval_low",
    "interval_high",
    "stable",
    "declared",
    "error",
];

/// A text that spreadsheets take for no formula: what begins like one gets an apostrophe ahead.
fn literal(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

/// Cells of one CSV row. Range and stability are empty where no re-delivery was run.
#[must_use]
pub fn csv_row(r: &Record) -> [String; 12] {
    let number = |v: Option<f64>| v.map_or(String::new(), |v| format!("{v:.4}"));
    let media = r.media.as_ref();
    let range = r.interval.as_ref().and_then(|i| i.range());
    [
        literal(&r.path),
        r.sha256.clone().unwrap_or_default(),
        media.map_or(String::new(), |m| m.format.clone()),
        media.map_or(String::new(), |m| m.width.to_string()),
        media.map_or(String::new(), |m| m.height.to_string()),
        r.verdict.map_or("", Verdict::word).into(),
        number(r.probability),
        number(range.map(|[low, _]| low)),
        number(range.map(|[_, high]| high)),
        r.stable.map_or(String::new(), |s| s.to_string()),
        r.provenance
            .as_ref()
            .map_or("", |p| p.declared.word())
            .into(),
        r.error.as_ref().map_or("", |e| e.code.word()).into(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_no_formula() {
        assert_eq!(literal("=HYPERLINK(\"x\").jpg"), "'=HYPERLINK(\"x\").jpg");
        assert_eq!(literal("a=b.jpg"), "a=b.jpg");
    }
}
