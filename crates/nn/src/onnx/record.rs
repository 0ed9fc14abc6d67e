//! Each operation as nodes.

use burn::nn::conv::{Conv1d, Conv2d, Conv3d, ConvTranspose2d};
use burn::nn::{BatchNorm, GroupNorm, InstanceNorm, LayerNorm, Linear};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::{Edge, Graph, float, int, ints};
use crate::exec::{AvgPool, Exec, padding, padding1d, padding3d, running_affine};

/// Size of a side after windows of `kernel` at steps of `stride` over `size` places, padding included.
fn windows(size: usize, kernel: usize, stride: usize, dilation: usize) -> usize {
    (size - dilation * (kernel - 1) - 1) / stride + 1
}

impl<B: Backend> Exec<B> for Graph {
    type V<const D: usize> = Edge<D>;

    fn dims<const D: usize>(&self, x: &Edge<D>) -> [usize; D] {
        x.dims
    }

    fn conv2d(&mut self, conv: &Conv2d<B>, norm: Option<&BatchNorm<B>>, x: Edge<4>) -> Edge<4> {
        let mut weight = conv.weight.val();
        let mut bias = conv.bias.as_ref().map(|b| b.val());
        if let Some(norm) = norm {
            let (scale, shift) = running_affine(norm);
            let channels = scale.dims()[0];
            weight = weight * scale.clone().reshape([channels, 1, 1, 1]);
            bias = Some(match bias {
                Some(bias) => bias * scale + shift,
                None => shift,
            });
        }
        let [n, _, h, w] = x.dims;
        let [top, left, bottom, right] = padding(conv, h, w);
        let size = |size: usize, i: usize| {
            windows(size, conv.kernel_size[i], conv.stride[i], conv.dilation[i])
        };
        let dims = [
            n,
            weight.dims()[0],
            size(h + top + bottom, 0),
            size(w + left + right, 1),
        ];
        let mut inputs = vec![x.name, self.stored(&weight)];
        if let Some(bias) = bias {
            inputs.push(self.stored(&bias));
        }
        self.node(
            "Conv",
            inputs,
            vec![
                ints("kernel_shape", &conv.kernel_size),
                ints("strides", &conv.stride),
                ints("dilations", &conv.dilation),
                ints("pads", &[top, left, bottom, right]),
                int("group", conv.groups as i64),
            ],
            dims,
        )
    }

    fn conv1d(&mut self, conv: &Conv1d<B>, x: Edge<3>) -> Edge<3> {
        let [n, _, length] = x.dims;
        let [before, after] = padding1d(conv, length);
        let weight = conv.weight.val();
        let padded = length + before + after;
        let out = windows(padded, conv.kernel_size, conv.stride, conv.dilation);
        let dims = [n, weight.dims()[0], out];
        let mut inputs = vec![x.name, self.stored(&weight)];
        inputs.extend(self.stored_bias(conv.bias.as_ref()));
        self.node(
            "Conv",
            inputs,
            vec![
                ints("kernel_shape", &[conv.kernel_size]),
                ints("strides", &[conv.stride]),
                ints("dilations", &[conv.dilation]),
                ints("pads", &[before, after]),
                int("group", conv.groups as i64),
            ],
            dims,
        )
    }

