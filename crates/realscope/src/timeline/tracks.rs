//! Faces over time: which face of a frame is which of the frames before, and what may be said of each.

use image::RgbImage;
use realscope_delivery::{self as delivery, DeliveryError, Filter};
use realscope_detectors::calibration::Band;
use realscope_detectors::{Calibration, Logit, Rect, TrackId, pool};

use crate::record::Verdict;

/// Side of the grey square by which faces are compared.
const SIDE: u32 = 16;
/// Longest that a face may be out of sight, in seconds.
const GAP: f64 = 2.5;
/// Least overlap of a face with itself in the next frame (intersection over union), where it looks alike at least so
/// much (correlation).
const STAYS: (f64, f64) = (0.3, 0.35);
/// Least likeness of a face that moved further, up to its own size.
const MOVES: f64 = 0.7;

/// Fewest looks at a face that is accused.
const LEAST_LOOKS: usize = 3;
/// Shortest time that a face which is accused is seen, in seconds.
const LEAST_TIME: f64 = 1.0;

/// How a face looks: its grey levels, small, without their mean and of length 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Look(Vec<f32>);

impl Look {
    /// Of a part of a frame.
    ///
    /// # Errors
    /// [`DeliveryError`] of the resizer.
    pub fn of(frame: &RgbImage, rect: Rect) -> Result<Self, DeliveryError> {
        let part = delivery::crop(frame, rect.left, rect.top, rect.width, rect.height);
        let small = delivery::resize(&part, SIDE, SIDE, Filter::Bilinear)?;
        let grey = small.pixels();
        let mut grey: Vec<f32> = grey
            .map(|p| p.0.iter().map(|v| f32::from(*v)).sum())
            .collect();
        let mean = grey.iter().sum::<f32>() / grey.len() as f32;
        grey.iter_mut().for_each(|v| *v -= mean);
        let length = grey.iter().map(|v| v * v).sum::<f32>().sqrt();
        if length > 0.0 {
            grey.iter_mut().for_each(|v| *v /= length);
        }
        Ok(Self(grey))
    }

    /// Correlation, -1 to 1.
    fn likeness(&self, other: &Self) -> f64 {
        let each = self.0.iter().zip(&other.0);
        each.map(|(a, b)| f64::from(a * b)).sum()
    }
}

/// Intersection over union.
fn overlap(a: Rect, b: Rect) -> f64 {
    let shared = |from: [u32; 2], length: [u32; 2]| {
        let end = (from[0] + length[0]).min(from[1] + length[1]);
        f64::from(end.saturating_sub(from[0].max(from[1])))
    };
    let both =
        shared([a.left, b.left], [a.width, b.width]) * shared([a.top, b.top], [a.height, b.height]);
    let area = |r: Rect| f64::from(r.width) * f64::from(r.height);
    both / (area(a) + area(b) - both).max(1.0)
}

/// Distance of the middles, as a share of the larger face.
fn moved(a: Rect, b: Rect) -> f64 {
    let middle = |r: Rect| {
        let half = |from: u32, length: u32| f64::from(from) + f64::from(length) / 2.0;
        [half(r.left, r.width), half(r.top, r.height)]
    };
    let (p, q) = (middle(a), middle(b));
    let size = a.width.max(a.height).max(b.width).max(b.height);
    (p[0] - q[0]).hypot(p[1] - q[1]) / f64::from(size.max(1))
}

/// A face that is followed.
struct Open {
    id: TrackId,
    time: f64,
    rect: Rect,
    look: Look,
}

impl Open {
    /// How well a face is this one; `None` where it is not.
    fn fits(&self, rect: Rect, look: &Look) -> Option<f64> {
        let (over, like) = (overlap(self.rect, rect), self.look.likeness(look));
        let stays = over >= STAYS.0 && like >= STAYS.1;
        let moves = like >= MOVES && moved(self.rect, rect) <= 1.0;
        (stays || moves).then_some(over + like)
    }
}

/// Follows faces from frame to frame.
#[derive(Default)]
pub struct Tracker {
    open: Vec<Open>,
    next: u32,
}

impl Tracker {
    /// The track of each face of a frame, which lies behind those before. Each face goes to the track that it fits best
    /// by place and look; the others begin new ones.
    pub fn follow(&mut self, time: f64, faces: &[(Rect, Look)]) -> Vec<TrackId> {
        self.open.retain(|o| time - o.time <= GAP);
        let mut pairs: Vec<(f64, usize, usize)> = Vec::new();
        for (i, (rect, look)) in faces.iter().enumerate() {
            let each = self.open.iter().enumerate();
            pairs.extend(each.filter_map(|(j, o)| Some((o.fits(*rect, look)?, i, j))));
        }
        pairs.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut taken = vec![None; faces.len()];
        let mut used = vec![false; self.open.len()];
        for (_, i, j) in pairs {
            if taken[i].is_none() && !used[j] {
                taken[i] = Some(j);
                used[j] = true;
            }
        }
        let mut out = Vec::with_capacity(faces.len());
        for ((rect, look), taken) in faces.iter().zip(taken) {
            let id = taken.map_or_else(
                || {
                    self.next += 1;
                    TrackId(self.next - 1)
                },
                |j| self.open[j].id,
            );
            let now = Open {
                id,
                time,
                rect: *rect,
                look: look.clone(),
            };
            match taken {
                Some(j) => self.open[j] = now,
                None => self.open.push(now),
            }
            out.push(id);
        }
        out
    }
}

