//! CLIP's image tower in the layout of OpenAI's files, up to its first block; see [`crate::vit`] for the paper.
//!
//! Detectors that change what comes behind it start from this: [`crate::demamba`], [`crate::sta`]. Joint attention
//! matrices are split ahead of loading ([`crate::vit::split_joint`]).

use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{LayerNorm, LayerNormConfig};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::exec::Exec;
use crate::params::{self, ParamVisitor};
use crate::vit::{CLIP_EPS, VitConfig, embed};

/// What comes before the first block.
#[derive(Module, Debug)]
pub(crate) struct Stem<B: Backend> {
    class: Param<Tensor<B, 1>>,
    position: Param<Tensor<B, 2>>,
    patch: Conv2d<B>,
    norm: LayerNorm<B>,
}

impl<B: Backend> Stem<B> {
    pub(crate) fn new(config: &VitConfig, device: &B::Device) -> Self {
        Self {
            class: Param::from_tensor(Tensor::zeros([config.hidden], device)),
            position: Param::from_tensor(Tensor::zeros([config.tokens(), config.hidden], device)),
            patch: Conv2dConfig::new([3, config.hidden], [config.patch; 2])
                .with_stride([config.patch; 2])
                .with_bias(false)
                .init(device),
            norm: LayerNormConfig::new(config.hidden)
                .with_epsilon(CLIP_EPS)
                .init(device),
        }
    }

    /// Class token and patches with their positions, `[n, tokens, hidden]`, of pictures `[n, 3, image, image]`.
    pub(crate) fn embed<X: Exec<B>>(&self, x: &mut X, input: X::V<4>) -> X::V<3> {
        x.tap_conv("conv1", &self.patch, &input);
        let class = self.class.val().unsqueeze();
        let position = self.position.val().unsqueeze();
        embed(x, &self.patch, class, position, input, "patches")
    }

    /// The normalisation ahead of the first block.
    pub(crate) fn normalise<X: Exec<B>>(&self, x: &mut X, h: X::V<3>) -> X::V<3> {
        let h = x.layer_norm(&self.norm, CLIP_EPS, h);
        x.tap("ln_pre", &h);
        h
    }

    pub(crate) fn walk(&mut self, v: &mut dyn ParamVisitor<B>, key: &str) {
        params::tensor(v, &format!("{key}.class_embedding"), &mut self.class);
        params::tensor(
            v,
            &format!("{key}.positional_embedding"),
            &mut self.position,
        );
        params::conv(v, &format!("{key}.conv1"), &mut self.patch);
        params::layer_norm(v, &format!("{key}.ln_pre"), &mut self.norm);
    }
}

/// Taps tokens `[n, tokens, hidden]` with the token first, as blocks of OpenAI's layout see them.
pub(crate) fn tap_by_token<B: Backend, X: Exec<B>>(x: &mut X, name: &str, h: &X::V<3>) {
    if x.keeps_taps() {
        let h = x.permute(h.clone(), [1, 0, 2]);
        x.tap(name, &h);
    }
}
