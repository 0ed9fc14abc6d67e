//! One unit of work: an item is read, delivered as the arm says, and scored by every detector.

use std::path::Path;

use realscope::Scanner;
use realscope_data::clip;
use realscope_data::manifest::Item;

use super::prediction::Prediction;
use super::score::{self, Given, Scoring};
use super::video::{file_sha256, of_frames, sampling};
use crate::protocol::Arm;

/// A thread's way from items to rows.
pub(super) struct Predictor<'a> {
    pub base: &'a Path,
    pub scanners: &'a [Scanner],
    /// Side of the common window.
    pub window: u32,
    /// Seed of random perturbations.
    pub seed: u64,
    /// Frames of a video that are scored.
    pub frames: usize,
    pub scoring: Scoring,
}

impl Predictor<'_> {
    /// A row for each detector. An item that fails has its code in every row.
    pub(super) fn predict(&mut self, item: &Item, arm: &Arm) -> Vec<Prediction> {
        let located = self.base.join(&item.path);
        let rows = match clip::scored_as_video(item, &located) {
            Err(_) => Err("unreadable"),
            Ok(true) => self.video(item, arm, &located),
            Ok(false) => self.picture(item, arm, &located),
        };
        rows.unwrap_or_else(|code| {
            self.scanners
                .iter()
                .map(|s| row(item, arm, s, code))
                .collect()
        })
    }

    fn picture(
        &mut self,
        item: &Item,
        arm: &Arm,
        located: &Path,
    ) -> Result<Vec<Prediction>, &'static str> {
        let mut bytes = std::fs::read(located).map_err(|_| "unreadable")?;
        if *arm != Arm::Native {
            let picture = self.scoring.decode(&bytes)?;
            let delivered = arm
                .deliver(
                    &picture,
                    item.label == 1,
                    &item.path,
                    self.window,
                    self.seed,
                )
                .map_err(|_| "not_delivered")?;
            bytes = delivered.unwrap_or(bytes);
        }
        let given = Given::File(bytes);
        Ok(self
            .scanners
            .iter()
            .map(|s| self.scoring.score(s, &given, row(item, arm, s, "")))
            .collect())
    }

    /// Frames of a video, each delivered and scored by itself.
    fn video(
        &mut self,
        item: &Item,
        arm: &Arm,
        located: &Path,
    ) -> Result<Vec<Prediction>, &'static str> {
        let sampling = sampling(item, self.frames)?;
        let frames = clip::frames(located, &sampling).map_err(|e| e.code())?;
        let hash = file_sha256(located).map_err(|_| "unreadable")?;
        let given = frames
            .iter()
            .map(|frame| {
                let pixels = &frame.pixels;
                arm.deliver(pixels, item.label == 1, &item.path, self.window, self.seed)
                    .map(|delivered| delivered.map_or(Given::Frame(pixels), Given::File))
                    .map_err(|_| "not_delivered")
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(self
            .scanners
            .iter()
            .map(|s| {
                let rows: Vec<Prediction> = given
                    .iter()
                    .map(|frame| self.scoring.score(s, frame, row(item, arm, s, "")))
                    .collect();
                Prediction {
                    sha256: hash.clone(),
                    ..of_frames(rows).unwrap_or_else(|| row(item, arm, s, "corrupt"))
                }
            })
            .collect())
    }
}

fn row(item: &Item, arm: &Arm, scanner: &Scanner, error: &str) -> Prediction {
    let (detector, weights) = score::names(scanner);
    Prediction::unscored(item, &arm.name(), detector, weights, error)
}
