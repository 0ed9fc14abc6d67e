//! Data sets.
//!
//! Owns: the [`manifest`] (the one list of pictures and videos that evaluation and training read), importers of
//! published layouts ([`import`]), checks for duplicates, leaks and confounds ([`check`]), which items train and which
//! validate ([`split`]), and the set itself rebuilt from a list and git clones ([`restore`]).
//! Refuses: a row with a fault, an unknown column, a group on both sides of a split.
//!
//! Open first: [`manifest`].

pub mod check;
pub mod clip;
pub mod import;
pub mod manifest;
pub mod restore;
pub mod split;