    fn conv3d(&mut self, conv: &Conv3d<B>, x: Edge<5>) -> Edge<5> {
        let [n, c, t, h, w] = x.dims;
        let [kt, kh, kw] = conv.kernel_size;
        let [pad_t, pad_h, pad_w] = padding3d(conv);
        let weight = conv.weight.val();
        let [outputs, each, ..] = weight.dims();
        let size = |size: usize, pad: usize, i: usize| {
            windows(
                size + 2 * pad,
                conv.kernel_size[i],
                conv.stride[i],
                conv.dilation[i],
            )
        };
        let [frames, rows, columns] = [size(t, pad_t, 0), size(h, pad_h, 1), size(w, pad_w, 2)];
        // Frames first, then those of each window next to each other: [n, frames * kt, c, h, w].
        let x = Exec::<B>::permute(self, x, [0, 2, 1, 3, 4]);
        let x = Exec::<B>::pad(self, x, 1, [pad_t; 2]);
        let seen: Vec<usize> = (0..frames)
            .flat_map(|f| (0..kt).map(move |k| (f, k)))
            .map(|(f, k)| f * conv.stride[0] + k * conv.dilation[0])
            .collect();
        let x = Exec::<B>::select(self, x, 1, &seen);
        // A group's channels of all frames of a window become its channels.
        let groups = conv.groups;
        let x: Edge<4> = Exec::<B>::fold(self, x, [n * frames, kt, groups, c / groups * h * w]);
        let x = Exec::<B>::permute(self, x, [0, 2, 1, 3]);
        let x: Edge<4> = Exec::<B>::fold(self, x, [n * frames, groups * kt * c / groups, h, w]);
        let weight = weight
            .permute([0, 2, 1, 3, 4])
            .reshape([outputs, kt * each, kh, kw]);
        let mut inputs = vec![x.name, self.stored(&weight)];
        inputs.extend(self.stored_bias(conv.bias.as_ref()));
        let y = self.node(
            "Conv",
            inputs,
            vec![
                ints("kernel_shape", &[kh, kw]),
                ints("strides", &conv.stride[1..]),
                ints("dilations", &conv.dilation[1..]),
                ints("pads", &[pad_h, pad_w, pad_h, pad_w]),
                int("group", groups as i64),
            ],
            [n * frames, outputs, rows, columns],
        );
        let y: Edge<5> = Exec::<B>::fold(self, y, [n, frames, outputs, rows, columns]);
        Exec::<B>::permute(self, y, [0, 2, 1, 3, 4])
    }

    fn conv_transpose2d(&mut self, conv: &ConvTranspose2d<B>, x: Edge<4>) -> Edge<4> {
        let [n, _, h, w] = x.dims;
        let weight = conv.weight.val();
        let size = |size: usize, i: usize| {
            (size - 1) * conv.stride[i]
                + conv.dilation[i] * (conv.kernel_size[i] - 1)
                + conv.padding_out[i]
                + 1
                - 2 * conv.padding[i]
        };
        let dims = [n, weight.dims()[1] * conv.groups, size(h, 0), size(w, 1)];
        let mut inputs = vec![x.name, self.stored(&weight)];
        inputs.extend(self.stored_bias(conv.bias.as_ref()));
        let [top, left] = conv.padding;
        self.node(
            "ConvTranspose",
            inputs,
            vec![
                ints("kernel_shape", &conv.kernel_size),
                ints("strides", &conv.stride),
                ints("dilations", &conv.dilation),
                ints("pads", &[top, left, top, left]),
                ints("output_padding", &conv.padding_out),
                int("group", conv.groups as i64),
            ],
            dims,
        )
    }

    fn linear<const D: usize>(&mut self, layer: &Linear<B>, x: Edge<D>) -> Edge<D> {
        let weight = layer.weight.val();
        let columns = weight.dims()[1];
        let weight = self.stored(&weight);
        let y = self.product(x, weight, columns);
        match &layer.bias {
            Some(bias) => {
                let bias = self.stored(&bias.val());
                let dims = y.dims;
                self.node("Add", vec![y.name, bias], vec![], dims)
            }
            None => y,
        }
    }

    fn layer_norm<const D: usize>(
        &mut self,
        layer: &LayerNorm<B>,
        eps: f64,
        x: Edge<D>,
    ) -> Edge<D> {
        let mut inputs = vec![x.name, self.stored(&layer.gamma.val())];
        if let Some(beta) = &layer.beta {
            inputs.push(self.stored(&beta.val()));
        }
        self.node(
            "LayerNormalization",
            inputs,
            vec![int("axis", -1), float("epsilon", eps as f32)],
            x.dims,
        )
    }

    fn group_norm<const D: usize>(&mut self, layer: &GroupNorm<B>, x: Edge<D>) -> Edge<D> {
        let dims = x.dims;
        let groups = layer.num_groups;
        let places = dims[1..].iter().product::<usize>() / groups;
        let x = Exec::<B>::reshape(self, x, [dims[0], groups, places]);
        let ones = self.floats(&[groups], &vec![1.0; groups]);
        let zeros = self.floats(&[groups], &vec![0.0; groups]);
        let x = self.node(
            "InstanceNormalization",
            vec![x.name, ones, zeros],
            vec![float("epsilon", layer.epsilon as f32)],
            x.dims,
        );
        let mut x = Exec::<B>::reshape(self, x, dims);
        if let (Some(gamma), Some(beta)) = (&layer.gamma, &layer.beta) {
            let gamma = Exec::<B>::along(self, gamma, 1);
            x = Exec::<B>::mul(self, x, gamma);
            let beta = Exec::<B>::along(self, beta, 1);
            x = Exec::<B>::add(self, x, beta);
        }
        x
    }

