//! From a file of moving pictures to a record. Frames are scored as they come and let go, so that memory does not grow
//! with the length.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use image::RgbImage;
use realscope_delivery::{self as delivery, Filter};
use realscope_detectors::card::{FlagKind, Task};
use realscope_detectors::pool::{self, Flag};
use realscope_detectors::prepare::ClipMaker;
use realscope_detectors::{Card, Detector, DetectorError, Logit, Sample, Tier};
use realscope_media::video::{self, Frame, VideoError, VideoLimits};
use realscope_media::{Facts, Options as DecodeOptions};
use realscope_signal::scope;

use super::faces::{self, Followed};
use super::judge::{
    Native, contradictions, interval, joined, native_of, operating, probability, reasons, score,
    second_opinion,
};
use super::{Deliveries, Request, ScanError, Scanned, Scanner};
use crate::lane::{DecodeError, Seen, VideoSource};
use crate::map;
use crate::provenance;
use crate::record::{
    ClassProbabilities, Declared, Evidence, EvidenceKind, FrameScore, Interval, MaskRecord, Media,
    Record, SCHEMA_VERSION, Segment, Tool, Verdict,
};
use crate::timeline::{self, Film, Judged, Motion, Scored, Sketched};
use crate::verdict::{self, Decision, Grounds};

/// Code of what the faces of a video score, for a detector that sees nothing else.
const FACE_FRAMES: &str = "face_frames";
/// Most frames of a video that are delivered again.
const AGAIN: usize = 8;
/// Seconds of a video within which one accused frame is delivered again.
const APART: f64 = 1.0;
/// Most key frames that are kept for a report, and their longest edge in pixels.
const SHOWN: (usize, u32) = (8, 240);

/// A scored frame, as it is told while a video is scanned.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress<'a> {
    /// Name of the source in its record.
    pub path: &'a str,
    /// The frame.
    pub frame: FrameScore,
}

/// A small frame for a report.
#[derive(Clone, Debug)]
pub struct KeyFrame {
    /// When it is shown, in seconds.
    pub time: f64,
    /// Its probability; `None` without calibration.
    pub probability: Option<f64>,
    /// Pixels, made smaller.
    pub pixels: RgbImage,
}

/// What the frames of one video have given so far.
#[derive(Default)]
struct Gathered {
    facts: Option<video::Facts>,
    sketched: Vec<Sketched>,
    frames: Vec<Scored>,
    flags: Vec<Logit>,
    /// Logits of the detector beside the first.
    beside: Vec<Logit>,
    /// Logits of each re-delivery, and of the same frames as they are.
    again: Vec<Vec<Logit>>,
    native: Vec<Logit>,
    last_again: Option<f64>,
    shown: Vec<KeyFrame>,
    /// The frame with the highest logit, for a report.
    loudest: Option<(Logit, RgbImage)>,
    faces: Followed,
    /// Makes clips of the frames, for a detector that sees those.
    clips: Option<ClipMaker>,
    /// Whether the last frame that the detector beside was shown looks painted.
    painted: bool,
    /// Why the last frame that was not scored was not, and how many frames or clips were not.
    not_made_for: Option<DetectorError>,
    left_out: usize,
    scoring: Duration,
}

