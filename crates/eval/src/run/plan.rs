//! What a run needs, and its flow: what is missing is predicted by threads and logged by one.

use std::io::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use realscope::Scanner;
use realscope_data::manifest::{Item, Manifest};
use realscope_detectors::network::sha256;
use realscope_media::video;

use super::error::{RunError, file_error};
use super::export::export;
use super::identity::Identity;
use super::predict::Predictor;
use super::score;
use super::units::{Unit, resume, unit_name};
use crate::protocol::{self, Arm, Protocol};

/// What a run needs.
pub struct Plan<'a> {
    /// Data set.
    pub manifest: &'a Manifest,
    /// Folder that relative paths start from.
    pub base: &'a Path,
    /// Protocol.
    pub protocol: &'a Protocol,
    /// Arms: those of the protocol or some of them, and further ones such as perturbations.
    pub arms: Vec<Arm>,
    /// Detectors, each with its settings; the first one decodes.
    pub scanners: &'a [Scanner],
    /// Side of the common window.
    pub window: u32,
    /// Seed of random perturbations.
    pub seed: u64,
    /// Frames of a video that are scored, evenly spread over it.
    pub frames: usize,
    /// Threads.
    pub jobs: usize,
    /// Folder of the run.
    pub folder: &'a Path,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// Units in all.
    pub units: usize,
    /// Units that an earlier process had finished.
    pub resumed: usize,
    /// Rows with an error.
    pub errors: usize,
    /// Items of the manifest that the protocol does not take: of another split, or of another kind.
    pub left_out: usize,
}

impl Plan<'_> {
    /// Runs what is missing and writes `predictions.parquet`.
    ///
    /// # Errors
    /// [`RunError`]; units finished before it are kept.
    pub fn run(&self, progress: &mut dyn FnMut(usize, usize)) -> Result<Done, RunError> {
        let items = self.items()?;
        let arms = &self.arms;
        std::fs::create_dir_all(self.folder).map_err(|e| file_error(self.folder, e))?;
        self.identity(&items, arms)?.claim(self.folder)?;
        let log = self.folder.join("units.jsonl");
        let finished = resume(&log)?;
        let todo: Vec<(&Item, &Arm)> = items
            .iter()
            .flat_map(|i| arms.iter().map(move |a| (*i, a)))
            .filter(|(i, a)| !finished.contains(&unit_name(i, a)))
            .collect();
        let units = items.len() * arms.len();
        let resumed = units - todo.len();
        progress(resumed, units);
        self.finish(&todo, &log, &mut |n| progress(resumed + n, units))?;
        let errors = export(&log, &self.folder.join("predictions.parquet"))?;
        Ok(Done {
            units,
            resumed,
            errors,
            left_out: self.manifest.items.len() - items.len(),
        })
    }

    /// Items that take part.
    fn items(&self) -> Result<Vec<&Item>, RunError> {
        let items: Vec<&Item> = self
            .manifest
            .items
            .iter()
            .filter(|i| (self.protocol.takes)(i))
            .collect();
        if items.is_empty() {
            let all = self.manifest.items.iter();
            return Err(RunError::Nothing {
                protocol: self.protocol.name.into(),
                videos: all.filter(|i| !protocol::is_picture(i)).count(),
            });
        }
        if items.iter().any(|i| !protocol::is_picture(i)) && !video::available() {
            return Err(RunError::Ffmpeg);
        }
        Ok(items)
    }

    fn identity(&self, items: &[&Item], arms: &[Arm]) -> Result<Identity, RunError> {
        let listed = serde_json::to_vec(items).map_err(|e| file_error(self.folder, e))?;
        Ok(Identity {
            schema_version: 1,
            version: env!("CARGO_PKG_VERSION").into(),
            manifest_sha256: sha256(&listed),
            protocol: format!("{} v{}", self.protocol.name, self.protocol.version),
            detectors: self.scanners.iter().map(score::identity).collect(),
            arms: serde_json::to_value(arms).map_err(|e| file_error(self.folder, e))?,
            window: self.window,
            seed: self.seed,
            frames: self.frames,
        })
    }

    /// Predicts the units that are missing on all threads; each is written as it ends.
    fn finish(
        &self,
        todo: &[(&Item, &Arm)],
        log: &Path,
        progress: &mut dyn FnMut(usize),
    ) -> Result<(), RunError> {
        let mut out = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .map_err(|e| file_error(log, e))?;
        let threads = self.jobs.max(1);
        let predictor = Predictor {
            base: self.base,
            scanners: self.scanners,
            window: self.window,
            seed: self.seed,
            frames: self.frames,
        };
        let next = AtomicUsize::new(0);
        let (send, receive) = mpsc::sync_channel::<Unit>(2 * threads);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                let (send, next, predictor) = (send.clone(), &next, &predictor);
                scope.spawn(move || {
                    loop {
                        let i = next.fetch_add(1, Ordering::Relaxed);
                        let Some((item, arm)) = todo.get(i) else {
                            break;
                        };
                        let unit = Unit {
                            unit: unit_name(item, arm),
                            rows: predictor.predict(item, arm),
                        };
                        if send.send(unit).is_err() {
                            break;
                        }
                    }
                });
            }
            drop(send);
            for (n, unit) in receive.iter().enumerate() {
                let mut line = serde_json::to_vec(&unit).map_err(|e| file_error(log, e))?;
                line.push(b'\n');
                out.write_all(&line).map_err(|e| file_error(log, e))?;
                progress(n + 1);
            }
            Ok(())
        })
    }
}
