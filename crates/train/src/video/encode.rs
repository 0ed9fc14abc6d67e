//! Clips that are encoded again, and clips that are made of stills, by the ffmpeg that is installed.

use std::path::Path;
use std::process::{Command, Stdio};

use image::RgbImage;
use realscope_delivery as delivery;
use serde::{Deserialize, Serialize};

use crate::error::{TrainError, io_error, picture_error};

/// How a clip is encoded again: H.264 by x264, without sound.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Encoding {
    /// Constant rate factor, 0 (lossless) to 51.
    pub crf: u8,
    /// Most pixels of the shorter side; larger clips are made smaller.
    #[serde(default)]
    pub shorter: Option<u32>,
}

impl Encoding {
    pub(super) fn check(&self) -> Result<(), TrainError> {
        if self.crf > 51 || self.shorter.is_some_and(|s| !(64..=4096).contains(&s)) {
            return Err(TrainError::Recipe(
                "an encoding has `crf` 0 to 51 and `shorter` 64 to 4096".into(),
            ));
        }
        Ok(())
    }

    /// Writes the first `seconds` of a clip to `to` (MP4).
    ///
    /// # Errors
    /// [`TrainError::Picture`] with what ffmpeg said.
    pub(super) fn encode(&self, clip: &Path, seconds: f64, to: &Path) -> Result<(), TrainError> {
        // x264 takes even sides alone.
        let even = "scale=trunc(iw/2)*2:trunc(ih/2)*2";
        let filter = match self.shorter {
            Some(most) => format!(
                "scale=w='if(gt(iw,ih),-2,min(iw,{most}))':h='if(gt(iw,ih),min(ih,{most}),-2)',{even}"
            ),
            None => even.to_owned(),
        };
        ffmpeg(clip, &[], seconds, &filter, self.crf, to)
    }
}

/// Runs ffmpeg from `from` to `to` (MP4, H.264).
fn ffmpeg(
    from: &Path,
    input: &[&str],
    seconds: f64,
    filter: &str,
    crf: u8,
    to: &Path,
) -> Result<(), TrainError> {
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg
        .args(["-nostdin", "-hide_banner", "-loglevel", "error", "-y"])
        .args(input)
        .arg("-i")
        .arg(from)
        .args(["-t", &seconds.to_string(), "-an", "-sn", "-vf", filter])
        .args(["-c:v", "libx264", "-preset", "fast", "-pix_fmt", "yuv420p"])
        .args(["-crf", &crf.to_string(), "-threads", "1", "-f", "mp4"])
        .arg(to)
        .stdin(Stdio::null());
    let made = ffmpeg
        .output()
        .map_err(|e| picture_error(from, &format!("ffmpeg: {e}")))?;
    if made.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&made.stderr);
    Err(picture_error(from, &format!("ffmpeg: {}", said.trim())))
}

/// Longer side of a still ahead of its pan, at most.
const LONGEST: u32 = 960;
/// Frames a second of a pan, its seconds and its rate factor.
const PAN: (u32, f64, u8) = (8, 2.5, 20);

/// Writes a slow pan over a still to `to` (MP4): a window of 85% of each side moves from one corner of the picture to
/// another, by the lowest bits of `way`.
///
/// # Errors
/// [`TrainError`] where the still is too small or ffmpeg fails; `path` names it.
pub(super) fn pan(path: &Path, still: &RgbImage, way: u8, to: &Path) -> Result<(), TrainError> {
    let still = delivery::limit_edge(still, LONGEST, delivery::Filter::Lanczos3)
        .map_err(|e| picture_error(path, &e))?;
    let png = to.with_extension("png");
    still.save(&png).map_err(|e| picture_error(path, &e))?;
    let (rate, seconds, crf) = PAN;
    let along = |forth: bool| match forth {
        true => format!("t/{seconds}"),
        false => format!("(1-t/{seconds})"),
    };
    let filter = format!(
        "crop=w=trunc(iw*0.425)*2:h=trunc(ih*0.425)*2:x=(iw-ow)*{}:y=(ih-oh)*{}",
        along(way & 1 == 0),
        along(way & 2 == 0)
    );
    let looped = ["-loop", "1", "-framerate", &rate.to_string()];
    ffmpeg(&png, &looped, seconds, &filter, crf, to)?;
    std::fs::remove_file(&png).map_err(io_error(&png))
}
