//! GenConViT (Deressa et al., "GenConViT: Deepfake Video Detection Using Generative Convolutional Vision Transformer",
//! Applied Sciences 2025, arXiv 2307.07036): two networks that judge a face beside what an autoencoder makes of it.
//!
//! [`AeNetwork`] (network A of the paper) reconstructs with an autoencoder, [`VaeNetwork`] (network B) with a variational
//! one. Keys are those of the published code on timm 0.6. Files hold layers that no answer depends on: a Swin Transformer,
//! under two names; its projection; in network B also `encoder.fc1`, `encoder.fc2` and `fc3`. They are loaded as all
//! others are.
//!
//! Pictures are faces of 224x224 pixels in ImageNet normalisation. The first of two logits is that of a fake: published
//! predictions are the sigmoid of each, averaged over frames.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::backend::Backend;

use crate::convnext::{ConvNext, ConvNextConfig};
use crate::exec::Exec;
use crate::params::{self, ParamVisitor, Parameters};
use crate::resample::{Filter, Grid, Resampling};
use crate::swin::{Swin, SwinConfig};

/// Slope of the variational autoencoder's rectifiers below zero.
const SLOPE: f32 = 0.01;

/// Sizes of both networks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenConvitConfig {
    /// Side of the picture in pixels.
    pub image: usize,
    /// The network that judges.
    pub backbone: ConvNextConfig,
    /// The network that takes no part.
    pub embedder: SwinConfig,
    /// Channels of the encoder's maps; each is half as wide and high as the one before.
    pub encoder: Vec<usize>,
    /// Channels of the decoder's maps, the picture included; each is twice as wide and high as the one before.
    pub decoder: Vec<usize>,
    /// Channels of the map that the decoder starts from.
    pub latent: usize,
    /// Width of the layer ahead of the answer.
    pub hidden: usize,
}

impl GenConvitConfig {
    /// Network A as published.
    #[must_use]
    pub fn autoencoder() -> Self {
        Self {
            image: 224,
            backbone: ConvNextConfig::tiny(),
            embedder: SwinConfig::tiny(),
            encoder: vec![16, 32, 64, 128, 256],
            decoder: vec![128, 64, 32, 16, 3],
            latent: 256,
            hidden: 500,
        }
    }

    /// Network B as published.
    #[must_use]
    pub fn variational() -> Self {
        Self {
            encoder: vec![16, 32, 64, 128],
            decoder: vec![64, 32, 16, 3],
            ..Self::autoencoder()
        }
    }

    fn encoder<B: Backend>(&self, stride: usize, device: &B::Device) -> Vec<Conv2d<B>> {
        let widths = [3].into_iter().chain(self.encoder.iter().copied());
        let pairs = widths.zip(&self.encoder);
        let conv = |(from, to): (usize, &usize)| {
            Conv2dConfig::new([from, *to], [3; 2])
                .with_stride([stride; 2])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .init(device)
        };
        pairs.map(conv).collect()
    }

    fn decoder<B: Backend>(&self, device: &B::Device) -> Vec<ConvTranspose2d<B>> {
        let widths = [self.latent]
            .into_iter()
            .chain(self.decoder.iter().copied());
        let pairs = widths.zip(&self.decoder);
        let conv = |(from, to): (usize, &usize)| {
            ConvTranspose2dConfig::new([from, *to], [2; 2])
                .with_stride([2; 2])
                .init(device)
        };
        pairs.map(conv).collect()
    }

    fn judge<B: Backend>(&self, device: &B::Device) -> Judge<B> {
        let classes = self.backbone.classes;
        let last = self.backbone.widths.last().copied().unwrap_or_default();
        Judge {
            backbone: self.backbone.init(device),
            embedder: self.embedder.init(device),
            proj: Conv2dConfig::new([self.embedder.classes, last], [1; 2]).init(device),
            fc: LinearConfig::new(2 * classes, self.hidden).init(device),
            fc2: LinearConfig::new(self.hidden, 2).init(device),
        }
    }

