//! How much of a text is kept, and how bytes become one.

/// Largest block of metadata that is parsed, in bytes.
pub(super) const MAX_BLOCK: usize = 4 << 20;
/// Longest text that is kept of any field, in characters.
pub(crate) const MAX_TEXT: usize = 2_000;

/// A text of at most [`MAX_TEXT`] characters, with an ellipsis where it was cut.
pub(crate) fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_TEXT) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// UTF-8, or UTF-16 where every other byte is zero, or Latin-1 where the bytes are neither.
pub(super) fn decoded(bytes: &[u8]) -> String {
    if wide(bytes) {
        // A text in ASCII may have lost its last zero, which is the upper half of a letter.
        let odd = vec![0; bytes.len() % 2];
        return utf16(&[bytes, &odd].concat(), true);
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|c| char::from(*c)).collect(),
    }
}

/// Whether bytes are Latin letters in UTF-16, whatever their name: most pairs have their zero on the same side.
fn wide(bytes: &[u8]) -> bool {
    let end = bytes.iter().rposition(|b| *b != 0).map_or(0, |at| at + 1);
    let pairs = bytes[..end].chunks_exact(2);
    let all = pairs.len();
    let (even, odd) = pairs.fold((0, 0), |(even, odd), pair| match pair {
        [0, 0] => (even, odd),
        [0, _] => (even + 1, odd),
        [_, 0] => (even, odd + 1),
        _ => (even, odd),
    });
    all >= 2 && 4 * usize::max(even, odd) >= 3 * all
}

/// Text in UTF-16 of the byte order that its marks or its zero bytes tell; `little` where they tell nothing.
pub(super) fn utf16(bytes: &[u8], little: bool) -> String {
    let (bytes, marked) = match bytes {
        [0xff, 0xfe, rest @ ..] => (rest, Some(true)),
        [0xfe, 0xff, rest @ ..] => (rest, Some(false)),
        _ => (bytes, None),
    };
    let (mut even, mut odd) = (0_usize, 0_usize);
    for pair in bytes.chunks_exact(2) {
        even += usize::from(pair[0] == 0);
        odd += usize::from(pair[1] == 0);
    }
    let told = (even != odd).then_some(odd > even);
    let little = marked.or(told).unwrap_or(little);
    let units: Vec<u16> = bytes
        .chunks_exact(2)
        .map(|p| {
            if little {
                u16::from_le_bytes([p[0], p[1]])
            } else {
                u16::from_be_bytes([p[0], p[1]])
            }
        })
        .collect();
    String::from_utf16_lossy(&units)
}
