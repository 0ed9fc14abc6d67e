//! The spatio-temporal adapter and its detector (Yan et al., "Generalizing Deepfake Video Detection with Plug-and-Play:
//! Video-Level Blending and Spatiotemporal Adapter Tuning", CVPR 2025, arXiv 2408.17065).
//!
//! The detector is the first 14 blocks of CLIP ViT-L/14 with an adapter behind each. Keys are those of the published code.
//! Its convolutions over clips look along frames or within one, never both, and so are planar convolutions here.
//!
//! The published adapter mixes the clips of a batch ([`AdapterConfig::mixes`]). A clip alone is not touched by that, and the
//! detector here takes each as if it were alone.

use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{
    BatchNorm, BatchNormConfig, LayerNorm, LayerNormConfig, Linear, LinearConfig, PaddingConfig2d,
};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::exec::Exec;
use crate::openai_clip::{Stem, tap_by_token};
use crate::params::{self, ParamVisitor, Parameters};
use crate::vit::{Activation, Attention, Block, CLIP_EPS, VitConfig, split_joint};
use crate::weights::StateDict;

/// Sizes of an adapter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdapterConfig {
    /// Width of a token outside.
    pub outer: usize,
    /// Width of a token inside.
    pub inner: usize,
    /// Sides of the windows of the three branches, in tokens and in frames.
    pub kernels: Vec<usize>,
    /// Convolutions of a branch.
    pub depth: usize,
    /// Attention heads.
    pub heads: usize,
    /// Frames of a clip.
    pub frames: usize,
    /// Whether clips of a batch are mixed as in the published code, where the tokens of a frame of all clips, clip by
    /// clip, are read as if they came place by place: a clip's attention sees tokens of the others, and its answer depends
    /// on them. Only a comparison with that code has a use for it.
    pub mixes: bool,
}

impl AdapterConfig {
    /// As published, for the numbers that the published code gives for a batch.
    #[must_use]
    pub fn mixing() -> Self {
        Self {
            mixes: true,
            ..Self::published()
        }
    }

    /// As published, each clip for itself.
    #[must_use]
    pub fn published() -> Self {
        Self {
            outer: 1024,
            inner: 512,
            kernels: vec![3, 5, 7],
            depth: 3,
            heads: 2,
            frames: 8,
            mixes: false,
        }
    }

    /// Adapter with random weights.
    pub fn init<B: Backend>(&self, device: &B::Device) -> Adapter<B> {
        let inner = self.inner;
        let branches = |kernel: fn(usize) -> [usize; 2]| {
            let branch = |side: &usize| Branch::new(inner, kernel(*side), self.depth, device);
            self.kernels.iter().map(branch).collect()
        };
        let attention = || Attention::new(inner, self.heads, device);
        Adapter {
            down: LinearConfig::new(self.outer, inner).init(device),
            spatial: branches(|side| [side; 2]),
            // Along frames, the other side being all places of a frame.
            temporal: branches(|side| [side, 1]),
            temporal_asks: attention(),
            spatial_asks: attention(),
            up: LinearConfig::new(inner, self.outer).init(device),
            frames: self.frames,
            mixes: self.mixes,
        }
    }
}

/// Depthwise convolutions with their normalisations, rectified but for the last.
#[derive(Module, Debug)]
struct Branch<B: Backend> {
    convs: Vec<Conv2d<B>>,
    norms: Vec<BatchNorm<B>>,
}

impl<B: Backend> Branch<B> {
    fn new(width: usize, kernel: [usize; 2], depth: usize, device: &B::Device) -> Self {
        let [rows, columns] = kernel.map(|side| side / 2);
        let conv = |_| {
            Conv2dConfig::new([width; 2], kernel)
                .with_padding(PaddingConfig2d::Explicit(rows, columns, rows, columns))
                .with_groups(width)
                .init(device)
        };
        let norm = |_| BatchNormConfig::new(width).init(device);
        Self {
            convs: (0..depth).map(conv).collect(),
            norms: (0..depth).map(norm).collect(),
        }
    }

