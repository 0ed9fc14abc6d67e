//! One self-contained page: no script, nothing fetched, light and dark.

use std::fmt::Write as _;

use base64::Engine as _;
use image::RgbImage;
use realscope_delivery::{self as delivery, DeliveryError, Filter, Subsampling};
use realscope_signal::{Plane, fft};
use serde::{Deserialize, Serialize};

use super::{film, hidden, words};
use crate::map::HeatMap;
use crate::record::{Record, Verdict};
use crate::scanner::KeyFrame;

const STYLE: &str = include_str!("style.css");

/// Longest edge of pictures on the page, in pixels.
const EDGE: u32 = 480;
/// Side of the spectrum in pixels.
const SPECTRUM: u32 = 256;

/// Text as it may stand in a page: what is not shown becomes U+FFFD.
#[must_use]
pub fn escape(text: &str) -> String {
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
    let title = escape(title);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n\
         <p class=\"soft\">{RESTS}</p>\n"
    )
}

/// What stands at the beginning of every report.
pub(crate) const RESTS: &str = "A verdict rests on the pixels. What a file declares about itself is shown beside it and \
                                never leads to an accusation.";

/// End of the page.
#[must_use]
pub fn html_tail() -> &'static str {
    "</main>\n</body>\n</html>\n"
}

/// A picture of the page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figure {
    /// What it shows, for who cannot see it.
    pub alt: String,
    /// What stands below it.
    pub caption: String,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Whether it is one of the small frames of a video.
    pub frame: bool,
    /// The picture as JPEG.
    #[serde(skip)]
    pub jpeg: Vec<u8>,
}

/// What stands ahead of a figure's Base64; nothing else of the page has it.
pub(crate) const FIGURE: &str = "src=\"data:image/jpeg;base64,";

impl Figure {
    /// Nothing where the picture cannot be encoded.
    fn of(picture: &RgbImage, alt: &str, caption: &str) -> Option<Self> {
        Some(Self {
            alt: alt.into(),
            caption: caption.into(),
            width: picture.width(),
            height: picture.height(),
            frame: false,
            jpeg: delivery::encode_jpeg(picture, 88, Subsampling::S420).ok()?,
        })
    }

    fn html(&self) -> String {
        format!(
            "<figure><img alt=\"{}\" width=\"{}\" height=\"{}\" {FIGURE}{}\">\
             <figcaption>{}</figcaption></figure>\n",
            escape(&self.alt),
            self.width,
            self.height,
            base64::engine::general_purpose::STANDARD.encode(&self.jpeg),
            escape(&self.caption)
        )
    }
}

fn spectrum(picture: &RgbImage) -> RgbImage {
    let side = picture.width().min(picture.height()).min(SPECTRUM);
    let (x, y) = ((picture.width() - side) / 2, (picture.height() - side) / 2);
    let s = fft::log_spectrum(&Plane::luma(&delivery::crop(picture, x, y, side, side)));
    let top = s.values.iter().copied().fold(1e-6_f32, f32::max);
    RgbImage::from_fn(side, side, |x, y| {
        image::Rgb([(255.0 * s.at(x as usize, y as usize) / top) as u8; 3])
    })
}

fn pictures(
    pixels: &RgbImage,
    map: Option<&HeatMap>,
    video: bool,
) -> Result<Vec<Figure>, DeliveryError> {
    let small = delivery::limit_edge(pixels, EDGE, Filter::Lanczos3)?;
    let mut out = Vec::new();
    let (alt, caption) = if video {
        (
            "The frame with the highest score",
            "Frame with the highest score",
        )
    } else {
        ("The picture that was scanned", "Picture")
    };
    out.extend(Figure::of(&small, alt, caption));
    if let Some(map) = map {
        out.extend(Figure::of(
            &map.overlay(pixels, EDGE),
            "The picture in grey, with the map over it",
            "Map: red where the pixels look generated, blue where they do not. It is coarse and decides nothing.",
        ));
    }
    out.extend(Figure::of(
        &spectrum(pixels),
        "Spectrum of the middle of the picture",
        "Spectrum of the middle. Bright dots away from its centre are patterns that repeat; they decide nothing.",
    ));
    Ok(out)
}

/// The pictures of one file's part of the page.
#[must_use]
pub fn figures(
    r: &Record,
    pixels: Option<&RgbImage>,
    map: Option<&HeatMap>,
    key_frames: &[KeyFrame],
) -> Vec<Figure> {
    let frames = key_frames.iter().filter_map(|frame| {
        let score = frame
            .probability
            .map_or(String::new(), |p| format!(", {}", words::percent(p)));
        let caption = format!("{}{score}", film::clock(frame.time));
        let figure = Figure::of(&frame.pixels, "A frame of the video", &caption)?;
        Some(Figure {
            frame: true,
            ..figure
        })
    });
    let mut out: Vec<Figure> = frames.collect();
    // A picture that cannot be drawn costs the page no word.
    let shown = pixels.and_then(|p| pictures(p, map, words::is_video(r)).ok());
    out.extend(shown.into_iter().flatten());
    out
}

