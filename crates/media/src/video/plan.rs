//! Which frames of a video are decoded.

use serde::{Deserialize, Serialize};

use super::error::truncated;
use crate::error::MediaError;

/// Which frames of a video are decoded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Plan {
    /// At most `count` frames, evenly spread over the frames `first..=last`: the middles of stretches of one length.
    Uniform {
        /// First frame, from 0.
        first: u64,
        /// Last frame; without it that of the video.
        last: Option<u64>,
        /// Frames.
        count: usize,
    },
    /// One of the frames that `count` evenly spread ones are; the last of them where a short video has fewer.
    Part {
        /// Its number among them, from 0.
        number: usize,
        /// Frames.
        count: usize,
    },
    /// The first frame and every `step`-th after it.
    Every {
        /// From one frame to the next.
        step: u64,
    },
    /// The frame shown at each of `per_second` instants a second.
    Rate {
        /// Instants a second.
        per_second: f64,
    },
    /// The frame shown at each of these instants.
    At {
        /// Seconds after the first frame.
        instants: Vec<f64>,
    },
    /// At most `count` frames that decode on their own, evenly spread in time; what lies between them is not decoded.
    Keys {
        /// Frames.
        count: usize,
    },
    /// All frames.
    All,
}

impl Plan {
    /// `count` frames of the whole video, evenly spread.
    #[must_use]
    pub fn uniform(count: usize) -> Self {
        Self::Uniform {
            first: 0,
            last: None,
            count,
        }
    }

    /// Numbers of the frames, in order and each once. `times` has the time of each frame in seconds, `keys` the numbers
    /// of those that decode on their own.
    ///
    /// # Errors
    /// [`MediaError::Truncated`] when the video ends before the range does.
    pub(super) fn choose(&self, times: &[f64], keys: &[u64]) -> Result<Vec<u64>, MediaError> {
        let all = times.len() as u64;
        if all == 0 {
            return Err(truncated("there are no frames"));
        }
        Ok(match *self {
            Self::At { ref instants } => {
                let mut chosen: Vec<u64> = instants
                    .iter()
                    .map(|t| shown_at(times, times[0] + t))
                    .collect();
                chosen.sort_unstable();
                chosen.dedup();
                if chosen.is_empty() {
                    return Err(truncated("no instants"));
                }
                chosen
            }
            Self::Uniform { first, last, count } => {
                let last = last.unwrap_or(all - 1);
                if first > last || last >= all {
                    let reason = format!("{all} frames, {first} to {last} wanted");
                    return Err(truncated(reason));
                }
                let length = last - first + 1;
                let n = (count as u64).clamp(1, length);
                (0..n)
                    .map(|k| first + (2 * k + 1) * length / (2 * n))
                    .collect()
            }
            Self::Part { number, count } => {
                let spread = Self::uniform(count).choose(times, keys)?;
                vec![spread[number.min(spread.len() - 1)]]
            }
            Self::Every { step } => (0..all)
                .step_by(usize::try_from(step.max(1)).unwrap_or(usize::MAX))
                .collect(),
            Self::Rate { per_second } => {
                let (start, end) = (times[0], times[times.len() - 1]);
                // The last frame is shown as long as the one before it.
                let shown = times.len().checked_sub(2).map_or(0.0, |i| end - times[i]);
                let step = 1.0 / per_second.clamp(1e-3, 1e3);
                let mut chosen: Vec<u64> = (0_u64..)
                    .map(|k| start + k as f64 * step)
                    .take_while(|t| *t <= end || *t + 1e-6 < end + shown)
                    .map(|t| shown_at(times, t))
                    .collect();
                chosen.dedup();
                chosen
            }
            Self::Keys { count } => {
                let at: Vec<f64> = keys.iter().map(|k| times[*k as usize]).collect();
                let (Some(&first), Some(&last)) = (at.first(), at.last()) else {
                    return Err(truncated("no frame decodes on its own"));
                };
                let n = count.clamp(1, keys.len());
                let step = (last - first) / n as f64;
                let mut chosen: Vec<u64> = (0..n)
                    .map(|k| keys[nearest(&at, first + (k as f64 + 0.5) * step)])
                    .collect();
                chosen.dedup();
                chosen
            }
            Self::All => (0..all).collect(),
        })
    }
}

/// Number of the frame on the screen at `time`.
fn shown_at(times: &[f64], time: f64) -> u64 {
    // A frame that begins within rounding of the instant is on the screen.
    (times.partition_point(|t| *t <= time + 1e-6).max(1) - 1) as u64
}

/// Place of the value nearest to `wanted` in an ascending list that is not empty.
fn nearest(ascending: &[f64], wanted: f64) -> usize {
    let after = ascending.partition_point(|t| *t < wanted);
    match (after.checked_sub(1), ascending.get(after)) {
        (Some(before), Some(t)) if wanted - ascending[before] <= t - wanted => before,
        (_, Some(_)) => after,
        (Some(before), None) => before,
        (None, None) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steady(frames: u64) -> Vec<f64> {
        (0..frames).map(|k| k as f64 / 25.0).collect()
    }

    #[test]
    fn frames_are_spread_evenly() {
        let of = |first, last, count, all| {
            Plan::Uniform { first, last, count }.choose(&steady(all), &[])
        };
        assert_eq!(of(0, None, 4, 100), Ok(vec![12, 37, 62, 87]));
        assert_eq!(of(0, None, 8, 3), Ok(vec![0, 1, 2]));
        assert_eq!(of(10, Some(19), 2, 100), Ok(vec![12, 17]));
        assert_eq!(of(0, None, 1, 1), Ok(vec![0]));
        assert!(of(0, None, 4, 0).is_err());
        assert!(of(0, Some(100), 4, 100).is_err());
        assert!(of(5, Some(4), 4, 100).is_err());
    }

    #[test]
    fn steps_instants_and_key_frames() {
        let times = steady(100);
        let of = |plan: Plan, keys: &[u64]| plan.choose(&times, keys).expect("frames");
        let part = |number, count| of(Plan::Part { number, count }, &[]);
        assert_eq!((part(1, 4), part(9, 4)), (vec![37], vec![87]));
        assert_eq!(of(Plan::Every { step: 40 }, &[]), [0, 40, 80]);
        assert_eq!(of(Plan::Every { step: 0 }, &[]).len(), 100);
        assert_eq!(of(Plan::Rate { per_second: 1.0 }, &[]), [0, 25, 50, 75]);
        // More instants than frames give each frame once.
        assert_eq!(of(Plan::Rate { per_second: 60.0 }, &[]).len(), 100);
        assert_eq!(of(Plan::All, &[]).len(), 100);
        let at = |instants: &[f64]| Plan::At {
            instants: instants.to_vec(),
        };
        // In any order, before the first and behind the last.
        assert_eq!(of(at(&[2.01, -1.0, 0.05, 0.06, 99.0]), &[]), [0, 1, 50, 99]);
        assert!(at(&[]).choose(&times, &[]).is_err());
        let keys = [0, 30, 60, 90];
        assert_eq!(of(Plan::Keys { count: 9 }, &keys), keys);
        assert_eq!(of(Plan::Keys { count: 2 }, &keys), [30, 60]);
        assert!(Plan::Keys { count: 2 }.choose(&times, &[]).is_err());
        // A frame that stays on the screen is shown at all instants until the next.
        let uneven = [0.0, 0.1, 3.0];
        let chosen = Plan::Rate { per_second: 1.0 }.choose(&uneven, &[]);
        assert_eq!(chosen, Ok(vec![0, 1, 2]));
    }
}
