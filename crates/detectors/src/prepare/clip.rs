//! Clips: runs of frames of a video.

use std::collections::VecDeque;

use image::RgbImage;
use realscope_delivery as delivery;

use super::face::face_of;
use super::{FaceBox, not_empty, not_made_for, refused, seen, shorter_side, squash};
use crate::card::{Clip, Fit, Input, Pace, TooFew};
use crate::{DetectorError, Place, Rect, Sample, Span};

/// Seconds by which an instant may lie ahead of the frame that is shown at it.
const ROUNDING: f64 = 1e-6;

/// Most clips of a video that are scored.
pub const CLIPS: usize = 8;

fn clip_of(id: &str, input: &Input) -> Result<Clip, DetectorError> {
    let refuse = || refused(id, seen(input.view), "these are frames of a video");
    input.view.clip().ok_or_else(refuse)
}

/// When the frames of a video's clips are shown, in seconds after its first frame, clip by clip in order of time.
///
/// The video lasts `duration_s` seconds and has `frames` frames. As many clips as lie side by side, `most` at most, are
/// spread evenly over it; a single one lies in its middle.
///
/// # Errors
/// [`DetectorError::Sample`] of an input that shows no clips, and of a video that is shorter than a clip unless the card
/// says what to do then.
pub fn instants(
    id: &str,
    input: &Input,
    duration_s: f64,
    frames: u64,
    most: usize,
) -> Result<Vec<Vec<f64>>, DetectorError> {
    let clip = clip_of(id, input)?;
    let wanted = clip.frames as f64;
    if frames == 0 {
        return Err(not_made_for(id, "no frames".into()));
    }
    let shown = duration_s / frames as f64;
    let step = match clip.pace {
        Pace::Stride(stride) => f64::from(stride) * shown,
        Pace::PerSecond(rate) => 1.0 / rate,
    };
    // From the first instant of a clip to its last.
    let reach = (wanted - 1.0) * step;
    // Each instant lies in the middle of a frame where frames lie evenly.
    let each = |start: f64, step: f64| -> Vec<f64> {
        (0..clip.frames)
            .map(|k| start + k as f64 * step + shown / 2.0)
            .collect()
    };
    let room = duration_s - shown - reach;
    if room >= -ROUNDING {
        let room = room.max(0.0);
        let count = ((room / (reach + step) + ROUNDING) as usize + 1).clamp(1, most.max(1));
        let stretch = duration_s / count as f64;
        let starts = (0..count).map(|k| {
            let start = (k as f64 + 0.5) * stretch - (reach + shown) / 2.0;
            // At the beginning of a frame where they lie evenly.
            ((start / shown).round() * shown).clamp(0.0, room)
        });
        return Ok(starts.map(|start| each(start, step)).collect());
    }
    match clip.too_few {
        TooFew::RepeatLast => Ok(vec![each(0.0, step)]),
        TooFew::Closer if frames >= clip.frames as u64 => {
            let step = duration_s / wanted;
            Ok(vec![each((step - shown) / 2.0, step)])
        }
        _ => Err(not_made_for(
            id,
            format!(
                "{frames} frames in {duration_s:.2} s, it sees {} that span {:.2} s",
                clip.frames,
                reach + shown
            ),
        )),
    }
}

/// The clips that frames make which lie as far apart as the card says, one clip after the other. Their times are numbers
/// of frames. `faces` are those of each frame, see [`ClipMaker::take`]; none need be given where whole frames are shown.
///
/// # Errors
/// [`DetectorError::Sample`] of an input that shows no clips, of frames that make no whole clips, and of frames in which
/// no face can be followed; those of [`ClipMaker::take`].
pub fn clips(
    frames: &[RgbImage],
    faces: &[Vec<FaceBox>],
    id: &str,
    input: &Input,
) -> Result<Vec<Sample>, DetectorError> {
    let wanted = clip_of(id, input)?.frames;
    if frames.is_empty() || !frames.len().is_multiple_of(wanted) {
        let reason = format!("{} frames, it sees clips of {wanted}", frames.len());
        return Err(not_made_for(id, reason));
    }
    let found = |k: usize| faces.get(k).map_or(&[] as &[FaceBox], Vec::as_slice);
    let (mut made, mut refusal) = (Vec::new(), None);
    for (n, clip) in frames.chunks(wanted).enumerate() {
        let instants: Vec<f64> = (0..wanted).map(|k| k as f64).collect();
        let mut maker = ClipMaker::new(id, input, vec![instants]);
        for (k, frame) in clip.iter().enumerate() {
            made.extend(maker.take(k as f64, frame, found(n * wanted + k))?);
        }
        made.extend(maker.rest(true));
        refusal = maker.refusal().or(refusal);
    }
    match refusal {
        Some(e) if made.is_empty() => Err(e),
        _ => Ok(made),
    }
}

