//! Faces in a video: found, followed, scored by the detector's head for them.

use std::collections::BTreeMap;

use image::RgbImage;
use realscope_delivery::DeliveryError;
use realscope_detectors::card::FlagKind;
use realscope_detectors::faces::{FaceFinder, JUDGED};
use realscope_detectors::pool::{self, Flag};
use realscope_detectors::prepare::{self, FaceBox};
use realscope_detectors::{Card, DetectorError, Logit, Sample, Tier, TrackId};
use realscope_engine::{EngineKind, Threads};
use realscope_media::video::Frame;

use super::judge::{operating, probability};
use super::{Request, ScanError, Scanner, deliveries};
use crate::record::{Evidence, EvidenceKind, Track, TrackBox, Verdict};
use crate::timeline::{self, FaceJudged, FaceScore, Judged, Look, Scored, Sight, Tracker};
use crate::verdict::Decision;

/// Seconds within which one face is scored once.
const APART: f64 = 0.9;
/// Looks at a face before the next ones are spread over the video.
const FIRST: usize = 3;
/// Most looks at one face, and at all faces of a video.
const LOOKS: (usize, usize) = (12, 64);
/// Most faces of one frame that are scored, the largest first.
const AT_ONCE: usize = 3;

/// Finds faces, on a thread of the caller's: the scanner's share belongs to the detector.
pub(super) struct Finder {
    finder: FaceFinder,
    threads: Threads,
}

impl Finder {
    pub(super) fn load() -> Result<Self, DetectorError> {
        Ok(Self {
            finder: FaceFinder::embedded(EngineKind::Rten.into())?,
            threads: Threads::of(1),
        })
    }

    pub(super) fn find(&self, picture: &RgbImage) -> Result<Vec<FaceBox>, DetectorError> {
        self.finder.find(picture, &self.threads)
    }

    /// The largest faces of each of several frames with their samples, for a detector that sees faces; of several frames
    /// one of each, and those without a face are left out.
    pub(super) fn show(
        &self,
        card: &Card,
        frames: &[RgbImage],
    ) -> Result<Vec<Vec<(FaceBox, Sample)>>, DetectorError> {
        let of = |frame, most| self.finder.show(frame, card, most, &self.threads);
        if let [frame] = frames {
            return Ok(vec![of(frame, JUDGED)?]);
        }
        let (mut out, mut refusal) = (Vec::new(), None);
        for frame in frames {
            match of(frame, 1) {
                Ok(shown) => out.push(shown),
                Err(e @ DetectorError::Sample { .. }) => {
                    refusal = Some(e);
                    out.push(Vec::new());
                }
                Err(e) => return Err(e),
            }
        }
        match refusal {
            Some(e) if out.iter().all(Vec::is_empty) => Err(e),
            _ => Ok(out),
        }
    }
}

/// The faces of a video so far.
#[derive(Default)]
pub(super) struct Followed {
    tracker: Tracker,
    sights: BTreeMap<TrackId, Vec<Sight>>,
    looks: usize,
}

impl Followed {
    /// Whether a face is scored now, in a video of `length` seconds.
    fn is_due(&self, id: TrackId, time: f64, length: f64) -> bool {
        let sights = self.sights.get(&id).into_iter().flatten();
        let mut scored = sights.filter(|s| s.scored.is_some());
        let count = scored.clone().count();
        let last = scored.next_back().map(|s| s.time);
        let apart = if count < FIRST {
            APART
        } else {
            APART.max(length / LOOKS.0 as f64)
        };
        let rested = last.is_none_or(|t| time >= t + apart);
        rested && count < LOOKS.0 && self.looks < LOOKS.1
    }
}

/// A face that was followed, and what is said of it.
pub(super) struct Face {
    id: TrackId,
    sights: Vec<Sight>,
    judged: FaceJudged,
}

impl Face {
    /// Its number, as people count.
    fn number(&self) -> u32 {
        self.id.0 + 1
    }

    fn span(&self) -> [f64; 2] {
        let time = |s: Option<&Sight>| s.map_or(0.0, |s| s.time);
        [time(self.sights.first()), time(self.sights.last())]
    }

