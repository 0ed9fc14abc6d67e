//! The deployed file of the published weights.

use std::path::Path;

use realscope_nn::genconvit::GenConvitConfig;

use super::{ENTRY, ID};
use crate::card::Card;
use crate::{DetectorError, deploy};

/// Converts the published `.pth` or a safetensors file of the same keys.
///
/// # Errors
/// [`DetectorError::Corrupt`] naming the first tensor that does not fit.
pub(super) fn convert(file: &Path) -> Result<(Card, Vec<u8>), DetectorError> {
    let dict = deploy::read(ID, file)?;
    let network = GenConvitConfig::autoencoder().init_autoencoder(&Default::default());
    let network = deploy::fill(ID, network, &dict)?;
    Ok(deploy::export((ENTRY.card)()?, |graph, input| {
        let said = network.forward(graph, input);
        graph.output("logits", &said.logits);
    }))
}
