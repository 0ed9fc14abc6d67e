//! A report as PDF: the same words, rows and figures as the page, and behind it the extract and its signature.
//!
//! A document is what the extract gives (a whole PDF), followed by an update as the format has it (ISO 32000-2, section
//! 7.5.6) that attaches `extract.json` and `signature.txt`. So a reader can hash what stands ahead of the update, and
//! make both parts again. Nothing in it depends on a clock, on chance or on the order of a table in memory.
//!
//! Open first: `document`, which has the order of a report; `flow` sets it on pages.

mod flow;
mod font;

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pdf_writer::{Filter, Finish as _, Name, Pdf, Rect, Ref, TextStr};

use self::flow::{Colour, Flow, PAPER, PLAIN, SMALL, Style, TEXT};
use self::font::{Font, FontRefs};
use super::page::{Parts, rows};
use super::{CustodyError, Extract, Item};
use crate::record::Verdict;
use crate::report::{self, Figure, words};

/// What parts the document from its extract. An extract has no line break.
const MARK: &[u8] = b"\n% realscope: extract and signature\n";
const TITLE: &str = "Realscope case report";
/// The catalog and the tree of pages; the update writes the catalog again.
const CATALOG: i32 = 1;
const PAGES: i32 = 2;
const INFO: i32 = 3;
/// First object of the font; pictures follow behind its objects.
const FONT: i32 = 4;
const PICTURES: i32 = 9;

fn colour(verdict: Option<Verdict>) -> Colour {
    match verdict {
        Some(Verdict::Generated | Verdict::Manipulated) => [0.702, 0.149, 0.118],
        Some(Verdict::Uncertain) => [0.522, 0.325, 0.0],
        Some(Verdict::NoEvidence) => [0.106, 0.404, 0.227],
        None => [0.357, 0.165, 0.525],
    }
}

/// The document that an extract gives, with the figures of each item.
pub(super) fn document(
    extract: &Extract,
    figures: &[Vec<Figure>],
) -> Result<Vec<u8>, CustodyError> {
    let fault = |e: String| CustodyError::Pdf(e);
    let mut flow = Flow::new(Font::new().map_err(fault)?);
    flow.text(TITLE, Style::new(18.0, true, TEXT), 0.0);
    flow.gap(4.0);
    flow.text(report::RESTS, SMALL, 0.0);
    flow.text(
        "This report is signed. The program `realscope verify-report` checks it; nothing on these pages shows that it was \
         checked.",
        SMALL,
        0.0,
    );
    let mut number = 0;
    for (item, figures) in extract.items.iter().zip(figures) {
        let numbered: Vec<(usize, &Figure)> =
            figures.iter().map(|f| (next(&mut number), f)).collect();
        flow.rule();
        one(&mut flow, item, &numbered);
    }
    flow.rule();
    flow.heading("Custody", Style::new(13.0, true, TEXT));
    for (name, value) in rows(extract) {
        flow.row(name, &value);
    }
    flow.gap(6.0);
    flow.text(
        "The extract of all facts and its signature are attached to this document (extract.json, signature.txt).",
        SMALL,
        0.0,
    );
    if flow.font.lacking() {
        flow.text(
            "Characters that the font of this document lacks are written as their numbers, \\u{...}; the extract has them \
             as they are.",
            SMALL,
            0.0,
        );
    }
    flow.feet(&format!(
        "{TITLE}, {}, signed by key {}",
        extract.made,
        extract.key.fingerprint.get(..16).unwrap_or_default()
    ));
    written(flow, figures, &extract.program.version).map_err(fault)
}

fn next(number: &mut usize) -> usize {
    *number += 1;
    *number - 1
}