impl Scanner {
    /// Scans the video at `path`. `known` has what decoding its first picture told, of an animation.
    pub(super) fn film(
        &self,
        request: &Request<'_>,
        path: &Path,
        sha256: Option<String>,
        known: Option<&Facts>,
    ) -> Result<Scanned, ScanError> {
        let options = request.options;
        let request = &Request {
            deadline: options.video_deadline,
            ..*request
        };
        let picture = self.0.limits.clone();
        let usual = VideoLimits::default();
        let limits = VideoLimits {
            // A bound of files that was set holds for videos, too; the usual one is meant for pictures.
            max_bytes: if picture.max_bytes == usual.picture.max_bytes {
                usual.max_bytes
            } else {
                picture.max_bytes
            },
            picture,
            ..usual
        };
        let decode = DecodeOptions {
            allow_truncated: options.allow_truncated,
            ..DecodeOptions::default()
        };
        let mut gathered = Gathered::default();
        let left = request.until().saturating_duration_since(Instant::now());
        let cancel = &options.cancel;
        let card = &self.0.of_videos;
        let of_clips = card.input.view.clip().map(|_| &card.input);
        let source = VideoSource {
            path,
            clips: of_clips,
        };
        let cut = self.0.lanes.with(left, cancel, |lane, left| {
            lane.video(source, &limits, &decode, left, cancel, |seen| {
                match seen {
                    Seen::Facts(facts) => {
                        if let Some(input) = of_clips {
                            let wanted = timeline::clips(&facts, &card.id, input)?;
                            gathered.clips = Some(ClipMaker::new(&card.id, input, wanted));
                        }
                        gathered.facts = Some(*facts);
                    }
                    Seen::Sketch(sketched) => gathered.sketched.push(sketched),
                    Seen::Frame(frame) => match &mut gathered.clips {
                        Some(clips) => {
                            let faces = self.faces_of(card, &frame.pixels)?;
                            let done = clips.take(frame.time, &frame.pixels, &faces)?;
                            self.take_clips(request, done, &mut gathered)?;
                            self.look_beside(request, &frame, &mut gathered)?;
                        }
                        None => self.take(request, frame, &mut gathered)?,
                    },
                }
                Ok::<_, ScanError>(())
            })
        })?;
        let last = gathered
            .clips
            .as_mut()
            .map(|clips| clips.rest(cut.is_none()));
        self.take_clips(request, last.unwrap_or_default(), &mut gathered)?;
        if let Some(clips) = &gathered.clips {
            gathered.not_made_for = clips.refusal();
            gathered.left_out = clips.missed();
        }
        self.conclude(request, gathered, cut, sha256, known)
    }

    /// Scores one frame.
    fn take(
        &self,
        request: &Request<'_>,
        frame: Frame,
        gathered: &mut Gathered,
    ) -> Result<(), ScanError> {
        let begun = Instant::now();
        let options = request.options;
        let detector = &self.0.detector;
        let card = &self.0.of_videos;
        let pixels = std::slice::from_ref(&frame.pixels);
        let said = match self.ask(request, detector, card, &frame.pixels) {
            // A detector of faces says nothing of a frame without one.
            Err(ScanError::Detector(e @ DetectorError::Sample { .. }))
                if card.input.view.is_face() =>
            {
                gathered.not_made_for = Some(e);
                gathered.left_out += 1;
                return Ok(());
            }
            said => said?,
        };
        let p = probability(card, said.raw);
        let (width, height) = frame.pixels.dimensions();
        let bar = self.bar(request, width.min(height));
        let problem = scope::problem(&frame.pixels);
        let mut look = Flag::of(card, FlagKind::Artwork, &said.places, &said.answers);
        // The second detector has a say on looks alone, where the first one cannot tell.
        if let Some(other) = &self.0.beside {
            let also = self.ask(request, other, other.card(), &frame.pixels)?;
            if look.is_none() {
                look = Flag::of(other.card(), FlagKind::Artwork, &also.places, &also.answers);
            }
            gathered.beside.push(also.raw);
        }
        let grounds = |low: f64, high: f64| Grounds {
            calibration: card.calibration.as_ref(),
            probability: p.unwrap_or(0.5),
            low,
            high,
            threshold: bar,
            short_side: width.min(height),
            scope: problem,
            artwork: look.is_some_and(Flag::raised),
            declared: Declared::None,
        };
        let alone = p.unwrap_or(0.5);
        let decision = verdict::decide(&grounds(alone, alone));
        let due = gathered.last_again.is_none_or(|t| frame.time >= t + APART);
        let wanted = match options.deliveries {
            Deliveries::All => card.calibration.is_some(),
            Deliveries::AsNeeded => decision.verdict == Verdict::Generated,
        };
        let mut holds = None;
        if wanted && due && gathered.native.len() < AGAIN {
            let samples = self.samples(card, pixels)?;
            let count = samples.len();
            let again = self.redelivered(card, pixels, &samples)?;
            let logits = pool::logits(card, &self.infer(request, detector, again)?);
            let each = logits.chunks(count.max(1));
            let each: Vec<Logit> = each.filter_map(|l| joined(card, 1, l)).collect();
            let (low, high) = range(card, alone, &each);
            holds = Some(verdict::decide(&grounds(low, high)).verdict == Verdict::Generated);
            gathered.native.push(said.raw);
            gathered.again.push(each);
            gathered.last_again = Some(frame.time);
        }
        let scored = Scored {
            index: frame.index,
            time: frame.time,
            logit: said.raw,
            verdict: decision.verdict,
            // A frame that is not accused has nothing to hold.
            holds: holds.filter(|_| decision.verdict == Verdict::Generated),
            held_back: decision.reasons.first().map(|(code, _)| *code),
        };
        // Between frames that lie far apart nothing can be followed.
        let length = gathered.facts.as_ref().map_or(0.0, |f| f.duration_s);
        if length <= timeline::SKETCHED {
            self.look_at_faces(request, &frame, length, &mut gathered.faces)?;
        }
        gathered.scoring += begun.elapsed();
        if let Some(live) = &options.live {
            live.tell(&Progress {
                path: &options.path,
                frame: frame_score(card, &scored),
            });
        }
        gathered
            .flags
            .extend(look.filter(|f| f.raised()).map(|f| f.logit));
        if options.draw {
            keep(gathered, &scored, p, &frame)?;
        }
        gathered.frames.push(scored);
        Ok(())
    }

