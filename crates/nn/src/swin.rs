//! Swin Transformer (Liu et al., "Swin Transformer: Hierarchical Vision Transformer using Shifted Windows", ICCV 2021,
//! arXiv 2103.14030).
//!
//! Keys are those of timm 0.6: patches merge at the end of a stage, and files carry two constants a block,
//! `relative_position_index` and `attn_mask`.

use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

use crate::exec::Exec;
use crate::params::{self, ParamVisitor, Parameters};

const EPS: f64 = 1e-5;

/// Sizes of a Swin Transformer with square pictures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwinConfig {
    /// Side of the picture in pixels.
    pub image: usize,
    /// Side of a patch in pixels.
    pub patch: usize,
    /// Side of an attention window in tokens.
    pub window: usize,
    /// Width of a token in the first stage; it doubles from stage to stage.
    pub width: usize,
    /// Blocks of each stage.
    pub depths: Vec<usize>,
    /// Attention heads of each stage.
    pub heads: Vec<usize>,
    /// Number of outputs.
    pub classes: usize,
}

impl SwinConfig {
    /// `swin_tiny_patch4_window7_224`.
    #[must_use]
    pub fn tiny() -> Self {
        Self {
            image: 224,
            patch: 4,
            window: 7,
            width: 96,
            depths: vec![2, 2, 6, 2],
            heads: vec![3, 6, 12, 24],
            classes: 1000,
        }
    }

    /// Network with random weights.
    pub fn init<B: Backend>(&self, device: &B::Device) -> Swin<B> {
        let norm = |width| LayerNormConfig::new(width).with_epsilon(EPS).init(device);
        let stages = self.depths.len();
        let layers = (0..stages)
            .map(|i| {
                let (width, side) = (self.width << i, (self.image / self.patch) >> i);
                // A map of one window is not shifted.
                let window = self.window.min(side);
                let blocks = (0..self.depths[i])
                    .map(|b| {
                        let shift = if b % 2 == 1 && side > window {
                            window / 2
                        } else {
                            0
                        };
                        Block::new(width, self.heads[i], side, window, shift, device)
                    })
                    .collect();
                let downsample = (i + 1 < stages).then(|| Merging {
                    norm: norm(4 * width),
                    reduction: LinearConfig::new(4 * width, 2 * width)
                        .with_bias(false)
                        .init(device),
                });
                Stage { blocks, downsample }
            })
            .collect();
        let last = self.width << (stages - 1);
        Swin {
            proj: Conv2dConfig::new([3, self.width], [self.patch; 2])
                .with_stride([self.patch; 2])
                .init(device),
            patch_norm: norm(self.width),
            layers,
            norm: norm(last),
            head: LinearConfig::new(last, self.classes).init(device),
        }
    }
}

/// Attention within windows, then an MLP, each with its normalisation ahead and a residual around.
#[derive(Module, Debug)]
struct Block<B: Backend> {
    norm1: LayerNorm<B>,
    /// Bias of a pair of tokens by their distance, `[(2 window - 1)^2, heads]`.
    table: Param<Tensor<B, 2>>,
    qkv: Linear<B>,
    proj: Linear<B>,
    norm2: LayerNorm<B>,
    fc1: Linear<B>,
    fc2: Linear<B>,
    heads: usize,
    side: usize,
    window: usize,
    shift: usize,
}

impl<B: Backend> Block<B> {
    fn new(
        width: usize,
        heads: usize,
        side: usize,
        window: usize,
        shift: usize,
        device: &B::Device,
    ) -> Self {
        let norm = || LayerNormConfig::new(width).with_epsilon(EPS).init(device);
        let linear = |inputs, outputs| LinearConfig::new(inputs, outputs).init(device);
        let distances = (2 * window - 1).pow(2);
        Self {
            norm1: norm(),
            table: Param::from_tensor(Tensor::zeros([distances, heads], device)),
            qkv: linear(width, 3 * width),
            proj: linear(width, width),
            norm2: norm(),
            fc1: linear(width, 4 * width),
            fc2: linear(4 * width, width),
            heads,
            side,
            window,
            shift,
        }
    }

    /// Row of the table for each pair of tokens of a window, `[window^2, window^2]`.
    fn distances(&self) -> Vec<usize> {
        let w = self.window;
        let place = |token: usize| (token / w, token % w);
        (0..w.pow(4))
            .map(|pair| {
                let ((row, column), (of_row, of_column)) =
                    (place(pair / (w * w)), place(pair % (w * w)));
                (row + w - 1 - of_row) * (2 * w - 1) + column + w - 1 - of_column
            })
            .collect()
    }

