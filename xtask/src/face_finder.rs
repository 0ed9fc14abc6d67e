//! The network of the face finder.

use std::path::Path;

use realscope_nn::blazeface::BlazeFaceConfig;
use realscope_nn::onnx::Graph;
use realscope_nn::{Parameters as _, StateDict};

/// Fills BlazeFace with `weights` and writes its forward pass to `out`.
///
/// # Errors
/// What is wrong with a file, in words.
pub fn make(weights: &Path, out: &Path) -> Result<(), String> {
    let dict = StateDict::read(weights).map_err(|e| format!("{}: {e}", weights.display()))?;
    let mut network = BlazeFaceConfig::short_range().init::<realscope_nn::Cpu>(&Default::default());
    let loaded = network.load(&dict, &Default::default());
    loaded.map_err(|e| format!("{}: {e}", weights.display()))?;
    let mut graph = Graph::new("blazeface-short", false);
    let input = graph.input("x", [1, 3, 128, 128]);
    let faces = network.forward(&mut graph, input);
    graph.output("regression", &faces.regression);
    graph.output("classification", &faces.classification);
    std::fs::write(out, graph.encode()).map_err(|e| format!("{}: {e}", out.display()))
}