    /// Network A with random weights.
    pub fn init_autoencoder<B: Backend>(&self, device: &B::Device) -> AeNetwork<B> {
        AeNetwork {
            encoder: self.encoder(1, device),
            decoder: self.decoder(device),
            judge: self.judge(device),
        }
    }

    /// Network B with random weights.
    pub fn init_variational<B: Backend>(&self, device: &B::Device) -> VaeNetwork<B> {
        let linear = |from, to| LinearConfig::new(from, to).init(device);
        let halved = |times: usize| self.image >> times;
        let seen = self.encoder.last().copied().unwrap_or(3) * halved(self.encoder.len()).pow(2);
        // The decoder starts from half the side of the encoder's last map and ends at half the picture's.
        let side = halved(self.encoder.len() + 1);
        let latent = self.latent * side.pow(2);
        let norm = |width: &usize| BatchNormConfig::new(*width).init(device);
        VaeNetwork {
            convs: self.encoder(2, device),
            norms: self.encoder.iter().map(norm).collect(),
            fc1: linear(seen, 256),
            fc2: linear(256, 128),
            mu: linear(seen, latent),
            var: linear(seen, latent),
            decoder: self.decoder(device),
            side,
            judge: self.judge(device),
            fc3: linear(self.backbone.classes, self.hidden),
        }
    }
}

/// ConvNeXt on two pictures, the answer from both, and what takes no part.
#[derive(Module, Debug)]
struct Judge<B: Backend> {
    backbone: ConvNext<B>,
    embedder: Swin<B>,
    proj: Conv2d<B>,
    fc: Linear<B>,
    fc2: Linear<B>,
}

impl<B: Backend> Judge<B> {
    /// ConvNeXt's logits `[n, classes]` of pictures, with its taps under `name`.
    fn look<X: Exec<B>>(&self, x: &mut X, name: &str, picture: X::V<4>) -> X::V<2> {
        x.within(name, |x| {
            let h = self.backbone.features(x, picture);
            let h = self.backbone.pool(x, h);
            self.backbone.classify(x, h)
        })
    }

    /// Logits `[n, 2]` of two results of [`Self::look`].
    fn decide<X: Exec<B>>(
        &self,
        x: &mut X,
        seen: [X::V<2>; 2],
        activate: fn(&mut X, X::V<2>) -> X::V<2>,
    ) -> X::V<2> {
        let h = x.cat(seen.into(), 1);
        let h = activate(x, h);
        let h = x.linear(&self.fc, h);
        x.tap("fc", &h);
        let h = activate(x, h);
        let h = x.linear(&self.fc2, h);
        x.tap("fc2", &h);
        h
    }

    fn walk_backbone(&mut self, v: &mut dyn ParamVisitor<B>, key: &str) {
        params::nested(v, key, &mut self.backbone);
        let embed = format!("{key}.patch_embed");
        params::nested(v, &format!("{embed}.backbone"), &mut self.embedder);
        params::conv(v, &format!("{embed}.proj"), &mut self.proj);
    }
}

fn rectified<B: Backend, X: Exec<B>>(x: &mut X, h: X::V<2>) -> X::V<2> {
    x.relu(h)
}

fn smooth<B: Backend, X: Exec<B>>(x: &mut X, h: X::V<2>) -> X::V<2> {
    x.gelu(h)
}

/// Network A.
#[derive(Module, Debug)]
pub struct AeNetwork<B: Backend> {
    encoder: Vec<Conv2d<B>>,
    decoder: Vec<ConvTranspose2d<B>>,
    judge: Judge<B>,
}

/// What network A gives.
pub struct AeOutput<V2, V4> {
    /// Logits of fake and real, `[n, 2]`.
    pub logits: V2,
    /// What the encoder keeps, `[n, 256, 7, 7]`.
    pub latent: V4,
    /// What the decoder makes of it, `[n, 3, 224, 224]`; never negative.
    pub reconstruction: V4,
    /// ConvNeXt's logits of the reconstruction, `[n, 1000]`.
    pub of_reconstruction: V2,
    /// ConvNeXt's logits of the picture, `[n, 1000]`.
    pub of_picture: V2,
}