    /// -100 for pairs of tokens that only the shift brought into one window, `[windows, window^2, window^2]`.
    fn mask(&self) -> Vec<f32> {
        let (w, windows) = (self.window, self.side / self.window);
        // Parts of a side that were neighbours before the shift.
        let part = |place: usize| {
            usize::from(place >= self.side - w) + usize::from(place >= self.side - self.shift)
        };
        let region = |window: usize, token: usize| {
            let row = window / windows * w + token / w;
            let column = window % windows * w + token % w;
            (part(row), part(column))
        };
        let mut mask = Vec::with_capacity(windows.pow(2) * w.pow(4));
        for window in 0..windows * windows {
            for pair in 0..w.pow(4) {
                let [a, b] = [pair / (w * w), pair % (w * w)];
                let together = region(window, a) == region(window, b);
                mask.push(if together { 0.0 } else { -100.0 });
            }
        }
        mask
    }

    /// Tokens `[n, windows, window^2, c]` after attention within each window.
    fn attention<X: Exec<B>>(&self, x: &mut X, input: X::V<4>) -> X::V<4> {
        let [n, windows, tokens, width] = x.dims(&input);
        let head = width / self.heads;
        let qkv = x.linear(&self.qkv, input);
        let part = |x: &mut X, i: usize, axes| {
            let y = x.narrow(qkv.clone(), 3, i * width, width);
            let y = x.reshape(y, [n, windows, tokens, self.heads, head]);
            x.permute(y, axes)
        };
        let q = part(x, 0, [0, 1, 3, 2, 4]);
        let k = part(x, 1, [0, 1, 3, 4, 2]);
        let v = part(x, 2, [0, 1, 3, 2, 4]);
        #[expect(clippy::cast_precision_loss, reason = "a head size is small")]
        let q = x.scale(q, (head as f32).powf(-0.5));
        let weights = x.matmul(q, k);
        let table = self.table.val();
        let places: Vec<i64> = self.distances().iter().map(|d| *d as i64).collect();
        let places = Tensor::from_data(TensorData::new(places, [tokens * tokens]), &table.device());
        let bias = table.select(0, places).transpose();
        let bias = x.tensor(bias.reshape([1, 1, self.heads, tokens, tokens]));
        let mut weights = x.add(weights, bias);
        if self.shift > 0 {
            let mask = x.constant(self.mask(), [1, windows, 1, tokens, tokens], &weights);
            weights = x.add(weights, mask);
        }
        let weights = x.softmax(weights);
        let y = x.matmul(weights, v);
        let y = x.permute(y, [0, 1, 3, 2, 4]);
        let y = x.reshape(y, [n, windows, tokens, width]);
        x.linear(&self.proj, y)
    }

    /// Tokens `[n, side^2, c]` of the map, rows first.
    fn forward<X: Exec<B>>(&self, x: &mut X, input: X::V<3>) -> X::V<3> {
        let [n, tokens, width] = x.dims(&input);
        let (side, w) = (self.side, self.window);
        let windows = side / w;
        let h = x.layer_norm(&self.norm1, EPS, input.clone());
        let h = x.reshape(h, [n, side, side, width]);
        let h = x.turn(h, 1, self.shift);
        let h = x.turn(h, 2, self.shift);
        let h = x.reshape(h, [n, windows, w, windows, w, width]);
        let h = x.permute(h, [0, 1, 3, 2, 4, 5]);
        let h = x.reshape(h, [n, windows * windows, w * w, width]);
        let h = self.attention(x, h);
        let h = x.reshape(h, [n, windows, windows, w, w, width]);
        let h = x.permute(h, [0, 1, 3, 2, 4, 5]);
        let h = x.reshape(h, [n, side, side, width]);
        let back = (side - self.shift) % side;
        let h = x.turn(h, 1, back);
        let h = x.turn(h, 2, back);
        let h = x.reshape(h, [n, tokens, width]);
        let input = x.add(input, h);
        let h = x.layer_norm(&self.norm2, EPS, input.clone());
        let h = x.linear(&self.fc1, h);
        let h = x.gelu(h);
        let h = x.linear(&self.fc2, h);
        x.add(input, h)
    }

