//! DINOv2 (Oquab et al., "DINOv2: Learning Robust Visual Features without Supervision", TMLR 2024, arXiv 2304.07193).
//!
//! Keys are those of the published files. Positions are learnt for one size and resampled for others, with a factor
//! of `(n + 0.1) / m` where `n / m` is meant: the published networks were trained and are used with it.

use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::exec::{BatchNormMode, Eager, Exec};
use crate::params::{self, ParamVisitor, Parameters};
use crate::resample::{Filter, Grid, Resampling};

const EPS: f64 = 1e-6;

/// What is added to a number of patches ahead of dividing by the learnt number.
const OFFSET: f64 = 0.1;

/// Sizes of a DINOv2 tower.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DinoV2Config {
    /// Side of a patch in pixels.
    pub patch: usize,
    /// Patches a side that positions are learnt for.
    pub learnt: usize,
    /// Width of a token.
    pub hidden: usize,
    /// Number of blocks.
    pub depth: usize,
    /// Attention heads.
    pub heads: usize,
}

impl DinoV2Config {
    /// `dinov2_vits14`.
    #[must_use]
    pub fn vits14() -> Self {
        Self {
            patch: 14,
            learnt: 37,
            hidden: 384,
            depth: 12,
            heads: 6,
        }
    }

    /// Tower with random weights.
    pub fn init<B: Backend>(&self, device: &B::Device) -> DinoV2<B> {
        let zeros = |tokens| Param::from_tensor(Tensor::zeros([1, tokens, self.hidden], device));
        DinoV2 {
            class: zeros(1),
            position: zeros(1 + self.learnt.pow(2)),
            mask: Param::from_tensor(Tensor::zeros([1, self.hidden], device)),
            patch: Conv2dConfig::new([3, self.hidden], [self.patch; 2])
                .with_stride([self.patch; 2])
                .init(device),
            blocks: (0..self.depth)
                .map(|_| Block::new(self.hidden, self.heads, device))
                .collect(),
            norm: LayerNormConfig::new(self.hidden)
                .with_epsilon(EPS)
                .init(device),
            learnt: self.learnt,
        }
    }
}

/// Pre-norm transformer block whose residuals are scaled channel by channel.
#[derive(Module, Debug)]
struct Block<B: Backend> {
    norm1: LayerNorm<B>,
    qkv: Linear<B>,
    proj: Linear<B>,
    scale1: Param<Tensor<B, 1>>,
    norm2: LayerNorm<B>,
    fc1: Linear<B>,
    fc2: Linear<B>,
    scale2: Param<Tensor<B, 1>>,
    heads: usize,
}

impl<B: Backend> Block<B> {
    fn new(hidden: usize, heads: usize, device: &B::Device) -> Self {
        let norm = || LayerNormConfig::new(hidden).with_epsilon(EPS).init(device);
        let linear = |inputs, outputs| LinearConfig::new(inputs, outputs).init(device);
        let scale = || Param::from_tensor(Tensor::ones([hidden], device));
        Self {
            norm1: norm(),
            qkv: linear(hidden, 3 * hidden),
            proj: linear(hidden, hidden),
            scale1: scale(),
            norm2: norm(),
            fc1: linear(hidden, 4 * hidden),
            fc2: linear(4 * hidden, hidden),
            scale2: scale(),
            heads,
        }
    }

    fn attention<X: Exec<B>>(&self, x: &mut X, input: X::V<3>) -> X::V<3> {
        let [n, tokens, hidden] = x.dims(&input);
        let head = hidden / self.heads;
        let qkv = x.linear(&self.qkv, input);
        let part = |x: &mut X, i: usize, axes| {
            let y = x.narrow(qkv.clone(), 2, i * hidden, hidden);
            let y = x.reshape(y, [n, tokens, self.heads, head]);
            x.permute(y, axes)
        };
        let q = part(x, 0, [0, 2, 1, 3]);
        let k = part(x, 1, [0, 2, 3, 1]);
        let v = part(x, 2, [0, 2, 1, 3]);
        #[expect(clippy::cast_precision_loss, reason = "a head size is small")]
        let q = x.scale(q, (head as f32).powf(-0.5));
        let weights = x.matmul(q, k);
        let weights = x.softmax(weights);
        let y = x.matmul(weights, v);
        let y = x.permute(y, [0, 2, 1, 3]);
        let y = x.reshape(y, [n, tokens, hidden]);
        x.linear(&self.proj, y)
    }