    /// Shows the detector beside one frame for each clip.
    fn look_beside(
        &self,
        request: &Request<'_>,
        frame: &Frame,
        gathered: &mut Gathered,
    ) -> Result<(), ScanError> {
        let Some(other) = &self.0.beside else {
            return Ok(());
        };
        if gathered.beside.len() <= gathered.frames.len() {
            let also = self.ask(request, other, other.card(), &frame.pixels)?;
            let look = Flag::of(other.card(), FlagKind::Artwork, &also.places, &also.answers);
            let raised = look.filter(|f| f.raised());
            gathered.painted = raised.is_some();
            gathered.flags.extend(raised.map(|f| f.logit));
            gathered.beside.push(also.raw);
        }
        Ok(())
    }

    /// Scores clips. Each stands in the record at its first frame.
    fn take_clips(
        &self,
        request: &Request<'_>,
        clips: Vec<Sample>,
        gathered: &mut Gathered,
    ) -> Result<(), ScanError> {
        let begun = Instant::now();
        let options = request.options;
        let card = &self.0.of_videos;
        let Some((rate, short_side)) = gathered.facts.as_ref().map(|f| {
            let rate = f.frame_count as f64 / f.duration_s.max(1e-3);
            (rate, f.width.min(f.height))
        }) else {
            return Ok(());
        };
        for clip in clips {
            let time = clip.place.time.map_or(0.0, |t| t.start);
            let Some(first) = clip.frames.first().cloned() else {
                continue;
            };
            let problem = scope::problem(&first);
            let answers = self.infer(request, &self.0.detector, vec![clip.clone()])?;
            let logit = pool::mean(&pool::logits(card, &answers)).ok_or(ScanError::NoFrame)?;
            let p = probability(card, logit);
            let alone = p.unwrap_or(0.5);
            let painted = gathered.painted;
            let grounds = |low: f64, high: f64| Grounds {
                calibration: card.calibration.as_ref(),
                probability: alone,
                low,
                high,
                threshold: self.bar(request, short_side),
                short_side,
                scope: problem,
                artwork: painted,
                declared: Declared::None,
            };
            let decision = verdict::decide(&grounds(alone, alone));
            let accused = decision.verdict == Verdict::Generated;
            let wanted = match options.deliveries {
                Deliveries::All => card.calibration.is_some(),
                Deliveries::AsNeeded => accused,
            };
            let mut holds = None;
            if wanted {
                let again = self.redelivered(card, &[], std::slice::from_ref(&clip))?;
                let answers = self.infer(request, &self.0.detector, again)?;
                let each = pool::logits(card, &answers);
                let (low, high) = range(card, alone, &each);
                let same = verdict::decide(&grounds(low, high)).verdict == Verdict::Generated;
                holds = accused.then_some(same);
                gathered.native.push(logit);
                gathered.again.push(each);
            }
            let scored = Scored {
                index: (time * rate).round() as u64,
                time,
                logit,
                verdict: decision.verdict,
                holds,
                held_back: decision.reasons.first().map(|(code, _)| *code),
            };
            if let Some(live) = &options.live {
                live.tell(&Progress {
                    path: &options.path,
                    frame: frame_score(card, &scored),
                });
            }
            if options.draw {
                let frame = Frame {
                    index: scored.index,
                    time,
                    pixels: first,
                };
                keep(gathered, &scored, p, &frame)?;
            }
            gathered.frames.push(scored);
        }
        gathered.scoring += begun.elapsed();
        Ok(())
    }

