//! DeMamba's two detectors: its block on the tokens of X-CLIP and of CLIP.
//!
//! Tokens stand in the order of the published code, see [`Order::Published`].

use burn::module::Module;
use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::backend::Backend;

use super::zones::{self, Order};
use super::{MambaBlock, MambaConfig};
use crate::exec::Exec;
use crate::openai_clip::{Stem, tap_by_token};
use crate::params::{self, ParamVisitor, Parameters};
use crate::vit::{Activation, Block, CLIP_EPS, VitConfig, split_joint};
use crate::weights::StateDict;
use crate::xclip::{XclipConfig, XclipVision};

/// Sizes of a detector.
#[derive(Clone, Debug, PartialEq)]
pub struct DemambaConfig {
    /// The encoder of frames.
    pub encoder: XclipConfig,
    /// Side of a zone in tokens.
    pub zone: usize,
}

impl DemambaConfig {
    /// On X-CLIP ViT-B/16, zones of one token.
    #[must_use]
    pub fn xclip() -> Self {
        Self {
            encoder: XclipConfig::b16(),
            zone: 1,
        }
    }

    /// On CLIP ViT-B/16, zones of 2x2.
    #[must_use]
    pub fn clip() -> Self {
        Self {
            zone: 2,
            ..Self::xclip()
        }
    }

    fn zones(&self) -> Zones {
        let VitConfig { image, patch, .. } = self.encoder.tower;
        Zones {
            frames: self.encoder.frames,
            grid: image / patch,
            side: self.zone,
        }
    }

    /// The detector on X-CLIP with random weights.
    pub fn init_xclip<B: Backend>(&self, device: &B::Device) -> XclipDemamba<B> {
        let hidden = self.encoder.tower.hidden;
        let zones = self.zones();
        let numbers = zones.count() * hidden;
        let norm = |width| LayerNormConfig::new(width).with_epsilon(EPS).init(device);
        XclipDemamba {
            encoder: self.encoder.init(device),
            mamba: MambaConfig::demamba(hidden).init(device),
            fc1: LinearConfig::new(hidden + numbers, 1).init(device),
            sequences_norm: norm(numbers),
            global_norm: norm(hidden),
            zones,
        }
    }

    /// The detector on CLIP with random weights.
    pub fn init_clip<B: Backend>(&self, device: &B::Device) -> ClipDemamba<B> {
        let tower = &self.encoder.tower;
        let zones = self.zones();
        ClipDemamba {
            stem: Stem::new(tower, device),
            blocks: tower.blocks(CLIP_EPS, device),
            post: LayerNormConfig::new(tower.hidden)
                .with_epsilon(CLIP_EPS)
                .init(device),
            proj: LinearConfig::new(tower.hidden, tower.outputs)
                .with_bias(false)
                .init(device),
            mamba: MambaConfig::demamba(tower.outputs).init(device),
            fc1: LinearConfig::new((1 + zones.count()) * tower.outputs, 1).init(device),
            zones,
        }
    }
}

const EPS: f64 = 1e-5;

/// How the tokens of a clip are cut.
#[derive(Clone, Copy, Debug)]
struct Zones {
    frames: usize,
    grid: usize,
    side: usize,
}

impl Zones {
    fn count(self) -> usize {
        (self.grid / self.side).pow(2)
    }

    /// Sequences `[n * sequences, length, width]` of patch tokens `[n * frames, tokens, width]`.
    fn sequences<B: Backend, X: Exec<B>>(self, x: &mut X, patches: X::V<3>) -> X::V<3> {
        let [images, tokens, width] = x.dims(&patches);
        let clips = images / self.frames;
        let h = x.fold(patches, [clips, self.frames * tokens, width]);
        let order = zones::sequences(self.frames, self.grid, self.side, Order::Published);
        let h = x.select(h, 1, &order.concat());
        let length = self.frames * self.side.pow(2);
        let h = x.fold(h, [clips * self.count(), length, width]);
        x.tap("sequences", &h);
        h
    }

    /// Mean of each sequence after the block, `[n, sequences * width]`.
    fn scan<B: Backend, X: Exec<B>>(
        self,
        x: &mut X,
        mamba: &MambaBlock<B>,
        sequences: X::V<3>,
    ) -> X::V<2> {
        let [all, _, width] = x.dims(&sequences);
        let h = x.within("mamba", |x| mamba.forward(x, sequences));
        x.tap("mamba", &h);
        let h = x.mean_dim(h, 1);
        x.fold(h, [all / self.count(), self.count() * width])
    }
}

/// DeMamba on X-CLIP.
#[derive(Module, Debug)]
pub struct XclipDemamba<B: Backend> {
    encoder: XclipVision<B>,
    mamba: MambaBlock<B>,
    fc1: Linear<B>,
    /// One normalisation over the numbers of all sequences.
    sequences_norm: LayerNorm<B>,
    global_norm: LayerNorm<B>,
    #[module(skip)]
    zones: Zones,
}

/// Frames `[n * frames, 3, h, w]` of clips `[n, frames, 3, h, w]`.
fn frames<B: Backend, X: Exec<B>>(x: &mut X, clips: X::V<5>) -> X::V<4> {
    let [n, frames, channels, height, width] = x.dims(&clips);
    x.fold(clips, [n * frames, channels, height, width])
}