    fn forward<X: Exec<B>>(&self, x: &mut X, input: X::V<3>, name: &str) -> X::V<3> {
        let h = x.layer_norm(&self.norm1, EPS, input.clone());
        let h = self.attention(x, h);
        x.tap(&format!("{name}.attn"), &h);
        let scale = x.along(&self.scale1, 2);
        let h = x.mul(h, scale);
        let input = x.add(input, h);
        let h = x.layer_norm(&self.norm2, EPS, input.clone());
        let h = x.linear(&self.fc1, h);
        let h = x.gelu(h);
        let h = x.linear(&self.fc2, h);
        let scale = x.along(&self.scale2, 2);
        let h = x.mul(h, scale);
        let h = x.add(input, h);
        x.tap(name, &h);
        h
    }

    fn walk(&mut self, v: &mut dyn ParamVisitor<B>, key: &str) {
        params::layer_norm(v, &format!("{key}.norm1"), &mut self.norm1);
        params::linear(v, &format!("{key}.attn.qkv"), &mut self.qkv);
        params::linear(v, &format!("{key}.attn.proj"), &mut self.proj);
        params::tensor(v, &format!("{key}.ls1.gamma"), &mut self.scale1);
        params::layer_norm(v, &format!("{key}.norm2"), &mut self.norm2);
        params::linear(v, &format!("{key}.mlp.fc1"), &mut self.fc1);
        params::linear(v, &format!("{key}.mlp.fc2"), &mut self.fc2);
        params::tensor(v, &format!("{key}.ls2.gamma"), &mut self.scale2);
    }
}

/// DINOv2's tower.
#[derive(Module, Debug)]
pub struct DinoV2<B: Backend> {
    class: Param<Tensor<B, 3>>,
    position: Param<Tensor<B, 3>>,
    /// Stands for hidden patches in training alone; every published file holds it.
    mask: Param<Tensor<B, 2>>,
    patch: Conv2d<B>,
    blocks: Vec<Block<B>>,
    norm: LayerNorm<B>,
    learnt: usize,
}

/// What the tower yields.
pub struct DinoV2Output<V3> {
    /// Tokens after the last normalisation, class token first, `[n, 1 + patches, hidden]`.
    pub tokens: V3,
    /// The same ahead of it.
    pub prenorm: V3,
}

impl<B: Backend> DinoV2<B> {
    /// Positions of `rows x columns` patches, `[1, rows * columns, hidden]`.
    fn positions(&self, rows: usize, columns: usize) -> Tensor<B, 3> {
        let side = self.learnt;
        let learnt = self.position.val().narrow(1, 1, side * side);
        if [rows, columns] == [side, side] {
            return learnt;
        }
        let [_, _, hidden] = learnt.dims();
        let map = learnt
            .reshape([1, side, side, hidden])
            .permute([0, 3, 1, 2]);
        let factors = [rows, columns].map(|n| (n as f64 + OFFSET) / side as f64);
        let how = Resampling {
            filter: Filter::Bicubic,
            grid: Grid::Factors(factors),
        };
        // Constant for a size, so that a graph holds the result alone.
        let mut eager = Eager::new(BatchNormMode::Running);
        let map = Exec::<B>::resize(&mut eager, map, [rows, columns], how);
        map.permute([0, 2, 3, 1])
            .reshape([1, rows * columns, hidden])
    }

    /// Tokens of normalised pictures `[n, 3, h, w]` whose sides are multiples of the patch.
    pub fn forward<X: Exec<B>>(&self, x: &mut X, input: X::V<4>) -> DinoV2Output<X::V<3>> {
        let h = x.conv2d(&self.patch, None, input);
        let [n, hidden, rows, columns] = x.dims(&h);
        let h = x.reshape(h, [n, hidden, rows * columns]);
        let h = x.permute(h, [0, 2, 1]);
        x.tap("patch_embed", &h);
        // The class token is constant: it is added with its position to a zero token.
        let h = x.pad_front(h, 1, 1);
        let class = self.class.val() + self.position.val().narrow(1, 0, 1);
        let constant = Tensor::cat(vec![class, self.positions(rows, columns)], 1);
        let constant = x.tensor(constant);
        let mut h = x.add(h, constant);
        for (i, block) in self.blocks.iter().enumerate() {
            h = block.forward(x, h, &format!("blocks.{i}"));
        }
        let tokens = x.layer_norm(&self.norm, EPS, h.clone());
        x.tap("norm", &tokens);
        DinoV2Output { tokens, prenorm: h }
    }
}

impl<B: Backend> Parameters<B> for DinoV2<B> {
    fn walk(&mut self, v: &mut dyn ParamVisitor<B>) {
        params::tensor(v, "cls_token", &mut self.class);
        params::tensor(v, "pos_embed", &mut self.position);
        params::tensor(v, "mask_token", &mut self.mask);
        params::conv(v, "patch_embed.proj", &mut self.patch);
        for (i, block) in self.blocks.iter_mut().enumerate() {
            block.walk(v, &format!("blocks.{i}"));
        }
        params::layer_norm(v, "norm", &mut self.norm);
    }
}