    fn ask(
        &self,
        request: &Request<'_>,
        detector: &Arc<dyn Detector>,
        card: &Card,
        pixels: &RgbImage,
    ) -> Result<Native, ScanError> {
        let samples = self.samples(card, std::slice::from_ref(pixels))?;
        let places = samples.iter().map(|s| s.place).collect();
        native_of(card, places, self.infer(request, detector, samples)?)
    }

    /// Probability from which a frame is accused, by the thresholds of videos.
    fn bar(&self, request: &Request<'_>, short_side: u32) -> Option<f64> {
        let calibration = self.0.of_videos.calibration.as_ref()?;
        let own = calibration.generated_threshold?;
        let asked = request.options.max_fpr.and_then(|rate| {
            let tier = Tier::of(short_side, None);
            operating(tier, rate, Some(calibration)).threshold
        });
        Some(asked.unwrap_or(own))
    }

    fn conclude(
        &self,
        request: &Request<'_>,
        gathered: Gathered,
        cut: Option<VideoError>,
        sha256: Option<String>,
        known: Option<&Facts>,
    ) -> Result<Scanned, ScanError> {
        let options = request.options;
        let detector = &self.0.detector;
        let card = &self.0.of_videos;
        let calibration = card.calibration.as_ref();
        let facts = gathered.facts.ok_or(ScanError::NoFrame)?;
        if gathered.frames.is_empty() {
            return Err(gathered
                .not_made_for
                .map_or(ScanError::NoFrame, ScanError::Detector));
        }
        let tier = Tier::of(facts.width.min(facts.height), None);
        let operating = options
            .max_fpr
            .map(|rate| operating(tier, rate, calibration));
        let bar = calibration.and_then(|c| {
            let asked = operating.as_ref().and_then(|o| o.threshold);
            c.generated_threshold.map(|own| asked.unwrap_or(own))
        });
        let cuts = timeline::shots(&gathered.sketched);
        let motion = timeline::motion(&gathered.sketched, &cuts);
        let duration_s = if cut.is_some() {
            // What lies behind the fault was not seen.
            gathered.frames.last().map_or(0.0, |f| f.time)
        } else {
            facts.duration_s
        };
        let mut judged = timeline::judge(&Film {
            calibration,
            bar,
            per_logit: detector.card().frame_scale(),
            frames: &gathered.frames,
            cuts: &cuts,
            motion,
            duration_s,
            frame_count: facts.frame_count,
        });
        let mut provenance = known.map(provenance::of);
        let declared = provenance.as_ref().map_or(Declared::None, |p| p.declared);
        let screen = known.is_some_and(|f| provenance::is_screen_recording(&f.metadata));
        let mut decision = decide(&judged, declared, screen);
        let followed = self.judge_faces(request, tier, gathered.faces);
        let followed = followed.filter(|_| facts.duration_s <= timeline::SKETCHED);
        let of_faces = followed.as_deref().unwrap_or_default();
        // A face on a recorded screen was encoded more often than any that was measured.
        let face = if screen {
            None
        } else {
            faces::weigh(of_faces, &gathered.frames, &mut judged, &mut decision)
        };
        let (interval, stable) = match (face, &self.0.faces) {
            (Some(face), Some(card)) => {
                let (native, each) = face.again();
                let held = |p: f64| {
                    card.calibration
                        .as_ref()
                        .is_some_and(|c| p >= c.decision_threshold)
                };
                let same = |logits: &Vec<Logit>| {
                    let mut each = logits.iter().filter_map(|l| probability(card, *l));
                    each.all(held)
                };
                (again(card, &native, &each), each.iter().all(same))
            }
            _ => {
                let held = gathered.frames.iter().all(|f| f.holds.unwrap_or(true));
                (again(card, &gathered.native, &gathered.again), held)
            }
        };
        let stable = interval.as_ref().map(|_| stable);

        let unit = match card.input.view.clip() {
            Some(clip) => format!("clips of {} frames", clip.frames),
            None => "frames".into(),
        };
        let mut evidence = of_film(card, &judged, &gathered.frames, &unit, motion, &cuts);
        if gathered.left_out > 0 {
            let (out, all) = (gathered.left_out, gathered.left_out + gathered.frames.len());
            let remark = format!(
                "{out} of {all} {unit} show no face that can be followed; they are left out."
            );
            evidence.push(Evidence::remark(
                "without_face",
                EvidenceKind::Context,
                remark,
            ));
        }
        evidence.extend(faces::evidence(of_faces));
        evidence.extend(reasons(&decision));
        let mut detectors = vec![score(card, judged.raw)];
        if let Some(other) = &self.0.beside
            && let Some(raw) = pool::mean(&gathered.beside)
        {
            let said = score(other.card(), raw);
            evidence.push(second_opinion(&said));
            detectors.push(said);
        }
        if let Some(provenance) = &mut provenance {
            contradictions(&decision, calibration, judged.probability, provenance);
            let found = known.map(|f| crate::contradictions::of(f, provenance));
            for sentence in found.into_iter().flatten() {
                evidence.push(Evidence::remark(
                    "contradiction",
                    EvidenceKind::Context,
                    sentence.clone(),
                ));
                provenance.contradictions.push(sentence);
            }
        }
        if 2 * gathered.flags.len() > gathered.frames.len() {
            let remark = format!(
                "{} of {} frames look painted or drawn.",
                gathered.flags.len(),
                gathered.frames.len()
            );
            evidence.push(Evidence::remark(
                "looks_painted",
                EvidenceKind::Context,
                remark,
            ));
        }
        if let Some(fault) = &cut {
            let remark = format!("Only the first {duration_s:.1} s could be read: {fault}.");
            evidence.push(Evidence::remark("partial", EvidenceKind::Context, remark));
        }
        // All frames were read, whatever the decoder of the first says.
        let first = known.into_iter().flat_map(|f| &f.notes);
        let first = first.filter(|n| {
            // What is declared follows by itself.
            !matches!(
                n.code.as_str(),
                "first_frame" | "credentials_stripped" | "credentials_not_checked"
            )
        });
        evidence.extend(
            facts
                .notes
                .iter()
                .chain(first)
                .map(|n| Evidence::remark(&n.code, EvidenceKind::Context, n.sentence.clone())),
        );
        if known.is_none() {
            let remark =
                "What the file declares was not read: it is too large for that, or damaged.";
            evidence.push(Evidence::remark(
                "metadata_not_read",
                EvidenceKind::Metadata,
                remark,
            ));
        }
        let found = provenance.iter().flat_map(|p| &p.found);
        evidence.extend(found.map(|found| {
            let sentence = format!("The file declares: {found}.");
            Evidence::remark("declared", EvidenceKind::Metadata, sentence)
        }));
        let loudest = gathered.loudest.map(|(_, pixels)| pixels);
        let heatmap = match &loudest {
            Some(pixels) if card.input.view.is_picture() => {
                let said = self.ask(request, detector, card, pixels)?;
                let whole = said.places.iter().zip(&said.answers).find(|(p, _)| p.whole);
                let infer = |samples| self.infer(request, detector, samples);
                Some(map::compute(card, pixels, whole, infer)?)
            }
            _ => None,
        };
        let segments = segments(card, &judged);
        let mut timing_ms = BTreeMap::new();
        timing_ms.insert("score".into(), gathered.scoring.as_secs_f64() * 1e3);
        timing_ms.insert("total".into(), request.begun.elapsed().as_secs_f64() * 1e3);
        let each = gathered.frames.iter();
        let frames = each.map(|f| frame_score(card, f));
        let record = Record {
            schema_version: SCHEMA_VERSION,
            tool: Tool {
                calibration_id: calibration.map(|c| c.id.clone()),
                ..self.tool_of(options)
            },
            path: options.path.clone(),
            sha256,
            media: Some(Media::film(&facts)),
            verdict: Some(verdict::of_task(card.task, decision.verdict)),
            probability: judged.probability,
            decision_threshold: calibration.map(|c| c.decision_threshold),
            class_probabilities: ClassProbabilities::default(),
            stable,
            interval,
            detectors,
            evidence,
            metadata: known.map(|f| f.metadata.clone()),
            provenance,
            regions: Vec::new(),
            duration_s: Some(facts.duration_s),
            segments: Some(segments),
            shots: Some(cuts),
            frames: Some(frames.collect()),
            tracks: followed.as_ref().map(|faces| self.tracks(faces)),
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
            pixels: loudest,
            key_frames: gathered.shown,
        })
    }
}

