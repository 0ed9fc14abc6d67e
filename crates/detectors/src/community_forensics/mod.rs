//! `community-forensics`: a ViT-S/16 that was trained on pictures of thousands of generators (Park and Owens, CVPR
//! 2025, arXiv 2411.04125).
//!
//! Shown as the authors evaluate it: the shorter side at 440 pixels, of that the central 384. The weights are MIT and
//! one pinned file of a model hub; they are deployed in full precision. Uncalibrated, their verdict is at most
//! `uncertain`.

use crate::card::Card;
use crate::entry::{self, Entry, Pin, Weights};

#[cfg(feature = "import")]
mod convert;

/// Stable id.
pub const ID: &str = "community-forensics";

/// The catalog's entry.
pub static ENTRY: Entry = Entry {
    id: ID,
    card: || Card::parse(ID, include_str!("card.toml")),
    weights: &[Weights::Pinned {
        pin: Pin {
            repo: "OwensLab/commfor-model-384",
            revision: "87b013b3d134dea22518e743bd7a1901e52fe9da",
            file: "model.safetensors",
            sha256: "b89f36275f3bf5e2b040eee36597a8f19db051bff9a473a9cf7b2466284fb387",
        },
        hint: "realscope models pull community-forensics",
        #[cfg(feature = "import")]
        convert: Some(convert::convert),
        #[cfg(not(feature = "import"))]
        convert: None,
    }],
    load: entry::network,
};