    fn instance_norm<const D: usize>(&mut self, layer: &InstanceNorm<B>, x: Edge<D>) -> Edge<D> {
        let channels = layer.num_channels;
        let (gamma, beta) = match (&layer.gamma, &layer.beta) {
            (Some(gamma), Some(beta)) => (self.stored(&gamma.val()), self.stored(&beta.val())),
            _ => (
                self.floats(&[channels], &vec![1.0; channels]),
                self.floats(&[channels], &vec![0.0; channels]),
            ),
        };
        self.node(
            "InstanceNormalization",
            vec![x.name, gamma, beta],
            vec![float("epsilon", layer.epsilon as f32)],
            x.dims,
        )
    }

    fn relu<const D: usize>(&mut self, x: Edge<D>) -> Edge<D> {
        self.unary("Relu", x)
    }

    fn relu6<const D: usize>(&mut self, x: Edge<D>) -> Edge<D> {
        let low = self.floats(&[], &[0.0]);
        let high = self.floats(&[], &[6.0]);
        self.node("Clip", vec![x.name, low, high], vec![], x.dims)
    }

    fn tanh<const D: usize>(&mut self, x: Edge<D>) -> Edge<D> {
        self.unary("Tanh", x)
    }

    fn gelu<const D: usize>(&mut self, x: Edge<D>) -> Edge<D> {
        // 0.5 x (1 + erf(x / sqrt 2)), the form that engines recognise and fuse.
        let scaled = self.with_scalar("Div", x.clone(), std::f32::consts::SQRT_2);
        let erf = self.unary("Erf", scaled);
        let shifted = self.with_scalar("Add", erf, 1.0);
        let product = self.binary("Mul", x, shifted);
        self.with_scalar("Mul", product, 0.5)
    }

    fn quick_gelu<const D: usize>(&mut self, x: Edge<D>) -> Edge<D> {
        let scaled = self.with_scalar("Mul", x.clone(), 1.702);
        let gate = self.unary("Sigmoid", scaled);
        self.binary("Mul", x, gate)
    }

    fn sigmoid<const D: usize>(&mut self, x: Edge<D>) -> Edge<D> {
        self.unary("Sigmoid", x)
    }

    fn exp<const D: usize>(&mut self, x: Edge<D>) -> Edge<D> {
        self.unary("Exp", x)
    }

    fn log<const D: usize>(&mut self, x: Edge<D>) -> Edge<D> {
        self.unary("Log", x)
    }

    fn softmax<const D: usize>(&mut self, x: Edge<D>) -> Edge<D> {
        self.node("Softmax", vec![x.name], vec![int("axis", -1)], x.dims)
    }

    fn add<const D: usize>(&mut self, a: Edge<D>, b: Edge<D>) -> Edge<D> {
        self.binary("Add", a, b)
    }

    fn sub<const D: usize>(&mut self, a: Edge<D>, b: Edge<D>) -> Edge<D> {
        self.binary("Sub", a, b)
    }

    fn mul<const D: usize>(&mut self, a: Edge<D>, b: Edge<D>) -> Edge<D> {
        self.binary("Mul", a, b)
    }

    fn div<const D: usize>(&mut self, a: Edge<D>, b: Edge<D>) -> Edge<D> {
        self.binary("Div", a, b)
    }

    fn sqrt<const D: usize>(&mut self, x: Edge<D>) -> Edge<D> {
        self.unary("Sqrt", x)
    }

    fn acos<const D: usize>(&mut self, x: Edge<D>) -> Edge<D> {
        self.unary("Acos", x)
    }

    fn scale<const D: usize>(&mut self, x: Edge<D>, factor: f32) -> Edge<D> {
        self.with_scalar("Mul", x, factor)
    }

