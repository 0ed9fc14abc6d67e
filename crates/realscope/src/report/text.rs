//! Lines for a terminal.

use std::fmt::Write as _;

use super::{film, visible, words};
use crate::record::{Declared, Record, Verdict};

/// Longest line of an explanation, in characters.
const WIDTH: usize = 100;

/// One line a file, or where `verbose` an explanation in plain words. Control characters of paths and metadata are made
/// visible.
#[must_use]
pub fn text(r: &Record, colour: bool, verbose: bool) -> String {
    if verbose {
        explained(r, colour)
    } else {
        line(r, colour)
    }
}

/// Terminal colour of a verdict.
fn code(verdict: Option<Verdict>) -> &'static str {
    match verdict {
        Some(Verdict::Generated | Verdict::Manipulated) => "1;31",
        Some(Verdict::Uncertain) => "33",
        Some(Verdict::NoEvidence) => "32",
        None => "35",
    }
}

fn paint(colour: bool, code: &str, words: &str) -> String {
    if colour {
        format!("\x1b[{code}m{words}\x1b[0m")
    } else {
        words.to_owned()
    }
}

fn line(r: &Record, colour: bool) -> String {
    let word = r.verdict.map_or("error", Verdict::word);
    let word = paint(colour, code(r.verdict), &format!("{word:<11}"));
    let path = visible(&r.path);
    let declared = r.provenance.as_ref().map(|p| p.declared);
    let declared = declared
        .filter(|d| *d != Declared::None)
        .map_or(String::new(), |d| format!("  declared: {}", d.word()));
    if r.verdict.is_none() {
        let message = r
            .error
            .as_ref()
            .map_or(String::new(), |e| visible(&e.message));
        return format!("{word} {path}: {message}{declared}");
    }
    let range = r.interval.as_ref().and_then(|i| i.range());
    let p = match (r.probability, range) {
        (Some(p), Some([low, high])) => format!("P={p:.2} [{low:.2}, {high:.2}]"),
        (Some(p), None) => format!("P={p:.2}"),
        (None, _) => "P=n/a".into(),
    };
    let segments: Vec<String> = if r.verdict == Some(Verdict::Manipulated) {
        film::accused(r)
            .map(|[start, end]| format!("{}-{}", film::clock(start), film::clock(end)))
            .collect()
    } else {
        Vec::new()
    };
    let at = match segments.as_slice() {
        [] => String::new(),
        some => format!("  at {}", some.join(", ")),
    };
    format!("{word} {p}  {path}{at}{declared}")
}

fn explained(r: &Record, colour: bool) -> String {
    let verdict = paint(colour, code(r.verdict), words::verdict(r));
    let mut out = format!("{verdict}: {}\n", visible(&r.path));
    let mut paragraph = vec![words::lead(r).to_owned()];
    paragraph.extend(words::probability(r));
    paragraph.extend(words::error(r));
    wrap(&mut out, &paragraph.join(" "), "  ", "  ");
    if let Some([blocks, marks]) = film::bar(r) {
        let _ = write!(out, "\n  {blocks}\n");
        if !marks.trim().is_empty() {
            let _ = writeln!(out, "  {}", paint(colour, code(r.verdict), &marks));
        }
        for lane in film::lanes(r) {
            let _ = writeln!(out, "  {lane}");
        }
    }
    for group in words::groups(r) {
        let _ = write!(out, "\n  {}\n", group.title);
        for point in group.points {
            wrap(&mut out, &point.measured, "  - ", "    ");
            for (name, sentence) in [("Usual: ", point.usual), ("Meaning: ", point.meaning)] {
                if let Some(sentence) = sentence {
                    wrap(&mut out, sentence, &format!("    {name}"), "      ");
                }
            }
        }
    }
    let history = words::history(r);
    if !history.is_empty() {
        let _ = writeln!(out, "\n  {}", words::HISTORY);
        for (depth, line) in history {
            let indent = "  ".repeat(depth.min(16));
            wrap(
                &mut out,
                &line,
                &format!("  {indent}- "),
                &format!("  {indent}  "),
            );
        }
    }
    out.push_str("\n  What this does not mean\n");
    for limit in words::limits(r) {
        wrap(&mut out, limit, "  - ", "    ");
    }
    out
}

/// Lines of at most [`WIDTH`] characters, where words allow it.
fn wrap(out: &mut String, text: &str, first: &str, next: &str) {
    let mut line = first.to_owned();
    let mut begun = false;
    for word in visible(text).split(' ').filter(|w| !w.is_empty()) {
        if begun && line.chars().count() + 1 + word.chars().count() > WIDTH {
            let _ = writeln!(out, "{line}");
            next.clone_into(&mut line);
            begun = false;
        }
        if begun {
            line.push(' ');
        }
        line.push_str(word);
        begun = true;
    }
    let _ = writeln!(out, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_sentences_are_wrapped_and_long_words_are_not_broken() {
        let mut out = String::new();
        wrap(&mut out, &"word ".repeat(40), "- ", "  ");
        assert!(out.lines().count() == 3 && out.lines().all(|l| l.len() <= WIDTH));
        assert!(out.lines().skip(1).all(|l| l.starts_with("  word")));
        let mut out = String::new();
        wrap(&mut out, &"x".repeat(200), "- ", "  ");
        assert_eq!(out.lines().count(), 1);
    }
}
