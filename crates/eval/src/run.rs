//! A run: every item in every arm through one or more detectors, resumable, in bounded memory.
//!
//! The unit of work is item x arm. Each finished unit is one line of `units.jsonl`, written once and
//! never changed; a killed run goes on with the units that are missing. `run.json` holds what makes
//! a run what it is (manifest's and weights' hashes, protocol, settings): a folder with another
//! identity is refused. Pictures that fail are listed with their error and never replaced. A video is scored by frames
//! evenly spread over it or over its range in the manifest, each delivered and scored as a picture.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray, UInt8Array};
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use realscope::Scanner;
use realscope::worker::Launch;
use realscope_detectors::Tier;
use realscope_detectors::network::sha256;
use realscope_media::video::{self, FOLDER, Sampling};
use realscope_media::{Limits, Options};
use serde::{Deserialize, Serialize};

use crate::protocol::{self, Arm, Protocol};
use realscope_data::clip;
use realscope_data::manifest::{Item, Manifest};

/// Why a run stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// A file of the run cannot be read or written.
    #[error("{path}: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        reason: String,
    },
    /// The folder holds another run.
    #[error("{path} holds another run ({difference} differs); choose another folder")]
    Other {
        /// The folder.
        path: PathBuf,
        /// Key that differs.
        difference: String,
    },
    /// No item of the manifest takes part.
    #[error("no item of the manifest takes part in protocol `{protocol}`{}", for_videos(*videos))]
    Nothing {
        /// The protocol.
        protocol: String,
        /// Videos in the manifest.
        videos: usize,
    },
    /// There are videos and nothing that decodes them.
    #[error(
        "the manifest holds videos, and ffmpeg or ffprobe cannot be started: install ffmpeg or set {FOLDER}"
    )]
    Ffmpeg,
}

fn for_videos(videos: usize) -> &'static str {
    if videos > 0 {
        "; its videos do in protocol `video`"
    } else {
        ""
    }
}

fn file_error(path: &Path, reason: impl ToString) -> RunError {
    RunError::File {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}

/// What makes a run what it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// Version of this layout.
    pub schema_version: u32,
    /// Version of the program.
    pub version: String,
    /// Hash of the items that take part.
    pub manifest_sha256: String,
    /// Protocol with its version.
    pub protocol: String,
    /// Detectors: id, weights, calibration, settings.
    pub detectors: Vec<serde_json::Value>,
    /// Arms with their exact parameters.
    pub arms: serde_json::Value,
    /// Side of the common window.
    pub window: u32,
    /// Seed of random perturbations.
    pub seed: u64,
    /// Frames of a video that are scored.
    pub frames: usize,
}

/// One row of predictions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// Path as in the manifest.
    pub path: String,
    /// 1 = generated.
    pub label: u8,
    /// Source or generator.
    pub group: String,
    /// Generator.
    pub generator: String,
    /// Source.
    pub source: String,
    /// Match set.
    pub match_set: String,
    /// Video.
    pub video: String,
    /// Arm.
    pub arm: String,
    /// Detector.
    pub detector: String,
    /// Calibrated probability, or the squashed raw score of an uncalibrated detector.
    pub score: Option<f64>,
    /// Raw logit.
    pub raw: Option<f64>,
    /// Verdict.
    pub verdict: String,
    /// Whether all re-deliveries gave one decision.
    pub stable: Option<bool>,
    /// Quality tier.
    pub tier: String,
    /// Milliseconds of the scan.
    pub ms: f64,
    /// Code of the failure; empty without one.
    pub error: String,
    /// Hash of the scanned bytes.
    pub sha256: String,
    /// Hash of the weights.
    pub weights_sha256: String,
}

#[derive(Serialize, Deserialize)]
struct Unit {
    unit: String,
    rows: Vec<Prediction>,
}