/// Most faces of a frame among which one is followed, the largest first.
const FACES: usize = 4;

/// What a detector is shown of a frame: the frame itself, or a face in it.
struct Shown {
    pixels: RgbImage,
    /// What the pixels show.
    rect: Rect,
    /// The frame, or the face's box.
    what: Rect,
}

/// Pixels that both have.
fn common(a: Rect, b: Rect) -> u64 {
    let along =
        |a: u32, la: u32, b: u32, lb: u32| u64::from((a + la).min(b + lb).saturating_sub(a.max(b)));
    along(a.left, a.width, b.left, b.width) * along(a.top, a.height, b.top, b.height)
}

/// The same face in every frame of a clip: the largest of the first frame that has any, and from frame to frame the one
/// that covers most of where it was. A frame without it has it as it was seen last. `None` where fewer than half of the
/// frames have it.
fn follow<'a>(frames: &[&'a [Shown]]) -> Option<Vec<&'a Shown>> {
    let mut last: Option<&Shown> = frames.iter().find_map(|shown| shown.first());
    let mut seen = 0;
    let each = frames.iter().map(|shown| {
        let before = last?;
        let here = shown.iter().max_by_key(|s| common(s.what, before.what));
        if let Some(here) = here.filter(|s| common(s.what, before.what) > 0) {
            seen += 1;
            last = Some(here);
        }
        last
    });
    let each: Option<Vec<&Shown>> = each.collect();
    each.filter(|_| 2 * seen >= frames.len())
}

/// Makes clips of the frames of a video as they come, so that few of them are held.
pub struct ClipMaker {
    id: String,
    input: Input,
    wanted: VecDeque<Vec<f64>>,
    /// What the detector is shown of frames, with their times.
    held: VecDeque<(f64, Vec<Shown>)>,
    /// Size of the frames.
    size: Option<(u32, u32)>,
    /// Clips in which no face could be followed.
    missed: usize,
}

impl ClipMaker {
    /// For the clips whose frames are shown at `wanted`, see [`instants`].
    #[must_use]
    pub fn new(id: &str, input: &Input, wanted: Vec<Vec<f64>>) -> Self {
        Self {
            id: id.into(),
            input: input.clone(),
            wanted: wanted.into(),
            held: VecDeque::new(),
            size: None,
            missed: 0,
        }
    }

    /// Takes the next frame and gives the clips that end before it. `faces` are those that were found in the frame,
    /// largest first; a detector that sees whole frames does not look at them.
    ///
    /// # Errors
    /// [`DetectorError::Sample`] of an input that shows no clips, and of frames that are not in order of time or not of
    /// one size; [`DetectorError::Delivery`] of the resizer.
    pub fn take(
        &mut self,
        time: f64,
        frame: &RgbImage,
        faces: &[FaceBox],
    ) -> Result<Vec<Sample>, DetectorError> {
        let clip = clip_of(&self.id, &self.input)?;
        not_empty(frame, &self.id)?;
        if self.held.back().is_some_and(|(before, _)| *before > time) {
            let reason = "the frames are not in order of time".into();
            return Err(not_made_for(&self.id, reason));
        }
        if self.size.is_some_and(|size| size != frame.dimensions()) {
            let reason = "the frames are not of one size".into();
            return Err(not_made_for(&self.id, reason));
        }
        let mut done = Vec::new();
        while let Some(instants) = self.wanted.front()
            && instants.last().is_some_and(|t| time > t + ROUNDING)
            && !self.held.is_empty()
        {
            done.extend(self.next());
        }
        let shown = show(frame, faces, clip, &self.id, &self.input)?;
        self.size = Some(frame.dimensions());
        self.held.push_back((time, shown));
        Ok(done)
    }

