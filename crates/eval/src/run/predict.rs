//! One unit of work: an item is read, delivered as the arm says, and scored by every detector.

use std::path::Path;

use image::RgbImage;
use realscope::Scanner;
use realscope_data::clip;
use realscope_data::manifest::Item;
use realscope_media::video::Plan;

use super::prediction::Prediction;
use super::score::{self, Given};
use super::video::{file_sha256, instants, of_frames, plan};
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
                    given.pixels().ok_or("not_delivered")?,
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
        let hash = file_sha256(located).map_err(|_| "unreadable")?;
        let of_clips = |s: &Scanner| s.detector().card().input.view.clip().is_some();
        let plan = plan(item, self.frames)?;
        let frames = if self.scanners.iter().all(of_clips) {
            Vec::new()
        } else {
            clip::frames(located, &plan).map_err(|e| e.code())?
        };
        let given = frames
            .iter()
            .map(|frame| {
                let delivered = self.delivered(item, arm, &frame.pixels)?;
                Ok(delivered.unwrap_or(Given::Frame(&frame.pixels)))
            })
            .collect::<Result<Vec<_>, &'static str>>()?;
        Ok(self
            .scanners
            .iter()
            .map(|s| {
                let rows = if of_clips(s) {
                    self.clips(item, arm, located, s)
                } else {
                    let each = given.iter();
                    Ok(each
                        .map(|frame| score::score(s, frame, row(item, arm, s, "")))
                        .collect())
                };
                let joined = rows.map(|rows| of_frames(rows).ok_or("corrupt"));
                Prediction {
                    sha256: hash.clone(),
                    ..joined
                        .flatten()
                        .unwrap_or_else(|code| row(item, arm, s, code))
                }
            })
            .collect())
    }

    /// A row for each clip that a detector of clips is shown of a video. Frames are delivered one by one.
    fn clips(
        &self,
        item: &Item,
        arm: &Arm,
        located: &Path,
        scanner: &Scanner,
    ) -> Result<Vec<Prediction>, &'static str> {
        let card = scanner.detector().card();
        let clips = instants(item, located, &card.id, &card.input)?;
        clips
            .into_iter()
            .map(|instants| {
                let plan = Plan::At {
                    instants: instants.clone(),
                };
                let frames = clip::frames(located, &plan).map_err(|e| e.code())?;
                let each = frames.into_iter().map(|frame| {
                    let delivered = self.delivered(item, arm, &frame.pixels)?;
                    let pixels = delivered.as_ref().and_then(Given::pixels);
                    Ok((frame.time, pixels.unwrap_or(&frame.pixels).clone()))
                });
                let each = each.collect::<Result<Vec<_>, &'static str>>()?;
                let shown: Vec<RgbImage> = instants
                    .iter()
                    .filter_map(|t| {
                        let after = each.partition_point(|(time, _)| *time <= t + 1e-6);
                        Some(each.get(after.saturating_sub(1))?.1.clone())
                    })
                    .collect();
                let given = Given::Clip(&shown);
                Ok(score::score(scanner, &given, row(item, arm, scanner, "")))
            })
            .collect()
    }

    /// A frame as the arm delivers it; `None` where it stays as it is.
    fn delivered(
        &self,
        item: &Item,
        arm: &Arm,
        frame: &RgbImage,
    ) -> Result<Option<Given<'static>>, &'static str> {
        let delivered = arm.deliver(frame, item.label == 1, &item.path, self.window, self.seed);
        let delivered = delivered.map_err(|_| "not_delivered")?;
        delivered
            .map(|bytes| score::open(self.scanners, &bytes))
            .transpose()
    }
}

fn row(item: &Item, arm: &Arm, scanner: &Scanner, error: &str) -> Prediction {
    let (detector, weights) = score::names(scanner);
    Prediction::unscored(item, &arm.name(), detector, weights, error)
}