    fn forward<X: Exec<B>>(&self, x: &mut X, mut h: X::V<4>) -> X::V<4> {
        for (i, (conv, norm)) in self.convs.iter().zip(&self.norms).enumerate() {
            if i > 0 {
                h = x.relu(h);
            }
            h = x.conv2d(conv, Some(norm), h);
        }
        h
    }

    /// `sizes` are those of a published kernel `[t, h, w]`.
    fn walk(&mut self, v: &mut dyn ParamVisitor<B>, key: &str, sizes: [usize; 3]) {
        let [t, h, w] = sizes;
        for (i, (conv, norm)) in (1..).zip(self.convs.iter_mut().zip(&mut self.norms)) {
            let [width, one, _, _] = conv.weight.dims();
            let shape = [width, one, t, h, w];
            params::conv_of_clips(v, &format!("{key}.conv{i}"), shape, conv);
            params::batch_norm(v, &format!("{key}.bn{i}"), norm);
        }
    }
}

/// The mean of what `branches` make of a map, plus the map. `clip` brings a map to `[n, c, t, h, w]` for taps.
fn mix<B: Backend, X: Exec<B>>(
    x: &mut X,
    branches: &[Branch<B>],
    name: &str,
    input: X::V<4>,
    clip: impl Fn(&mut X, X::V<4>) -> X::V<5>,
) -> X::V<4> {
    let mut sum: Option<X::V<4>> = None;
    for (i, branch) in (1..).zip(branches) {
        let h = branch.forward(x, input.clone());
        if x.keeps_taps() {
            let h = clip(x, h.clone());
            x.tap(&format!("{name}_conv{i}"), &h);
        }
        sum = Some(match sum {
            Some(sum) => x.add(sum, h),
            None => h,
        });
    }
    let Some(sum) = sum else {
        return input;
    };
    let mean = x.scale(sum, 1.0 / branches.len() as f32);
    x.add(input, mean)
}

/// The adapter.
#[derive(Module, Debug)]
pub struct Adapter<B: Backend> {
    down: Linear<B>,
    spatial: Vec<Branch<B>>,
    temporal: Vec<Branch<B>>,
    temporal_asks: Attention<B>,
    spatial_asks: Attention<B>,
    up: Linear<B>,
    frames: usize,
    mixes: bool,
}

