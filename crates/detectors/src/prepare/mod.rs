//! From pictures, faces and frames to the samples that a detector is shown.
//!
//! One for each thing that there is to show: a [`picture()`], [`faces()`] found in a picture or a frame, clips of a video
//! ([`instants`], [`ClipMaker`], [`clips`]). Each reads the card's [`View`] and refuses a card that shows something else.

mod clip;
mod face;
mod whole;
mod windows;

use image::RgbImage;

pub use clip::{CLIPS, ClipMaker, clips, instants};
pub use face::{FaceBox, faces};
pub use whole::{shorter_side, shorter_side_centre, squash};
pub use windows::{centre, cut, reflect, windows};

use crate::card::{Input, View};
use crate::{DetectorError, Place, Rect, Sample};

/// All samples of a picture for the input of detector `id`, in a fixed order.
///
/// # Errors
/// [`DetectorError::Sample`] of a picture without pixels and of an input that shows no single picture (a face, a
/// clip), [`DetectorError::Delivery`] of the resizer.
pub fn picture(picture: &RgbImage, id: &str, input: &Input) -> Result<Vec<Sample>, DetectorError> {
    not_empty(picture, id)?;
    Ok(match input.view {
        View::Windows { most } => windows(picture, input.size, most),
        View::Centre => vec![centre(picture, input.size)],
        View::Squash => vec![squash(picture, input)?],
        View::ShorterSide => vec![shorter_side(picture, input)?],
        View::ShorterSideCentre { shorter } => vec![shorter_side_centre(picture, input, shorter)?],
        View::WholeAndWindows { most } => {
            let mut samples = vec![shorter_side(picture, input)?];
            samples.extend(windows(picture, input.size, most));
            samples
        }
        View::Face(_) | View::Clip(_) => {
            return Err(refused(id, seen(input.view), "this is a whole picture"));
        }
    })
}

/// What a view shows, for the words of a refusal.
fn seen(view: View) -> &'static str {
    match view {
        View::Face(_) => "faces",
        View::Clip(_) => "clips",
        _ => "whole pictures",
    }
}

fn refused(id: &str, sees: &str, this: &str) -> DetectorError {
    not_made_for(id, format!("it sees {sees}, {this}"))
}

fn not_made_for(id: &str, reason: String) -> DetectorError {
    DetectorError::Sample {
        id: id.into(),
        reason,
    }
}

fn not_empty(picture: &RgbImage, id: &str) -> Result<(), DetectorError> {
    match picture.dimensions() {
        (0, _) | (_, 0) => Err(not_made_for(id, "a picture without pixels".into())),
        _ => Ok(()),
    }
}

/// A sample of one frame that shows `rect`.
fn sample(frame: RgbImage, rect: Rect, whole: bool) -> Sample {
    Sample {
        frames: vec![frame],
        place: Place {
            rect,
            whole,
            ..Place::default()
        },
    }
}
