//! A record in plain words, for a reader who is no expert: the verdict, how probable, why, and what it does not mean.

use realscope_media::metadata::c2pa::Manifest;

use crate::provenance::trust_words;
use crate::record::{
    Declared, Evidence, EvidenceKind, Interval, MediaKind, OperatingRecord, Provenance, Record,
    Verdict,
};
use crate::verdict;

/// One line of a list.
pub(crate) struct Point<'a> {
    /// What was measured or found.
    pub measured: String,
    /// What is usual.
    pub usual: Option<&'a str>,
    /// What it means.
    pub meaning: Option<&'a str>,
}

impl Point<'_> {
    fn plain(sentence: impl Into<String>) -> Self {
        Self {
            measured: sentence.into(),
            usual: None,
            meaning: None,
        }
    }
}

/// Heading of the history that content credentials tell.
pub(crate) const HISTORY: &str = "The history that the content credentials tell";

/// Lines under one heading.
pub(crate) struct Group<'a> {
    pub title: &'static str,
    pub points: Vec<Point<'a>>,
}

/// The verdict as a person would say it.
pub(crate) fn verdict(r: &Record) -> &'static str {
    match r.verdict {
        Some(Verdict::Generated) => "Looks generated",
        Some(Verdict::Manipulated) => "Looks manipulated",
        Some(Verdict::Uncertain) => "Cannot tell",
        Some(Verdict::NoEvidence) => "No sign of generation",
        None => "No verdict",
    }
}

/// Whether the record is of a video.
pub(crate) fn is_video(r: &Record) -> bool {
    r.media.as_ref().is_some_and(|m| m.kind == MediaKind::Video)
}

/// Whether a face, and no part of the video as a whole, is what was manipulated.
fn is_face(r: &Record) -> bool {
    let accused = |v: Verdict| matches!(v, Verdict::Generated | Verdict::Manipulated);
    r.verdict == Some(Verdict::Manipulated)
        && !r.segments.iter().flatten().any(|s| accused(s.verdict))
        && r.tracks.iter().flatten().any(|t| accused(t.verdict))
}

/// Whether the detector saw nothing but faces.
fn of_faces(r: &Record) -> bool {
    let code = if is_video(r) { "face_frames" } else { "face" };
    r.evidence.iter().any(|e| e.code == code)
}

/// What the verdict says, in one sentence.
pub(crate) fn lead(r: &Record) -> &'static str {
    if of_faces(r) {
        return match r.verdict {
            Some(Verdict::Generated | Verdict::Manipulated) => {
                "A face looks swapped, altered or generated; nothing else was looked at."
            }
            Some(Verdict::Uncertain) => {
                "The detector cannot tell whether a face was swapped, altered or generated."
            }
            Some(Verdict::NoEvidence) => {
                "The faces do not show that they were swapped, altered or generated; nothing else was looked at."
            }
            None => "The file could not be judged.",
        };
    }
    if is_face(r) {
        return "A face in the video looks generated or swapped; the whole frames do not show that all was generated.";
    }
    if is_video(r) {
        return match r.verdict {
            Some(Verdict::Generated) => "The frames look like generated pictures.",
            Some(Verdict::Manipulated) => "A part of the video looks generated, the rest does not.",
            Some(Verdict::Uncertain) => "The detector cannot tell whether the video was generated.",
            Some(Verdict::NoEvidence) => "The frames do not show that the video was generated.",
            None => "The file could not be judged.",
        };
    }
    match r.verdict {
        Some(Verdict::Generated) => "The pixels look like those of generated pictures.",
        Some(Verdict::Manipulated) => "Parts of the picture look generated or replaced.",
        Some(Verdict::Uncertain) => "The detector cannot tell whether the picture was generated.",
        Some(Verdict::NoEvidence) => "The pixels do not show that the picture was generated.",
        None => "The file could not be judged.",
    }
}

/// Why a file has no verdict.
pub(crate) fn error(r: &Record) -> Option<String> {
    let e = r.error.as_ref()?;
    Some(format!("Reason: {} ({}).", e.message, e.code.word()))
}

