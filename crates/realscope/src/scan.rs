//! One file from bytes to record.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use image::RgbImage;
use realscope_detectors::calibration::Operating;
use realscope_detectors::home::Home;
use realscope_detectors::network::sha256;
use realscope_detectors::{
    Detector, DetectorError, Logit, Outputs, Probability, Tier, Window, catalog, default, window,
};
use realscope_delivery::{self as delivery, DeliveryError, Filter, Subsampling};
use realscope_media::{Decoded, Facts, Limits, Options};
use realscope_engine::{Choice, EngineKind};
use realscope_signal::{Plane, blocking, noise, resampling, scope};
use serde::Serialize;

use crate::heatmap::{self, HeatMap};
use crate::record::{
    ClassProbabilities, DetectorScore, Evidence, Interval, Media, OperatingRecord, Record, Region,
    SCHEMA_VERSION, Tool,
};
use crate::verdict::{self, Grounds};
use crate::worker::{DecodeError, Lane};

/// Everything that bears on a result.
#[derive(Clone, Debug, Serialize)]
pub struct Config {
    /// Detector.
    pub detector: String,
    /// Profile.
    pub profile: String,
    /// Inference engine.
    pub engine: EngineKind,
    /// Bounds of decoding.
    pub limits: Limits,
    /// Scan what there is of a truncated JPEG.
    pub allow_truncated: bool,
    /// Longest time for one file.
    pub deadline: Duration,
    /// False-positive rate that a verdict may have.
    pub max_fpr: Option<f64>,
    /// Where installed models are; no part of the hash.
    #[serde(skip)]
    pub home: PathBuf,
    /// Whether many files follow, so that speed goes before memory; no part of the hash, since results are the same.
    #[serde(skip)]
    pub many: bool,
}

/// A file that was read and decoded; no detector is needed for that.
pub struct Opened {
    sha256: String,
    decoded: Result<Decoded, DecodeError>,
    hashing: Duration,
    decoding: Duration,
}

impl Config {
    /// The first half of [`Scanner::scan`].
    pub fn open(&self, lane: &mut Lane, bytes: &[u8]) -> Opened {
        let begun = Instant::now();
        let hash = sha256(bytes);
        let hashing = begun.elapsed();
        let options = Options {
            allow_truncated: self.allow_truncated,
        };
        let decoded = lane.decode(bytes, &self.limits, &options, self.deadline);
        Opened {
            sha256: hash,
            decoded,
            hashing,
            decoding: begun.elapsed() - hashing,
        }
    }
}

/// Scans files; shared by threads, each with its own [`Lane`].
pub struct Scanner {
    config: Config,
    tool: Tool,
    detector: Arc<dyn Detector>,
    /// The embedded detector, asked whether a picture looks painted or drawn where `detector` may accuse and
    /// cannot tell.
    looks: Option<Arc<dyn Detector>>,
}

/// How much a picture looks painted or drawn.
#[derive(Clone, Copy)]
struct Look {
    logit: f64,
    threshold: f64,
}

impl Look {
    /// Of the whole picture where it is seen whole; none of a detector without that output.
    fn of(detector: &dyn Detector, windows: &[Window], outputs: &Outputs) -> Option<Self> {
        let whole = windows.iter().position(|w| w.whole).unwrap_or(0);
        Some(Self {
            logit: *outputs.artwork.as_ref()?.get(whole)?,
            threshold: detector.card().artwork.as_ref()?.threshold,
        })
    }

    fn painted(self) -> bool {
        self.logit >= self.threshold
    }
}

/// A record and, where asked for, what reports draw.
pub struct Scanned {
    /// The record.
    pub record: Record,
    /// Heat map over the picture.
    pub heatmap: Option<HeatMap>,
    /// Upright pixels, kept only for a report.
    pub pixels: Option<RgbImage>,
}

/// Makes another delivery of a window.
type Redeliver<'a> = dyn Fn(&Window) -> Result<RgbImage, DeliveryError> + 'a;

fn probability(detector: &dyn Detector, logit: Logit) -> Option<f64> {
    detector
        .card()
        .calibration
        .as_ref()
        .map(|c| c.probability(logit).0)
}

/// A detector's part in the record.
fn score(detector: &dyn Detector, raw: Logit) -> DetectorScore {
    let card = detector.card();
    DetectorScore {
        id: card.id.clone(),
        weights_sha256: card.weights_sha256.clone(),
        raw: raw.0,
        calibrated: probability(detector, raw),
    }
}

