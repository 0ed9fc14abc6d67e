//! Tiny autoencoder for the latents of FLUX.2 (TAEF2, of the TAESD family; MIT weights).
//!
//! Encodes a picture in `[0, 1]` to 32 channels at an eighth of its size and back. Reconstructions
//! carry a decoder's trace and nothing else, which makes them paired fakes of real pictures.
//!
//! Keys are positions in the published sequence (`3.conv.0.weight`). Blocks next to the latent
//! have a branch of two 1x1 convolutions around a group normalisation of four groups.

use burn::module::{Module, Param};
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::exec::Exec;
use crate::params::{self, ParamVisitor, Parameters};

const WIDTH: usize = 64;
const LATENT: usize = 32;
const GROUPS: usize = 4;
const GROUP_NORM_EPS: f64 = 1e-5;

fn conv3<B: Backend>(
    channels: [usize; 2],
    stride: usize,
    bias: bool,
    device: &B::Device,
) -> Conv2d<B> {
    Conv2dConfig::new(channels, [3, 3])
        .with_stride([stride; 2])
        .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
        .with_bias(bias)
        .init(device)
}

fn conv1<B: Backend>(channels: [usize; 2], device: &B::Device) -> Conv2d<B> {
    Conv2dConfig::new(channels, [1, 1])
        .with_bias(false)
        .init(device)
}

#[derive(Module, Debug)]
struct Pool<B: Backend> {
    widen: Conv2d<B>,
    gamma: Param<Tensor<B, 1>>,
    beta: Param<Tensor<B, 1>>,
    narrow: Conv2d<B>,
}

#[derive(Module, Debug)]
struct Block<B: Backend> {
    convs: Vec<Conv2d<B>>,
    pool: Option<Pool<B>>,
}

impl<B: Backend> Block<B> {
    fn new(pool: bool, device: &B::Device) -> Self {
        Self {
            convs: (0..3)
                .map(|_| conv3([WIDTH, WIDTH], 1, true, device))
                .collect(),
            pool: pool.then(|| Pool {
                widen: conv1([WIDTH, GROUPS * WIDTH], device),
                gamma: Param::from_tensor(Tensor::ones([GROUPS * WIDTH], device)),
                beta: Param::from_tensor(Tensor::zeros([GROUPS * WIDTH], device)),
                narrow: conv1([GROUPS * WIDTH, WIDTH], device),
            }),
        }
    }

    fn forward(&self, mut input: Tensor<B, 4>) -> Tensor<B, 4> {
        let mut x = crate::Eager::new(crate::BatchNormMode::Running);
        if let Some(pool) = &self.pool {
            let h = pool.widen.forward(input.clone());
            let [n, c, height, width] = h.dims();
            let groups = h.reshape([n, GROUPS, c / GROUPS * height * width]);
            let centred = groups.clone() - groups.mean_dim(2);
            let deviation = centred
                .clone()
                .square()
                .mean_dim(2)
                .add_scalar(GROUP_NORM_EPS)
                .sqrt();
            let h = (centred / deviation).reshape([n, c, height, width])
                * pool.gamma.val().reshape([1, c, 1, 1])
                + pool.beta.val().reshape([1, c, 1, 1]);
            let h = Exec::<B>::relu(&mut x, h);
            input = input + pool.narrow.forward(h);
        }
        let mut h = input.clone();
        for (i, conv) in self.convs.iter().enumerate() {
            if i > 0 {
                h = Exec::<B>::relu(&mut x, h);
            }
            h = conv.forward(h);
        }
        Exec::<B>::relu(&mut x, h + input)
    }

    fn walk(&mut self, v: &mut dyn ParamVisitor<B>, key: &str) {
        for (i, conv) in self.convs.iter_mut().enumerate() {
            params::conv(v, &format!("{key}.conv.{}", 2 * i), conv);
        }
        if let Some(pool) = &mut self.pool {
            params::conv(v, &format!("{key}.pool.0"), &mut pool.widen);
            params::tensor(v, &format!("{key}.pool.1.weight"), &mut pool.gamma);
            params::tensor(v, &format!("{key}.pool.1.bias"), &mut pool.beta);
            params::conv(v, &format!("{key}.pool.3"), &mut pool.narrow);
        }
    }
}

