//! Reports of a record: text, CSV, a self-contained page.
//!
//! Open first: `words`, which turns a record into plain sentences that text and page share; `film` draws the time of a
//! video.

mod csv;
pub(crate) mod film;
mod html;
mod text;
pub(crate) mod words;

pub use csv::{CSV_COLUMNS, csv_row};
pub(crate) use html::FIGURE;
pub use html::{Figure, escape, figures, html_drawn, html_film, html_head, html_record, html_tail};
#[cfg(feature = "pdf")]
pub(crate) use html::{RESTS, facts};
pub use text::text;

/// Text without control characters, so that a file name cannot drive the terminal, and without marks of writing
/// direction (Unicode Standard Annex 9), so that it cannot seem to be another.
#[must_use]
pub fn visible(text: &str) -> String {
    text.chars()
        .map(|c| if hidden(c) { '\u{fffd}' } else { c })
        .collect()
}

/// Whether a character is a control character or a mark of writing direction.
fn hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_stays_text() {
        assert_eq!(visible("a\x1b[31m"), "a\u{fffd}[31m");
        assert_eq!(visible("gpj.\u{202e}exe"), "gpj.\u{fffd}exe");
    }
}
