//! Reports: text, CSV and a self-contained page.

use std::fmt::Write as _;

use base64::Engine as _;
use image::RgbImage;
use realscope_signal::{Plane, fft};

use crate::map::HeatMap;
use crate::record::{Declared, Evidence, EvidenceKind, OperatingRecord, Record, Verdict};

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

/// Cells of one CSV row.
#[must_use]
pub fn csv_row(r: &Record) -> [String; 12] {
    let number = |v: Option<f64>| v.map_or(String::new(), |v| format!("{v:.4}"));
    [
        r.path.clone(),
        r.sha256.clone().unwrap_or_default(),
        r.media.as_ref().map_or(String::new(), |m| m.format.clone()),
        r.media
            .as_ref()
            .map_or(String::new(), |m| m.width.to_string()),
        r.media
            .as_ref()
            .map_or(String::new(), |m| m.height.to_string()),
        r.verdict.map_or(String::new(), |v| v.word().into()),
        number(r.probability),
        number(r.interval.as_ref().map(|i| i.low)),
        number(r.interval.as_ref().map(|i| i.high)),
        r.stable.map_or(String::new(), |s| s.to_string()),
        r.provenance
            .as_ref()
            .map_or(String::new(), |p| p.declared.word().into()),
        r.error
            .as_ref()
            .map_or(String::new(), |e| e.code.word().into()),
    ]
}

/// One line for a terminal, and the evidence below it where `verbose`. Control characters of paths
/// and metadata are made visible.
#[must_use]
pub fn text(r: &Record, colour: bool, verbose: bool) -> String {
    let paint = |code: &str, word: &str| {
        if colour {
            format!("\x1b[{code}m{word:<11}\x1b[0m")
        } else {
            format!("{word:<11}")
        }
    };
    let path = visible(&r.path);
    let mut out = match (&r.verdict, &r.error) {
        (Some(verdict), _) => {
            let code = match verdict {
                Verdict::Generated | Verdict::Manipulated => "1;31",
                Verdict::Uncertain => "33",
                Verdict::NoEvidence => "32",
            };
            let p = match (r.probability, &r.interval) {
                (Some(p), Some(i)) => format!("P={p:.2} [{:.2}, {:.2}]", i.low, i.high),
                _ => "P=n/a".into(),
            };
            let declared = r
                .provenance
                .as_ref()
                .filter(|p| p.declared != Declared::None)
                .map_or(String::new(), |p| {
                    format!("  declared: {}", p.declared.word())
                });
            format!("{} {p}  {path}{declared}", paint(code, verdict.word()))
        }
        (None, Some(e)) => format!("{} {path}: {}", paint("35", "error"), visible(&e.message)),
        (None, None) => format!("{} {path}", paint("35", "error")),
    };
    if verbose {
        for e in &r.evidence {
            let weight = if e.weight == 0.0 {
                "       ".into()
            } else {
                format!("{:+7.2}", e.weight)
            };
            let _ = write!(
                out,
                "\n    {weight}  {}  [{}]",
                visible(&sentences(e)),
                e.code
            );
        }
        let operating = r.operating_point.as_ref().map(operating_sentence);
        let provenance = r.provenance.iter();
        let notes = provenance.flat_map(|p| p.contradictions.iter().chain(&p.not_checkable));
        for note in operating.iter().chain(notes) {
            let _ = write!(out, "\n             {}", visible(note));
        }
    }
    out
}

/// What was measured, what is usual and what it means.
fn sentences(e: &Evidence) -> String {
    let parts = [Some(&e.measured), e.usual.as_ref(), e.meaning.as_ref()];
    let parts: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
    parts.join(" ")
}

fn kind_word(kind: EvidenceKind) -> &'static str {
    match kind {
        EvidenceKind::Pixels => "pixels",
        EvidenceKind::Context => "context",
        EvidenceKind::Metadata => "metadata",
    }
}