    /// The clips that are left when there are no more frames; where the video was cut short (`whole` is false) those
    /// alone that it holds.
    pub fn rest(&mut self, whole: bool) -> Vec<Sample> {
        let last = self.held.back().map_or(0.0, |(time, _)| *time);
        let mut left = Vec::new();
        while let Some(instants) = self.wanted.front() {
            let step = step_of(instants);
            let held = instants.last().is_some_and(|t| *t < last + step);
            if self.held.is_empty() || !(whole || held) {
                break;
            }
            left.extend(self.next());
        }
        left
    }

    /// How many clips are missing because no face could be followed in them.
    #[must_use]
    pub fn missed(&self) -> usize {
        self.missed
    }

    /// Why clips are missing, where no face could be followed in them.
    #[must_use]
    pub fn refusal(&self) -> Option<DetectorError> {
        let reason = "it sees faces, and none was found in half of the frames of a clip";
        (self.missed > 0).then(|| not_made_for(&self.id, reason.into()))
    }

    /// The next clip, of the frames that are held.
    fn next(&mut self) -> Option<Sample> {
        let instants = self.wanted.pop_front()?;
        let at = |t: f64| {
            let after = self.held.partition_point(|(time, _)| *time <= t + ROUNDING);
            self.held.get(after.saturating_sub(1))
        };
        let (first, last) = (at(*instants.first()?)?, at(*instants.last()?)?);
        let time = Span {
            start: first.0,
            end: last.0 + step_of(&instants),
        };
        let frames: Option<Vec<&[Shown]>> = instants
            .iter()
            .map(|t| at(*t).map(|(_, shown)| shown.as_slice()))
            .collect();
        let made = follow(&frames?).map(|followed| Sample {
            place: Place {
                rect: followed.first().map_or(Rect::default(), |s| s.rect),
                time: Some(time),
                track: None,
                whole: !self.input.view.wants_faces(),
            },
            frames: followed.iter().map(|s| s.pixels.clone()).collect(),
        });
        self.missed += usize::from(made.is_none());
        // Of frames before the next clip the last may still be on the screen when it begins.
        if let Some(begin) = self.wanted.front().and_then(|next| next.first()) {
            while self
                .held
                .get(1)
                .is_some_and(|(t, _)| *t <= begin + ROUNDING)
            {
                self.held.pop_front();
            }
        }
        made
    }
}

/// Seconds from one instant of a clip to the next.
fn step_of(instants: &[f64]) -> f64 {
    match instants {
        [a, b, ..] => b - a,
        _ => 0.0,
    }
}