impl<B: Backend> Adapter<B> {
    /// Tokens `[n * frames, 1 + side^2, outer]` of the same, clip by clip; the class token stands first and sees no other.
    pub fn forward<X: Exec<B>>(&self, x: &mut X, input: X::V<3>, side: usize) -> X::V<3> {
        let [images, _, _] = x.dims(&input);
        let (frames, clips, places) = (self.frames, images / self.frames, side.pow(2));
        let h = x.linear(&self.down, input.clone());
        tap_by_token(x, "down", &h);
        let h = x.gelu(h);
        let [_, _, inner] = x.dims(&h);
        let class = x.narrow(h.clone(), 1, 0, 1);
        let patches = x.narrow(h, 1, 1, places);

        // Maps of frames, [n * t, c, h, w].
        let map = x.permute(patches.clone(), [0, 2, 1]);
        let map = x.reshape(map, [images, inner, side, side]);
        let of_frames = |x: &mut X, h: X::V<4>| {
            let h = x.fold(h, [clips, frames, inner, side, side]);
            x.permute(h, [0, 2, 1, 3, 4])
        };
        let spatial = mix(x, &self.spatial, "s", map, of_frames);
        // Frames over places, [n, c, t, h * w].
        let map = x.fold(patches, [clips, frames, places, inner]);
        let map = x.permute(map, [0, 3, 1, 2]);
        let of_places = |x: &mut X, h: X::V<4>| x.reshape(h, [clips, inner, frames, side, side]);
        let temporal = mix(x, &self.temporal, "t", map, of_places);
        if x.keeps_taps() {
            let h = of_frames(x, spatial.clone());
            x.tap("spatial", &h);
            let h = of_places(x, temporal.clone());
            x.tap("temporal", &h);
        }

        // Tokens of a clip by frame, row and column.
        let spatial = x.permute(spatial, [0, 2, 3, 1]);
        let spatial = x.fold(spatial, [clips, frames, places, inner]);
        let temporal = x.permute(temporal, [0, 2, 3, 1]);
        let [spatial, temporal] = [spatial, temporal].map(|h| {
            if self.mixes {
                let h = x.permute(h, [1, 0, 2, 3]);
                let h = x.fold(h, [frames * places, clips, inner]);
                x.permute(h, [1, 0, 2])
            } else {
                x.reshape(h, [clips, frames * places, inner])
            }
        });
        let (by_time, by_space) = (temporal.clone(), spatial.clone());
        let first = self.temporal_asks.across(x, by_time, spatial);
        let second = self.spatial_asks.across(x, by_space, temporal);
        if x.keeps_taps() {
            for (i, name, h) in [
                (0, "spatial_to_temporal", &first),
                (1, "temporal_to_spatial", &second),
            ] {
                let h = x.permute(h.clone(), [0, 2, 1]);
                let h = x.reshape(h, [clips, inner, frames, side, side]);
                x.tap(name, &h);
                x.tap(&format!("cross_attention:{i}"), &h);
            }
        }
        let h = x.add(first, second);
        let h = x.scale(h, 0.5);
        let h = x.gelu(h);
        let h = x.fold(h, [images, places, inner]);
        let h = x.cat(vec![class, h], 1);
        let h = x.linear(&self.up, h);
        tap_by_token(x, "up", &h);
        let h = x.gelu(h);
        x.add(input, h)
    }

    /// Brings the keys of a published file to the ones used here.
    #[must_use]
    pub fn canonical(dict: &StateDict) -> StateDict {
        split_joint(dict)
    }
}

impl<B: Backend> Parameters<B> for Adapter<B> {
    fn walk(&mut self, v: &mut dyn ParamVisitor<B>) {
        params::linear(v, "down", &mut self.down);
        for (i, branch) in (1..).zip(&mut self.spatial) {
            let [h, w] = branch.convs[0].kernel_size;
            branch.walk(v, &format!("s_conv{i}"), [1, h, w]);
        }
        for (i, branch) in (1..).zip(&mut self.temporal) {
            let [t, _] = branch.convs[0].kernel_size;
            branch.walk(v, &format!("t_conv{i}"), [t, 1, 1]);
        }
        params::linear(v, "up", &mut self.up);
        // Named by where the answers go.
        let key = "cross_attention";
        self.temporal_asks
            .walk(v, &format!("{key}.spatial_to_temporal"));
        self.spatial_asks
            .walk(v, &format!("{key}.temporal_to_spatial"));
    }
}

/// Sizes of the detector.
#[derive(Clone, Debug, PartialEq)]
pub struct StaConfig {
    /// CLIP's image tower, as many blocks as are used.
    pub tower: VitConfig,
    /// The adapter behind each block.
    pub adapter: AdapterConfig,
}

impl StaConfig {
    /// As published.
    #[must_use]
    pub fn published() -> Self {
        Self {
            tower: VitConfig {
                depth: 14,
                ..VitConfig::clip_l14()
            },
            adapter: AdapterConfig::published(),
        }
    }

    /// Detector with random weights.
    pub fn init<B: Backend>(&self, device: &B::Device) -> Sta<B> {
        let hidden = self.tower.hidden;
        let frames = self.adapter.frames;
        let blocks = self.tower.blocks(CLIP_EPS, device);
        Sta {
            stem: Stem::new(&self.tower, device),
            time: Param::from_tensor(Tensor::zeros([1, frames, hidden], device)),
            adapters: blocks.iter().map(|_| self.adapter.init(device)).collect(),
            blocks,
            post: LayerNormConfig::new(hidden)
                .with_epsilon(CLIP_EPS)
                .init(device),
            head: LinearConfig::new(hidden, 2).init(device),
            side: self.tower.image / self.tower.patch,
        }
    }
}

