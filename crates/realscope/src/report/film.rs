//! The time of a video: a bar for a terminal, a curve with key frames for the page.

use std::fmt::Write as _;

use crate::record::{Record, Track, Verdict};

/// Characters of the bar.
const BAR: usize = 48;
/// Most faces that are drawn.
const FACES: usize = 6;
/// Height of the line of a face below the curve.
const LANE: f64 = 22.0;

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

fn accuses(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Generated | Verdict::Manipulated)
}

/// Beginning and end of the accused segments; where there are none, of the accused faces.
pub(crate) fn accused(r: &Record) -> impl Iterator<Item = [f64; 2]> + '_ {
    let segments = r.segments.iter().flatten();
    let segments = segments.filter(|s| accuses(s.verdict));
    let none = segments.clone().next().is_none();
    let faces = r.tracks.iter().flatten().filter(move |_| none);
    let faces = faces.filter(|t| accuses(t.verdict));
    segments
        .map(|s| [s.start_s, s.end_s])
        .chain(faces.map(|t| [t.start_s, t.end_s]))
}

/// The faces that were scored, those with the highest probability first, at most [`FACES`].
fn faces(r: &Record) -> Vec<&Track> {
    let mut scored: Vec<&Track> = r.tracks.iter().flatten().filter(|t| t.looks > 0).collect();
    let p = |t: &Track| t.probability.unwrap_or(0.0);
    scored.sort_by(|a, b| p(b).total_cmp(&p(a)));
    scored.truncate(FACES);
    scored
}

/// A line for each face: when it is seen, and its score.
pub(crate) fn lanes(r: &Record) -> Vec<String> {
    let Some(length) = r.duration_s else {
        return Vec::new();
    };
    let lane = |t: &Track| {
        let at = |time: f64| ((time / length.max(1e-9) * BAR as f64) as usize).min(BAR - 1);
        let mut line = vec![' '; BAR];
        line[at(t.start_s)..=at(t.end_s)].fill(if accuses(t.verdict) { '=' } else { '-' });
        let line: String = line.into_iter().collect();
        let p = t
            .probability
            .map_or("n/a".into(), |p| format!("{:.0}%", 100.0 * p));
        format!("{:<7}{line} {p}", format!("face {}", t.id + 1))
    };
    faces(r).into_iter().map(lane).collect()
}

/// Width and height of the curve.
const CURVE: [f64; 2] = [720.0, 120.0];

/// What stands below the curve.
pub(crate) const CURVE_CAPTION: &str = "Score of each frame over time, 0% below and 100% above. Shaded: accused. Thin lines: new shots.";

/// What is said there of faces.
const FACES_CAPTION: &str = " Bars below: faces that were followed, with the probability of each.";

/// The scores over time, with shots and accused segments, and figures of key frames below. Nothing of it is script.
pub(crate) fn page(r: &Record, key_frames: &[String]) -> String {
    let (Some(frames), Some(length)) = (&r.frames, r.duration_s) else {
        return String::new();
    };
    let [width, height] = CURVE;
    let x = |t: f64| width * (t / length.max(1e-9)).clamp(0.0, 1.0);
    let y = |p: f64| height * (1.0 - p.clamp(0.0, 1.0));
    let faces = faces(r);
    let lane = |i: usize| height + 24.0 + LANE * i as f64;
    let mut out = format!(
        "<figure class=\"curve\"><svg viewBox=\"0 -4 {width} {:.0}\" role=\"img\" \
         aria-label=\"Probability of each scored frame over the time of the video\">\n",
        lane(faces.len()) + if faces.is_empty() { 0.0 } else { 6.0 }
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
    for (i, face) in faces.iter().enumerate() {
        let class = if accuses(face.verdict) {
            "face accused"
        } else {
            "face"
        };
        let p = face.probability.unwrap_or_default();
        let from = x(face.start_s);
        let _ = writeln!(
            out,
            "<rect class=\"{class}\" x=\"{from:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"4\"/>\
             <text x=\"{from:.1}\" y=\"{:.1}\">Face {}: {:.0}%</text>",
            lane(i),
            (x(face.end_s) - from).max(2.0),
            lane(i) + LANE,
            face.id + 1,
            100.0 * p
        );
    }
    let _ = writeln!(
        out,
        "<text x=\"0\" y=\"{0:.0}\">0:00.0</text><text x=\"{width}\" y=\"{0:.0}\" text-anchor=\"end\">{1}</text>\n</svg>\
         <figcaption>{CURVE_CAPTION}{2}</figcaption></figure>",
        height + 16.0,
        clock(length),
        if faces.is_empty() { "" } else { FACES_CAPTION }
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
    fn faces_are_drawn_below_the_curve() {
        let track = |id: u32, start_s: f64, end_s: f64, p: f64, verdict| Track {
            id,
            start_s,
            end_s,
            probability: Some(p),
            verdict,
            looks: 4,
            detector: "d".into(),
            calibration_id: None,
            why: None,
            boxes: Vec::new(),
        };
        let tool = crate::record::Tool {
            name: "realscope".into(),
            version: "1".into(),
            engine: "rten".into(),
            profile: "default".into(),
            config_sha256: String::new(),
            calibration_id: None,
        };
        let code = crate::record::ErrorCode::Deadline;
        let mut record = Record::failed(&tool, "a.mp4", None, code, "");
        record.duration_s = Some(12.0);
        record.frames = Some(Vec::new());
        record.tracks = Some(vec![
            track(0, 0.0, 3.0, 0.2, Verdict::NoEvidence),
            track(1, 6.0, 12.0, 0.97, Verdict::Generated),
        ]);
        assert_eq!(accused(&record).collect::<Vec<_>>(), [[6.0, 12.0]]);
        let lanes = lanes(&record);
        assert!(
            lanes[0].starts_with("face 2 ") && lanes[0].ends_with(" 97%"),
            "{lanes:?}"
        );
        assert_eq!(lanes[0].matches('=').count(), BAR / 2);
        assert_eq!(lanes[1].matches('-').count(), BAR / 4 + 1);
        let page = page(&record, &[]);
        assert!(page.contains("Face 2: 97%") && page.contains(FACES_CAPTION));
        // A segment that is accused goes first.
        record.segments = Some(vec![crate::record::Segment {
            start_s: 1.0,
            end_s: 2.0,
            probability: Some(0.9),
            verdict: Verdict::Generated,
            frames: 3,
            detector: "d".into(),
            why: None,
        }]);
        assert_eq!(accused(&record).collect::<Vec<_>>(), [[1.0, 2.0]]);
    }

    #[test]
    fn instants_read_like_clocks() {
        assert_eq!(clock(0.0), "0:00.0");
        assert_eq!(clock(9.96), "0:10.0");
        assert_eq!(clock(75.25), "1:15.3");
        assert_eq!(clock(3725.0), "1:02:05");
    }
}