/// What the card's network sees of a frame: the frame, or its largest faces.
fn show(
    frame: &RgbImage,
    faces: &[FaceBox],
    clip: Clip,
    id: &str,
    input: &Input,
) -> Result<Vec<Shown>, DetectorError> {
    let (width, height) = frame.dimensions();
    let cut = (f64::from(width.max(height)) * clip.trim) as u32;
    let (left, top) = if width >= height { (cut, 0) } else { (0, cut) };
    let trimmed;
    let seen = if cut == 0 {
        frame
    } else {
        trimmed = delivery::crop(frame, left, top, width - 2 * left, height - 2 * top);
        &trimmed
    };
    let sample = match clip.fit {
        Fit::ShorterSide => shorter_side(seen, input)?,
        Fit::Squash => squash(seen, input)?,
        Fit::Face(crop) => {
            let mut shown = Vec::new();
            for face in faces.iter().take(FACES) {
                match face_of(frame, face, crop, id, input) {
                    Ok(sample) => shown.extend(sample.frames.into_iter().map(|pixels| Shown {
                        pixels,
                        rect: sample.place.rect,
                        what: face.rect,
                    })),
                    // A face that cannot be shown does not cost the others.
                    Err(DetectorError::Sample { .. }) => {}
                    Err(e) => return Err(e),
                }
            }
            return Ok(shown);
        }
    };
    let rect = Rect {
        left: sample.place.rect.left + left,
        top: sample.place.rect.top + top,
        ..sample.place.rect
    };
    let whole = sample.frames.into_iter().map(|pixels| Shown {
        pixels,
        rect,
        what: rect,
    });
    Ok(whole.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::card::{ClipLayout, Colour, Crop, Filter, View};

    fn input(frames: usize, pace: Pace, too_few: TooFew) -> Input {
        Input {
            size: 16,
            filter: Filter::Bilinear,
            colour: Colour::Rgb,
            mean: [0.5; 3],
            std: [0.5; 3],
            view: View::Clip(Clip {
                frames,
                pace,
                layout: ClipLayout::FrameFirst,
                too_few,
                trim: 0.0,
                fit: Fit::ShorterSide,
            }),
        }
    }

    /// Greys of the clips of a video whose frames last a quarter of a second, each of the grey of its number.
    fn of(count: u8, input: &Input, most: usize) -> Result<Vec<Vec<u8>>, DetectorError> {
        let length = f64::from(count) / 4.0;
        let wanted = instants("t", input, length, u64::from(count), most)?;
        let mut maker = ClipMaker::new("t", input, wanted);
        let mut made = Vec::new();
        for i in 0..count {
            let picture = RgbImage::from_pixel(24, 20, image::Rgb([i; 3]));
            made.extend(maker.take(f64::from(i) / 4.0, &picture, &[])?);
        }
        made.extend(maker.rest(true));
        for sample in &made {
            let (first, last) = (greys(sample)[0], greys(sample)[input.view.frames() - 1]);
            let time = sample.place.time.expect("a time");
            assert_eq!(time.start, f64::from(first) / 4.0);
            assert!(time.end > f64::from(last) / 4.0);
            assert!(sample.frames.iter().all(|f| f.dimensions() == (16, 16)));
            assert_eq!((sample.place.rect.left, sample.place.rect.width), (2, 20));
        }
        Ok(made.iter().map(greys).collect())
    }

    fn greys(sample: &Sample) -> Vec<u8> {
        sample.frames.iter().map(|f| f.get_pixel(8, 8)[0]).collect()
    }

    #[test]
    fn clips_are_spread_over_the_video() {
        for (count, stride, most, expected) in [
            (4, 1, 9, vec![vec![0, 1, 2, 3]]),
            (8, 1, 9, vec![vec![0, 1, 2, 3], vec![4, 5, 6, 7]]),
            (9, 1, 9, vec![vec![0, 1, 2, 3], vec![5, 6, 7, 8]]),
            (9, 1, 1, vec![vec![3, 4, 5, 6]]),
            (7, 2, 9, vec![vec![0, 2, 4, 6]]),
            (8, 2, 9, vec![vec![1, 3, 5, 7]]),
            (16, 2, 9, vec![vec![1, 3, 5, 7], vec![9, 11, 13, 15]]),
        ] {
            let card = input(4, Pace::Stride(stride), TooFew::Refuse);
            let seen = of(count, &card, most).expect("makes clips");
            assert_eq!(seen, expected, "{count} frames, stride {stride}");
        }
    }

    #[test]
    fn a_rate_is_kept_whatever_that_of_the_video_is() {
        for (count, rate, expected) in [
            (16, 2.0, vec![vec![0, 2, 4, 6], vec![8, 10, 12, 14]]),
            (
                12,
                4.0,
                vec![vec![0, 1, 2, 3], vec![4, 5, 6, 7], vec![8, 9, 10, 11]],
            ),
            // Faster than the video: what is on the screen is shown again.
            (4, 8.0, vec![vec![1, 2, 2, 3]]),
        ] {
            let card = input(4, Pace::PerSecond(rate), TooFew::Refuse);
            let seen = of(count, &card, 9).expect("makes clips");
            let fits = seen.len() == expected.len()
                && seen
                    .iter()
                    .flatten()
                    .zip(expected.iter().flatten())
                    .all(|(a, b)| a.abs_diff(*b) <= 1);
            assert!(fits, "{count} frames at {rate}: {seen:?}");
        }
    }

    #[test]
    fn a_video_shorter_than_a_clip_is_what_the_card_says() {
        let e = of(3, &input(4, Pace::Stride(1), TooFew::Refuse), 9).expect_err("refused");
        assert!(matches!(e, DetectorError::Sample { .. }));
        assert!(e.to_string().contains("3 frames"), "{e}");
        let repeats = |stride| of(3, &input(4, Pace::Stride(stride), TooFew::RepeatLast), 9);
        assert_eq!(repeats(1).expect("repeats"), [[0, 1, 2, 2]]);
        assert_eq!(repeats(2).expect("repeats"), [[0, 2, 2, 2]]);
        let closer = |count| of(count, &input(4, Pace::PerSecond(1.0), TooFew::Closer), 9);
        assert_eq!(closer(8).expect("closer"), [[1, 3, 5, 7]]);
        assert_eq!(closer(4).expect("closer"), [[0, 1, 2, 3]]);
        assert!(closer(3).is_err());
    }

    #[test]
    fn frames_are_trimmed_along_their_longer_side() {
        let card = input(2, Pace::Stride(1), TooFew::Refuse);
        let clip = Clip {
            trim: 0.1,
            fit: Fit::Squash,
            ..card.view.clip().expect("clips")
        };
        for (size, rect) in [((40, 20), [4, 0, 32, 20]), ((20, 40), [0, 4, 20, 32])] {
            let frame = RgbImage::from_fn(size.0, size.1, |x, y| {
                let end = x.max(y) < 4 || x.max(y) >= 36;
                image::Rgb([if end { 0 } else { 200 }; 3])
            });
            let shown = show(&frame, &[], clip, "t", &card).expect("shows");
            let [shown] = &shown[..] else {
                panic!("one frame")
            };
            let [left, top, width, height] = rect;
            let expected = Rect {
                left,
                top,
                width,
                height,
            };
            assert_eq!((shown.rect, shown.what), (expected, expected));
            assert_eq!(shown.pixels.dimensions(), (16, 16));
            if size.0 > size.1 {
                assert!(shown.pixels.pixels().all(|p| p.0 == [200; 3]));
            }
        }
    }

    #[test]
    fn frames_in_hand_make_whole_clips() {
        let card = input(4, Pace::PerSecond(2.0), TooFew::Refuse);
        let grey = |i: u8| RgbImage::from_pixel(24, 20, image::Rgb([i; 3]));
        let frames: Vec<RgbImage> = (0..8).map(grey).collect();
        let made = clips(&frames, &[], "t", &card).expect("clips");
        let seen: Vec<Vec<u8>> = made.iter().map(greys).collect();
        assert_eq!(seen, [[0, 1, 2, 3], [4, 5, 6, 7]]);
        assert!(clips(&frames[..7], &[], "t", &card).is_err());
        assert!(clips(&[], &[], "t", &card).is_err());
    }

    #[test]
    fn a_video_that_is_cut_short_gives_the_clips_that_it_holds() {
        let card = input(4, Pace::Stride(1), TooFew::Refuse);
        let wanted = instants("t", &card, 3.0, 12, 9).expect("three clips");
        let mut maker = ClipMaker::new("t", &card, wanted);
        let mut made = 0;
        for i in 0..10_u8 {
            let picture = RgbImage::from_pixel(24, 20, image::Rgb([i; 3]));
            made += maker
                .take(f64::from(i) / 4.0, &picture, &[])
                .expect("takes")
                .len();
        }
        assert_eq!((made, maker.rest(false).len()), (2, 0));
    }

    /// A picture of 80 x 40 pixels with a patch of each grey at its place, and the boxes of these patches.
    fn patches(places: &[(u32, u32, u8)]) -> (RgbImage, Vec<FaceBox>) {
        let mut picture = RgbImage::new(80, 40);
        let boxed = |(left, side, grey): &(u32, u32, u8)| {
            let patch = RgbImage::from_pixel(*side, *side, image::Rgb([*grey; 3]));
            image::imageops::replace(&mut picture, &patch, i64::from(*left), 5);
            FaceBox {
                rect: Rect {
                    left: *left,
                    top: 5,
                    width: *side,
                    height: *side,
                },
                ..FaceBox::default()
            }
        };
        let boxes = places.iter().map(boxed).collect();
        (picture, boxes)
    }

    #[test]
    fn a_clip_of_a_face_shows_one_face() {
        let mut card = input(4, Pace::Stride(1), TooFew::Refuse);
        let whole = card.view.clip().expect("clips");
        let crop = Crop {
            margin: 1.0,
            aligned: false,
        };
        card.view = View::Clip(Clip {
            fit: Fit::Face(crop),
            ..whole
        });
        card.check().expect("a view");
        let of = |frames: &[Vec<(u32, u32, u8)>]| {
            let (frames, faces): (Vec<_>, Vec<_>) = frames.iter().map(|f| patches(f)).unzip();
            clips(&frames, &faces, "t", &card)
        };
        // The largest at first is followed when another one becomes larger, and where it is out of sight.
        let made = of(&[
            vec![(0, 20, 100), (50, 18, 200)],
            vec![(50, 24, 200), (4, 20, 101)],
            vec![(50, 24, 200)],
            vec![(52, 26, 200), (8, 18, 103)],
        ]);
        let made = made.expect("a clip");
        assert_eq!(made.len(), 1);
        assert_eq!(greys(&made[0]), [100, 101, 101, 103]);
        let Rect { left, width, .. } = made[0].place.rect;
        assert_eq!((left, width, made[0].place.whole), (0, 20, false));
        // A face that comes late is shown as it is seen first.
        let late = of(&[
            vec![],
            vec![(9, 20, 90)],
            vec![(9, 20, 91)],
            vec![(9, 20, 92)],
        ]);
        assert_eq!(greys(&late.expect("a clip")[0]), [90, 90, 91, 92]);
        // Seen once, and clips of which one shows a face.
        let none = || vec![vec![], vec![], vec![], vec![(0, 20, 9)]];
        let e = of(&none()).expect_err("refused");
        assert!(e.to_string().contains("none was found"), "{e}");
        let mut both = none();
        both.extend((0..4).map(|k| vec![(k, 20, 7)]));
        assert_eq!(greys(&of(&both).expect("a clip")[0]), [7; 4]);
        // Frames at hand whose faces nobody looked for.
        let frames = vec![patches(&[]).0; 4];
        assert!(clips(&frames, &[], "t", &card).is_err());
        for fit in [
            Clip {
                trim: 0.1,
                fit: Fit::Face(crop),
                ..whole
            },
            Clip {
                fit: Fit::Face(Crop {
                    margin: 9.0,
                    ..crop
                }),
                ..whole
            },
        ] {
            card.view = View::Clip(fit);
            assert!(card.check().is_err());
        }
    }

    #[test]
    fn what_is_no_run_of_frames_is_refused() {
        let card = input(4, Pace::Stride(1), TooFew::RepeatLast);
        assert!(instants("t", &card, 0.0, 0, 9).is_err());
        let picture = RgbImage::new(24, 20);
        let mut maker = ClipMaker::new("t", &card, vec![vec![0.0, 0.25, 0.5, 0.75]]);
        maker.take(0.25, &picture, &[]).expect("takes");
        assert!(maker.take(0.0, &picture, &[]).is_err());
        assert!(maker.take(0.5, &RgbImage::new(9, 9), &[]).is_err());
        assert!(maker.take(0.5, &RgbImage::new(0, 9), &[]).is_err());
        let of_pictures = Input {
            view: View::Squash,
            ..card
        };
        let e = instants("t", &of_pictures, 1.0, 4, 9).expect_err("refused");
        assert!(e.to_string().contains("whole pictures"), "{e}");
    }
}