/// A probability in percent.
pub(crate) fn percent(p: f64) -> String {
    match 100.0 * p {
        p if p < 0.5 => "under 1%".into(),
        p if p > 99.5 => "over 99%".into(),
        p => format!("{p:.0}%"),
    }
}

/// Sentences on the probability and on its range; none without a verdict.
pub(crate) fn probability(r: &Record) -> Vec<String> {
    if r.verdict.is_none() {
        return Vec::new();
    }
    let Some(p) = r.probability else {
        return vec!["The detector is not calibrated, so there is no probability.".into()];
    };
    let what = match (is_video(r), r.verdict) {
        _ if of_faces(r) => "a face was swapped, altered or generated",
        _ if is_face(r) => "the face was generated",
        (true, Some(Verdict::Manipulated)) => "the part was generated",
        (true, _) => "the video was generated",
        (false, _) => "the picture was generated",
    };
    let mut out = vec![format!(
        "Probability that {what}: {}, from the pixels alone.",
        percent(p)
    )];
    // Of a video some frames are delivered again, where its verdict hangs on them.
    if !is_video(r) {
        out.extend(r.interval.as_ref().map(|i| range(i, r.stable)));
    } else if let Some(interval) = &r.interval
        && let Some([low, high]) = interval.range()
    {
        out.push(format!(
            "When the frames that decide are saved again, shrunk or cropped, their probability ranges from {} to {}.",
            percent(low),
            percent(high)
        ));
    }
    out
}

/// Name of a re-delivery in words.
fn delivery(name: &str) -> String {
    match name {
        "jpeg_q75" => "saved again as JPEG".into(),
        "half_size" => "shrunk to half".into(),
        "crop" => "cropped".into(),
        other => other.replace('_', " "),
    }
}

fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

fn range(interval: &Interval, stable: Option<bool>) -> String {
    let Some([low, high]) = interval.range() else {
        return "Saving again, shrinking and cropping were not tried: on other pictures they never moved a probability far \
                enough to change this verdict."
            .into();
    };
    let names = interval.deliveries.keys().filter(|n| *n != "native");
    let names: Vec<String> = names.map(|n| delivery(n)).collect();
    let (low, high) = (percent(low), percent(high));
    let range = if low == high {
        "the probability stays the same".to_owned()
    } else {
        format!("it ranges from {low} to {high}")
    };
    let decision = match stable {
        Some(true) => "; the decision does not change",
        Some(false) => "; the decision changes",
        None => "",
    };
    format!("When the picture is {}, {range}{decision}.", listed(&names))
}

fn point(e: &Evidence) -> Point<'_> {
    Point {
        measured: e.measured.clone(),
        usual: e.usual.as_deref(),
        meaning: e.meaning.as_deref(),
    }
}

/// The evidence in groups; groups without a line are left out.
pub(crate) fn groups(r: &Record) -> Vec<Group<'_>> {
    let of = |wanted: &dyn Fn(&Evidence) -> bool| -> Vec<Point<'_>> {
        r.evidence.iter().filter(|e| wanted(e)).map(point).collect()
    };
    let held_back = |e: &Evidence| verdict::holds_back(&e.code);
    let artwork = r.evidence.iter().any(|e| e.code == "artwork");
    // The reason says it already.
    let told = |e: &Evidence| held_back(e) || (artwork && e.code == "looks_painted");
    let mut groups = vec![
        Group {
            title: "Why the answer is not clearer",
            points: of(&held_back),
        },
        Group {
            title: "The pixels",
            points: of(&|e| e.kind == EvidenceKind::Pixels),
        },
        Group {
            title: "The rate that was asked for",
            points: r.operating_point.iter().map(operating).collect(),
        },
        Group {
            title: "What else was measured (it does not decide)",
            points: of(&|e| e.kind == EvidenceKind::Context && !told(e)),
        },
    ];
    if let Some(provenance) = &r.provenance {
        let mut points = of(&|e| e.kind == EvidenceKind::Metadata && !held_back(e));
        points.extend(declarations(r, provenance));
        groups.push(Group {
            title: "What the file declares about itself",
            points,
        });
    }
    groups.retain(|g| !g.points.is_empty());
    groups
}

