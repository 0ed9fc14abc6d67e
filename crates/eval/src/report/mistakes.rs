//! The worst mistakes as thumbnails.

use std::fmt::Write as _;
use std::path::Path;

use base64::Engine as _;
use realscope_data::clip;
use realscope_delivery::{Filter, Subsampling, encode_jpeg, limit_edge};
use realscope_media::{Limits, Options};

use super::text::escape;

/// Where pictures lie and how many mistakes are shown.
pub struct Pictures<'a> {
    /// Folder that relative paths start from.
    pub base: &'a Path,
    /// Rows of the first part: path, label, score.
    pub rows: Vec<(String, bool, f64)>,
    /// Most thumbnails of each kind.
    pub most: usize,
}

/// False alarms and misses, worst first.
pub(super) fn worst(pictures: &Pictures<'_>, threshold: f64) -> String {
    let mut out = String::new();
    for (title, positive) in [("Worst false alarms", false), ("Worst misses", true)] {
        let mut rows: Vec<&(String, bool, f64)> = pictures
            .rows
            .iter()
            .filter(|r| r.1 == positive && (r.2 >= threshold) != positive)
            .collect();
        rows.sort_by(|a, b| b.2.total_cmp(&a.2));
        if positive {
            rows.reverse();
        }
        let _ = write!(out, "<h3>{title} ({})</h3><div class=thumbs>", rows.len());
        for (path, _, score) in rows.into_iter().take(pictures.most) {
            let image = match thumbnail(&pictures.base.join(path)) {
                Some(data) => format!("<img alt=\"\" src=\"data:image/jpeg;base64,{data}\">"),
                None => "<div class=note>cannot be read</div>".into(),
            };
            let _ = write!(
                out,
                "<figure>{image}<figcaption>{score:.3} {}</figcaption></figure>",
                escape(path)
            );
        }
        out.push_str("</div>");
    }
    out
}

fn thumbnail(path: &Path) -> Option<String> {
    let pixels = if clip::is_video(path).ok()? {
        clip::middle(path).ok()??
    } else {
        let bytes = std::fs::read(path).ok()?;
        realscope_media::decode(&bytes, &Limits::default(), &Options::default())
            .ok()?
            .pixels
    };
    let small = limit_edge(&pixels, 140, Filter::Lanczos3).ok()?;
    let jpeg = encode_jpeg(&small, 80, Subsampling::S420).ok()?;
    Some(base64::engine::general_purpose::STANDARD.encode(jpeg))
}
