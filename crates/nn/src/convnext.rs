//! ConvNeXt (Liu et al., "A ConvNet for the 2020s", CVPR 2022, arXiv 2201.03545).
//!
//! Keys are timm's.

use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::exec::Exec;
use crate::params::{self, ParamVisitor, Parameters};

const EPS: f64 = 1e-6;

/// What layer scales start at (section A.1 of the paper).
const LAYER_SCALE: f64 = 1e-6;

/// Sizes of a ConvNeXt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConvNextConfig {
    /// Channels of each stage.
    pub widths: Vec<usize>,
    /// Blocks of each stage.
    pub depths: Vec<usize>,
    /// Number of outputs.
    pub classes: usize,
}

impl ConvNextConfig {
    /// `convnext_tiny`.
    #[must_use]
    pub fn tiny() -> Self {
        Self {
            widths: vec![96, 192, 384, 768],
            depths: vec![3, 3, 9, 3],
            classes: 1000,
        }
    }

    /// Network with random weights.
    pub fn init<B: Backend>(&self, device: &B::Device) -> ConvNext<B> {
        let norm = |width| LayerNormConfig::new(width).with_epsilon(EPS).init(device);
        // A convolution whose windows do not overlap.
        let patches = |from, to, side| {
            Conv2dConfig::new([from, to], [side; 2])
                .with_stride([side; 2])
                .init(device)
        };
        let stages = (0..self.widths.len())
            .map(|i| {
                let width = self.widths[i];
                let downsample = (i > 0).then(|| {
                    let before = self.widths[i - 1];
                    (norm(before), patches(before, width, 2))
                });
                let blocks = (0..self.depths[i]).map(|_| Block::new(width, device));
                Stage {
                    downsample,
                    blocks: blocks.collect(),
                }
            })
            .collect();
        let last = self.widths.last().copied().unwrap_or_default();
        ConvNext {
            stem: patches(3, self.widths[0], 4),
            stem_norm: norm(self.widths[0]),
            stages,
            norm: norm(last),
            fc: LinearConfig::new(last, self.classes).init(device),
        }
    }
}

/// Normalisation of each place over its channels, `[n, c, h, w]`.
fn norm_channels<B: Backend, X: Exec<B>>(x: &mut X, norm: &LayerNorm<B>, h: X::V<4>) -> X::V<4> {
    let h = x.permute(h, [0, 2, 3, 1]);
    let h = x.layer_norm(norm, EPS, h);
    x.permute(h, [0, 3, 1, 2])
}

/// Depthwise 7x7 convolution, then an MLP at each place, scaled, with a residual around both.
#[derive(Module, Debug)]
struct Block<B: Backend> {
    gamma: Param<Tensor<B, 1>>,
    conv_dw: Conv2d<B>,
    norm: LayerNorm<B>,
    fc1: Linear<B>,
    fc2: Linear<B>,
}

impl<B: Backend> Block<B> {
    fn new(width: usize, device: &B::Device) -> Self {
        Self {
            gamma: Param::from_tensor(Tensor::full([width], LAYER_SCALE, device)),
            conv_dw: Conv2dConfig::new([width; 2], [7; 2])
                .with_padding(PaddingConfig2d::Explicit(3, 3, 3, 3))
                .with_groups(width)
                .init(device),
            norm: LayerNormConfig::new(width).with_epsilon(EPS).init(device),
            fc1: LinearConfig::new(width, 4 * width).init(device),
            fc2: LinearConfig::new(4 * width, width).init(device),
        }
    }

    fn forward<X: Exec<B>>(&self, x: &mut X, input: X::V<4>, name: &str) -> X::V<4> {
        let h = x.conv2d(&self.conv_dw, None, input.clone());
        x.tap(&format!("{name}.conv_dw"), &h);
        let h = x.permute(h, [0, 2, 3, 1]);
        let h = x.layer_norm(&self.norm, EPS, h);
        let h = x.linear(&self.fc1, h);
        let h = x.gelu(h);
        let h = x.linear(&self.fc2, h);
        let gamma = x.along(&self.gamma, 3);
        let h = x.mul(h, gamma);
        let h = x.permute(h, [0, 3, 1, 2]);
        let h = x.add(input, h);
        x.tap(name, &h);
        h
    }

