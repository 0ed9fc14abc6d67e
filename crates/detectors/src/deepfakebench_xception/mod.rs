//! `deepfakebench-xception`: Xception on aligned faces, the baseline of DeepfakeBench (Yan et al., NeurIPS 2023, arXiv
//! 2307.01426).
//!
//! Faces are found by the program's own finder, where the benchmark uses dlib's. The weights are for use that is not
//! commercial, so each user obtains them. Uncalibrated, their verdict is at most `uncertain`.

use crate::card::Card;
use crate::entry::{self, Entry, Weights};

#[cfg(feature = "import")]
mod convert;

/// Stable id.
pub const ID: &str = "deepfakebench-xception";

/// The catalog's entry.
pub static ENTRY: Entry = Entry {
    id: ID,
    card: || Card::parse(ID, include_str!("card.toml")),
    weights: &[Weights::Import {
        hint: "get xception_best.pth from the releases of github.com/SCLBD/DeepfakeBench, then \
               realscope models import deepfakebench-xception xception_best.pth",
        #[cfg(feature = "import")]
        convert: Some(convert::convert),
        #[cfg(not(feature = "import"))]
        convert: None,
    }],
    load: entry::network,
};
