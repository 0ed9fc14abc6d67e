//! Checking a report: the first difference from what it should be, by name.

use serde_json::Value;

use super::form::Form;
use super::page::Parts;
use super::{Configuration, CustodyError, Extract, Item, Program, PublicKey};
use crate::report::{self, Figure};
use crate::scanner::Scanned;

/// How far numbers may lie apart that networks computed: processors round differently.
const ROUNDING: f64 = 1e-3;

/// The first thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Its name.
    pub what: String,
    /// What the report has.
    pub reported: String,
    /// What was found.
    pub found: String,
}

impl Difference {
    fn new(what: impl Into<String>, reported: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            reported: reported.into(),
            found: found.into(),
        }
    }
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}: the report has {}, found {}",
            self.what,
            report::visible(&self.reported),
            report::visible(&self.found)
        )
    }
}

/// A report that was read. Nothing of it is known to be true yet.
pub struct Opened<'a> {
    bytes: &'a [u8],
    form: Form,
    parts: Parts<'a>,
    extract: Extract,
}

/// What cannot be made again cannot be compared.
fn unmade(e: &CustodyError) -> Difference {
    Difference::new("page", "a page", format!("none: {e}"))
}

/// A report without a difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// Whether the key that signed is the one that the reader named.
    pub signer_named: bool,
    /// Whether the page was made again; a report of another version is compared by its hash alone.
    pub page_made_again: bool,
}

impl<'a> Opened<'a> {
    /// Reads a report.
    ///
    /// # Errors
    /// [`CustodyError::NotAReport`]; of a PDF without the feature `pdf` [`CustodyError::NoPdf`].
    pub fn read(bytes: &'a [u8]) -> Result<Self, CustodyError> {
        let form = Form::of(bytes);
        let parts = form.parts(bytes)?;
        let extract = Extract::parse(&parts.extract)
            .map_err(|e| CustodyError::NotAReport(format!("its extract: {e}")))?;
        if extract.format != super::FORMAT {
            let format = report::visible(&extract.format);
            return Err(CustodyError::NotAReport(format!("its layout is {format}")));
        }
        Ok(Self {
            bytes,
            form,
            parts,
            extract,
        })
    }

    /// What the report says.
    #[must_use]
    pub fn extract(&self) -> &Extract {
        &self.extract
    }

    /// Checks the report itself: form, signature, signer, figures, page.
    ///
    /// # Errors
    /// The first [`Difference`].
    pub fn check(&self, key: Option<&PublicKey>) -> Result<Checked, Difference> {
        let (parts, extract) = (&self.parts, &self.extract);
        let spelled = extract.canonical().unwrap_or_default();
        if spelled != parts.extract {
            return Err(Difference::new(
                "canonical form of the extract",
                format!("{} bytes", parts.extract.len()),
                format!("{} bytes (RFC 8785)", spelled.len()),
            ));
        }
        let own = PublicKey::from_base64(&extract.key.public_key).ok_or_else(|| {
            Difference::new("key", "a key that is none", "no Ed25519 key in Base64")
        })?;
        let signature =
            base64::Engine::decode(&base64::engine::general_purpose::STANDARD, parts.signature);
        let signature = signature.unwrap_or_default();
        if !own.signed(parts.extract.as_bytes(), &signature) {
            return Err(Difference::new(
                "signature",
                format!("a signature by key {}", own.fingerprint()),
                "one that does not fit the extract",
            ));
        }
        if own.fingerprint() != extract.key.fingerprint {
            return Err(Difference::new(
                "fingerprint of the key",
                extract.key.fingerprint.clone(),
                own.fingerprint(),
            ));
        }
        if let Some(key) = key.filter(|key| **key != own) {
            return Err(Difference::new(
                "signer",
                format!("key {}", own.fingerprint()),
                format!("another one named: key {}", key.fingerprint()),
            ));
        }
        let figures = self.figures()?;
        let page_made_again = self.page(&figures)?;
        let sealed = self.form.sealed(parts.page, &parts.extract, &signature);
        let sealed = sealed.map_err(|e| unmade(&e))?;
        if sealed != self.bytes {
            return Err(self.first("form of the report", "", self.bytes, &sealed));
        }
        Ok(Checked {
            signer_named: key.is_some(),
            page_made_again,
        })
    }

