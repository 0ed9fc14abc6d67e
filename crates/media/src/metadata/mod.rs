//! What a file declares about its origin, read by structure and never by searching raw bytes.
//!
//! Declarations are evidence beside the pixels. Nothing here decides a verdict.
//!
//! Open first: `read.rs`, then `blocks.rs` for where a container keeps them; one file for each standard, and
//! [`generators`] for what generators write of themselves.

pub mod c2pa;
pub mod exif;
pub mod generators;
pub mod iptc;
pub mod xmp;

mod blocks;
mod declared;
mod mark;
mod read;
pub(crate) mod stealth;
mod text;
mod trust;

pub(crate) use read::{Sources, orientation, read};

pub use c2pa::C2pa;
pub use declared::Metadata;
pub use exif::ExifFacts;
pub use generators::names_generator;
pub use iptc::IptcFacts;
pub use mark::{AigcLabel, GeneratorMark, MarkClaim};
pub use trust::{Anchors, NoAnchor};
pub use xmp::XmpFacts;