    fn walk(&mut self, v: &mut dyn ParamVisitor<B>, key: &str) {
        params::tensor(v, &format!("{key}.gamma"), &mut self.gamma);
        params::conv(v, &format!("{key}.conv_dw"), &mut self.conv_dw);
        params::layer_norm(v, &format!("{key}.norm"), &mut self.norm);
        params::linear(v, &format!("{key}.mlp.fc1"), &mut self.fc1);
        params::linear(v, &format!("{key}.mlp.fc2"), &mut self.fc2);
    }
}

/// Blocks of one width; all but the first stage halve the map ahead of them.
#[derive(Module, Debug)]
struct Stage<B: Backend> {
    downsample: Option<(LayerNorm<B>, Conv2d<B>)>,
    blocks: Vec<Block<B>>,
}

/// ConvNeXt with a linear classifier.
#[derive(Module, Debug)]
pub struct ConvNext<B: Backend> {
    stem: Conv2d<B>,
    stem_norm: LayerNorm<B>,
    stages: Vec<Stage<B>>,
    norm: LayerNorm<B>,
    fc: Linear<B>,
}

impl<B: Backend> ConvNext<B> {
    /// Map ahead of pooling, `[n, c, h / 32, w / 32]`, of normalised pictures `[n, 3, h, w]`.
    pub fn features<X: Exec<B>>(&self, x: &mut X, input: X::V<4>) -> X::V<4> {
        let h = x.conv2d(&self.stem, None, input);
        let mut h = norm_channels(x, &self.stem_norm, h);
        x.tap("stem", &h);
        for (i, stage) in self.stages.iter().enumerate() {
            if let Some((norm, conv)) = &stage.downsample {
                h = norm_channels(x, norm, h);
                h = x.conv2d(conv, None, h);
            }
            for (b, block) in stage.blocks.iter().enumerate() {
                h = block.forward(x, h, &format!("stages.{i}.blocks.{b}"));
            }
            x.tap(&format!("stages.{i}"), &h);
        }
        h
    }

    /// Mean over the map, normalised, `[n, c]`, of features, see [`Self::features`].
    pub fn pool<X: Exec<B>>(&self, x: &mut X, features: X::V<4>) -> X::V<2> {
        let h = x.global_avg_pool(features);
        let h = norm_channels(x, &self.norm, h);
        x.tap("head.norm", &h);
        let [n, width, _, _] = x.dims(&h);
        x.reshape(h, [n, width])
    }

    /// Logits `[n, classes]` of what [`Self::pool`] gives.
    pub fn classify<X: Exec<B>>(&self, x: &mut X, pooled: X::V<2>) -> X::V<2> {
        x.linear(&self.fc, pooled)
    }
}

impl<B: Backend> Parameters<B> for ConvNext<B> {
    fn walk(&mut self, v: &mut dyn ParamVisitor<B>) {
        params::conv(v, "stem.0", &mut self.stem);
        params::layer_norm(v, "stem.1", &mut self.stem_norm);
        for (i, stage) in self.stages.iter_mut().enumerate() {
            let key = format!("stages.{i}");
            if let Some((norm, conv)) = &mut stage.downsample {
                params::layer_norm(v, &format!("{key}.downsample.0"), norm);
                params::conv(v, &format!("{key}.downsample.1"), conv);
            }
            for (b, block) in stage.blocks.iter_mut().enumerate() {
                block.walk(v, &format!("{key}.blocks.{b}"));
            }
        }
        params::layer_norm(v, "head.norm", &mut self.norm);
        params::linear(v, "head.fc", &mut self.fc);
    }
}
