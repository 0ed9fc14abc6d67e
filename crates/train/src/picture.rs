//! Pictures of a data set, and frames of its clips.

use std::path::Path;

use image::RgbImage;
use realscope_data::clip;
use realscope_data::split::ClipFrame;
use realscope_media::video::Sampling;
use realscope_media::{Limits, Options};

use crate::error::{TrainError, io_error, picture_error};

/// Decodes a picture of the data set, or a frame of a clip ([`ClipFrame`]).
///
/// # Errors
/// [`TrainError::Io`] or [`TrainError::Picture`].
pub fn open(path: &Path) -> Result<RgbImage, TrainError> {
    if let Some((clip, frame)) = path.to_str().and_then(ClipFrame::parse) {
        let sampling = Sampling {
            first: 0,
            last: None,
            count: frame.of,
        };
        let frames = clip::frames(Path::new(clip), &sampling);
        let mut frames = frames.map_err(|e| picture_error(path, &e))?;
        // A short clip has fewer.
        let number = frame.number.min(frames.len().saturating_sub(1));
        return match frames.is_empty() {
            true => Err(picture_error(path, &"no frames")),
            false => Ok(frames.swap_remove(number).pixels),
        };
    }
    let bytes = std::fs::read(path).map_err(io_error(path))?;
    realscope_media::decode(&bytes, &Limits::default(), &Options::default())
        .map(|d| d.pixels)
        .map_err(|e| picture_error(path, &e))
}
