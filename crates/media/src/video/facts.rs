//! What is known of a video beside its frames.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::note::Note;

/// What is known of a video beside its frames.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// Container by content, such as `MP4`.
    pub container: String,
    /// Codec, such as `H.264`.
    pub codec: String,
    /// What decodes it.
    pub decoder: String,
    /// Width in pixels, upright.
    pub width: u32,
    /// Height in pixels, upright.
    pub height: u32,
    /// From the first frame to the end of the last, in seconds.
    pub duration_s: f64,
    /// Frames that are shown.
    pub frame_count: u64,
    /// Frames that decode on their own.
    pub key_frames: u64,
    /// Most frames from one that decodes on its own to the next.
    pub longest_gop: u64,
    /// Frames a second on average; null where the video has no length.
    pub frame_rate: Option<f64>,
    /// Whether frames stay on the screen for different times.
    pub variable_frame_rate: bool,
    /// Degrees clockwise by which frames were turned upright.
    pub rotation: u16,
    /// Bits a second of the picture's data; null where it is not told.
    pub bit_rate: Option<u64>,
    /// Whether an edit list hides or delays frames.
    pub edit_list: bool,
    /// Whether there is sound.
    pub audio: bool,
    /// What encoded the pictures, by its own word.
    pub encoder: Option<String>,
    /// Text that the container carries, by name; long texts are cut.
    pub tags: BTreeMap<String, String>,
    /// Things that a reader should know.
    pub notes: Vec<Note>,
}

/// Share of the mean time on the screen by which a frame may differ before the rate counts as variable.
const STEADY: f64 = 0.1;

impl Facts {
    /// Fills what follows from the frames' times: `times` ascending, `ends` one past the last frame.
    pub(super) fn timed(&mut self, times: &[f64], ends: f64, keys: &[u64]) {
        let start = times.first().copied().unwrap_or(0.0);
        self.frame_count = times.len() as u64;
        self.duration_s = (ends - start).max(0.0);
        let mean = self.duration_s / times.len().max(1) as f64;
        self.frame_rate = (mean > 0.0).then(|| 1.0 / mean);
        self.variable_frame_rate = times
            .windows(2)
            .any(|w| ((w[1] - w[0]) - mean).abs() > STEADY * mean);
        self.key_frames = keys.len() as u64;
        let ends = keys.iter().skip(1).copied().chain([self.frame_count]);
        self.longest_gop = keys
            .iter()
            .zip(ends)
            .map(|(key, next)| next - key)
            .max()
            .unwrap_or(self.frame_count);
    }
}
