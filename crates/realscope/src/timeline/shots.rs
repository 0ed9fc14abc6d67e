//! Changes of shot, and how much moves.

use realscope_media::video::Sketch;

/// A frame that was sketched.
#[derive(Clone, Debug, PartialEq)]
pub struct Sketched {
    /// When it is shown, in seconds after the first frame.
    pub time: f64,
    /// What is kept of it.
    pub sketch: Sketch,
}

/// Least mean difference of cells at a change of shot, in grey levels.
const CUT: f64 = 8.0;
/// By how much a change of shot exceeds the changes around it.
const STANDS_OUT: f64 = 3.0;
/// Frames to each side that a change is compared with.
const AROUND: usize = 6;
/// Share of cells that stay alike from frame to frame in a still.
const STILL: f64 = 0.995;
/// Share of steps without movement from which a video is a still, or a show of stills.
const MOSTLY: f64 = 0.9;

/// Instants at which a new shot begins, in seconds; the first shot begins with the video.
#[must_use]
pub fn shots(sketched: &[Sketched]) -> Vec<f64> {
    let steps: Vec<f64> = sketched
        .windows(2)
        .map(|w| w[0].sketch.distance(&w[1].sketch))
        .collect();
    let mut out = Vec::new();
    for (i, step) in steps.iter().enumerate() {
        if *step < CUT {
            continue;
        }
        let from = i.saturating_sub(AROUND);
        let to = (i + 1 + AROUND).min(steps.len());
        let around = steps[from..i].iter().chain(&steps[i + 1..to]);
        // Frames that repeat the one before say nothing of the pace.
        let mut moving: Vec<f64> = around.copied().filter(|s| *s > 0.0).collect();
        moving.sort_by(f64::total_cmp);
        let usual = moving.get(moving.len() / 2).copied().unwrap_or(0.0);
        let largest = steps[from..to].iter().copied().fold(0.0, f64::max);
        if *step >= STANDS_OUT * usual && *step >= largest {
            out.push(sketched[i + 1].time);
        }
    }
    out
}

/// How much moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Motion {
    /// Something does.
    Moving,
    /// One still picture is shown all along.
    Still,
    /// Still pictures follow each other.
    Slideshow,
    /// Too few frames were sketched to tell.
    Unknown,
}

/// How much moves between the frames that were sketched; `cuts` from [`shots`].
#[must_use]
pub fn motion(sketched: &[Sketched], cuts: &[f64]) -> Motion {
    if sketched.len() < 3 {
        return Motion::Unknown;
    }
    let is_cut = |time: f64| cuts.iter().any(|c| (c - time).abs() < 1e-9);
    let (mut still, mut all) = (0.0, 0.0);
    for w in sketched.windows(2) {
        if is_cut(w[1].time) {
            continue;
        }
        all += 1.0;
        still += f64::from(u8::from(w[0].sketch.same(&w[1].sketch) >= STILL));
    }
    if still < MOSTLY * all {
        return Motion::Moving;
    }
    // A slow movement hides from one frame to the next and shows over a second.
    let slow = sketched.iter().any(|a| {
        let later = sketched.iter().find(|b| b.time >= a.time + 1.0);
        let crosses = |b: &Sketched| cuts.iter().any(|c| *c > a.time && *c <= b.time);
        later.is_some_and(|b| !crosses(b) && a.sketch.same(&b.sketch) < MOSTLY)
    });
    match (slow, cuts.is_empty()) {
        (true, _) => Motion::Moving,
        (false, true) => Motion::Still,
        (false, false) => Motion::Slideshow,
    }
}

#[cfg(test)]
mod tests {
    use image::{Rgb, RgbImage};

    use super::*;

    /// Frames of a tenth of a second, each a ramp of grey that begins at the level given.
    fn film(levels: &[u8]) -> Vec<Sketched> {
        let picture = |level: u8| {
            RgbImage::from_fn(60, 60, |x, y| Rgb([level.wrapping_add((x + y) as u8); 3]))
        };
        let each = levels.iter().enumerate();
        each.map(|(i, level)| Sketched {
            time: i as f64 / 10.0,
            sketch: Sketch::of(&picture(*level)),
        })
        .collect()
    }

    #[test]
    fn cuts_stand_out_from_movement() {
        let pan: Vec<u8> = (0..20).map(|i| 2 * i).collect();
        assert!(shots(&film(&pan)).is_empty());
        let mut cut = pan.clone();
        cut.iter_mut().skip(12).for_each(|l| *l += 60);
        let film = film(&cut);
        assert_eq!(shots(&film), [1.2]);
        assert_eq!(motion(&film, &[1.2]), Motion::Moving);
    }

    #[test]
    fn stills_are_told_from_films() {
        assert_eq!(motion(&film(&[9; 30]), &[]), Motion::Still);
        let mut slides = vec![9; 15];
        slides.extend([90; 15]);
        let slides = film(&slides);
        let cuts = shots(&slides);
        assert_eq!(
            (cuts.as_slice(), motion(&slides, &cuts)),
            (&[1.5][..], Motion::Slideshow)
        );
        // One level in three frames is a movement, though no frame differs much from the next.
        let slow: Vec<u8> = (0..40).map(|i| 9 + i / 3).collect();
        assert_eq!(motion(&film(&slow), &[]), Motion::Moving);
        assert_eq!(motion(&film(&[9; 2]), &[]), Motion::Unknown);
    }
}
