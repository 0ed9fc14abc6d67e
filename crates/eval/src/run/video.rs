//! Videos: which frames are scored, and the row of a video from those of its frames.

use std::fs::File;
use std::path::Path;

use realscope_data::clip;
use realscope_data::manifest::Item;
use realscope_detectors::card::Input;
use realscope_detectors::prepare;
use realscope_media::video::{Decoders, Plan, Video, VideoLimits};

use super::prediction::Prediction;

/// Code of what a detector is not made for.
const NOT_MADE_FOR: &str = "detector_not_made_for";

/// `count` frames, evenly spread over the item's range in the manifest or over the whole video.
///
/// # Errors
/// `frame_range` where the range holds no numbers.
pub(super) fn plan(item: &Item, count: usize) -> Result<Plan, &'static str> {
    let (first, last) = range(item)?;
    Ok(Plan::Uniform { first, last, count })
}

/// First and last frame of the item's range in the manifest.
fn range(item: &Item) -> Result<(u64, Option<u64>), &'static str> {
    let number = |text: &str| text.parse().map_err(|_| "frame_range");
    let first = match item.first_frame.as_str() {
        "" => 0,
        text => number(text)?,
    };
    let last = match item.last_frame.as_str() {
        "" => None,
        text => Some(number(text)?),
    };
    Ok((first, last))
}

/// When the frames of the clips are shown that a detector `id` of clips with this input sees of the item's range.
///
/// # Errors
/// `frame_range` where the range holds no numbers or no frames, the code of what cannot be read, and
/// `detector_not_made_for` of a range that is shorter than a clip.
pub(super) fn instants(
    item: &Item,
    located: &Path,
    id: &str,
    input: &Input,
) -> Result<Vec<Vec<f64>>, &'static str> {
    let (first, last) = range(item)?;
    let limits = VideoLimits::default();
    let video = Video::open(located, &limits, clip::DEADLINE, Decoders::Any);
    let video = video.map_err(|e| e.code())?;
    let (all, length) = (video.facts().frame_count, video.facts().duration_s);
    let last = last.unwrap_or(all.saturating_sub(1));
    if first > last || last >= all {
        return Err("frame_range");
    }
    let frame = length / all as f64;
    let count = last - first + 1;
    let span = count as f64 * frame;
    let clips = prepare::instants(id, input, span, count, prepare::CLIPS);
    let mut clips = clips.map_err(|e| e.code())?;
    let start = first as f64 * frame;
    for t in clips.iter_mut().flatten() {
        *t += start;
    }
    Ok(clips)
}

/// Hash of a file that need not fit into memory.
pub(super) fn file_sha256(path: &Path) -> std::io::Result<String> {
    use sha2::{Digest as _, Sha256};
    let mut hash = Sha256::new();
    std::io::copy(&mut File::open(path)?, &mut hash)?;
    Ok(hash.finalize().iter().map(|b| format!("{b:02x}")).collect())
}

/// The row of a video from those of its frames: mean score and logit; the verdict that more than half of them have,
/// otherwise `uncertain`; stable where all frames are and agree. A frame that failed fails the video; one that the detector
/// is not made for, as one without a face, is left out where others are scored.
pub(super) fn of_frames(mut rows: Vec<Prediction>) -> Option<Prediction> {
    let not_made_for = |r: &Prediction| r.error == NOT_MADE_FOR;
    if !rows.iter().all(not_made_for) {
        rows.retain(|r| !not_made_for(r));
    }
    if let Some(failed) = rows.iter().find(|r| !r.error.is_empty()) {
        return Some(failed.clone());
    }
    let first = rows.first()?;
    let n = rows.len();
    let mean = |get: fn(&Prediction) -> Option<f64>| -> Option<f64> {
        let sum: Option<f64> = rows.iter().map(get).sum();
        sum.map(|s| s / n as f64)
    };
    let votes = |word: &str| rows.iter().filter(|r| r.verdict == word).count();
    let verdict = rows
        .iter()
        .map(|r| r.verdict.as_str())
        .find(|word| 2 * votes(word) > n)
        .unwrap_or("uncertain");
    let stable: Option<bool> = rows
        .iter()
        .map(|r| r.stable)
        .try_fold(true, |all, one| one.map(|one| all && one));
    Some(Prediction {
        score: mean(|r| r.score),
        raw: mean(|r| r.raw),
        verdict: verdict.into(),
        stable: stable.map(|s| s && votes(&first.verdict) == n),
        ms: rows.iter().map(|r| r.ms).sum(),
        ..first.clone()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(score: f64, verdict: &str, stable: Option<bool>) -> Prediction {
        Prediction {
            path: "a.mp4".into(),
            label: 1,
            group: "g".into(),
            generator: String::new(),
            source: String::new(),
            match_set: String::new(),
            video: "v".into(),
            arm: "native".into(),
            detector: "d".into(),
            score: Some(score),
            raw: Some(2.0 * score),
            verdict: verdict.into(),
            stable,
            tier: "clean".into(),
            ms: 10.0,
            error: String::new(),
            sha256: String::new(),
            weights_sha256: String::new(),
        }
    }

    #[test]
    fn a_video_is_the_mean_of_its_frames_and_accused_by_most_of_them() {
        let of = |words: [&str; 4]| {
            let scores = [0.9, 0.8, 0.7, 0.2];
            let frames = scores.iter().zip(words);
            let frames = frames.map(|(s, w)| frame(*s, w, Some(true))).collect();
            of_frames(frames).expect("frames")
        };
        let most = of(["generated", "generated", "generated", "no_evidence"]);
        assert!((most.score.expect("score") - 0.65).abs() < 1e-12);
        assert!((most.raw.expect("logit") - 1.3).abs() < 1e-12);
        assert_eq!(
            (most.verdict.as_str(), most.stable),
            ("generated", Some(false))
        );
        assert!((most.ms - 40.0).abs() < 1e-12);
        let half = of(["generated", "generated", "no_evidence", "no_evidence"]);
        assert_eq!(half.verdict, "uncertain");
        let all = of(["no_evidence"; 4]);
        assert_eq!(
            (all.verdict.as_str(), all.stable),
            ("no_evidence", Some(true))
        );
        let unknown = of_frames(vec![
            frame(0.5, "uncertain", Some(true)),
            frame(0.5, "uncertain", None),
        ]);
        assert_eq!(unknown.expect("frames").stable, None);
        let mut failed = frame(0.5, "", None);
        failed.error = "corrupt".into();
        let video = of_frames(vec![frame(0.9, "generated", None), failed]).expect("frames");
        assert_eq!(
            (video.error.as_str(), video.verdict.as_str()),
            ("corrupt", "")
        );
        let mut faceless = frame(0.5, "", None);
        faceless.error = NOT_MADE_FOR.into();
        let mixed = vec![faceless.clone(), frame(0.9, "generated", None)];
        let mixed = of_frames(mixed).expect("frames");
        assert_eq!((mixed.score, mixed.error.as_str()), (Some(0.9), ""));
        let none = of_frames(vec![faceless.clone(), faceless]).expect("frames");
        assert_eq!(none.error, NOT_MADE_FOR);
        assert_eq!(of_frames(vec![]), None);
    }
}