fn log_odds(p: f64) -> f64 {
    (p / (1.0 - p)).ln()
}

impl Scanner {
    /// Loads the detector.
    ///
    /// # Errors
    /// [`DetectorError`].
    pub fn new(config: Config) -> Result<Self, DetectorError> {
        let home = Home::at(&config.home);
        let engine = Choice {
            kind: config.engine,
            prepack: config.many,
        };
        let detector = catalog::load(&config.detector, &home, engine)?;
        let card = detector.card();
        let accuses = card
            .calibration
            .as_ref()
            .is_some_and(|c| c.generated_threshold.is_some());
        let looks: Option<Arc<dyn Detector>> = if accuses && card.artwork.is_none() {
            Some(Arc::from(catalog::load(default::ID, &home, engine)?))
        } else {
            None
        };
        let settings = serde_json::to_vec(&config).map_err(|e| DetectorError::Corrupt {
            id: config.detector.clone(),
            reason: e.to_string(),
        })?;
        let tool = Tool {
            name: "realscope".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            engine: config.engine.name().into(),
            profile: config.profile.clone(),
            config_sha256: sha256(&settings),
            calibration_id: detector.card().calibration.as_ref().map(|c| c.id.clone()),
        };
        Ok(Self {
            config,
            tool,
            detector: Arc::from(detector),
            looks,
        })
    }

    /// What records say of the program.
    #[must_use]
    pub fn tool(&self) -> &Tool {
        &self.tool
    }

    /// The detector in use.
    #[must_use]
    pub fn detector(&self) -> &dyn Detector {
        self.detector.as_ref()
    }