/// Keeps of a frame what a report draws.
fn keep(
    gathered: &mut Gathered,
    scored: &Scored,
    probability: Option<f64>,
    frame: &Frame,
) -> Result<(), ScanError> {
    let (most, edge) = SHOWN;
    let loudest = gathered.loudest.as_ref().map(|(logit, _)| *logit);
    if loudest.is_none_or(|l| scored.logit.0 > l.0) {
        gathered.loudest = Some((scored.logit, frame.pixels.clone()));
    }
    // When there are too many, every second one goes; those that stay are spread evenly.
    let step = 1
        << gathered
            .frames
            .len()
            .div_ceil(most)
            .next_power_of_two()
            .ilog2();
    if gathered.shown.len() >= most {
        let mut number = 0;
        gathered.shown.retain(|_| {
            number += 1;
            number % 2 == 1
        });
    }
    if gathered.frames.len().is_multiple_of(step) {
        gathered.shown.push(KeyFrame {
            time: scored.time,
            probability,
            pixels: delivery::limit_edge(&frame.pixels, edge, Filter::Lanczos3)
                .map_err(DetectorError::from)?,
        });
    }
    Ok(())
}

fn frame_score(card: &Card, scored: &Scored) -> FrameScore {
    FrameScore {
        index: scored.index,
        time_s: scored.time,
        raw: scored.logit.0,
        probability: probability(card, scored.logit),
        verdict: verdict::of_task(card.task, scored.verdict),
        held_back: scored.held_back.map(str::to_owned),
    }
}

