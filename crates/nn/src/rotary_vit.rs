//! Vision Transformers with rotary positions: the Perception Encoder (Bolya et al., "Perception Encoder: The best
//! visual embeddings are not at the output of the network", 2025, arXiv 2504.13181) and DINOv3 (Siméoni et al., 2025,
//! arXiv 2508.10104).
//!
//! Keys are those of timm's files. Queries and keys of patches are turned by angles that grow with row and column
//! (Su et al., "RoFormer", arXiv 2104.09864); tokens ahead of the patches are not turned.

use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

use crate::exec::Exec;
use crate::params::{self, ParamVisitor, Parameters};
use crate::vit::statistics;

const EPS: f64 = 1e-5;

/// How patches are turned, and what goes with it in the published networks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Neighbouring channels are turned together, by column and row numbers from 1. Learnt positions as well, a
    /// normalisation ahead of the blocks, attention pooling.
    PerceptionEncoder,
    /// Channels half a head apart are turned together, by the patches' centres on -1 to 1. Register tokens, residuals
    /// scaled channel by channel, no offsets of queries, keys and values.
    DinoV3,
}

/// Sizes of a transformer with rotary positions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotaryVitConfig {
    /// Which of the two.
    pub family: Family,
    /// Side of the square input in pixels.
    pub image: usize,
    /// Side of a patch in pixels.
    pub patch: usize,
    /// Width of a token.
    pub hidden: usize,
    /// Number of blocks.
    pub depth: usize,
    /// Attention heads.
    pub heads: usize,
    /// Tokens between class token and patches.
    pub registers: usize,
    /// Heads of the attention pooling.
    pub pool_heads: usize,
}

impl RotaryVitConfig {
    /// `vit_pe_core_base_patch16_224`.
    #[must_use]
    pub fn pe_core_b16() -> Self {
        Self {
            family: Family::PerceptionEncoder,
            image: 224,
            patch: 16,
            hidden: 768,
            depth: 12,
            heads: 12,
            registers: 0,
            pool_heads: 8,
        }
    }

    /// `vit_small_patch16_dinov3`.
    #[must_use]
    pub fn dinov3_vits16() -> Self {
        Self {
            family: Family::DinoV3,
            hidden: 384,
            heads: 6,
            registers: 4,
            ..Self::pe_core_b16()
        }
    }

    /// Network with random weights.
    pub fn init<B: Backend>(&self, device: &B::Device) -> RotaryVit<B> {
        let pe = self.family == Family::PerceptionEncoder;
        let zeros = |tokens| Param::from_tensor(Tensor::zeros([1, tokens, self.hidden], device));
        let norm = || norm(self.hidden, device);
        let side = self.image / self.patch;
        RotaryVit {
            class: zeros(1),
            registers: (self.registers > 0).then(|| zeros(self.registers)),
            position: pe.then(|| zeros(1 + side * side)),
            patch: Conv2dConfig::new([3, self.hidden], [self.patch; 2])
                .with_stride([self.patch; 2])
                .with_bias(!pe)
                .init(device),
            pre: pe.then(norm),
            blocks: (0..self.depth).map(|_| Block::new(self, device)).collect(),
            norm: norm(),
            pool: pe.then(|| Pool::new(self.hidden, self.pool_heads, device)),
            first: 1 + self.registers,
            halves: !pe,
        }
    }
}

fn norm<B: Backend>(hidden: usize, device: &B::Device) -> LayerNorm<B> {
    LayerNormConfig::new(hidden).with_epsilon(EPS).init(device)
}

/// Angles of `rows x columns` patches for heads of `head` channels, `[patches, head]`, and for each channel the one it
/// is turned with and the sign.
struct Turn {
    angles: Vec<Vec<f64>>,
    partner: Vec<usize>,
    sign: Vec<f64>,
}

