//! Inference of ONNX files: a small trait and its two implementations.
//!
//! [`Rten`] is pure Rust, lives in the binary and is the default. [`Ort`] loads an ONNX Runtime
//! library at run time, where one is found or named; nothing requires it.

use std::borrow::Cow;
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use prost::Message as _;
use rten_tensor::prelude::*;
use rten_tensor::{NdTensorView, Tensor};
use serde::{Deserialize, Serialize};

use crate::onnx::proto::{Model, StringEntry};

/// Which implementation runs a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EngineKind {
    /// Pure Rust.
    Rten,
    /// ONNX Runtime, loaded at run time.
    Ort,
}

impl EngineKind {
    /// Name in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Rten => "rten",
            Self::Ort => "ort",
        }
    }
}

/// Why inference failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The file is no network that the engine can load.
    #[error("{engine} cannot load the network: {reason}")]
    Load {
        /// The engine.
        engine: &'static str,
        /// What it said.
        reason: String,
    },
    /// A run failed.
    #[error("{engine} failed: {reason}")]
    Run {
        /// The engine.
        engine: &'static str,
        /// What it said.
        reason: String,
    },
    /// No ONNX Runtime library was found or it cannot be loaded.
    #[error("ONNX Runtime is not available: {reason}")]
    OrtUnavailable {
        /// Where was looked and what happened.
        reason: String,
    },
}

/// A float output.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// Name in the graph.
    pub name: String,
    /// Sizes.
    pub shape: Vec<usize>,
    /// Values, row-major.
    pub values: Vec<f32>,
}

/// A loaded network with one picture input.
pub trait Engine: Send + Sync {
    /// Which implementation this is.
    fn kind(&self) -> EngineKind;

    /// All outputs for a batch `[n, c, h, w]` of normalised pictures.
    ///
    /// # Errors
    /// [`EngineError::Run`].
    fn run(&self, input: &[f32], dims: [usize; 4]) -> Result<Vec<Output>, EngineError>;

    /// The first output for a batch.
    ///
    /// # Errors
    /// [`EngineError::Run`], also when the network has no output or it is not finite.
    fn first(&self, input: &[f32], dims: [usize; 4]) -> Result<Output, EngineError> {
        let engine = self.kind().name();
        let output = self
            .run(input, dims)?
            .into_iter()
            .next()
            .ok_or_else(|| EngineError::Run {
                engine,
                reason: "the network has no output".into(),
            })?;
        if output.values.iter().all(|v| v.is_finite()) {
            Ok(output)
        } else {
            Err(EngineError::Run {
                engine,
                reason: "the output is not finite".into(),
            })
        }
    }
}

/// A network as an engine takes it: an ONNX file, and large constants beside it so that they are not copied.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Network {
    file: Vec<u8>,
    /// Name and bytes.
    beside: Vec<(String, Vec<u8>)>,
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

/// An engine and how it is to be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Which implementation.
    pub kind: EngineKind,
    /// Bring the weights into the order of the kernels once, not in every run: runs of a transformer in 8 bits take
    /// a quarter less time, loading takes longer, and the weights are in memory twice. The results are the same.
    pub prepack: bool,
}

impl From<EngineKind> for Choice {
    fn from(kind: EngineKind) -> Self {
        Self {
            kind,
            prepack: false,
        }
    }
}

impl EngineKind {
    /// This engine for many pictures, see [`Choice::prepack`].
    #[must_use]
    pub fn for_many(self) -> Choice {
        Choice {
            kind: self,
            prepack: true,
        }
    }
}

/// Loads a network.
///
/// # Errors
/// [`EngineError::Load`] or [`EngineError::OrtUnavailable`].
pub fn load(
    choice: impl Into<Choice>,
    network: impl Into<Network>,
) -> Result<Box<dyn Engine>, EngineError> {
    let (choice, network) = (choice.into(), network.into());
    Ok(match choice.kind {
        EngineKind::Rten => Box::new(Rten::load(network, choice.prepack)?),
        EngineKind::Ort => Box::new(Ort::load(&network)?),
    })
}

/// Threads of a calling thread's own.
#[derive(Clone)]
struct Share {
    threads: usize,
    pool: Arc<rten::ThreadPool>,
}

thread_local! {
    static SHARE: RefCell<Option<Share>> = const { RefCell::new(None) };
}

/// Runs that the calling thread makes from now on compute with `threads` threads of their own in place of all cores.
///
/// Several pictures at a time, each on a share of the cores, take less time than each in turn on all of them. ONNX
/// Runtime, which runs one picture at a time, is not concerned.
pub fn threads_of_this_thread(threads: usize) {
    let threads = threads.max(1);
    let pool = Arc::new(rten::ThreadPool::with_num_threads(threads));
    SHARE.set(Some(Share { threads, pool }));
}