fn declarations<'a>(r: &Record, provenance: &Provenance) -> Vec<Point<'a>> {
    let mut out = Vec::new();
    if provenance.declared == Declared::None && provenance.found.is_empty() {
        out.push(Point::plain("Nothing about its origin."));
    }
    let said = |sentence: &str| r.evidence.iter().any(|e| e.measured == sentence);
    let contradictions = provenance.contradictions.iter().filter(|c| !said(c));
    let others = contradictions.chain(&provenance.not_checkable);
    out.extend(others.map(Point::plain));
    out
}

/// The history that content credentials tell, one line a manifest, action or ingredient, each with its depth.
pub(crate) fn history(r: &Record) -> Vec<(usize, String)> {
    let mut out = Vec::new();
    let Some(c2pa) = r.metadata.as_ref().and_then(|m| m.c2pa.as_ref()) else {
        return out;
    };
    if let Some(manifest) = &c2pa.manifest {
        branch(manifest, 0, &mut out);
    }
    for manifest in &c2pa.unlinked {
        out.push((0, "A manifest that nothing refers to:".into()));
        branch(manifest, 1, &mut out);
    }
    out
}

fn branch(m: &Manifest, depth: usize, out: &mut Vec<(usize, String)>) {
    let writer = m.claim_generator.as_deref().unwrap_or("an unnamed program");
    let signer = m.signer.as_deref().unwrap_or("an unnamed signer");
    let time = match &m.time {
        Some(time) => format!("time stamp {time}"),
        None => "no time stamp".into(),
    };
    let problems = match m.problems.as_slice() {
        [] => String::new(),
        problems => format!(" ({})", problems.join(", ")),
    };
    let integrity = trust_words(&m.integrity);
    let trust = trust_words(&m.trust);
    out.push((
        depth,
        format!(
            "Manifest by {writer}, signed by {signer}, {time}: integrity {integrity}{problems}, trust {trust}."
        ),
    ));
    for action in &m.actions {
        let mut line = format!("Action {}", action.action);
        if let Some(term) = &action.source_type {
            line.push_str(&format!(", source type {term}"));
        }
        for t in &action.source_types {
            line.push_str(&format!(", {} in {}", t.term, t.place));
        }
        if let Some(agent) = &action.agent {
            line.push_str(&format!(", by {agent}"));
        }
        for (key, value) in &action.vendor {
            line.push_str(&format!(", {key}: {value}"));
        }
        out.push((depth + 1, line));
    }
    for t in &m.source_types {
        out.push((depth + 1, format!("Source type {} in {}", t.term, t.place)));
    }
    for uri in &m.redactions {
        out.push((depth + 1, format!("Took away {uri}")));
    }
    for i in &m.ingredients {
        let title = i.title.as_deref().unwrap_or("without a title");
        let format = i
            .format
            .as_deref()
            .map_or(String::new(), |f| format!(" ({f})"));
        let own = match (&i.manifest, &i.omitted) {
            (Some(_), _) => String::new(),
            (None, Some(why)) => format!(", whose manifest is not shown: {why}"),
            (None, None) => ", without a manifest".into(),
        };
        out.push((
            depth + 1,
            format!("Ingredient {}: {title}{format}{own}", i.relationship),
        ));
        if let Some(m) = &i.manifest {
            branch(m, depth + 2, out);
        }
    }
}

/// What a false-positive rate that was asked for means for the picture.
fn operating<'a>(o: &OperatingRecord) -> Point<'a> {
    let rate = 100.0 * o.max_fpr;
    let tier = o.tier.name();
    let (Some(threshold), Some(recall)) = (o.threshold, o.expected_recall) else {
        return Point::plain(format!(
            "A false-positive rate of at most {rate}% cannot be promised: {} authentic validation pictures of the \
             tier `{tier}` are too few.",
            o.negatives
        ));
    };
    let interval = o.recall_interval.map_or(String::new(), |[low, high]| {
        format!(" [{:.0}, {:.0}]", 100.0 * low, 100.0 * high)
    });
    Point::plain(format!(
        "At a false-positive rate of at most {rate}% (tier `{tier}`) `generated` is said from P = {threshold:.2} on, \
         which found {:.0}%{interval} of generated validation pictures.",
        100.0 * recall
    ))
}