    fn walk(&mut self, v: &mut dyn ParamVisitor<B>, key: &str) {
        let tokens = self.window.pow(2);
        if self.shift > 0 {
            let shape = [(self.side / self.window).pow(2), tokens, tokens];
            v.built(&format!("{key}.attn_mask"), &shape, &|| self.mask());
        }
        let distances = || self.distances().iter().map(|d| *d as f32).collect();
        let index = format!("{key}.attn.relative_position_index");
        v.built(&index, &[tokens; 2], &distances);
        params::layer_norm(v, &format!("{key}.norm1"), &mut self.norm1);
        let table = format!("{key}.attn.relative_position_bias_table");
        params::tensor(v, &table, &mut self.table);
        params::linear(v, &format!("{key}.attn.qkv"), &mut self.qkv);
        params::linear(v, &format!("{key}.attn.proj"), &mut self.proj);
        params::layer_norm(v, &format!("{key}.norm2"), &mut self.norm2);
        params::linear(v, &format!("{key}.mlp.fc1"), &mut self.fc1);
        params::linear(v, &format!("{key}.mlp.fc2"), &mut self.fc2);
    }
}

/// Four neighbours joined and halved in width.
#[derive(Module, Debug)]
struct Merging<B: Backend> {
    norm: LayerNorm<B>,
    reduction: Linear<B>,
}

impl<B: Backend> Merging<B> {
    /// Tokens `[n, side^2 / 4, 2 c]` of tokens `[n, side^2, c]`. Neighbours are joined in the order (0, 0), (1, 0),
    /// (0, 1), (1, 1) of row and column.
    fn forward<X: Exec<B>>(&self, x: &mut X, input: X::V<3>, side: usize) -> X::V<3> {
        let [n, tokens, width] = x.dims(&input);
        let h = x.reshape(input, [n, side / 2, 2, side / 2, 2, width]);
        let h = x.permute(h, [0, 1, 3, 4, 2, 5]);
        let h = x.reshape(h, [n, tokens / 4, 4 * width]);
        let h = x.layer_norm(&self.norm, EPS, h);
        x.linear(&self.reduction, h)
    }
}

/// Blocks of one width, and the merging after them.
#[derive(Module, Debug)]
struct Stage<B: Backend> {
    blocks: Vec<Block<B>>,
    downsample: Option<Merging<B>>,
}

/// Swin Transformer with a linear classifier.
#[derive(Module, Debug)]
pub struct Swin<B: Backend> {
    proj: Conv2d<B>,
    patch_norm: LayerNorm<B>,
    layers: Vec<Stage<B>>,
    norm: LayerNorm<B>,
    head: Linear<B>,
}

impl<B: Backend> Swin<B> {
    /// Tokens after the last normalisation, `[n, tokens, c]`, of normalised pictures `[n, 3, image, image]`.
    pub fn features<X: Exec<B>>(&self, x: &mut X, input: X::V<4>) -> X::V<3> {
        let h = x.conv2d(&self.proj, None, input);
        let [n, width, mut side, _] = x.dims(&h);
        let h = x.reshape(h, [n, width, side * side]);
        let h = x.permute(h, [0, 2, 1]);
        let mut h = x.layer_norm(&self.patch_norm, EPS, h);
        x.tap("patch_embed", &h);
        for (i, stage) in self.layers.iter().enumerate() {
            for (b, block) in stage.blocks.iter().enumerate() {
                h = block.forward(x, h);
                x.tap(&format!("layers.{i}.blocks.{b}"), &h);
            }
            if let Some(merging) = &stage.downsample {
                h = merging.forward(x, h, side);
                side /= 2;
            }
            x.tap(&format!("layers.{i}"), &h);
        }
        let h = x.layer_norm(&self.norm, EPS, h);
        x.tap("norm", &h);
        h
    }

    /// Logits `[n, classes]` of features, see [`Self::features`].
    pub fn classify<X: Exec<B>>(&self, x: &mut X, features: X::V<3>) -> X::V<2> {
        let [n, _, width] = x.dims(&features);
        let h = x.mean_dim(features, 1);
        let h = x.reshape(h, [n, width]);
        x.linear(&self.head, h)
    }
}

impl<B: Backend> Parameters<B> for Swin<B> {
    fn walk(&mut self, v: &mut dyn ParamVisitor<B>) {
        params::conv(v, "patch_embed.proj", &mut self.proj);
        params::layer_norm(v, "patch_embed.norm", &mut self.patch_norm);
        for (i, stage) in self.layers.iter_mut().enumerate() {
            for (b, block) in stage.blocks.iter_mut().enumerate() {
                block.walk(v, &format!("layers.{i}.blocks.{b}"));
            }
            if let Some(merging) = &mut stage.downsample {
                let key = format!("layers.{i}.downsample");
                params::layer_norm(v, &format!("{key}.norm"), &mut merging.norm);
                params::linear(v, &format!("{key}.reduction"), &mut merging.reduction);
            }
        }
        params::layer_norm(v, "norm", &mut self.norm);
        params::linear(v, "head", &mut self.head);
    }
}
