//! ResNets (He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, arXiv 1512.03385).
//!
//! Keys are torchvision's; the stride sits in the 3x3 convolution of a bottleneck (the "v1.5" of
//! torchvision). [`ResNetConfig::cnndetection`] is the same network with one output.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::backend::Backend;

use crate::exec::Exec;
use crate::params::{self, ParamVisitor, Parameters};

/// A square convolution without bias, padded evenly.
pub(crate) fn conv<B: Backend>(
    channels: [usize; 2],
    kernel: usize,
    stride: usize,
    device: &B::Device,
) -> Conv2d<B> {
    let pad = kernel / 2;
    Conv2dConfig::new(channels, [kernel; 2])
        .with_stride([stride; 2])
        .with_padding(PaddingConfig2d::Explicit(pad, pad, pad, pad))
        .with_bias(false)
        .with_initializer(burn::nn::Initializer::KaimingNormal {
            gain: std::f64::consts::SQRT_2,
            fan_out_only: true,
        })
        .init(device)
}

/// Bottleneck: 1x1, 3x3 (strided), 1x1 to four times the width, plus the shortcut.
#[derive(Module, Debug)]
pub struct Bottleneck<B: Backend> {
    conv1: Conv2d<B>,
    bn1: BatchNorm<B>,
    conv2: Conv2d<B>,
    bn2: BatchNorm<B>,
    conv3: Conv2d<B>,
    bn3: BatchNorm<B>,
    downsample: Option<(Conv2d<B>, BatchNorm<B>)>,
}

impl<B: Backend> Bottleneck<B> {
    fn new(inputs: usize, width: usize, stride: usize, device: &B::Device) -> Self {
        let outputs = 4 * width;
        let downsample = (stride != 1 || inputs != outputs).then(|| {
            (
                conv([inputs, outputs], 1, stride, device),
                BatchNormConfig::new(outputs).init(device),
            )
        });
        Self {
            conv1: conv([inputs, width], 1, 1, device),
            bn1: BatchNormConfig::new(width).init(device),
            conv2: conv([width, width], 3, stride, device),
            bn2: BatchNormConfig::new(width).init(device),
            conv3: conv([width, outputs], 1, 1, device),
            bn3: BatchNormConfig::new(outputs).init(device),
            downsample,
        }
    }

    fn forward<X: Exec<B>>(&self, x: &mut X, input: X::V<4>) -> X::V<4> {
        let shortcut = match &self.downsample {
            Some((conv, norm)) => x.conv2d(conv, Some(norm), input.clone()),
            None => input.clone(),
        };
        let h = x.conv2d(&self.conv1, Some(&self.bn1), input);
        let h = x.relu(h);
        let h = x.conv2d(&self.conv2, Some(&self.bn2), h);
        let h = x.relu(h);
        let h = x.conv2d(&self.conv3, Some(&self.bn3), h);
        let h = x.add(h, shortcut);
        x.relu(h)
    }

    fn walk(&mut self, v: &mut dyn ParamVisitor<B>, key: &str) {
        params::conv(v, &format!("{key}.conv1"), &mut self.conv1);
        params::batch_norm(v, &format!("{key}.bn1"), &mut self.bn1);
        params::conv(v, &format!("{key}.conv2"), &mut self.conv2);
        params::batch_norm(v, &format!("{key}.bn2"), &mut self.bn2);
        params::conv(v, &format!("{key}.conv3"), &mut self.conv3);
        params::batch_norm(v, &format!("{key}.bn3"), &mut self.bn3);
        if let Some((conv, norm)) = &mut self.downsample {
            params::conv(v, &format!("{key}.downsample.0"), conv);
            params::batch_norm(v, &format!("{key}.downsample.1"), norm);
        }
    }
}

/// `depth` bottlenecks of one width; the first one strides.
#[derive(Module, Debug)]
pub struct Stage<B: Backend> {
    blocks: Vec<Bottleneck<B>>,
}

impl<B: Backend> Stage<B> {
    pub(crate) fn new(
        inputs: usize,
        width: usize,
        depth: usize,
        stride: usize,
        device: &B::Device,
    ) -> Self {
        let blocks = (0..depth)
            .map(|i| {
                if i == 0 {
                    Bottleneck::new(inputs, width, stride, device)
                } else {
                    Bottleneck::new(4 * width, width, 1, device)
                }
            })
            .collect();
        Self { blocks }
    }

    pub(crate) fn forward<X: Exec<B>>(&self, x: &mut X, mut h: X::V<4>, name: &str) -> X::V<4> {
        for (i, block) in self.blocks.iter().enumerate() {
            h = block.forward(x, h);
            x.tap(&format!("{name}.{i}"), &h);
        }
        x.tap(name, &h);
        h
    }

    pub(crate) fn fold(&mut self) {
        for block in &mut self.blocks {
            params::fold(&mut block.conv1, &mut block.bn1);
            params::fold(&mut block.conv2, &mut block.bn2);
            params::fold(&mut block.conv3, &mut block.bn3);
            if let Some((conv, norm)) = &mut block.downsample {
                params::fold(conv, norm);
            }
        }
    }

    pub(crate) fn walk(&mut self, v: &mut dyn ParamVisitor<B>, key: &str) {
        for (i, block) in self.blocks.iter_mut().enumerate() {
            block.walk(v, &format!("{key}.{i}"));
        }
    }
}

