//! Pictures of a data set, and frames of its clips.

use std::path::Path;

use image::RgbImage;
use realscope_data::clip;
use realscope_data::split::ClipFrame;
use realscope_media::video::Plan;
use realscope_media::{Limits, Options};

use crate::error::{TrainError, io_error, picture_error};

/// Decodes a picture of the data set, or a frame of a clip ([`ClipFrame`]).
///
/// # Errors
/// [`TrainError::Io`] or [`TrainError::Picture`].
pub fn open(path: &Path) -> Result<RgbImage, TrainError> {
    if let Some((clip, frame)) = path.to_str().and_then(ClipFrame::parse) {
        let plan = Plan::Part {
            number: frame.number,
            count: frame.of,
        };
        let frames = clip::frames(Path::new(clip), &plan);
        let mut frames = frames.map_err(|e| picture_error(path, &e))?;
        let frame = frames.pop();
        return frame.map_or_else(|| Err(picture_error(path, &"no frames")), |f| Ok(f.pixels));
    }
    let bytes = std::fs::read(path).map_err(io_error(path))?;
    realscope_media::decode(&bytes, &Limits::default(), &Options::default())
        .map(|d| d.pixels)
        .map_err(|e| picture_error(path, &e))
}
