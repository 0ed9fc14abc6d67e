//! Clips: runs of frames of a video.

use image::RgbImage;

use super::{not_empty, not_made_for, refused, seen, shorter_side};
use crate::card::{Input, TooFew, View};
use crate::{DetectorError, Place, Sample, Span};

/// A frame and when it is seen.
#[derive(Clone, Copy, Debug)]
pub struct TimedFrame<'a> {
    /// Its pixels, upright.
    pub picture: &'a RgbImage,
    /// From when to when, in seconds.
    pub time: Span,
}

/// The clips that a run of consecutive frames holds, in order of time.
///
/// Clips lie side by side; where frames remain, a last clip ends with the last frame and overlaps the one before. Each
/// frame is shown like [`shorter_side`].
///
/// # Errors
/// [`DetectorError::Sample`] of an input that shows no clips, of frames that are not in order of time or not of one
/// size, and of too few frames unless the card repeats the last one; [`DetectorError::Delivery`] of the resizer.
pub fn clips(
    frames: &[TimedFrame<'_>],
    id: &str,
    input: &Input,
) -> Result<Vec<Sample>, DetectorError> {
    let View::Clip {
        frames: wanted,
        stride,
        too_few,
        ..
    } = input.view
    else {
        return Err(refused(id, seen(input.view), "these are frames of a video"));
    };
    let refuse = |reason: String| Err(not_made_for(id, reason));
    let (Some(first), Some(end)) = (frames.first(), frames.len().checked_sub(1)) else {
        return refuse("no frames".into());
    };
    for frame in frames {
        not_empty(frame.picture, id)?;
    }
    if frames.windows(2).any(|w| w[1].time.start < w[0].time.start) {
        return refuse("the frames are not in order of time".into());
    }
    let size = first.picture.dimensions();
    if frames.iter().any(|f| f.picture.dimensions() != size) {
        return refuse("the frames are not of one size".into());
    }
    let reach = (wanted - 1) * stride;
    let starts: Vec<usize> = match (end.checked_sub(reach), too_few) {
        (Some(last), _) => {
            let mut starts: Vec<usize> = (0..=last).step_by(reach + stride).collect();
            // The frames after the last whole clip, at least one of which it would have shown.
            if starts.last().is_some_and(|s| s + reach + stride <= end) {
                starts.push(last);
            }
            starts
        }
        (None, TooFew::RepeatLast) => vec![0],
        (None, TooFew::Refuse) => {
            return refuse(format!(
                "{} frames, a clip of {wanted} with a stride of {stride} needs {}",
                frames.len(),
                reach + 1
            ));
        }
    };
    starts
        .into_iter()
        .map(|start| clip(frames, start, wanted, stride, input))
        .collect()
}

/// `wanted` frames from `start`, the last one repeated where there are none left.
fn clip(
    frames: &[TimedFrame<'_>],
    start: usize,
    wanted: usize,
    stride: usize,
    input: &Input,
) -> Result<Sample, DetectorError> {
    let mut indices: Vec<usize> = (start..frames.len()).step_by(stride).take(wanted).collect();
    let shown: Vec<Sample> = indices
        .iter()
        .map(|i| shorter_side(frames[*i].picture, input))
        .collect::<Result<_, _>>()?;
    let last = indices.pop().unwrap_or(start);
    let place = Place {
        time: Some(Span {
            start: frames[start].time.start,
            end: frames[last].time.end,
        }),
        ..shown.first().map_or_else(Place::default, |s| s.place)
    };
    let mut frames: Vec<RgbImage> = shown.into_iter().flat_map(|s| s.frames).collect();
    if let Some(last) = frames.last().cloned() {
        frames.resize(wanted, last);
    }
    Ok(Sample { frames, place })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::card::{ClipLayout, Colour, Filter};

    fn input(frames: usize, stride: usize, too_few: TooFew) -> Input {
        Input {
            size: 16,
            filter: Filter::Bilinear,
            colour: Colour::Rgb,
            mean: [0.5; 3],
            std: [0.5; 3],
            view: View::Clip {
                frames,
                stride,
                layout: ClipLayout::FrameFirst,
                too_few,
            },
        }
    }

    /// Frames of a quarter of a second, each of the grey of its number.
    fn video(count: u8) -> Vec<RgbImage> {
        (0..count)
            .map(|i| RgbImage::from_pixel(24, 20, image::Rgb([i; 3])))
            .collect()
    }

    fn timed(pictures: &[RgbImage]) -> Vec<TimedFrame<'_>> {
        (0_u32..)
            .zip(pictures)
            .map(|(i, picture)| TimedFrame {
                picture,
                time: Span {
                    start: f64::from(i) / 4.0,
                    end: f64::from(i + 1) / 4.0,
                },
            })
            .collect()
    }

    fn greys(sample: &Sample) -> Vec<u8> {
        sample.frames.iter().map(|f| f.get_pixel(8, 8)[0]).collect()
    }

    #[test]
    fn clips_lie_side_by_side_and_the_last_ends_with_the_video() {
        for (count, stride, expected) in [
            (4, 1, vec![vec![0, 1, 2, 3]]),
            (8, 1, vec![vec![0, 1, 2, 3], vec![4, 5, 6, 7]]),
            (
                9,
                1,
                vec![vec![0, 1, 2, 3], vec![4, 5, 6, 7], vec![5, 6, 7, 8]],
            ),
            (7, 2, vec![vec![0, 2, 4, 6]]),
            (8, 2, vec![vec![0, 2, 4, 6]]),
            (9, 2, vec![vec![0, 2, 4, 6], vec![2, 4, 6, 8]]),
        ] {
            let pictures = video(count);
            let made = clips(&timed(&pictures), "t", &input(4, stride, TooFew::Refuse));
            let made = made.expect("makes clips");
            let seen: Vec<Vec<u8>> = made.iter().map(greys).collect();
            assert_eq!(seen, expected, "{count} frames, stride {stride}");
            for sample in &made {
                let (first, last) = (greys(sample)[0], greys(sample)[3]);
                let time = sample.place.time.expect("a time");
                assert_eq!(time.start, f64::from(first) / 4.0);
                assert_eq!(time.end, f64::from(last + 1) / 4.0);
                assert!(sample.frames.iter().all(|f| f.dimensions() == (16, 16)));
                assert_eq!(sample.place.rect.left, 2);
            }
        }
    }

    #[test]
    fn too_few_frames_are_what_the_card_says() {
        let pictures = video(3);
        let frames = timed(&pictures);
        let e = clips(&frames, "t", &input(4, 1, TooFew::Refuse)).expect_err("refused");
        assert!(matches!(e, DetectorError::Sample { .. }));
        assert!(e.to_string().contains("3 frames"), "{e}");
        let made = clips(&frames, "t", &input(4, 1, TooFew::RepeatLast)).expect("repeats");
        assert_eq!(greys(&made[0]), [0, 1, 2, 2]);
        assert_eq!(made[0].place.time.expect("a time").end, 0.75);
        let made = clips(&frames, "t", &input(4, 2, TooFew::RepeatLast)).expect("repeats");
        assert_eq!(greys(&made[0]), [0, 2, 2, 2]);
    }

    #[test]
    fn what_is_no_run_of_frames_is_refused() {
        let mut pictures = video(4);
        let card = input(4, 1, TooFew::Refuse);
        assert!(clips(&[], "t", &card).is_err());
        let mut frames = timed(&pictures);
        frames.reverse();
        assert!(clips(&frames, "t", &card).is_err());
        pictures[2] = RgbImage::new(9, 9);
        assert!(clips(&timed(&pictures), "t", &card).is_err());
        let picture = Input {
            view: View::Squash,
            ..card
        };
        let e = clips(&timed(&pictures), "t", &picture).expect_err("refused");
        assert!(e.to_string().contains("whole pictures"), "{e}");
    }
}
