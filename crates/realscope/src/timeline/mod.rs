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
pub use tracks::{FaceJudged, Look, Sight, Tracker, judge_face};

use realscope_detectors::Logit;
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

/// The frames of a video that a scan scores, and whether it sketches those between.
#[must_use]
pub fn plan(facts: &Facts) -> (Plan, bool) {
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
            plan(&Facts {
                duration_s,
                ..Facts::default()
            })
        };
        assert_eq!(of(2.0), (Plan::uniform(16), true));
        assert_eq!(of(10.0), (Plan::uniform(20), true));
        assert_eq!(of(100.0), (Plan::uniform(64), true));
        assert_eq!(of(3600.0), (Plan::Keys { count: 64 }, false));
    }
}
