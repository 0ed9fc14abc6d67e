//! Xception (Chollet, "Xception: Deep Learning with Depthwise Separable Convolutions", CVPR 2017, arXiv 1610.02357) as
//! DeepfakeBench (Yan et al., NeurIPS 2023, arXiv 2307.01426) uses it.
//!
//! Keys are DeepfakeBench's. Neither of the first two convolutions is padded. `adjust_channel` takes no part in the
//! forward pass but stands in every published file.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::backend::Backend;

use crate::exec::Exec;
use crate::params::{self, ParamVisitor, Parameters};

/// Channels of the last map.
const LAST: usize = 2048;
/// Channels of the map that `adjust_channel` would give.
const ADJUSTED: usize = 512;

/// Size of an Xception.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct XceptionConfig {
    /// Number of outputs.
    pub classes: usize,
}

impl XceptionConfig {
    /// DeepfakeBench's detector: two logits, the second for manipulated faces; no dropout.
    #[must_use]
    pub fn deepfakebench() -> Self {
        Self { classes: 2 }
    }

    /// Network with random weights.
    pub fn init<B: Backend>(&self, device: &B::Device) -> Xception<B> {
        let norm = |width| BatchNormConfig::new(width).init(device);
        let mut blocks = vec![
            // The first convolution of the first block follows a rectifier of its own.
            Block::new([64, 128, 128], 2, false, device),
            Block::new([128, 256, 256], 2, true, device),
            Block::new([256, 728, 728], 2, true, device),
        ];
        blocks.extend((0..8).map(|_| Block::new([728; 4], 1, true, device)));
        blocks.push(Block::new([728, 728, 1024], 2, true, device));
        Xception {
            conv1: plain([3, 32], 3, 2, device),
            bn1: norm(32),
            conv2: plain([32, 64], 3, 1, device),
            bn2: norm(64),
            blocks,
            conv3: Separable::new([1024, 1536], device),
            bn3: norm(1536),
            conv4: Separable::new([1536, LAST], device),
            bn4: norm(LAST),
            last_linear: LinearConfig::new(LAST, self.classes).init(device),
            adjust: Conv2dConfig::new([LAST, ADJUSTED], [1; 2]).init(device),
            adjust_norm: norm(ADJUSTED),
        }
    }
}

/// A square convolution without bias and padding.
fn plain<B: Backend>(
    channels: [usize; 2],
    kernel: usize,
    stride: usize,
    device: &B::Device,
) -> Conv2d<B> {
    Conv2dConfig::new(channels, [kernel; 2])
        .with_stride([stride; 2])
        .with_bias(false)
        .init(device)
}

/// A 3x3 convolution of each channel, then a 1x1 convolution over channels.
#[derive(Module, Debug)]
struct Separable<B: Backend> {
    conv1: Conv2d<B>,
    pointwise: Conv2d<B>,
}

impl<B: Backend> Separable<B> {
    fn new([inputs, outputs]: [usize; 2], device: &B::Device) -> Self {
        Self {
            conv1: Conv2dConfig::new([inputs; 2], [3; 2])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .with_groups(inputs)
                .with_bias(false)
                .init(device),
            pointwise: plain([inputs, outputs], 1, 1, device),
        }
    }

    fn forward<X: Exec<B>>(&self, x: &mut X, norm: &BatchNorm<B>, input: X::V<4>) -> X::V<4> {
        let h = x.conv2d(&self.conv1, None, input);
        x.conv2d(&self.pointwise, Some(norm), h)
    }

    fn walk(&mut self, v: &mut dyn ParamVisitor<B>, key: &str) {
        params::conv(v, &format!("{key}.conv1"), &mut self.conv1);
        params::conv(v, &format!("{key}.pointwise"), &mut self.pointwise);
    }
}

/// Separable convolutions with a rectifier ahead of each, a pooling where the block strides, and a shortcut.
#[derive(Module, Debug)]
struct Block<B: Backend> {
    rep: Vec<(Separable<B>, BatchNorm<B>)>,
    skip: Option<(Conv2d<B>, BatchNorm<B>)>,
    starts_rectified: bool,
}

impl<B: Backend> Block<B> {
    /// A block of one convolution between each two of `widths`; `rectify` puts a rectifier ahead of the first.
    fn new<const N: usize>(
        widths: [usize; N],
        stride: usize,
        rectify: bool,
        device: &B::Device,
    ) -> Self {
        let norm = |width| BatchNormConfig::new(width).init(device);
        let rep = widths
            .windows(2)
            .map(|w| (Separable::new([w[0], w[1]], device), norm(w[1])))
            .collect();
        let (first, last) = (widths[0], widths[N - 1]);
        let skip = (stride != 1).then(|| (plain([first, last], 1, stride, device), norm(last)));
        Self {
            rep,
            skip,
            starts_rectified: !rectify,
        }
    }