/// What a run needs.
pub struct Plan<'a> {
    /// Data set.
    pub manifest: &'a Manifest,
    /// Folder that relative paths start from.
    pub base: &'a Path,
    /// Protocol.
    pub protocol: &'a Protocol,
    /// Further arms, such as perturbations.
    pub extra: Vec<Arm>,
    /// Detectors, each with its settings.
    pub scanners: &'a [Scanner],
    /// How decoding workers start.
    pub launch: Launch,
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
    fn arms(&self) -> Vec<Arm> {
        let mut arms = (self.protocol.arms)();
        arms.extend(self.extra.iter().cloned());
        arms
    }

    fn identity(&self, items: &[&Item], arms: &[Arm]) -> Result<Identity, RunError> {
        let listed = serde_json::to_vec(items).map_err(|e| file_error(self.folder, e))?;
        Ok(Identity {
            schema_version: 1,
            version: env!("CARGO_PKG_VERSION").into(),
            manifest_sha256: sha256(&listed),
            protocol: format!("{} v{}", self.protocol.name, self.protocol.version),
            detectors: self
                .scanners
                .iter()
                .map(|s| {
                    let card = s.detector().card();
                    serde_json::json!({
                        "id": card.id,
                        "weights_sha256": card.weights_sha256,
                        "calibration": card.calibration.as_ref().map(|c| c.id.clone()),
                        "decision_threshold":
                            card.calibration.as_ref().map(|c| c.decision_threshold),
                        "config_sha256": s.tool().config_sha256,
                    })
                })
                .collect(),
            arms: serde_json::to_value(arms).map_err(|e| file_error(self.folder, e))?,
            window: self.window,
            seed: self.seed,
            frames: self.frames,
        })
    }

    /// Runs what is missing and writes `predictions.parquet`.
    ///
    /// # Errors
    /// [`RunError`]; units finished before it are kept.
    pub fn run(&self, progress: &mut dyn FnMut(usize, usize)) -> Result<Done, RunError> {
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
        let arms = self.arms();
        std::fs::create_dir_all(self.folder).map_err(|e| file_error(self.folder, e))?;
        self.claim(&self.identity(&items, &arms)?)?;
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
        let mut out = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .map_err(|e| file_error(&log, e))?;
        let next = AtomicUsize::new(0);
        let (send, receive) = mpsc::sync_channel::<Unit>(2 * self.jobs.max(1));
        std::thread::scope(|scope| {
            for _ in 0..self.jobs.max(1) {
                let (send, next, todo) = (send.clone(), &next, &todo);
                scope.spawn(move || {
                    realscope::worker::share_cores(self.jobs, todo.len());
                    let mut lane = realscope::worker::Lane::new(self.launch.clone());
                    loop {
                        let i = next.fetch_add(1, Ordering::Relaxed);
                        let Some((item, arm)) = todo.get(i) else {
                            break;
                        };
                        let unit = Unit {
                            unit: unit_name(item, arm),
                            rows: self.predict(&mut lane, item, arm),
                        };
                        if send.send(unit).is_err() {
                            break;
                        }
                    }
                });
            }
            drop(send);
            for (n, unit) in receive.iter().enumerate() {
                let mut line = serde_json::to_vec(&unit).map_err(|e| file_error(&log, e))?;
                line.push(b'\n');
                out.write_all(&line).map_err(|e| file_error(&log, e))?;
                progress(resumed + n + 1, units);
            }
            Ok::<(), RunError>(())
        })?;
        let errors = export(&log, &self.folder.join("predictions.parquet"))?;
        Ok(Done {
            units,
            resumed,
            errors,
            left_out: self.manifest.items.len() - items.len(),
        })
    }

    /// Writes `run.json`, or compares with the one that is there.
    fn claim(&self, identity: &Identity) -> Result<(), RunError> {
        let path = self.folder.join("run.json");
        let fresh = serde_json::to_value(identity).map_err(|e| file_error(&path, e))?;
        match std::fs::read(&path) {
            Ok(bytes) => {
                let old: serde_json::Value =
                    serde_json::from_slice(&bytes).map_err(|e| file_error(&path, e))?;
                let keys = fresh.as_object().into_iter().flatten();
                for (key, value) in keys {
                    if old.get(key) != Some(value) {
                        return Err(RunError::Other {
                            path: self.folder.to_owned(),
                            difference: key.clone(),
                        });
                    }
                }
                Ok(())
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let text = serde_json::to_vec_pretty(&fresh).map_err(|e| file_error(&path, e))?;
                std::fs::write(&path, text).map_err(|e| file_error(&path, e))
            }
            Err(e) => Err(file_error(&path, e)),
        }
    }

    fn predict(
        &self,
        lane: &mut realscope::worker::Lane,
        item: &Item,
        arm: &Arm,
    ) -> Vec<Prediction> {
        let located = self.base.join(&item.path);
        let failed = |code: &str| -> Vec<Prediction> {
            self.scanners
                .iter()
                .map(|s| row(item, arm, s, code))
                .collect()
        };
        match clip::scored_as_video(item, &located) {
            Err(_) => return failed("unreadable"),
            Ok(true) => {
                return match self.predict_video(lane, item, arm, &located) {
                    Ok(rows) => rows,
                    Err(code) => failed(code),
                };
            }
            Ok(false) => {}
        }
        let bytes = match std::fs::read(&located) {
            Ok(bytes) => bytes,
            Err(_) => return failed("unreadable"),
        };
        let bytes = if *arm == Arm::Native {
            bytes
        } else {
            let decoded = lane.decode(
                &bytes,
                &Limits::default(),
                &Options::default(),
                std::time::Duration::from_secs(30),
            );
            let picture = match decoded {
                Ok(decoded) => decoded.pixels,
                Err(e) => return failed(e.code()),
            };
            match arm.deliver(&picture, item, self.window, self.seed) {
                Ok(Some(delivered)) => delivered,
                Ok(None) => bytes,
                Err(_) => return failed("not_delivered"),
            }
        };
        self.scanners
            .iter()
            .map(|s| scanned(lane, item, arm, s, &bytes))
            .collect()
    }

    /// Frames of a video, each delivered and scored by itself.
    fn predict_video(
        &self,
        lane: &mut realscope::worker::Lane,
        item: &Item,
        arm: &Arm,
        located: &Path,
    ) -> Result<Vec<Prediction>, &'static str> {
        let number = |text: &str| text.parse().map_err(|_| "frame_range");
        let sampling = Sampling {
            first: match item.first_frame.as_str() {
                "" => 0,
                text => number(text)?,
            },
            last: match item.last_frame.as_str() {
                "" => None,
                text => Some(number(text)?),
            },
            count: self.frames,
        };
        let frames = clip::frames(located, &sampling).map_err(|e| e.code())?;
        let hash = file_sha256(located).map_err(|_| "unreadable")?;
        let delivered = frames
            .iter()
            .map(|frame| {
                let bytes = match arm.deliver(&frame.pixels, item, self.window, self.seed) {
                    Ok(Some(bytes)) => Ok(bytes),
                    Ok(None) => protocol::png(&frame.pixels),
                    Err(e) => Err(e),
                };
                bytes.map_err(|_| "not_delivered")
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(self
            .scanners
            .iter()
            .map(|s| {
                let rows: Vec<Prediction> = delivered
                    .iter()
                    .map(|bytes| scanned(lane, item, arm, s, bytes))
                    .collect();
                Prediction {
                    sha256: hash.clone(),
                    ..of_frames(rows).unwrap_or_else(|| row(item, arm, s, "corrupt"))
                }
            })
            .collect())
    }
}

