//! The largest preview that a camera put into its raw photograph, as it stands there: a JPEG.

use super::{Names, Part};
use crate::container::jpeg::structure;
use crate::error::MediaError;

/// Its name; a preview is a picture of the camera's own making, not the photograph.
const PREVIEW: &str = "preview";
/// Sides below this are thumbnails.
const SMALLEST: u64 = 512;
/// Most places that are looked at; the sensor's data look like the start of a JPEG a few times by chance.
const PLACES: usize = 64;

pub(super) fn names(bytes: &[u8]) -> Result<Names, MediaError> {
    let mut names = Names::default();
    if largest(bytes).is_some() {
        names.push(PREVIEW.into());
    }
    Ok(names)
}

pub(super) fn part(bytes: &[u8], name: &str) -> Option<Part> {
    let found = largest(bytes).filter(|_| name == PREVIEW)?;
    Some(Part::File(found.to_vec()))
}

/// The JPEG with the most pixels whose markers are sound, from its start to its end marker. Cameras keep previews in
/// places of their own; each begins with the same three bytes.
fn largest(bytes: &[u8]) -> Option<&[u8]> {
    let mut best: Option<(u64, &[u8])> = None;
    let mut at = 0;
    for _ in 0..PLACES {
        let mut starts = bytes[at..].windows(3);
        let Some(skip) = starts.position(|w| w == [0xff, 0xd8, 0xff]) else {
            break;
        };
        at += skip;
        let rest = &bytes[at..];
        let found = structure(rest);
        let pixels = found.segments.iter().find_map(|s| {
            // Baseline and progressive frames: lossless ones are the raw photograph itself.
            if !matches!(s.marker, 0xc0..=0xc2) {
                return None;
            }
            let side = |i: usize| {
                Some(u64::from(u16::from_be_bytes([
                    *s.data.get(i)?,
                    *s.data.get(i + 1)?,
                ])))
            };
            let (height, width) = (side(1)?, side(3)?);
            (width.min(height) >= SMALLEST).then_some(width * height)
        });
        let sound = found.end_marker && found.stray.is_empty();
        if let Some(pixels) = pixels.filter(|_| sound)
            && best.is_none_or(|(most, _)| pixels > most)
        {
            best = Some((pixels, &rest[..found.end]));
        }
        at += if sound { found.end.max(3) } else { 3 };
    }
    best.map(|(_, jpeg)| jpeg)
}
