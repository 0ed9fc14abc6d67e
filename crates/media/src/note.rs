//! Remarks on how a file was read.

use serde::{Deserialize, Serialize};

/// A remark on how a file was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Stable code.
    pub code: String,
    /// Sentence for people.
    pub sentence: String,
}

impl Note {
    /// A remark with its code.
    #[must_use]
    pub fn new(code: &str, sentence: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            sentence: sentence.into(),
        }
    }
}
