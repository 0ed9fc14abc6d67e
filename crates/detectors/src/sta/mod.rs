//! `sta`: spatio-temporal adapters between the blocks of CLIP ViT-L/14, on clips of an aligned face (Yan et al., CVPR
//! 2025, arXiv 2408.17065).
//!
//! One face is followed through each clip. The weights are for use that is not commercial, so each user obtains them.
//! Uncalibrated, their verdict is at most `uncertain`.

use crate::card::Card;
use crate::entry::{self, Entry, Weights};

#[cfg(feature = "import")]
mod convert;

/// Stable id.
pub const ID: &str = "sta";

/// The catalog's entry.
pub static ENTRY: Entry = Entry {
    id: ID,
    card: || Card::parse(ID, include_str!("card.toml")),
    weights: &[Weights::Import {
        hint: "get the weights that github.com/YZY-stack/StA4Deepfake links to, then \
               realscope models import sta CHECKPOINT.pth",
        #[cfg(feature = "import")]
        convert: Some(convert::convert),
        #[cfg(not(feature = "import"))]
        convert: None,
    }],
    load: entry::network,
};
