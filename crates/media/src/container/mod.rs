//! The structure of containers, walked without decoding a pixel.

pub(crate) mod bmff;
pub(crate) mod chunks;
pub(crate) mod ebml;
pub(crate) mod gif;
pub(crate) mod heif;
pub(crate) mod ifd;
pub(crate) mod jpeg;
pub(crate) mod mpf;
pub(crate) mod png;
pub(crate) mod psd;
pub(crate) mod tiff;
pub(crate) mod trailer;
