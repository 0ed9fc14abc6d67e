//! Chunks of a PNG (third edition, section 5).

/// Chunks of a PNG as (type, data); ends at the first damaged one.
pub(crate) fn chunks(bytes: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    let mut at = 8;
    std::iter::from_fn(move || {
        let head = bytes.get(at..at + 8)?;
        let len = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        let kind = [head[4], head[5], head[6], head[7]];
        let data = bytes.get(at + 8..(at + 8).checked_add(len)?)?;
        at = (at + 8).checked_add(len)?.checked_add(4)?;
        Some((kind, data))
    })
}

/// Offset just behind `IEND`, where there is one.
pub(crate) fn end(bytes: &[u8]) -> Option<usize> {
    let mut at = 8_usize;
    loop {
        let head = bytes.get(at..at + 8)?;
        let len = u32::from_be_bytes([head[0], head[1], head[2], head[3]]) as usize;
        at = at.checked_add(12)?.checked_add(len)?;
        if &head[4..] == b"IEND" {
            return (at <= bytes.len()).then_some(at);
        }
    }
}
