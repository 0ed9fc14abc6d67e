//! One description of a forward pass, several ways to run it.
//!
//! A network calls the methods of [`Exec`] in its forward pass. [`Eager`] evaluates each call with
//! Burn and so trains and infers; [`crate::onnx::Graph`] appends a node to an ONNX graph. There is
//! therefore no second copy of a network for deployment that could drift from the first.

use std::collections::BTreeMap;

use burn::module::{Param, ParamId};
use burn::nn::conv::{Conv1d, Conv2d, Conv3d, ConvTranspose2d};
use burn::nn::{
    BatchNorm, GroupNorm, InstanceNorm, LayerNorm, Linear, PaddingConfig1d, PaddingConfig2d,
    PaddingConfig3d, RmsNorm,
};
use burn::tensor::backend::Backend;
use burn::tensor::ops::PaddedConvOptions;
use burn::tensor::{IndexingUpdateOp, Int, Tensor, TensorData, activation};

use crate::resample::{self, Resampling};

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

/// Window of an average.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AvgPool {
    /// Height and width of the window.
    pub kernel: [usize; 2],
    /// Steps between windows.
    pub stride: [usize; 2],
    /// Zeros on both sides of rows and of columns.
    pub pad: [usize; 2],
    /// Whether those zeros count in the mean.
    pub count_pad: bool,
}

