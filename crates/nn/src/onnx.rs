//! Export to ONNX: an [`Exec`] that records instead of computing.
//!
//! The graph has a free batch size and fixed picture sizes. Batch normalisation with running
//! statistics is folded into the convolution before it. Operator set 17.

use std::collections::HashMap;

use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, LayerNorm, Linear};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use prost::Message;

use realscope_engine::proto;

use crate::exec::{Exec, padding, running_affine};

/// `onnx.TensorProto.DataType.FLOAT`.
pub const FLOAT: i32 = 1;
const INT64: i32 = 7;
/// `onnx.TensorProto.DataType.FLOAT16`.
pub const FLOAT16: i32 = 10;
const OPSET: i64 = 17;
const IR_VERSION: i64 = 8;

/// A named edge of the graph with its sizes; the first one is the batch.
#[derive(Clone, Debug)]
pub struct Edge<const D: usize> {
    name: String,
    dims: [usize; D],
}

/// Records a forward pass as an ONNX graph.
#[derive(Default)]
pub struct Graph {
    graph: proto::Graph,
    next: usize,
    constants: HashMap<Vec<u8>, String>,
    taps: Option<Vec<(String, String)>>,
}

fn ints(name: &str, values: &[usize]) -> proto::Attribute {
    proto::Attribute {
        name: name.into(),
        ints: values.iter().map(|v| *v as i64).collect(),
        kind: 7,
        ..Default::default()
    }
}

fn int(name: &str, value: i64) -> proto::Attribute {
    proto::Attribute {
        name: name.into(),
        i: value,
        kind: 2,
        ..Default::default()
    }
}

fn float(name: &str, value: f32) -> proto::Attribute {
    proto::Attribute {
        name: name.into(),
        f: value,
        kind: 1,
        ..Default::default()
    }
}

fn value_info(name: &str, dims: &[usize]) -> proto::ValueInfo {
    let dim = dims
        .iter()
        .enumerate()
        .map(|(i, size)| proto::Dim {
            value: Some(if i == 0 {
                proto::DimValue::Param("batch".into())
            } else {
                proto::DimValue::Value(*size as i64)
            }),
        })
        .collect();
    proto::ValueInfo {
        name: name.into(),
        r#type: Some(proto::Type {
            tensor_type: Some(proto::TensorType {
                elem_type: FLOAT,
                shape: Some(proto::Shape { dim }),
            }),
        }),
    }
}

impl Graph {
    /// An empty graph. With `taps`, every tapped value becomes an additional output of that name.
    #[must_use]
    pub fn new(name: &str, taps: bool) -> Self {
        let mut graph = Self {
            taps: taps.then(Vec::new),
            ..Self::default()
        };
        graph.graph.name = name.into();
        graph
    }

    /// Declares an input; `dims[0]` is only an example of the batch size.
    pub fn input<const D: usize>(&mut self, name: &str, dims: [usize; D]) -> Edge<D> {
        self.graph.input.push(value_info(name, &dims));
        Edge {
            name: name.into(),
            dims,
        }
    }

    /// Declares an output under `name`.
    pub fn output<const D: usize>(&mut self, name: &str, value: &Edge<D>) {
        self.graph.node.push(proto::Node {
            input: vec![value.name.clone()],
            output: vec![name.into()],
            name: format!("output_{name}"),
            op_type: "Identity".into(),
            attribute: vec![],
        });
        self.graph.output.push(value_info(name, &value.dims));
    }