    fn accused(&self) -> bool {
        self.judged.verdict == Verdict::Generated
    }

    /// The looks that were delivered again: each as it is, and its re-deliveries.
    pub(super) fn again(&self) -> (Vec<Logit>, Vec<Vec<Logit>>) {
        let scored = self.sights.iter().filter_map(|s| s.scored.as_ref());
        let again = scored.filter(|s| !s.again.is_empty());
        again.map(|s| (s.logit, s.again.clone())).unzip()
    }
}

impl Scanner {
    /// Finds the faces of a frame, follows them, and scores those whose turn it is.
    pub(super) fn look_at_faces(
        &self,
        request: &Request<'_>,
        frame: &Frame,
        length: f64,
        followed: &mut Followed,
    ) -> Result<(), ScanError> {
        let Some((card, finder)) = self.0.faces.as_ref().zip(self.0.finder.as_ref()) else {
            return Ok(());
        };
        let found = finder.find(&frame.pixels)?;
        let looks: Vec<_> = found
            .iter()
            .map(|f| Ok((f.rect, Look::of(&frame.pixels, f.rect)?)))
            .collect::<Result<_, DeliveryError>>()
            .map_err(DetectorError::from)?;
        let ids = followed.tracker.follow(frame.time, &looks);
        let mut now = 0;
        for (face, id) in found.iter().zip(ids) {
            let mut scored = None;
            if now < AT_ONCE && followed.is_due(id, frame.time, length) {
                now += 1;
                scored = self.score_face(request, card, &frame.pixels, *face)?;
                followed.looks += 1;
            }
            followed.sights.entry(id).or_default().push(Sight {
                time: frame.time,
                rect: face.rect,
                scored,
            });
        }
        Ok(())
    }

    /// Scores a face, and delivers one that is accused again.
    fn score_face(
        &self,
        request: &Request<'_>,
        card: &Card,
        frame: &RgbImage,
        face: FaceBox,
    ) -> Result<Option<FaceScore>, ScanError> {
        let shown = prepare::faces(frame, &[face], None, &card.id, &card.input)?;
        let places: Vec<_> = shown.iter().map(|s| s.place).collect();
        let answers = self.infer(request, &self.0.detector, shown.clone())?;
        let Some(logit) = pool::mean(&pool::logits(card, &answers)) else {
            return Ok(None);
        };
        let painted = Flag::of(card, FlagKind::Artwork, &places, &answers);
        let mut scored = FaceScore {
            logit,
            painted: painted.is_some_and(Flag::raised),
            again: Vec::new(),
        };
        let (width, height) = frame.dimensions();
        let bar = self.bar_of_faces(request, Tier::of(width.min(height), None));
        let p = probability(card, logit);
        if p.zip(bar).is_some_and(|(p, bar)| p >= bar) {
            let faces: Vec<_> = shown.into_iter().map(|s| (face, s)).collect();
            let again = deliveries::redeliver_faces(frame, &faces, card)?;
            let answers = self.infer(request, &self.0.detector, again)?;
            scored.again = pool::logits(card, &answers);
        }
        Ok(Some(scored))
    }

    /// Probability from which a face is accused.
    ///
    /// A rate of false positives that was asked for can raise the bar alone; where validation does not carry it, no face
    /// is accused.
    fn bar_of_faces(&self, request: &Request<'_>, tier: Tier) -> Option<f64> {
        let calibration = self.0.faces.as_ref()?.calibration.as_ref()?;
        let own = calibration.generated_threshold;
        match request.options.max_fpr {
            Some(rate) => {
                let asked = operating(tier, rate, Some(calibration)).threshold;
                own.zip(asked).map(|(own, asked)| own.max(asked))
            }
            None => own,
        }
    }

