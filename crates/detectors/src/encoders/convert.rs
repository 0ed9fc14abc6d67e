//! The deployed files of published encoders.

use std::path::Path;

use realscope_nn::onnx::{Edge, Graph};
use realscope_nn::rotary_vit::{RotaryVit, RotaryVitConfig};
use realscope_nn::siglip::SiglipVision;
use realscope_nn::vit::VitConfig;
use realscope_nn::{Cpu, Exec};

use super::{BLOCKS, DINOV3_S16, PE_CORE_B16, SIGLIP2_B16};
use crate::card::Card;
use crate::entry::Entry;
use crate::{DetectorError, deploy};

/// What a conversion makes.
type Deployed = Result<(Card, Vec<u8>), DetectorError>;

/// Names the embedding: pooled tokens, then the statistics of the last blocks.
fn embedding(graph: &mut Graph, pooled: Edge<2>, statistics: Vec<Edge<2>>) {
    let unread = statistics.len().saturating_sub(2 * BLOCKS);
    let mut parts = vec![pooled];
    parts.extend(statistics.into_iter().skip(unread));
    let features = Exec::<Cpu>::cat(graph, parts, 1);
    graph.output("embedding", &features);
}

/// SigLIP 2's image tower; the text tower of the published file is left out.
pub(super) fn siglip2_b16(file: &Path) -> Deployed {
    let id = SIGLIP2_B16.id;
    let dict = SiglipVision::<Cpu>::canonical(&deploy::read(id, file)?);
    let network = VitConfig::siglip_b16().init_siglip::<Cpu>(&Default::default());
    let network = deploy::fill(id, network, &dict)?;
    Ok(deploy::export((SIGLIP2_B16.card)()?, |graph, input| {
        let out = network.forward(graph, input);
        embedding(graph, out.pooled, out.statistics);
    }))
}

/// The Perception Encoder.
pub(super) fn pe_core_b16(file: &Path) -> Deployed {
    rotary(&PE_CORE_B16, &RotaryVitConfig::pe_core_b16(), file)
}

/// DINOv3.
pub(super) fn dinov3_s16(file: &Path) -> Deployed {
    rotary(&DINOV3_S16, &RotaryVitConfig::dinov3_vits16(), file)
}

fn rotary(entry: &Entry, config: &RotaryVitConfig, file: &Path) -> Deployed {
    // What turns tokens into another space is no part of the encoder.
    let dict = deploy::read(entry.id, file)?;
    let dict = dict.renamed(|key| (!key.starts_with("head.")).then(|| key.to_owned()));
    let network: RotaryVit<Cpu> = deploy::fill(entry.id, config.init(&Default::default()), &dict)?;
    Ok(deploy::export((entry.card)()?, |graph, input| {
        let out = network.forward(graph, input);
        embedding(graph, out.pooled, out.statistics);
    }))
}
