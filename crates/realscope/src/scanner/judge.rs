//! From pixels to a record.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use image::RgbImage;
use realscope_detectors::calibration::Operating;
use realscope_detectors::card::FlagKind;
use realscope_detectors::pool::{self, Flag};
use realscope_detectors::prepare::{self, FaceBox};
use realscope_detectors::{
    Answer, Calibration, Card, Detector, DetectorError, Logit, Place, Sample, Tier,
};
use realscope_signal::scope;

use super::deliveries::{self, NAMES, NATIVE};
use super::{Deliveries, Pixels, Request, ScanError, Scanned, Scanner, evidence};
use crate::map;
use crate::provenance;
use crate::record::{
    ClassProbabilities, Declared, DetectorScore, Evidence, EvidenceKind, Interval, MaskRecord,
    Media, OperatingRecord, OperatingStatus, Record, Region, SCHEMA_VERSION,
};
use crate::verdict::{self, Decision, Grounds};

pub(super) fn probability(card: &Card, logit: Logit) -> Option<f64> {
    let calibration = card.calibration.as_ref()?;
    Some(calibration.probability(logit).0)
}

/// A detector's part in the record.
pub(super) fn score(card: &Card, raw: Logit) -> DetectorScore {
    DetectorScore {
        id: card.id.clone(),
        weights_sha256: card.weights_sha256.clone(),
        raw: raw.0,
        calibrated: probability(card, raw),
    }
}

/// What the detector beside the first says, which has no say.
pub(super) fn second_opinion(score: &DetectorScore) -> Evidence {
    let DetectorScore { id, raw, .. } = score;
    let sentence = match score.calibrated {
        Some(p) => format!(
            "Beside it `{id}`, which has no say, gives {:.0}%.",
            100.0 * p
        ),
        None => format!(
            "Beside it `{id}`, which is not calibrated and has no say, gives a logit of {raw:+.1}; above 0 leans to \
             generated."
        ),
    };
    Evidence::remark("second_opinion", EvidenceKind::Context, sentence).valued(*raw)
}

/// The logit of one picture or of several frames: one face of a picture that was manipulated is enough.
pub(super) fn joined(card: &Card, frames: usize, logits: &[Logit]) -> Option<Logit> {
    if card.input.view.is_face() && frames == 1 {
        pool::highest(logits)
    } else {
        pool::mean(logits)
    }
}

/// What a detector says of the pixels as they are.
pub(super) struct Native {
    pub(super) places: Vec<Place>,
    logits: Vec<Logit>,
    pub(super) answers: Vec<Answer>,
    pub(super) raw: Logit,
}

/// What a detector says of one frame.
pub(super) fn native_of(
    card: &Card,
    places: Vec<Place>,
    answers: Vec<Answer>,
) -> Result<Native, ScanError> {
    Ok(Native::new(card, 1, places, answers)?)
}

impl Native {
    fn new(
        card: &Card,
        frames: usize,
        places: Vec<Place>,
        answers: Vec<Answer>,
    ) -> Result<Self, DetectorError> {
        let logits = pool::logits(card, &answers);
        let raw = joined(card, frames, &logits).ok_or_else(|| DetectorError::Sample {
            id: card.id.clone(),
            reason: "it gave no score".into(),
        })?;
        Ok(Self {
            places,
            logits,
            answers,
            raw,
        })
    }
}

impl Scanner {
    /// Samples of all frames for the input of a card, in order.
    pub(super) fn samples(
        &self,
        card: &Card,
        frames: &[RgbImage],
    ) -> Result<Vec<Sample>, DetectorError> {
        if card.input.view.clip().is_some() && frames.len() > 1 {
            let faces = frames.iter().map(|frame| self.faces_of(card, frame));
            let faces = faces.collect::<Result<Vec<_>, _>>()?;
            return prepare::clips(frames, &faces, &card.id, &card.input);
        }
        let Some(finder) = self.0.finder.as_ref().filter(|_| card.input.view.is_face()) else {
            let each = frames
                .iter()
                .map(|frame| prepare::picture(frame, &card.id, &card.input));
            return Ok(each.collect::<Result<Vec<_>, _>>()?.concat());
        };
        let shown = finder.show(card, frames)?.into_iter().flatten();
        Ok(shown.map(|(_, sample)| sample).collect())
    }

