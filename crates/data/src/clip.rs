//! Items whose file is a video.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::time::Duration;

use image::RgbImage;
use realscope_media::Format;
use realscope_media::video::{Decoders, Frame, Plan, Video, VideoError, VideoLimits};

use crate::manifest::Item;

/// Time that decoding the frames of one video may take.
pub const DEADLINE: Duration = Duration::from_secs(120);

/// Format by content.
fn format(path: &Path) -> io::Result<Option<Format>> {
    let mut head = Vec::new();
    File::open(path)?.take(512).read_to_end(&mut head)?;
    Ok(Format::sniff(&head))
}

/// Whether a file is a video by its content.
pub fn is_video(path: &Path) -> io::Result<bool> {
    Ok(format(path)? == Some(Format::Video))
}

/// Whether an item is scored as a video: the content is one, or an animation that the manifest calls one.
pub fn scored_as_video(item: &Item, path: &Path) -> io::Result<bool> {
    Ok(match format(path)? {
        Some(Format::Video) => true,
        Some(Format::Gif) => !item.video.is_empty(),
        _ => false,
    })
}

/// The frame in the middle.
pub fn middle(path: &Path) -> Result<Option<RgbImage>, VideoError> {
    let mut frames = frames(path, &Plan::uniform(1))?;
    Ok(frames.pop().map(|f| f.pixels))
}

/// Frames under the limits of videos, by one decoder.
pub fn frames(path: &Path, plan: &Plan) -> Result<Vec<Frame>, VideoError> {
    let limits = VideoLimits::default();
    Video::open(path, &limits, DEADLINE, Decoders::Any)?.frames(plan)
}
