//! Clips that are encoded again, by the ffmpeg that is installed.

use std::path::Path;
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use crate::error::{TrainError, picture_error};

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
        let mut ffmpeg = Command::new("ffmpeg");
        ffmpeg
            .args(["-nostdin", "-hide_banner", "-loglevel", "error", "-y", "-i"])
            .arg(clip)
            .args(["-t", &seconds.to_string(), "-an", "-sn", "-vf", &filter])
            .args(["-c:v", "libx264", "-preset", "fast", "-pix_fmt", "yuv420p"])
            .args(["-crf", &self.crf.to_string(), "-threads", "1", "-f", "mp4"])
            .arg(to)
            .stdin(Stdio::null());
        let made = ffmpeg
            .output()
            .map_err(|e| picture_error(clip, &format!("ffmpeg: {e}")))?;
        if made.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&made.stderr);
        Err(picture_error(clip, &format!("ffmpeg: {}", said.trim())))
    }
}