    /// Re-deliveries of the samples of all frames, one delivery after the other.
    pub(super) fn redelivered(
        &self,
        card: &Card,
        frames: &[RgbImage],
        samples: &[Sample],
    ) -> Result<Vec<Sample>, DetectorError> {
        let mut by_delivery: [Vec<Sample>; NAMES.len()] = Default::default();
        let mut sort = |made: Vec<Sample>, each: usize| {
            for (list, part) in by_delivery.iter_mut().zip(made.chunks(each.max(1))) {
                list.extend_from_slice(part);
            }
        };
        if card.input.view.clip().is_some() {
            for clip in samples {
                sort(deliveries::redeliver_clip(clip)?.into(), 1);
            }
        } else if let Some(finder) = self.0.finder.as_ref().filter(|_| card.input.view.is_face()) {
            for (frame, shown) in frames.iter().zip(finder.show(card, frames)?) {
                sort(
                    deliveries::redeliver_faces(frame, &shown, card)?,
                    shown.len(),
                );
            }
        } else {
            // A frame has as many samples as any other.
            let each = samples.len() / frames.len().max(1);
            for (frame, own) in frames.iter().zip(samples.chunks(each.max(1))) {
                sort(deliveries::redeliver(frame, own)?, each);
            }
        }
        Ok(by_delivery.concat())
    }

    /// The faces of a frame of a clip, for a card that wants them.
    pub(super) fn faces_of(
        &self,
        card: &Card,
        frame: &RgbImage,
    ) -> Result<Vec<FaceBox>, DetectorError> {
        let finder = self.0.finder.as_ref();
        match finder.filter(|_| card.input.view.wants_faces()) {
            Some(finder) => finder.find(frame),
            None => Ok(Vec::new()),
        }
    }

    pub(super) fn infer(
        &self,
        request: &Request<'_>,
        detector: &Arc<dyn Detector>,
        samples: Vec<Sample>,
    ) -> Result<Vec<Answer>, ScanError> {
        let options = request.options;
        let until = request.until();
        self.0
            .queue
            .infer(detector, samples, until, &options.cancel, options.when_full)
    }

