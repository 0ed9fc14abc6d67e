//! From numbers to a word. Metadata never raises a verdict to `generated` nor lowers one; a
//! declaration that the pixels do not show makes it `uncertain`, and so does a recording of a screen.

use realscope_detectors::Calibration;
use realscope_detectors::calibration::Band;
use realscope_detectors::card::Task;
use realscope_signal::scope::Problem;

use crate::record::{Declared, Verdict};

/// Shorter sides under this carry too little to judge, in pixels.
pub const MIN_SIDE: u32 = 64;

/// Code of a declaration of generation that the pixels do not show.
pub const DECLARED_NOT_SEEN: &str = "declared_not_seen";

/// Code of a video that says that it shows a screen.
pub const SCREEN_RECORDING: &str = "screen_recording";

/// Whether evidence of this code says why a verdict is not clearer.
#[must_use]
pub fn holds_back(code: &str) -> bool {
    const REASONS: [&str; 13] = [
        "uncalibrated",
        "not_validated",
        "below_operating_point",
        "unstable",
        "artwork",
        "too_small",
        "frames_unclear",
        "parts_disagree",
        "face_unclear",
        "too_short",
        "still",
        "slideshow",
        SCREEN_RECORDING,
    ];
    let scope = [Problem::FlatGraphic, Problem::ExtremeShape].map(Problem::code);
    REASONS.contains(&code) || scope.contains(&code) || code == DECLARED_NOT_SEEN
}

/// The word of a detector with this task: one of faces does not show that all was generated.
#[must_use]
pub fn of_task(task: Task, verdict: Verdict) -> Verdict {
    match (task, verdict) {
        (Task::ManipulatedFace, Verdict::Generated) => Verdict::Manipulated,
        _ => verdict,
    }
}

/// What the verdict is made of.
#[derive(Clone, Debug)]
pub struct Grounds<'a> {
    /// Calibration of the detector; `None` for an uncalibrated one.
    pub calibration: Option<&'a Calibration>,
    /// Probability of the picture as it is.
    pub probability: f64,
    /// Lowest over the deliveries.
    pub low: f64,
    /// Highest over the deliveries.
    pub high: f64,
    /// Threshold that the user asked for, instead of the calibration's own.
    pub threshold: Option<f64>,
    /// Shorter side in pixels.
    pub short_side: u32,
    /// Why the picture is not of the kind that the detector was trained on.
    pub scope: Option<Problem>,
    /// Whether the detector finds that the picture looks painted or drawn.
    pub artwork: bool,
    /// What the file declares.
    pub declared: Declared,
}

/// A verdict with the codes of what held it back.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The word.
    pub verdict: Verdict,
    /// Whether every delivery gives the same forced decision.
    pub stable: bool,
    /// Codes and sentences of what kept it from being clearer.
    pub reasons: Vec<(&'static str, String)>,
}