impl Turn {
    fn new(halves: bool, rows: usize, columns: usize, head: usize) -> Self {
        let places = (0..rows).flat_map(|r| (0..columns).map(move |c| (r, c)));
        let quarter = head / 4;
        let share = |i: usize| i as f64 / quarter as f64;
        if halves {
            // Periods 100^(2 i / (head / 2)) of a circle, rows first.
            let centre = |i: usize, n: usize| (i as f64 + 0.5) / n as f64 * 2.0 - 1.0;
            let angle = |at: f64, i: usize| std::f64::consts::TAU * at / 100_f64.powf(share(i));
            Self {
                angles: places
                    .map(|(r, c)| {
                        let half: Vec<f64> = [centre(r, rows), centre(c, columns)]
                            .iter()
                            .flat_map(|at| (0..quarter).map(move |i| angle(*at, i)))
                            .collect();
                        half.repeat(2)
                    })
                    .collect(),
                partner: (0..head).map(|j| (j + head / 2) % head).collect(),
                sign: (0..head)
                    .map(|j| if j < head / 2 { -1.0 } else { 1.0 })
                    .collect(),
            }
        } else {
            // Frequencies 10000^(-i / quarter), columns first.
            let angle = |at: usize, i: usize| (at + 1) as f64 / 10_000_f64.powf(share(i));
            Self {
                angles: places
                    .map(|(r, c)| {
                        [c, r]
                            .iter()
                            .flat_map(|at| (0..quarter).map(move |i| angle(*at, i)))
                            .flat_map(|a| [a, a])
                            .collect()
                    })
                    .collect(),
                partner: (0..head).map(|j| j ^ 1).collect(),
                sign: (0..head)
                    .map(|j| if j % 2 == 0 { -1.0 } else { 1.0 })
                    .collect(),
            }
        }
    }
}

/// Constants of a turn: `x * cosine + x[partner] * sine`, `[1, 1, tokens, head]`.
struct Rotation<V> {
    cosine: V,
    sine: V,
    partner: Vec<usize>,
}

impl<V: Clone> Rotation<V> {
    /// Of `first` tokens that stay as they are, and patches behind them.
    fn new<B: Backend, X: Exec<B, V<4> = V>>(
        x: &mut X,
        turn: Turn,
        first: usize,
        device: &B::Device,
    ) -> Self {
        let head = turn.partner.len();
        let tokens = first + turn.angles.len();
        let table = |still: f32, of: &dyn Fn(f64, usize) -> f64| {
            let mut values = vec![still; first * head];
            for row in &turn.angles {
                #[expect(clippy::cast_possible_truncation, reason = "the network's precision")]
                values.extend(row.iter().enumerate().map(|(j, a)| of(*a, j) as f32));
            }
            Tensor::<B, 4>::from_data(TensorData::new(values, [1, 1, tokens, head]), device)
        };
        let cosine = table(1.0, &|a, _| a.cos());
        let sine = table(0.0, &|a, j| turn.sign[j] * a.sin());
        Self {
            cosine: x.tensor(cosine),
            sine: x.tensor(sine),
            partner: turn.partner,
        }
    }

    fn turned<B: Backend, X: Exec<B, V<4> = V>>(&self, x: &mut X, v: V) -> V {
        let partner = x.select::<4>(v.clone(), 3, &self.partner);
        let still = x.mul::<4>(v, self.cosine.clone());
        let moved = x.mul::<4>(partner, self.sine.clone());
        x.add::<4>(still, moved)
    }
}

/// Pre-norm transformer block.
#[derive(Module, Debug)]
struct Block<B: Backend> {
    norm1: LayerNorm<B>,
    qkv: Linear<B>,
    proj: Linear<B>,
    scale1: Option<Param<Tensor<B, 1>>>,
    norm2: LayerNorm<B>,
    fc1: Linear<B>,
    fc2: Linear<B>,
    scale2: Option<Param<Tensor<B, 1>>>,
    heads: usize,
}