fn file_sha256(path: &Path) -> std::io::Result<String> {
    use sha2::{Digest as _, Sha256};
    let mut hash = Sha256::new();
    std::io::copy(&mut File::open(path)?, &mut hash)?;
    Ok(hash.finalize().iter().map(|b| format!("{b:02x}")).collect())
}

/// The row of a video from those of its frames: mean score and logit; the verdict that more than half of them have,
/// otherwise `uncertain`; stable where all frames are and agree. A frame that failed fails the video.
fn of_frames(rows: Vec<Prediction>) -> Option<Prediction> {
    if let Some(failed) = rows.iter().find(|r| !r.error.is_empty()) {
        return Some(failed.clone());
    }
    let first = rows.first()?;
    let n = rows.len();
    let mean = |get: fn(&Prediction) -> Option<f64>| -> Option<f64> {
        let sum: Option<f64> = rows.iter().map(get).sum();
        sum.map(|s| s / n as f64)
    };
    let votes = |word: &str| rows.iter().filter(|r| r.verdict == word).count();
    let verdict = rows
        .iter()
        .map(|r| r.verdict.as_str())
        .find(|word| 2 * votes(word) > n)
        .unwrap_or("uncertain");
    let stable: Option<bool> = rows
        .iter()
        .map(|r| r.stable)
        .try_fold(true, |all, one| one.map(|one| all && one));
    Some(Prediction {
        score: mean(|r| r.score),
        raw: mean(|r| r.raw),
        verdict: verdict.into(),
        stable: stable.map(|s| s && votes(&first.verdict) == n),
        ms: rows.iter().map(|r| r.ms).sum(),
        ..first.clone()
    })
}