/// Encoder: `[n, 3, h, w]` in `[0, 1]`, sizes multiples of 8, to `[n, 32, h/8, w/8]`.
#[derive(Module, Debug)]
pub struct Encoder<B: Backend> {
    stem: Conv2d<B>,
    first: Block<B>,
    downs: Vec<Conv2d<B>>,
    blocks: Vec<Block<B>>,
    head: Conv2d<B>,
}

impl<B: Backend> Encoder<B> {
    /// Network with random weights.
    pub fn init(device: &B::Device) -> Self {
        Self {
            stem: conv3([3, WIDTH], 1, true, device),
            first: Block::new(false, device),
            downs: (0..3)
                .map(|_| conv3([WIDTH, WIDTH], 2, false, device))
                .collect(),
            blocks: (0..9).map(|i| Block::new(i >= 6, device)).collect(),
            head: conv3([WIDTH, LATENT], 1, true, device),
        }
    }

    /// Latent of a picture.
    pub fn forward(&self, input: Tensor<B, 4>) -> Tensor<B, 4> {
        let mut h = self.first.forward(self.stem.forward(input));
        for (down, blocks) in self.downs.iter().zip(self.blocks.chunks(3)) {
            h = down.forward(h);
            for block in blocks {
                h = block.forward(h);
            }
        }
        self.head.forward(h)
    }
}

impl<B: Backend> Parameters<B> for Encoder<B> {
    fn walk(&mut self, v: &mut dyn ParamVisitor<B>) {
        params::conv(v, "0", &mut self.stem);
        self.first.walk(v, "1");
        for (stage, down) in self.downs.iter_mut().enumerate() {
            params::conv(v, &format!("{}", 2 + 4 * stage), down);
        }
        for (i, block) in self.blocks.iter_mut().enumerate() {
            block.walk(v, &format!("{}", 3 + 4 * (i / 3) + i % 3));
        }
        params::conv(v, "14", &mut self.head);
    }
}

/// Decoder: `[n, 32, h, w]` to a picture `[n, 3, 8h, 8w]` about `[0, 1]`.
#[derive(Module, Debug)]
pub struct Decoder<B: Backend> {
    stem: Conv2d<B>,
    blocks: Vec<Block<B>>,
    ups: Vec<Conv2d<B>>,
    last: Block<B>,
    head: Conv2d<B>,
}

impl<B: Backend> Decoder<B> {
    /// Network with random weights.
    pub fn init(device: &B::Device) -> Self {
        Self {
            stem: conv3([LATENT, WIDTH], 1, true, device),
            blocks: (0..9).map(|i| Block::new(i < 3, device)).collect(),
            ups: (0..3)
                .map(|_| conv3([WIDTH, WIDTH], 1, false, device))
                .collect(),
            last: Block::new(false, device),
            head: conv3([WIDTH, 3], 1, true, device),
        }
    }

    /// Picture of a latent; not clamped.
    pub fn forward(&self, latent: Tensor<B, 4>) -> Tensor<B, 4> {
        let mut x = crate::Eager::new(crate::BatchNormMode::Running);
        let limited = latent.div_scalar(3.0).tanh().mul_scalar(3.0);
        let mut h = Exec::<B>::relu(&mut x, self.stem.forward(limited));
        for (up, blocks) in self.ups.iter().zip(self.blocks.chunks(3)) {
            for block in blocks {
                h = block.forward(h);
            }
            h = up.forward(Exec::<B>::upsample_nearest(&mut x, h, 2));
        }
        self.head.forward(self.last.forward(h))
    }
}

impl<B: Backend> Parameters<B> for Decoder<B> {
    fn walk(&mut self, v: &mut dyn ParamVisitor<B>) {
        params::conv(v, "1", &mut self.stem);
        for (i, block) in self.blocks.iter_mut().enumerate() {
            block.walk(v, &format!("{}", 3 + 5 * (i / 3) + i % 3));
        }
        for (stage, up) in self.ups.iter_mut().enumerate() {
            params::conv(v, &format!("{}", 7 + 5 * stage), up);
        }
        self.last.walk(v, "18");
        params::conv(v, "19", &mut self.head);
    }
}