/// What the verdict does not mean.
pub(crate) fn limits(r: &Record) -> &'static [&'static str] {
    match r.verdict {
        Some(Verdict::Generated | Verdict::Manipulated) => &[
            "It is no proof. Authentic pictures are accused too, those of professionals most often. Look for the \
             source before you act on it.",
            "It says nothing of who made the picture, nor with what intent.",
        ],
        Some(Verdict::Uncertain) => &[
            "It is neither a suspicion nor an all-clear, however high or low the probability is.",
            "Look for the source, and for a larger or earlier copy of the picture.",
        ],
        Some(Verdict::NoEvidence) => &[
            "It does not mean that the picture is authentic. Many generated pictures show nothing that the detector \
             knows.",
            "Retouching and pasted parts are not looked for, and an authentic picture can have a false caption.",
        ],
        None => &["It speaks neither for nor against the picture."],
    }
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
            operating(&o).measured,
            "At a false-positive rate of at most 1% (tier `web`) `generated` is said from P = 0.79 on, \
             which found 46% [36, 55] of generated validation pictures."
        );
        (o.threshold, o.expected_recall, o.negatives) = (None, None, 12);
        assert!(operating(&o).measured.contains("12 authentic"));
    }

    #[test]
    fn a_range_is_put_in_words() {
        let mut interval = Interval {
            low: 0.354,
            high: 0.41,
            deliveries: [("native", 0.41), ("crop", 0.36), ("jpeg_q75", 0.354)]
                .map(|(n, p)| (n.to_owned(), p))
                .into(),
            skipped: vec![],
        };
        assert_eq!(
            range(&interval, Some(true)),
            "When the picture is cropped or saved again as JPEG, it ranges from 35% to 41%; the decision does not change."
        );
        interval.skipped = vec!["half_size".into()];
        interval.deliveries.retain(|name, _| name == "native");
        assert!(range(&interval, None).contains("were not tried"));
    }

    #[test]
    fn a_history_is_a_tree_of_lines() {
        use realscope_media::metadata::c2pa::{Action, Ingredient};
        let made = Manifest {
            claim_generator: Some("Painter".into()),
            integrity: "valid".into(),
            trust: "not_checked".into(),
            actions: vec![Action {
                action: "c2pa.created".into(),
                source_type: Some("trainedAlgorithmicMedia".into()),
                ..Action::default()
            }],
            ..Manifest::default()
        };
        let edited = Manifest {
            integrity: "invalid".into(),
            trust: "untrusted".into(),
            problems: vec!["assertion.dataHash.mismatch".into()],
            ingredients: vec![Ingredient {
                relationship: "parentOf".into(),
                title: Some("a.jpg".into()),
                manifest: Some(made),
                ..Ingredient::default()
            }],
            ..Manifest::default()
        };
        let mut out = Vec::new();
        branch(&edited, 0, &mut out);
        let lines: Vec<String> = out
            .into_iter()
            .map(|(depth, line)| format!("{}{line}", " ".repeat(depth)))
            .collect();
        assert_eq!(
            lines,
            [
                "Manifest by an unnamed program, signed by an unnamed signer, no time stamp: integrity invalid \
                 (assertion.dataHash.mismatch), trust untrusted.",
                " Ingredient parentOf: a.jpg",
                "  Manifest by Painter, signed by an unnamed signer, no time stamp: integrity valid, trust not checked.",
                "   Action c2pa.created, source type trainedAlgorithmicMedia",
            ]
        );
    }

    #[test]
    fn percentages_never_claim_certainty() {
        assert_eq!(
            [0.0, 0.004, 0.97, 0.999].map(percent),
            ["under 1%", "under 1%", "97%", "over 99%"]
        );
    }
}