/// Operations that a forward pass may use.
///
/// `V<D>` is a value of rank `D`: a tensor for [`Eager`], a named edge for the ONNX graph. Shapes
/// follow PyTorch: pictures are `[batch, channel, height, width]`, tokens `[batch, token, feature]`,
/// clips `[batch, channel, frame, height, width]`.
///
/// Methods with a body here are made of the others, so that every engine runs the same steps. Each operation is
/// recorded in a form that both engines, rten and ONNX Runtime, can run.
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
    /// Convolution over the last of `[n, c, length]`.
    fn conv1d(&mut self, conv: &Conv1d<B>, x: Self::V<3>) -> Self::V<3>;
    /// Convolution over frames, rows and columns, `[n, c, t, h, w]`. rten has none: the graph stacks the frames that a
    /// window sees on the channel axis and convolves rows and columns, which is the same sum.
    fn conv3d(&mut self, conv: &Conv3d<B>, x: Self::V<5>) -> Self::V<5>;
    /// Transposed convolution: each value spreads over a window of the larger map.
    fn conv_transpose2d(&mut self, conv: &ConvTranspose2d<B>, x: Self::V<4>) -> Self::V<4>;
    /// `x W + b` over the last dimension.
    fn linear<const D: usize>(&mut self, layer: &Linear<B>, x: Self::V<D>) -> Self::V<D>;
    /// Layer normalisation over the last dimension; `eps` must be the layer's own.
    fn layer_norm<const D: usize>(
        &mut self,
        layer: &LayerNorm<B>,
        eps: f64,
        x: Self::V<D>,
    ) -> Self::V<D>;
    /// Normalisation of each group of channels over all its places, `[n, c, ..]`.
    fn group_norm<const D: usize>(&mut self, layer: &GroupNorm<B>, x: Self::V<D>) -> Self::V<D>;
    /// Normalisation of each channel over its places, `[n, c, ..]`.
    fn instance_norm<const D: usize>(
        &mut self,
        layer: &InstanceNorm<B>,
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
    /// `1 / (1 + e^-x)`.
    fn sigmoid<const D: usize>(&mut self, x: Self::V<D>) -> Self::V<D>;
    /// `e^x`.
    fn exp<const D: usize>(&mut self, x: Self::V<D>) -> Self::V<D>;
    /// Natural logarithm.
    fn log<const D: usize>(&mut self, x: Self::V<D>) -> Self::V<D>;
    /// Softmax over the last dimension.
    fn softmax<const D: usize>(&mut self, x: Self::V<D>) -> Self::V<D>;
    /// Sum, sizes of one broadcasting.
    fn add<const D: usize>(&mut self, a: Self::V<D>, b: Self::V<D>) -> Self::V<D>;
    /// Difference, sizes of one broadcasting.
    fn sub<const D: usize>(&mut self, a: Self::V<D>, b: Self::V<D>) -> Self::V<D>;
    /// Product number by number, sizes of one broadcasting.
    fn mul<const D: usize>(&mut self, a: Self::V<D>, b: Self::V<D>) -> Self::V<D>;
    /// Quotient number by number, sizes of one broadcasting.
    fn div<const D: usize>(&mut self, a: Self::V<D>, b: Self::V<D>) -> Self::V<D>;
    /// Square root.
    fn sqrt<const D: usize>(&mut self, x: Self::V<D>) -> Self::V<D>;
    /// Arc cosine of numbers in -1..1, in radians.
    fn acos<const D: usize>(&mut self, x: Self::V<D>) -> Self::V<D>;
    /// Multiplication by a number.
    fn scale<const D: usize>(&mut self, x: Self::V<D>, factor: f32) -> Self::V<D>;
    /// Addition of a number.
    fn shift<const D: usize>(&mut self, x: Self::V<D>, by: f32) -> Self::V<D>;
    /// Matrix product over the last two dimensions, one for each place of the others; sizes of one broadcast.
    fn matmul<const D: usize>(&mut self, a: Self::V<D>, b: Self::V<D>) -> Self::V<D>;
    /// Max pooling with a square window; padding never wins.
    fn max_pool2d(&mut self, x: Self::V<4>, kernel: usize, stride: usize, pad: usize)
    -> Self::V<4>;
    /// Max pooling without padding whose last windows may hang over the edge (`ceil_mode`); `stride` is at most `kernel`.
    fn max_pool2d_ceil(&mut self, x: Self::V<4>, kernel: usize, stride: usize) -> Self::V<4>;
    /// Means of windows.
    fn avg_pool2d(&mut self, x: Self::V<4>, pool: AvgPool) -> Self::V<4>;
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
    /// New sizes for the same numbers, the first one from the others: what makes frames of clips a batch, and back.
    fn fold<const D: usize, const E: usize>(
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
    /// The entries of dimension `dim` at constant places, in their order; a place may recur.
    fn select<const D: usize>(&mut self, x: Self::V<D>, dim: usize, places: &[usize])
    -> Self::V<D>;
    /// The entry of dimension `dim` that `index`, of whole numbers, names for each place:
    /// `y[i, j, k] = x[i, index[i, j, k], k]` for `dim` 1. The other sizes of `index` are those of `x`.
    fn gather<const D: usize>(
        &mut self,
        x: Self::V<D>,
        dim: usize,
        index: Self::V<D>,
    ) -> Self::V<D>;
    /// The reverse of [`Exec::gather`]: `x` with `values` in the places that `index` names, each at most once.
    fn scatter<const D: usize>(
        &mut self,
        x: Self::V<D>,
        dim: usize,
        index: Self::V<D>,
        values: Self::V<D>,
    ) -> Self::V<D>;
    /// Sums of the entries of dimension `dim` up to each, itself included.
    fn cumsum<const D: usize>(&mut self, x: Self::V<D>, dim: usize) -> Self::V<D>;
    /// Zero entries put ahead of and after dimension `dim`, as many as `by` says.
    fn pad<const D: usize>(&mut self, x: Self::V<D>, dim: usize, by: [usize; 2]) -> Self::V<D>;
    /// Mean over dimension `dim`, which stays with size one.
    fn mean_dim<const D: usize>(&mut self, x: Self::V<D>, dim: usize) -> Self::V<D>;
    /// Values joined along `dim`.
    fn cat<const D: usize>(&mut self, parts: Vec<Self::V<D>>, dim: usize) -> Self::V<D>;
    /// Constant numbers, row-major, as a value that lives where `beside` does.
    fn constant<const D: usize, const E: usize>(
        &mut self,
        values: Vec<f32>,
        dims: [usize; D],
        beside: &Self::V<E>,
    ) -> Self::V<D>;
    /// A parameter or constant as a value.
    fn tensor<const D: usize>(&mut self, t: Tensor<B, D>) -> Self::V<D>;
    /// Notes an inner value under the name of the published module that yields it.
    fn tap<const D: usize>(&mut self, name: &str, x: &Self::V<D>);

    /// Whether [`Exec::tap`] keeps anything.
    fn keeps_taps(&self) -> bool;

    /// Ahead of the names of what is tapped until [`Exec::leave`] stands `name` and a point.
    fn enter(&mut self, name: &str);

    /// The end of the module that [`Exec::enter`] began last.
    fn leave(&mut self);

    /// What `run` gives; what it taps belongs to the module `name`.
    fn within<T>(&mut self, name: &str, run: impl FnOnce(&mut Self) -> T) -> T {
        self.enter(name);
        let given = run(self);
        self.leave();
        given
    }

    /// `before` zero entries put ahead of dimension `dim`.
    fn pad_front<const D: usize>(
        &mut self,
        x: Self::V<D>,
        dim: usize,
        before: usize,
    ) -> Self::V<D> {
        self.pad(x, dim, [before, 0])
    }

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

    /// A learnt vector as a value that broadcasts along dimension `dim`.
    fn along<const D: usize>(&mut self, p: &Param<Tensor<B, 1>>, dim: usize) -> Self::V<D> {
        let vector = p.val();
        let mut dims = [1; D];
        dims[dim] = vector.dims()[0];
        self.tensor(vector.reshape(dims))
    }

    /// `max(x, 0) + slope min(x, 0)`.
    fn leaky_relu<const D: usize>(&mut self, x: Self::V<D>, slope: f32) -> Self::V<D> {
        let above = self.relu(x.clone());
        let below = self.scale(x, -1.0);
        let below = self.relu(below);
        let below = self.scale(below, slope);
        self.sub(above, below)
    }

    /// As [`Exec::leaky_relu`] with a learnt slope for each entry of dimension 1 (He et al., ICCV 2015, arXiv 1502.01852,
    /// equation 1).
    fn prelu<const D: usize>(&mut self, slopes: &Param<Tensor<B, 1>>, x: Self::V<D>) -> Self::V<D> {
        let above = self.relu(x.clone());
        let below = self.scale(x, -1.0);
        let below = self.relu(below);
        let slopes = self.along(slopes, 1);
        let below = self.mul(below, slopes);
        self.sub(above, below)
    }

    /// `x sigmoid(x)`, also called swish.
    fn silu<const D: usize>(&mut self, x: Self::V<D>) -> Self::V<D> {
        let gate = self.sigmoid(x.clone());
        self.mul(x, gate)
    }

    /// `x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))`, an approximation of GELU (Hendrycks and Gimpel, arXiv
    /// 1606.08415, section 2).
    fn gelu_tanh<const D: usize>(&mut self, x: Self::V<D>) -> Self::V<D> {
        let square = self.mul(x.clone(), x.clone());
        let square = self.scale(square, 0.044_715);
        let factor = self.shift(square, 1.0);
        let inner = self.mul(x.clone(), factor);
        let inner = self.scale(inner, (2.0 / std::f32::consts::PI).sqrt());
        let gate = self.tanh(inner);
        let gate = self.shift(gate, 1.0);
        let half = self.scale(x, 0.5);
        self.mul(half, gate)
    }

    /// `ln(1 + e^x)`, as `max(x, 0) + ln(1 + e^-|x|)` so that no size of `x` overflows.
    fn softplus<const D: usize>(&mut self, x: Self::V<D>) -> Self::V<D> {
        let above = self.relu(x.clone());
        let size = self.scale(above.clone(), 2.0);
        let minus_size = self.sub(x, size);
        let tail = self.exp(minus_size);
        let tail = self.shift(tail, 1.0);
        let tail = self.log(tail);
        self.add(above, tail)
    }

    /// `x / sqrt(mean(x^2) + eps)` over the last dimension, times the layer's scale.
    fn rms_norm<const D: usize>(&mut self, layer: &RmsNorm<B>, x: Self::V<D>) -> Self::V<D> {
        let square = self.mul(x.clone(), x.clone());
        let mean = self.mean_dim(square, D - 1);
        let mean = self.shift(mean, layer.epsilon as f32);
        let root = self.sqrt(mean);
        let x = self.div(x, root);
        let scale = self.along(&layer.gamma, D - 1);
        self.mul(x, scale)
    }

    /// Dimension `dim` backwards.
    fn flip<const D: usize>(&mut self, x: Self::V<D>, dim: usize) -> Self::V<D> {
        let places: Vec<usize> = (0..self.dims(&x)[dim]).rev().collect();
        self.select(x, dim, &places)
    }

    /// Dimension `dim` turned so that what was entry `first` comes first.
    fn turn<const D: usize>(&mut self, x: Self::V<D>, dim: usize, first: usize) -> Self::V<D> {
        let size = self.dims(&x)[dim];
        if first == 0 {
            return x;
        }
        let head = self.narrow(x.clone(), dim, 0, first);
        let tail = self.narrow(x, dim, first, size - first);
        self.cat(vec![tail, head], dim)
    }

    /// A map at another size, `[n, c, h, w] -> [n, c, size..]`.
    fn resize(&mut self, x: Self::V<4>, size: [usize; 2], how: Resampling) -> Self::V<4> {
        let [_, _, h, w] = self.dims(&x);
        let rows = resample::weights(how, 0, h, size[0]);
        let columns = resample::weights(how, 1, w, size[1]);
        separable(self, x, size, rows, columns)
    }

    /// Means of `size` bins that cover the map, `[n, c, h, w] -> [n, c, size..]`; bins overlap where a size does not
    /// divide the map's.
    fn adaptive_avg_pool2d(&mut self, x: Self::V<4>, size: [usize; 2]) -> Self::V<4> {
        let [_, _, h, w] = self.dims(&x);
        if h.is_multiple_of(size[0]) && w.is_multiple_of(size[1]) {
            let kernel = [h / size[0], w / size[1]];
            let pool = AvgPool {
                kernel,
                stride: kernel,
                pad: [0; 2],
                count_pad: true,
            };
            return self.avg_pool2d(x, pool);
        }
        let rows = resample::means(h, size[0]);
        let columns = resample::means(w, size[1]);
        separable(self, x, size, rows, columns)
    }
}

/// `rows x columns^T` on each map: `rows` is `[size[0], h]`, `columns` `[size[1], w]`, both row-major.
fn separable<B: Backend, X: Exec<B> + ?Sized>(
    x: &mut X,
    map: X::V<4>,
    size: [usize; 2],
    rows: Vec<f32>,
    columns: Vec<f32>,
) -> X::V<4> {
    let [_, _, h, w] = x.dims(&map);
    let rows = x.constant(rows, [1, 1, size[0], h], &map);
    let columns = x.constant(columns, [1, 1, size[1], w], &map);
    let columns = x.permute(columns, [0, 1, 3, 2]);
    let map = x.matmul(rows, map);
    x.matmul(map, columns)
}

/// Gives a linear layer's weight `[in, out]` a new value ahead of its first use in a pass, from the input
/// `[.., in]` that the layer is about to see.
pub type Rewrite = Box<dyn FnMut(ParamId, TensorData, TensorData) -> TensorData>;

/// Evaluates a forward pass with Burn.
pub struct Eager {
    mode: BatchNormMode,
    freeze_grouped: bool,
    taps: Option<BTreeMap<String, TensorData>>,
    scope: Scope,
    rewrite: Option<Rewrite>,
}

/// Modules that a forward pass is in, outermost first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope(Vec<String>);

impl Scope {
    pub(crate) fn enter(&mut self, name: &str) {
        self.0.push(name.to_owned());
    }

    pub(crate) fn leave(&mut self) {
        self.0.pop();
    }

    /// Full name of what is called `name` in the innermost module.
    pub(crate) fn full(&self, name: &str) -> String {
        let parts = self.0.iter().map(String::as_str).chain([name]);
        parts.collect::<Vec<_>>().join(".")
    }
}

impl Eager {
    /// Evaluation with the given batch-normalisation statistics.
    #[must_use]
    pub fn new(mode: BatchNormMode) -> Self {
        Self {
            mode,
            freeze_grouped: false,
            taps: None,
            scope: Scope::default(),
            rewrite: None,
        }
    }

    /// Evaluation with running statistics that keeps every tapped value.
    #[must_use]
    pub fn with_taps() -> Self {
        Self {
            taps: Some(BTreeMap::new()),
            ..Self::new(BatchNormMode::Running)
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

/// Padding before and after a side of `size` that lets a window with `stride` start at every `stride`-th place.
fn same(size: usize, kernel: usize, stride: usize) -> (usize, usize) {
    let out = size.div_ceil(stride);
    let total = ((out - 1) * stride + kernel).saturating_sub(size);
    (total / 2, total - total / 2)
}

/// Padding as `(top, left, bottom, right)`; `Same` is resolved from the input size.
pub(crate) fn padding<B: Backend>(conv: &Conv2d<B>, height: usize, width: usize) -> [usize; 4] {
    match &conv.padding {
        PaddingConfig2d::Valid => [0; 4],
        PaddingConfig2d::Explicit(top, left, bottom, right) => [*top, *left, *bottom, *right],
        PaddingConfig2d::Same => {
            let (top, bottom) = same(height, conv.kernel_size[0], conv.stride[0]);
            let (left, right) = same(width, conv.kernel_size[1], conv.stride[1]);
            [top, left, bottom, right]
        }
    }
}

/// Padding before and after; `Same` is resolved from the input size.
pub(crate) fn padding1d<B: Backend>(conv: &Conv1d<B>, length: usize) -> [usize; 2] {
    match &conv.padding {
        PaddingConfig1d::Valid => [0; 2],
        PaddingConfig1d::Explicit(before, after) => [*before, *after],
        PaddingConfig1d::Same => same(length, conv.kernel_size, conv.stride).into(),
    }
}

/// Padding on both sides of frames, rows and columns; `Same` is half the kernel, for odd kernels.
pub(crate) fn padding3d<B: Backend>(conv: &Conv3d<B>) -> [usize; 3] {
    match &conv.padding {
        PaddingConfig3d::Valid => [0; 3],
        PaddingConfig3d::Explicit(frames, rows, columns) => [*frames, *rows, *columns],
        PaddingConfig3d::Same => conv.kernel_size.map(|k| k / 2),
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
                PaddedConvOptions::asymmetric(
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

    fn conv1d(&mut self, conv: &Conv1d<B>, x: Tensor<B, 3>) -> Tensor<B, 3> {
        let [before, after] = padding1d(conv, x.dims()[2]);
        burn::tensor::module::conv1d(
            x,
            conv.weight.val(),
            conv.bias.as_ref().map(Param::val),
            PaddedConvOptions::asymmetric(
                [conv.stride],
                [before],
                [after],
                [conv.dilation],
                conv.groups,
            ),
        )
    }

    fn conv3d(&mut self, conv: &Conv3d<B>, x: Tensor<B, 5>) -> Tensor<B, 5> {
        let pad = padding3d(conv);
        burn::tensor::module::conv3d(
            x,
            conv.weight.val(),
            conv.bias.as_ref().map(Param::val),
            PaddedConvOptions::asymmetric(conv.stride, pad, pad, conv.dilation, conv.groups),
        )
    }

    fn conv_transpose2d(&mut self, conv: &ConvTranspose2d<B>, x: Tensor<B, 4>) -> Tensor<B, 4> {
        conv.forward(x)
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

    fn group_norm<const D: usize>(
        &mut self,
        layer: &GroupNorm<B>,
        x: Tensor<B, D>,
    ) -> Tensor<B, D> {
        layer.forward(x)
    }

    fn instance_norm<const D: usize>(
        &mut self,
        layer: &InstanceNorm<B>,
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

    fn sigmoid<const D: usize>(&mut self, x: Tensor<B, D>) -> Tensor<B, D> {
        activation::sigmoid(x)
    }

    fn exp<const D: usize>(&mut self, x: Tensor<B, D>) -> Tensor<B, D> {
        x.exp()
    }

    fn log<const D: usize>(&mut self, x: Tensor<B, D>) -> Tensor<B, D> {
        x.log()
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

    fn div<const D: usize>(&mut self, a: Tensor<B, D>, b: Tensor<B, D>) -> Tensor<B, D> {
        a / b
    }

    fn sqrt<const D: usize>(&mut self, x: Tensor<B, D>) -> Tensor<B, D> {
        x.sqrt()
    }

    fn acos<const D: usize>(&mut self, x: Tensor<B, D>) -> Tensor<B, D> {
        x.acos()
    }

    fn scale<const D: usize>(&mut self, x: Tensor<B, D>, factor: f32) -> Tensor<B, D> {
        x.mul_scalar(factor)
    }

    fn shift<const D: usize>(&mut self, x: Tensor<B, D>, by: f32) -> Tensor<B, D> {
        x.add_scalar(by)
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

    fn max_pool2d_ceil(&mut self, x: Tensor<B, 4>, kernel: usize, stride: usize) -> Tensor<B, 4> {
        burn::tensor::module::max_pool2d(x, [kernel; 2], [stride; 2], [0; 2], [1, 1], true)
    }

    fn avg_pool2d(&mut self, x: Tensor<B, 4>, pool: AvgPool) -> Tensor<B, 4> {
        let AvgPool {
            kernel,
            stride,
            pad,
            count_pad,
        } = pool;
        burn::tensor::module::avg_pool2d(x, kernel, stride, pad, count_pad, false)
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

    fn fold<const D: usize, const E: usize>(
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

    fn select<const D: usize>(
        &mut self,
        x: Tensor<B, D>,
        dim: usize,
        places: &[usize],
    ) -> Tensor<B, D> {
        let places: Vec<i64> = places.iter().map(|p| *p as i64).collect();
        let count = places.len();
        let places = Tensor::from_data(TensorData::new(places, [count]), &x.device());
        x.select(dim, places)
    }

    fn gather<const D: usize>(
        &mut self,
        x: Tensor<B, D>,
        dim: usize,
        index: Tensor<B, D>,
    ) -> Tensor<B, D> {
        x.gather(dim, index.int())
    }

    fn scatter<const D: usize>(
        &mut self,
        x: Tensor<B, D>,
        dim: usize,
        index: Tensor<B, D>,
        values: Tensor<B, D>,
    ) -> Tensor<B, D> {
        // Burn scatters sums alone: the places are cleared first.
        let index: Tensor<B, D, Int> = index.int();
        let none = x.zeros_like();
        let add = IndexingUpdateOp::Add;
        let taken = none.scatter(dim, index.clone(), values.ones_like(), add);
        let kept = x.clone() - x * taken;
        kept.scatter(dim, index, values, IndexingUpdateOp::Add)
    }

    fn cumsum<const D: usize>(&mut self, x: Tensor<B, D>, dim: usize) -> Tensor<B, D> {
        x.cumsum(dim)
    }

    fn pad<const D: usize>(&mut self, x: Tensor<B, D>, dim: usize, by: [usize; 2]) -> Tensor<B, D> {
        let zeros = |count: usize| {
            let mut dims = x.dims();
            dims[dim] = count;
            (count > 0).then(|| Tensor::zeros(dims, &x.device()))
        };
        let [before, after] = by.map(zeros);
        let parts = before.into_iter().chain([x.clone()]).chain(after);
        Tensor::cat(parts.collect(), dim)
    }

    fn mean_dim<const D: usize>(&mut self, x: Tensor<B, D>, dim: usize) -> Tensor<B, D> {
        x.mean_dim(dim)
    }

    fn cat<const D: usize>(&mut self, parts: Vec<Tensor<B, D>>, dim: usize) -> Tensor<B, D> {
        Tensor::cat(parts, dim)
    }

    fn constant<const D: usize, const E: usize>(
        &mut self,
        values: Vec<f32>,
        dims: [usize; D],
        beside: &Tensor<B, E>,
    ) -> Tensor<B, D> {
        Tensor::from_data(TensorData::new(values, dims), &beside.device())
    }

    fn tensor<const D: usize>(&mut self, t: Tensor<B, D>) -> Tensor<B, D> {
        t
    }

    fn keeps_taps(&self) -> bool {
        self.taps.is_some()
    }

    fn enter(&mut self, name: &str) {
        self.scope.enter(name);
    }

    fn leave(&mut self) {
        self.scope.leave();
    }

    fn tap<const D: usize>(&mut self, name: &str, x: &Tensor<B, D>) {
        if let Some(taps) = &mut self.taps {
            taps.insert(self.scope.full(name), x.to_data());
        }
    }
}
