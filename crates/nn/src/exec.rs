//! One description of a forward pass, several ways to run it.
//!
//! A network calls the methods of [`Exec`] in its forward pass. [`Eager`] evaluates each call with
//! Burn and so trains and infers; [`crate::onnx::Graph`] appends a node to an ONNX graph. There is
//! therefore no second copy of a network for deployment that could drift from the first.

use std::collections::BTreeMap;

use burn::module::{Param, ParamId};
use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, LayerNorm, Linear, PaddingConfig2d};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData, activation};

/// Which statistics a batch normalisation uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum BatchNormMode {
    /// The stored running statistics; the affine parts stay trainable. Inference, and fine-tuning
    /// with frozen statistics.
    #[default]
    Running,
    /// The statistics of the batch, updating the running ones. Training from scratch.
    Batch,
}

/// Operations that a forward pass may use.
///
/// `V<D>` is a value of rank `D`: a tensor for [`Eager`], a named edge for the ONNX graph. Shapes
/// follow PyTorch: pictures are `[batch, channel, height, width]`, tokens `[batch, token, feature]`.
pub trait Exec<B: Backend> {
    /// A value of rank `D`.
    type V<const D: usize>: Clone;

    /// Sizes of a value.
    fn dims<const D: usize>(&self, x: &Self::V<D>) -> [usize; D];
    /// Convolution followed by an optional batch normalisation, folded where that is exact.
    fn conv2d(
        &mut self,
        conv: &Conv2d<B>,
        norm: Option<&BatchNorm<B>>,
        x: Self::V<4>,
    ) -> Self::V<4>;
    /// `x W + b` over the last dimension.
    fn linear<const D: usize>(&mut self, layer: &Linear<B>, x: Self::V<D>) -> Self::V<D>;
    /// Layer normalisation over the last dimension; `eps` must be the layer's own.
    fn layer_norm<const D: usize>(
        &mut self,
        layer: &LayerNorm<B>,
        eps: f64,
        x: Self::V<D>,
    ) -> Self::V<D>;
    /// `max(x, 0)`.
    fn relu<const D: usize>(&mut self, x: Self::V<D>) -> Self::V<D>;
    /// `min(max(x, 0), 6)`.
    fn relu6<const D: usize>(&mut self, x: Self::V<D>) -> Self::V<D>;
    /// Hyperbolic tangent.
    fn tanh<const D: usize>(&mut self, x: Self::V<D>) -> Self::V<D>;
    /// Exact GELU, `x Φ(x)`.
    fn gelu<const D: usize>(&mut self, x: Self::V<D>) -> Self::V<D>;
    /// `x sigmoid(1.702 x)`, the approximation that CLIP was trained with.
    fn quick_gelu<const D: usize>(&mut self, x: Self::V<D>) -> Self::V<D>;
    /// Softmax over the last dimension.
    fn softmax<const D: usize>(&mut self, x: Self::V<D>) -> Self::V<D>;
    /// Sum, sizes of one broadcasting.
    fn add<const D: usize>(&mut self, a: Self::V<D>, b: Self::V<D>) -> Self::V<D>;
    /// Difference, sizes of one broadcasting.
    fn sub<const D: usize>(&mut self, a: Self::V<D>, b: Self::V<D>) -> Self::V<D>;
    /// Product number by number, sizes of one broadcasting.
    fn mul<const D: usize>(&mut self, a: Self::V<D>, b: Self::V<D>) -> Self::V<D>;
    /// Square root.
    fn sqrt<const D: usize>(&mut self, x: Self::V<D>) -> Self::V<D>;
    /// Multiplication by a number.
    fn scale<const D: usize>(&mut self, x: Self::V<D>, factor: f32) -> Self::V<D>;
    /// Matrix product over the last two dimensions.
    fn matmul<const D: usize>(&mut self, a: Self::V<D>, b: Self::V<D>) -> Self::V<D>;
    /// Max pooling with a square window; padding never wins.
    fn max_pool2d(&mut self, x: Self::V<4>, kernel: usize, stride: usize, pad: usize)
    -> Self::V<4>;
    /// Mean over the map, `[n, c, h, w] -> [n, c, 1, 1]`.
    fn global_avg_pool(&mut self, x: Self::V<4>) -> Self::V<4>;
    /// Each pixel repeated `factor x factor` times.
    fn upsample_nearest(&mut self, x: Self::V<4>, factor: usize) -> Self::V<4>;
    /// New sizes for the same numbers. The batch stays the first dimension.
    fn reshape<const D: usize, const E: usize>(
        &mut self,
        x: Self::V<D>,
        dims: [usize; E],
    ) -> Self::V<E>;
    /// Dimensions in a new order.
    fn permute<const D: usize>(&mut self, x: Self::V<D>, axes: [usize; D]) -> Self::V<D>;
    /// `len` entries of dimension `dim` from `start`.
    fn narrow<const D: usize>(
        &mut self,
        x: Self::V<D>,
        dim: usize,
        start: usize,
        len: usize,
    ) -> Self::V<D>;
    /// `before` zero entries put ahead of dimension `dim`.
    fn pad_front<const D: usize>(&mut self, x: Self::V<D>, dim: usize, before: usize)
    -> Self::V<D>;
    /// Mean over dimension `dim`, which stays with size one.
    fn mean_dim<const D: usize>(&mut self, x: Self::V<D>, dim: usize) -> Self::V<D>;
    /// Values joined along `dim`.
    fn cat<const D: usize>(&mut self, parts: Vec<Self::V<D>>, dim: usize) -> Self::V<D>;
    /// A parameter or constant as a value.
    fn tensor<const D: usize>(&mut self, t: Tensor<B, D>) -> Self::V<D>;
    /// Notes an inner value under the name of the published module that yields it.
    fn tap<const D: usize>(&mut self, name: &str, x: &Self::V<D>);

