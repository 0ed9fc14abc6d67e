//! How much of a text is kept.

/// Longest text that is kept of any field, in characters.
pub(crate) const MAX_TEXT: usize = 2_000;

/// A text of at most [`MAX_TEXT`] characters, with an ellipsis where it was cut.
pub(crate) fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_TEXT) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
