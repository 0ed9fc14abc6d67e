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

/// The orientation that is equal to undoing `first` and then `second`.
pub(crate) fn then(first: u8, second: u8) -> u8 {
    // Quarter turns by the clock, then perhaps a mirror of left and right.
    const PARTS: [(u8, bool); 8] = [
        (0, false),
        (0, true),
        (2, false),
        (2, true),
        (1, true),
        (1, false),
        (3, true),
        (3, false),
    ];
    let part = |o: u8| PARTS[usize::from(o.clamp(1, 8)) - 1];
    let ((turns, mirrored), (more, mirror)) = (part(first), part(second));
    // A turn behind a mirror is the opposite turn ahead of it.
    let turns = if mirrored {
        turns + 4 - more
    } else {
        turns + more
    } % 4;
    let whole = (turns, mirrored != mirror);
    PARTS
        .iter()
        .position(|p| *p == whole)
        .map_or(1, |i| i as u8 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_turns_are_one() {
        let picture = RgbImage::from_fn(3, 2, |x, y| image::Rgb([x as u8, y as u8, 7]));
        for first in 1..=8 {
            for second in 1..=8 {
                let one_by_one = upright(upright(picture.clone(), first), second);
                let at_once = upright(picture.clone(), then(first, second));
                assert_eq!(one_by_one, at_once, "{first} then {second}");
            }
        }
    }
}
