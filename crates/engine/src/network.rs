//! A network ahead of its engine.

use std::borrow::Cow;

use prost::Message as _;

use crate::EngineError;
use crate::proto::{Model, StringEntry};

/// A network as an engine takes it: an ONNX file, and large constants beside it so that they are not copied.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Network {
    pub(crate) file: Vec<u8>,
    /// Name and bytes.
    pub(crate) beside: Vec<(String, Vec<u8>)>,
}

impl From<Vec<u8>> for Network {
    fn from(file: Vec<u8>) -> Self {
        Self {
            file,
            beside: Vec::new(),
        }
    }
}

impl From<&[u8]> for Network {
    fn from(file: &[u8]) -> Self {
        file.to_vec().into()
    }
}

impl From<&Vec<u8>> for Network {
    fn from(file: &Vec<u8>) -> Self {
        file.clone().into()
    }
}

impl Network {
    /// Smallest constant that is laid beside the file, in bytes.
    const LARGE: usize = 1 << 16;

    /// The network of a message; large 8-bit constants lie beside the file.
    #[must_use]
    pub fn of(mut model: Model) -> Self {
        let mut beside = Vec::new();
        let constants = model.graph.iter_mut().flat_map(|g| &mut g.initializer);
        for t in constants.filter(|t| t.data_type == INT8 && t.raw_data.len() >= Self::LARGE) {
            let name = format!("{}.data", beside.len());
            let entry = |key: &str, value: String| StringEntry {
                key: key.into(),
                value,
            };
            t.external_data = vec![
                entry("location", name.clone()),
                entry("offset", "0".into()),
                entry("length", t.raw_data.len().to_string()),
            ];
            t.data_location = EXTERNAL;
            beside.push((name, std::mem::take(&mut t.raw_data)));
        }
        Self {
            file: model.encode_to_vec(),
            beside,
        }
    }

    /// The whole network as one ONNX file.
    ///
    /// # Errors
    /// [`EngineError::Load`] when the bytes are no ONNX message.
    pub fn whole(&self) -> Result<Cow<'_, [u8]>, EngineError> {
        if self.beside.is_empty() {
            return Ok(Cow::Borrowed(&self.file));
        }
        let mut model = Model::decode(self.file.as_slice()).map_err(|e| EngineError::Load {
            engine: "onnx",
            reason: e.to_string(),
        })?;
        let constants = model.graph.iter_mut().flat_map(|g| &mut g.initializer);
        let beside = constants.filter(|t| t.data_location == EXTERNAL);
        for (t, (_, bytes)) in beside.zip(&self.beside) {
            t.raw_data.clone_from(bytes);
            t.external_data.clear();
            t.data_location = 0;
        }
        Ok(Cow::Owned(model.encode_to_vec()))
    }
}

/// `INT8` of `onnx.TensorProto.DataType`.
const INT8: i32 = 3;
/// `EXTERNAL` of `onnx.TensorProto.DataLocation`.
const EXTERNAL: i32 = 1;
