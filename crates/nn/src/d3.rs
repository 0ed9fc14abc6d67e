//! D3 (Zheng et al., "D3: Training-Free AI-Generated Video Detection Using Second-Order Features", ICCV 2025, arXiv
//! 2508.00701) with its smallest encoder, a ResNet-18.
//!
//! Nothing is trained for the task: how evenly an encoder's features of neighbouring frames move is the score. Keys are
//! those of the published class, which counts the parts of torchvision's ResNet-18.

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, BatchNormConfig};
use burn::tensor::backend::Backend;

use crate::exec::Exec;
use crate::params::{self, ParamVisitor, Parameters};
use crate::resnet::{BasicBlock, conv};

/// Size of the encoder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct D3Config {
    /// Channels of each stage.
    pub widths: Vec<usize>,
    /// Blocks of a stage.
    pub depth: usize,
}

impl D3Config {
    /// With ResNet-18.
    #[must_use]
    pub fn resnet18() -> Self {
        Self {
            widths: vec![64, 128, 256, 512],
            depth: 2,
        }
    }

    /// Network with random weights.
    pub fn init<B: Backend>(&self, device: &B::Device) -> D3<B> {
        let stem = self.widths[0];
        let mut before = stem;
        let stages = self.widths.iter().enumerate().map(|(i, &width)| {
            let blocks = (0..self.depth).map(|b| {
                let stride = if i > 0 && b == 0 { 2 } else { 1 };
                let block = BasicBlock::new(before, width, stride, device);
                before = width;
                block
            });
            blocks.collect()
        });
        D3 {
            stages: stages.collect(),
            conv: conv([3, stem], 7, 2, device),
            norm: BatchNormConfig::new(stem).init(device),
        }
    }
}

/// D3's detector.
#[derive(Module, Debug)]
pub struct D3<B: Backend> {
    conv: Conv2d<B>,
    norm: BatchNorm<B>,
    stages: Vec<Vec<BasicBlock<B>>>,
}

/// What D3 says of each clip, `[n]` each.
pub struct Evenness<V> {
    /// Mean of the second differences; the method does not use it.
    pub mean: V,
    /// Their standard deviation (of a sample). Against the rule of this project, low means generated.
    pub score: V,
}

/// Mean and deviation of the second differences of the distances between neighbouring frames, from features
/// `[n, frames, width]` of at least four frames (section 3 of the paper).
pub fn evenness<B: Backend, X: Exec<B>>(x: &mut X, features: X::V<3>) -> Evenness<X::V<1>> {
    let [n, frames, width] = x.dims(&features);
    let later = x.narrow(features.clone(), 1, 1, frames - 1);
    let earlier = x.narrow(features, 1, 0, frames - 1);
    let moves = x.sub(later, earlier);
    let squares = x.mul(moves.clone(), moves);
    let squares = x.mean_dim(squares, 2);
    let squares = x.scale(squares, width as f32);
    let distances = x.sqrt(squares);
    let later = x.narrow(distances.clone(), 1, 1, frames - 2);
    let earlier = x.narrow(distances, 1, 0, frames - 2);
    let second = x.sub(later, earlier);
    let mean = x.mean_dim(second.clone(), 1);
    let centred = x.sub(second, mean.clone());
    let squares = x.mul(centred.clone(), centred);
    let variance = x.mean_dim(squares, 1);
    let count = (frames - 2) as f32;
    let variance = x.scale(variance, count / (count - 1.0));
    let score = x.sqrt(variance);
    Evenness {
        mean: x.reshape(mean, [n]),
        score: x.reshape(score, [n]),
    }
}

impl<B: Backend> D3<B> {
    /// Features of each frame, `[n, frames, width]`, of clips `[n, frames, 3, h, w]`; what [`evenness`] takes.
    pub fn features<X: Exec<B>>(&self, x: &mut X, clips: X::V<5>) -> X::V<3> {
        let [n, frames, channels, height, width] = x.dims(&clips);
        let h = x.fold(clips, [n * frames, channels, height, width]);
        x.tap_conv("encoder.0", &self.conv, &h);
        let h = x.conv2d(&self.conv, Some(&self.norm), h);
        let h = x.relu(h);
        let mut h = x.max_pool2d(h, 3, 2, 1);
        x.tap("encoder.3", &h);
        for (i, blocks) in (FIRST_STAGE..).zip(&self.stages) {
            for block in blocks {
                h = block.forward(x, h);
            }
            x.tap(&format!("encoder.{i}"), &h);
        }
        let h = x.global_avg_pool(h);
        x.tap("encoder.8", &h);
        let [_, width, _, _] = x.dims(&h);
        x.fold(h, [n, frames, width])
    }
}

/// Number of the first stage among the parts of torchvision's ResNet: convolution, normalisation, rectifier and pool
/// stand before it.
const FIRST_STAGE: usize = 4;

impl<B: Backend> Parameters<B> for D3<B> {
    fn walk(&mut self, v: &mut dyn ParamVisitor<B>) {
        params::conv(v, "encoder.0", &mut self.conv);
        params::batch_norm(v, "encoder.1", &mut self.norm);
        for (i, blocks) in (FIRST_STAGE..).zip(&mut self.stages) {
            for (b, block) in blocks.iter_mut().enumerate() {
                block.walk(v, &format!("encoder.{i}.{b}"));
            }
        }
    }
}
