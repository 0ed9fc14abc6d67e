//! Weights as they lie in files: safetensors and PyTorch archives, read into a [`StateDict`].

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::TensorData;

/// Why weights were refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// The network needs a tensor that the file lacks.
    #[error("missing tensor `{key}`")]
    Missing {
        /// Key of the tensor.
        key: String,
    },
    /// The file holds a tensor that the network does not know.
    #[error("unexpected tensor `{key}`")]
    Extra {
        /// Key of the tensor.
        key: String,
    },
    /// A tensor has other sizes than the network's.
    #[error("tensor `{key}` has shape {found:?}, expected {expected:?}")]
    Shape {
        /// Key of the tensor.
        key: String,
        /// Sizes that the network needs.
        expected: Vec<usize>,
        /// Sizes in the file.
        found: Vec<usize>,
    },
    /// A constant differs from the one that the network makes.
    #[error("constant `{key}` is not the one that this network makes")]
    Constant {
        /// Key of the constant.
        key: String,
    },
    /// A tensor holds NaN or infinity.
    #[error("tensor `{key}` holds a value that is not finite")]
    NotFinite {
        /// Key of the tensor.
        key: String,
    },
    /// The file is neither safetensors nor a PyTorch archive, or is damaged.
    #[error("cannot read weights from {path}: {reason}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the reader said.
        reason: String,
    },
}

/// Named float tensors in the published layout, row-major.
#[derive(Clone, Debug, Default)]
pub struct StateDict {
    tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
}

impl StateDict {
    /// Adds or replaces a tensor.
    pub fn insert(&mut self, key: &str, shape: Vec<usize>, values: Vec<f32>) {
        self.tensors.insert(key.to_owned(), (shape, values));
    }

    /// Keys in alphabetical order.
    pub fn keys(&self) -> impl Iterator<Item = &String> {
        self.tensors.keys()
    }

    /// Sizes and values of a tensor.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<(&[usize], &[f32])> {
        self.tensors
            .get(key)
            .map(|(shape, values)| (shape.as_slice(), values.as_slice()))
    }

    /// Number of tensors.
    #[must_use]
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// The same tensors under other keys; `rename` returns `None` to drop one.
    #[must_use]
    pub fn renamed(self, rename: impl Fn(&str) -> Option<String>) -> Self {
        Self {
            tensors: self
                .tensors
                .into_iter()
                .filter_map(|(key, tensor)| rename(&key).map(|key| (key, tensor)))
                .collect(),
        }
    }

    /// A tensor that must exist with exactly `shape` and finite values.
    ///
    /// # Errors
    /// [`WeightsError::Missing`], [`WeightsError::Shape`] or [`WeightsError::NotFinite`].
    pub fn get_shaped(&self, key: &str, shape: &[usize]) -> Result<TensorData, WeightsError> {
        let (found, values) = self.get(key).ok_or_else(|| WeightsError::Missing {
            key: key.to_owned(),
        })?;
        if found != shape {
            return Err(WeightsError::Shape {
                key: key.to_owned(),
                expected: shape.to_vec(),
                found: found.to_vec(),
            });
        }
        if !values.iter().all(|v| v.is_finite()) {
            return Err(WeightsError::NotFinite {
                key: key.to_owned(),
            });
        }
        Ok(TensorData::new(values.to_vec(), shape.to_vec()))
    }

    /// Reads a `.safetensors` file or a PyTorch archive, told apart by content. A PyTorch file may
    /// hold the state dict under `model` or `state_dict`; no pickle is executed.
    ///
    /// # Errors
    /// [`WeightsError::Unreadable`] with the reader's reason.
    pub fn read(path: &Path) -> Result<Self, WeightsError> {
        let unreadable = |reason: String| WeightsError::Unreadable {
            path: path.display().to_string(),
            reason,
        };
        let bytes = std::fs::read(path).map_err(|e| unreadable(e.to_string()))?;
        // A zip archive (torch >= 1.6) or a pickle protocol 2 stream (older) is PyTorch's.
        if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"\x80\x02") {
            drop(bytes);
            return Self::read_pytorch(path).map_err(unreadable);
        }
        Self::from_safetensors(&bytes).map_err(unreadable)
    }

    fn read_pytorch(path: &Path) -> Result<Self, String> {
        use burn_store::pytorch::PytorchReader;
        let mut reader = PytorchReader::new(path).map_err(|e| e.to_string())?;
        for wrapper in ["model", "state_dict"] {
            let prefix = format!("{wrapper}.");
            let wrapped = !reader.is_empty()
                && reader.keys().iter().any(|k| k.starts_with(&prefix))
                && reader
                    .keys()
                    .iter()
                    .all(|k| k.starts_with(&prefix) || !k.contains("weight"));
            if wrapped && let Ok(inner) = PytorchReader::with_top_level_key(path, wrapper) {
                reader = inner;
                break;
            }
        }
        let mut dict = Self::default();
        for (key, snapshot) in reader.tensors() {
            let data = snapshot.to_data().map_err(|e| format!("`{key}`: {e:?}"))?;
            let shape = data.shape.to_vec();
            dict.insert(key, shape, data.iter::<f32>().collect());
        }
        if dict.is_empty() {
            return Err("the archive holds no tensors".into());
        }
        Ok(dict)
    }

    /// Parses the bytes of a safetensors file (`F32`, `F16`, `BF16`; integer counters are dropped).
    ///
    /// # Errors
    /// The parser's reason, or the key of a tensor whose type is not supported.
    pub fn from_safetensors(bytes: &[u8]) -> Result<Self, String> {
        use safetensors::{Dtype, SafeTensors};
        let file = SafeTensors::deserialize(bytes).map_err(|e| e.to_string())?;
        let mut dict = Self::default();
        for (key, view) in file.iter() {
            let raw = view.data();
            let values: Vec<f32> = match view.dtype() {
                Dtype::F32 => raw
                    .chunks_exact(4)
                    .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
                    .collect(),
                Dtype::F16 => raw
                    .chunks_exact(2)
                    .map(|b| half::f16::from_le_bytes([b[0], b[1]]).to_f32())
                    .collect(),
                Dtype::BF16 => raw
                    .chunks_exact(2)
                    .map(|b| half::bf16::from_le_bytes([b[0], b[1]]).to_f32())
                    .collect(),
                Dtype::I64 | Dtype::I32 => continue,
                other => return Err(format!("tensor `{key}` has unsupported type {other:?}")),
            };
            dict.insert(key, view.shape().to_vec(), values);
        }
        Ok(dict)
    }

    /// The bytes of a safetensors file with every tensor as `F32`.
    ///
    /// # Errors
    /// The writer's reason.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, String> {
        use safetensors::{Dtype, tensor::TensorView};
        let raw: Vec<(&String, &Vec<usize>, Vec<u8>)> = self
            .tensors
            .iter()
            .map(|(k, (s, v))| (k, s, v.iter().flat_map(|x| x.to_le_bytes()).collect()))
            .collect();
        let views = raw
            .iter()
            .map(|(key, shape, bytes)| {
                TensorView::new(Dtype::F32, (*shape).clone(), bytes)
                    .map(|view| ((*key).clone(), view))
                    .map_err(|e| e.to_string())
            })
            .collect::<Result<Vec<_>, String>>()?;
        safetensors::serialize(views, None).map_err(|e| e.to_string())
    }
}