impl<B: Backend> AeNetwork<B> {
    /// Of pictures `[n, 3, 224, 224]`.
    pub fn forward<X: Exec<B>>(&self, x: &mut X, picture: X::V<4>) -> AeOutput<X::V<2>, X::V<4>> {
        let mut h = picture.clone();
        for (i, conv) in self.encoder.iter().enumerate() {
            h = x.conv2d(conv, None, h);
            h = x.relu(h);
            h = x.max_pool2d(h, 2, 2, 0);
            x.tap(&format!("encoder.features.{}", 3 * i + 2), &h);
        }
        let latent = h.clone();
        for conv in &self.decoder {
            h = x.conv_transpose2d(conv, h);
            h = x.relu(h);
        }
        let of_reconstruction = self.judge.look(x, "backbone", h.clone());
        let of_picture = self.judge.look(x, "backbone of the picture", picture);
        let seen = [of_reconstruction.clone(), of_picture.clone()];
        AeOutput {
            logits: self.judge.decide(x, seen, smooth),
            latent,
            reconstruction: h,
            of_reconstruction,
            of_picture,
        }
    }
}

impl<B: Backend> Parameters<B> for AeNetwork<B> {
    fn walk(&mut self, v: &mut dyn ParamVisitor<B>) {
        for (i, conv) in self.encoder.iter_mut().enumerate() {
            params::conv(v, &format!("encoder.features.{}", 3 * i), conv);
        }
        for (i, conv) in self.decoder.iter_mut().enumerate() {
            params::conv_transpose2d(v, &format!("decoder.features.{}", 2 * i), conv);
        }
        self.judge.walk_backbone(v, "backbone");
        params::nested(v, "embedder", &mut self.judge.embedder);
        params::linear(v, "fc", &mut self.judge.fc);
        params::linear(v, "fc2", &mut self.judge.fc2);
    }
}

/// Network B.
#[derive(Module, Debug)]
pub struct VaeNetwork<B: Backend> {
    convs: Vec<Conv2d<B>>,
    norms: Vec<BatchNorm<B>>,
    fc1: Linear<B>,
    fc2: Linear<B>,
    mu: Linear<B>,
    var: Linear<B>,
    decoder: Vec<ConvTranspose2d<B>>,
    /// Side of the map that the decoder starts from.
    side: usize,
    judge: Judge<B>,
    fc3: Linear<B>,
}

/// What network B makes of one draw.
pub struct VaeOutput<V2, V4> {
    /// Logits of fake and real, `[n, 2]`.
    pub logits: V2,
    /// What the decoder makes of the draw, `[n, 3, 112, 112]`.
    pub decoded: V4,
    /// ConvNeXt's logits of it, `[n, 1000]`.
    pub of_decoded: V2,
}

/// What network B sees in a picture, before any draw.
pub struct VaeView<V2> {
    /// What the encoder keeps, `[n, 25088]`.
    pub code: V2,
    /// Mean of the latent, `[n, 12544]`.
    pub mu: V2,
    /// ConvNeXt's logits of the picture, `[n, 1000]`.
    pub of_picture: V2,
}

impl<B: Backend> VaeNetwork<B> {
    /// Of pictures `[n, 3, 224, 224]`.
    pub fn look<X: Exec<B>>(&self, x: &mut X, picture: X::V<4>) -> VaeView<X::V<2>> {
        let mut h = picture.clone();
        for (i, (conv, norm)) in self.convs.iter().zip(&self.norms).enumerate() {
            h = x.conv2d(conv, Some(norm), h);
            h = x.leaky_relu(h, SLOPE);
            x.tap(&format!("encoder.features.{}", 3 * i + 2), &h);
        }
        let [n, width, rows, columns] = x.dims(&h);
        let code = x.reshape(h, [n, width * rows * columns]);
        let mu = x.linear(&self.mu, code.clone());
        x.tap("encoder.mu", &mu);
        VaeView {
            code,
            mu,
            of_picture: self.judge.look(x, "convnext_backbone", picture),
        }
    }

