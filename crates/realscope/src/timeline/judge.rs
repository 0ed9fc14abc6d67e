//! What may be said of a video.

use realscope_detectors::{Calibration, Logit, pool};

use super::Scored;
use super::segments::{Run, segments};
use super::shots::Motion;
use crate::record::Verdict;

/// Shortest part that is accused, in seconds.
const LEAST_PART: f64 = 1.0;
/// Fewest frames of a part that is accused.
const LEAST_FRAMES: usize = 3;
/// Share of the frames of a part that must each be accused.
const LEAST_ACCUSED: f64 = 0.5;
/// Share of a video from which accused parts are the whole.
const WHOLE: f64 = 0.8;
/// Shortest video that is judged, in seconds, and its fewest frames.
const SHORTEST: (f64, u64) = (0.5, 8);

/// What a video is made of.
#[derive(Clone, Copy, Debug)]
pub struct Film<'a> {
    /// Calibration of the detector; `None` for an uncalibrated one.
    pub calibration: Option<&'a Calibration>,
    /// Probability from which a frame or a part is accused; `None` where validation does not carry that.
    pub bar: Option<f64>,
    /// What a unit of a frame's logit counts where parts are cut, in log-odds: the scale of single
    /// frames. That of videos says how much all frames of a video together tell.
    pub per_logit: f64,
    /// Scored frames in order of time.
    pub frames: &'a [Scored],
    /// Instants at which shots begin.
    pub cuts: &'a [f64],
    /// How much moves.
    pub motion: Motion,
    /// Length in seconds.
    pub duration_s: f64,
    /// Frames that the video has.
    pub frame_count: u64,
}

/// A part of a video and what is said of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The frames.
    pub run: Run,
    /// Probability of their mean logit.
    pub probability: Option<f64>,
    /// The word.
    pub verdict: Verdict,
    /// Why not a clearer one, in a sentence.
    pub why: Option<String>,
}

/// A video that was judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Judged {
    /// The word.
    pub verdict: Verdict,
    /// Probability of the video: that of the accused part where only a part is, else of all frames.
    pub probability: Option<f64>,
    /// Logit of all frames.
    pub raw: Logit,
    /// Parts in order of time.
    pub parts: Vec<Finding>,
    /// Codes and sentences of what kept the verdict from being clearer.
    pub reasons: Vec<(&'static str, String)>,
}

/// The probability of the mean logit of frames.
fn probability(calibration: Option<&Calibration>, frames: &[Scored]) -> Option<f64> {
    let logits: Vec<Logit> = frames.iter().map(|f| f.logit).collect();
    Some(calibration?.probability(pool::mean(&logits)?).0)
}

fn part(film: &Film<'_>, run: Run) -> Finding {
    let frames = &film.frames[run.first..run.end];
    let p = probability(film.calibration, frames);
    let found = |verdict, why: Option<String>| Finding {
        run,
        probability: p,
        verdict,
        why,
    };
    let (Some(calibration), Some(p)) = (film.calibration, p) else {
        return found(Verdict::Uncertain, None);
    };
    let doubt = || {
        if p >= calibration.doubt() {
            Verdict::Uncertain
        } else {
            Verdict::NoEvidence
        }
    };
    let Some(bar) = film.bar.filter(|bar| run.generated && p >= *bar) else {
        return found(doubt(), None);
    };
    let accused = frames
        .iter()
        .filter(|f| f.verdict == Verdict::Generated)
        .count();
    let again: Vec<bool> = frames.iter().filter_map(|f| f.holds).collect();
    let held = again.iter().filter(|h| **h).count();
    let why = if frames.len() < LEAST_FRAMES
        || run.end_s - run.start_s < LEAST_PART.min(film.duration_s)
    {
        "too short a part to accuse".to_owned()
    } else if (accused as f64) < LEAST_ACCUSED * frames.len() as f64 {
        format!(
            "{accused} of {} frames would be accused alone",
            frames.len()
        )
    } else if 2 * held <= again.len() {
        format!(
            "{held} of {} frames stay accused when delivered again",
            again.len()
        )
    } else {
        return found(
            Verdict::Generated,
            Some(format!(
                "the mean of {} frames lies above {bar:.2}, and {accused} of them would be accused alone",
                frames.len()
            )),
        );
    };
    found(Verdict::Uncertain, Some(why))
}