/// What `run` makes of each item, in order. Items go side by side, each on a share of the calling thread's cores: part
/// of a network's work stays on one core whatever the number of threads. The results are the same.
///
/// # Errors
/// The first of `run`, in the order of the items.
pub fn side_by_side<T: Sync, R: Send, E: Send>(
    items: &[T],
    run: impl Fn(&T) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    let own = SHARE.with_borrow(|share| share.as_ref().map(|s| s.threads));
    let cores = own.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let lanes = cores.min(items.len());
    if lanes <= 1 {
        return items.iter().map(run).collect();
    }
    let next = AtomicUsize::new(0);
    let lane = || {
        threads_of_this_thread(cores / lanes);
        let mut made = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else {
                return made;
            };
            made.push((index, run(item)));
        }
    };
    let mut made: Vec<(usize, Result<R, E>)> = std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..lanes).map(|_| scope.spawn(lane)).collect();
        lanes
            .into_iter()
            .flat_map(|lane| lane.join().unwrap_or_else(|e| std::panic::resume_unwind(e)))
            .collect()
    });
    made.sort_by_key(|(index, _)| *index);
    made.into_iter().map(|(_, result)| result).collect()
}

/// Engine in pure Rust.
pub struct Rten {
    model: rten::Model,
    outputs: Vec<(String, rten::NodeId)>,
}

impl Rten {
    /// Loads a network; for `prepack` see [`Choice`].
    ///
    /// # Errors
    /// [`EngineError::Load`].
    pub fn load(network: Network, prepack: bool) -> Result<Self, EngineError> {
        let fail = |reason: String| EngineError::Load {
            engine: "rten",
            reason,
        };
        let mut options = rten::ModelOptions::with_all_ops();
        options.prepack_weights(prepack);
        for (name, bytes) in network.beside {
            options.external_data(&name, bytes);
        }
        let model = options
            .load(network.file)
            .map_err(|e| fail(e.to_string()))?;
        if model.input_ids().len() != 1 {
            return Err(fail(format!("{} inputs", model.input_ids().len())));
        }
        let outputs = model
            .output_ids()
            .iter()
            .map(|id| {
                let name = model
                    .node_info(*id)
                    .and_then(|n| n.name().map(str::to_owned));
                (name.unwrap_or_default(), *id)
            })
            .collect();
        Ok(Self { model, outputs })
    }
}

impl Engine for Rten {
    fn kind(&self) -> EngineKind {
        EngineKind::Rten
    }

    fn run(&self, input: &[f32], dims: [usize; 4]) -> Result<Vec<Output>, EngineError> {
        let fail = |reason: String| EngineError::Run {
            engine: "rten",
            reason,
        };
        if input.len() != dims.iter().product::<usize>() {
            return Err(fail(format!("{} values for {dims:?}", input.len())));
        }
        let view = NdTensorView::from_data(dims, input);
        let ids: Vec<rten::NodeId> = self.outputs.iter().map(|(_, id)| *id).collect();
        let pool = SHARE.with_borrow(|share| share.as_ref().map(|s| Arc::clone(&s.pool)));
        let options = rten::RunOptions::default().with_thread_pool(pool);
        let inputs = vec![(self.model.input_ids()[0], view.into())];
        let values = self
            .model
            .run(inputs, &ids, Some(options))
            .map_err(|e| fail(e.to_string()))?;
        self.outputs
            .iter()
            .zip(values)
            .map(|((name, _), value)| {
                let tensor: Tensor<f32> = value
                    .try_into()
                    .map_err(|_| fail(format!("output `{name}` is not float")))?;
                Ok(Output {
                    name: name.clone(),
                    shape: tensor.shape().to_vec(),
                    values: tensor.to_vec(),
                })
            })
            .collect()
    }
}

/// ONNX Runtime.
pub struct Ort {
    session: Mutex<ort::session::Session>,
}

static ORT: OnceLock<Result<PathBuf, String>> = OnceLock::new();

/// Loads the library once per process: the one that `ORT_DYLIB_PATH` names, else the first that the
/// system's loader finds under its usual names.
fn runtime() -> Result<&'static Path, EngineError> {
    let state = ORT.get_or_init(|| {
        let mut tried = Vec::new();
        for path in candidates() {
            // `ort` aborts the process on a library that is too old; a probe with the loader and a
            // look at the name keeps a missing one from getting that far.
            match ort::init_from(path.display().to_string()).commit() {
                Ok(_) => return Ok(path),
                Err(e) => tried.push(format!("{}: {e}", path.display())),
            }
        }
        Err(if tried.is_empty() {
            "no library was found; set ORT_DYLIB_PATH".into()
        } else {
            tried.join("; ")
        })
    });
    match state {
        Ok(path) => Ok(path),
        Err(reason) => Err(EngineError::OrtUnavailable {
            reason: reason.clone(),
        }),
    }
}

