//! Chunks of a RIFF file (WebP, AVI).

/// Chunks behind the form type as (type, data); ends at the first damaged one.
pub(crate) fn riff(bytes: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    from(bytes, 12)
}

/// Chunks of a list behind its type.
pub(crate) fn listed(list: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    from(list, 4)
}

fn from(bytes: &[u8], start: usize) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    let mut at = start;
    std::iter::from_fn(move || {
        let head = bytes.get(at..at + 8)?;
        let len = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let data = bytes.get(at + 8..(at + 8).checked_add(len)?)?;
        at += 8 + len + len % 2;
        Some(([head[0], head[1], head[2], head[3]], data))
    })
}

/// Offset just behind the form that a RIFF file declares.
pub(crate) fn riff_end(bytes: &[u8]) -> Option<usize> {
    let len = bytes.get(4..8)?;
    let len = u32::from_le_bytes([len[0], len[1], len[2], len[3]]) as usize;
    let end = 8_usize.checked_add(len)?.checked_add(len % 2)?;
    (bytes.starts_with(b"RIFF") && end <= bytes.len()).then_some(end)
}
