//! Upright pixels.

use image::RgbImage;

/// Undoes an EXIF orientation (tag 0x0112, 1 to 8).
pub(crate) fn upright(picture: RgbImage, orientation: u8) -> RgbImage {
    use image::imageops::{flip_horizontal, flip_vertical, rotate90, rotate180, rotate270};
    match orientation {
        2 => flip_horizontal(&picture),
        3 => rotate180(&picture),
        4 => flip_vertical(&picture),
        5 => flip_horizontal(&rotate90(&picture)),
        6 => rotate90(&picture),
        7 => flip_horizontal(&rotate270(&picture)),
        8 => rotate270(&picture),
        _ => picture,
    }
}
