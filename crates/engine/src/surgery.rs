//! Changes to a network's graph on its way to an engine.

use prost::Message as _;

use crate::Network;
use crate::proto::{
    Attribute, Dim, DimValue, Graph, Model, Node, Shape, TensorProto, TensorType, Type, ValueInfo,
};

/// `FLOAT` of `onnx.TensorProto.DataType`.
const FLOAT: i32 = 1;
/// `INT64` of `onnx.TensorProto.DataType`.
const INT64: i32 = 7;

impl Network {
    /// The network with its graph changed; constants that lie beside the file stay where they are.
    ///
    /// # Errors
    /// What the file is in place of a network, and what `change` finds wrong.
    pub fn edit(
        self,
        change: impl FnOnce(&mut Graph) -> Result<(), String>,
    ) -> Result<Self, String> {
        let mut model = Model::decode(self.file.as_slice()).map_err(|e| e.to_string())?;
        change(model.graph.as_mut().ok_or("the file has no graph")?)?;
        Ok(Self {
            file: model.encode_to_vec(),
            beside: self.beside,
        })
    }
}

impl Graph {
    /// The node that makes a value.
    #[must_use]
    pub fn maker(&self, value: &str) -> Option<&Node> {
        self.node
            .iter()
            .find(|n| n.output.iter().any(|o| o == value))
    }

    /// The node of kind `op` that makes a value.
    ///
    /// # Errors
    /// What makes it instead.
    pub fn made_by(&self, value: &str, op: &str) -> Result<&Node, String> {
        match self.maker(value) {
            Some(n) if n.op_type == op => Ok(n),
            Some(n) => Err(format!("`{value}` comes from {}, not from {op}", n.op_type)),
            None => Err(format!("no node makes `{value}`")),
        }
    }

    /// Sizes and values of a float constant, row-major.
    ///
    /// # Errors
    /// That there is no such constant.
    pub fn floats(&self, name: &str) -> Result<(Vec<usize>, Vec<f32>), String> {
        let t = self
            .initializer
            .iter()
            .find(|t| t.name == name && t.data_type == FLOAT)
            .ok_or_else(|| format!("no float constant `{name}`"))?;
        let values = if t.raw_data.is_empty() {
            t.float_data.clone()
        } else {
            t.raw_data
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                .collect()
        };
        let dims: Vec<usize> = t
            .dims
            .iter()
            .map(|d| usize::try_from(*d).unwrap_or(0))
            .collect();
        if values.len() == dims.iter().product::<usize>() {
            Ok((dims, values))
        } else {
            Err(format!("{} values in `{name}` of {dims:?}", values.len()))
        }
    }

    /// Adds a float constant and gives its name back.
    pub fn constant(&mut self, name: &str, dims: &[usize], values: &[f32]) -> String {
        self.initializer.push(tensor_of_floats(name, dims, values));
        name.to_owned()
    }

    /// Adds a list of integers (sizes of a reshape, axes) and gives its name back.
    pub fn integers(&mut self, name: &str, values: &[i64]) -> String {
        let raw = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.initializer
            .push(tensor(name, &[values.len()], INT64, raw));
        name.to_owned()
    }

    /// Adds a node without attributes and gives the name of its value back.
    pub fn add(&mut self, op: &str, inputs: &[&str], value: &str) -> String {
        self.node.push(Node {
            input: inputs.iter().map(|s| (*s).to_owned()).collect(),
            output: vec![value.to_owned()],
            name: format!("make_{value}"),
            op_type: op.to_owned(),
            attribute: Vec::new(),
        });
        value.to_owned()
    }

    /// Gives the last node an integer attribute.
    pub fn set(&mut self, name: &str, value: i64) {
        self.give(Attribute {
            name: name.to_owned(),
            i: value,
            kind: 2,
            ..Default::default()
        });
    }

    /// Gives the last node a list of integers as an attribute.
    pub fn set_list(&mut self, name: &str, values: &[i64]) {
        self.give(Attribute {
            name: name.to_owned(),
            ints: values.to_vec(),
            kind: 7,
            ..Default::default()
        });
    }

    fn give(&mut self, attribute: Attribute) {
        if let Some(node) = self.node.last_mut() {
            node.attribute.push(attribute);
        }
    }

    /// Makes a value an output of floats, `[batch, columns]`; `columns` names the size.
    pub fn output_rows(&mut self, value: &str, columns: &str) {
        let dim = |name: &str| Dim {
            value: Some(DimValue::Param(name.to_owned())),
        };
        let shape = Shape {
            dim: vec![dim("batch"), dim(columns)],
        };
        self.output.push(ValueInfo {
            name: value.to_owned(),
            r#type: Some(Type {
                tensor_type: Some(TensorType {
                    elem_type: FLOAT,
                    shape: Some(shape),
                }),
            }),
        });
    }
}

/// A float constant.
pub(crate) fn tensor_of_floats(name: &str, dims: &[usize], values: &[f32]) -> TensorProto {
    let raw = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    tensor(name, dims, FLOAT, raw)
}

fn tensor(name: &str, dims: &[usize], data_type: i32, raw_data: Vec<u8>) -> TensorProto {
    TensorProto {
        dims: dims.iter().map(|d| *d as i64).collect(),
        data_type,
        name: name.to_owned(),
        raw_data,
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EngineKind, Threads, load};

    #[test]
    fn what_a_node_makes_can_be_read_and_used_again() {
        let mut graph = Graph::default();
        graph.constant("w", &[2, 1], &[2.0, -1.0]);
        graph.add("MatMul", &["x", "w"], "y");
        graph.output_rows("x", "columns");
        graph.input = std::mem::take(&mut graph.output);
        graph.output_rows("y", "columns");
        let model = Model {
            ir_version: 8,
            opset_import: vec![crate::proto::OperatorSet {
                domain: String::new(),
                version: 17,
            }],
            graph: Some(graph),
            ..Default::default()
        };
        let network = Network::of(model).edit(|graph| {
            let weight = graph.made_by("y", "MatMul")?.input[1].clone();
            assert_eq!(graph.floats(&weight)?, (vec![2, 1], vec![2.0, -1.0]));
            assert!(graph.made_by("y", "Add").is_err() && graph.floats("x").is_err());
            graph.add("Add", &["y", "y"], "twice");
            graph.output_rows("twice", "columns");
            Ok(())
        });
        let engine = load(EngineKind::Rten, network.expect("edits")).expect("loads");
        assert_eq!(engine.outputs(), ["y", "twice"]);
        let made = engine.run_all(&[3.0, 1.0], &[1, 2], &Threads::all());
        let values: Vec<Vec<f32>> = made.expect("runs").into_iter().map(|t| t.values).collect();
        assert_eq!(values, [[5.0], [10.0]]);
    }
}
