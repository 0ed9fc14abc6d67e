//! The image tower of X-CLIP (Ni et al., "Expanding Language-Image Pretrained Models for General Video Recognition", ECCV
//! 2022, arXiv 2208.02816): CLIP's, with messages between the frames of a clip (section 3.2 of the paper).
//!
//! Keys are those of Hugging Face's `XCLIPVisionModel`, with or without the `vision_model.` prefix.

use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::exec::Exec;
use crate::params::{self, ParamVisitor, Parameters};
use crate::vit::{Activation, Attention, Block, CLIP_EPS, VitConfig, embed};
use crate::weights::StateDict;

/// Sizes of X-CLIP's image tower.
#[derive(Clone, Debug, PartialEq)]
pub struct XclipConfig {
    /// CLIP's image tower; its projection has no part here.
    pub tower: VitConfig,
    /// Frames of a clip.
    pub frames: usize,
}

impl XclipConfig {
    /// `xclip-base-patch16`.
    #[must_use]
    pub fn b16() -> Self {
        Self {
            tower: VitConfig::clip_b16(),
            frames: 8,
        }
    }

    /// Tower with random weights.
    pub fn init<B: Backend>(&self, device: &B::Device) -> XclipVision<B> {
        let VitConfig {
            hidden,
            patch,
            heads,
            ..
        } = self.tower;
        let norm = || {
            LayerNormConfig::new(hidden)
                .with_epsilon(CLIP_EPS)
                .init(device)
        };
        let layer = |block| Layer {
            message: LinearConfig::new(hidden, hidden).init(device),
            message_norm: norm(),
            message_attention: Attention::new(hidden, heads, device),
            block,
        };
        let blocks = self.tower.blocks(CLIP_EPS, device).into_iter();
        XclipVision {
            class: Param::from_tensor(Tensor::zeros([hidden], device)),
            patch: Conv2dConfig::new([3, hidden], [patch; 2])
                .with_stride([patch; 2])
                .with_bias(false)
                .init(device),
            position: Param::from_tensor(Tensor::zeros([self.tower.tokens(), hidden], device)),
            pre: norm(),
            layers: blocks.map(layer).collect(),
            post: norm(),
            frames: self.frames,
        }
    }
}

/// A block of CLIP whose attention sees one more token: what the class tokens of all frames say to each other.
#[derive(Module, Debug)]
struct Layer<B: Backend> {
    message: Linear<B>,
    message_norm: LayerNorm<B>,
    message_attention: Attention<B>,
    block: Block<B>,
}

impl<B: Backend> Layer<B> {
    /// Tokens `[n * frames, tokens, hidden]` of the same.
    fn forward<X: Exec<B>>(&self, x: &mut X, input: X::V<3>, frames: usize, name: &str) -> X::V<3> {
        let [images, tokens, hidden] = x.dims(&input);
        let class = x.narrow(input.clone(), 1, 0, 1);
        let class = x.reshape(class, [images, hidden]);
        let message = x.linear(&self.message, class);
        x.tap(&format!("{name}.message_fc"), &message);
        let message = x.fold(message, [images / frames, frames, hidden]);
        let h = x.layer_norm(&self.message_norm, CLIP_EPS, message.clone());
        let h = self.message_attention.forward(x, h);
        x.tap(&format!("{name}.message_attn"), &h);
        let message = x.add(message, h);
        let message = x.fold(message, [images, 1, hidden]);
        let input = x.cat(vec![input, message], 1);
        let h = x.layer_norm(&self.block.norm1, CLIP_EPS, input.clone());
        let h = self.block.attention.forward(x, h);
        x.tap(&format!("{name}.self_attn"), &h);
        let h = x.add(input, h);
        // The message is heard and not kept.
        let input = x.narrow(h, 1, 0, tokens);
        let h = x.layer_norm(&self.block.norm2, CLIP_EPS, input.clone());
        let h = self.block.mlp(x, h, Activation::QuickGelu);
        let h = x.add(input, h);
        x.tap(name, &h);
        h
    }

    fn walk(&mut self, v: &mut dyn ParamVisitor<B>, key: &str) {
        params::linear(v, &format!("{key}.message_fc"), &mut self.message);
        params::layer_norm(v, &format!("{key}.message_ln"), &mut self.message_norm);
        let attention = format!("{key}.message_attn");
        self.message_attention.walk(v, &attention);
        self.block.walk_clip(v, key);
    }
}

/// X-CLIP's image tower.
#[derive(Module, Debug)]
pub struct XclipVision<B: Backend> {
    class: Param<Tensor<B, 1>>,
    patch: Conv2d<B>,
    position: Param<Tensor<B, 2>>,
    pre: LayerNorm<B>,
    layers: Vec<Layer<B>>,
    post: LayerNorm<B>,
    frames: usize,
}

/// What X-CLIP's image tower yields.
pub struct XclipOutput<V2, V3> {
    /// Tokens after the last layer, `[n * frames, tokens, hidden]`.
    pub tokens: V3,
    /// Class token after the last normalisation, `[n * frames, hidden]`.
    pub pooled: V2,
}

impl<B: Backend> XclipVision<B> {
    /// Of frames `[n * frames, 3, image, image]` in ImageNet normalisation, clip by clip.
    pub fn forward<X: Exec<B>>(&self, x: &mut X, input: X::V<4>) -> XclipOutput<X::V<2>, X::V<3>> {
        let h = embed(
            x,
            &self.patch,
            self.class.val().unsqueeze(),
            self.position.val().unsqueeze(),
            input,
            "vision_model.embeddings.patch_embedding",
        );
        x.tap("vision_model.embeddings", &h);
        let mut h = x.layer_norm(&self.pre, CLIP_EPS, h);
        x.tap("vision_model.pre_layernorm", &h);
        for (i, layer) in self.layers.iter().enumerate() {
            let name = format!("vision_model.encoder.layers.{i}");
            h = layer.forward(x, h, self.frames, &name);
        }
        let [images, _, hidden] = x.dims(&h);
        let class = x.narrow(h.clone(), 1, 0, 1);
        let class = x.reshape(class, [images, hidden]);
        let pooled = x.layer_norm(&self.post, CLIP_EPS, class);
        x.tap("vision_model.post_layernorm", &pooled);
        XclipOutput { tokens: h, pooled }
    }

    /// Brings the keys of a published file to the ones used here: the prefix is added where newer layouts drop it,
    /// `position_ids` are left out.
    #[must_use]
    pub fn canonical(dict: StateDict) -> StateDict {
        dict.renamed(|key| {
            if key.ends_with("position_ids") {
                None
            } else if key.starts_with("vision_model.") {
                Some(key.to_owned())
            } else {
                Some(format!("vision_model.{key}"))
            }
        })
    }
}

impl<B: Backend> Parameters<B> for XclipVision<B> {
    fn walk(&mut self, v: &mut dyn ParamVisitor<B>) {
        let p = "vision_model";
        let embeddings = format!("{p}.embeddings");
        params::tensor(v, &format!("{embeddings}.class_embedding"), &mut self.class);
        params::conv(v, &format!("{embeddings}.patch_embedding"), &mut self.patch);
        let position = format!("{embeddings}.position_embedding.weight");
        params::tensor(v, &position, &mut self.position);
        params::layer_norm(v, &format!("{p}.pre_layernorm"), &mut self.pre);
        for (i, layer) in self.layers.iter_mut().enumerate() {
            layer.walk(v, &format!("{p}.encoder.layers.{i}"));
        }
        params::layer_norm(v, &format!("{p}.post_layernorm"), &mut self.post);
    }
}