/// The row of one delivered picture.
fn scanned(
    lane: &mut realscope::worker::Lane,
    item: &Item,
    arm: &Arm,
    scanner: &Scanner,
    bytes: &[u8],
) -> Prediction {
    let record = scanner.scan(lane, &item.path, bytes, false).record;
    let mut p = row(item, arm, scanner, "");
    if let Some(e) = record.error {
        p.error = e.code;
        return p;
    }
    p.raw = record.detectors.first().map(|d| d.raw);
    p.score = record
        .probability
        .or(p.raw.map(|z| 1.0 / (1.0 + (-z).exp())));
    p.verdict = record
        .verdict
        .map(|v| v.word().to_owned())
        .unwrap_or_default();
    p.stable = record.stable;
    p.sha256 = record.sha256.unwrap_or_default();
    p.ms = record.timing_ms.get("total").copied().unwrap_or(0.0);
    if let Some(m) = record.media {
        let quality = m
            .facts
            .get("jpeg")
            .and_then(|j| j.get("quality"))
            .and_then(serde_json::Value::as_u64)
            .and_then(|q| u8::try_from(q).ok());
        p.tier = Tier::of(m.width.min(m.height), quality).name().into();
    }
    p
}

fn unit_name(item: &Item, arm: &Arm) -> String {
    // A range without a last frame is named as before ranges had one.
    let last = match item.last_frame.as_str() {
        "" => String::new(),
        last => format!("-{last}"),
    };
    format!(
        "{}\u{1f}{}{last}\u{1f}{}",
        item.path,
        item.first_frame,
        arm.name()
    )
}

fn row(item: &Item, arm: &Arm, scanner: &Scanner, error: &str) -> Prediction {
    let card = scanner.detector().card();
    Prediction {
        path: item.path.clone(),
        label: item.label,
        group: item.group.clone(),
        generator: item.generator.clone(),
        source: item.source.clone(),
        match_set: item.match_set.clone(),
        video: item.video.clone(),
        arm: arm.name(),
        detector: card.id.clone(),
        score: None,
        raw: None,
        verdict: String::new(),
        stable: None,
        tier: String::new(),
        ms: 0.0,
        error: error.into(),
        sha256: String::new(),
        weights_sha256: card.weights_sha256.clone(),
    }
}

/// Names of finished units; a last line that a kill cut short is removed from the file.
fn resume(log: &Path) -> Result<HashSet<String>, RunError> {
    let bytes = match std::fs::read(log) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(HashSet::new()),
        Err(e) => return Err(file_error(log, e)),
    };
    let whole = bytes
        .iter()
        .rposition(|b| *b == b'\n')
        .map_or(0, |at| at + 1);
    if whole < bytes.len() {
        let file = File::options()
            .write(true)
            .open(log)
            .map_err(|e| file_error(log, e))?;
        file.set_len(whole as u64).map_err(|e| file_error(log, e))?;
    }
    bytes[..whole]
        .split(|b| *b == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| {
            serde_json::from_slice::<Unit>(line)
                .map(|u| u.unit)
                .map_err(|e| file_error(log, e))
        })
        .collect()
}

/// Rows per batch of the table.
const BATCH: usize = 8192;