    /// Names of the tapped outputs, in order.
    #[must_use]
    pub fn tap_names(&self) -> Vec<String> {
        self.taps
            .iter()
            .flatten()
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// The file's bytes.
    #[must_use]
    pub fn encode(self) -> Vec<u8> {
        proto::Model {
            ir_version: IR_VERSION,
            producer_name: "realscope".into(),
            graph: Some(self.graph),
            opset_import: vec![proto::OperatorSet {
                domain: String::new(),
                version: OPSET,
            }],
            metadata_props: vec![],
        }
        .encode_to_vec()
    }

    fn fresh(&mut self) -> String {
        self.next += 1;
        format!("v{}", self.next)
    }

    fn node<const D: usize>(
        &mut self,
        op: &str,
        input: Vec<String>,
        attribute: Vec<proto::Attribute>,
        dims: [usize; D],
    ) -> Edge<D> {
        let name = self.fresh();
        self.graph.node.push(proto::Node {
            input,
            output: vec![name.clone()],
            name: format!("{op}_{}", self.next),
            op_type: op.into(),
            attribute,
        });
        Edge { name, dims }
    }

    fn constant_bytes(&mut self, dims: &[usize], data_type: i32, raw: Vec<u8>) -> String {
        // Small constants (shapes, bounds) recur in every block and are stored once.
        let key = (raw.len() <= 64).then(|| {
            let mut key = raw.clone();
            key.push(data_type as u8);
            key.extend(dims.iter().map(|d| *d as u8));
            key
        });
        if let Some(name) = key.as_ref().and_then(|k| self.constants.get(k)) {
            return name.clone();
        }
        let name = format!("c{}", self.graph.initializer.len());
        self.graph.initializer.push(proto::TensorProto {
            dims: dims.iter().map(|d| *d as i64).collect(),
            data_type,
            name: name.clone(),
            raw_data: raw,
            ..Default::default()
        });
        if let Some(key) = key {
            self.constants.insert(key, name.clone());
        }
        name
    }

    fn floats(&mut self, dims: &[usize], values: &[f32]) -> String {
        let raw = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.constant_bytes(dims, FLOAT, raw)
    }

    fn int64s(&mut self, values: &[i64]) -> String {
        let raw = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.constant_bytes(&[values.len()], INT64, raw)
    }

    fn stored<B: Backend, const D: usize>(&mut self, t: &Tensor<B, D>) -> String {
        let values: Vec<f32> = t.to_data().iter::<f32>().collect();
        self.floats(&t.dims(), &values)
    }

    fn unary<const D: usize>(&mut self, op: &str, x: Edge<D>) -> Edge<D> {
        let dims = x.dims;
        self.node(op, vec![x.name], vec![], dims)
    }

    fn binary<const D: usize>(&mut self, op: &str, a: Edge<D>, b: Edge<D>) -> Edge<D> {
        let dims = std::array::from_fn(|i| a.dims[i].max(b.dims[i]));
        self.node(op, vec![a.name, b.name], vec![], dims)
    }

    fn with_scalar<const D: usize>(&mut self, op: &str, x: Edge<D>, value: f32) -> Edge<D> {
        let scalar = self.floats(&[], &[value]);
        let dims = x.dims;
        self.node(op, vec![x.name, scalar], vec![], dims)
    }

    fn product<const D: usize>(&mut self, a: Edge<D>, weight: String, columns: usize) -> Edge<D> {
        let mut dims = a.dims;
        dims[D - 1] = columns;
        self.node("MatMul", vec![a.name, weight], vec![], dims)
    }
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
        let size = |size: usize, pad: usize, i: usize| {
            (size + pad - conv.dilation[i] * (conv.kernel_size[i] - 1) - 1) / conv.stride[i] + 1
        };
        let dims = [
            n,
            weight.dims()[0],
            size(h, top + bottom, 0),
            size(w, left + right, 1),
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

    fn sqrt<const D: usize>(&mut self, x: Edge<D>) -> Edge<D> {
        self.unary("Sqrt", x)
    }

    fn scale<const D: usize>(&mut self, x: Edge<D>, factor: f32) -> Edge<D> {
        self.with_scalar("Mul", x, factor)
    }

    fn matmul<const D: usize>(&mut self, a: Edge<D>, b: Edge<D>) -> Edge<D> {
        let columns = b.dims[D - 1];
        self.product(a, b.name, columns)
    }

    fn max_pool2d(&mut self, x: Edge<4>, kernel: usize, stride: usize, pad: usize) -> Edge<4> {
        let [n, c, h, w] = x.dims;
        let size = |s: usize| (s + 2 * pad - kernel) / stride + 1;
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

    fn pad_front<const D: usize>(&mut self, x: Edge<D>, dim: usize, before: usize) -> Edge<D> {
        let mut dims = x.dims;
        dims[dim] += before;
        let mut pads = vec![0; 2 * D];
        pads[dim] = before as i64;
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

    fn tensor<const D: usize>(&mut self, t: Tensor<B, D>) -> Edge<D> {
        let dims = t.dims();
        let name = self.stored(&t);
        Edge { name, dims }
    }

    fn keeps_taps(&self) -> bool {
        self.taps.is_some()
    }

    fn tap<const D: usize>(&mut self, name: &str, x: &Edge<D>) {
        if self.taps.is_none() || self.graph.output.iter().any(|o| o.name == name) {
            return;
        }
        self.output(name, x);
        if let Some(taps) = &mut self.taps {
            taps.push((name.to_owned(), x.name.clone()));
        }
    }
}
