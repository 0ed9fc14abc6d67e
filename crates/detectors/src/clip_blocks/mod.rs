//! `clip-blocks`: what a scan uses (alias `default`). Its weights and card lie in the binary.
//!
//! A linear head on blocks of CLIP's image tower, which see the whole picture resized. The tower's weights are
//! entropy-coded multiples of quantisation steps that differ from row to row and are expanded when they are loaded.
//! Trained by `realscope train recipes/semantic.toml`.

use crate::card::Card;
use crate::catalog::{self, Entry, Weights};

/// Stable id.
pub const ID: &str = "clip-blocks";

/// The catalog's entry.
pub static ENTRY: Entry = Entry {
    id: ID,
    card: || Card::parse(ID, include_str!("card.toml")),
    weights: &[Weights::Embedded(include_bytes!("weights.onnx"))],
    load: catalog::network,
};