impl<B: Backend> Block<B> {
    fn new(config: &RotaryVitConfig, device: &B::Device) -> Self {
        let hidden = config.hidden;
        let dino = config.family == Family::DinoV3;
        let linear = |inputs, outputs| LinearConfig::new(inputs, outputs).init(device);
        let scale = || dino.then(|| Param::from_tensor(Tensor::ones([hidden], device)));
        Self {
            norm1: norm(hidden, device),
            qkv: LinearConfig::new(hidden, 3 * hidden)
                .with_bias(!dino)
                .init(device),
            proj: linear(hidden, hidden),
            scale1: scale(),
            norm2: norm(hidden, device),
            fc1: linear(hidden, 4 * hidden),
            fc2: linear(4 * hidden, hidden),
            scale2: scale(),
            heads: config.heads,
        }
    }

    fn attention<X: Exec<B>>(
        &self,
        x: &mut X,
        input: X::V<3>,
        rotation: &Rotation<X::V<4>>,
    ) -> X::V<3> {
        let [n, tokens, hidden] = x.dims(&input);
        let head = hidden / self.heads;
        let qkv = x.linear(&self.qkv, input);
        let part = |x: &mut X, i: usize| {
            let y = x.narrow(qkv.clone(), 2, i * hidden, hidden);
            let y = x.reshape(y, [n, tokens, self.heads, head]);
            x.permute(y, [0, 2, 1, 3])
        };
        let (q, k, v) = (part(x, 0), part(x, 1), part(x, 2));
        let (q, k) = (rotation.turned(x, q), rotation.turned(x, k));
        attend(x, q, k, v, &self.proj)
    }

    fn forward<X: Exec<B>>(
        &self,
        x: &mut X,
        input: X::V<3>,
        rotation: &Rotation<X::V<4>>,
        name: &str,
    ) -> X::V<3> {
        let scaled = |x: &mut X, h: X::V<3>, scale: &Option<Param<Tensor<B, 1>>>| match scale {
            Some(scale) => {
                let scale = x.along(scale, 2);
                x.mul(h, scale)
            }
            None => h,
        };
        let h = x.layer_norm(&self.norm1, EPS, input.clone());
        let h = self.attention(x, h, rotation);
        let h = scaled(x, h, &self.scale1);
        let input = x.add(input, h);
        let h = x.layer_norm(&self.norm2, EPS, input.clone());
        let h = x.linear(&self.fc1, h);
        let h = x.gelu(h);
        let h = x.linear(&self.fc2, h);
        let h = scaled(x, h, &self.scale2);
        let h = x.add(input, h);
        x.tap(name, &h);
        h
    }

    fn walk(&mut self, v: &mut dyn ParamVisitor<B>, key: &str) {
        params::layer_norm(v, &format!("{key}.norm1"), &mut self.norm1);
        params::linear(v, &format!("{key}.attn.qkv"), &mut self.qkv);
        params::linear(v, &format!("{key}.attn.proj"), &mut self.proj);
        params::layer_norm(v, &format!("{key}.norm2"), &mut self.norm2);
        params::linear(v, &format!("{key}.mlp.fc1"), &mut self.fc1);
        params::linear(v, &format!("{key}.mlp.fc2"), &mut self.fc2);
        for (name, scale) in [("gamma_1", &mut self.scale1), ("gamma_2", &mut self.scale2)] {
            if let Some(scale) = scale {
                params::tensor(v, &format!("{key}.{name}"), scale);
            }
        }
    }
}