/// What a false-positive rate that was asked for means for the picture.
fn operating_sentence(o: &OperatingRecord) -> String {
    let rate = 100.0 * o.max_fpr;
    let tier = o.tier.name();
    let (Some(threshold), Some(recall)) = (o.threshold, o.expected_recall) else {
        return format!(
            "A false-positive rate of at most {rate}% cannot be promised: {} authentic validation pictures of the \
             tier `{tier}` are too few.",
            o.negatives
        );
    };
    let interval = o.recall_interval.map_or(String::new(), |[low, high]| {
        format!(" [{:.0}, {:.0}]", 100.0 * low, 100.0 * high)
    });
    format!(
        "At a false-positive rate of at most {rate}% (tier `{tier}`) `generated` is said from P = {threshold:.2} on, \
         which found {:.0}%{interval} of generated validation pictures.",
        100.0 * recall
    )
}

/// Text without control characters, so that a file name cannot drive the terminal, and without marks of writing
/// direction (Unicode Standard Annex 9), so that it cannot seem to be another.
#[must_use]
pub fn visible(text: &str) -> String {
    text.chars()
        .map(|c| if hidden(c) { '\u{fffd}' } else { c })
        .collect()
}

fn hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if hidden(c) && c != '\n' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// Beginning of the page.
#[must_use]
pub fn html_head(title: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>{}</title><style>{}</style></head><body><main><h1>{}</h1>\n\
         <p class=\"lead\">A verdict speaks of the pixels. <b>no_evidence</b> is no proof of \
         authenticity; <b>uncertain</b> means that it cannot be told. What a file declares about \
         itself is shown beside the pixels and never decides.</p>\n",
        escape(title),
        STYLE,
        escape(title)
    )
}

