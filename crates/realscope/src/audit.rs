//! Which machine-readable marks of origin a file carries, and whether they agree.
//!
//! Laws ask for such marks: Article 50 of the EU's AI Act, GB 45438-2025 in China. An audit says what is there. It gives
//! no verdict, and it gives no legal advice.

use realscope_media::Facts;
use serde::{Deserialize, Serialize};

use crate::provenance;
use crate::record::{Claim, Declared, ErrorCode, Integrity, RecordError, Trust};

/// Version of the audit's layout.
pub const SCHEMA_VERSION: u32 = 1;

/// A kind of machine-readable mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// Content credentials (C2PA) in the file or at an address that it names.
    C2pa,
    /// IPTC `DigitalSourceType` in XMP.
    Iptc,
    /// IPTC's AI fields of 2025.1 in XMP: system, version, prompt.
    AiFields,
    /// China's label of generated content (GB 45438-2025).
    Aigc,
    /// A vendor's credit, such as "Made with Google AI".
    Credit,
    /// A generator's own parameters in EXIF, or its parameters or name in texts of the container, in XMP or in pixels.
    Generator,
    /// The name of a camera or of a generator in EXIF, or of a camera in a video's own fields.
    Exif,
}

/// All kinds in the order of an audit.
pub const MARKS: [Mark; 7] = [
    Mark::C2pa,
    Mark::Iptc,
    Mark::AiFields,
    Mark::Aigc,
    Mark::Credit,
    Mark::Generator,
    Mark::Exif,
];

/// Fields of EXIF that name a camera or a program; parameters in other fields are a generator's own mark.
const EXIF_NAMES: [&str; 5] = [
    "EXIF Make and Model",
    "EXIF Make",
    "EXIF Model",
    "EXIF Software",
    "EXIF signature",
];

impl Mark {
    /// Name for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::C2pa => "content credentials (C2PA)",
            Self::Iptc => "IPTC digital source type",
            Self::AiFields => "IPTC AI fields",
            Self::Aigc => "China's AIGC label",
            Self::Credit => "vendor's credit",
            Self::Generator => "generator's parameters or name",
            Self::Exif => "EXIF",
        }
    }

    /// Word in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::C2pa => "c2pa",
            Self::Iptc => "iptc",
            Self::AiFields => "ai_fields",
            Self::Aigc => "aigc",
            Self::Credit => "credit",
            Self::Generator => "generator",
            Self::Exif => "exif",
        }
    }

    /// The mark that a claim belongs to, by its place.
    fn of(place: &str) -> Self {
        if place.starts_with("C2PA") {
            Self::C2pa
        } else if place == "XMP DigitalSourceType" {
            Self::Iptc
        } else if place == "XMP AISystemUsed" {
            Self::AiFields
        } else if place.ends_with(" Credit") || place.ends_with(" Source") {
            Self::Credit
        } else if EXIF_NAMES.contains(&place) || place == provenance::VIDEO_CAMERA {
            Self::Exif
        } else {
            Self::Generator
        }
    }
}

/// One mark of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Found {
    /// Which.
    pub mark: Mark,
    /// The strongest claim that it makes; null where it is there and claims nothing.
    pub says: Option<Declared>,
    /// What it says, in words.
    pub details: Vec<String>,
}

/// The audit of one file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Audit {
    /// Version of this layout.
    pub schema_version: u32,
    /// Path as given.
    pub path: String,
    /// Hash of the file's bytes; null where it could not be read.
    pub sha256: Option<String>,
    /// Format by content; null on error.
    pub format: Option<String>,
    /// The strongest claim of all; null on error.
    pub declared: Option<Declared>,
    /// Marks that are there.
    pub marks: Vec<Found>,
    /// Marks that are not.
    pub missing: Vec<Mark>,
    /// Whether all marks say the same; null where fewer than two say anything.
    pub agree: Option<bool>,
    /// Where they do not.
    pub disagreements: Vec<String>,
    /// Integrity of content credentials; null without any.
    pub integrity: Option<Integrity>,
    /// Trust in their signer; null without any.
    pub trust: Option<Trust>,
    /// Marks that cannot be read here.
    pub not_checkable: Vec<String>,
    /// What of the metadata could not be read.
    pub notes: Vec<String>,
    /// Why the file could not be audited; null when it could.
    pub error: Option<RecordError>,
}

