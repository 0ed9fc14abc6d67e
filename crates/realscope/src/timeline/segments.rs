//! Segments: runs of frames on one side of the threshold, cut where it costs least.

/// Log-odds beyond the threshold of one frame that count; more adds nothing, so that no single frame decides.
const MOST_OF_ONE: f64 = 2.0;
/// What a change of side costs within a shot, in log-odds.
const WITHIN: f64 = 3.0;
/// What it costs where a new shot begins.
const AT_CUT: f64 = 0.5;

/// A run of frames on one side.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Run {
    /// First frame, by its place in the list.
    pub first: usize,
    /// One past the last.
    pub end: usize,
    /// Whether they lie on the generated side.
    pub generated: bool,
    /// First instant in seconds.
    pub start_s: f64,
    /// One past the last.
    pub end_s: f64,
}

/// Cuts frames into runs: of all ways, the one whose frames lie furthest on their sides after paying for each change.
///
/// `frames` has the time and the log-odds beyond the threshold of each frame, `cuts` the instants at which shots begin,
/// `end` the length of the video. A change lies at the first cut between its frames, or midway where there is none.
#[must_use]
pub fn segments(frames: &[(f64, f64)], cuts: &[f64], end: f64) -> Vec<Run> {
    let cut = |i: usize| {
        let (before, after) = (frames[i - 1].0, frames[i].0);
        cuts.iter().copied().find(|c| *c > before && *c <= after)
    };
    let gain = |i: usize| frames[i].1.clamp(-MOST_OF_ONE, MOST_OF_ONE) / 2.0;
    // Best sums that end on each side, and where each came from (Viterbi).
    let mut from: Vec<[bool; 2]> = Vec::with_capacity(frames.len());
    let mut best = [0.0_f64; 2];
    for i in 0..frames.len() {
        let price = match i {
            0 => 0.0,
            _ if cut(i).is_some() => AT_CUT,
            _ => WITHIN,
        };
        let mut next = [0.0; 2];
        let mut origin = [false; 2];
        for side in [0, 1] {
            let changes = best[1 - side] - price > best[side];
            origin[side] = (side == 1) != changes;
            let before = if changes {
                best[1 - side] - price
            } else {
                best[side]
            };
            next[side] = before + if side == 1 { gain(i) } else { -gain(i) };
        }
        from.push(origin);
        best = next;
    }
    let mut sides = vec![false; frames.len()];
    let mut side = best[1] > best[0];
    for i in (0..frames.len()).rev() {
        sides[i] = side;
        side = from[i][usize::from(side)];
    }
    let mut runs: Vec<Run> = Vec::new();
    for (i, generated) in sides.into_iter().enumerate() {
        match runs.last_mut() {
            Some(run) if run.generated == generated => run.end = i + 1,
            last => {
                let start_s = match i {
                    0 => 0.0,
                    _ => cut(i).unwrap_or(f64::midpoint(frames[i - 1].0, frames[i].0)),
                };
                if let Some(run) = last {
                    run.end_s = start_s;
                }
                runs.push(Run {
                    first: i,
                    end: i + 1,
                    generated,
                    start_s,
                    end_s: end,
                });
            }
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(scores: &[f64], cuts: &[f64]) -> Vec<(bool, f64, f64)> {
        let frames: Vec<(f64, f64)> = scores
            .iter()
            .enumerate()
            .map(|(i, s)| (i as f64 / 2.0 + 0.25, *s))
            .collect();
        segments(&frames, cuts, scores.len() as f64 / 2.0)
            .iter()
            .map(|r| (r.generated, r.start_s, r.end_s))
            .collect()
    }

    #[test]
    fn a_part_between_cuts_is_found_to_the_frame() {
        let mut scores = vec![-1.5; 12];
        scores[5..9].fill(0.6);
        let found = of(&scores, &[2.48, 4.6]);
        assert_eq!(
            found,
            [(false, 0.0, 2.48), (true, 2.48, 4.6), (false, 4.6, 6.0)]
        );
    }

    #[test]
    fn within_a_shot_a_part_must_be_clear() {
        let mut scores = vec![-1.5; 12];
        scores[5..9].fill(0.6);
        assert_eq!(of(&scores, &[]), [(false, 0.0, 6.0)]);
        scores[5..9].fill(2.0);
        let found = of(&scores, &[]);
        assert_eq!(
            found,
            [(false, 0.0, 2.5), (true, 2.5, 4.5), (false, 4.5, 6.0)]
        );
        // One loud frame is none.
        let mut scores = vec![-1.0; 12];
        scores[4] = 50.0;
        assert_eq!(of(&scores, &[]), [(false, 0.0, 6.0)]);
        assert_eq!(of(&[], &[]), []);
        assert_eq!(of(&[1.0], &[]), [(true, 0.0, 0.5)]);
    }
}
