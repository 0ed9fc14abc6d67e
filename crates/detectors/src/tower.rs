//! Networks of a linear head on the blocks of a frozen CLIP ViT-B/16 image tower.
//!
//! After RINE (Koutlis and Papadopoulos, ECCV 2024, arXiv 2402.19091): class token, mean and where asked for
//! deviation of the patch tokens of many blocks, one linear layer. Training and the detectors built here share it.

use std::path::Path;

use burn::tensor::{Tensor, TensorData};
use realscope_nn::exec::Exec;
use realscope_nn::onnx::Graph;
use realscope_nn::vit::{ClipVision, VitConfig};
use realscope_nn::weights::WeightsError;
use realscope_nn::{Cpu, Parameters, StateDict};

/// Side of the tower's input in pixels.
pub const SIDE: usize = 224;

/// The first `blocks` of the image tower in `file`: safetensors or PyTorch in the published layout, or an ONNX file
/// whose matrices a common tool quantised to 8 bits.
///
/// # Errors
/// [`WeightsError`] naming the first tensor that does not fit.
pub fn tower(file: &Path, blocks: usize) -> Result<ClipVision<Cpu>, WeightsError> {
    let dict = if file.extension().is_some_and(|e| e == "onnx") {
        let bytes = std::fs::read(file).map_err(|e| WeightsError::Unreadable {
            path: file.display().to_string(),
            reason: e.to_string(),
        })?;
        realscope_nn::int8_checkpoint::clip_from_int8_onnx(&bytes)?
    } else {
        ClipVision::<Cpu>::canonical(StateDict::read(file)?)
    };
    let config = VitConfig {
        depth: blocks,
        ..VitConfig::clip_b16()
    };
    // The projection of an 8-bit file has another name; neither is used by the blocks.
    let mut dict = dict.renamed(|key| {
        let layer = key
            .strip_prefix("vision_model.encoder.layers.")
            .and_then(|rest| rest.split('.').next()?.parse::<usize>().ok());
        let kept = layer.is_none_or(|l| l < blocks) && !key.contains("visual_projection");
        kept.then(|| key.to_owned())
    });
    dict.insert(
        "visual_projection.weight",
        vec![config.outputs, config.hidden],
        vec![0.0; config.outputs * config.hidden],
    );
    let device = Default::default();
    let mut tower = config.init_clip::<Cpu>(&device);
    tower.load(&dict, &device)?;
    Ok(tower)
}

/// The float network that yields the features of all blocks, or with heads `(weights, bias)` of one length, which read
/// the last of them, their logits `[1, heads]`.
#[must_use]
pub fn network(
    name: &str,
    tower: &ClipVision<Cpu>,
    deviations: bool,
    heads: &[(&[f32], f32)],
) -> Vec<u8> {
    let mut graph = Graph::new(name, false);
    let input = graph.input("x", [1, 3, SIDE, SIDE]);
    let Some(width) = heads.iter().map(|(weight, _)| weight.len()).min() else {
        let features = if deviations {
            tower.block_statistics(&mut graph, input)
        } else {
            tower.block_features(&mut graph, input)
        };
        graph.output("features", &features);
        return graph.encode();
    };
    let features = tower.last_features(&mut graph, input, deviations, width);
    let device = Default::default();
    let mut constant = |values: Vec<f32>, dims: [usize; 2]| {
        let tensor = Tensor::<Cpu, 2>::from_data(TensorData::new(values, dims), &device);
        Exec::<Cpu>::tensor(&mut graph, tensor)
    };
    let columns = (0..width)
        .flat_map(|i| heads.iter().map(move |(weight, _)| weight[i]))
        .collect();
    let weight = constant(columns, [width, heads.len()]);
    let bias = constant(
        heads.iter().map(|(_, bias)| *bias).collect(),
        [1, heads.len()],
    );
    let product = Exec::<Cpu>::matmul(&mut graph, features, weight);
    let logit = Exec::<Cpu>::add(&mut graph, product, bias);
    graph.output("logit", &logit);
    graph.encode()
}

#[cfg(test)]
mod tests {
    use realscope_engine::{self as engine, EngineKind, Threads};

    use super::*;

    #[test]
    fn heads_read_the_last_features() {
        let config = VitConfig {
            patch: 56,
            hidden: 8,
            depth: 4,
            heads: 2,
            mlp: 16,
            outputs: 4,
            ..VitConfig::clip_b16()
        };
        let tower = config.init_clip::<Cpu>(&Default::default());
        let pixels: Vec<f32> = (0..3 * SIDE * SIDE)
            .map(|i| (i * i % 251) as f32 / 125.0 - 1.0)
            .collect();
        let run = |deviations, heads: &[(&[f32], f32)]| {
            let network = network("test", &tower, deviations, heads);
            let engine = engine::load(EngineKind::Rten, network).expect("loads");
            let shape = [1, 3, SIDE, SIDE];
            let mut outputs = engine
                .run_all(&pixels, &shape, &Threads::all())
                .expect("runs");
            outputs.remove(0).values
        };
        // Widths of whole blocks, and one within a block.
        for (deviations, block, width) in [(true, 24, 48), (false, 16, 16), (true, 24, 30)] {
            let features = run(deviations, &[]);
            assert_eq!(features.len(), block * config.depth);
            let weight: Vec<f32> = (0..width).map(|i| (i as f32 * 0.7).sin()).collect();
            let dot = |w: &[f32]| -> f32 {
                let last = &features[features.len() - width..];
                last.iter().zip(w).map(|(a, b)| a * b).sum()
            };
            let ones = vec![1.0; width];
            let got = run(deviations, &[(&weight, 0.5), (&ones, -2.0)]);
            for (got, expected) in got.iter().zip([dot(&weight) + 0.5, dot(&ones) - 2.0]) {
                assert!((got - expected).abs() < 1e-4, "{got}, expected {expected}");
            }
        }
    }
}
