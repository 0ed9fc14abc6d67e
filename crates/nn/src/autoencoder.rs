//! Small autoencoders of our own, one for each common way to enlarge a feature map.
//!
//! A generator's decoder leaves the trace of its up-sampling (Odena et al., "Deconvolution and
//! Checkerboard Artifacts", Distill 2016; Durall et al., CVPR 2020, arXiv 2003.01826). Pictures that
//! went through one of these carry such a trace and nothing else that is new.

use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig, ConvTranspose2d, ConvTranspose2dConfig};
use burn::tensor::backend::Backend;
use burn::tensor::ops::{InterpolateMode, InterpolateOptions};
use burn::tensor::{Tensor, activation};

use crate::exec::Exec;
use crate::params::{self, ParamVisitor, Parameters};
use crate::upscale::{conv, pixel_shuffle};

/// How a decoder doubles the sides of its maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upsampling {
    /// Transposed convolution, kernel 3, stride 2: its kernel overlaps unevenly.
    Transposed,
    /// Nearest neighbour, then a convolution.
    Nearest,
    /// Bilinear, then a convolution.
    Bilinear,
    /// A convolution to four times the channels that are laid out as pixels.
    PixelShuffle,
}

/// Size and kind of an autoencoder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AutoencoderConfig {
    /// Way up.
    pub upsampling: Upsampling,
    /// Halvings of the sides.
    pub stages: usize,
    /// Channels of inner maps.
    pub width: usize,
    /// Channels of the latent.
    pub latent: usize,
    /// Levels that each latent channel is rounded to (finite scalar quantisation, Mentzer et al.,
    /// ICLR 2024, arXiv 2309.15505); `None` leaves it continuous.
    pub levels: Option<usize>,
}

impl AutoencoderConfig {
    /// One halving, continuous latent: nearly lossless after a few hundred steps, so that its trace and not
    /// its blur is what a pair shows.
    #[must_use]
    pub fn plain(upsampling: Upsampling) -> Self {
        Self {
            upsampling,
            stages: 1,
            width: 32,
            latent: 9,
            levels: None,
        }
    }

    /// One halving, latent rounded to 17 levels.
    #[must_use]
    pub fn quantized(upsampling: Upsampling) -> Self {
        Self {
            latent: 12,
            levels: Some(17),
            ..Self::plain(upsampling)
        }
    }

    /// Network with random weights.
    pub fn init<B: Backend>(&self, device: &B::Device) -> Autoencoder<B> {
        let w = self.width;
        let down = || {
            Conv2dConfig::new([w, w], [3, 3])
                .with_stride([2, 2])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                .init(device)
        };
        let up = || match self.upsampling {
            Upsampling::Transposed => Up {
                conv: None,
                transposed: Some(
                    ConvTranspose2dConfig::new([w, w], [3, 3])
                        .with_stride([2, 2])
                        .with_padding([1, 1])
                        .with_padding_out([1, 1])
                        .init(device),
                ),
            },
            Upsampling::PixelShuffle => Up {
                conv: Some(conv([w, 4 * w], 3, device)),
                transposed: None,
            },
            Upsampling::Nearest | Upsampling::Bilinear => Up {
                conv: Some(conv([w, w], 3, device)),
                transposed: None,
            },
        };
        Autoencoder {
            stem: conv([3, w], 3, device),
            downs: (0..self.stages).map(|_| down()).collect(),
            encode: (0..self.stages).map(|_| conv([w, w], 3, device)).collect(),
            narrow: conv([w, self.latent], 3, device),
            widen: conv([self.latent, w], 3, device),
            decode: (0..self.stages).map(|_| conv([w, w], 3, device)).collect(),
            ups: (0..self.stages).map(|_| up()).collect(),
            head: conv([w, 3], 3, device),
            upsampling: self.upsampling,
            levels: self.levels.unwrap_or(0),
        }
    }
}

#[derive(Module, Debug)]
struct Up<B: Backend> {
    conv: Option<Conv2d<B>>,
    transposed: Option<ConvTranspose2d<B>>,
}

/// Encoder and decoder: `[n, 3, h, w]` in `[0, 1]`, sides multiples of `2^stages`, to the same shape.
#[derive(Module, Debug)]
pub struct Autoencoder<B: Backend> {
    stem: Conv2d<B>,
    downs: Vec<Conv2d<B>>,
    encode: Vec<Conv2d<B>>,
    narrow: Conv2d<B>,
    widen: Conv2d<B>,
    decode: Vec<Conv2d<B>>,
    ups: Vec<Up<B>>,
    head: Conv2d<B>,
    #[module(skip)]
    upsampling: Upsampling,
    levels: usize,
}