    /// Whether [`Exec::tap`] keeps anything.
    fn keeps_taps(&self) -> bool;

    /// Notes what a convolution gives before its normalisation. The forward pass itself folds the
    /// two, so the bare result is computed only where taps are kept.
    fn tap_conv(&mut self, name: &str, conv: &Conv2d<B>, input: &Self::V<4>) {
        if self.keeps_taps() {
            let bare = self.conv2d(conv, None, input.clone());
            self.tap(name, &bare);
        }
    }

    /// A learnt tensor as a value.
    fn param<const D: usize>(&mut self, p: &Param<Tensor<B, D>>) -> Self::V<D> {
        self.tensor(p.val())
    }
}

/// Gives a linear layer's weight `[in, out]` a new value ahead of its first use in a pass, from the input
/// `[.., in]` that the layer is about to see.
pub type Rewrite = Box<dyn FnMut(ParamId, TensorData, TensorData) -> TensorData>;

/// Evaluates a forward pass with Burn.
pub struct Eager {
    mode: BatchNormMode,
    freeze_grouped: bool,
    taps: Option<BTreeMap<String, TensorData>>,
    rewrite: Option<Rewrite>,
}

impl Eager {
    /// Evaluation with the given batch-normalisation statistics.
    #[must_use]
    pub fn new(mode: BatchNormMode) -> Self {
        Self {
            mode,
            freeze_grouped: false,
            taps: None,
            rewrite: None,
        }
    }

    /// Evaluation with running statistics that keeps every tapped value.
    #[must_use]
    pub fn with_taps() -> Self {
        Self {
            mode: BatchNormMode::Running,
            freeze_grouped: false,
            taps: Some(BTreeMap::new()),
            rewrite: None,
        }
    }

    /// Evaluation in which each linear layer computes with the weight that `rewrite` returns for it. A layer
    /// therefore sees what the rewritten layers ahead of it yield.
    #[must_use]
    pub fn rewriting(rewrite: Rewrite) -> Self {
        Self {
            rewrite: Some(rewrite),
            ..Self::new(BatchNormMode::Running)
        }
    }

    /// Leaves the kernels of grouped (depthwise) convolutions as they are: Burn 0.21 computes their
    /// gradient group by group, which takes several times as long as all the rest of a step.
    #[must_use]
    pub fn freezing_grouped(mut self) -> Self {
        self.freeze_grouped = true;
        self
    }

    /// The tapped values by name.
    #[must_use]
    pub fn into_taps(self) -> BTreeMap<String, TensorData> {
        self.taps.unwrap_or_default()
    }
}

