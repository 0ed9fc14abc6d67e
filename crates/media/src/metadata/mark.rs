//! What is kept of a generator's trace.

use serde::{Deserialize, Serialize};

/// A trace of a generator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GeneratorMark {
    /// The tool, as its makers call it.
    pub tool: String,
    /// Where the trace stands.
    pub place: String,
    /// Model or checkpoint, where the trace names one.
    pub model: Option<String>,
    /// Beginning of the prompt, where the trace holds one.
    pub prompt: Option<String>,
}
