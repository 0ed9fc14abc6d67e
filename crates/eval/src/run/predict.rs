//! One unit of work: an item is read, delivered as the arm says, and scored by every detector.

use std::path::Path;

use realscope::Scanner;
use realscope_data::clip;
use realscope_data::manifest::Item;

use super::prediction::Prediction;
use super::score::{self, Given};
use super::video::{file_sha256, of_frames, plan};
use crate::protocol::Arm;

/// The way from items to rows, for all threads.
pub(super) struct Predictor<'a> {
    pub base: &'a Path,
    pub scanners: &'a [Scanner],
    /// Side of the common window.
    pub window: u32,
    /// Seed of random perturbations.
    pub seed: u64,
    /// Frames of a video that are scored.
    pub frames: usize,
}

impl Predictor<'_> {
    /// A row for each detector. An item that fails has its code in every row.
    pub(super) fn predict(&self, item: &Item, arm: &Arm) -> Vec<Prediction> {
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
        &self,
        item: &Item,
        arm: &Arm,
        located: &Path,
    ) -> Result<Vec<Prediction>, &'static str> {
        let bytes = std::fs::read(located).map_err(|_| "unreadable")?;
        let mut given = score::open(self.scanners, &bytes)?;
        if *arm != Arm::Native {
            let delivered = arm
                .deliver(
                    given.pixels(),
                    item.label == 1,
                    &item.path,
                    self.window,
                    self.seed,
                )
                .map_err(|_| "not_delivered")?;
            if let Some(bytes) = delivered {
                given = score::open(self.scanners, &bytes)?;
            }
        }
        Ok(self
            .scanners
            .iter()
            .map(|s| score::score(s, &given, row(item, arm, s, "")))
            .collect())
    }

    /// Frames of a video, each delivered and scored by itself.
    fn video(
        &self,
        item: &Item,
        arm: &Arm,
        located: &Path,
    ) -> Result<Vec<Prediction>, &'static str> {
        let plan = plan(item, self.frames)?;
        let frames = clip::frames(located, &plan).map_err(|e| e.code())?;
        let hash = file_sha256(located).map_err(|_| "unreadable")?;
        let given = frames
            .iter()
            .map(|frame| {
                let delivered = arm.deliver(
                    &frame.pixels,
                    item.label == 1,
                    &item.path,
                    self.window,
                    self.seed,
                );
                match delivered {
                    Ok(Some(bytes)) => score::open(self.scanners, &bytes),
                    Ok(None) => Ok(Given::Frame(&frame.pixels)),
                    Err(_) => Err("not_delivered"),
                }
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(self
            .scanners
            .iter()
            .map(|s| {
                let rows: Vec<Prediction> = given
                    .iter()
                    .map(|frame| score::score(s, frame, row(item, arm, s, "")))
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