/// `softmax(q k^T / sqrt(head)) v` through `proj`; all `[n, heads, tokens, head]`, queries may have fewer tokens.
fn attend<B: Backend, X: Exec<B>>(
    x: &mut X,
    q: X::V<4>,
    k: X::V<4>,
    v: X::V<4>,
    proj: &Linear<B>,
) -> X::V<3> {
    let [n, heads, _, head] = x.dims(&v);
    let [_, _, asked, _] = x.dims(&q);
    #[expect(clippy::cast_precision_loss, reason = "a head size is small")]
    let q = x.scale(q, (head as f32).powf(-0.5));
    let k = x.permute(k, [0, 1, 3, 2]);
    let weights = x.matmul(q, k);
    let weights = x.softmax(weights);
    let y = x.matmul(weights, v);
    let y = x.permute(y, [0, 2, 1, 3]);
    let y = x.reshape(y, [n, asked, heads * head]);
    x.linear(proj, y)
}

/// One learnt query that gathers the tokens, and an MLP behind it.
#[derive(Module, Debug)]
struct Pool<B: Backend> {
    latent: Param<Tensor<B, 3>>,
    q: Linear<B>,
    kv: Linear<B>,
    proj: Linear<B>,
    norm: LayerNorm<B>,
    fc1: Linear<B>,
    fc2: Linear<B>,
    heads: usize,
}

impl<B: Backend> Pool<B> {
    fn new(hidden: usize, heads: usize, device: &B::Device) -> Self {
        let linear = |inputs, outputs| LinearConfig::new(inputs, outputs).init(device);
        Self {
            latent: Param::from_tensor(Tensor::zeros([1, 1, hidden], device)),
            q: linear(hidden, hidden),
            kv: linear(hidden, 2 * hidden),
            proj: linear(hidden, hidden),
            norm: norm(hidden, device),
            fc1: linear(hidden, 4 * hidden),
            fc2: linear(4 * hidden, hidden),
            heads,
        }
    }

    fn forward<X: Exec<B>>(&self, x: &mut X, tokens: X::V<3>) -> X::V<2> {
        let [n, count, hidden] = x.dims(&tokens);
        let head = hidden / self.heads;
        let latent = x.param(&self.latent);
        let q = x.linear(&self.q, latent);
        let q = x.reshape(q, [1, 1, self.heads, head]);
        let q = x.permute(q, [0, 2, 1, 3]);
        let kv = x.linear(&self.kv, tokens);
        let part = |x: &mut X, i: usize| {
            let y = x.narrow(kv.clone(), 2, i * hidden, hidden);
            let y = x.reshape(y, [n, count, self.heads, head]);
            x.permute(y, [0, 2, 1, 3])
        };
        let (k, v) = (part(x, 0), part(x, 1));
        let h = attend(x, q, k, v, &self.proj);
        let y = x.layer_norm(&self.norm, EPS, h.clone());
        let y = x.linear(&self.fc1, y);
        let y = x.gelu(y);
        let y = x.linear(&self.fc2, y);
        let y = x.add(h, y);
        x.reshape(y, [n, hidden])
    }

    fn walk(&mut self, v: &mut dyn ParamVisitor<B>, key: &str) {
        params::tensor(v, &format!("{key}.latent"), &mut self.latent);
        params::linear(v, &format!("{key}.q"), &mut self.q);
        params::linear(v, &format!("{key}.kv"), &mut self.kv);
        params::linear(v, &format!("{key}.proj"), &mut self.proj);
        params::layer_norm(v, &format!("{key}.norm"), &mut self.norm);
        params::linear(v, &format!("{key}.mlp.fc1"), &mut self.fc1);
        params::linear(v, &format!("{key}.mlp.fc2"), &mut self.fc2);
    }
}

/// Transformer with rotary positions.
#[derive(Module, Debug)]
pub struct RotaryVit<B: Backend> {
    class: Param<Tensor<B, 3>>,
    registers: Option<Param<Tensor<B, 3>>>,
    position: Option<Param<Tensor<B, 3>>>,
    patch: Conv2d<B>,
    pre: Option<LayerNorm<B>>,
    blocks: Vec<Block<B>>,
    norm: LayerNorm<B>,
    pool: Option<Pool<B>>,
    /// Tokens ahead of the patches.
    first: usize,
    halves: bool,
}