/// Judges a video by its scored frames.
#[must_use]
pub fn judge(film: &Film<'_>) -> Judged {
    let side = film.bar.or(film.calibration.map(|c| c.decision_threshold));
    // Without a usable calibration the logit itself tells the sides apart.
    let threshold = film.calibration.zip(side).and_then(|(c, p)| c.logit(p));
    let threshold = threshold.unwrap_or(Logit(0.0));
    let beyond = |f: &Scored| film.per_logit * (f.logit.0 - threshold.0);
    let scores: Vec<(f64, f64)> = film.frames.iter().map(|f| (f.time, beyond(f))).collect();
    let parts: Vec<Finding> = segments(&scores, film.cuts, film.duration_s)
        .into_iter()
        .map(|run| part(film, run))
        .collect();
    let logits: Vec<Logit> = film.frames.iter().map(|f| f.logit).collect();
    let raw = pool::mean(&logits).unwrap_or(Logit(0.0));
    let whole = probability(film.calibration, film.frames);
    let mut judged = Judged {
        verdict: Verdict::Uncertain,
        probability: whole,
        raw,
        parts,
        reasons: Vec::new(),
    };
    let Some((calibration, p)) = film.calibration.zip(whole) else {
        let sentence = "The detector is not calibrated, so its score carries no verdict.";
        judged.reasons.push(("uncalibrated", sentence.into()));
        return judged;
    };
    let accused: Vec<&Finding> = judged
        .parts
        .iter()
        .filter(|f| f.verdict == Verdict::Generated)
        .collect();
    let length: f64 = accused.iter().map(|f| f.run.end_s - f.run.start_s).sum();
    let rest = judged
        .parts
        .iter()
        .filter(|f| f.verdict != Verdict::Generated)
        .all(|f| {
            f.probability
                .is_some_and(|p| p < calibration.decision_threshold)
        });
    if accused.is_empty() {
        let unclear = judged.parts.iter().any(|f| f.verdict == Verdict::Uncertain);
        judged.verdict = if p >= calibration.doubt() || unclear {
            Verdict::Uncertain
        } else {
            Verdict::NoEvidence
        };
        if judged.verdict == Verdict::Uncertain {
            judged.reasons.push(unclear_frames(film, &judged.parts));
        }
    } else if length >= WHOLE * film.duration_s {
        judged.verdict = Verdict::Generated;
    } else if rest {
        judged.verdict = Verdict::Manipulated;
        judged.probability = accused
            .iter()
            .filter_map(|f| f.probability)
            .max_by(f64::total_cmp);
    } else {
        judged.reasons.push((
            "parts_disagree",
            "Parts of the video look generated, and the rest does not clearly look authentic."
                .into(),
        ));
    }
    held_back(film, &mut judged);
    judged
}

/// Why no part is accused though some are not clear.
fn unclear_frames(film: &Film<'_>, parts: &[Finding]) -> (&'static str, String) {
    // The most frequent reason of the frames speaks for them all.
    let mut counts = std::collections::BTreeMap::new();
    for code in film.frames.iter().filter_map(|f| f.held_back) {
        *counts.entry(code).or_insert(0_usize) += 1;
    }
    if let Some((code, n)) = counts.into_iter().max_by_key(|(_, n)| *n)
        && 2 * n >= film.frames.len()
    {
        let why = in_frames(code);
        return (code, format!("{n} of {} frames {why}.", film.frames.len()));
    }
    let why = parts.iter().find_map(|f| f.why.as_deref());
    match why {
        Some(why) => ("frames_unclear", format!("No part is accused: {why}.")),
        None => (
            "below_operating_point",
            "The score is on the generated side but below what keeps false accusations rare."
                .into(),
        ),
    }
}

/// What a reason says of frames.
fn in_frames(code: &str) -> &'static str {
    match code {
        "below_operating_point" => {
            "score on the generated side, but below what keeps false accusations rare"
        }
        "unstable" => "change their score when they are saved again",
        "artwork" => "look painted or drawn, so they are not accused",
        "too_small" => "are too small to judge",
        "not_validated" => "are of a quality for which validation carries no verdict",
        _ => "are of a kind that the detector was not trained on",
    }
}

