//! The deployed file of the published weights.

use std::path::Path;

use realscope_nn::npr::NprConfig;

use super::ID;
use crate::card::Card;
use crate::{DetectorError, deploy};

/// Converts a PyTorch or safetensors file in the published layout.
///
/// # Errors
/// [`DetectorError::Corrupt`] naming the first tensor that does not fit.
pub(super) fn convert(file: &Path) -> Result<(Card, Vec<u8>), DetectorError> {
    let dict = deploy::read(ID, file)?;
    let network = NprConfig::published().init(&Default::default());
    let network = deploy::fill(ID, network, &dict)?;
    let card = Card::parse(ID, include_str!("published.toml"))?;
    Ok(deploy::export(card, |graph, input| {
        let logit = network.forward(graph, input);
        graph.output("logit", &logit);
    }))
}
