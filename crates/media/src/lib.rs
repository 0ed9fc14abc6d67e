//! Untrusted bytes to pixels and facts.
//!
//! Owns: telling formats apart by content, decoding within [`Limits`], JPEG facts, videos as facts and
//! frames with their time ([`video`]), and reading what a file declares about its origin (EXIF, XMP, IPTC, PNG
//! text, C2PA).
//! Refuses: guessing. What cannot be decoded is a typed [`MediaError`]; nothing is filled in.
//!
//! Open first: [`mod@decode`] (the way of a picture), then [`metadata`]. `codec/` has one decoder a format,
//! `container/` walks files without decoding a pixel. Imports go one way: `decode` to `codec` and
//! `metadata`, both to `container`, all to the types in `error.rs`, `limits.rs` and `format.rs`.

pub mod decode;
pub mod format;
pub mod jpeg;
pub mod metadata;
pub mod video;

mod codec;
mod colour;
mod container;
mod error;
mod limits;
mod note;
mod orientation;
mod parts;
mod picture;
mod thumbnail;

pub use container::trailer::Part as Behind;
pub use decode::decode;
pub use error::MediaError;
pub use format::Format;
pub use limits::Limits;
pub use note::Note;
pub use picture::{Decoded, Facts, Options, Options as DecodeOptions};
pub use thumbnail::{ANOTHER as ANOTHER_PICTURE, Thumbnail};
