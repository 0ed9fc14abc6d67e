//! One decoder for each format, from bytes to [`raw::Raw`] samples within limits.

pub(crate) mod av1;
mod canvas;
pub(crate) mod heif;
#[cfg(feature = "heic")]
mod hevc;
pub(crate) mod jp2;
pub(crate) mod jpeg;
pub(crate) mod jxl;
pub(crate) mod psd;
pub(crate) mod raster;
pub(crate) mod raw;
pub(crate) mod tiff;
mod yuv;
