//! The deployed file of the published weights.

use std::path::Path;

use realscope_nn::npr::NprConfig;
use realscope_nn::onnx::Graph;
use realscope_nn::{Cpu, Parameters, StateDict};

use super::ID;
use crate::DetectorError;
use crate::card::Card;
use crate::network::sha256;

/// Converts a PyTorch or safetensors file in the published layout.
///
/// # Errors
/// [`DetectorError::Corrupt`] naming the first tensor that does not fit.
pub(super) fn convert(file: &Path) -> Result<(Card, Vec<u8>), DetectorError> {
    let corrupt = |reason: String| DetectorError::Corrupt {
        id: ID.into(),
        reason,
    };
    let dict = StateDict::read(file).map_err(|e| corrupt(e.to_string()))?;
    let device = Default::default();
    let mut network = NprConfig::published().init::<Cpu>(&device);
    network
        .load(&dict, &device)
        .map_err(|e| corrupt(e.to_string()))?;
    let mut graph = Graph::new(ID, false);
    let mut card = Card::parse(ID, include_str!("published.toml"))?;
    let side = card.input.size as usize;
    let input = graph.input("x", [1, 3, side, side]);
    let logit = network.forward(&mut graph, input);
    graph.output("logit", &logit);
    let onnx = graph.encode();
    card.weights_sha256 = sha256(&onnx);
    Ok((card, onnx))
}