/// The verdict of a video, after what its file declares was heard.
fn decide(judged: &Judged, declared: Declared, screen: bool) -> Decision {
    let mut decision = Decision {
        verdict: judged.verdict,
        stable: true,
        reasons: judged.reasons.clone(),
    };
    if declared.by_algorithm() && decision.verdict == Verdict::NoEvidence {
        decision.verdict = Verdict::Uncertain;
        decision.reasons.push((
            verdict::DECLARED_NOT_SEEN,
            "The file declares that it was generated, or edited with AI; the pixels do not show it."
                .into(),
        ));
    }
    // What was played there may have been generated.
    if screen && decision.verdict == Verdict::NoEvidence {
        decision.verdict = Verdict::Uncertain;
        decision.reasons.push((
            verdict::SCREEN_RECORDING,
            "The file says that it is a recording of a screen: what it shows was played and recorded again, and no \
             accuracy was measured on such recordings."
                .into(),
        ));
    }
    decision
}

/// Lowest and highest probability of a frame or a clip as it is and delivered again.
fn range(card: &Card, alone: f64, again: &[Logit]) -> (f64, f64) {
    let all = again
        .iter()
        .filter_map(|l| probability(card, *l))
        .chain([alone]);
    all.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), p| {
        (low.min(p), high.max(p))
    })
}

