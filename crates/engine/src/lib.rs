//! Runs networks.
//!
//! Owns: the [`Engine`] trait and its implementations ([`rten`] in pure Rust, always there; [`ort`], an ONNX Runtime
//! library that is loaded at run time), a caller's share of the cores ([`Threads`]), packed weight files and 8-bit
//! products ([`packed`]), the messages of the ONNX format ([`proto`]).
//! Refuses: inputs that the network does not have, outputs that are not finite floats.
//!
//! Open first: [`Engine`], then [`packed`].

pub mod heads;
mod network;
pub mod ort;
pub mod packed;
pub mod proto;
pub mod rten;
mod surgery;
mod threads;

pub use network::Network;
pub use threads::Threads;

use serde::{Deserialize, Serialize};

/// Which implementation runs a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
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

/// A float input of a run: a view, row-major.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// Name in the graph.
    pub name: &'a str,
    /// Sizes.
    pub shape: &'a [usize],
    /// Values, as many as the sizes say.
    pub values: &'a [f32],
}

/// A float output.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Name in the graph.
    pub name: String,
    /// Sizes.
    pub shape: Vec<usize>,
    /// Values, row-major.
    pub values: Vec<f32>,
}

/// A loaded network.
pub trait Engine: Send + Sync {
    /// Which implementation this is.
    fn kind(&self) -> EngineKind;

    /// Names of the inputs, in the graph's order.
    fn inputs(&self) -> &[String];

    /// Names of the outputs, in the graph's order.
    fn outputs(&self) -> &[String];

    /// The outputs named, in the order of `outputs`; only what they need is computed.
    ///
    /// # Errors
    /// [`EngineError::Run`]: a name that the network does not have, sizes that do not fit, a value that is not finite.
    fn run(
        &self,
        inputs: &[Input<'_>],
        outputs: &[&str],
        threads: &Threads,
    ) -> Result<Vec<Tensor>, EngineError>;

    /// All outputs of a network with one input.
    ///
    /// # Errors
    /// Those of [`Engine::run`].
    fn run_all(
        &self,
        values: &[f32],
        shape: &[usize],
        threads: &Threads,
    ) -> Result<Vec<Tensor>, EngineError> {
        let [name] = self.inputs() else {
            return Err(EngineError::Run {
                engine: self.kind().name(),
                reason: format!("the network has {} inputs", self.inputs().len()),
            });
        };
        let outputs: Vec<&str> = self.outputs().iter().map(String::as_str).collect();
        self.run(
            &[Input {
                name,
                shape,
                values,
            }],
            &outputs,
            threads,
        )
    }
}

/// Checks what every engine must: that names exist and that the values are as many as the sizes say.
fn check(engine: &dyn Engine, inputs: &[Input<'_>], outputs: &[&str]) -> Result<(), EngineError> {
    let fail = |reason: String| EngineError::Run {
        engine: engine.kind().name(),
        reason,
    };
    for input in inputs {
        if !engine.inputs().iter().any(|n| n == input.name) {
            return Err(fail(format!("the network has no input `{}`", input.name)));
        }
        if input.values.len() != input.shape.iter().product::<usize>() {
            return Err(fail(format!(
                "{} values for input `{}` of {:?}",
                input.values.len(),
                input.name,
                input.shape
            )));
        }
    }
    if let Some(name) = outputs
        .iter()
        .find(|o| !engine.outputs().iter().any(|n| n == *o))
    {
        return Err(fail(format!("the network has no output `{name}`")));
    }
    Ok(())
}

/// An output whose values are all finite.
fn finite(engine: &'static str, tensor: Tensor) -> Result<Tensor, EngineError> {
    if tensor.values.iter().all(|v| v.is_finite()) {
        Ok(tensor)
    } else {
        Err(EngineError::Run {
            engine,
            reason: format!("output `{}` is not finite", tensor.name),
        })
    }
}

/// An engine and how it is to be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Choice {
    /// Which implementation.
    pub kind: EngineKind,
    /// Bring the weights into the order of the kernels once, not in every run: runs of a transformer in 8 bits take
    /// a fifth less time, loading takes longer by what one run saves, and the weights are in memory twice.
    /// The results are the same.
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
        EngineKind::Rten => Box::new(rten::Rten::load(network, choice.prepack)?),
        EngineKind::Ort => Box::new(ort::Ort::load(&network)?),
    })
}
