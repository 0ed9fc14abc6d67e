//! What is kept of a generator's trace and of a legal label.

use serde::{Deserialize, Serialize};

/// What a trace says of the picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MarkClaim {
    /// It was generated.
    #[default]
    Generated,
    /// It was edited by such means.
    EditedWithAi,
}

/// A trace of a generator.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GeneratorMark {
    /// The tool, as its makers call it.
    pub tool: String,
    /// Where the trace stands.
    pub place: String,
    /// What it says of the picture.
    pub claim: MarkClaim,
    /// Version of the tool, where the trace names one.
    pub version: Option<String>,
    /// Model or checkpoint, where the trace names one.
    pub model: Option<String>,
    /// Beginning of the prompt, where the trace holds one.
    pub prompt: Option<String>,
    /// Beginning of what the picture was not to show.
    pub negative_prompt: Option<String>,
    /// Seed of the random numbers.
    pub seed: Option<u64>,
    /// Steps of the sampler.
    pub steps: Option<u32>,
    /// Sampler.
    pub sampler: Option<String>,
    /// Identifier of the job, where the trace names one.
    pub job_id: Option<String>,
}

/// The label that GB 45438-2025 demands of generated content (TC260, annex E).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AigcLabel {
    /// `1` generated, `2` possibly generated, `3` suspected of it.
    pub label: String,
    /// Who made the content.
    pub producer: Option<String>,
    /// The producer's number of it.
    pub produce_id: Option<String>,
    /// Who passed it on.
    pub propagator: Option<String>,
    /// Where the label stands.
    pub place: String,
}