/// What is too little to judge, on either side.
fn held_back(film: &Film<'_>, judged: &mut Judged) {
    let reason = if film.duration_s < SHORTEST.0 || film.frame_count < SHORTEST.1 {
        (
            "too_short",
            format!(
                "The video has {} frames in {:.1} s; from {} frames and {} s on there is a verdict.",
                film.frame_count, film.duration_s, SHORTEST.1, SHORTEST.0
            ),
        )
    } else {
        match film.motion {
            Motion::Still => ("still", "One still picture is shown all along.".to_owned()),
            Motion::Slideshow => (
                "slideshow",
                "Still pictures follow each other; scan them as pictures.".to_owned(),
            ),
            Motion::Moving | Motion::Unknown => return,
        }
    };
    judged.verdict = Verdict::Uncertain;
    judged.reasons.push(reason);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calibration() -> Calibration {
        Calibration {
            id: "test".into(),
            scale: 1.0,
            offset: 0.0,
            decision_threshold: 0.5,
            generated_threshold: Some(0.8),
            doubt_threshold: Some(0.7),
            delivery_reach: None,
            matched_auc: 0.8,
            matched_auc_low: 0.7,
            matched_auc_high: 0.9,
            operating_points: vec![],
            kinds: vec![],
            tiers: vec![],
        }
    }

    /// Frames every half second; the verdict of each follows from its logit alone.
    fn frames(logits: &[f64]) -> Vec<Scored> {
        let each = logits.iter().enumerate();
        each.map(|(i, l)| Scored {
            index: 15 * i as u64,
            time: i as f64 / 2.0,
            logit: Logit(*l),
            verdict: if *l > 1.4 {
                Verdict::Generated
            } else {
                Verdict::NoEvidence
            },
            holds: (*l > 1.4).then_some(true),
            held_back: None,
        })
        .collect()
    }

    fn of(frames: &[Scored], cuts: &[f64], motion: Motion) -> Judged {
        let calibration = calibration();
        judge(&Film {
            calibration: Some(&calibration),
            bar: calibration.generated_threshold,
            per_logit: 1.0,
            frames,
            cuts,
            motion,
            duration_s: frames.len() as f64 / 2.0,
            frame_count: 15 * frames.len() as u64,
        })
    }

    #[test]
    fn a_video_is_accused_by_frames_that_are() {
        let loud = frames(&[3.0; 20]);
        let judged = of(&loud, &[], Motion::Moving);
        assert_eq!(
            (judged.verdict, judged.parts.len()),
            (Verdict::Generated, 1)
        );
        let quiet = of(&frames(&[-2.0; 20]), &[], Motion::Moving);
        assert_eq!(quiet.verdict, Verdict::NoEvidence);
        assert!(quiet.reasons.is_empty());
        // The same scores of frames that are held back.
        let held: Vec<Scored> = loud
            .iter()
            .map(|f| Scored {
                verdict: Verdict::Uncertain,
                held_back: Some("artwork"),
                ..f.clone()
            })
            .collect();
        let judged = of(&held, &[], Motion::Moving);
        assert_eq!(
            (judged.verdict, judged.reasons[0].0),
            (Verdict::Uncertain, "artwork")
        );
        // Frames that do not hold when they are delivered again.
        let flips: Vec<Scored> = loud
            .iter()
            .map(|f| Scored {
                holds: Some(false),
                ..f.clone()
            })
            .collect();
        let judged = of(&flips, &[], Motion::Moving);
        assert_eq!(
            (judged.verdict, judged.reasons[0].0),
            (Verdict::Uncertain, "frames_unclear")
        );
    }

    #[test]
    fn a_part_is_a_manipulation_only_where_the_rest_is_clear() {
        let mut logits = vec![-2.0; 24];
        logits[10..14].fill(2.0);
        let judged = of(&frames(&logits), &[4.9, 6.8], Motion::Moving);
        assert_eq!(judged.verdict, Verdict::Manipulated);
        let part = &judged.parts[1];
        assert_eq!((part.run.start_s, part.run.end_s), (4.9, 6.8));
        assert_eq!(judged.probability, part.probability);
        let mut logits = vec![0.6; 24];
        logits[10..14].fill(2.0);
        let judged = of(&frames(&logits), &[4.9, 6.8], Motion::Moving);
        assert_eq!(
            (judged.verdict, judged.reasons[0].0),
            (Verdict::Uncertain, "parts_disagree")
        );
        // Two frames are too few to accuse.
        let mut logits = vec![-2.0; 24];
        logits[10..12].fill(3.0);
        let judged = of(&frames(&logits), &[4.9, 5.9], Motion::Moving);
        assert_eq!(
            (judged.verdict, judged.reasons[0].0),
            (Verdict::Uncertain, "frames_unclear")
        );
    }

    #[test]
    fn stills_and_moments_are_uncertain_on_both_sides() {
        for (level, motion, code) in [
            (3.0, Motion::Still, "still"),
            (-3.0, Motion::Slideshow, "slideshow"),
        ] {
            let judged = of(&frames(&[level; 20]), &[], motion);
            let last = judged.reasons.last().expect("a reason").0;
            assert_eq!((judged.verdict, last), (Verdict::Uncertain, code));
        }
        let short = frames(&[3.0]);
        let calibration = calibration();
        let judged = judge(&Film {
            calibration: Some(&calibration),
            bar: Some(0.8),
            per_logit: 1.0,
            frames: &short,
            cuts: &[],
            motion: Motion::Unknown,
            duration_s: 0.2,
            frame_count: 5,
        });
        let last = judged.reasons.last().expect("a reason").0;
        assert_eq!((judged.verdict, last), (Verdict::Uncertain, "too_short"));
        let nothing = judge(&Film {
            calibration: None,
            bar: None,
            per_logit: 1.0,
            frames: &frames(&[1.0; 9]),
            cuts: &[],
            motion: Motion::Moving,
            duration_s: 4.5,
            frame_count: 90,
        });
        assert_eq!(
            (nothing.verdict, nothing.reasons[0].0),
            (Verdict::Uncertain, "uncalibrated")
        );
    }
}