impl Audit {
    /// An audit that says only why there is none.
    #[must_use]
    pub fn failed(path: &str, sha256: Option<String>, code: ErrorCode, message: String) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            path: path.into(),
            sha256,
            format: None,
            declared: None,
            marks: Vec::new(),
            missing: Vec::new(),
            agree: None,
            disagreements: Vec::new(),
            integrity: None,
            trust: None,
            not_checkable: Vec::new(),
            notes: Vec::new(),
            error: Some(RecordError { code, message }),
        }
    }

    /// Audits what was read of a file.
    #[must_use]
    pub fn of(path: &str, sha256: String, facts: &Facts) -> Self {
        let provenance = provenance::of(facts);
        let m = &facts.metadata;
        let mut marks: Vec<Found> = Vec::new();
        let mut within = Vec::new();
        for mark in MARKS {
            // China's label may stand anywhere; its claims are known by their labels.
            let label = |c: &&Claim| m.aigc.iter().any(|l| l.place == c.place);
            let own: Vec<&Claim> = provenance
                .claims
                .iter()
                .filter(|c| {
                    if label(c) {
                        mark == Mark::Aigc
                    } else {
                        Mark::of(&c.place) == mark
                    }
                })
                .collect();
            let mut details: Vec<String> = own
                .iter()
                .map(|c| format!("{}: {} ({})", c.declared.word(), c.what, c.place))
                .collect();
            let there = match mark {
                Mark::C2pa => m.c2pa.is_some(),
                Mark::Iptc => m
                    .xmp
                    .as_ref()
                    .is_some_and(|x| x.digital_source_type.is_some()),
                Mark::AiFields => m.xmp.as_ref().is_some_and(|x| {
                    x.ai_system_used.is_some()
                        || x.ai_system_version_used.is_some()
                        || x.ai_prompt_information.is_some()
                }),
                _ => false,
            };
            if let (Mark::C2pa, Some(c2pa)) = (mark, &m.c2pa) {
                details.insert(0, credentials(c2pa));
            }
            let claims = |wanted: &dyn Fn(Declared) -> bool| own.iter().any(|c| wanted(c.declared));
            if mark == Mark::Exif
                && claims(&|d| d == Declared::Captured)
                && claims(&Declared::by_algorithm)
            {
                within.push("EXIF names a camera and a generator".to_owned());
            }
            if there || !own.is_empty() {
                marks.push(Found {
                    mark,
                    says: own.iter().map(|c| c.declared).max(),
                    details,
                });
            }
        }
        let missing = MARKS
            .into_iter()
            .filter(|k| marks.iter().all(|f| f.mark != *k));
        let missing = missing.collect();
        let (mut agree, mut disagreements) = agreement(&marks);
        if !within.is_empty() {
            agree = Some(false);
            disagreements.append(&mut within);
        }
        Self {
            schema_version: SCHEMA_VERSION,
            path: path.into(),
            sha256: Some(sha256),
            format: Some(facts.format.name().into()),
            declared: Some(provenance.declared),
            marks,
            missing,
            agree,
            disagreements,
            integrity: provenance.integrity,
            trust: provenance.trust,
            not_checkable: provenance.not_checkable,
            notes: facts.notes.iter().map(|n| n.sentence.clone()).collect(),
            error: None,
        }
    }

    /// Whether the file carries a mark that says that an algorithm had a part in it. Credentials count only where they
    /// hold: a broken manifest marks nothing.
    #[must_use]
    pub fn carries(&self, wanted: Option<Mark>) -> bool {
        self.marks.iter().any(|found| {
            let holds = found.mark != Mark::C2pa || self.integrity == Some(Integrity::Valid);
            wanted.is_none_or(|w| w == found.mark)
                && holds
                && found.says.is_some_and(Declared::by_algorithm)
        })
    }

    /// Lines for a terminal.
    #[must_use]
    pub fn text(&self) -> String {
        use std::fmt::Write as _;
        let path = crate::report::visible(&self.path);
        let mut out = String::new();
        if let Some(e) = &self.error {
            return format!(
                "{path}\n  error: {} ({})\n",
                crate::report::visible(&e.message),
                e.code.word()
            );
        }
        let declared = self.declared.map_or("none", Declared::word);
        let _ = writeln!(out, "{path}\n  declared: {declared}");
        for found in &self.marks {
            let says = found.says.map_or("claims nothing", Declared::word);
            let _ = writeln!(out, "  {}: {says}", found.mark.name());
            for line in &found.details {
                let _ = writeln!(out, "    {}", crate::report::visible(line));
            }
        }
        if self.marks.is_empty() {
            let _ = writeln!(out, "  no machine-readable mark");
        }
        let missing: Vec<&str> = self.missing.iter().map(|m| m.name()).collect();
        if !missing.is_empty() && !self.marks.is_empty() {
            let _ = writeln!(out, "  not there: {}", missing.join(", "));
        }
        match self.agree {
            Some(true) => out.push_str("  the marks agree\n"),
            Some(false) => {
                for line in &self.disagreements {
                    let _ = writeln!(out, "  disagreement: {}", crate::report::visible(line));
                }
            }
            None => {}
        }
        for line in self.notes.iter().chain(&self.not_checkable) {
            let _ = writeln!(out, "  note: {}", crate::report::visible(line));
        }
        out
    }
}

