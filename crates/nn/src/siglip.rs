//! The image tower of SigLIP and SigLIP 2 (Zhai et al., ICCV 2023, arXiv 2303.15343; Tschannen et al., 2025, arXiv
//! 2502.14786).
//!
//! Keys are those of Hugging Face's `SiglipVisionModel`, with or without the `vision_model.` prefix.

use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::exec::Exec;
use crate::params::{self, ParamVisitor, Parameters};
use crate::vit::{Activation, Block, VitConfig, statistics};
use crate::weights::StateDict;

const EPS: f64 = 1e-6;

impl VitConfig {
    /// The image tower of `siglip2-base-patch16-224`.
    #[must_use]
    pub fn siglip_b16() -> Self {
        Self {
            outputs: 768,
            ..Self::clip_b16()
        }
    }

    /// SigLIP's image tower with random weights.
    pub fn init_siglip<B: Backend>(&self, device: &B::Device) -> SiglipVision<B> {
        let hidden = self.hidden;
        let linear = |inputs, outputs| LinearConfig::new(inputs, outputs).init(device);
        let norm = || LayerNormConfig::new(hidden).with_epsilon(EPS).init(device);
        SiglipVision {
            patch: Conv2dConfig::new([3, hidden], [self.patch; 2])
                .with_stride([self.patch; 2])
                .init(device),
            position: Param::from_tensor(Tensor::zeros([self.tokens() - 1, hidden], device)),
            blocks: self.blocks(EPS, device),
            post: norm(),
            probe: Param::from_tensor(Tensor::zeros([1, 1, hidden], device)),
            joint: linear(hidden, 3 * hidden),
            out: linear(hidden, hidden),
            norm: norm(),
            fc1: linear(hidden, self.mlp),
            fc2: linear(self.mlp, hidden),
            heads: self.heads,
        }
    }
}

/// SigLIP's image tower.
#[derive(Module, Debug)]
pub struct SiglipVision<B: Backend> {
    patch: Conv2d<B>,
    position: Param<Tensor<B, 2>>,
    blocks: Vec<Block<B>>,
    post: LayerNorm<B>,
    /// The query of the attention that pools the tokens.
    probe: Param<Tensor<B, 3>>,
    joint: Linear<B>,
    out: Linear<B>,
    norm: LayerNorm<B>,
    fc1: Linear<B>,
    fc2: Linear<B>,
    heads: usize,
}

/// What the tower yields.
pub struct SiglipOutput<V2, V3> {
    /// Tokens after the last normalisation, `[n, patches, hidden]`.
    pub tokens: V3,
    /// The pooled tokens, `[n, hidden]`.
    pub pooled: V2,
    /// Mean and deviation of the tokens after each block, `[n, hidden]` each, block by block.
    pub statistics: Vec<V2>,
}

impl<B: Backend> SiglipVision<B> {
    /// All outputs for pictures `[n, 3, image, image]`, normalised with mean and deviation .5.
    pub fn forward<X: Exec<B>>(&self, x: &mut X, input: X::V<4>) -> SiglipOutput<X::V<2>, X::V<3>> {
        let h = x.conv2d(&self.patch, None, input);
        let [n, hidden, rows, columns] = x.dims(&h);
        let h = x.reshape(h, [n, hidden, rows * columns]);
        let h = x.permute(h, [0, 2, 1]);
        let position = x.tensor(self.position.val().unsqueeze());
        let mut h = x.add(h, position);
        x.tap("embeddings", &h);
        let mut features = Vec::with_capacity(2 * self.blocks.len());
        for (i, block) in self.blocks.iter().enumerate() {
            let name = format!("encoder.layers.{i}");
            let names = [
                format!("{name}.self_attn"),
                format!("{name}.layer_norm2"),
                name,
            ];
            h = block.forward(x, h, Activation::GeluTanh, EPS, names);
            features.extend(statistics(x, h.clone()));
        }
        let tokens = x.layer_norm(&self.post, EPS, h);
        let pooled = self.pool(x, tokens.clone());
        SiglipOutput {
            tokens,
            pooled,
            statistics: features,
        }
    }

    fn pool<X: Exec<B>>(&self, x: &mut X, tokens: X::V<3>) -> X::V<2> {
        let [n, count, hidden] = x.dims(&tokens);
        let head = hidden / self.heads;
        let joint = |x: &mut X, of: X::V<3>, part: usize| {
            let y = x.linear(&self.joint, of);
            x.narrow(y, 2, part * hidden, hidden)
        };
        let probe = x.param(&self.probe);
        let q = joint(x, probe, 0);
        #[expect(clippy::cast_precision_loss, reason = "a head size is small")]
        let q = x.scale(q, (head as f32).powf(-0.5));
        let q = x.reshape(q, [1, 1, self.heads, head]);
        let q = x.permute(q, [0, 2, 1, 3]);
        let k = joint(x, tokens.clone(), 1);
        let k = x.reshape(k, [n, count, self.heads, head]);
        let k = x.permute(k, [0, 2, 3, 1]);
        let v = joint(x, tokens, 2);
        let v = x.reshape(v, [n, count, self.heads, head]);
        let v = x.permute(v, [0, 2, 1, 3]);
        let weights = x.matmul(q, k);
        let weights = x.softmax(weights);
        let y = x.matmul(weights, v);
        let y = x.reshape(y, [n, 1, hidden]);
        let h = x.linear(&self.out, y);
        let y = x.layer_norm(&self.norm, EPS, h.clone());
        let y = x.linear(&self.fc1, y);
        let y = x.gelu_tanh(y);
        let y = x.linear(&self.fc2, y);
        let y = x.add(h, y);
        x.reshape(y, [n, hidden])
    }

    /// Brings the keys of a published file to the ones used here: the prefix and the joint matrix's name go, keys of
    /// the text tower are left out.
    #[must_use]
    pub fn canonical(dict: &StateDict) -> StateDict {
        dict.clone().renamed(|key| {
            if key.starts_with("text_model.") || key == "logit_scale" || key == "logit_bias" {
                return None;
            }
            let key = key.strip_prefix("vision_model.").unwrap_or(key);
            Some(key.replace(".in_proj_", ".in_proj."))
        })
    }
}

impl<B: Backend> Parameters<B> for SiglipVision<B> {
    fn walk(&mut self, v: &mut dyn ParamVisitor<B>) {
        params::conv(v, "embeddings.patch_embedding", &mut self.patch);
        params::tensor(
            v,
            "embeddings.position_embedding.weight",
            &mut self.position,
        );
        for (i, block) in self.blocks.iter_mut().enumerate() {
            block.walk_clip(v, &format!("encoder.layers.{i}"));
        }
        params::layer_norm(v, "post_layernorm", &mut self.post);
        params::tensor(v, "head.probe", &mut self.probe);
        params::linear(v, "head.attention.in_proj", &mut self.joint);
        params::linear(v, "head.attention.out_proj", &mut self.out);
        params::layer_norm(v, "head.layernorm", &mut self.norm);
        params::linear(v, "head.mlp.fc1", &mut self.fc1);
        params::linear(v, "head.mlp.fc2", &mut self.fc2);
    }
}