    fn shift<const D: usize>(&mut self, x: Edge<D>, by: f32) -> Edge<D> {
        self.with_scalar("Add", x, by)
    }

    fn matmul<const D: usize>(&mut self, a: Edge<D>, b: Edge<D>) -> Edge<D> {
        let mut dims = std::array::from_fn(|i| a.dims[i].max(b.dims[i]));
        dims[D - 2] = a.dims[D - 2];
        dims[D - 1] = b.dims[D - 1];
        self.node("MatMul", vec![a.name, b.name], vec![], dims)
    }

    fn max_pool2d(&mut self, x: Edge<4>, kernel: usize, stride: usize, pad: usize) -> Edge<4> {
        let [n, c, h, w] = x.dims;
        let size = |s: usize| windows(s + 2 * pad, kernel, stride, 1);
        self.node(
            "MaxPool",
            vec![x.name],
            vec![
                ints("kernel_shape", &[kernel; 2]),
                ints("strides", &[stride; 2]),
                ints("pads", &[pad; 4]),
            ],
            [n, c, size(h), size(w)],
        )
    }

    fn max_pool2d_ceil(&mut self, x: Edge<4>, kernel: usize, stride: usize) -> Edge<4> {
        // The places that the last windows lack are padding, which every engine understands.
        let [n, c, h, w] = x.dims;
        let [rows, columns] = [h, w].map(|size| size.saturating_sub(kernel).div_ceil(stride) + 1);
        let lacking =
            |count: usize, size: usize| ((count - 1) * stride + kernel).saturating_sub(size);
        self.node(
            "MaxPool",
            vec![x.name],
            vec![
                ints("kernel_shape", &[kernel; 2]),
                ints("strides", &[stride; 2]),
                ints("pads", &[0, 0, lacking(rows, h), lacking(columns, w)]),
            ],
            [n, c, rows, columns],
        )
    }

    fn avg_pool2d(&mut self, x: Edge<4>, pool: AvgPool) -> Edge<4> {
        let [n, c, h, w] = x.dims;
        let [top, left] = pool.pad;
        let size =
            |s: usize, i: usize| windows(s + 2 * pool.pad[i], pool.kernel[i], pool.stride[i], 1);
        self.node(
            "AveragePool",
            vec![x.name],
            vec![
                ints("kernel_shape", &pool.kernel),
                ints("strides", &pool.stride),
                ints("pads", &[top, left, top, left]),
                int("count_include_pad", i64::from(pool.count_pad)),
            ],
            [n, c, size(h, 0), size(w, 1)],
        )
    }

    fn global_avg_pool(&mut self, x: Edge<4>) -> Edge<4> {
        let [n, c, _, _] = x.dims;
        self.node("GlobalAveragePool", vec![x.name], vec![], [n, c, 1, 1])
    }

    fn upsample_nearest(&mut self, x: Edge<4>, factor: usize) -> Edge<4> {
        let [n, c, h, w] = x.dims;
        let f = factor as i64;
        let split: Edge<5> = Exec::<B>::reshape(self, x, [n, c * h, 1, w, 1]);
        let repeats = self.int64s(&[1, 1, f, 1, f]);
        let tiled = self.node(
            "Tile",
            vec![split.name, repeats],
            vec![],
            [n, c * h, factor, w, factor],
        );
        Exec::<B>::reshape(self, tiled, [n, c, h * factor, w * factor])
    }

    fn reshape<const D: usize, const E: usize>(&mut self, x: Edge<D>, dims: [usize; E]) -> Edge<E> {
        // The batch is free: 0 copies the first size whatever it is.
        let mut target: Vec<i64> = dims.iter().map(|d| *d as i64).collect();
        target[0] = 0;
        let target = self.int64s(&target);
        self.node("Reshape", vec![x.name, target], vec![], dims)
    }

    fn fold<const D: usize, const E: usize>(&mut self, x: Edge<D>, dims: [usize; E]) -> Edge<E> {
        let mut target: Vec<i64> = dims.iter().map(|d| *d as i64).collect();
        target[0] = -1;
        let target = self.int64s(&target);
        self.node("Reshape", vec![x.name, target], vec![], dims)
    }