/// What a face that was scored gives.
#[derive(Clone, Debug, PartialEq)]
pub struct FaceScore {
    /// Its logit.
    pub logit: Logit,
    /// Whether it looks painted or drawn.
    pub painted: bool,
    /// Logits of its re-deliveries; none where it was not delivered again.
    pub again: Vec<Logit>,
}

/// A face in one frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Sight {
    /// When, in seconds after the first frame.
    pub time: f64,
    /// Where, in pixels of the frame.
    pub rect: Rect,
    /// What it gives, where it was scored.
    pub scored: Option<FaceScore>,
}

/// What is said of a face that was followed.
#[derive(Clone, Debug, PartialEq)]
pub struct FaceJudged {
    /// The word: `generated` for a face that is accused, be it generated or swapped.
    pub verdict: Verdict,
    /// Probability of the mean logit; `None` where it was never scored.
    pub probability: Option<f64>,
    /// Times that it was scored.
    pub looks: usize,
    /// Why it is accused, or why not though its score is high.
    pub why: Option<String>,
}

/// Whether a face that was scored is accused as it is and on the same side in every re-delivery.
fn face_holds(scored: &FaceScore, calibration: &Calibration, bar: f64) -> bool {
    let p = |logit: &Logit| calibration.probability(*logit).0;
    let own = p(&scored.logit);
    let low = scored.again.iter().map(p).fold(own, f64::min);
    let high = scored.again.iter().map(p).fold(own, f64::max);
    calibration.band(own, [low, high], Some(bar)) == Band::Generated
}

/// Judges a face by its sights, by the calibration of faces. `bar` is the probability from which it is accused.
#[must_use]
pub fn judge_face(sights: &[Sight], calibration: &Calibration, bar: Option<f64>) -> FaceJudged {
    let scored: Vec<&FaceScore> = sights.iter().filter_map(|s| s.scored.as_ref()).collect();
    let logits: Vec<Logit> = scored.iter().map(|s| s.logit).collect();
    let p = |logit: Logit| calibration.probability(logit).0;
    let mut judged = FaceJudged {
        verdict: Verdict::NoEvidence,
        probability: pool::mean(&logits).map(p),
        looks: logits.len(),
        why: None,
    };
    let Some(mean) = judged.probability else {
        judged.verdict = Verdict::Uncertain;
        judged.why = Some("it was not scored".into());
        return judged;
    };
    let Some(bar) = bar else {
        return judged;
    };
    if mean < bar {
        return judged;
    }
    let count = logits.len();
    let alone = logits.iter().filter(|l| p(**l) >= bar).count();
    let painted = scored.iter().filter(|s| s.painted).count();
    let again: Vec<bool> = scored
        .iter()
        .filter(|s| !s.again.is_empty())
        .map(|s| face_holds(s, calibration, bar))
        .collect();
    let held = again.iter().filter(|h| **h).count();
    let first = sights.first().map_or(0.0, |s| s.time);
    let seen = sights.last().map_or(0.0, |s| s.time) - first;
    judged.verdict = Verdict::Uncertain;
    judged.why = Some(if count < LEAST_LOOKS || seen < LEAST_TIME {
        "it is seen for too short a time to accuse".to_owned()
    } else if 2 * alone < count {
        format!("{alone} of {count} looks at it would be accused alone")
    } else if 2 * painted >= count {
        format!("{painted} of {count} looks at it seem painted or drawn")
    } else if 2 * held <= again.len() {
        format!(
            "{held} of {} looks at it stay accused when delivered again",
            again.len()
        )
    } else {
        judged.verdict = Verdict::Generated;
        format!(
            "the mean of {count} looks lies above {bar:.2}, and {alone} of them would be accused alone"
        )
    });
    judged
}

#[cfg(test)]
mod tests {
    use image::Rgb;

    use super::*;

    fn rect(left: u32, top: u32, side: u32) -> Rect {
        Rect {
            left,
            top,
            width: side,
            height: side,
        }
    }

    /// A frame with a face that looks like `kind` at a place.
    fn look(kind: u32) -> Look {
        let frame = RgbImage::from_fn(64, 64, |x, y| {
            let v = (x / 8 * (kind * 7 + 3) + y / 8 * (kind * 13 + 5)) * 29 % 251;
            Rgb([v as u8; 3])
        });
        Look::of(&frame, rect(0, 0, 64)).expect("a look")
    }

