//! `d3-resnet18`: how evenly the features of neighbouring frames move (Zheng et al., ICCV 2025, arXiv 2508.00701), with
//! the smallest of the authors' encoders.
//!
//! Nothing is trained for the task: any ResNet-18 of ImageNet serves. The authors take a random window of three seconds
//! and of short videos eight frames; here clips of sixteen frames lie all over the video, and a shorter one is refused.
//! Uncalibrated, its verdict is at most `uncertain`.

use crate::card::Card;
use crate::entry::{self, Entry, Weights};

#[cfg(feature = "import")]
mod convert;

/// Stable id.
pub const ID: &str = "d3-resnet18";

/// The catalog's entry.
pub static ENTRY: Entry = Entry {
    id: ID,
    card: || Card::parse(ID, include_str!("card.toml")),
    weights: &[Weights::Import {
        hint: "get resnet18-f37072fd.pth from download.pytorch.org/models, then \
               realscope models import d3-resnet18 resnet18-f37072fd.pth",
        #[cfg(feature = "import")]
        convert: Some(convert::convert),
        #[cfg(not(feature = "import"))]
        convert: None,
    }],
    load: entry::network,
};