/// The probability and its range as marks on a line from 0 to 100%.
fn scale(r: &Record) -> String {
    let Some(p) = r.probability else {
        return String::new();
    };
    let at = |p: f64| 100.0 * p.clamp(0.0, 1.0);
    let range = r.interval.as_ref().and_then(|i| i.range());
    let span = range.map_or(String::new(), |[low, high]| {
        let (left, width) = (at(low), at(high) - at(low));
        format!("<span style=\"left:{left:.1}%;width:{width:.1}%\"></span>")
    });
    format!(
        "<div class=\"scale\" role=\"img\" aria-label=\"Probability {} on a line from 0% to 100%\">{span}\
         <b style=\"left:{:.1}%\"></b></div>\n\
         <div class=\"ends\" aria-hidden=\"true\"><span>0%</span><span>100% generated</span></div>\n",
        words::percent(p),
        at(p)
    )
}

/// What was scanned and with what, by name.
pub(crate) fn facts(r: &Record) -> Vec<(&'static str, String)> {
    let mut rows = vec![(
        "Verdict",
        r.verdict.map_or("error", Verdict::word).to_owned(),
    )];
    rows.extend(r.probability.map(|p| ("Probability", format!("{p:.4}"))));
    rows.extend(
        r.decision_threshold
            .map(|t| ("Decision threshold", format!("{t:.2}"))),
    );
    if let Some(m) = &r.media {
        rows.push(("Format", m.format.clone()));
        rows.push(("Size", format!("{} x {} pixels", m.width, m.height)));
        for (name, key) in [
            ("Codec", "codec"),
            ("Decoder", "decoder"),
            ("Encoder", "encoder"),
        ] {
            let value = m.facts.get(key).and_then(|v| v.as_str());
            rows.extend(value.map(|v| (name, v.to_owned())));
        }
    }
    rows.extend(r.duration_s.map(|d| ("Length", format!("{d:.2} s"))));
    rows.extend(r.sha256.clone().map(|hash| ("SHA-256", hash)));
    for d in &r.detectors {
        rows.push(("Detector", d.id.clone()));
        rows.push(("Weights, SHA-256", d.weights_sha256.clone()));
    }
    rows.push((
        "Program",
        format!(
            "{} {}, engine {}",
            r.tool.name, r.tool.version, r.tool.engine
        ),
    ));
    rows
}

fn details(r: &Record) -> String {
    let mut out = String::from("<details>\n<summary>Technical details</summary>\n<dl>\n");
    for (name, value) in facts(r) {
        let _ = writeln!(out, "<dt>{name}</dt><dd>{}</dd>", escape(&value));
    }
    out.push_str("</dl>\n</details>\n");
    out
}

/// One file's part of the page.
#[must_use]
pub fn html_record(r: &Record, pixels: Option<&RgbImage>, map: Option<&HeatMap>) -> String {
    html_film(r, pixels, map, &[])
}

/// One file's part of the page, of a video with small frames of it.
#[must_use]
pub fn html_film(
    r: &Record,
    pixels: Option<&RgbImage>,
    map: Option<&HeatMap>,
    key_frames: &[KeyFrame],
) -> String {
    html_drawn(r, &figures(r, pixels, map, key_frames))
}

/// One file's part of the page with its [`figures`].
#[must_use]
pub fn html_drawn(r: &Record, figures: &[Figure]) -> String {
    let mut out = format!(
        "<article class=\"{}\">\n<h2>{}</h2>\n<p class=\"path\">{}</p>\n<p>{}</p>\n",
        r.verdict.map_or("error", Verdict::word),
        words::verdict(r),
        escape(&r.path),
        words::lead(r)
    );
    if let Some(sentence) = words::error(r) {
        let _ = writeln!(out, "<p>{}</p>", escape(&sentence));
    }
    out.push_str(&scale(r));
    for sentence in words::probability(r) {
        let _ = writeln!(out, "<p>{}</p>", escape(&sentence));
    }
    let (frames, shown): (Vec<&Figure>, Vec<&Figure>) = figures.iter().partition(|f| f.frame);
    let frames: Vec<String> = frames.into_iter().map(Figure::html).collect();
    out.push_str(&film::page(r, &frames));
    if !shown.is_empty() {
        out.push_str("<div class=\"pictures\">\n");
        shown.into_iter().for_each(|f| out.push_str(&f.html()));
        out.push_str("</div>\n");
    }
    for group in words::groups(r) {
        let _ = writeln!(out, "<h3>{}</h3>\n<ul>", group.title);
        for point in group.points {
            let _ = write!(out, "<li>{}", escape(&point.measured));
            for (name, sentence) in [("Usual", point.usual), ("Meaning", point.meaning)] {
                if let Some(sentence) = sentence {
                    let _ = write!(out, "<small>{name}: {}</small>", escape(sentence));
                }
            }
            out.push_str("</li>\n");
        }
        out.push_str("</ul>\n");
    }
    let history = words::history(r);
    if !history.is_empty() {
        let _ = writeln!(out, "<h3>{}</h3>\n<ul>", words::HISTORY);
        for (depth, line) in history {
            let (indent, line) = (depth.min(16), escape(&line));
            let _ = writeln!(out, "<li style=\"margin-left:{indent}em\">{line}</li>");
        }
        out.push_str("</ul>\n");
    }
    out.push_str("<aside>\n<h3>What this does not mean</h3>\n<ul>\n");
    for limit in words::limits(r) {
        let _ = writeln!(out, "<li>{limit}</li>");
    }
    out.push_str("</ul>\n</aside>\n");
    out.push_str(&details(r));
    out.push_str("</article>\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_stays_text() {
        assert_eq!(
            escape("<img src=x onerror='1'>\u{202e}"),
            "&lt;img src=x onerror=&#39;1&#39;&gt;\u{fffd}"
        );
    }
}
