//! Published neural up-samplers: SRVGGNetCompact (Real-ESRGAN, Wang et al., ICCVW 2021, arXiv
//! 2107.10833) and SPAN (Wan et al., CVPRW 2024, arXiv 2311.12770).
//!
//! Their traces make paired fakes: a picture is reduced and enlarged again. Weights come from packages
//! that carry them for ncnn (`scripts/ncnn_to_safetensors.py`); keys are the layer names given there.

use burn::module::{Module, Param};
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, activation};

use crate::exec::Exec;
use crate::params::{self, ParamVisitor, Parameters};

/// Enlargement of all networks here.
pub const FACTOR: usize = 4;

/// Channels laid out as pixels: `[n, c f f, h, w]` to `[n, c, f h, f w]`.
pub fn pixel_shuffle<B: Backend>(x: Tensor<B, 4>, factor: usize) -> Tensor<B, 4> {
    let [n, c, h, w] = x.dims();
    let channels = c / (factor * factor);
    x.reshape([n, channels, factor, factor, h, w])
        .permute([0, 1, 4, 2, 5, 3])
        .reshape([n, channels, h * factor, w * factor])
}

pub(crate) fn conv<B: Backend>(
    channels: [usize; 2],
    kernel: usize,
    device: &B::Device,
) -> Conv2d<B> {
    let pad = kernel / 2;
    Conv2dConfig::new(channels, [kernel; 2])
        .with_padding(PaddingConfig2d::Explicit(pad, pad, pad, pad))
        .init(device)
}

/// SRVGGNetCompact, 18 convolutions of 64 channels, as in `realesr-animevideov3`.
#[derive(Module, Debug)]
pub struct Compact<B: Backend> {
    convs: Vec<Conv2d<B>>,
    slopes: Vec<Param<Tensor<B, 1>>>,
}

impl<B: Backend> Compact<B> {
    /// Network with random weights.
    pub fn init(device: &B::Device) -> Self {
        let mut convs = vec![conv([3, 64], 3, device)];
        convs.extend((0..16).map(|_| conv([64, 64], 3, device)));
        convs.push(conv([64, 3 * FACTOR * FACTOR], 3, device));
        Self {
            convs,
            slopes: (0..17)
                .map(|_| Param::from_tensor(Tensor::full([64], 0.25, device)))
                .collect(),
        }
    }

    /// `[n, 3, h, w]` in `[0, 1]` to `[n, 3, 4h, 4w]`; not clamped.
    pub fn forward(&self, input: Tensor<B, 4>) -> Tensor<B, 4> {
        let mut x = crate::Eager::new(crate::BatchNormMode::Running);
        let mut h = input.clone();
        for (i, conv) in self.convs.iter().enumerate() {
            h = conv.forward(h);
            if let Some(slope) = self.slopes.get(i) {
                // PReLU: relu(x) - a relu(-x).
                let negative = activation::relu(h.clone().neg());
                h = activation::relu(h) - negative * slope.val().reshape([1, 64, 1, 1]);
            }
        }
        pixel_shuffle(h, FACTOR) + Exec::<B>::upsample_nearest(&mut x, input, FACTOR)
    }
}

impl<B: Backend> Parameters<B> for Compact<B> {
    fn walk(&mut self, v: &mut dyn ParamVisitor<B>) {
        for (i, conv) in self.convs.iter_mut().enumerate() {
            params::conv(v, &format!("Conv_{}", 2 * i), conv);
            if let Some(slope) = self.slopes.get_mut(i) {
                params::tensor(v, &format!("PRelu_{}.weight", 2 * i + 1), slope);
            }
        }
    }
}

/// One block of SPAN: three convolutions whose result also weighs itself.
#[derive(Module, Debug)]
struct SpanBlock<B: Backend> {
    convs: Vec<Conv2d<B>>,
}

impl<B: Backend> SpanBlock<B> {
    /// The block's output and its first activation.
    fn forward(&self, input: Tensor<B, 4>) -> (Tensor<B, 4>, Tensor<B, 4>) {
        let first = activation::silu(self.convs[0].forward(input.clone()));
        let second = activation::silu(self.convs[1].forward(first.clone()));
        let third = self.convs[2].forward(second);
        let attention = activation::sigmoid(third.clone()).sub_scalar(0.5);
        ((third + input) * attention, first)
    }
}

/// SPAN with 48 channels and six blocks, in its merged form.
#[derive(Module, Debug)]
pub struct Span<B: Backend> {
    first: Conv2d<B>,
    blocks: Vec<SpanBlock<B>>,
    second: Conv2d<B>,
    join: Conv2d<B>,
    last: Conv2d<B>,
    mean: Param<Tensor<B, 1>>,
}

impl<B: Backend> Span<B> {
    /// Network with random weights.
    pub fn init(device: &B::Device) -> Self {
        const WIDTH: usize = 48;
        Self {
            first: conv([3, WIDTH], 3, device),
            blocks: (0..6)
                .map(|_| SpanBlock {
                    convs: (0..3).map(|_| conv([WIDTH, WIDTH], 3, device)).collect(),
                })
                .collect(),
            second: conv([WIDTH, WIDTH], 3, device),
            join: conv([4 * WIDTH, WIDTH], 1, device),
            last: conv([WIDTH, 3 * FACTOR * FACTOR], 3, device),
            mean: Param::from_tensor(Tensor::full([3], 0.45, device)),
        }
    }

    /// `[n, 3, h, w]` in `[0, 1]` to `[n, 3, 4h, 4w]`; not clamped.
    pub fn forward(&self, input: Tensor<B, 4>) -> Tensor<B, 4> {
        let centred = (input - self.mean.val().reshape([1, 3, 1, 1])).mul_scalar(255.0);
        let stem = self.first.forward(centred);
        let mut h = stem.clone();
        let (mut early, mut late) = (None, None);
        for block in &self.blocks {
            let (out, inner) = block.forward(h);
            early.get_or_insert(out.clone());
            late = Some(inner);
            h = out;
        }
        let mut parts = vec![stem, self.second.forward(h)];
        parts.extend(early);
        parts.extend(late);
        let joint = self.join.forward(Tensor::cat(parts, 1));
        pixel_shuffle(self.last.forward(joint), FACTOR)
    }
}

impl<B: Backend> Parameters<B> for Span<B> {
    fn walk(&mut self, v: &mut dyn ParamVisitor<B>) {
        params::conv(v, "/conv_1/eval_conv/Conv", &mut self.first);
        for (i, block) in self.blocks.iter_mut().enumerate() {
            for (j, conv) in block.convs.iter_mut().enumerate() {
                let key = format!("/block_{}/c{}_r/eval_conv/Conv", i + 1, j + 1);
                params::conv(v, &key, conv);
            }
        }
        params::conv(v, "/conv_2/eval_conv/Conv", &mut self.second);
        params::conv(v, "/conv_cat/Conv", &mut self.join);
        params::conv(v, "/upsampler/upsampler.0/Conv", &mut self.last);
        params::tensor(v, "/Constant_output_0", &mut self.mean);
    }
}