/// One picture or video.
fn one(flow: &mut Flow, item: &Item, figures: &[(usize, &Figure)]) {
    let r = &item.record;
    let verdict = colour(r.verdict);
    flow.verdict(words::verdict(r), Style::new(15.0, true, verdict));
    flow.text(&r.path, Style::new(10.0, true, TEXT), 0.0);
    flow.text(words::lead(r), PLAIN, 0.0);
    if let Some(sentence) = words::error(r) {
        flow.text(&sentence, PLAIN, 0.0);
    }
    if let Some(p) = r.probability {
        let range = r.interval.as_ref().and_then(|i| i.range());
        flow.scale(p, range, verdict);
    }
    for sentence in words::probability(r) {
        flow.text(&sentence, PLAIN, 0.0);
    }
    flow.curve(r, verdict);
    let (frames, shown): (Vec<_>, Vec<_>) = figures.iter().copied().partition(|(_, f)| f.frame);
    flow.pictures(&frames, 4, 80.0);
    flow.pictures(&shown, 3, 190.0);
    let heading = Style::new(11.0, true, TEXT);
    for group in words::groups(r) {
        flow.heading(group.title, heading);
        for point in group.points {
            flow.point(&point.measured, 0.0);
            for (name, sentence) in [("Usual", point.usual), ("Meaning", point.meaning)] {
                if let Some(sentence) = sentence {
                    flow.text(&format!("{name}: {sentence}"), SMALL, 12.0);
                }
            }
        }
    }
    let history = words::history(r);
    if !history.is_empty() {
        flow.heading(words::HISTORY, heading);
        for (depth, line) in history {
            flow.point(&line, 10.0 * depth.min(16) as f32);
        }
    }
    flow.heading("What this does not mean", heading);
    for limit in words::limits(r) {
        flow.point(limit, 0.0);
    }
    flow.heading("Technical details", heading);
    for (name, value) in report::facts(r) {
        flow.row(name, &value);
    }
}

/// The pages as a document.
fn written(flow: Flow, figures: &[Vec<Figure>], version: &str) -> Result<Vec<u8>, String> {
    let object = |number: i32| Ref::new(number);
    let figures: Vec<&Figure> = figures.iter().flatten().collect();
    let count = |n: usize| i32::try_from(n).map_err(|_| "it is too long".to_owned());
    let pages = count(flow.pages.len())?;
    let first_page = PICTURES + count(figures.len())?;
    let mut pdf = Pdf::new();
    pdf.set_version(1, 7);
    let mut catalog = pdf.catalog(object(CATALOG));
    catalog.pages(object(PAGES)).lang(TextStr("en"));
    catalog.viewer_preferences().display_doc_title(true);
    catalog.finish();
    pdf.document_info(object(INFO))
        .title(TextStr(TITLE))
        .producer(TextStr(&format!("realscope {version}")));
    let refs = FontRefs {
        font: object(FONT),
        cid: object(FONT + 1),
        descriptor: object(FONT + 2),
        file: object(FONT + 3),
        unicode: object(FONT + 4),
    };
    flow.font.write(&mut pdf, &refs)?;
    for (number, figure) in figures.iter().enumerate() {
        let mut picture = pdf.image_xobject(object(PICTURES + count(number)?), &figure.jpeg);
        picture.filter(Filter::DctDecode);
        picture
            .width(i32::try_from(figure.width).unwrap_or(1))
            .height(i32::try_from(figure.height).unwrap_or(1))
            .bits_per_component(8)
            .color_space()
            .device_rgb();
        picture.finish();
    }
    let page = |i: i32| object(first_page + 2 * i);
    pdf.pages(object(PAGES))
        .kids((0..pages).map(page))
        .count(pages);
    for (i, set) in flow.pages.into_iter().enumerate() {
        let i = count(i)?;
        let content = object(first_page + 2 * i + 1);
        let mut written = pdf.page(page(i));
        written
            .parent(object(PAGES))
            .media_box(Rect::new(0.0, 0.0, PAPER[0], PAPER[1]))
            .contents(content);
        let mut resources = written.resources();
        resources.fonts().pair(Name(b"F"), refs.font);
        let mut pictures = resources.x_objects();
        for number in &set.pictures {
            let name = flow::picture_name(*number);
            pictures.pair(Name(name.as_bytes()), object(PICTURES + count(*number)?));
        }
        pictures.finish();
        resources.finish();
        written.finish();
        let bytes = set.content.finish();
        pdf.stream(content, bytes.as_slice());
    }
    Ok(pdf.finish())
}

/// The number behind the last occurrence of a word.
fn number_behind(bytes: &[u8], word: &[u8]) -> usize {
    let at = bytes.windows(word.len()).rposition(|w| w == word);
    let rest = at.and_then(|at| bytes.get(at + word.len()..));
    let digits: String = rest
        .into_iter()
        .flatten()
        .map(|b| char::from(*b))
        .skip_while(|c| c.is_ascii_whitespace())
        .take_while(char::is_ascii_digit)
        .take(12)
        .collect();
    digits.parse().unwrap_or(0)
}

