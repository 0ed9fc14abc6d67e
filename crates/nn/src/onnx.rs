//! Export to ONNX: an [`Exec`](crate::Exec) that records instead of computing.
//!
//! The graph has a free batch size and fixed picture sizes. Batch normalisation with running
//! statistics is folded into the convolution before it. Operator set 17.

use std::collections::HashMap;

use burn::module::Param;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use prost::Message;

use realscope_engine::proto;

use crate::exec::Scope;

mod record;

/// `onnx.TensorProto.DataType.FLOAT`.
pub const FLOAT: i32 = 1;
const INT64: i32 = 7;
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
    scope: Scope,
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

    fn int64(&mut self, value: i64) -> String {
        self.constant_bytes(&[], INT64, value.to_le_bytes().to_vec())
    }

    fn stored_bias<B: Backend>(&mut self, bias: Option<&Param<Tensor<B, 1>>>) -> Option<String> {
        bias.map(|b| self.stored(&b.val()))
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

    /// `index`, of whole numbers, as integers.
    fn integers<const D: usize>(&mut self, index: Edge<D>) -> Edge<D> {
        let to = int("to", i64::from(INT64));
        self.node("Cast", vec![index.name], vec![to], index.dims)
    }

    fn product<const D: usize>(&mut self, a: Edge<D>, weight: String, columns: usize) -> Edge<D> {
        let mut dims = a.dims;
        dims[D - 1] = columns;
        self.node("MatMul", vec![a.name, weight], vec![], dims)
    }
}
