//! The deployed file of the published weights.

use std::path::Path;

use realscope_nn::Cpu;
use realscope_nn::vit::{ViT, VitConfig};

use super::{ENTRY, ID};
use crate::card::Card;
use crate::{DetectorError, deploy};

/// timm's `vit_small_patch16_384` with one output.
const NETWORK: VitConfig = VitConfig {
    image: 384,
    patch: 16,
    hidden: 384,
    depth: 12,
    heads: 6,
    mlp: 1536,
    outputs: 1,
};

/// Converts the published safetensors file, whose keys are timm's behind `vit.`.
///
/// # Errors
/// [`DetectorError::Corrupt`] naming the first tensor that does not fit.
pub(super) fn convert(file: &Path) -> Result<(Card, Vec<u8>), DetectorError> {
    let dict = deploy::read(ID, file)?;
    let dict = dict.renamed(|key| Some(key.strip_prefix("vit.").unwrap_or(key).to_owned()));
    let network = NETWORK.init_vit::<Cpu>(&Default::default());
    let network = deploy::fill(ID, network, &ViT::<Cpu>::canonical(&dict))?;
    Ok(deploy::export((ENTRY.card)()?, |graph, input| {
        let logit = network.forward(graph, input);
        graph.output("logit", &logit);
    }))
}
