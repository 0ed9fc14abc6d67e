//! From frames with scores to segments of a video, and to what may be said of it as a whole.
//!
//! Pure functions over numbers: [`shots()`] and [`motion`] read what was kept of every frame that was sketched,
//! [`segments()`] cuts the scored frames where their side changes, [`judge()`] says what follows. [`Tracker`] follows
//! faces, [`judge_face`] says what may be said of each.
//! No video is accused on frames most of which would not be accused alone, by the thresholds of videos.

mod judge;
mod segments;
mod shots;
mod tracks;

pub use judge::{Film, Finding, Judged, judge};
pub use segments::{Run, segments};
pub use shots::{Motion, Sketched, motion, shots};
pub use tracks::{FaceJudged, FaceScore, Look, Sight, Tracker, judge_face};

use realscope_detectors::card::Input;
use realscope_detectors::{DetectorError, Logit, prepare};
use realscope_media::video::{Facts, Plan};

use crate::record::Verdict;

/// Frames a second that are scored.
pub const PER_SECOND: f64 = 2.0;
/// Fewest frames of a video that are scored, where it has as many.
pub const LEAST: usize = 16;
/// Most frames of a video that are scored.
pub const MOST: usize = 64;
/// Length up to which all frames are sketched for changes of shot, in seconds. Of longer videos only those frames are
/// decoded that are scored.
pub const SKETCHED: f64 = 120.0;

/// A scored frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    /// Its number in the video.
    pub index: u64,
    /// When it is shown, in seconds after the first frame.
    pub time: f64,
    /// Its logit.
    pub logit: Logit,
    /// What the frame would be called alone.
    pub verdict: Verdict,
    /// Where it was delivered again: whether it would still be accused.
    pub holds: Option<bool>,
    /// Code of what kept it from being accused.
    pub held_back: Option<&'static str>,
}

/// When the frames of the clips are shown that a detector `id` of clips is asked for.
///
/// # Errors
/// Those of [`prepare::instants`].
pub fn clips(facts: &Facts, id: &str, input: &Input) -> Result<Vec<Vec<f64>>, DetectorError> {
    prepare::instants(
        id,
        input,
        facts.duration_s,
        facts.frame_count,
        prepare::CLIPS,
    )
}

/// The frames of a video that a scan shows to a detector of clips with the input `of_clips`, or to one of frames, and
/// whether it sketches those between.
#[must_use]
pub fn plan(facts: &Facts, of_clips: Option<&Input>) -> (Plan, bool) {
    if let Some(Ok(clips)) = of_clips.map(|input| clips(facts, "", input)) {
        let instants = clips.concat();
        return (Plan::At { instants }, facts.duration_s <= SKETCHED);
    }
    if facts.duration_s > SKETCHED {
        return (Plan::Keys { count: MOST }, false);
    }
    let count = (facts.duration_s * PER_SECOND).ceil() as usize;
    (Plan::uniform(count.clamp(LEAST, MOST)), true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_videos_are_not_decoded_whole() {
        let of = |duration_s: f64| {
            let facts = Facts {
                duration_s,
                ..Facts::default()
            };
            plan(&facts, None)
        };
        assert_eq!(of(2.0), (Plan::uniform(16), true));
        assert_eq!(of(10.0), (Plan::uniform(20), true));
        assert_eq!(of(100.0), (Plan::uniform(64), true));
        assert_eq!(of(3600.0), (Plan::Keys { count: 64 }, false));
    }
}