impl<B: Backend> Autoencoder<B> {
    /// The latent, rounded where the network rounds it; gradients pass the rounding unchanged.
    pub fn latent(&self, input: Tensor<B, 4>) -> Tensor<B, 4> {
        let mut h = activation::relu(self.stem.forward(input.clone()));
        for (down, conv) in self.downs.iter().zip(&self.encode) {
            h = activation::relu(down.forward(h));
            h = h.clone() + activation::relu(conv.forward(h));
        }
        // The reduced picture itself is part of the latent, so that training begins near the identity.
        let [n, _, height, width] = input.dims();
        let by = 1 << self.downs.len();
        let reduced = input
            .reshape([n * 3, height / by, by, width / by, by])
            .mean_dim(4)
            .mean_dim(2)
            .reshape([n, 3, height / by, width / by]);
        let z = self.narrow.forward(h);
        let channels = z.dims()[1];
        let z = Tensor::cat(
            vec![
                z.clone().narrow(1, 0, 3) + reduced,
                z.narrow(1, 3, channels - 3),
            ],
            1,
        );
        if self.levels == 0 {
            return z;
        }
        let half = (self.levels - 1) as f64 / 2.0;
        let bounded = z.tanh();
        let rounded = bounded.clone().mul_scalar(half).round().div_scalar(half);
        bounded.clone() + (rounded - bounded).detach()
    }

    /// The picture of a latent; not clamped.
    pub fn picture(&self, latent: Tensor<B, 4>) -> Tensor<B, 4> {
        let mut x = crate::Eager::new(crate::BatchNormMode::Running);
        let by = 1 << self.ups.len();
        let base = latent.clone().narrow(1, 0, 3);
        let base = if self.upsampling == Upsampling::Bilinear {
            let [_, _, height, width] = base.dims();
            let options = InterpolateOptions::new(InterpolateMode::Bilinear);
            burn::tensor::module::interpolate(base, [by * height, by * width], options)
        } else {
            Exec::<B>::upsample_nearest(&mut x, base, by)
        };
        let mut h = activation::relu(self.widen.forward(latent));
        for (conv, up) in self.decode.iter().zip(&self.ups) {
            h = h.clone() + activation::relu(conv.forward(h));
            let [_, _, height, width] = h.dims();
            h = match (self.upsampling, &up.conv, &up.transposed) {
                (_, _, Some(transposed)) => transposed.forward(h),
                (Upsampling::PixelShuffle, Some(conv), _) => pixel_shuffle(conv.forward(h), 2),
                (Upsampling::Bilinear, Some(conv), _) => {
                    let options = InterpolateOptions::new(InterpolateMode::Bilinear);
                    let large =
                        burn::tensor::module::interpolate(h, [2 * height, 2 * width], options);
                    conv.forward(large)
                }
                (_, Some(conv), _) => conv.forward(Exec::<B>::upsample_nearest(&mut x, h, 2)),
                (_, None, None) => h,
            };
            h = activation::relu(h);
        }
        self.head.forward(h) + base
    }

    /// Through the latent and back.
    pub fn forward(&self, input: Tensor<B, 4>) -> Tensor<B, 4> {
        self.picture(self.latent(input))
    }
}

impl<B: Backend> Parameters<B> for Autoencoder<B> {
    fn walk(&mut self, v: &mut dyn ParamVisitor<B>) {
        params::conv(v, "stem", &mut self.stem);
        for (i, (down, conv)) in self.downs.iter_mut().zip(&mut self.encode).enumerate() {
            params::conv(v, &format!("encode.{i}.down"), down);
            params::conv(v, &format!("encode.{i}.conv"), conv);
        }
        params::conv(v, "narrow", &mut self.narrow);
        params::conv(v, "widen", &mut self.widen);
        for (i, (conv, up)) in self.decode.iter_mut().zip(&mut self.ups).enumerate() {
            params::conv(v, &format!("decode.{i}.conv"), conv);
            if let Some(conv) = &mut up.conv {
                params::conv(v, &format!("decode.{i}.up"), conv);
            }
            if let Some(layer) = &mut up.transposed {
                params::tensor(v, &format!("decode.{i}.up.weight"), &mut layer.weight);
                if let Some(bias) = &mut layer.bias {
                    params::tensor(v, &format!("decode.{i}.up.bias"), bias);
                }
            }
        }
        params::conv(v, "head", &mut self.head);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::backend::Flex;
    use burn::tensor::TensorData;

    #[test]
    fn pixels_are_laid_out_as_published() {
        // PyTorch: out[n, c, h f + i, w f + j] = in[n, c f f + i f + j, h, w].
        let values: Vec<f32> = (0..16).map(|v| v as f32).collect();
        let x = Tensor::<Flex<f32, i32>, 4>::from_data(
            TensorData::new(values, [1, 4, 2, 2]),
            &Default::default(),
        );
        let out: Vec<f32> = pixel_shuffle(x, 2).into_data().iter::<f32>().collect();
        let expected = [
            0., 4., 1., 5., 8., 12., 9., 13., 2., 6., 3., 7., 10., 14., 11., 15.,
        ];
        assert_eq!(out, expected);
    }

    #[test]
    fn every_kind_keeps_the_shape() {
        use Upsampling::{Bilinear, Nearest, PixelShuffle, Transposed};
        for config in [
            AutoencoderConfig::plain(Transposed),
            AutoencoderConfig::plain(Nearest),
            AutoencoderConfig::plain(PixelShuffle),
            AutoencoderConfig::quantized(Bilinear),
        ] {
            let device = Default::default();
            let network = config.init::<Flex<f32, i32>>(&device);
            let out = network.forward(Tensor::zeros([1, 3, 16, 24], &device));
            assert_eq!(out.dims(), [1, 3, 16, 24], "{config:?}");
        }
    }
}
