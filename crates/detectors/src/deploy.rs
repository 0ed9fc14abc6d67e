//! From published weights to the deployed file: what the conversions of the catalog share.
//!
//! A conversion reads the file, fills the network with it, strictly, and exports the forward pass.

use std::path::Path;

use realscope_nn::onnx::{Edge, Graph};
use realscope_nn::{Cpu, Parameters, StateDict, WeightsError};

use crate::DetectorError;
use crate::card::Card;
use crate::network::sha256;

/// The tensors of a PyTorch or safetensors file.
///
/// # Errors
/// [`DetectorError::Corrupt`] when it cannot be read.
pub fn read(id: &str, file: &Path) -> Result<StateDict, DetectorError> {
    StateDict::read(file).map_err(|e| corrupt(id, &e))
}

/// `network` with the tensors of `dict`: all that it has, and no others.
///
/// # Errors
/// [`DetectorError::Corrupt`] naming the first tensor that is missing, misshapen or unknown.
pub fn fill<N: Parameters<Cpu>>(
    id: &str,
    mut network: N,
    dict: &StateDict,
) -> Result<N, DetectorError> {
    network
        .load(dict, &Default::default())
        .map_err(|e| corrupt(id, &e))?;
    Ok(network)
}

/// The ONNX file that `forward` records on pictures `x`, `[batch, 3, size, size]` of the card's size, and the card with
/// its hash. `forward` names the outputs that the card's heads read.
pub fn export(card: Card, forward: impl FnOnce(&mut Graph, Edge<4>)) -> (Card, Vec<u8>) {
    let side = card.input.size as usize;
    export_of(card, [1, 3, side, side], forward)
}

/// As [`export`], of clips `[batch, frames, 3, size, size]`.
pub fn export_clips(card: Card, forward: impl FnOnce(&mut Graph, Edge<5>)) -> (Card, Vec<u8>) {
    let (side, frames) = (card.input.size as usize, card.input.view.frames());
    export_of(card, [1, frames, 3, side, side], forward)
}

fn export_of<const D: usize>(
    mut card: Card,
    shape: [usize; D],
    forward: impl FnOnce(&mut Graph, Edge<D>),
) -> (Card, Vec<u8>) {
    let mut graph = Graph::new(&card.id, false);
    let input = graph.input("x", shape);
    forward(&mut graph, input);
    let onnx = graph.encode();
    card.weights_sha256 = sha256(&onnx);
    (card, onnx)
}

/// What cannot be converted.
pub(crate) fn corrupt(id: &str, e: &WeightsError) -> DetectorError {
    DetectorError::Corrupt {
        id: id.into(),
        reason: e.to_string(),
    }
}