/// Scale and shift that a batch normalisation applies with its running statistics, each `[c]`.
pub(crate) fn running_affine<B: Backend>(norm: &BatchNorm<B>) -> (Tensor<B, 1>, Tensor<B, 1>) {
    let scale = norm.gamma.val() / norm.running_var.value().add_scalar(norm.epsilon).sqrt();
    let shift = norm.beta.val() - norm.running_mean.value() * scale.clone();
    (scale, shift)
}

/// Padding as `(top, left, bottom, right)`; `Same` is resolved from the input size.
pub(crate) fn padding<B: Backend>(conv: &Conv2d<B>, height: usize, width: usize) -> [usize; 4] {
    match &conv.padding {
        PaddingConfig2d::Valid => [0; 4],
        PaddingConfig2d::Explicit(top, left, bottom, right) => [*top, *left, *bottom, *right],
        PaddingConfig2d::Same => {
            let side = |size: usize, kernel: usize, stride: usize| {
                let out = size.div_ceil(stride);
                let total = ((out - 1) * stride + kernel).saturating_sub(size);
                (total / 2, total - total / 2)
            };
            let (top, bottom) = side(height, conv.kernel_size[0], conv.stride[0]);
            let (left, right) = side(width, conv.kernel_size[1], conv.stride[1]);
            [top, left, bottom, right]
        }
    }
}

impl<B: Backend> Exec<B> for Eager {
    type V<const D: usize> = Tensor<B, D>;

    fn dims<const D: usize>(&self, x: &Tensor<B, D>) -> [usize; D] {
        x.dims()
    }

    fn conv2d(
        &mut self,
        conv: &Conv2d<B>,
        norm: Option<&BatchNorm<B>>,
        x: Tensor<B, 4>,
    ) -> Tensor<B, 4> {
        let frozen = self.freeze_grouped && conv.groups > 1;
        let bare = |weight: Tensor<B, 4>, bias: Option<Tensor<B, 1>>, x: Tensor<B, 4>| {
            let weight = if frozen { weight.detach() } else { weight };
            let [_, _, height, width] = x.dims();
            let [top, left, bottom, right] = padding(conv, height, width);
            burn::tensor::module::conv2d(
                x,
                weight,
                bias,
                burn::tensor::ops::PaddedConvOptions::asymmetric(
                    conv.stride,
                    [top, left],
                    [bottom, right],
                    conv.dilation,
                    conv.groups,
                ),
            )
        };
        let bias = conv.bias.as_ref().map(Param::val);
        match norm {
            None => bare(conv.weight.val(), bias, x),
            Some(norm) if self.mode == BatchNormMode::Batch => {
                norm.forward(bare(conv.weight.val(), bias, x))
            }
            Some(norm) => {
                // Exact: the normalisation is affine once its statistics are fixed, so it moves
                // into the kernel; gradients still reach the kernel and the affine parts.
                let (scale, shift) = running_affine(norm);
                let channels = scale.dims()[0];
                let weight = conv.weight.val() * scale.clone().reshape([channels, 1, 1, 1]);
                let bias = match bias {
                    Some(bias) => bias * scale + shift,
                    None => shift,
                };
                bare(weight, Some(bias), x)
            }
        }
    }

    fn linear<const D: usize>(&mut self, layer: &Linear<B>, x: Tensor<B, D>) -> Tensor<B, D> {
        let Some(rewrite) = &mut self.rewrite else {
            return layer.forward(x);
        };
        let weight = layer.weight.val();
        let fresh = rewrite(layer.weight.id, x.to_data(), weight.to_data());
        let fresh = Tensor::from_data(fresh, &weight.device());
        let layer = Linear {
            weight: Param::initialized(layer.weight.id, fresh),
            bias: layer.bias.clone(),
        };
        layer.forward(x)
    }

    fn layer_norm<const D: usize>(
        &mut self,
        layer: &LayerNorm<B>,
        _eps: f64,
        x: Tensor<B, D>,
    ) -> Tensor<B, D> {
        layer.forward(x)
    }

    fn relu<const D: usize>(&mut self, x: Tensor<B, D>) -> Tensor<B, D> {
        activation::relu(x)
    }

