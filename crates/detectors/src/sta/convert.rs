//! The deployed file of the published weights.

use std::path::Path;

use realscope_nn::Cpu;
use realscope_nn::sta::{Sta, StaConfig};

use super::{ENTRY, ID};
use crate::card::Card;
use crate::{DetectorError, deploy};

/// Converts the published `.pth` or a safetensors file of the same keys.
///
/// # Errors
/// [`DetectorError::Corrupt`] naming the first tensor that does not fit.
pub(super) fn convert(file: &Path) -> Result<(Card, Vec<u8>), DetectorError> {
    let dict = Sta::<Cpu>::canonical(&deploy::read(ID, file)?);
    let network = StaConfig::published().init(&Default::default());
    let network = deploy::fill(ID, network, &dict)?;
    Ok(deploy::export_clips((ENTRY.card)()?, |graph, clips| {
        let features = network.features(graph, clips);
        let logits = network.classify(graph, features);
        graph.output("logits", &logits);
    }))
}
