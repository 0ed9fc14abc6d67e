//! All declarations of a file: each block to the parser of its standard.

use super::blocks::MAX_BLOCK;
use super::declared::Metadata;
use super::text::cut;
use super::{blocks, c2pa, exif, generators, iptc, xmp};
use crate::format::Format;

/// Reads all declarations. `exif` is a block that the decoder already found.
pub(crate) fn read(bytes: &[u8], format: Format, exif: Option<&[u8]>) -> Metadata {
    let mut blocks = blocks::find(bytes, format);
    if blocks.exif.is_none() {
        blocks.exif = exif.map(<[u8]>::to_vec);
    }
    let mut metadata = Metadata {
        exif: blocks
            .exif
            .filter(|b| b.len() <= MAX_BLOCK)
            .and_then(exif::parse),
        xmp: blocks
            .xmp
            .filter(|b| b.len() <= MAX_BLOCK)
            .and_then(|b| xmp::parse(&b)),
        iptc: blocks.iptc.and_then(|b| iptc::parse(&b)),
        c2pa: c2pa::read(bytes, format),
        ..Metadata::default()
    };
    metadata.generators = generators::find(&blocks.text, &blocks.comments, &metadata);
    metadata.png_text = blocks
        .text
        .into_iter()
        .take(32)
        .map(|(k, v)| (cut(&k), cut(&v)))
        .collect();
    metadata
}