/// Files that may be an ONNX Runtime library, best first. Only files that exist are returned.
fn candidates() -> Vec<PathBuf> {
    if let Some(named) = std::env::var_os("ORT_DYLIB_PATH") {
        return Some(PathBuf::from(named))
            .filter(|p| p.is_file())
            .into_iter()
            .collect();
    }
    let name = if cfg!(target_os = "windows") {
        "onnxruntime.dll"
    } else if cfg!(target_os = "macos") {
        "libonnxruntime.dylib"
    } else {
        "libonnxruntime.so"
    };
    let mut folders: Vec<PathBuf> = std::env::var_os("LD_LIBRARY_PATH")
        .map(|v| std::env::split_paths(&v).collect())
        .unwrap_or_default();
    folders.extend(
        [
            "/usr/local/lib",
            "/usr/lib",
            "/usr/lib/x86_64-linux-gnu",
            "/usr/lib/aarch64-linux-gnu",
            "/opt/homebrew/lib",
        ]
        .map(PathBuf::from),
    );
    folders
        .into_iter()
        .map(|f| f.join(name))
        .filter(|p| p.is_file())
        .collect()
}

/// The ONNX Runtime library in use, or why there is none.
///
/// # Errors
/// [`EngineError::OrtUnavailable`].
pub fn ort_library() -> Result<&'static Path, EngineError> {
    runtime()
}

impl Ort {
    /// Loads a network with the library found at run time.
    ///
    /// # Errors
    /// [`EngineError::OrtUnavailable`] or [`EngineError::Load`].
    pub fn load(network: &Network) -> Result<Self, EngineError> {
        runtime()?;
        let onnx = network.whole()?;
        let session = ort::session::Session::builder()
            .and_then(|b| b.commit_from_memory(&onnx))
            .map_err(|e| EngineError::Load {
                engine: "ort",
                reason: e.to_string(),
            })?;
        Ok(Self {
            session: Mutex::new(session),
        })
    }
}

impl Engine for Ort {
    fn kind(&self) -> EngineKind {
        EngineKind::Ort
    }

    fn run(&self, input: &[f32], dims: [usize; 4]) -> Result<Vec<Output>, EngineError> {
        let fail = |reason: String| EngineError::Run {
            engine: "ort",
            reason,
        };
        let mut session = self
            .session
            .lock()
            .map_err(|_| fail("an earlier run panicked".into()))?;
        let name = session.inputs[0].name.clone();
        let names: Vec<String> = session.outputs.iter().map(|o| o.name.clone()).collect();
        let tensor = ort::value::TensorRef::from_array_view((dims, input))
            .map_err(|e| fail(e.to_string()))?;
        let outputs = session
            .run(ort::inputs![name.as_str() => tensor])
            .map_err(|e| fail(e.to_string()))?;
        names
            .into_iter()
            .map(|name| {
                let (shape, values) = outputs[name.as_str()]
                    .try_extract_tensor::<f32>()
                    .map_err(|e| fail(e.to_string()))?;
                Ok(Output {
                    shape: shape
                        .iter()
                        .map(|d| usize::try_from(*d).unwrap_or(0))
                        .collect(),
                    values: values.to_vec(),
                    name,
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn side_by_side_keeps_the_order_and_the_first_error() {
        let items: Vec<usize> = (0..40).collect();
        let slow_at_first = |i: &usize| {
            std::thread::sleep(std::time::Duration::from_millis(if *i < 4 {
                20
            } else {
                0
            }));
            Ok::<usize, usize>(i * i)
        };
        let squares: Vec<usize> = items.iter().map(|i| i * i).collect();
        // A thread with three cores, one with one, and one that was given none of its own.
        for threads in [Some(3), Some(1), None] {
            let made = std::thread::scope(|scope| {
                let run = || {
                    threads.into_iter().for_each(threads_of_this_thread);
                    side_by_side(&items, slow_at_first)
                };
                scope.spawn(run).join().expect("no panic")
            });
            assert_eq!(made.expect("no error"), squares, "{threads:?}");
        }
        let odd = |i: &usize| if i % 10 == 9 { Err(*i) } else { Ok(*i) };
        assert_eq!(side_by_side(&items, odd), Err(9));
        let none: Result<Vec<usize>, usize> = side_by_side(&[], odd);
        assert_eq!(none, Ok(vec![]));
    }
}