    /// What is said of each face; `None` where none were looked for.
    pub(super) fn judge_faces(
        &self,
        request: &Request<'_>,
        tier: Tier,
        followed: Followed,
    ) -> Option<Vec<Face>> {
        let card = self.0.faces.as_ref()?;
        let calibration = card.calibration.as_ref()?;
        let bar = self.bar_of_faces(request, tier);
        let each = followed.sights.into_iter().map(|(id, sights)| Face {
            judged: timeline::judge_face(&sights, calibration, bar),
            id,
            sights,
        });
        Some(each.collect())
    }

    /// The tracks of a record.
    pub(super) fn tracks(&self, faces: &[Face]) -> Vec<Track> {
        let card = self.0.faces.as_ref();
        let calibration = card.and_then(|c| c.calibration.as_ref());
        let p = |s: &FaceScore| card.and_then(|c| probability(c, s.logit));
        let boxed = |s: &Sight| TrackBox {
            time_s: s.time,
            x: s.rect.left,
            y: s.rect.top,
            width: s.rect.width,
            height: s.rect.height,
            probability: s.scored.as_ref().and_then(p),
        };
        let each = faces.iter().map(|face| {
            let [start_s, end_s] = face.span();
            Track {
                id: face.id.0,
                start_s,
                end_s,
                probability: face.judged.probability,
                verdict: face.judged.verdict,
                looks: face.judged.looks,
                detector: card.map_or(String::new(), |c| c.id.clone()),
                calibration_id: calibration.map(|c| c.id.clone()),
                why: face.judged.why.clone(),
                boxes: face.sights.iter().map(boxed).collect(),
            }
        });
        each.collect()
    }
}

/// Reasons for which frames are not clear, and which a clear face settles. All others hold a video back whatever its
/// faces show.
const SETTLED: [&str; 3] = ["below_operating_point", "frames_unclear", "unstable"];
/// Reasons for which frames are not judged, whatever their score.
const NOT_JUDGED: [&str; 4] = ["too_small", "flat_graphic", "extreme_shape", "artwork"];

/// What faces add to the decision on a video; the face that decides it. One that is accused makes it `manipulated`:
/// the frames around it do not show that all was generated. One whose high score does not carry an accusation leaves
/// no clear word.
pub(super) fn weigh<'a>(
    faces: &'a [Face],
    frames: &[Scored],
    judged: &mut Judged,
    decision: &mut Decision,
) -> Option<&'a Face> {
    let passed_over = |f: &&Scored| f.held_back.is_some_and(|code| NOT_JUDGED.contains(&code));
    let held = decision.reasons.iter().any(|r| !SETTLED.contains(&r.0))
        || 2 * frames.iter().filter(passed_over).count() >= frames.len().max(1);
    if held || !matches!(decision.verdict, Verdict::NoEvidence | Verdict::Uncertain) {
        return None;
    }
    let likely = |a: &&Face, b: &&Face| {
        let p = |f: &Face| f.judged.probability.unwrap_or(0.0);
        p(a).total_cmp(&p(b))
    };
    let unclear = |f: &&Face| f.judged.looks > 0 && f.judged.verdict == Verdict::Uncertain;
    if let Some(face) = faces.iter().filter(|f| f.accused()).max_by(likely) {
        decision.verdict = Verdict::Manipulated;
        decision.reasons.clear();
        judged.probability = face.judged.probability;
        return Some(face);
    }
    if decision.verdict == Verdict::NoEvidence
        && let Some(face) = faces.iter().find(unclear)
    {
        decision.verdict = Verdict::Uncertain;
        let why = face
            .judged
            .why
            .as_deref()
            .unwrap_or("its score is not clear");
        let sentence = format!("Face {} scores high, but {why}.", face.number());
        decision.reasons.push(("face_unclear", sentence));
    }
    None
}

