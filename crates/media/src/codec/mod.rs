//! One decoder for each format, from bytes to [`raw::Raw`] samples within limits.

pub(crate) mod avif;
pub(crate) mod jpeg;
pub(crate) mod jxl;
pub(crate) mod raster;
pub(crate) mod raw;
