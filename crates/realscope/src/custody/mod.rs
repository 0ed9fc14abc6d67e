//! Reports that can be checked later: a signed page with the facts from which it was made, and a check that repeats
//! them.
//!
//! A report is one file, HTML or PDF. It holds the [`Extract`] in canonical JSON (RFC 8785), a signature of just those
//! bytes (Ed25519), and the page that the extract gives. The extract has the hashes of files, decoded pixels, weights,
//! configuration, program, figures and page.
//!
//! Owns: the extract, keys, the page's form, the order of the checks.
//! Refuses: the word "verified" without a key that the reader named.
//!
//! Open first: [`Report`], which is made, then [`Opened`], which reads one.

mod check;
mod clock;
mod form;
mod jcs;
mod key;
mod page;
#[cfg(feature = "pdf")]
mod pdf;

use std::path::Path;

use realscope_detectors::network::sha256;
use realscope_media::metadata::Anchors;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::record::Record;
use crate::report::{self, Figure};
use crate::scanner::{Deliveries, Options, Scanned, Scanner};

pub use check::{Checked, Difference, Opened, first_difference};
pub use form::Form;
pub use jcs::{NotCanonical, canonical};
pub use key::{KeyError, PrivateKey, PublicKey};

/// Name of the layout.
const FORMAT: &str = "realscope-case/1";

/// Why there is no report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CustodyError {
    /// The file is none.
    #[error("this is no report of `realscope report`: {0}")]
    NotAReport(String),
    /// It is a PDF, which this program does not make nor read.
    #[error("this program was built without the feature `pdf`")]
    NoPdf,
    /// The PDF cannot be made.
    #[error("the PDF cannot be made: {0}")]
    Pdf(String),
    /// It cannot be written down.
    #[error("the record cannot be written as canonical JSON: {0}")]
    NotCanonical(String),
}

impl From<NotCanonical> for CustodyError {
    fn from(e: NotCanonical) -> Self {
        Self::NotCanonical(e.to_string())
    }
}

impl From<serde_json::Error> for CustodyError {
    fn from(e: serde_json::Error) -> Self {
        Self::NotCanonical(e.to_string())
    }
}

/// The program that made a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// Always `realscope`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Hash of its file.
    pub sha256: String,
}

impl Program {
    /// The program whose file is `path`.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn at(path: &Path) -> std::io::Result<Self> {
        Ok(Self {
            name: "realscope".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            sha256: crate::scanner::file_sha256(path)?,
        })
    }
}

/// How the files were scanned: enough to scan them again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    /// Detector that was asked for; null for that of the profile.
    pub detector: Option<String>,
    /// Detector of the settings, from which the profile follows.
    pub settings_detector: String,
    /// Profile.
    pub profile: String,
    /// Engine.
    pub engine: String,
    /// Largest picture in pixels.
    pub max_pixels: u64,
    /// Largest file in bytes.
    pub max_bytes: u64,
    /// Whether truncated pictures were read.
    pub allow_truncated: bool,
    /// False-positive rate that was asked for.
    pub max_fpr: Option<f64>,
    /// Whether all re-deliveries were made.
    pub all_deliveries: bool,
    /// Whether content credentials that files keep at an address were fetched.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fetch_manifests: bool,
    /// Which picture of a file was asked for; left out, all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// Hash of the trust list; null without one.
    pub trust_sha256: Option<String>,
}

impl Configuration {
    /// That of a scanner and a request. `detector` is the one that was asked for, `settings_detector` that of the settings.
    #[must_use]
    pub fn of(
        scanner: &Scanner,
        options: &Options,
        detector: Option<&str>,
        settings_detector: &str,
    ) -> Self {
        let (limits, tool) = (scanner.limits(), scanner.tool());
        Self {
            detector: detector.map(str::to_owned),
            settings_detector: settings_detector.into(),
            profile: tool.profile.clone(),
            engine: tool.engine.clone(),
            max_pixels: limits.max_pixels,
            max_bytes: limits.max_bytes,
            allow_truncated: options.allow_truncated,
            max_fpr: options.max_fpr,
            all_deliveries: options.deliveries == Deliveries::All,
            fetch_manifests: options.fetch.is_some(),
            part: options.part.clone(),
            trust_sha256: options.trust.as_deref().map(trust_sha256),
        }
    }
}

/// Hash of a trust list.
#[must_use]
pub fn trust_sha256(anchors: &Anchors) -> String {
    sha256(format!("{}{}", anchors.certificates, anchors.allowed).as_bytes())
}

/// The key that signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyFacts {
    /// Always `Ed25519`.
    pub algorithm: String,
    /// The public key, 32 bytes in Base64.
    pub public_key: String,
    /// Hash of these bytes.
    pub fingerprint: String,
}

/// A figure of the page with its hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HashedFigure {
    /// The figure; its bytes stand on the page.
    pub figure: Figure,
    /// Hash of the JPEG.
    pub sha256: String,
}

