//! The form of a report: a page, behind it the extract and its signature, both invisible to a reader of the page.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{CustodyError, Extract};
use crate::report::{self, FIGURE, Figure, escape};

const EXTRACT: &str = "<template id=\"realscope-extract\">";
const SIGNATURE: &str = "</template>\n<template id=\"realscope-signature\">";
const END: &str = "</template>\n";

/// The page that an extract gives, with the figures of each item.
pub(super) fn page(extract: &Extract, figures: &[Vec<Figure>]) -> String {
    let mut out = report::html_head("Realscope case report");
    let _ = writeln!(
        out,
        "<p>This report is signed. <code>realscope verify-report</code> checks it; nothing on this page shows that it \
         was checked.</p>"
    );
    for (item, figures) in extract.items.iter().zip(figures) {
        out.push_str(&report::html_drawn(&item.record, figures));
    }
    out.push_str("<section>\n<h2>Custody</h2>\n<dl>\n");
    for (name, value) in rows(extract) {
        let _ = writeln!(out, "<dt>{name}</dt><dd>{}</dd>", escape(&value));
    }
    out.push_str("</dl>\n</section>\n");
    out
}

/// Where a report comes from, by name.
pub(super) fn rows(extract: &Extract) -> Vec<(&'static str, String)> {
    let (program, asked) = (&extract.program, &extract.configuration);
    let mut rows = vec![
        ("Made", format!("{} by the machine's clock", extract.made)),
        ("Program", format!("{} {}", program.name, program.version)),
        ("Program, SHA-256", program.sha256.clone()),
    ];
    let configuration = extract.items.first();
    let configuration = configuration.map_or("", |i| &i.record.tool.config_sha256);
    rows.push(("Configuration, SHA-256", configuration.to_owned()));
    rows.push((
        "Profile and engine",
        format!("{}, {}", asked.profile, asked.engine),
    ));
    rows.extend(
        asked
            .trust_sha256
            .clone()
            .map(|hash| ("Trust list, SHA-256", hash)),
    );
    for item in &extract.items {
        rows.push(("Item", item.record.path.clone()));
        let word = |hash: &Option<String>, none: &str| hash.clone().unwrap_or_else(|| none.into());
        rows.push(("File, SHA-256", word(&item.record.sha256, "not read")));
        rows.push((
            "Decoded pixels, SHA-256",
            word(&item.pixels_sha256, "not decoded"),
        ));
        for detector in &item.record.detectors {
            rows.push(("Weights, SHA-256", detector.weights_sha256.clone()));
        }
    }
    rows.push(("Signed with", extract.key.algorithm.clone()));
    rows.push(("Public key, Base64", extract.key.public_key.clone()));
    rows.push(("Public key, SHA-256", extract.key.fingerprint.clone()));
    rows
}

/// A page with its extract and the signature of it.
pub(super) fn sealed(page: &[u8], extract: &str, signature: &[u8]) -> Vec<u8> {
    let extract = extract
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    let behind = format!(
        "{EXTRACT}{extract}{SIGNATURE}{}{END}{}",
        STANDARD.encode(signature),
        report::html_tail()
    );
    [page, behind.as_bytes()].concat()
}

/// The parts of a report.
pub(super) struct Parts<'a> {
    /// What people read: all that stands ahead of the extract.
    pub(super) page: &'a [u8],
    pub(super) extract: String,
    pub(super) signature: &'a str,
}

/// Takes a page apart. All that a record says is escaped on the page, so that the first mark is the one.
pub(super) fn parts(html: &str) -> Result<Parts<'_>, CustodyError> {
    let none = |what: &str| CustodyError::NotAReport(format!("it has no {what}"));
    let (page, rest) = html.split_once(EXTRACT).ok_or_else(|| none("extract"))?;
    let (extract, rest) = rest
        .split_once(SIGNATURE)
        .ok_or_else(|| none("signature"))?;
    let (signature, _) = rest.split_once(END).ok_or_else(|| none("end"))?;
    let extract = extract
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&");
    Ok(Parts {
        page: page.as_bytes(),
        extract,
        signature,
    })
}

/// The JPEGs on a page, in order; of a figure that is no Base64 the empty ones.
pub(super) fn jpegs(page: &str) -> impl Iterator<Item = Vec<u8>> + '_ {
    page.split(FIGURE).skip(1).map(|rest| {
        let text = rest.split('"').next().unwrap_or_default();
        STANDARD.decode(text).unwrap_or_default()
    })
}