    fn permute<const D: usize>(&mut self, x: Edge<D>, axes: [usize; D]) -> Edge<D> {
        let dims = std::array::from_fn(|i| x.dims[axes[i]]);
        self.node("Transpose", vec![x.name], vec![ints("perm", &axes)], dims)
    }

    fn narrow<const D: usize>(
        &mut self,
        x: Edge<D>,
        dim: usize,
        start: usize,
        len: usize,
    ) -> Edge<D> {
        let mut dims = x.dims;
        dims[dim] = len;
        let starts = self.int64s(&[start as i64]);
        let ends = self.int64s(&[(start + len) as i64]);
        let axes = self.int64s(&[dim as i64]);
        self.node("Slice", vec![x.name, starts, ends, axes], vec![], dims)
    }

    fn select<const D: usize>(&mut self, x: Edge<D>, dim: usize, places: &[usize]) -> Edge<D> {
        let mut dims = x.dims;
        dims[dim] = places.len();
        if places.iter().copied().eq(0..x.dims[dim]) {
            return x;
        }
        let places: Vec<i64> = places.iter().map(|p| *p as i64).collect();
        let places = self.int64s(&places);
        let axis = int("axis", dim as i64);
        self.node("Gather", vec![x.name, places], vec![axis], dims)
    }

    fn gather<const D: usize>(&mut self, x: Edge<D>, dim: usize, index: Edge<D>) -> Edge<D> {
        let index = self.integers(index);
        let axis = int("axis", dim as i64);
        let inputs = vec![x.name, index.name];
        self.node("GatherElements", inputs, vec![axis], index.dims)
    }

    fn scatter<const D: usize>(
        &mut self,
        x: Edge<D>,
        dim: usize,
        index: Edge<D>,
        values: Edge<D>,
    ) -> Edge<D> {
        let index = self.integers(index);
        let axis = int("axis", dim as i64);
        let inputs = vec![x.name, index.name, values.name];
        self.node("ScatterElements", inputs, vec![axis], x.dims)
    }

    fn cumsum<const D: usize>(&mut self, x: Edge<D>, dim: usize) -> Edge<D> {
        let axis = self.int64(dim as i64);
        self.node("CumSum", vec![x.name, axis], vec![], x.dims)
    }

    fn pad<const D: usize>(&mut self, x: Edge<D>, dim: usize, by: [usize; 2]) -> Edge<D> {
        if by == [0; 2] {
            return x;
        }
        let mut dims = x.dims;
        dims[dim] += by[0] + by[1];
        let mut pads = vec![0; 2 * D];
        pads[dim] = by[0] as i64;
        pads[D + dim] = by[1] as i64;
        let pads = self.int64s(&pads);
        self.node("Pad", vec![x.name, pads], vec![], dims)
    }

    fn mean_dim<const D: usize>(&mut self, x: Edge<D>, dim: usize) -> Edge<D> {
        let mut dims = x.dims;
        dims[dim] = 1;
        self.node(
            "ReduceMean",
            vec![x.name],
            vec![ints("axes", &[dim]), int("keepdims", 1)],
            dims,
        )
    }

    fn cat<const D: usize>(&mut self, parts: Vec<Edge<D>>, dim: usize) -> Edge<D> {
        let mut dims = parts[0].dims;
        dims[dim] = parts.iter().map(|p| p.dims[dim]).sum();
        self.node(
            "Concat",
            parts.into_iter().map(|p| p.name).collect(),
            vec![int("axis", dim as i64)],
            dims,
        )
    }

    fn constant<const D: usize, const E: usize>(
        &mut self,
        values: Vec<f32>,
        dims: [usize; D],
        _beside: &Edge<E>,
    ) -> Edge<D> {
        let name = self.floats(&dims, &values);
        Edge { name, dims }
    }

    fn tensor<const D: usize>(&mut self, t: Tensor<B, D>) -> Edge<D> {
        let dims = t.dims();
        let name = self.stored(&t);
        Edge { name, dims }
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

    fn tap<const D: usize>(&mut self, name: &str, x: &Edge<D>) {
        let name = self.scope.full(name);
        if self.taps.is_none() || self.graph.output.iter().any(|o| o.name == name) {
            return;
        }
        self.output(&name, x);
        if let Some(taps) = &mut self.taps {
            taps.push((name, x.name.clone()));
        }
    }
}