    fn forward<X: Exec<B>>(&self, x: &mut X, input: X::V<4>) -> X::V<4> {
        let mut h = input.clone();
        for (i, (conv, norm)) in self.rep.iter().enumerate() {
            if i > 0 || !self.starts_rectified {
                h = x.relu(h);
            }
            h = conv.forward(x, norm, h);
        }
        let Some((conv, norm)) = &self.skip else {
            return x.add(h, input);
        };
        let h = x.max_pool2d(h, 3, 2, 1);
        let shortcut = x.conv2d(conv, Some(norm), input);
        x.add(h, shortcut)
    }

    /// The published list counts rectifiers: convolution, normalisation and rectifier take a place each.
    fn walk(&mut self, v: &mut dyn ParamVisitor<B>, key: &str) {
        if let Some((conv, norm)) = &mut self.skip {
            params::conv(v, &format!("{key}.skip"), conv);
            params::batch_norm(v, &format!("{key}.skipbn"), norm);
        }
        let first = usize::from(!self.starts_rectified);
        for (i, (conv, norm)) in self.rep.iter_mut().enumerate() {
            let place = first + 3 * i;
            conv.walk(v, &format!("{key}.rep.{place}"));
            params::batch_norm(v, &format!("{key}.rep.{}", place + 1), norm);
        }
    }
}

/// Xception with a linear classifier.
#[derive(Module, Debug)]
pub struct Xception<B: Backend> {
    conv1: Conv2d<B>,
    bn1: BatchNorm<B>,
    conv2: Conv2d<B>,
    bn2: BatchNorm<B>,
    blocks: Vec<Block<B>>,
    conv3: Separable<B>,
    bn3: BatchNorm<B>,
    conv4: Separable<B>,
    bn4: BatchNorm<B>,
    last_linear: Linear<B>,
    adjust: Conv2d<B>,
    adjust_norm: BatchNorm<B>,
}

impl<B: Backend> Xception<B> {
    /// Rectified map ahead of pooling, `[n, 2048, h / 32, w / 32]`, of pictures `[n, 3, h, w]` in -1..1.
    pub fn features<X: Exec<B>>(&self, x: &mut X, input: X::V<4>) -> X::V<4> {
        let h = x.conv2d(&self.conv1, Some(&self.bn1), input);
        x.tap("backbone.bn1", &h);
        let h = x.relu(h);
        let h = x.conv2d(&self.conv2, Some(&self.bn2), h);
        let mut h = x.relu(h);
        for (i, block) in self.blocks.iter().enumerate() {
            h = block.forward(x, h);
            x.tap(&format!("backbone.block{}", i + 1), &h);
        }
        let h = self.conv3.forward(x, &self.bn3, h);
        let h = x.relu(h);
        let h = self.conv4.forward(x, &self.bn4, h);
        x.tap("backbone.bn4", &h);
        x.relu(h)
    }

    /// Logits `[n, classes]` of features, see [`Self::features`].
    pub fn classify<X: Exec<B>>(&self, x: &mut X, features: X::V<4>) -> X::V<2> {
        let h = x.global_avg_pool(features);
        let [n, width, _, _] = x.dims(&h);
        let h = x.reshape(h, [n, width]);
        x.linear(&self.last_linear, h)
    }
}

impl<B: Backend> Parameters<B> for Xception<B> {
    fn walk(&mut self, v: &mut dyn ParamVisitor<B>) {
        params::conv(v, "backbone.conv1", &mut self.conv1);
        params::batch_norm(v, "backbone.bn1", &mut self.bn1);
        params::conv(v, "backbone.conv2", &mut self.conv2);
        params::batch_norm(v, "backbone.bn2", &mut self.bn2);
        for (i, block) in self.blocks.iter_mut().enumerate() {
            block.walk(v, &format!("backbone.block{}", i + 1));
        }
        self.conv3.walk(v, "backbone.conv3");
        params::batch_norm(v, "backbone.bn3", &mut self.bn3);
        self.conv4.walk(v, "backbone.conv4");
        params::batch_norm(v, "backbone.bn4", &mut self.bn4);
        params::linear(v, "backbone.last_linear", &mut self.last_linear);
        params::conv(v, "backbone.adjust_channel.0", &mut self.adjust);
        params::batch_norm(v, "backbone.adjust_channel.1", &mut self.adjust_norm);
    }
}