    /// Bounds of decoding.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.config.limits
    }

    /// Longest time that a file may take to be read or decoded.
    #[must_use]
    pub fn deadline(&self) -> Duration {
        self.config.deadline
    }

    /// Scans the bytes of one file. `draw` also makes the heat map and keeps the pixels.
    pub fn scan(&self, lane: &mut Lane, path: &str, bytes: &[u8], draw: bool) -> Scanned {
        self.judge(path, self.config.open(lane, bytes), draw)
    }

    /// The second half of [`Self::scan`].
    pub fn judge(&self, path: &str, opened: Opened, draw: bool) -> Scanned {
        let begun = Instant::now();
        let Opened {
            sha256,
            decoded,
            hashing,
            decoding,
        } = opened;
        let failed = |hash: String, code: &str, message: &str| Scanned {
            record: Record::failed(&self.tool, path, Some(hash), code, message),
            heatmap: None,
            pixels: None,
        };
        let decoded = match decoded {
            Ok(decoded) => decoded,
            Err(e) => return failed(sha256, e.code(), &e.to_string()),
        };
        match self.score(path, sha256.clone(), decoded, draw) {
            Ok(mut scanned) => {
                let ms = |d: Duration| d.as_secs_f64() * 1e3;
                let timing = &mut scanned.record.timing_ms;
                timing.insert("hash".into(), ms(hashing));
                timing.insert("decode".into(), ms(decoding));
                timing.insert("total".into(), ms(hashing + decoding + begun.elapsed()));
                scanned
            }
            Err(e) => failed(sha256, "detector_failed", &e.to_string()),
        }
    }

    fn score(
        &self,
        path: &str,
        sha256: String,
        decoded: Decoded,
        draw: bool,
    ) -> Result<Scanned, DetectorError> {
        let Decoded { pixels, facts } = decoded;
        let detector = self.detector();
        let begun = Instant::now();
        let windows = detector.windows(&pixels)?;
        // All deliveries in one call: where there is memory for it, views go through the networks side by side.
        let mut views: Vec<RgbImage> = windows.iter().map(|w| w.pixels.clone()).collect();
        views.extend(redeliver(&pixels, &windows)?);
        let mut outputs = detector.outputs(&views)?;
        let deliveries = self.deliveries(&outputs.logits, windows.len());
        outputs.logits.truncate(windows.len());
        let mut look = Look::of(detector, &windows, &outputs);
        let logits = outputs.logits;
        let raw = detector.fuse(&logits);
        let mut detectors = vec![score(detector, raw)];
        if let Some(embedded) = &self.looks {
            let windows = embedded.windows(&pixels)?;
            let views: Vec<RgbImage> = windows.iter().map(|w| w.pixels.clone()).collect();
            let outputs = embedded.outputs(&views)?;
            look = Look::of(embedded.as_ref(), &windows, &outputs);
            detectors.push(score(embedded.as_ref(), embedded.fuse(&outputs.logits)));
        }
        let scoring = begun.elapsed();
        let calibration = detector.card().calibration.as_ref();
        let native = probability(detector, raw);
        let values: BTreeMap<String, f64> = deliveries
            .into_iter()
            .filter_map(|(name, logit)| Some((name, probability(detector, logit)?)))
            .collect();
        let low = values.values().copied().fold(f64::INFINITY, f64::min);
        let high = values.values().copied().fold(f64::NEG_INFINITY, f64::max);
        let mut provenance = verdict::provenance(&facts);
        let short_side = facts.width.min(facts.height);
        let operating = self.operating(&facts, calibration);
        let decision = verdict::decide(&Grounds {
            calibration,
            probability: native.unwrap_or(0.5),
            low: if low.is_finite() { low } else { 0.5 },
            high: if high.is_finite() { high } else { 0.5 },
            threshold: operating.as_ref().and_then(|o| o.threshold),
            short_side,
            scope: scope::problem(&pixels),
            artwork: look.is_some_and(Look::painted),
            declared: &provenance.declared,
        });
        let begun = Instant::now();
        let mut evidence = window_evidence(detector, &windows, &logits, raw);
        for (code, sentence) in &decision.reasons {
            evidence.push(Evidence {
                code: (*code).into(),
                kind: if *code == "declared_not_seen" {
                    "metadata"
                } else {
                    "context"
                }
                .into(),
                sentence: sentence.clone(),
                value: None,
                weight: 0.0,
            });
            if *code == "declared_not_seen" {
                provenance.contradictions.push(sentence.clone());
            }
        }
        if provenance.declared == "captured"
            && calibration.is_some_and(|c| native.is_some_and(|p| p >= c.decision_threshold))
        {
            provenance.contradictions.push(
                "The file declares a camera; the score of the pixels is on the generated side."
                    .into(),
            );
        }
        if let Some(Look { logit, .. }) = look.filter(|l| l.painted()) {
            evidence.push(Evidence {
                code: "looks_painted".into(),
                kind: "context".into(),
                sentence: format!("The whole picture looks painted or drawn (logit {logit:+.2})."),
                value: Some(logit),
                weight: 0.0,
            });
        }
        evidence.extend(context(&pixels, &facts));
        evidence.extend(provenance.found.iter().map(|sentence| Evidence {
            code: "declared".into(),
            kind: "metadata".into(),
            sentence: format!("The file declares: {sentence}."),
            value: None,
            weight: 0.0,
        }));
        let heatmap = if draw {
            Some(heatmap::compute(detector, &pixels)?)
        } else {
            None
        };
        let regions = regions(detector, &windows, &logits);
        let mut timing_ms = BTreeMap::new();
        timing_ms.insert("score".into(), scoring.as_secs_f64() * 1e3);
        timing_ms.insert("explain".into(), begun.elapsed().as_secs_f64() * 1e3);
        let record = Record {
            schema_version: SCHEMA_VERSION,
            tool: self.tool.clone(),
            path: path.into(),
            sha256: Some(sha256),
            media: Some(Media::new(&facts)),
            verdict: Some(decision.verdict),
            probability: native,
            decision_threshold: calibration.map(|c| c.decision_threshold),
            class_probabilities: ClassProbabilities::default(),
            interval: native.is_some().then_some(Interval {
                low,
                high,
                deliveries: values,
            }),
            stable: Some(decision.stable),
            detectors,
            evidence,
            provenance: Some(provenance),
            metadata: Some(facts.metadata),
            regions,
            operating_point: operating,
            timing_ms,
            error: None,
        };
        Ok(Scanned {
            record,
            heatmap,
            pixels: draw.then_some(pixels),
        })
    }

    /// Logits of the picture as it is and re-delivered, from those of its `count` windows and of all their deliveries.
    fn deliveries(&self, logits: &[f64], count: usize) -> Vec<(String, Logit)> {
        std::iter::once("native")
            .chain(DELIVERIES)
            .zip(logits.chunks(count.max(1)))
            .map(|(name, logits)| (name.to_owned(), self.detector.fuse(logits)))
            .collect()
    }

    fn operating(
        &self,
        facts: &Facts,
        calibration: Option<&realscope_detectors::Calibration>,
    ) -> Option<OperatingRecord> {
        let max_fpr = self.config.max_fpr?;
        let quality = facts.jpeg.as_ref().map(|j| j.quality);
        let tier = Tier::of(facts.width.min(facts.height), quality);
        let negatives = calibration
            .and_then(|c| c.tiers.iter().find(|t| t.tier == tier))
            .map_or(0, |t| t.negatives.len());
        let point = calibration.map(|c| c.operating_point(tier, max_fpr));
        let stored = calibration.and_then(|c| c.stored_point(tier, max_fpr));
        Some(match point {
            Some(Operating::Point(p)) => OperatingRecord {
                status: "ok".into(),
                tier: tier.name().into(),
                max_fpr,
                threshold: Some(p.threshold),
                expected_recall: Some(p.recall),
                recall_interval: stored.map(|s| s.recall_ci95),
                fpr_interval: stored.map(|s| s.fpr_ci95),
                negatives,
            },
            _ => OperatingRecord {
                status: "insufficient_data".into(),
                tier: tier.name().into(),
                max_fpr,
                threshold: None,
                expected_recall: None,
                recall_interval: None,
                fpr_interval: None,
                negatives,
            },
        })
    }
}