    /// The figures of each item, each with its hash as the extract has it.
    fn figures(&self) -> Result<Vec<Vec<Figure>>, Difference> {
        let mut jpegs = self.form.jpegs(self.parts.page).into_iter();
        let mut out = Vec::new();
        for item in &self.extract.items {
            let mut own = Vec::new();
            for (i, hashed) in item.figures.iter().enumerate() {
                let jpeg = jpegs.next().unwrap_or_default();
                let found = realscope_detectors::network::sha256(&jpeg);
                if found != hashed.sha256 {
                    let what =
                        format!("figure {} of {}", i + 1, report::visible(&item.record.path));
                    return Err(Difference::new(what, hashed.sha256.clone(), found));
                }
                own.push(Figure {
                    jpeg,
                    ..hashed.figure.clone()
                });
            }
            out.push(own);
        }
        match jpegs.count() {
            0 => Ok(out),
            more => Err(Difference::new(
                "figures",
                "no more in its extract",
                format!("{more} more on the page"),
            )),
        }
    }

    /// Compares the page with the one that the extract gives; `false` where only its hash could be compared.
    fn page(&self, figures: &[Vec<Figure>]) -> Result<bool, Difference> {
        let shown = self.parts.page;
        let hash = realscope_detectors::network::sha256(shown);
        let other = hash == self.extract.page_sha256
            && self.extract.program.version != env!("CARGO_PKG_VERSION");
        let made = match self.form.page(&self.extract, figures) {
            Ok(made) if made == shown => return Ok(true),
            _ if other => return Ok(false),
            made => made.map_err(|e| unmade(&e))?,
        };
        Err(self.first("page", " from the extract", shown, &made))
    }

    /// The first place at which a report is not what it should be: a line of a page, a byte of a PDF.
    fn first(&self, what: &str, origin: &str, shown: &[u8], made: &[u8]) -> Difference {
        if self.form == Form::Pdf {
            let same = shown.iter().zip(made).take_while(|(a, b)| a == b).count();
            let rest = |bytes: &[u8]| {
                let rest = bytes.get(same..).unwrap_or_default();
                let piece = rest.get(..rest.len().min(40)).unwrap_or_default();
                format!("\"{}\"", piece.escape_ascii())
            };
            let found = format!("{}{origin}", rest(made));
            return Difference::new(format!("{what}, byte {}", same + 1), rest(shown), found);
        }
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        let (line, reported, found) = first_line(&text(shown), &text(made));
        Difference::new(
            format!("{what}, line {line}"),
            reported,
            format!("{found}{origin}"),
        )
    }

    /// The program that made the report, where it is another one than `own`; results may differ for that reason.
    #[must_use]
    pub fn other_program(&self, own: &Program) -> Option<&Program> {
        Some(&self.extract.program).filter(|p| *p != own)
    }

    /// How to scan its files again.
    #[must_use]
    pub fn configuration(&self) -> &Configuration {
        &self.extract.configuration
    }

    /// The items of the file with this hash.
    ///
    /// # Errors
    /// A [`Difference`] when there is none.
    pub fn items_of(&self, name: &str, sha256: &str) -> Result<Vec<&Item>, Difference> {
        let has = |i: &&Item| i.record.sha256.as_deref() == Some(sha256);
        let found: Vec<&Item> = self.extract.items.iter().filter(has).collect();
        if !found.is_empty() {
            return Ok(found);
        }
        let what = format!("SHA-256 of the file {}", report::visible(name));
        let reported = match self.extract.items.as_slice() {
            [one] => one.record.sha256.clone().unwrap_or("none".into()),
            many => format!("{} others", many.len()),
        };
        Err(Difference::new(what, reported, sha256))
    }
}

impl Item {
    /// Compares an item with what a new scan of its file found. Numbers that networks compute may differ by rounding.
    ///
    /// # Errors
    /// The first [`Difference`].
    pub fn compare(&self, scanned: &Scanned) -> Result<(), Difference> {
        let (new, _) = Self::of(scanned);
        let named = |what: &str, a: Option<String>, b: Option<String>| {
            let word = |v: Option<String>| v.unwrap_or_else(|| "none".into());
            if a == b {
                Ok(())
            } else {
                Err(Difference::new(what, word(a), word(b)))
            }
        };
        let (old, now) = (&self.record, &new.record);
        named(
            "SHA-256 of the file",
            old.sha256.clone(),
            now.sha256.clone(),
        )?;
        named(
            "SHA-256 of the decoded pixels",
            self.pixels_sha256.clone(),
            new.pixels_sha256.clone(),
        )?;
        let weights = |r: &crate::Record| {
            let each = r.detectors.iter();
            let each: Vec<String> = each
                .map(|d| format!("{} {}", d.id, d.weights_sha256))
                .collect();
            (!each.is_empty()).then(|| each.join(", "))
        };
        named("weights", weights(old), weights(now))?;
        named(
            "SHA-256 of the configuration",
            Some(old.tool.config_sha256.clone()),
            Some(now.tool.config_sha256.clone()),
        )?;
        named(
            "calibration",
            old.tool.calibration_id.clone(),
            now.tool.calibration_id.clone(),
        )?;
        let error = |r: &crate::Record| r.error.as_ref().map(|e| e.code.word().to_owned());
        named("error", error(old), error(now))?;
        let verdict = |r: &crate::Record| r.verdict.map(|v| v.word().to_owned());
        named("verdict", verdict(old), verdict(now))?;
        let values = [old, now].map(|r| serde_json::to_value(r).unwrap_or_default());
        // The name of the file and the version of the program are the reader's.
        let [old, now] = values.map(|mut v| {
            v["path"] = Value::Null;
            v["tool"]["version"] = Value::Null;
            v
        });
        first_difference("record", &old, &now).map_or(Ok(()), Err)
    }
}