/// The range over re-deliveries, of the frames that were delivered again.
fn again(card: &Card, native: &[Logit], each: &[Vec<Logit>]) -> Option<Interval> {
    let p = probability(card, pool::mean(native)?)?;
    let count = each.first()?.len();
    let by_delivery: Vec<Logit> = (0..count)
        .filter_map(|k| {
            let logits: Vec<Logit> = each.iter().filter_map(|e| e.get(k).copied()).collect();
            pool::mean(&logits)
        })
        .collect();
    Some(interval(card, p, &by_delivery))
}

fn segments(card: &Card, judged: &Judged) -> Vec<Segment> {
    judged
        .parts
        .iter()
        .map(|part| Segment {
            start_s: part.run.start_s,
            end_s: part.run.end_s,
            probability: part.probability,
            verdict: verdict::of_task(card.task, part.verdict),
            frames: part.run.end - part.run.first,
            detector: card.id.clone(),
            why: part.why.clone(),
        })
        .collect()
}

/// What the frames show, in words.
fn of_film(
    card: &Card,
    judged: &Judged,
    frames: &[Scored],
    unit: &str,
    motion: Motion,
    cuts: &[f64],
) -> Vec<Evidence> {
    let accused = frames
        .iter()
        .filter(|f| f.verdict == Verdict::Generated)
        .count();
    let p = probability(card, judged.raw);
    let measured = match p {
        Some(p) => format!(
            "{} {unit} score {:.0} of 100 on average; {accused} of them would be accused alone.",
            frames.len(),
            100.0 * p
        ),
        None => format!("{} {unit} have scores without calibration.", frames.len()),
    };
    let code = match card.task {
        Task::ManipulatedFace => FACE_FRAMES,
        _ => "frames",
    };
    let mut all = Evidence::remark(code, EvidenceKind::Pixels, measured).valued(judged.raw.0);
    all.weight = p.map_or(judged.raw.0, |p| (p / (1.0 - p)).ln());
    let mut out = vec![all];
    for part in judged
        .parts
        .iter()
        .filter(|f| f.verdict == Verdict::Generated)
    {
        let p = part.probability.unwrap_or_default();
        let sentence = format!(
            "From {:.1} s to {:.1} s the {unit} score {:.0} of 100.",
            part.run.start_s,
            part.run.end_s,
            100.0 * p
        );
        let mut found = Evidence::remark("segment", EvidenceKind::Pixels, sentence).valued(p);
        found.meaning = part
            .why
            .as_ref()
            .map(|why| format!("It is accused: {why}."));
        out.push(found);
    }
    if motion == Motion::Unknown {
        let sentence =
            "Only the frames that were scored were decoded, so that changes of shot are not known.";
        out.push(Evidence::remark(
            "shots_unknown",
            EvidenceKind::Context,
            sentence,
        ));
    } else {
        let sentence = match cuts.len() {
            0 => "The video is one shot.".to_owned(),
            n => format!("The video has {} shots.", n + 1),
        };
        out.push(Evidence::remark("shots", EvidenceKind::Context, sentence));
    }
    out
}

impl From<VideoError> for ScanError {
    fn from(e: VideoError) -> Self {
        Self::Decode(DecodeError::Video(e))
    }
}