/// A document with its extract and the signature of it.
pub(super) fn sealed(document: &[u8], extract: &str, signature: &[u8]) -> Vec<u8> {
    let first = number_behind(document, b"/Size ");
    let before = number_behind(document, b"startxref");
    let mut out = [document, MARK].concat();
    let mut offsets = Vec::new();
    let mut object = |out: &mut Vec<u8>, number: usize, body: &str| {
        offsets.push((number, out.len()));
        out.extend(format!("{number} 0 obj\n{body}\nendobj\n").into_bytes());
    };
    let attached = |kind: &str, bytes: &str| {
        format!(
            "<</Type/EmbeddedFile/Subtype/{kind}/Length {}>>\nstream\n{bytes}\nendstream",
            bytes.len()
        )
    };
    let named = |name: &str, about: &str, number: usize| {
        format!(
            "<</Type/Filespec/F({name})/UF({name})/Desc({about})/AFRelationship/Data/EF<</F {number} 0 R>>>>"
        )
    };
    // The extract comes first, right behind the mark.
    let signature = STANDARD.encode(signature);
    object(&mut out, first, &attached("application#2Fjson", extract));
    object(&mut out, first + 1, &attached("text#2Fplain", &signature));
    let about = "All facts of the report, canonical JSON";
    object(&mut out, first + 2, &named("extract.json", about, first));
    let about = "Ed25519 signature of extract.json in Base64";
    object(
        &mut out,
        first + 3,
        &named("signature.txt", about, first + 1),
    );
    let (json, text) = (first + 2, first + 3);
    object(
        &mut out,
        CATALOG.unsigned_abs() as usize,
        &format!(
            "<</Type/Catalog/Pages {PAGES} 0 R/Lang(en)/ViewerPreferences<</DisplayDocTitle true>>\
             /AF[{json} 0 R {text} 0 R]\
             /Names<</EmbeddedFiles<</Names[(extract.json){json} 0 R(signature.txt){text} 0 R]>>>>>>"
        ),
    );
    let at = out.len();
    let mut table = String::from("xref\n");
    offsets.sort_unstable();
    let (one, rest) = offsets.split_at(1);
    for part in [one, rest] {
        let from = part.first().map_or(0, |(number, _)| *number);
        let _ = writeln!(table, "{from} {}", part.len());
        for (_, offset) in part {
            let _ = write!(table, "{offset:010} 00000 n\r\n");
        }
    }
    let _ = write!(
        table,
        "trailer\n<</Size {}/Root {CATALOG} 0 R/Info {INFO} 0 R/Prev {before}>>\nstartxref\n{at}\n%%EOF\n",
        first + 4
    );
    out.extend(table.into_bytes());
    out
}

/// Takes a document apart.
pub(super) fn parts(bytes: &[u8]) -> Result<Parts<'_>, CustodyError> {
    let none = |what: &str| CustodyError::NotAReport(format!("it has no {what}"));
    let at = bytes.windows(MARK.len()).position(|w| w == MARK);
    let at = at.ok_or_else(|| none("extract"))?;
    let (page, rest) = bytes.split_at(at);
    let rest = rest.get(MARK.len()..).unwrap_or_default();
    let rest = std::str::from_utf8(rest).map_err(|_| none("extract in UTF-8"))?;
    let mut streams = rest.split("\nstream\n").skip(1);
    let mut stream = |what: &str| {
        let stream = streams.next().and_then(|s| s.split_once("\nendstream"));
        stream.map(|(s, _)| s).ok_or_else(|| none(what))
    };
    Ok(Parts {
        page,
        extract: stream("extract")?.to_owned(),
        signature: stream("signature")?,
    })
}

/// The JPEGs of a document, in order.
pub(super) fn jpegs(document: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    const PICTURE: &[u8] = b"/Subtype /Image\n";
    let mut rest = document;
    std::iter::from_fn(move || {
        let at = rest.windows(PICTURE.len()).position(|w| w == PICTURE)?;
        // The length stands a few lines ahead of the kind.
        let head = rest.get(at.saturating_sub(120)..at).unwrap_or_default();
        let length = number_behind(head, b"/Length ");
        let behind = rest.get(at..).unwrap_or_default();
        const START: &[u8] = b"\nstream\n";
        let start = behind.windows(START.len()).position(|w| w == START)? + START.len();
        let jpeg = behind.get(start..start + length).unwrap_or_default();
        rest = behind.get(start + jpeg.len()..).unwrap_or_default();
        Some(jpeg.to_vec())
    })
}
