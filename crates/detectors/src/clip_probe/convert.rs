//! The deployed file of `clip-probe`, from the encoder that the user brings.

use std::path::Path;

use realscope_engine::packed;
use realscope_nn::StateDict;
use realscope_nn::vit::VitConfig;

use super::{ENTRY, ID};
use crate::card::Card;
use crate::network::{sha256, sha256_of};
use crate::{DetectorError, tower};

static HEAD: &[u8] = include_bytes!("head.safetensors");

fn corrupt(reason: String) -> DetectorError {
    DetectorError::Corrupt {
        id: ID.into(),
        reason,
    }
}

/// Joins the encoder in `file` with the head: the deployed ONNX file, 8 bits a weight.
///
/// # Errors
/// [`DetectorError::Corrupt`] when the file is another encoder than the one the head was trained on.
pub(super) fn convert(file: &Path) -> Result<(Card, Vec<u8>), DetectorError> {
    let card = (ENTRY.card)()?;
    let head = StateDict::from_safetensors(HEAD).map_err(corrupt)?;
    join(card, &head, file)
}

fn join(mut card: Card, head: &StateDict, file: &Path) -> Result<(Card, Vec<u8>), DetectorError> {
    let found = sha256_of(file).map_err(|e| corrupt(format!("{}: {e}", file.display())))?;
    let trained_on = card.encoder_sha256.clone().unwrap_or_default();
    if found != trained_on {
        return Err(corrupt(format!(
            "the head was trained on the encoder file with SHA-256 {trained_on}; {} has {found}",
            file.display()
        )));
    }
    let heads = tower::heads(head, card.heads.len()).map_err(corrupt)?;
    let config = VitConfig::clip_b16();
    let statistics = 2 * config.depth * config.hidden;
    let width = heads[0].0.len();
    if width > statistics || heads.iter().any(|(weight, _)| weight.len() != width) {
        return Err(corrupt(format!("the head reads {width} numbers")));
    }
    let tower = tower::tower(file, config.depth).map_err(|e| corrupt(e.to_string()))?;
    let float = tower::network(ID, &tower, false, &heads);
    let onnx = packed::dynamic_int8(&float).map_err(|e| corrupt(e.to_string()))?;
    card.weights_sha256 = sha256(&onnx);
    Ok((card, onnx))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_encoder_is_refused() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let file = folder.path().join("encoder.safetensors");
        std::fs::write(&file, b"not the encoder").expect("writes");
        let e = convert(&file).expect_err("refused").to_string();
        assert!(e.contains("was trained on the encoder file"), "{e}");
        assert!(e.contains(&sha256(b"not the encoder")), "{e}");
        assert!(convert(&folder.path().join("none")).is_err());
    }

    /// A file with the right hash that is no encoder is still an error.
    #[test]
    fn a_file_that_is_no_encoder_is_refused() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let file = folder.path().join("encoder.onnx");
        std::fs::write(&file, b"not the encoder").expect("writes");
        let mut card = (ENTRY.card)().expect("reads");
        card.encoder_sha256 = Some(sha256(b"not the encoder"));
        let head = StateDict::from_safetensors(HEAD).expect("a head");
        assert!(join(card, &head, &file).is_err());
    }

    #[test]
    fn the_head_fits_the_tower() {
        let head = StateDict::from_safetensors(HEAD).expect("a head");
        let card = (ENTRY.card)().expect("reads");
        let count = card.heads.len();
        for (weight, _) in tower::heads(&head, count).expect("heads") {
            assert!(weight.len().is_multiple_of(2 * 768) && weight.len() <= 24 * 768);
            assert!(weight.iter().all(|w| w.is_finite()));
        }
        assert!(card.calibration.is_some() && card.encoder_sha256.is_some());
    }
}
