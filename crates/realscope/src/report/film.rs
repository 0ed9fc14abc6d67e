//! The time of a video: a bar for a terminal, a curve with key frames for the page.

use std::fmt::Write as _;

use crate::record::{Record, Verdict};

/// Characters of the bar.
const BAR: usize = 48;

/// An instant as people write it.
pub(crate) fn clock(seconds: f64) -> String {
    let tenths = (10.0 * seconds.max(0.0)).round() as u64;
    let (minutes, rest) = (tenths / 600, tenths % 600);
    match minutes / 60 {
        0 => format!("{minutes}:{:02}.{}", rest / 10, rest % 10),
        hours => format!("{hours}:{:02}:{:02}", minutes % 60, rest / 10),
    }
}

/// The highest probability of the frames within each of `cells` stretches of a video; a stretch without one has that of
/// the frame before.
fn levels(r: &Record, cells: usize) -> Option<Vec<f64>> {
    let (frames, length) = (r.frames.as_ref()?, r.duration_s?);
    let mut out: Vec<Option<f64>> = vec![None; cells];
    for frame in frames {
        let p = frame.probability?;
        let at = (frame.time_s / length.max(1e-9) * cells as f64) as usize;
        let cell = &mut out[at.min(cells - 1)];
        *cell = Some(cell.map_or(p, |c| c.max(p)));
    }
    let mut last = out.iter().flatten().next().copied()?;
    Some(
        out.into_iter()
            .map(|level| {
                last = level.unwrap_or(last);
                last
            })
            .collect(),
    )
}

/// A line of blocks, higher where frames score higher; accused segments are underlined by `=` in a second line.
pub(crate) fn bar(r: &Record) -> Option<[String; 2]> {
    const BLOCKS: [char; 8] = [
        '\u{2581}', '\u{2582}', '\u{2583}', '\u{2584}', '\u{2585}', '\u{2586}', '\u{2587}',
        '\u{2588}',
    ];
    let levels = levels(r, BAR)?;
    let length = r.duration_s?;
    let blocks: String = levels
        .iter()
        .map(|p| BLOCKS[((p * 8.0) as usize).min(7)])
        .collect();
    let mut marks = vec![' '; BAR];
    for s in accused(r) {
        let at = |t: f64| (t / length.max(1e-9) * BAR as f64).round() as usize;
        let (from, to) = (at(s[0]).min(BAR - 1), at(s[1]).min(BAR));
        marks[from..to.max(from + 1)].fill('=');
    }
    let marks: String = marks.into_iter().collect();
    Some([
        format!("0:00.0 {blocks} {}", clock(length)),
        format!("       {}", marks.trim_end()),
    ])
}

/// Beginning and end of the accused segments.
pub(crate) fn accused(r: &Record) -> impl Iterator<Item = [f64; 2]> + '_ {
    r.segments
        .iter()
        .flatten()
        .filter(|s| matches!(s.verdict, Verdict::Generated | Verdict::Manipulated))
        .map(|s| [s.start_s, s.end_s])
}

/// Width and height of the curve.
const CURVE: [f64; 2] = [720.0, 120.0];

/// What stands below the curve.
pub(crate) const CURVE_CAPTION: &str = "Score of each frame over time, 0% below and 100% above. Shaded: accused. Thin lines: new shots.";

/// The scores over time, with shots and accused segments, and figures of key frames below. Nothing of it is script.
pub(crate) fn page(r: &Record, key_frames: &[String]) -> String {
    let (Some(frames), Some(length)) = (&r.frames, r.duration_s) else {
        return String::new();
    };
    let [width, height] = CURVE;
    let x = |t: f64| width * (t / length.max(1e-9)).clamp(0.0, 1.0);
    let y = |p: f64| height * (1.0 - p.clamp(0.0, 1.0));
    let mut out = format!(
        "<figure class=\"curve\"><svg viewBox=\"0 -4 {width} {:.0}\" role=\"img\" \
         aria-label=\"Probability of each scored frame over the time of the video\">\n",
        height + 24.0
    );
    for [start, end] in accused(r) {
        let _ = writeln!(
            out,
            "<rect class=\"accused\" x=\"{:.1}\" y=\"0\" width=\"{:.1}\" height=\"{height}\"/>",
            x(start),
            (x(end) - x(start)).max(1.0)
        );
    }
    for shot in r.shots.iter().flatten() {
        let _ = writeln!(
            out,
            "<line class=\"shot\" x1=\"{0:.1}\" x2=\"{0:.1}\" y1=\"0\" y2=\"{height}\"/>",
            x(*shot)
        );
    }
    if let Some(t) = r.decision_threshold {
        let _ = writeln!(
            out,
            "<line class=\"side\" x1=\"0\" x2=\"{width}\" y1=\"{0:.1}\" y2=\"{0:.1}\"/>",
            y(t)
        );
    }
    let scored = frames
        .iter()
        .filter_map(|f| Some((f.time_s, f.probability?)));
    let points: Vec<String> = scored
        .clone()
        .map(|(t, p)| format!("{:.1},{:.1}", x(t), y(p)))
        .collect();
    let _ = writeln!(out, "<polyline points=\"{}\"/>", points.join(" "));
    for (t, p) in scored {
        let _ = writeln!(
            out,
            "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\"><title>{}: {:.0}%</title></circle>",
            x(t),
            y(p),
            clock(t),
            100.0 * p
        );
    }
    let _ = writeln!(
        out,
        "<text x=\"0\" y=\"{0:.0}\">0:00.0</text><text x=\"{width}\" y=\"{0:.0}\" text-anchor=\"end\">{1}</text>\n</svg>\
         <figcaption>{CURVE_CAPTION}</figcaption></figure>",
        height + 16.0,
        clock(length)
    );
    if !key_frames.is_empty() {
        out.push_str("<div class=\"frames\">\n");
        key_frames.iter().for_each(|frame| out.push_str(frame));
        out.push_str("</div>\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_read_like_clocks() {
        assert_eq!(clock(0.0), "0:00.0");
        assert_eq!(clock(9.96), "0:10.0");
        assert_eq!(clock(75.25), "1:15.3");
        assert_eq!(clock(3725.0), "1:02:05");
    }
}
