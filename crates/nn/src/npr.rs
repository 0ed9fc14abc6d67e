//! NPR's network (Tan et al., "Rethinking the Up-Sampling Operations in CNN-based Generative Network
//! for Generalizable Deepfake Detection", CVPR 2024, arXiv 2312.10461).
//!
//! A ResNet-50 cut off after its second stage, on neighbouring pixel relationships. The stem is a
//! 3x3 convolution; despite the official class name the network has 1.44 M parameters.

use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
use burn::tensor::backend::Backend;

use crate::exec::Exec;
use crate::params::{self, ParamVisitor, Parameters};
use crate::resnet::{Stage, conv};

/// Size of NPR's network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NprConfig {
    /// Number of outputs; the published network has one logit, 1 = generated.
    pub outputs: usize,
}

impl NprConfig {
    /// The published network.
    #[must_use]
    pub fn published() -> Self {
        Self { outputs: 1 }
    }

    /// Network with random weights.
    pub fn init<B: Backend>(&self, device: &B::Device) -> Npr<B> {
        Npr {
            conv1: conv([3, 64], 3, 2, device),
            bn1: BatchNormConfig::new(64).init(device),
            layer1: Stage::new(64, 64, 3, 1, device),
            layer2: Stage::new(256, 128, 4, 2, device),
            fc1: LinearConfig::new(512, self.outputs).init(device),
        }
    }
}

/// NPR's network.
#[derive(Module, Debug)]
pub struct Npr<B: Backend> {
    conv1: Conv2d<B>,
    bn1: BatchNorm<B>,
    layer1: Stage<B>,
    layer2: Stage<B>,
    fc1: Linear<B>,
}

/// Neighbouring pixel relationships, `(x - up(down(x))) * 2/3` with nearest resampling by two
/// (section 3.2 of the paper): every pixel minus the top-left one of its 2x2 cell.
///
/// Sizes must be even; the caller drops an odd last row or column.
pub fn relationships<B: Backend, X: Exec<B>>(x: &mut X, input: X::V<4>) -> X::V<4> {
    let [n, c, h, w] = x.dims(&input);
    let cells = x.reshape(input, [n, c * h / 2, 2, w / 2, 2]);
    let top = x.narrow(cells.clone(), 2, 0, 1);
    let corner = x.narrow(top, 4, 0, 1);
    let difference = x.sub(cells, corner);
    let difference = x.reshape(difference, [n, c, h, w]);
    let difference = x.scale(difference, 2.0);
    x.scale(difference, 1.0 / 3.0)
}

impl<B: Backend> Npr<B> {
    /// Features `[n, 512]` of pictures `[n, 3, h, w]` in ImageNet normalisation, sizes even.
    pub fn features<X: Exec<B>>(&self, x: &mut X, input: X::V<4>) -> X::V<2> {
        let h = relationships(x, input);
        x.tap("npr", &h);
        x.tap_conv("conv1", &self.conv1, &h);
        let h = x.conv2d(&self.conv1, Some(&self.bn1), h);
        let h = x.relu(h);
        let h = x.max_pool2d(h, 3, 2, 1);
        x.tap("maxpool", &h);
        let h = self.layer1.forward(x, h, "layer1");
        let h = self.layer2.forward(x, h, "layer2");
        let h = x.global_avg_pool(h);
        x.tap("avgpool", &h);
        let [n, c, _, _] = x.dims(&h);
        let h = x.reshape(h, [n, c]);
        x.tap("feature", &h);
        h
    }

    /// Logits `[n, outputs]` of pictures `[n, 3, h, w]` in ImageNet normalisation, `h` and `w` even.
    pub fn forward<X: Exec<B>>(&self, x: &mut X, input: X::V<4>) -> X::V<2> {
        let h = self.features(x, input);
        x.linear(&self.fc1, h)
    }
}

impl<B: Backend> Npr<B> {
    /// Folds every batch normalisation, see [`params::fold`].
    pub fn fold(&mut self) {
        params::fold(&mut self.conv1, &mut self.bn1);
        self.layer1.fold();
        self.layer2.fold();
    }
}

impl<B: Backend> Parameters<B> for Npr<B> {
    fn walk(&mut self, v: &mut dyn ParamVisitor<B>) {
        params::conv(v, "conv1", &mut self.conv1);
        params::batch_norm(v, "bn1", &mut self.bn1);
        self.layer1.walk(v, "layer1");
        self.layer2.walk(v, "layer2");
        params::linear(v, "fc1", &mut self.fc1);
    }
}
