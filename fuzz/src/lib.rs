//! What all fuzz targets check.

use realscope_media::{Format, Limits, Options, decode};

/// Limits small enough for a fuzzer's own.
fn limits() -> Limits {
    Limits {
        max_bytes: 1 << 20,
        max_pixels: 1 << 20,
        max_alloc: 64 << 20,
    }
}

/// Decodes `data` when it begins like `format`, strictly and leniently.
///
/// # Panics
/// When a picture breaks the limits: that is what the fuzzer looks for.
pub fn decodes_or_errs(format: Format, data: &[u8]) {
    if Format::sniff(data) != Some(format) {
        return;
    }
    for allow_truncated in [false, true] {
        if let Ok(decoded) = decode(data, &limits(), &Options { allow_truncated }) {
            let (width, height) = decoded.pixels.dimensions();
            assert!(width > 0 && height > 0);
            assert!(u64::from(width) * u64::from(height) <= limits().max_pixels);
        }
    }
}
