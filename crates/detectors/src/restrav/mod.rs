//! `restrav`: how a video's frames move through the features of DINOv2 (Internò et al., NeurIPS 2025, arXiv 2507.00583).
//!
//! The authors publish a classifier of 21 numbers; DINOv2 and the mean and deviation of those numbers stand apart. The
//! user joins the three in one file. The authors see the middle two seconds of a video; here clips of two seconds lie
//! all over it. Uncalibrated, its verdict is at most `uncertain`.

use crate::card::Card;
use crate::entry::{self, Entry, Weights};

#[cfg(feature = "import")]
mod convert;

/// Stable id.
pub const ID: &str = "restrav";

/// The catalog's entry.
pub static ENTRY: Entry = Entry {
    id: ID,
    card: || Card::parse(ID, include_str!("card.toml")),
    weights: &[Weights::Import {
        hint: "join dinov2_vits14_pretrain.pth, the classifier and `mean` and `std` of its 21 numbers in one file \
               (docs/models.md), then realscope models import restrav FILE",
        #[cfg(feature = "import")]
        convert: Some(convert::convert),
        #[cfg(not(feature = "import"))]
        convert: None,
    }],
    load: entry::network,
};
