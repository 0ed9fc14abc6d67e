//! `demamba-clip` and `demamba-xclip`: a selective scan over the patch tokens of eight frames (Chen et al., 2024, arXiv
//! 2405.19707), on CLIP ViT-B/16 and on X-CLIP ViT-B/16.
//!
//! Tokens stand in the order of the released code, not of the paper, since trained files are made for that. Clips lie
//! side by side, where the authors take one at random. Uncalibrated, their verdict is at most `uncertain`.

use crate::card::Card;
use crate::entry::{self, Entry, Weights};

#[cfg(feature = "import")]
mod convert;

macro_rules! entry {
    ($name:ident, $id:literal, $card:literal, $convert:ident) => {
        /// The catalog's entry.
        pub static $name: Entry = Entry {
            id: $id,
            card: || Card::parse($id, include_str!($card)),
            weights: &[Weights::Import {
                hint: concat!(
                    "train it with the authors' code (github.com/chenhaoxing/DeMamba), then ",
                    "realscope models import ",
                    $id,
                    " CHECKPOINT.pth"
                ),
                #[cfg(feature = "import")]
                convert: Some(convert::$convert),
                #[cfg(not(feature = "import"))]
                convert: None,
            }],
            load: entry::network,
        };
    };
}

entry!(CLIP, "demamba-clip", "clip.toml", clip);
entry!(XCLIP, "demamba-xclip", "xclip.toml", xclip);
