//! ONNX Runtime: a library of the system that is loaded at run time, where there is one.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

use crate::{Engine, EngineError, EngineKind, Input, Network, Tensor, Threads, check, finite};

const NAME: &str = "ort";

/// The library's name on this system.
const LIBRARY: &str = if cfg!(target_os = "windows") {
    "onnxruntime.dll"
} else if cfg!(target_os = "macos") {
    "libonnxruntime.dylib"
} else {
    "libonnxruntime.so"
};

static RUNTIME: OnceLock<Result<PathBuf, String>> = OnceLock::new();

/// Where a library is looked for: the file that the user names, or folders, and then the system's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// A library that the user names; then no other is tried.
    pub file: Option<PathBuf>,
    /// Folders ahead of the system's own.
    pub folders: Vec<PathBuf>,
}

impl Search {
    /// Files that exist, best first.
    fn candidates(&self) -> Vec<PathBuf> {
        if let Some(named) = &self.file {
            return Some(named.clone())
                .filter(|p| p.is_file())
                .into_iter()
                .collect();
        }
        let system = [
            "/usr/local/lib",
            "/usr/lib",
            "/usr/lib/x86_64-linux-gnu",
            "/usr/lib/aarch64-linux-gnu",
            "/opt/homebrew/lib",
        ];
        self.folders
            .iter()
            .cloned()
            .chain(system.map(PathBuf::from))
            .map(|folder| folder.join(LIBRARY))
            .filter(|p| p.is_file())
            .collect()
    }
}

/// The library in use. The first call decides, with its `search`, for the whole process: the library cannot be
/// loaded twice.
///
/// # Errors
/// [`EngineError::OrtUnavailable`].
pub fn library(search: &Search) -> Result<&'static Path, EngineError> {
    let state = RUNTIME.get_or_init(|| {
        let mut tried = Vec::new();
        for path in search.candidates() {
            // `ort` aborts the process on a library that is too old; that the file exists keeps a missing one from
            // getting that far.
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

fn run_error(reason: impl ToString) -> EngineError {
    EngineError::Run {
        engine: NAME,
        reason: reason.to_string(),
    }
}

/// A network that ONNX Runtime runs.
pub struct Ort {
    session: Mutex<ort::session::Session>,
    inputs: Vec<String>,
    outputs: Vec<String>,
}

impl Ort {
    /// Loads a network with the library in use, or with the first that the system has ([`library`]).
    ///
    /// # Errors
    /// [`EngineError::OrtUnavailable`] or [`EngineError::Load`].
    pub fn load(network: &Network) -> Result<Self, EngineError> {
        library(&Search::default())?;
        let onnx = network.whole()?;
        let session = ort::session::Session::builder()
            .and_then(|b| b.commit_from_memory(&onnx))
            .map_err(|e| EngineError::Load {
                engine: NAME,
                reason: e.to_string(),
            })?;
        Ok(Self {
            inputs: session.inputs.iter().map(|i| i.name.clone()).collect(),
            outputs: session.outputs.iter().map(|o| o.name.clone()).collect(),
            session: Mutex::new(session),
        })
    }
}

impl Engine for Ort {
    fn kind(&self) -> EngineKind {
        EngineKind::Ort
    }

    fn inputs(&self) -> &[String] {
        &self.inputs
    }

    fn outputs(&self) -> &[String] {
        &self.outputs
    }

    fn run(
        &self,
        inputs: &[Input<'_>],
        outputs: &[&str],
        _threads: &Threads,
    ) -> Result<Vec<Tensor>, EngineError> {
        check(self, inputs, outputs)?;
        let mut session = self
            .session
            .lock()
            .map_err(|_| run_error("an earlier run panicked"))?;
        let mut values = Vec::with_capacity(inputs.len());
        for input in inputs {
            let tensor =
                ort::value::TensorRef::from_array_view((input.shape.to_vec(), input.values))
                    .map_err(run_error)?;
            values.push((input.name, ort::session::SessionInputValue::from(tensor)));
        }
        let made = session.run(values).map_err(run_error)?;
        outputs
            .iter()
            .map(|name| {
                let (shape, values) = made[*name].try_extract_tensor::<f32>().map_err(run_error)?;
                let shape = shape.iter().map(|d| usize::try_from(*d).unwrap_or(0));
                finite(
                    NAME,
                    Tensor {
                        name: (*name).to_owned(),
                        shape: shape.collect(),
                        values: values.to_vec(),
                    },
                )
            })
            .collect()
    }
}
