//! Image encoders that were trained for something else: what a head reads that `realscope train` fits.
//!
//! Each yields one embedding: the pooled tokens, then mean and deviation of the patch tokens after each of the last
//! [`BLOCKS`] blocks (after RINE, Koutlis and Papadopoulos, ECCV 2024, arXiv 2402.19091, which found that blocks
//! ahead of the last carry most of what tells generated pictures). They say nothing of a picture by themselves, and a
//! scan refuses them. The user brings the published file; it is deployed in full precision.

use crate::card::Card;
use crate::entry::{self, Entry, Weights};

#[cfg(feature = "import")]
mod convert;

/// Blocks whose statistics an embedding holds.
pub const BLOCKS: usize = 4;

/// Makes the entry of an encoder: constant, id, card, conversion, where the file is.
macro_rules! encoder {
    ($name:ident, $id:literal, $card:literal, $convert:ident, $hint:literal) => {
        #[doc = concat!("The catalog's entry of `", $id, "`.")]
        pub static $name: Entry = Entry {
            id: $id,
            card: || Card::parse($id, include_str!($card)),
            weights: &[Weights::Import {
                hint: $hint,
                #[cfg(feature = "import")]
                convert: Some(convert::$convert),
                #[cfg(not(feature = "import"))]
                convert: None,
            }],
            load: entry::network,
        };
    };
}

encoder!(
    SIGLIP2_B16,
    "siglip2-b16-vision",
    "siglip2_b16.toml",
    siglip2_b16,
    "get model.safetensors of google/siglip2-base-patch16-224, then: realscope models import siglip2-b16-vision FILE"
);
encoder!(
    PE_CORE_B16,
    "pe-core-b16",
    "pe_core_b16.toml",
    pe_core_b16,
    "get model.safetensors of timm/vit_pe_core_base_patch16_224.fb, then: realscope models import pe-core-b16 FILE"
);
encoder!(
    DINOV3_S16,
    "dinov3-vits16",
    "dinov3_s16.toml",
    dinov3_s16,
    "get model.safetensors of timm/vit_small_patch16_dinov3.lvd1689m, then: realscope models import dinov3-vits16 FILE"
);
