//! The one list of detectors. Help, reports and tests derive from it.

use serde::Serialize;

use crate::card::Card;
use crate::entry::Entry;

/// Every detector that this program knows by itself.
pub static CATALOG: &[&Entry] = &[
    &crate::clip_blocks::ENTRY,
    &crate::npr::ENTRY,
    &crate::cnndetection::ENTRY,
    &crate::community_forensics::ENTRY,
    &crate::deepfakebench_xception::ENTRY,
    &crate::genconvit::ENTRY,
    &crate::d3::ENTRY,
    &crate::demamba::CLIP,
    &crate::demamba::XCLIP,
    &crate::restrav::ENTRY,
    &crate::sta::ENTRY,
    &crate::encoders::SIGLIP2_B16,
    &crate::encoders::PE_CORE_B16,
    &crate::encoders::DINOV3_S16,
];

/// Names that move: what they mean may change from one version of the program to the next.
pub const ALIASES: &[(&str, &str)] = &[("default", crate::clip_blocks::ID)];

/// The id that a name stands for.
#[must_use]
pub fn resolve(name: &str) -> &str {
    let alias = ALIASES.iter().find(|(alias, _)| *alias == name);
    alias.map_or(name, |(_, id)| id)
}

/// The entry of an id.
#[must_use]
pub fn find(id: &str) -> Option<&'static Entry> {
    CATALOG.iter().find(|e| e.id == id).copied()
}

/// Where a detector's weights are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Availability {
    /// In the binary.
    Embedded,
    /// In the folder of installed models.
    Installed,
    /// To be imported.
    NeedsWeights,
}

/// One row of `models list`.
#[derive(Clone, Debug)]
pub struct Listed {
    /// The card.
    pub card: Card,
    /// Where its weights are.
    pub availability: Availability,
}