/// The verdict on the grounds given.
#[must_use]
pub fn decide(g: &Grounds<'_>) -> Decision {
    let mut reasons = Vec::new();
    let Some(c) = g.calibration else {
        return Decision {
            verdict: Verdict::Uncertain,
            stable: false,
            reasons: vec![(
                "uncalibrated",
                "The detector is not calibrated, so its score carries no verdict.".into(),
            )],
        };
    };
    let forced = |p: f64| p >= c.decision_threshold;
    let stable = forced(g.low) == forced(g.high);
    let declared = g.declared.by_algorithm();
    let bar = c.generated_threshold.map(|own| g.threshold.unwrap_or(own));
    let mut verdict = match c.band(g.probability, [g.low, g.high], bar) {
        Band::Generated => Verdict::Generated,
        Band::Doubt => Verdict::Uncertain,
        Band::Low => Verdict::NoEvidence,
    };
    if verdict != Verdict::Generated && forced(g.probability) {
        match bar {
            None => reasons.push((
                "not_validated",
                "Validation does not carry the verdict `generated`; the score is shown without it."
                    .into(),
            )),
            Some(bar) if g.probability < bar => reasons.push((
                "below_operating_point",
                format!(
                    "The score is on the generated side but below {bar:.2}, which keeps false accusations rare; that is \
                     `uncertain` from {:.2} on and `no_evidence` below.",
                    c.doubt()
                ),
            )),
            // High enough, but not in every delivery: said below.
            Some(_) => {}
        }
    }
    if !stable && verdict == Verdict::Uncertain {
        reasons.push((
            "unstable",
            "Re-delivering the same pixels (recompression, half size, crop) changes the decision."
                .into(),
        ));
    }
    if g.artwork && verdict == Verdict::Generated {
        reasons.push((
            "artwork",
            "The picture looks painted or drawn; authentic artworks score like generated pictures, so it is not \
             accused."
                .into(),
        ));
        verdict = Verdict::Uncertain;
    }
    if g.short_side < MIN_SIDE {
        reasons.push((
            "too_small",
            format!("The shorter side has under {MIN_SIDE} pixels."),
        ));
        verdict = Verdict::Uncertain;
    }
    if let Some(problem) = g.scope {
        reasons.push((problem.code(), problem.sentence().into()));
        verdict = Verdict::Uncertain;
    }
    if declared && verdict == Verdict::NoEvidence {
        reasons.push((
            DECLARED_NOT_SEEN,
            "The file declares that it was generated, or edited with AI; the pixels do not show it.".into(),
        ));
        verdict = Verdict::Uncertain;
    }
    Decision {
        verdict,
        stable,
        reasons,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calibration(generated: Option<f64>) -> Calibration {
        Calibration {
            id: "test".into(),
            scale: 1.0,
            offset: 0.0,
            decision_threshold: 0.5,
            generated_threshold: generated,
            doubt_threshold: None,
            delivery_reach: None,
            matched_auc: 0.8,
            matched_auc_low: 0.7,
            matched_auc_high: 0.9,
            operating_points: vec![],
            kinds: vec![],
            tiers: vec![],
        }
    }

    fn grounds<'a>(
        c: &'a Calibration,
        p: f64,
        low: f64,
        high: f64,
        declared: Declared,
    ) -> Grounds<'a> {
        Grounds {
            calibration: Some(c),
            probability: p,
            low,
            high,
            threshold: None,
            short_side: 500,
            scope: None,
            artwork: false,
            declared,
        }
    }

    #[test]
    fn a_high_stable_score_is_generated_only_where_validation_carries_it() {
        let c = calibration(Some(0.9));
        assert_eq!(
            decide(&grounds(&c, 0.95, 0.9, 0.97, Declared::None)).verdict,
            Verdict::Generated
        );
        assert_eq!(
            decide(&grounds(&c, 0.8, 0.7, 0.9, Declared::None)).verdict,
            Verdict::Uncertain
        );
        let c = calibration(None);
        let d = decide(&grounds(&c, 0.99, 0.98, 0.995, Declared::Generated));
        assert_eq!(d.verdict, Verdict::Uncertain);
        assert_eq!(d.reasons[0].0, "not_validated");
    }

    #[test]
    fn an_unstable_score_is_uncertain_on_both_sides() {
        let c = calibration(Some(0.6));
        assert_eq!(
            decide(&grounds(&c, 0.95, 0.3, 0.97, Declared::None)).verdict,
            Verdict::Uncertain
        );
        assert_eq!(
            decide(&grounds(&c, 0.2, 0.1, 0.7, Declared::None)).verdict,
            Verdict::Uncertain
        );
        // A delivery that would be no accusation either leaves a low score what it is.
        let d = decide(&grounds(&c, 0.4, 0.3, 0.55, Declared::None));
        assert_eq!((d.verdict, d.stable), (Verdict::NoEvidence, false));
        assert!(d.reasons.is_empty());
    }

    #[test]
    fn below_the_doubt_threshold_is_no_evidence_and_says_why() {
        let c = Calibration {
            doubt_threshold: Some(0.7),
            ..calibration(Some(0.9))
        };
        let d = decide(&grounds(&c, 0.6, 0.4, 0.8, Declared::None));
        assert_eq!(
            (d.verdict, d.reasons[0].0),
            (Verdict::NoEvidence, "below_operating_point")
        );
        let d = decide(&grounds(&c, 0.75, 0.72, 0.8, Declared::None));
        assert_eq!(d.verdict, Verdict::Uncertain);
        let d = decide(&grounds(&c, 0.6, 0.4, 0.92, Declared::None));
        assert_eq!(
            (d.verdict, d.reasons[1].0),
            (Verdict::Uncertain, "unstable")
        );
    }

    #[test]
    fn what_is_out_of_scope_is_uncertain_on_both_sides() {
        let c = calibration(Some(0.6));
        for p in [0.05, 0.97] {
            let d = decide(&Grounds {
                scope: Some(Problem::FlatGraphic),
                ..grounds(&c, p, p, p, Declared::None)
            });
            assert_eq!(
                (d.verdict, d.reasons[0].0),
                (Verdict::Uncertain, "flat_graphic")
            );
        }
    }

    #[test]
    fn artwork_is_not_accused() {
        let c = calibration(Some(0.9));
        let of = |p: f64| {
            decide(&Grounds {
                artwork: true,
                ..grounds(&c, p, p, p, Declared::None)
            })
        };
        let d = of(0.97);
        assert_eq!((d.verdict, d.reasons[0].0), (Verdict::Uncertain, "artwork"));
        assert_eq!(of(0.2).verdict, Verdict::NoEvidence);
    }

    #[test]
    fn every_reason_is_known_as_one() {
        let c = calibration(Some(0.9));
        let none = calibration(None);
        let problems = [
            None,
            Some(Problem::FlatGraphic),
            Some(Problem::ExtremeShape),
        ];
        for (scope, declared) in problems
            .into_iter()
            .flat_map(|p| [Declared::None, Declared::Generated].map(|declared| (p, declared)))
        {
            for (calibration, p, low, side) in [
                (Some(&c), 0.95, 0.94, 20),
                (Some(&c), 0.95, 0.1, 500),
                (Some(&c), 0.6, 0.6, 500),
                (Some(&c), 0.1, 0.1, 500),
                (Some(&none), 0.9, 0.9, 500),
                (None, 0.5, 0.5, 500),
            ] {
                let d = decide(&Grounds {
                    calibration,
                    probability: p,
                    low,
                    high: p,
                    threshold: None,
                    short_side: side,
                    scope,
                    artwork: true,
                    declared,
                });
                for (code, _) in d.reasons {
                    assert!(holds_back(code), "{code}");
                }
            }
        }
        assert!(!holds_back("noise_level"));
    }

    #[test]
    fn declarations_only_ever_make_it_uncertain() {
        let c = calibration(Some(0.9));
        assert_eq!(
            decide(&grounds(&c, 0.1, 0.05, 0.2, Declared::Captured)).verdict,
            Verdict::NoEvidence
        );
        assert_eq!(
            decide(&grounds(&c, 0.1, 0.05, 0.2, Declared::Edited)).verdict,
            Verdict::NoEvidence
        );
        for declared in [
            Declared::Generated,
            Declared::CompositeWithGenerated,
            Declared::EditedWithAi,
        ] {
            let d = decide(&grounds(&c, 0.1, 0.05, 0.2, declared));
            assert_eq!(
                (d.verdict, d.reasons[0].0),
                (Verdict::Uncertain, "declared_not_seen")
            );
        }
        assert_eq!(
            decide(&grounds(&c, 0.95, 0.9, 0.97, Declared::Captured)).verdict,
            Verdict::Generated
        );
    }
}
