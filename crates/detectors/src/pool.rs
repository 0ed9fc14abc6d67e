//! From the answers on samples to one score.

use crate::card::FlagKind;
use crate::{Answer, Card, Logit, Place};

/// The mean logit; `None` of nothing.
#[must_use]
pub fn mean(logits: &[Logit]) -> Option<Logit> {
    let sum: f64 = logits.iter().map(|l| l.0).sum();
    (!logits.is_empty()).then(|| Logit(sum / logits.len() as f64))
}

/// The highest logit; `None` of nothing.
#[must_use]
pub fn highest(logits: &[Logit]) -> Option<Logit> {
    logits.iter().copied().max_by(|a, b| a.0.total_cmp(&b.0))
}

/// The binary head's logits, in the order of the answers; empty where the detector has no such head.
#[must_use]
pub fn logits(card: &Card, answers: &[Answer]) -> Vec<Logit> {
    answers.iter().filter_map(|a| card.logit(a)).collect()
}

/// A picture's logit from those of its samples when its whole views (`whole`) or its native windows are left out;
/// `None` when nothing remains.
#[must_use]
pub fn without(places: &[Place], logits: &[Logit], whole: bool) -> Option<Logit> {
    let rest: Vec<Logit> = places
        .iter()
        .zip(logits)
        .filter(|(p, _)| p.whole != whole)
        .map(|(_, l)| *l)
        .collect();
    mean(&rest)
}

/// One score of several detectors' logits, weighted.
#[must_use]
pub fn ensemble(parts: &[(f64, Logit)]) -> Logit {
    Logit(parts.iter().map(|(weight, logit)| weight * logit.0).sum())
}

/// A flag's state for a picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flag {
    /// Logit of the whole picture.
    pub logit: Logit,
    /// Logit from which it speaks.
    pub threshold: f64,
}

impl Flag {
    /// Of the whole view where there is one, else of the first sample; `None` of a detector without the flag.
    #[must_use]
    pub fn of(card: &Card, kind: FlagKind, places: &[Place], answers: &[Answer]) -> Option<Self> {
        let whole = places.iter().position(|p| p.whole).unwrap_or(0);
        Some(Self {
            logit: card.flag(answers.get(whole)?, kind)?,
            threshold: card.flag_threshold(kind)?,
        })
    }

    /// Whether it speaks.
    #[must_use]
    pub fn raised(self) -> bool {
        self.logit.0 >= self.threshold
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_left_out_by_what_they_show() {
        let places = [true, false, false].map(|whole| Place {
            whole,
            ..Place::default()
        });
        let logits = [Logit(3.0), Logit(1.0), Logit(-2.0)];
        assert_eq!(mean(&logits), Some(Logit(2.0 / 3.0)));
        assert_eq!(without(&places, &logits, true), Some(Logit(-0.5)));
        assert_eq!(without(&places, &logits, false), Some(Logit(3.0)));
        assert_eq!(without(&places[..1], &logits[..1], true), None);
        assert_eq!(mean(&[]), None);
        let both = ensemble(&[(0.5, Logit(2.0)), (2.0, Logit(-1.0))]);
        assert_eq!(both, Logit(-1.0));
    }
}