/// One picture or video.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Item {
    /// Its record, without times of computing. Hashes of file, weights and configuration stand there.
    pub record: Record,
    /// Hash of the decoded pixels: width and height as 32-bit big-endian numbers, then upright sRGB samples row by row.
    /// Of a video these are the pixels of the frame with the highest score. Null where nothing was decoded.
    pub pixels_sha256: Option<String>,
    /// Figures in the order of the page.
    pub figures: Vec<HashedFigure>,
}

impl Item {
    /// What the report keeps of a scan.
    #[must_use]
    pub fn of(scanned: &Scanned) -> (Self, Vec<Figure>) {
        let mut record = scanned.record.clone();
        record.timing_ms.clear();
        let drawn = report::figures(
            &record,
            scanned.pixels.as_ref(),
            scanned.heatmap.as_ref(),
            &scanned.key_frames,
        );
        let figures = drawn.iter().map(|figure| HashedFigure {
            figure: Figure {
                jpeg: Vec::new(),
                ..figure.clone()
            },
            sha256: sha256(&figure.jpeg),
        });
        let item = Self {
            pixels_sha256: scanned.pixels.as_ref().map(pixels_sha256),
            figures: figures.collect(),
            record,
        };
        (item, drawn)
    }
}

fn pixels_sha256(pixels: &image::RgbImage) -> String {
    use sha2::{Digest as _, Sha256};
    let mut hash = Sha256::new();
    hash.update(pixels.width().to_be_bytes());
    hash.update(pixels.height().to_be_bytes());
    hash.update(pixels.as_raw());
    let digest = hash.finalize();
    digest.iter().map(|b| format!("{b:02x}")).collect()
}

/// All facts of a report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Extract {
    /// Name and version of this layout.
    pub format: String,
    /// When the report was made, by the clock of the machine that made it.
    pub made: String,
    /// The program.
    pub program: Program,
    /// How it was asked to scan.
    pub configuration: Configuration,
    /// The key that signs.
    pub key: KeyFacts,
    /// Pictures and videos in the order of the page.
    pub items: Vec<Item>,
    /// Hash of the page: all of the report ahead of the extract.
    pub page_sha256: String,
}

impl Extract {
    /// Its canonical spelling.
    fn canonical(&self) -> Result<String, CustodyError> {
        Ok(canonical(&jcs::exact(serde_json::to_value(self)?))?)
    }

    /// From its canonical spelling.
    fn parse(text: &str) -> Result<Self, serde_json::Error> {
        let mut value: Value = serde_json::from_str(text)?;
        // Seeds of 64 bits are texts there; a record has them as numbers.
        let items = value.get_mut("items").and_then(Value::as_array_mut);
        for item in items.into_iter().flatten() {
            let marks = item.pointer_mut("/record/metadata/generators");
            let marks = marks.and_then(Value::as_array_mut);
            let seeds = marks
                .into_iter()
                .flatten()
                .filter_map(|m| m.get_mut("seed"));
            for seed in seeds {
                if let Some(exact) = seed.as_str().and_then(|s| s.parse::<u64>().ok()) {
                    *seed = exact.into();
                }
            }
        }
        serde_json::from_value(value)
    }
}

/// A report in the making. Figures are kept until it is signed, pixels are not.
pub struct Report {
    program: Program,
    configuration: Configuration,
    items: Vec<(Item, Vec<Figure>)>,
}

impl Report {
    /// Without an item yet.
    #[must_use]
    pub fn new(program: Program, configuration: Configuration) -> Self {
        Self {
            program,
            configuration,
            items: Vec::new(),
        }
    }

    /// Adds what a scan found; its options have to draw ([`Options::draw`]).
    pub fn add(&mut self, scanned: &Scanned) {
        self.items.push(Item::of(scanned));
    }

    /// The report in a form, signed.
    ///
    /// # Errors
    /// [`CustodyError`].
    pub fn sign(&self, form: Form, key: &PrivateKey) -> Result<Vec<u8>, CustodyError> {
        let public = key.public();
        let (items, drawn): (Vec<Item>, Vec<Vec<Figure>>) = self.items.iter().cloned().unzip();
        let mut extract = Extract {
            format: FORMAT.into(),
            made: clock::now(),
            program: self.program.clone(),
            configuration: self.configuration.clone(),
            key: KeyFacts {
                algorithm: "Ed25519".into(),
                public_key: public.to_base64(),
                fingerprint: public.fingerprint(),
            },
            items,
            page_sha256: String::new(),
        };
        // The page is made of what the extract says once it is read again, so that a reader makes the same.
        extract = Extract::parse(&extract.canonical()?)?;
        let page = form.page(&extract, &drawn)?;
        extract.page_sha256 = sha256(&page);
        let text = extract.canonical()?;
        let signature = key.sign(text.as_bytes());
        form.sealed(&page, &text, &signature)
    }
}