    /// The answer from what [`Self::look`] gives and a draw `noise` of normal numbers, `[n, 12544]`; without one from the
    /// mean, which is the same at every call.
    ///
    /// The published code draws in evaluation, too, and takes the deviation from `mu` where `var` is meant.
    pub fn answer<X: Exec<B>>(
        &self,
        x: &mut X,
        view: &VaeView<X::V<2>>,
        noise: Option<X::V<2>>,
    ) -> VaeOutput<X::V<2>, X::V<4>> {
        let mut z = view.mu.clone();
        if let Some(noise) = noise {
            let half = x.scale(z.clone(), 0.5);
            let deviation = x.exp(half);
            let step = x.mul(noise, deviation);
            z = x.add(z, step);
        }
        let [n, numbers] = x.dims(&z);
        let width = numbers / self.side.pow(2);
        let mut h = x.reshape(z, [n, width, self.side, self.side]);
        for (i, conv) in self.decoder.iter().enumerate() {
            h = x.conv_transpose2d(conv, h);
            h = x.leaky_relu(h, SLOPE);
            x.tap(&format!("decoder.features.{}", 2 * i + 1), &h);
        }
        let of_decoded = self.judge.look(x, "backbone of the decoded", h.clone());
        let seen = [view.of_picture.clone(), of_decoded.clone()];
        VaeOutput {
            logits: self.judge.decide(x, seen, rectified),
            decoded: h,
            of_decoded,
        }
    }

    /// What is decoded at the picture's size, as the published reconstruction loss compares it.
    pub fn resized<X: Exec<B>>(&self, x: &mut X, decoded: X::V<4>) -> X::V<4> {
        let [_, _, rows, columns] = x.dims(&decoded);
        let how = Resampling {
            filter: Filter::Bilinear,
            grid: Grid::HalfPixel,
        };
        x.resize(decoded, [2 * rows, 2 * columns], how)
    }

    /// The published code's divergence of the latent from normal numbers, `[n]`, half of what its formula means. Nothing
    /// else depends on `var`.
    pub fn divergence<X: Exec<B>>(&self, x: &mut X, view: &VaeView<X::V<2>>) -> X::V<1> {
        let var = x.linear(&self.var, view.code.clone());
        let spread = x.exp(var.clone());
        let square = x.mul(view.mu.clone(), view.mu.clone());
        let h = x.shift(var, 1.0);
        let h = x.sub(h, square);
        let h = x.sub(h, spread);
        let [n, numbers] = x.dims(&h);
        let h = x.mean_dim(h, 1);
        let h = x.scale(h, -0.25 * numbers as f32);
        x.reshape(h, [n])
    }
}

impl<B: Backend> Parameters<B> for VaeNetwork<B> {
    fn walk(&mut self, v: &mut dyn ParamVisitor<B>) {
        for (i, (conv, norm)) in self.convs.iter_mut().zip(&mut self.norms).enumerate() {
            params::conv(v, &format!("encoder.features.{}", 3 * i), conv);
            params::batch_norm(v, &format!("encoder.features.{}", 3 * i + 1), norm);
        }
        params::linear(v, "encoder.fc1", &mut self.fc1);
        params::linear(v, "encoder.fc2", &mut self.fc2);
        params::linear(v, "encoder.mu", &mut self.mu);
        params::linear(v, "encoder.var", &mut self.var);
        for (i, conv) in self.decoder.iter_mut().enumerate() {
            params::conv_transpose2d(v, &format!("decoder.features.{}", 2 * i), conv);
        }
        params::nested(v, "embedder", &mut self.judge.embedder);
        self.judge.walk_backbone(v, "convnext_backbone");
        params::linear(v, "fc", &mut self.judge.fc);
        params::linear(v, "fc3", &mut self.fc3);
        params::linear(v, "fc2", &mut self.judge.fc2);
    }
}