/// What the network yields.
pub struct RotaryVitOutput<V2, V3> {
    /// Tokens after the last normalisation, class token first, `[n, tokens, hidden]`.
    pub tokens: V3,
    /// The pooled tokens, or without attention pooling the mean of the patches', `[n, hidden]`.
    pub pooled: V2,
    /// Mean and deviation of the patch tokens after each block, `[n, hidden]` each, block by block.
    pub statistics: Vec<V2>,
}

impl<B: Backend> RotaryVit<B> {
    /// All outputs for normalised pictures `[n, 3, image, image]`.
    pub fn forward<X: Exec<B>>(
        &self,
        x: &mut X,
        input: X::V<4>,
    ) -> RotaryVitOutput<X::V<2>, X::V<3>> {
        let h = x.conv2d(&self.patch, None, input);
        let [n, hidden, rows, columns] = x.dims(&h);
        let h = if self.halves {
            // The published module leaves its patches as a map.
            let h = x.permute(h, [0, 2, 3, 1]);
            x.tap("patch_embed", &h);
            x.reshape(h, [n, rows * columns, hidden])
        } else {
            let h = x.reshape(h, [n, hidden, rows * columns]);
            let h = x.permute(h, [0, 2, 1]);
            x.tap("patch_embed", &h);
            h
        };
        // Tokens ahead are constant: they are added, with learnt positions, to tokens of zeros.
        let h = x.pad_front(h, 1, self.first);
        let device = self.class.val().device();
        let mut constant = vec![self.class.val()];
        constant.extend(self.registers.iter().map(|r| r.val()));
        constant.push(Tensor::zeros([1, rows * columns, hidden], &device));
        let mut constant = Tensor::cat(constant, 1);
        if let Some(position) = &self.position {
            constant = constant + position.val();
        }
        let constant = x.tensor(constant);
        let mut h = x.add(h, constant);
        if let Some(pre) = &self.pre {
            h = x.layer_norm(pre, EPS, h);
        }
        let heads = self.blocks.first().map_or(1, |b| b.heads);
        let turn = Turn::new(self.halves, rows, columns, hidden / heads);
        let rotation = Rotation::new(x, turn, self.first, &device);
        let mut features = Vec::with_capacity(2 * self.blocks.len());
        let patches = |x: &mut X, h: &X::V<3>| x.narrow(h.clone(), 1, self.first, rows * columns);
        for (i, block) in self.blocks.iter().enumerate() {
            h = block.forward(x, h, &rotation, &format!("blocks.{i}"));
            let own = patches(x, &h);
            features.extend(statistics(x, own));
        }
        let tokens = x.layer_norm(&self.norm, EPS, h);
        let pooled = match &self.pool {
            Some(pool) => pool.forward(x, tokens.clone()),
            None => {
                let own = patches(x, &tokens);
                let mean = x.mean_dim(own, 1);
                x.reshape(mean, [n, hidden])
            }
        };
        RotaryVitOutput {
            tokens,
            pooled,
            statistics: features,
        }
    }
}

impl<B: Backend> Parameters<B> for RotaryVit<B> {
    fn walk(&mut self, v: &mut dyn ParamVisitor<B>) {
        params::tensor(v, "cls_token", &mut self.class);
        if let Some(registers) = &mut self.registers {
            params::tensor(v, "reg_token", registers);
        }
        if let Some(position) = &mut self.position {
            params::tensor(v, "pos_embed", position);
        }
        params::conv(v, "patch_embed.proj", &mut self.patch);
        if let Some(pre) = &mut self.pre {
            params::layer_norm(v, "norm_pre", pre);
        }
        for (i, block) in self.blocks.iter_mut().enumerate() {
            block.walk(v, &format!("blocks.{i}"));
        }
        params::layer_norm(v, "norm", &mut self.norm);
        if let Some(pool) = &mut self.pool {
            pool.walk(v, "attn_pool");
        }
    }
}