/// Writes the predictions of a log as Parquet, in batches; returns the rows with an error.
fn export(log: &Path, target: &Path) -> Result<usize, RunError> {
    let names = [
        "path",
        "group",
        "generator",
        "source",
        "match_set",
        "video",
        "arm",
        "detector",
        "verdict",
        "tier",
        "error",
        "sha256",
        "weights_sha256",
    ];
    let mut fields: Vec<Field> = names
        .iter()
        .map(|n| Field::new(*n, DataType::Utf8, false))
        .collect();
    fields.push(Field::new("label", DataType::UInt8, false));
    for n in ["score", "raw", "ms"] {
        fields.push(Field::new(n, DataType::Float64, true));
    }
    fields.push(Field::new("stable", DataType::UInt8, true));
    let schema = Arc::new(Schema::new(fields));
    let fresh = target.with_extension("new");
    let file = File::create(&fresh).map_err(|e| file_error(&fresh, e))?;
    let mut writer =
        ArrowWriter::try_new(file, schema.clone(), None).map_err(|e| file_error(&fresh, e))?;
    let mut rows: Vec<Prediction> = Vec::new();
    let mut errors = 0;
    let flush =
        |rows: &mut Vec<Prediction>, writer: &mut ArrowWriter<File>| -> Result<(), RunError> {
            let text = |get: fn(&Prediction) -> &str| -> ArrayRef {
                Arc::new(rows.iter().map(|r| Some(get(r))).collect::<StringArray>())
            };
            let number = |get: fn(&Prediction) -> Option<f64>| -> ArrayRef {
                Arc::new(rows.iter().map(get).collect::<Float64Array>())
            };
            let columns: Vec<ArrayRef> = vec![
                text(|r| &r.path),
                text(|r| &r.group),
                text(|r| &r.generator),
                text(|r| &r.source),
                text(|r| &r.match_set),
                text(|r| &r.video),
                text(|r| &r.arm),
                text(|r| &r.detector),
                text(|r| &r.verdict),
                text(|r| &r.tier),
                text(|r| &r.error),
                text(|r| &r.sha256),
                text(|r| &r.weights_sha256),
                Arc::new(rows.iter().map(|r| Some(r.label)).collect::<UInt8Array>()),
                number(|r| r.score),
                number(|r| r.raw),
                number(|r| Some(r.ms)),
                Arc::new(
                    rows.iter()
                        .map(|r| r.stable.map(u8::from))
                        .collect::<UInt8Array>(),
                ),
            ];
            let batch =
                RecordBatch::try_new(schema.clone(), columns).map_err(|e| file_error(target, e))?;
            writer.write(&batch).map_err(|e| file_error(target, e))?;
            rows.clear();
            Ok(())
        };
    let reader = BufReader::new(File::open(log).map_err(|e| file_error(log, e))?);
    for line in reader.lines() {
        let line = line.map_err(|e| file_error(log, e))?;
        let unit: Unit = serde_json::from_str(&line).map_err(|e| file_error(log, e))?;
        errors += unit.rows.iter().filter(|r| !r.error.is_empty()).count();
        rows.extend(unit.rows);
        if rows.len() >= BATCH {
            flush(&mut rows, &mut writer)?;
        }
    }
    flush(&mut rows, &mut writer)?;
    writer.close().map_err(|e| file_error(&fresh, e))?;
    std::fs::rename(&fresh, target).map_err(|e| file_error(target, e))?;
    Ok(errors)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(score: f64, verdict: &str, stable: Option<bool>) -> Prediction {
        Prediction {
            path: "a.mp4".into(),
            label: 1,
            group: "g".into(),
            generator: String::new(),
            source: String::new(),
            match_set: String::new(),
            video: "v".into(),
            arm: "native".into(),
            detector: "d".into(),
            score: Some(score),
            raw: Some(2.0 * score),
            verdict: verdict.into(),
            stable,
            tier: "clean".into(),
            ms: 10.0,
            error: String::new(),
            sha256: String::new(),
            weights_sha256: String::new(),
        }
    }

    #[test]
    fn a_video_is_the_mean_of_its_frames_and_accused_by_most_of_them() {
        let of = |words: [&str; 4]| {
            let scores = [0.9, 0.8, 0.7, 0.2];
            let frames = scores.iter().zip(words);
            let frames = frames.map(|(s, w)| frame(*s, w, Some(true))).collect();
            of_frames(frames).expect("frames")
        };
        let most = of(["generated", "generated", "generated", "no_evidence"]);
        assert!((most.score.expect("score") - 0.65).abs() < 1e-12);
        assert!((most.raw.expect("logit") - 1.3).abs() < 1e-12);
        assert_eq!(
            (most.verdict.as_str(), most.stable),
            ("generated", Some(false))
        );
        assert!((most.ms - 40.0).abs() < 1e-12);
        let half = of(["generated", "generated", "no_evidence", "no_evidence"]);
        assert_eq!(half.verdict, "uncertain");
        let all = of(["no_evidence"; 4]);
        assert_eq!(
            (all.verdict.as_str(), all.stable),
            ("no_evidence", Some(true))
        );
        let unknown = of_frames(vec![
            frame(0.5, "uncertain", Some(true)),
            frame(0.5, "uncertain", None),
        ]);
        assert_eq!(unknown.expect("frames").stable, None);
        let mut failed = frame(0.5, "", None);
        failed.error = "corrupt".into();
        let video = of_frames(vec![frame(0.9, "generated", None), failed]).expect("frames");
        assert_eq!(
            (video.error.as_str(), video.verdict.as_str()),
            ("corrupt", "")
        );
        assert_eq!(of_frames(vec![]), None);
    }
}