impl<B: Backend> XclipDemamba<B> {
    /// Logits `[n, 1]` (1: generated) of clips `[n, 8, 3, 224, 224]` in ImageNet normalisation.
    pub fn forward<X: Exec<B>>(&self, x: &mut X, clips: X::V<5>) -> X::V<2> {
        let pictures = frames(x, clips);
        let seen = x.within("encoder", |x| self.encoder.forward(x, pictures));
        let [images, tokens, width] = x.dims(&seen.tokens);
        let patches = x.narrow(seen.tokens, 1, 1, tokens - 1);
        let sequences = self.zones.sequences(x, patches);
        let h = self.zones.scan(x, &self.mamba, sequences);
        let h = x.layer_norm(&self.sequences_norm, EPS, h);
        x.tap("fc_norm", &h);
        let clips = images / self.zones.frames;
        let global = x.fold(seen.pooled, [clips, self.zones.frames, width]);
        let global = x.mean_dim(global, 1);
        let global = x.reshape(global, [clips, width]);
        let global = x.layer_norm(&self.global_norm, EPS, global);
        x.tap("fc_norm2", &global);
        let h = x.cat(vec![global, h], 1);
        x.linear(&self.fc1, h)
    }

    /// Brings the keys of a published file to the ones used here: trained files have `module.` ahead of each.
    #[must_use]
    pub fn canonical(dict: StateDict) -> StateDict {
        dict.renamed(|key| Some(key.strip_prefix("module.").unwrap_or(key).to_owned()))
    }
}

impl<B: Backend> Parameters<B> for XclipDemamba<B> {
    fn walk(&mut self, v: &mut dyn ParamVisitor<B>) {
        params::nested(v, "encoder", &mut self.encoder);
        params::nested(v, "mamba", &mut self.mamba);
        params::linear(v, "fc1", &mut self.fc1);
        params::layer_norm(v, "fc_norm", &mut self.sequences_norm);
        params::layer_norm(v, "fc_norm2", &mut self.global_norm);
    }
}

/// DeMamba on CLIP.
#[derive(Module, Debug)]
pub struct ClipDemamba<B: Backend> {
    stem: Stem<B>,
    blocks: Vec<Block<B>>,
    post: LayerNorm<B>,
    proj: Linear<B>,
    mamba: MambaBlock<B>,
    fc1: Linear<B>,
    #[module(skip)]
    zones: Zones,
}

/// The encoder of frames in files of [`ClipDemamba`].
const CLIP: &str = "clip_model";

impl<B: Backend> ClipDemamba<B> {
    /// Logits `[n, 1]` (1: generated) of clips `[n, 8, 3, 224, 224]` in ImageNet normalisation.
    pub fn forward<X: Exec<B>>(&self, x: &mut X, clips: X::V<5>) -> X::V<2> {
        let pictures = frames(x, clips);
        let patches = x.within("clip_model.visual", |x| self.encode(x, pictures));
        let sequences = self.zones.sequences(x, patches.clone());
        let h = self.zones.scan(x, &self.mamba, sequences);
        let [images, tokens, width] = x.dims(&patches);
        let clips = images / self.zones.frames;
        let all = x.fold(patches, [clips, self.zones.frames * tokens, width]);
        let global = x.mean_dim(all, 1);
        let global = x.reshape(global, [clips, width]);
        let h = x.cat(vec![global, h], 1);
        let h = x.linear(&self.fc1, h);
        x.tap("fc1", &h);
        h
    }

    /// Projected patch tokens `[n, tokens, width]` of pictures.
    fn encode<X: Exec<B>>(&self, x: &mut X, pictures: X::V<4>) -> X::V<3> {
        let h = self.stem.embed(x, pictures);
        let mut h = self.stem.normalise(x, h);
        for (i, block) in self.blocks.iter().enumerate() {
            let names = ["attn", "ln_2", "out"].map(|part| format!("block {i} {part}"));
            h = block.forward(x, h, Activation::QuickGelu, CLIP_EPS, names);
            tap_by_token(x, &format!("transformer.resblocks.{i}"), &h);
        }
        let [_, tokens, _] = x.dims(&h);
        let h = x.narrow(h, 1, 1, tokens - 1);
        let h = x.layer_norm(&self.post, CLIP_EPS, h);
        x.tap("ln_post", &h);
        x.linear(&self.proj, h)
    }

    /// Brings the keys of a published file to the ones used here. CLIP's text tower and `bn1` take no part and are left
    /// out.
    #[must_use]
    pub fn canonical(dict: StateDict) -> StateDict {
        let dict = dict.renamed(|key| {
            let key = key.strip_prefix("module.").unwrap_or(key);
            let part = key.strip_prefix(CLIP).and_then(|k| k.strip_prefix('.'));
            let unused =
                part.is_some_and(|part| !part.starts_with("visual.")) || key.starts_with("bn1.");
            (!unused).then(|| key.to_owned())
        });
        split_joint(&dict)
    }
}

impl<B: Backend> Parameters<B> for ClipDemamba<B> {
    fn walk(&mut self, v: &mut dyn ParamVisitor<B>) {
        let p = format!("{CLIP}.visual");
        // Kept as it is multiplied, not as a linear layer.
        params::tensor(v, &format!("{p}.proj"), &mut self.proj.weight);
        self.stem.walk(v, &p);
        for (i, block) in self.blocks.iter_mut().enumerate() {
            block.walk_openai(v, &format!("{p}.transformer.resblocks.{i}"));
        }
        params::layer_norm(v, &format!("{p}.ln_post"), &mut self.post);
        params::nested(v, "mamba", &mut self.mamba);
        params::linear(v, "fc1", &mut self.fc1);
    }
}
