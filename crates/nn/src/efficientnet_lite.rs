//! EfficientNet-Lite0 (Tan and Le, "EfficientNet", ICML 2019, arXiv 1905.11946, in the Lite form:
//! no squeeze-and-excitation, ReLU6, stem and head not scaled).
//!
//! Keys are those of `efficientnet_lite_pytorch`, whose ImageNet weights are Apache-2.0. Padding is
//! TensorFlow's SAME: an odd surplus goes to the bottom and right.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::backend::Backend;

use crate::exec::Exec;
use crate::params::{self, ParamVisitor, Parameters};

/// Repeats, kernel, stride, expansion and width of each stage (table 1 of the paper).
const STAGES: [(usize, usize, usize, usize, usize); 7] = [
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
];
const STEM: usize = 32;
/// Width of the pooled feature.
pub const FEATURES: usize = 1280;
/// Width of the pooled feature of a trunk.
const TRUNK_FEATURES: usize = 256;
/// Blocks of a trunk: up to the last stage with stride 16.
const TRUNK_BLOCKS: usize = 11;

fn conv<B: Backend>(
    channels: [usize; 2],
    kernel: usize,
    stride: usize,
    groups: usize,
    device: &B::Device,
) -> Conv2d<B> {
    Conv2dConfig::new(channels, [kernel; 2])
        .with_stride([stride; 2])
        .with_groups(groups)
        .with_padding(PaddingConfig2d::Same)
        .with_bias(false)
        .with_initializer(burn::nn::Initializer::KaimingNormal {
            gain: std::f64::consts::SQRT_2,
            fan_out_only: true,
        })
        .init(device)
}

fn norm<B: Backend>(channels: usize, device: &B::Device) -> BatchNorm<B> {
    BatchNormConfig::new(channels)
        .with_epsilon(1e-3)
        .with_momentum(0.01)
        .init(device)
}

/// Inverted bottleneck: expand, depthwise, project; a shortcut where sizes agree.
#[derive(Module, Debug)]
struct Block<B: Backend> {
    expand: Option<(Conv2d<B>, BatchNorm<B>)>,
    depthwise: Conv2d<B>,
    bn1: BatchNorm<B>,
    project: Conv2d<B>,
    bn2: BatchNorm<B>,
    shortcut: bool,
}

impl<B: Backend> Block<B> {
    fn forward<X: Exec<B>>(&self, x: &mut X, input: X::V<4>) -> X::V<4> {
        let mut h = input.clone();
        if let Some((conv, norm)) = &self.expand {
            h = x.conv2d(conv, Some(norm), h);
            h = x.relu6(h);
        }
        h = x.conv2d(&self.depthwise, Some(&self.bn1), h);
        h = x.relu6(h);
        h = x.conv2d(&self.project, Some(&self.bn2), h);
        if self.shortcut { x.add(h, input) } else { h }
    }

    fn walk(&mut self, v: &mut dyn ParamVisitor<B>, key: &str) {
        if let Some((conv, norm)) = &mut self.expand {
            params::conv(v, &format!("{key}._expand_conv"), conv);
            params::batch_norm(v, &format!("{key}._bn0"), norm);
        }
        params::conv(v, &format!("{key}._depthwise_conv"), &mut self.depthwise);
        params::batch_norm(v, &format!("{key}._bn1"), &mut self.bn1);
        params::conv(v, &format!("{key}._project_conv"), &mut self.project);
        params::batch_norm(v, &format!("{key}._bn2"), &mut self.bn2);
    }
}

/// Size of an EfficientNet-Lite0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EfficientNetLiteConfig {
    /// Number of outputs.
    pub classes: usize,
    /// Blocks that are kept, of 16.
    pub blocks: usize,
    /// Width of the pooled feature.
    pub features: usize,
}

impl EfficientNetLiteConfig {
    /// ImageNet classifier.
    #[must_use]
    pub fn lite0() -> Self {
        Self {
            classes: 1000,
            blocks: 16,
            features: FEATURES,
        }
    }

    /// One logit, 1 = generated.
    #[must_use]
    pub fn lite0_detector() -> Self {
        Self {
            classes: 1,
            ..Self::lite0()
        }
    }

    /// One logit on the first eleven blocks alone: what is local tells how a picture was made, what comes
    /// after tells what it shows.
    #[must_use]
    pub fn lite0_trunk() -> Self {
        Self {
            classes: 1,
            blocks: TRUNK_BLOCKS,
            features: TRUNK_FEATURES,
        }
    }