/// The detector.
#[derive(Module, Debug)]
pub struct Sta<B: Backend> {
    stem: Stem<B>,
    /// What tells frames apart, `[1, frames, hidden]`.
    time: Param<Tensor<B, 3>>,
    blocks: Vec<Block<B>>,
    adapters: Vec<Adapter<B>>,
    post: LayerNorm<B>,
    head: Linear<B>,
    side: usize,
}

impl<B: Backend> Sta<B> {
    /// Class token of each frame after the last normalisation, `[n, frames, hidden]`, of clips of aligned faces
    /// `[n, frames, 3, image, image]` in CLIP normalisation.
    pub fn features<X: Exec<B>>(&self, x: &mut X, clips: X::V<5>) -> X::V<3> {
        let [n, frames, channels, height, width] = x.dims(&clips);
        let h = x.fold(clips, [n * frames, channels, height, width]);
        x.within("backbone", |x| self.encode(x, h, [n, frames]))
    }

    /// `clips` are the number of clips and that of their frames.
    fn encode<X: Exec<B>>(&self, x: &mut X, pictures: X::V<4>, clips: [usize; 2]) -> X::V<3> {
        let h = self.stem.embed(x, pictures);
        let [images, tokens, hidden] = x.dims(&h);
        let [n, frames] = clips;
        let h = x.fold(h, [n, frames, tokens, hidden]);
        let time = x.tensor(self.time.val().reshape([1, frames, 1, hidden]));
        let h = x.add(h, time);
        let h = x.fold(h, [images, tokens, hidden]);
        let mut h = self.stem.normalise(x, h);
        for (i, (block, adapter)) in self.blocks.iter().zip(&self.adapters).enumerate() {
            let name = format!("transformer.resblocks.{i}");
            let seen = x.layer_norm(&block.norm1, CLIP_EPS, h.clone());
            let seen = block.attention.forward(x, seen);
            tap_by_token(x, &format!("{name}.attn"), &seen);
            h = x.add(h, seen);
            let seen = x.layer_norm(&block.norm2, CLIP_EPS, h.clone());
            let seen = block.mlp(x, seen, Activation::QuickGelu);
            tap_by_token(x, &format!("{name}.mlp"), &seen);
            h = x.add(h, seen);
            h = x.within(&format!("{name}.Adapter"), |x| {
                adapter.forward(x, h, self.side)
            });
            tap_by_token(x, &name, &h);
        }
        let class = x.narrow(h, 1, 0, 1);
        let h = x.fold(class, [n, frames, hidden]);
        x.layer_norm(&self.post, CLIP_EPS, h)
    }

    /// Logits of real and fake, `[n, 2]`, of features, see [`Self::features`].
    pub fn classify<X: Exec<B>>(&self, x: &mut X, features: X::V<3>) -> X::V<2> {
        let [n, _, hidden] = x.dims(&features);
        let h = x.mean_dim(features, 1);
        let h = x.reshape(h, [n, hidden]);
        x.linear(&self.head, h)
    }

    /// Brings the keys of a published file to the ones used here.
    #[must_use]
    pub fn canonical(dict: &StateDict) -> StateDict {
        split_joint(dict)
    }
}

impl<B: Backend> Parameters<B> for Sta<B> {
    fn walk(&mut self, v: &mut dyn ParamVisitor<B>) {
        let p = "backbone";
        params::tensor(v, &format!("{p}.temporal_embedding"), &mut self.time);
        self.stem.walk(v, p);
        for (i, (block, adapter)) in (0..).zip(self.blocks.iter_mut().zip(&mut self.adapters)) {
            let key = format!("{p}.transformer.resblocks.{i}");
            block.walk_openai(v, &key);
            params::nested(v, &format!("{key}.Adapter"), adapter);
        }
        params::layer_norm(v, &format!("{p}.ln_post"), &mut self.post);
        params::linear(v, "head.fc_cls", &mut self.head);
    }
}
