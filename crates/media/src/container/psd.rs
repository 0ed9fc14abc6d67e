//! Image resources of a Photoshop document (Adobe Photoshop File Formats Specification).

use super::heif::Numbers;

/// The section of image resources.
pub(crate) fn resources(bytes: &[u8]) -> Option<&[u8]> {
    const HEADER: usize = 26;
    let mut n = Numbers(bytes);
    n.take(HEADER)?;
    let palette = usize::try_from(n.number(4)?).ok()?;
    n.take(palette)?;
    let len = usize::try_from(n.number(4)?).ok()?;
    n.take(len)
}

/// The resources of a section by their number; ends at the first damaged one.
pub(crate) fn each(section: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    let mut n = Numbers(section);
    std::iter::from_fn(move || {
        if n.take(4)? != b"8BIM" {
            return None;
        }
        let id = n.number(2)?;
        // A name with its length ahead, filled up to an even number of bytes.
        let name = usize::try_from(n.number(1)?).ok()?;
        n.take(name + (name + 1) % 2)?;
        let len = usize::try_from(n.number(4)?).ok()?;
        let data = n.take(len)?;
        // The last one may lack its padding.
        if len % 2 == 1 && n.take(1).is_none() {
            n = Numbers(&[]);
        }
        Some((id, data))
    })
}