    /// Network with random weights.
    pub fn init<B: Backend>(&self, device: &B::Device) -> EfficientNetLite<B> {
        let mut blocks = Vec::new();
        let mut inputs = STEM;
        for (repeats, kernel, stride, expansion, width) in STAGES {
            for i in 0..repeats {
                let stride = if i == 0 { stride } else { 1 };
                let inner = inputs * expansion;
                blocks.push(Block {
                    expand: (expansion != 1)
                        .then(|| (conv([inputs, inner], 1, 1, 1, device), norm(inner, device))),
                    depthwise: conv([inner, inner], kernel, stride, inner, device),
                    bn1: norm(inner, device),
                    project: conv([inner, width], 1, 1, 1, device),
                    bn2: norm(width, device),
                    shortcut: stride == 1 && inputs == width,
                });
                inputs = width;
                if blocks.len() == self.blocks {
                    return self.assemble(blocks, inputs, device);
                }
            }
        }
        self.assemble(blocks, inputs, device)
    }

    fn assemble<B: Backend>(
        &self,
        blocks: Vec<Block<B>>,
        inputs: usize,
        device: &B::Device,
    ) -> EfficientNetLite<B> {
        EfficientNetLite {
            stem: conv([3, STEM], 3, 2, 1, device),
            bn0: norm(STEM, device),
            blocks,
            head: conv([inputs, self.features], 1, 1, 1, device),
            bn1: norm(self.features, device),
            fc: LinearConfig::new(self.features, self.classes).init(device),
        }
    }
}

/// EfficientNet-Lite0 with a linear classifier.
#[derive(Module, Debug)]
pub struct EfficientNetLite<B: Backend> {
    stem: Conv2d<B>,
    bn0: BatchNorm<B>,
    blocks: Vec<Block<B>>,
    head: Conv2d<B>,
    bn1: BatchNorm<B>,
    fc: Linear<B>,
}

impl<B: Backend> EfficientNetLite<B> {
    /// Pooled features (`[n, 1280]` where all blocks are kept) of normalised pictures `[n, 3, h, w]`.
    pub fn features<X: Exec<B>>(&self, x: &mut X, input: X::V<4>) -> X::V<2> {
        x.tap_conv("_conv_stem", &self.stem, &input);
        let h = x.conv2d(&self.stem, Some(&self.bn0), input);
        let mut h = x.relu6(h);
        for (i, block) in self.blocks.iter().enumerate() {
            h = block.forward(x, h);
            x.tap(&format!("_blocks.{i}"), &h);
        }
        x.tap_conv("_conv_head", &self.head, &h);
        let h = x.conv2d(&self.head, Some(&self.bn1), h);
        let h = x.relu6(h);
        x.tap("features", &h);
        let h = x.global_avg_pool(h);
        let [n, c, _, _] = x.dims(&h);
        let h = x.reshape(h, [n, c]);
        x.tap("pooled", &h);
        h
    }

    /// Number of blocks.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.blocks.len()
    }

    /// Folds every batch normalisation, see [`params::fold`].
    pub fn fold(&mut self) {
        params::fold(&mut self.stem, &mut self.bn0);
        for block in &mut self.blocks {
            if let Some((conv, norm)) = &mut block.expand {
                params::fold(conv, norm);
            }
            params::fold(&mut block.depthwise, &mut block.bn1);
            params::fold(&mut block.project, &mut block.bn2);
        }
        params::fold(&mut self.head, &mut self.bn1);
    }

    /// Logits `[n, classes]` of normalised pictures `[n, 3, h, w]`.
    pub fn forward<X: Exec<B>>(&self, x: &mut X, input: X::V<4>) -> X::V<2> {
        let h = self.features(x, input);
        x.linear(&self.fc, h)
    }
}

impl<B: Backend> Parameters<B> for EfficientNetLite<B> {
    fn walk(&mut self, v: &mut dyn ParamVisitor<B>) {
        params::conv(v, "_conv_stem", &mut self.stem);
        params::batch_norm(v, "_bn0", &mut self.bn0);
        for (i, block) in self.blocks.iter_mut().enumerate() {
            block.walk(v, &format!("_blocks.{i}"));
        }
        params::conv(v, "_conv_head", &mut self.head);
        params::batch_norm(v, "_bn1", &mut self.bn1);
        params::linear(v, "_fc", &mut self.fc);
    }
}