/// End of the page.
#[must_use]
pub fn html_tail() -> &'static str {
    "</main></body></html>\n"
}

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;margin:0;background:#f6f7f9;color:#1b1f24}\
main{max-width:1000px;margin:0 auto;padding:24px}article{background:#fff;border:1px solid #d9dee5;\
border-radius:8px;padding:16px;margin:16px 0}h2{font-size:16px;margin:0 0 8px;overflow-wrap:anywhere}\
.v{display:inline-block;padding:2px 10px;border-radius:12px;color:#fff;font-weight:600}\
.generated,.manipulated{background:#b3261e}.uncertain{background:#8a5a00}.no_evidence{background:#1e6e3c}\
.error{background:#5b2a86}.pics{display:flex;flex-wrap:wrap;gap:12px;margin:12px 0}figure{margin:0}\
img{max-width:100%;display:block;border-radius:4px}figcaption{font-size:13px;color:#57606a}\
table{border-collapse:collapse;width:100%;font-size:14px}td,th{text-align:left;padding:4px 8px;\
border-top:1px solid #e5e8ec;vertical-align:top}td.n{text-align:right;white-space:nowrap}\
.lead{color:#424a53}small{color:#57606a;overflow-wrap:anywhere}";

fn figure(picture: &RgbImage, caption: &str) -> String {
    let mut png = std::io::Cursor::new(Vec::new());
    if picture.write_to(&mut png, image::ImageFormat::Png).is_err() {
        return String::new();
    }
    format!(
        "<figure><img alt=\"{0}\" src=\"data:image/png;base64,{1}\"><figcaption>{0}</figcaption></figure>",
        escape(caption),
        base64::engine::general_purpose::STANDARD.encode(png.into_inner())
    )
}

fn spectrum(picture: &RgbImage) -> RgbImage {
    let side = picture.width().min(picture.height()).min(256);
    let (x, y) = ((picture.width() - side) / 2, (picture.height() - side) / 2);
    let part = image::imageops::crop_imm(picture, x, y, side, side).to_image();
    let s = fft::log_spectrum(&Plane::luma(&part));
    let top = s.values.iter().copied().fold(1e-6_f32, f32::max);
    RgbImage::from_fn(side, side, |x, y| {
        image::Rgb([(255.0 * s.at(x as usize, y as usize) / top) as u8; 3])
    })
}

/// One file's part of the page.
#[must_use]
pub fn html_record(r: &Record, pixels: Option<&RgbImage>, map: Option<&HeatMap>) -> String {
    let word = r.verdict.map_or("error", Verdict::word);
    let mut out = format!(
        "<article><h2>{}</h2><p><span class=\"v {word}\">{word}</span> ",
        escape(&r.path)
    );
    if let (Some(p), Some(i), Some(t)) = (r.probability, &r.interval, r.decision_threshold) {
        let _ = write!(
            out,
            "P = {p:.3}, range over re-deliveries {:.3} to {:.3}, decision threshold {t:.3}{}",
            i.low,
            i.high,
            if r.stable == Some(true) {
                ", stable"
            } else {
                ", not stable"
            }
        );
    }
    if let Some(e) = &r.error {
        let _ = write!(out, "{} ({})", escape(&e.message), e.code.word());
    }
    out.push_str("</p>");
    if let Some(pixels) = pixels {
        out.push_str("<div class=\"pics\">");
        let scale = 300.0 / f64::from(pixels.width().max(pixels.height()).max(1));
        let size = |v: u32| ((f64::from(v) * scale.min(1.0)) as u32).max(1);
        let thumbnail =
            image::imageops::thumbnail(pixels, size(pixels.width()), size(pixels.height()));
        out.push_str(&figure(&thumbnail, "Picture"));
        if let Some(map) = map {
            out.push_str(&figure(
                &map.overlay(pixels, 300),
                "Heat map: blue low, red high",
            ));
        }
        out.push_str(&figure(&spectrum(pixels), "Log spectrum of the centre"));
        out.push_str("</div>");
    }
    if !r.evidence.is_empty() {
        out.push_str("<table><tr><th>Evidence</th><th>Weight (log-odds)</th></tr>");
        for e in &r.evidence {
            let weight = if e.kind == EvidenceKind::Pixels {
                format!("{:+.2}", e.weight)
            } else {
                kind_word(e.kind).to_owned()
            };
            let _ = write!(
                out,
                "<tr><td>{}</td><td class=\"n\">{weight}</td></tr>",
                escape(&sentences(e))
            );
        }
        out.push_str("</table>");
    }
    let operating = r.operating_point.as_ref().map(operating_sentence);
    let provenance = r.provenance.iter();
    let notes = provenance.flat_map(|p| p.contradictions.iter().chain(&p.not_checkable));
    for note in operating.iter().chain(notes) {
        let _ = write!(out, "<p><small>{}</small></p>", escape(note));
    }
    if let Some(m) = &r.media {
        let _ = write!(
            out,
            "<p><small>{}, {} x {} pixels</small></p>",
            escape(&m.format),
            m.width,
            m.height
        );
    }
    if let Some(hash) = &r.sha256 {
        let _ = write!(out, "<p><small>SHA-256 {}</small></p>", escape(hash));
    }
    for d in &r.detectors {
        let _ = write!(
            out,
            "<p><small>Detector {}, weights {}</small></p>",
            escape(&d.id),
            escape(&d.weights_sha256)
        );
    }
    out.push_str("</article>\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operating_point_is_put_in_words() {
        let mut o = OperatingRecord {
            status: crate::record::OperatingStatus::Ok,
            tier: realscope_detectors::Tier::Web,
            max_fpr: 0.01,
            threshold: Some(0.79),
            expected_recall: Some(0.455),
            recall_interval: Some([0.36, 0.55]),
            fpr_interval: None,
            negatives: 500,
        };
        assert_eq!(
            operating_sentence(&o),
            "At a false-positive rate of at most 1% (tier `web`) `generated` is said from P = 0.79 on, \
             which found 46% [36, 55] of generated validation pictures."
        );
        (o.threshold, o.expected_recall, o.negatives) = (None, None, 12);
        assert!(operating_sentence(&o).contains("12 authentic"));
    }

    #[test]
    fn a_hostile_name_stays_text() {
        assert_eq!(visible("a\x1b[31m"), "a\u{fffd}[31m");
        assert_eq!(visible("gpj.\u{202e}exe"), "gpj.\u{fffd}exe");
        assert_eq!(
            escape("<img src=x onerror='1'>"),
            "&lt;img src=x onerror=&#39;1&#39;&gt;"
        );
    }
}