    #[test]
    fn faces_are_told_apart_by_place_and_look() {
        assert!(look(1).likeness(&look(1)) > 0.999);
        assert!(look(1).likeness(&look(2)) < 0.3);
        let mut tracker = Tracker::default();
        let both = [(rect(100, 100, 80), look(1)), (rect(400, 100, 80), look(2))];
        assert_eq!(tracker.follow(0.0, &both), [TrackId(0), TrackId(1)]);
        // In another order, a little moved.
        let moved = [(rect(395, 104, 82), look(2)), (rect(110, 98, 78), look(1))];
        assert_eq!(tracker.follow(0.5, &moved), [TrackId(1), TrackId(0)]);
        // One walked by its own width, one is out of sight.
        let walked = [(rect(170, 98, 78), look(1))];
        assert_eq!(tracker.follow(1.0, &walked), [TrackId(0)]);
        // It comes back in time, and the other walks back.
        assert_eq!(tracker.follow(2.5, &moved), [TrackId(1), TrackId(0)]);
        // Another face in its place is another track; so is the same one after long.
        let other = [(rect(395, 104, 82), look(3))];
        assert_eq!(tracker.follow(3.0, &other), [TrackId(2)]);
        assert_eq!(tracker.follow(9.0, &other), [TrackId(3)]);
        assert_eq!(tracker.follow(9.5, &[]), []);
    }

    #[test]
    fn overlap_is_the_intersection_over_the_union() {
        assert!((overlap(rect(0, 0, 10), rect(0, 0, 10)) - 1.0).abs() < 1e-12);
        assert!((overlap(rect(0, 0, 10), rect(5, 0, 10)) - 50.0 / 150.0).abs() < 1e-12);
        assert!(overlap(rect(0, 0, 10), rect(10, 0, 10)).abs() < 1e-12);
    }

    fn calibration() -> Calibration {
        Calibration {
            id: "test".into(),
            scale: 1.0,
            offset: 0.0,
            decision_threshold: 0.5,
            generated_threshold: Some(0.9),
            doubt_threshold: Some(0.8),
            delivery_reach: None,
            matched_auc: 0.8,
            matched_auc_low: 0.7,
            matched_auc_high: 0.9,
            operating_points: vec![],
            kinds: vec![],
            tiers: vec![],
        }
    }

    fn sights(logits: &[f64], painted: bool) -> Vec<Sight> {
        let each = logits.iter().enumerate();
        each.map(|(i, l)| Sight {
            time: i as f64 / 2.0,
            rect: rect(0, 0, 60),
            scored: Some(FaceScore {
                logit: Logit(*l),
                painted,
                again: vec![Logit(l - 1.0), Logit(*l)],
            }),
        })
        .collect()
    }

    #[test]
    fn a_face_is_accused_by_looks_that_are() {
        let of = |sights: &[Sight]| judge_face(sights, &calibration(), Some(0.9));
        let judged = of(&sights(&[4.0; 4], false));
        assert_eq!((judged.verdict, judged.looks), (Verdict::Generated, 4));
        // Too short, painted, carried by one look.
        for held in [
            sights(&[4.0; 2], false),
            sights(&[4.0; 4], true),
            sights(&[20.0, 0.0, 0.0, 0.0], false),
        ] {
            let judged = of(&held);
            assert_eq!(judged.verdict, Verdict::Uncertain, "{judged:?}");
            assert!(judged.why.is_some());
        }
        assert_eq!(of(&sights(&[1.0; 9], false)).verdict, Verdict::NoEvidence);
        // Half of the looks do not stay accused when they are delivered again; or none was.
        let mut changes = sights(&[4.0; 4], false);
        for sight in &mut changes[..2] {
            sight.scored.as_mut().expect("scored").again[0] = Logit(-0.1);
        }
        let judged = of(&changes);
        assert_eq!(judged.verdict, Verdict::Uncertain);
        assert!(judged.why.expect("a reason").starts_with("2 of 4 looks"));
        changes[0].scored.as_mut().expect("scored").again[0] = Logit(0.1);
        assert_eq!(of(&changes).verdict, Verdict::Generated);
        for sight in &mut changes {
            sight.scored.as_mut().expect("scored").again.clear();
        }
        assert_eq!(of(&changes).verdict, Verdict::Uncertain);
        let mut unseen = sights(&[4.0; 4], false);
        unseen.iter_mut().for_each(|s| s.scored = None);
        let judged = of(&unseen);
        assert_eq!((judged.probability, judged.looks), (None, 0));
        assert_eq!(judged.verdict, Verdict::Uncertain);
        let judged = judge_face(&sights(&[9.0; 9], false), &calibration(), None);
        assert_eq!(judged.verdict, Verdict::NoEvidence);
    }
}
