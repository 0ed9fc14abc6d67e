//! `npr`: neighbouring pixel relationships (Tan et al., CVPR 2024, arXiv 2312.10461).
//!
//! Our own weights (`realscope train recipes/npr.toml`) lie in the binary; they look at windows of native
//! resolution, where the relationships are those that the up-sampler left. The authors' `NPR.pth` loads unchanged
//! with the published preprocessing: the whole picture squashed to 256 x 256 (bilinear), ImageNet normalisation.
//! Their repository has no licence, so those weights are for the user to obtain. Uncalibrated, their verdict is at most
//! `uncertain`.

use crate::card::Card;
use crate::entry::{self, Entry, Weights};

#[cfg(feature = "import")]
mod convert;

/// Stable id.
pub const ID: &str = "npr";

/// The catalog's entry, with the card of our own weights.
pub static ENTRY: Entry = Entry {
    id: ID,
    card: || Card::parse(ID, include_str!("card.toml")),
    weights: &[
        Weights::Embedded(include_bytes!("weights.onnx")),
        Weights::Import {
            hint: "realscope models import npr NPR.pth",
            #[cfg(feature = "import")]
            convert: Some(convert::convert),
            #[cfg(not(feature = "import"))]
            convert: None,
        },
    ],
    load: entry::network,
};