fn credentials(c2pa: &realscope_media::metadata::C2pa) -> String {
    match (&c2pa.remote_url, c2pa.integrity.as_str()) {
        (Some(url), "not_checked") => format!("kept at {url}, not fetched"),
        (_, integrity) => {
            let problems = match c2pa.problems.as_slice() {
                [] => String::new(),
                problems => format!(" ({})", problems.join(", ")),
            };
            let trust = provenance::trust_words(&c2pa.trust);
            format!("integrity {integrity}{problems}, trust {trust}")
        }
    }
}

/// Whether marks say the same. What says "edited" contradicts nothing: an edit may follow on anything.
fn agreement(marks: &[Found]) -> (Option<bool>, Vec<String>) {
    let says: Vec<(Mark, Declared)> = marks
        .iter()
        .filter_map(|f| Some((f.mark, f.says?)))
        .filter(|(_, d)| *d != Declared::Edited)
        .collect();
    let [(first, strongest), others @ ..] = says.as_slice() else {
        return (None, Vec::new());
    };
    if others.is_empty() {
        return (None, Vec::new());
    }
    let apart: Vec<String> = others
        .iter()
        .filter(|(_, d)| d != strongest)
        .map(|(mark, d)| {
            format!(
                "{} says {}, {} says {}",
                first.name(),
                strongest.word(),
                mark.name(),
                d.word()
            )
        })
        .collect();
    (Some(apart.is_empty()), apart)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(mark: Mark, says: Declared) -> Found {
        Found {
            mark,
            says: Some(says),
            details: Vec::new(),
        }
    }

    #[test]
    fn marks_agree_or_say_where_they_do_not() {
        let c2pa = found(Mark::C2pa, Declared::Generated);
        let iptc = found(Mark::Iptc, Declared::Generated);
        assert_eq!(agreement(&[c2pa.clone(), iptc]).0, Some(true));
        assert_eq!(agreement(std::slice::from_ref(&c2pa)).0, None);
        let (agree, lines) = agreement(&[c2pa.clone(), found(Mark::Exif, Declared::Captured)]);
        assert_eq!(agree, Some(false));
        assert_eq!(
            lines,
            ["content credentials (C2PA) says generated, EXIF says captured"]
        );
        let edited = found(Mark::Iptc, Declared::Edited);
        assert_eq!(agreement(&[c2pa, edited]).0, None);
    }
}
