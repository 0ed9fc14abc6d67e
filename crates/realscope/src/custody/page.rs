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
    let mut row = |name: &str, value: &str| {
        let _ = writeln!(out, "<dt>{name}</dt><dd>{}</dd>", escape(value));
    };
    row("Made", &format!("{} by the machine's clock", extract.made));
    let program = &extract.program;
    row("Program", &format!("{} {}", program.name, program.version));
    row("Program, SHA-256", &program.sha256);
    let configuration = extract.items.first();
    let configuration = configuration.map_or("", |i| &i.record.tool.config_sha256);
    row("Configuration, SHA-256", configuration);
    for item in &extract.items {
        row("Item", &item.record.path);
        row(
            "File, SHA-256",
            item.record.sha256.as_deref().unwrap_or("not read"),
        );
        row(
            "Decoded pixels, SHA-256",
            item.pixels_sha256.as_deref().unwrap_or("not decoded"),
        );
        for detector in &item.record.detectors {
            row("Weights, SHA-256", &detector.weights_sha256);
        }
    }
    row("Signed with", &extract.key.algorithm);
    row("Key, SHA-256", &extract.key.fingerprint);
    out.push_str("</dl>\n</section>\n");
    out
}

/// A page with its extract and the signature of it.
pub(super) fn sealed(page: &str, extract: &str, signature: &[u8]) -> String {
    let extract = extract
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    format!(
        "{page}{EXTRACT}{extract}{SIGNATURE}{}{END}{}",
        STANDARD.encode(signature),
        report::html_tail()
    )
}

/// The parts of a report.
pub(super) struct Parts<'a> {
    pub(super) page: &'a str,
    pub(super) extract: String,
    pub(super) signature: &'a str,
}

impl<'a> Parts<'a> {
    /// Takes a report apart. All that a record says is escaped on the page, so that the first mark is the one.
    pub(super) fn of(html: &'a str) -> Result<Self, CustodyError> {
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
        Ok(Self {
            page,
            extract,
            signature,
        })
    }
}

/// The JPEGs on a page, in order; of a figure that is no Base64 the empty ones.
pub(super) fn jpegs(page: &str) -> impl Iterator<Item = Vec<u8>> + '_ {
    page.split(FIGURE).skip(1).map(|rest| {
        let text = rest.split('"').next().unwrap_or_default();
        STANDARD.decode(text).unwrap_or_default()
    })
}