    pub(super) fn judge(
        &self,
        request: &Request<'_>,
        sha256: Option<String>,
        pixels: Pixels<'_>,
    ) -> Result<Scanned, ScanError> {
        let options = request.options;
        let (frames, facts) = match pixels {
            Pixels::Decoded(decoded) => {
                (std::slice::from_ref(&decoded.pixels), Some(&decoded.facts))
            }
            Pixels::Frames(frames) => (frames, None),
        };
        let first = frames.first().ok_or(ScanError::NoFrame)?;
        let (width, height) = first.dimensions();
        let quality = facts.and_then(|f| f.jpeg.as_ref()).map(|j| j.quality);
        let tier = Tier::of(width.min(height), quality);
        let detector = &self.0.detector;
        let card = detector.card();
        let calibration = card.calibration.as_ref();
        let operating = options
            .max_fpr
            .map(|rate| operating(tier, rate, calibration));
        let threshold = operating.as_ref().and_then(|o| o.threshold);
        let accuse = calibration
            .and_then(|c| c.generated_threshold)
            .map(|own| threshold.unwrap_or(own));

        let begun = Instant::now();
        let samples = self.samples(card, frames)?;
        let count = samples.len();
        // One call where all are run in any case: the engine then shares the cores better.
        let always = options.deliveries == Deliveries::All || calibration.is_none();
        let mut shown = samples.clone();
        if always {
            shown.extend(self.redelivered(card, frames, &samples)?);
        }
        let mut answers = self.infer(request, detector, shown)?;
        let mut others = answers.split_off(count.min(answers.len()));
        let native = Native::new(
            card,
            frames.len(),
            samples.iter().map(|s| s.place).collect(),
            answers,
        )?;
        let p = probability(card, native.raw);
        let matter = |p| calibration.is_some_and(|c| c.deliveries_matter(p, accuse));
        let run = always || p.is_some_and(matter);
        if run && !always {
            let again = self.redelivered(card, frames, &samples)?;
            others = self.infer(request, detector, again)?;
        }
        let others = pool::logits(card, &others);
        let each = others.chunks(count.max(1));
        let deliveries: Vec<Logit> = each.filter_map(|l| joined(card, frames.len(), l)).collect();
        let mut detectors = vec![score(card, native.raw)];
        let mut look = Flag::of(card, FlagKind::Artwork, &native.places, &native.answers);
        let mut beside = None;
        if let Some(other) = &self.0.beside {
            let samples = self.samples(other.card(), frames)?;
            let places = samples.iter().map(|s| s.place).collect();
            let said = Native::new(
                other.card(),
                frames.len(),
                places,
                self.infer(request, other, samples)?,
            )?;
            if look.is_none() {
                look = Flag::of(other.card(), FlagKind::Artwork, &said.places, &said.answers);
            }
            let score = score(other.card(), said.raw);
            beside = Some(second_opinion(&score));
            detectors.push(score);
        }
        let scoring = begun.elapsed();

        let interval = p.map(|p| interval(card, p, &deliveries));
        let mut provenance = facts.map(provenance::of);
        let declared = provenance.as_ref().map_or(Declared::None, |p| p.declared);
        let decision = verdict::decide(&Grounds {
            calibration,
            probability: p.unwrap_or(0.5),
            low: interval.as_ref().map_or(0.5, |i| i.low),
            high: interval.as_ref().map_or(0.5, |i| i.high),
            threshold,
            short_side: width.min(height),
            scope: scope::problem(first),
            artwork: look.is_some_and(Flag::raised),
            declared,
        });

        let begun = Instant::now();
        let mut evidence = evidence::of_samples(card, &native.places, &native.logits, tier);
        evidence.extend(reasons(&decision));
        evidence.extend(beside);
        if let Some(provenance) = &mut provenance {
            contradictions(&decision, calibration, p, provenance);
            let found = facts.map(|f| crate::contradictions::of(f, provenance));
            for sentence in found.into_iter().flatten() {
                evidence.push(Evidence::remark(
                    "contradiction",
                    EvidenceKind::Context,
                    sentence.clone(),
                ));
                provenance.contradictions.push(sentence);
            }
        }
        if let Some(look) = look.filter(|l| l.raised()) {
            let remark = "The whole picture looks painted or drawn.";
            evidence.push(
                Evidence::remark("looks_painted", EvidenceKind::Context, remark)
                    .valued(look.logit.0),
            );
        }
        evidence.extend(evidence::context(first, facts));
        evidence.extend(provenance.iter().flat_map(|p| &p.found).map(|found| {
            let sentence = format!("The file declares: {found}.");
            Evidence::remark("declared", EvidenceKind::Metadata, sentence)
        }));
        let heatmap = if options.draw && card.input.view.is_picture() {
            let mut shown = native.places.iter().zip(&native.answers);
            let whole = shown.find(|(place, _)| place.whole);
            let infer = |samples| self.infer(request, detector, samples);
            Some(map::compute(card, first, whole, infer)?)
        } else {
            None
        };
        let mut timing_ms = BTreeMap::new();
        timing_ms.insert("score".into(), scoring.as_secs_f64() * 1e3);
        timing_ms.insert("explain".into(), begun.elapsed().as_secs_f64() * 1e3);
        timing_ms.insert("total".into(), request.begun.elapsed().as_secs_f64() * 1e3);
        let record = Record {
            schema_version: SCHEMA_VERSION,
            tool: self.tool_of(options),
            path: options.path.clone(),
            sha256,
            media: Some(match facts {
                Some(facts) => Media::new(facts),
                None => Media::frames(width, height, frames.len()),
            }),
            verdict: Some(verdict::of_task(card.task, decision.verdict)),
            probability: p,
            decision_threshold: calibration.map(|c| c.decision_threshold),
            class_probabilities: ClassProbabilities::default(),
            stable: run.then_some(decision.stable),
            interval,
            detectors,
            evidence,
            metadata: facts.map(|f| f.metadata.clone()),
            provenance,
            regions: regions(card, &native),
            duration_s: None,
            segments: None,
            shots: None,
            frames: None,
            tracks: None,
            masks: heatmap.as_ref().map(|m| {
                vec![MaskRecord {
                    detector: card.id.clone(),
                    columns: m.columns,
                    rows: m.rows,
                    probabilities: m.values.clone(),
                }]
            }),
            attribution: None,
            operating_point: operating,
            timing_ms,
            error: None,
        };
        Ok(Scanned {
            record,
            heatmap,
            pixels: options.draw.then(|| first.clone()),
            key_frames: Vec::new(),
        })
    }
}