/// Names of what [`redeliver`] makes.
const DELIVERIES: [&str; 3] = ["jpeg_q75", "half_size", "crop"];

/// Every window as JPEG q75, then every window at half size, then a shifted crop of each. The deliveries are made of the
/// windows, not of the whole picture.
fn redeliver(pixels: &RgbImage, windows: &[Window]) -> Result<Vec<RgbImage>, DeliveryError> {
    // The experts' inputs may differ in size.
    let jpeg = |w: &Window| delivery::through_jpeg(&w.pixels, 75, Subsampling::S420);
    let half = |w: &Window| -> Result<RgbImage, DeliveryError> {
        let side = w.pixels.width();
        if w.whole {
            let half = delivery::resize(&w.pixels, side / 2, side / 2, Filter::Lanczos3)?;
            return delivery::resize(&half, side, side, Filter::Bilinear);
        }
        let (left, top) = (
            w.left.saturating_sub(side / 2),
            w.top.saturating_sub(side / 2),
        );
        let width = (2 * side).min(pixels.width() - left);
        let height = (2 * side).min(pixels.height() - top);
        let around = delivery::crop(pixels, left, top, width, height);
        let half = delivery::resize(
            &around,
            width.div_ceil(2),
            height.div_ceil(2),
            Filter::Lanczos3,
        )?;
        Ok(window::cut(&half, 0, 0, side).pixels)
    };
    let crop = |w: &Window| -> Result<RgbImage, DeliveryError> {
        let side = w.pixels.width();
        if w.whole {
            let keep = side - side / 8;
            let inner = delivery::crop(&w.pixels, side / 16, side / 16, keep, keep);
            return delivery::resize(&inner, side, side, Filter::Bilinear);
        }
        // Off the former block grid, still inside the picture where there is room.
        let shift = |at: u32, size: u32, by: u32| (at + by).min(size.saturating_sub(side));
        let left = shift(w.left, pixels.width(), 13);
        let top = shift(w.top, pixels.height(), 11);
        Ok(window::cut(pixels, left, top, side).pixels)
    };
    let kinds: [&Redeliver<'_>; DELIVERIES.len()] = [&jpeg, &half, &crop];
    kinds
        .into_iter()
        .flat_map(|deliver| windows.iter().map(deliver))
        .collect()
}

/// One piece of evidence for the native windows and one for the resized view, each with the change
/// in log-odds when it is left out.
fn window_evidence(
    detector: &dyn Detector,
    windows: &[Window],
    logits: &[f64],
    all: Logit,
) -> Vec<Evidence> {
    let scale = detector.card().calibration.as_ref();
    let odds = |logit: Logit| scale.map_or(logit.0, |c| log_odds(c.probability(logit).0));
    let mean = |list: &[f64]| list.iter().sum::<f64>() / list.len().max(1) as f64;
    let native: Vec<f64> = windows
        .iter()
        .zip(logits)
        .filter(|(w, _)| !w.whole)
        .map(|(_, l)| *l)
        .collect();
    let whole: Vec<f64> = windows
        .iter()
        .zip(logits)
        .filter(|(w, _)| w.whole)
        .map(|(_, l)| *l)
        .collect();
    let mut out = Vec::new();
    for (code, list, is_whole, what) in [
        (
            "native_windows",
            &native,
            false,
            "native-resolution windows",
        ),
        ("resized_view", &whole, true, "the resized whole picture"),
    ] {
        if list.is_empty() {
            continue;
        }
        let value = mean(list);
        // Left out, the other input alone remains, or nothing but even odds.
        let weight = odds(all)
            - detector
                .without(windows, logits, is_whole)
                .map_or(0.0, odds);
        let side = if weight > 0.0 {
            "generated"
        } else {
            "authentic"
        };
        out.push(Evidence {
            code: code.into(),
            kind: "pixels".into(),
            sentence: format!(
                "Detector `{}`: {what} ({} {}) looks {side} (mean logit {value:+.2}).",
                detector.card().id,
                list.len(),
                if list.len() == 1 { "view" } else { "views" }
            ),
            value: Some(value),
            weight,
        });
    }
    out
}

/// Measured signals that help a reader and do not feed the verdict.
fn context(pixels: &RgbImage, facts: &Facts) -> Vec<Evidence> {
    let item = |code: &str, sentence: String, value: Option<f64>| Evidence {
        code: code.into(),
        kind: "context".into(),
        sentence,
        value,
        weight: 0.0,
    };
    let mut out = Vec::new();
    if let Some(jpeg) = &facts.jpeg {
        out.push(item(
            "jpeg_quality",
            format!(
                "JPEG of quality about {}, {}{}.",
                jpeg.quality,
                jpeg.subsampling,
                if jpeg.standard_tables {
                    ", standard tables"
                } else {
                    ", the encoder's own tables"
                }
            ),
            Some(f64::from(jpeg.quality)),
        ));
        out.extend(jpeg.double_compression_hints.iter().map(|h| {
            item(
                "double_compression",
                format!("Hint of an earlier JPEG encoding: {h}."),
                None,
            )
        }));
    }
    // A central part is enough for these and keeps large pictures quick.
    let (w, h) = pixels.dimensions();
    let (cw, ch) = (w.min(512), h.min(512));
    let part = delivery::crop(pixels, (w - cw) / 2 / 8 * 8, (h - ch) / 2 / 8 * 8, cw, ch);
    let luma = Plane::luma(&part);
    if let Some(level) = noise::level(&luma) {
        out.push(item(
            "noise_level",
            format!("Noise and finest texture of about {level:.1} grey levels."),
            Some(level),
        ));
    }
    if let Some(grid) = blocking::grid(&luma)
        && grid.strength > 0.05
    {
        out.push(item(
            "blocking_grid",
            format!(
                "A grid of 8x8 blocks at offset ({}, {}), strength {:.2}.",
                grid.x, grid.y, grid.strength
            ),
            Some(grid.strength),
        ));
    }
    if let Some(p) = resampling::horizontal(&luma)
        && p.strength > 12.0
    {
        out.push(item(
            "resampling",
            format!(
                "Periodic interpolation at {:.3} cycles a pixel ({:.0} times the median).",
                p.frequency, p.strength
            ),
            Some(p.strength),
        ));
    }
    out.extend(
        facts
            .notes
            .iter()
            .map(|n| item(&n.code, n.sentence.clone(), None)),
    );
    out
}

/// The three native windows with the highest logits.
fn regions(detector: &dyn Detector, windows: &[Window], logits: &[f64]) -> Vec<Region> {
    let mut ranked: Vec<(&Window, f64)> = windows
        .iter()
        .zip(logits.iter().copied())
        .filter(|(w, _)| !w.whole)
        .collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    ranked
        .into_iter()
        .take(3)
        .map(|(w, logit)| Region {
            x: w.left,
            y: w.top,
            width: w.width,
            height: w.height,
            probability: probability(detector, Logit(logit)).map(|p| Probability(p).0),
        })
        .collect()
}

impl From<&DecodeError> for crate::record::RecordError {
    fn from(e: &DecodeError) -> Self {
        Self {
            code: e.code().into(),
            message: e.to_string(),
        }
    }
}