    fn relu6<const D: usize>(&mut self, x: Tensor<B, D>) -> Tensor<B, D> {
        // 6 - relu(6 - relu(x)): rectifiers are vectorised in every backend and its gradients,
        // the masked fills of a clamp are not.
        activation::relu(activation::relu(x).neg().add_scalar(6.0))
            .neg()
            .add_scalar(6.0)
    }

    fn tanh<const D: usize>(&mut self, x: Tensor<B, D>) -> Tensor<B, D> {
        x.tanh()
    }

    fn gelu<const D: usize>(&mut self, x: Tensor<B, D>) -> Tensor<B, D> {
        activation::gelu(x)
    }

    fn quick_gelu<const D: usize>(&mut self, x: Tensor<B, D>) -> Tensor<B, D> {
        x.clone() * activation::sigmoid(x.mul_scalar(1.702))
    }

    fn softmax<const D: usize>(&mut self, x: Tensor<B, D>) -> Tensor<B, D> {
        activation::softmax(x, D - 1)
    }

    fn add<const D: usize>(&mut self, a: Tensor<B, D>, b: Tensor<B, D>) -> Tensor<B, D> {
        a + b
    }

    fn sub<const D: usize>(&mut self, a: Tensor<B, D>, b: Tensor<B, D>) -> Tensor<B, D> {
        a - b
    }

    fn mul<const D: usize>(&mut self, a: Tensor<B, D>, b: Tensor<B, D>) -> Tensor<B, D> {
        a * b
    }

    fn sqrt<const D: usize>(&mut self, x: Tensor<B, D>) -> Tensor<B, D> {
        x.sqrt()
    }

    fn scale<const D: usize>(&mut self, x: Tensor<B, D>, factor: f32) -> Tensor<B, D> {
        x.mul_scalar(factor)
    }

    fn matmul<const D: usize>(&mut self, a: Tensor<B, D>, b: Tensor<B, D>) -> Tensor<B, D> {
        a.matmul(b)
    }

    fn max_pool2d(
        &mut self,
        x: Tensor<B, 4>,
        kernel: usize,
        stride: usize,
        pad: usize,
    ) -> Tensor<B, 4> {
        burn::tensor::module::max_pool2d(x, [kernel; 2], [stride; 2], [pad; 2], [1, 1], false)
    }

    fn global_avg_pool(&mut self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        x.mean_dim(3).mean_dim(2)
    }

    fn upsample_nearest(&mut self, x: Tensor<B, 4>, factor: usize) -> Tensor<B, 4> {
        let [n, c, h, w] = x.dims();
        x.reshape([n, c * h, 1, w, 1])
            .expand([n, c * h, factor, w, factor])
            .reshape([n, c, h * factor, w * factor])
    }

    fn reshape<const D: usize, const E: usize>(
        &mut self,
        x: Tensor<B, D>,
        dims: [usize; E],
    ) -> Tensor<B, E> {
        x.reshape(dims)
    }

    fn permute<const D: usize>(&mut self, x: Tensor<B, D>, axes: [usize; D]) -> Tensor<B, D> {
        x.permute(axes)
    }

    fn narrow<const D: usize>(
        &mut self,
        x: Tensor<B, D>,
        dim: usize,
        start: usize,
        len: usize,
    ) -> Tensor<B, D> {
        x.narrow(dim, start, len)
    }

    fn pad_front<const D: usize>(
        &mut self,
        x: Tensor<B, D>,
        dim: usize,
        before: usize,
    ) -> Tensor<B, D> {
        let mut dims = x.dims();
        dims[dim] = before;
        Tensor::cat(vec![Tensor::zeros(dims, &x.device()), x], dim)
    }

    fn mean_dim<const D: usize>(&mut self, x: Tensor<B, D>, dim: usize) -> Tensor<B, D> {
        x.mean_dim(dim)
    }

    fn cat<const D: usize>(&mut self, parts: Vec<Tensor<B, D>>, dim: usize) -> Tensor<B, D> {
        Tensor::cat(parts, dim)
    }

    fn tensor<const D: usize>(&mut self, t: Tensor<B, D>) -> Tensor<B, D> {
        t
    }

    fn keeps_taps(&self) -> bool {
        self.taps.is_some()
    }

    fn tap<const D: usize>(&mut self, name: &str, x: &Tensor<B, D>) {
        if let Some(taps) = &mut self.taps {
            taps.insert(name.to_owned(), x.to_data());
        }
    }
}