pub(super) fn interval(card: &Card, native: f64, logits: &[Logit]) -> Interval {
    let mut values = BTreeMap::from([(NATIVE.to_owned(), native)]);
    values.extend(
        NAMES
            .iter()
            .zip(logits)
            .filter_map(|(name, logit)| Some(((*name).to_owned(), probability(card, *logit)?))),
    );
    let skipped = NAMES.iter().filter(|n| !values.contains_key(**n));
    Interval {
        low: values.values().copied().fold(f64::INFINITY, f64::min),
        high: values.values().copied().fold(f64::NEG_INFINITY, f64::max),
        skipped: skipped.map(|n| (*n).to_owned()).collect(),
        deliveries: values,
    }
}

pub(super) fn operating(
    tier: Tier,
    max_fpr: f64,
    calibration: Option<&Calibration>,
) -> OperatingRecord {
    let negatives = calibration
        .and_then(|c| c.tiers.iter().find(|t| t.tier == tier))
        .map_or(0, |t| t.negatives.len());
    let point = match calibration.map(|c| c.operating_point(tier, max_fpr)) {
        Some(Operating::Point(p)) => Some(p),
        _ => None,
    };
    let stored = calibration
        .and_then(|c| c.stored_point(tier, max_fpr))
        .filter(|_| point.is_some());
    OperatingRecord {
        status: if point.is_some() {
            OperatingStatus::Ok
        } else {
            OperatingStatus::InsufficientData
        },
        tier,
        max_fpr,
        threshold: point.map(|p| p.threshold),
        expected_recall: point.map(|p| p.recall),
        recall_interval: stored.map(|s| s.recall_ci95),
        fpr_interval: stored.map(|s| s.fpr_ci95),
        negatives,
    }
}

/// What kept the verdict from being clearer.
pub(super) fn reasons(decision: &Decision) -> impl Iterator<Item = Evidence> + '_ {
    decision.reasons.iter().map(|(code, sentence)| {
        let kind = if *code == verdict::DECLARED_NOT_SEEN {
            EvidenceKind::Metadata
        } else {
            EvidenceKind::Context
        };
        Evidence::remark(code, kind, sentence)
    })
}

/// Where declaration and pixels disagree.
pub(super) fn contradictions(
    decision: &Decision,
    calibration: Option<&Calibration>,
    p: Option<f64>,
    provenance: &mut crate::record::Provenance,
) {
    let not_seen = decision
        .reasons
        .iter()
        .find(|(code, _)| *code == verdict::DECLARED_NOT_SEEN);
    provenance
        .contradictions
        .extend(not_seen.map(|(_, sentence)| sentence.clone()));
    let high = calibration.is_some_and(|c| p.is_some_and(|p| p >= c.decision_threshold));
    if provenance.declared == Declared::Captured && high {
        provenance.contradictions.push(
            "The file declares a camera; the score of the pixels is on the generated side.".into(),
        );
    }
}

/// The three native windows with the highest logits.
fn regions(card: &Card, native: &Native) -> Vec<Region> {
    let mut ranked: Vec<(&Place, Logit)> = native
        .places
        .iter()
        .zip(native.logits.iter().copied())
        .filter(|(p, _)| !p.whole)
        .collect();
    ranked.sort_by(|a, b| b.1.0.total_cmp(&a.1.0));
    ranked
        .into_iter()
        .take(3)
        .map(|(place, logit)| Region {
            x: place.rect.left,
            y: place.rect.top,
            width: place.rect.width,
            height: place.rect.height,
            probability: probability(card, logit),
        })
        .collect()
}
