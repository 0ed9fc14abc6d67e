//! The deployed files of the authors' checkpoints.

use std::path::Path;

use realscope_nn::Cpu;
use realscope_nn::demamba::detector::{ClipDemamba, DemambaConfig, XclipDemamba};

use super::{CLIP, XCLIP};
use crate::card::Card;
use crate::{DetectorError, deploy};

/// Converts a checkpoint of the detector on CLIP.
///
/// # Errors
/// [`DetectorError::Corrupt`] naming the first tensor that does not fit.
pub(super) fn clip(file: &Path) -> Result<(Card, Vec<u8>), DetectorError> {
    let dict = ClipDemamba::<Cpu>::canonical(deploy::read(CLIP.id, file)?);
    let network = DemambaConfig::clip().init_clip(&Default::default());
    let network = deploy::fill(CLIP.id, network, &dict)?;
    Ok(deploy::export_clips((CLIP.card)()?, |graph, clips| {
        let logit = network.forward(graph, clips);
        graph.output("logit", &logit);
    }))
}

/// Converts a checkpoint of the detector on X-CLIP.
///
/// # Errors
/// [`DetectorError::Corrupt`] naming the first tensor that does not fit.
pub(super) fn xclip(file: &Path) -> Result<(Card, Vec<u8>), DetectorError> {
    let dict = XclipDemamba::<Cpu>::canonical(deploy::read(XCLIP.id, file)?);
    let network = DemambaConfig::xclip().init_xclip(&Default::default());
    let network = deploy::fill(XCLIP.id, network, &dict)?;
    Ok(deploy::export_clips((XCLIP.card)()?, |graph, clips| {
        let logit = network.forward(graph, clips);
        graph.output("logit", &logit);
    }))
}