/// The first place at which two values differ by more than rounding.
#[must_use]
pub fn first_difference(path: &str, reported: &Value, found: &Value) -> Option<Difference> {
    let differ = || {
        Some(Difference::new(
            path,
            reported.to_string(),
            found.to_string(),
        ))
    };
    match (reported, found) {
        (Value::Object(a), Value::Object(b)) => {
            let none = Value::Null;
            let keys = a.keys().chain(b.keys().filter(|k| !a.contains_key(*k)));
            keys.into_iter().find_map(|key| {
                let (a, b) = (a.get(key), b.get(key));
                first_difference(
                    &format!("{path}.{key}"),
                    a.unwrap_or(&none),
                    b.unwrap_or(&none),
                )
            })
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let pairs = a.iter().zip(b).enumerate();
            pairs
                .into_iter()
                .find_map(|(i, (a, b))| first_difference(&format!("{path}[{i}]"), a, b))
        }
        (Value::Number(a), Value::Number(b)) if a.is_f64() || b.is_f64() => {
            let apart = a
                .as_f64()
                .zip(b.as_f64())
                .map(|(a, b)| (a - b).abs() / a.abs().max(1.0));
            if apart.is_some_and(|d| d <= ROUNDING) {
                None
            } else {
                differ()
            }
        }
        (a, b) if a == b => None,
        _ => differ(),
    }
}

/// The first line that differs: its number and a piece of both.
fn first_line(shown: &str, made: &str) -> (usize, String, String) {
    let mut lines = (shown.split('\n'), made.split('\n'));
    let mut number = 1;
    loop {
        match (lines.0.next(), lines.1.next()) {
            (Some(a), Some(b)) if a == b => number += 1,
            (None, None) => return (number, "its end".into(), "the same".into()),
            (a, b) => return (number, piece(a, b), piece(b, a)),
        }
    }
}

/// Of a line what stands about its first difference from another.
fn piece(line: Option<&str>, other: Option<&str>) -> String {
    let Some(line) = line else {
        return "nothing".into();
    };
    let other = other.unwrap_or_default();
    let same = line.chars().zip(other.chars()).take_while(|(a, b)| a == b);
    let from = same.count().saturating_sub(12);
    let text: String = line.chars().skip(from).take(60).collect();
    format!("\"{text}\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_may_be_rounded_otherwise() {
        let old = json!({"a": [0.5, 7], "b": "x"});
        assert_eq!(
            first_difference("r", &old, &json!({"a": [0.500_04, 7], "b": "x"})),
            None
        );
        let found = first_difference("r", &old, &json!({"a": [0.6, 7], "b": "y"})).unwrap();
        assert_eq!(found.to_string(), "r.a[0]: the report has 0.5, found 0.6");
        let found = first_difference("r", &old, &json!({"a": [0.5, 8], "b": "x"})).unwrap();
        assert_eq!(found.what, "r.a[1]");
        let found = first_difference("r", &old, &json!({"a": [0.5, 7], "b": "x", "c": 1})).unwrap();
        assert_eq!(
            (found.what.as_str(), found.reported.as_str()),
            ("r.c", "null")
        );
    }

    #[test]
    fn a_line_that_differs_is_found() {
        let (line, a, b) = first_line("one\ntwo\nthree", "one\ntwo\nfour");
        assert_eq!((line, a.as_str(), b.as_str()), (3, "\"three\"", "\"four\""));
        assert_eq!(first_line("one", "one\ntwo").1, "nothing");
    }
}
