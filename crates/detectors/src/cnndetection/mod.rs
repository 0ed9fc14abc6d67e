//! `cnndetection`: a ResNet-50 that was trained on one GAN with blur and JPEG (Wang et al., "CNN-generated images are
//! surprisingly easy to spot... for now", CVPR 2020, arXiv 1912.11035).
//!
//! Shown as the paper's tables were measured: the central 224 pixels, not resized, smaller pictures padded with black.
//! The authors found whole pictures at native resolution to be better; a detector here has one size of input. The
//! weights are for use that is not commercial, so each user obtains them. Uncalibrated, their verdict is at most
//! `uncertain`.

use crate::card::Card;
use crate::entry::{self, Entry, Weights};

#[cfg(feature = "import")]
mod convert;

/// Stable id.
pub const ID: &str = "cnndetection";

/// The catalog's entry.
pub static ENTRY: Entry = Entry {
    id: ID,
    card: || Card::parse(ID, include_str!("card.toml")),
    weights: &[Weights::Import {
        hint: "get blur_jpg_prob0.5.pth with weights/download_weights.sh of github.com/PeterWang512/CNNDetection, \
               then realscope models import cnndetection blur_jpg_prob0.5.pth",
        #[cfg(feature = "import")]
        convert: Some(convert::convert),
        #[cfg(not(feature = "import"))]
        convert: None,
    }],
    load: entry::network,
};