/// The block of ResNet-18 and 34: two 3x3 convolutions, the first one strided, plus the shortcut.
#[derive(Module, Debug)]
pub struct BasicBlock<B: Backend> {
    conv1: Conv2d<B>,
    bn1: BatchNorm<B>,
    conv2: Conv2d<B>,
    bn2: BatchNorm<B>,
    downsample: Option<(Conv2d<B>, BatchNorm<B>)>,
}

impl<B: Backend> BasicBlock<B> {
    pub(crate) fn new(inputs: usize, width: usize, stride: usize, device: &B::Device) -> Self {
        let norm = || BatchNormConfig::new(width).init(device);
        Self {
            conv1: conv([inputs, width], 3, stride, device),
            bn1: norm(),
            conv2: conv([width; 2], 3, 1, device),
            bn2: norm(),
            downsample: (stride != 1 || inputs != width)
                .then(|| (conv([inputs, width], 1, stride, device), norm())),
        }
    }

    pub(crate) fn forward<X: Exec<B>>(&self, x: &mut X, input: X::V<4>) -> X::V<4> {
        let h = x.conv2d(&self.conv1, Some(&self.bn1), input.clone());
        let h = x.relu(h);
        let h = x.conv2d(&self.conv2, Some(&self.bn2), h);
        let past = match &self.downsample {
            Some((conv, norm)) => x.conv2d(conv, Some(norm), input),
            None => input,
        };
        let h = x.add(h, past);
        x.relu(h)
    }

    pub(crate) fn walk(&mut self, v: &mut dyn ParamVisitor<B>, key: &str) {
        params::conv(v, &format!("{key}.conv1"), &mut self.conv1);
        params::batch_norm(v, &format!("{key}.bn1"), &mut self.bn1);
        params::conv(v, &format!("{key}.conv2"), &mut self.conv2);
        params::batch_norm(v, &format!("{key}.bn2"), &mut self.bn2);
        if let Some((conv, norm)) = &mut self.downsample {
            params::conv(v, &format!("{key}.downsample.0"), conv);
            params::batch_norm(v, &format!("{key}.downsample.1"), norm);
        }
    }
}

/// Size of a ResNet-50.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResNetConfig {
    /// Number of outputs.
    pub classes: usize,
}

impl ResNetConfig {
    /// ImageNet classifier as torchvision publishes it.
    #[must_use]
    pub fn resnet50() -> Self {
        Self { classes: 1000 }
    }

    /// One logit, as CNNDetection (Wang et al., CVPR 2020, arXiv 1912.11035) uses it.
    #[must_use]
    pub fn cnndetection() -> Self {
        Self { classes: 1 }
    }

    /// Network with random weights.
    pub fn init<B: Backend>(&self, device: &B::Device) -> ResNet50<B> {
        ResNet50 {
            conv1: conv([3, 64], 7, 2, device),
            bn1: BatchNormConfig::new(64).init(device),
            layer1: Stage::new(64, 64, 3, 1, device),
            layer2: Stage::new(256, 128, 4, 2, device),
            layer3: Stage::new(512, 256, 6, 2, device),
            layer4: Stage::new(1024, 512, 3, 2, device),
            fc: LinearConfig::new(2048, self.classes).init(device),
        }
    }
}

/// ResNet-50 with a linear classifier.
#[derive(Module, Debug)]
pub struct ResNet50<B: Backend> {
    conv1: Conv2d<B>,
    bn1: BatchNorm<B>,
    layer1: Stage<B>,
    layer2: Stage<B>,
    layer3: Stage<B>,
    layer4: Stage<B>,
    fc: Linear<B>,
}

impl<B: Backend> ResNet50<B> {
    /// Logits `[n, classes]` of normalised pictures `[n, 3, h, w]`.
    pub fn forward<X: Exec<B>>(&self, x: &mut X, input: X::V<4>) -> X::V<2> {
        x.tap_conv("conv1", &self.conv1, &input);
        let h = x.conv2d(&self.conv1, Some(&self.bn1), input);
        x.tap("bn1", &h);
        let h = x.relu(h);
        x.tap("relu", &h);
        let h = x.max_pool2d(h, 3, 2, 1);
        x.tap("maxpool", &h);
        let h = self.layer1.forward(x, h, "layer1");
        let h = self.layer2.forward(x, h, "layer2");
        let h = self.layer3.forward(x, h, "layer3");
        let h = self.layer4.forward(x, h, "layer4");
        let h = x.global_avg_pool(h);
        x.tap("avgpool", &h);
        let [n, c, _, _] = x.dims(&h);
        let h = x.reshape(h, [n, c]);
        x.linear(&self.fc, h)
    }
}

impl<B: Backend> Parameters<B> for ResNet50<B> {
    fn walk(&mut self, v: &mut dyn ParamVisitor<B>) {
        params::conv(v, "conv1", &mut self.conv1);
        params::batch_norm(v, "bn1", &mut self.bn1);
        self.layer1.walk(v, "layer1");
        self.layer2.walk(v, "layer2");
        self.layer3.walk(v, "layer3");
        self.layer4.walk(v, "layer4");
        params::linear(v, "fc", &mut self.fc);
    }
}