/// What the faces show, in words.
pub(super) fn evidence(faces: &[Face]) -> Vec<Evidence> {
    let scored = faces.iter().filter(|f| f.judged.looks > 0).count();
    let mut out = Vec::new();
    if scored > 0 {
        let accused = faces.iter().filter(|f| f.accused()).count();
        let sentence = match (scored, accused) {
            (1, 0) => "One face was followed through the video; it is not accused.".to_owned(),
            (1, _) => "One face was followed through the video; it is accused.".to_owned(),
            (n, _) => {
                format!("{n} faces were followed through the video; accused: {accused}.")
            }
        };
        let sentence = match faces.len() - scored {
            0 => sentence,
            n => format!("{sentence} {n} more were not scored: too many or too short in sight."),
        };
        out.push(Evidence::remark("faces", EvidenceKind::Pixels, sentence));
    }
    for face in faces.iter().filter(|f| f.accused()) {
        let p = face.judged.probability.unwrap_or_default();
        let [start, end] = face.span();
        let sentence = format!(
            "Face {}, seen from {start:.1} s to {end:.1} s, scores {:.0} of 100.",
            face.number(),
            100.0 * p
        );
        let mut found = Evidence::remark("face", EvidenceKind::Pixels, sentence).valued(p);
        found.weight = (p / (1.0 - p)).ln();
        found.meaning = face
            .judged
            .why
            .as_ref()
            .map(|why| format!("The face is accused of being generated or swapped: {why}."));
        out.push(found);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face(verdict: Verdict, p: f64) -> Face {
        Face {
            id: TrackId(0),
            sights: Vec::new(),
            judged: FaceJudged {
                verdict,
                probability: Some(p),
                looks: 4,
                why: Some("of its looks".into()),
            },
        }
    }

    fn frames(held_back: Option<&'static str>) -> Vec<Scored> {
        let frame = |i: u32| Scored {
            index: i.into(),
            time: f64::from(i),
            logit: Logit(0.0),
            verdict: Verdict::NoEvidence,
            holds: None,
            held_back,
        };
        (0..4).map(frame).collect()
    }

    fn weighed(faces: &[Face], verdict: Verdict, code: Option<&'static str>) -> (Verdict, f64) {
        let mut judged = Judged {
            verdict,
            probability: Some(0.2),
            raw: Logit(0.0),
            parts: Vec::new(),
            reasons: Vec::new(),
        };
        let mut decision = Decision {
            verdict,
            stable: true,
            reasons: code.map(|c| (c, String::new())).into_iter().collect(),
        };
        let decided = weigh(faces, &frames(None), &mut judged, &mut decision).is_some();
        assert_eq!(decided, judged.probability != Some(0.2));
        if !decided {
            // Frames that are not judged hold everything back.
            let before = decision.clone();
            for code in NOT_JUDGED {
                weigh(faces, &frames(Some(code)), &mut judged, &mut decision);
                assert_eq!(decision.verdict, before.verdict);
            }
        }
        (decision.verdict, judged.probability.expect("a probability"))
    }

    #[test]
    fn an_accused_face_is_a_manipulation_unless_the_video_is_not_judged() {
        let accused = [
            face(Verdict::NoEvidence, 0.1),
            face(Verdict::Generated, 0.97),
        ];
        for before in [Verdict::NoEvidence, Verdict::Uncertain] {
            let found = weighed(&accused, before, None);
            assert_eq!(found, (Verdict::Manipulated, 0.97));
        }
        assert_eq!(
            weighed(&accused, Verdict::Generated, None),
            (Verdict::Generated, 0.2)
        );
        for code in SETTLED {
            let found = weighed(&accused, Verdict::Uncertain, Some(code));
            assert_eq!(found, (Verdict::Manipulated, 0.97));
        }
        for code in [
            "parts_disagree",
            "still",
            "screen_recording",
            "artwork",
            "not_validated",
        ] {
            let found = weighed(&accused, Verdict::Uncertain, Some(code));
            assert_eq!(found, (Verdict::Uncertain, 0.2));
        }
        let unclear = [face(Verdict::Uncertain, 0.95)];
        assert_eq!(
            weighed(&unclear, Verdict::NoEvidence, None),
            (Verdict::Uncertain, 0.2)
        );
        let quiet = [face(Verdict::NoEvidence, 0.5)];
        for before in [Verdict::NoEvidence, Verdict::Uncertain, Verdict::Generated] {
            assert_eq!(weighed(&quiet, before, None), (before, 0.2));
        }
    }
}
