//! The card of a head on a frozen encoder.

use realscope_detectors::card::{Card, Head, Medium, Polarity, Status, Task};
use realscope_detectors::catalog;
use realscope_detectors::network::sha256;
use realscope_engine::EngineKind;

use super::deliveries::input;
use super::recipe::SemanticRecipe;
use crate::error::TrainError;

/// The card of a head, not yet calibrated.
pub(super) fn card(recipe: &SemanticRecipe, id: &str, packed: &[u8]) -> Card {
    let adapted = recipe.adapter.is_some();
    let when = |text: &'static str| if adapted { text } else { "" };
    Card {
        id: id.into(),
        summary: format!(
            "Linear head on blocks {} to {} of CLIP ViT-B/16{}, whole picture resized",
            recipe.blocks - recipe.read + 1,
            recipe.blocks,
            when(" with low-rank updates")
        ),
        status: Status::Preview,
        since: env!("CARGO_PKG_VERSION").into(),
        task: Task::GeneratedPicture,
        weights_sha256: sha256(packed),
        encoder_sha256: None,
        engines: vec![EngineKind::Rten, EngineKind::Ort],
        licence:
            "MIT OR Apache-2.0; the frozen image encoder is OpenAI's CLIP ViT-B/16 (MIT), packed"
                .into(),
        training_data: format!(
            "pictures of public repositories with known source; they are not distributed{}",
            when("; authentic ones also re-made by autoencoders and up-samplers (aligned pairs)")
        ),
        citation: format!(
            "CLIP: Radford et al., ICML 2021, arXiv 2103.00020; heads on blocks: Koutlis and \
             Papadopoulos, ECCV 2024, arXiv 2402.19091{}",
            when(
                "; low-rank updates: Hu et al., ICLR 2022, arXiv 2106.09685; aligned pairs: Dual Data \
                 Alignment, NeurIPS 2025, arXiv 2505.14359"
            )
        ),
        known_failures: recipe.known_failures.clone(),
        map_false_alarm_rate: None,
        map_pixel_auc: None,
        input: input(),
        heads: vec![Head::Binary {
            output: None,
            column: 0,
            polarity: Polarity::Generated,
            medium: Medium::Picture,
        }],
        calibration: None,
        video: None,
        video_frame_scale: None,
        faces: None,
    }
}

/// The card of a head on an encoder that the user brought.
pub(super) fn of_brought(recipe: &SemanticRecipe, id: &str, encoder: &Card, onnx: &[u8]) -> Card {
    Card {
        id: id.into(),
        summary: format!("Linear head on {}", encoder.summary),
        task: Task::GeneratedPicture,
        weights_sha256: sha256(onnx),
        encoder_sha256: Some(encoder.weights_sha256.clone()),
        licence: format!("the head: its trainer's; the encoder: {}", encoder.licence),
        training_data: format!("{}; the encoder: {}", recipe.name, encoder.training_data),
        known_failures: recipe.known_failures.clone(),
        heads: vec![Head::Binary {
            output: None,
            column: 0,
            polarity: Polarity::Generated,
            medium: Medium::Picture,
        }],
        ..encoder.clone()
    }
}

/// The card of a head on the encoder of a detector that ships: that detector's, without what was measured of its own
/// head.
pub(super) fn of_shipped(
    recipe: &SemanticRecipe,
    id: &str,
    packed: &[u8],
) -> Result<Card, TrainError> {
    let named = recipe.encoder.display().to_string();
    let entry = catalog::find(&named)
        .ok_or_else(|| TrainError::Recipe(format!("no detector `{named}` in this program")))?;
    let mut card = (entry.card)()?;
    card.id = id.into();
    card.weights_sha256 = sha256(packed);
    card.known_failures.clone_from(&recipe.known_failures);
    card.calibration = None;
    // A head for videos that has a column of its own stays, and what was measured of it.
    let own = |h: &Head| h.judges(Medium::Video);
    if !card.heads.iter().any(own) {
        card.video = None;
        card.video_frame_scale = None;
    }
    // Measured through a scanner, once the head ships.
    card.map_false_alarm_rate = None;
    card.map_pixel_auc = None;
    // What a detector adds to its network when it is loaded is not in this file.
    card.heads
        .retain(|h| !matches!(h, Head::Flag { .. }) && h.output().is_none());
    Ok(card)
}
