//! Why a file yields no picture.

use serde::{Deserialize, Serialize};

/// Why a file yields no picture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum MediaError {
    /// The file holds no bytes.
    #[error("the file is empty")]
    Empty,
    /// The content is no picture.
    #[error("not a picture: the content is {found}")]
    NotAPicture {
        /// What the content looks like.
        found: String,
    },
    /// A picture in a format without a decoder here.
    #[error("unsupported: {format}")]
    Unsupported {
        /// The format or its variant.
        format: String,
    },
    /// Pictures within a file that is none itself; each is asked for by its name ([`crate::Options::part`]).
    #[error("a {format} with {} pictures, which are read one by one", parts.len() as u64 + more)]
    Parts {
        /// The format of the file.
        format: String,
        /// Names of the pictures.
        parts: Vec<String>,
        /// How many more there are than have names.
        more: u64,
    },
    /// The data end before the picture does.
    #[error("truncated {format}: {reason}")]
    Truncated {
        /// The format.
        format: String,
        /// What the decoder said.
        reason: String,
    },
    /// The data contradict the format.
    #[error("corrupt {format}: {reason}")]
    Corrupt {
        /// The format.
        format: String,
        /// What the decoder said.
        reason: String,
    },
    /// A bound would be passed.
    #[error("limit exceeded: {value} {what}, at most {limit} allowed")]
    Limit {
        /// What is bounded.
        what: String,
        /// What the file asks for.
        value: u64,
        /// The bound.
        limit: u64,
    },
}

impl MediaError {
    /// Stable machine code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::NotAPicture { .. } => "not_a_picture",
            Self::Unsupported { .. } | Self::Parts { .. } => "unsupported",
            Self::Truncated { .. } => "truncated",
            Self::Corrupt { .. } => "corrupt",
            Self::Limit { .. } => "limit_exceeded",
        }
    }
}
