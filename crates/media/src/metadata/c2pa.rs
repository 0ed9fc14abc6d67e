//! Content credentials (C2PA) through the `c2pa` crate, without any network access.
//!
//! The whole store is read: the active manifest, the manifests of its ingredients to any depth within bounds, and
//! those that nothing refers to. Integrity (does a manifest fit these bytes, are its signatures sound) and trust (does
//! the signer chain up to a known authority) are reported apart, for each manifest. No trust list ships: without one
//! trust is `not_checked`, and silence must not read as "trusted".

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::text::cut;
use super::trust::Anchors;
use crate::container::{bmff, chunks, ifd, jpeg, png};
use crate::format::Format;

/// Most levels of ingredients that are followed.
const MAX_DEPTH: usize = 16;
/// Most manifests of a tree, each counted as often as it stands there.
const MAX_MANIFESTS: usize = 256;
/// Most entries of any list of a manifest.
const MAX_ENTRIES: usize = 64;
/// The failure that speaks of trust alone.
const UNTRUSTED: &str = "signingCredential.untrusted";

/// What a manifest store says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct C2pa {
    /// `valid`, `invalid`, or `not_checked` where the store is not in the file.
    pub integrity: String,
    /// `trusted`, `untrusted` or `not_checked`.
    pub trust: String,
    /// Program that wrote the active manifest.
    pub claim_generator: Option<String>,
    /// Who signed it.
    pub signer: Option<String>,
    /// Digital source types of all manifests, last part of the URI, the active manifest's first.
    pub digital_source_types: Vec<String>,
    /// Software agents of all actions, in the same order.
    pub software_agents: Vec<String>,
    /// Actions of all manifests, in the same order.
    pub actions: Vec<String>,
    /// Codes of failed checks, or why the store cannot be read.
    pub problems: Vec<String>,
    /// Address at which the file says that its credentials are kept.
    pub remote_url: Option<String>,
    /// Whether they were fetched from there.
    #[serde(default)]
    pub fetched: bool,
    /// The active manifest with the history that its ingredients hold.
    pub manifest: Option<Manifest>,
    /// Manifests of the store that nothing in the history refers to.
    pub unlinked: Vec<Manifest>,
}

/// One manifest of a store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Its label in the store.
    pub label: String,
    /// Program that wrote it.
    pub claim_generator: Option<String>,
    /// Organisation that signed it.
    pub signer: Option<String>,
    /// When, as a time stamp authority says; null without a time stamp.
    pub time: Option<String>,
    /// `valid`, `invalid` or `not_checked`.
    pub integrity: String,
    /// `trusted`, `untrusted` or `not_checked`.
    pub trust: String,
    /// Codes of failed checks.
    pub problems: Vec<String>,
    /// What was done, in order.
    pub actions: Vec<Action>,
    /// Digital source types that stand outside of actions.
    pub source_types: Vec<SourceType>,
    /// Labels of all assertions.
    pub assertions: Vec<String>,
    /// Assertions of earlier manifests that this one took away.
    pub redactions: Vec<String>,
    /// What the picture was made from.
    pub ingredients: Vec<Ingredient>,
}

/// One action of a manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// Its name, such as `c2pa.created`.
    pub action: String,
    /// Its digital source type, last part of the URI.
    pub source_type: Option<String>,
    /// Program that did it.
    pub agent: Option<String>,
    /// When, as the action says.
    pub when: Option<String>,
    /// What it says of itself.
    pub description: Option<String>,
    /// Vendors' own parameters that are texts.
    pub vendor: BTreeMap<String, String>,
    /// Digital source types among its parameters.
    pub source_types: Vec<SourceType>,
}

/// A digital source type and where it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceType {
    /// Last part of its URI.
    pub term: String,
    /// Assertion and keys.
    pub place: String,
}

/// What a picture was made from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ingredient {
    /// Its title.
    pub title: Option<String>,
    /// `parentOf`, `componentOf` or `inputTo`.
    pub relationship: String,
    /// Media type.
    pub format: Option<String>,
    /// Kinds of its data, such as those of a model or a prompt.
    pub data_types: Vec<String>,
    /// Codes of checks that had failed when it was taken in.
    pub problems: Vec<String>,
    /// Its own manifest, where the store has it.
    pub manifest: Option<Manifest>,
    /// Why its manifest is not shown although it has one.
    pub omitted: Option<String>,
}

impl C2pa {
    /// Takes back what a hash of the file's own bytes would say, where these bytes are not at hand.
    pub(super) fn not_hashed(&mut self) {
        fn relax(m: &mut Manifest) {
            relaxed(&mut m.integrity, &mut m.problems);
            for ingredient in &mut m.ingredients {
                if let Some(manifest) = &mut ingredient.manifest {
                    relax(manifest);
                }
            }
        }
        fn relaxed(integrity: &mut String, problems: &mut Vec<String>) {
            problems.retain(|p| !p.contains("Hash."));
            if problems.is_empty() {
                *integrity = "not_checked".into();
            }
        }
        relaxed(&mut self.integrity, &mut self.problems);
        if self.manifest.is_none() && self.unlinked.is_empty() {
            self.integrity = "not_checked".into();
        }
        self.manifest
            .iter_mut()
            .chain(&mut self.unlinked)
            .for_each(relax);
    }
}

impl Manifest {
    /// This manifest and all below it, each with the relationships that lead to it from here.
    #[must_use]
    pub fn all(&self) -> Vec<(Vec<&str>, &Self)> {
        fn add<'a>(m: &'a Manifest, way: &[&'a str], out: &mut Vec<(Vec<&'a str>, &'a Manifest)>) {
            out.push((way.to_vec(), m));
            for ingredient in &m.ingredients {
                if let Some(below) = &ingredient.manifest {
                    add(below, &[way, &[&ingredient.relationship]].concat(), out);
                }
            }
        }
        let mut out = Vec::new();
        add(self, &[], &mut out);
        out
    }
}

fn mime(bytes: &[u8], format: Format) -> Option<&'static str> {
    Some(match format {
        Format::Jpeg => "image/jpeg",
        Format::Png => "image/png",
        Format::Webp => "image/webp",
        Format::Gif => "image/gif",
        Format::Tiff => "image/tiff",
        Format::Avif => "image/avif",
        Format::Heic => "image/heic",
        Format::Jxl => "image/jxl",
        Format::Svg => "image/svg+xml",
        Format::Video if bytes.starts_with(b"RIFF") => "video/avi",
        Format::Video if bytes.get(4..8) == Some(b"ftyp") => "video/mp4",
        _ => return None,
    })
}

fn settings(anchors: Option<&Anchors>) -> String {
    let checked = anchors.is_some();
    json!({
        "verify": {
            "verify_trust": checked,
            // Without a list there is no authority for time stamps either. A time stamp then says when the signer
            // claims to have signed, so that a certificate which ran out since costs no integrity.
            "verify_timestamp_trust": checked,
            "remote_manifest_fetch": false,
            "ocsp_fetch": false,
        },
        "trust": {
            "trust_anchors": anchors.map(|a| a.certificates.as_str()).filter(|c| !c.is_empty()),
            "allowed_list": anchors.map(|a| a.allowed.as_str()).filter(|c| !c.is_empty()),
        },
    })
    .to_string()
}

/// Reads the manifest store of a file; `None` when there is none. One that was fetched stands in for a store that the
/// file keeps elsewhere.
pub(crate) fn read(
    bytes: &[u8],
    format: Format,
    anchors: Option<&Anchors>,
    fetched: Option<&[u8]>,
) -> Option<C2pa> {
    let mime = mime(bytes, format)?;
    // Where there is nothing to read, the walk over a stream's many boxes is spared.
    if mime == "video/mp4" && fetched.is_none() && !present(bytes, format) {
        return None;
    }
    let context = match c2pa::Context::new().with_settings(settings(anchors).as_str()) {
        Ok(context) => context,
        Err(e) => return Some(unreadable(&e)),
    };
    let reader = c2pa::Reader::from_context(context);
    if let Some(store) = fetched {
        let read = reader.with_manifest_data_and_stream(store, mime, Cursor::new(bytes));
        let found = match read {
            Ok(reader) => summarise(&reader, anchors.is_some()),
            Err(e) => unreadable(&e),
        };
        return Some(C2pa {
            fetched: true,
            ..found
        });
    }
    match reader.with_stream(mime, Cursor::new(bytes)) {
        Ok(reader) => Some(summarise(&reader, anchors.is_some())),
        Err(c2pa::Error::RemoteManifestUrl(url)) => Some(remote(&url)),
        Err(c2pa::Error::JumbfNotFound | c2pa::Error::UnsupportedType) => None,
        // A damaged container is the decoder's to report; only a present store counts here.
        Err(e) if present(bytes, format) => Some(unreadable(&e)),
        Err(_) => None,
    }
}

/// Credentials that are kept at an address.
pub(crate) fn remote(url: &str) -> C2pa {
    C2pa {
        integrity: "not_checked".into(),
        trust: "not_checked".into(),
        remote_url: Some(cut(url)),
        ..C2pa::default()
    }
}

/// Whether the container has the place where a store lives.
fn present(bytes: &[u8], format: Format) -> bool {
    const TIFF_TAG: u16 = 0xcd41;
    const UUID: [u8; 16] = [
        0xd8, 0xfe, 0xc3, 0xd6, 0x1b, 0x0e, 0x48, 0x3c, 0x92, 0x97, 0x58, 0x28, 0x87, 0x7e, 0xc4,
        0x81,
    ];
    match format {
        Format::Jpeg => jpeg::structure(bytes)
            .segments
            .iter()
            .any(|s| s.marker == 0xeb && s.data.starts_with(b"JP")),
        Format::Png => png::chunks(bytes).any(|(kind, _)| kind == *b"caBX"),
        Format::Webp => chunks::riff(bytes).any(|(kind, _)| kind == *b"C2PA"),
        Format::Tiff => ifd::first(bytes).is_some_and(|d| d.get(TIFF_TAG).is_some()),
        Format::Jxl => bmff::boxes(bytes).any(|b| b.kind == *b"jumb"),
        Format::Avif | Format::Heic | Format::Video => {
            bmff::boxes(bytes).any(|b| b.kind == *b"uuid" && b.data.starts_with(&UUID))
        }
        _ => false,
    }
}

fn unreadable(e: &c2pa::Error) -> C2pa {
    C2pa {
        integrity: "invalid".into(),
        trust: "not_checked".into(),
        problems: vec![cut(&e.to_string())],
        ..C2pa::default()
    }
}

fn summarise(reader: &c2pa::Reader, checked: bool) -> C2pa {
    let json = serde_json::from_str(&reader.json()).unwrap_or_default();
    let store = Store::new(json, checked);
    let active = store.json["active_manifest"].as_str().unwrap_or_default();
    let mut seen = BTreeSet::new();
    let mut left = MAX_MANIFESTS;
    let manifest = store.manifest(active, &mut Vec::new(), &mut left, &mut seen);
    let mut unlinked = Vec::new();
    let labels = store.json["manifests"].as_object();
    for label in labels.into_iter().flat_map(|m| m.keys()) {
        if !seen.contains(label.as_str()) {
            unlinked.extend(store.manifest(label, &mut Vec::new(), &mut left, &mut seen));
        }
    }
    let mut out = C2pa {
        integrity: match reader.validation_state() {
            c2pa::ValidationState::Invalid => "invalid",
            _ => "valid",
        }
        .into(),
        trust: "not_checked".into(),
        remote_url: reader.remote_url().map(cut),
        ..C2pa::default()
    };
    if let Some(statuses) = reader.validation_status() {
        out.problems = statuses.iter().map(|s| cut(s.code())).take(16).collect();
    }
    if let Some(active) = &manifest {
        out.trust.clone_from(&active.trust);
        out.claim_generator.clone_from(&active.claim_generator);
        out.signer.clone_from(&active.signer);
    }
    for (_, m) in manifest.iter().chain(&unlinked).flat_map(Manifest::all) {
        for action in &m.actions {
            out.actions.push(action.action.clone());
            out.digital_source_types.extend(action.source_type.clone());
            out.software_agents.extend(action.agent.clone());
            let others = action.source_types.iter().map(|t| t.term.clone());
            out.digital_source_types.extend(others);
        }
        let others = m.source_types.iter().map(|t| t.term.clone());
        out.digital_source_types.extend(others);
    }
    for list in [
        &mut out.actions,
        &mut out.digital_source_types,
        &mut out.software_agents,
    ] {
        list.truncate(4 * MAX_ENTRIES);
    }
    out.manifest = manifest;
    out.unlinked = unlinked;
    out
}

/// What checks said of one manifest.
#[derive(Default)]
struct Checks {
    signed: bool,
    trusted: bool,
    untrusted: bool,
    failures: BTreeSet<String>,
}

impl Checks {
    /// Adds lists of statuses as the crate reports them: `success`, `informational` and `failure`.
    fn add(&mut self, code: &str, failed: bool) {
        match (code, failed) {
            ("claimSignature.validated", false) => self.signed = true,
            ("signingCredential.trusted", false) => self.trusted = true,
            // The reader's own checks come first: what it trusts, an earlier signer cannot distrust for it.
            (UNTRUSTED, true) => self.untrusted |= !self.trusted,
            (code, true) => {
                self.failures.insert(cut(code));
            }
            _ => {}
        }
    }
}

struct Store {
    /// Whether there is a list to check trust by. What earlier signers found is no answer for this reader.
    checked: bool,
    json: Value,
    checks: BTreeMap<String, Checks>,
}

impl Store {
    fn new(json: Value, checked: bool) -> Self {
        let mut checks: BTreeMap<String, Checks> = BTreeMap::new();
        let active = json["active_manifest"].as_str().unwrap_or_default();
        let mut add = |lists: &Value, about: &str| {
            for (key, failed) in [("success", false), ("failure", true)] {
                for status in lists[key].as_array().into_iter().flatten() {
                    let url = status["url"].as_str().unwrap_or_default();
                    let label = label_of(url).unwrap_or(about).to_owned();
                    let code = status["code"].as_str().unwrap_or_default();
                    checks.entry(label).or_default().add(code, failed);
                }
            }
        };
        let results = &json["validation_results"];
        add(&results["activeManifest"], active);
        for delta in results["ingredientDeltas"].as_array().into_iter().flatten() {
            let uri = delta["ingredientAssertionURI"].as_str().unwrap_or_default();
            let owner = label_of(uri).unwrap_or(active);
            let assertion = uri.rsplit('/').next().unwrap_or_default();
            let ingredients = json["manifests"][owner]["ingredients"].as_array();
            let about = ingredients
                .into_iter()
                .flatten()
                .find(|i| i["label"].as_str() == Some(assertion))
                .and_then(|i| i["active_manifest"].as_str())
                .unwrap_or(owner);
            add(&delta["validationDeltas"], about);
        }
        // The crate leaves out what an ingredient already says of its own checks. A failure counts wherever it stands;
        // a success of an ingredient counts only where the crate did not contradict it.
        let manifests = json["manifests"].as_object();
        for manifest in manifests.into_iter().flat_map(|m| m.values()) {
            for ingredient in manifest["ingredients"].as_array().into_iter().flatten() {
                let Some(about) = ingredient["active_manifest"].as_str() else {
                    continue;
                };
                let recorded = &ingredient["validation_results"];
                add(&recorded["activeManifest"], about);
                for delta in recorded["ingredientDeltas"]
                    .as_array()
                    .into_iter()
                    .flatten()
                {
                    add(&delta["validationDeltas"], about);
                }
            }
        }
        Self {
            checked,
            json,
            checks,
        }
    }

    fn manifest(
        &self,
        label: &str,
        way: &mut Vec<String>,
        left: &mut usize,
        seen: &mut BTreeSet<String>,
    ) -> Option<Manifest> {
        let manifest = self.json["manifests"].get(label)?;
        *left = left.checked_sub(1)?;
        seen.insert(label.to_owned());
        let none = Checks::default();
        let checks = self.checks.get(label).unwrap_or(&none);
        let signature = &manifest["signature_info"];
        let mut out = Manifest {
            label: cut(label),
            claim_generator: manifest["claim_generator_info"][0]["name"]
                .as_str()
                .or_else(|| manifest["claim_generator"].as_str())
                .map(cut),
            signer: text(&signature["issuer"]).or_else(|| text(&signature["common_name"])),
            time: text(&signature["time"]),
            integrity: if !checks.failures.is_empty() {
                "invalid"
            } else if checks.signed {
                "valid"
            } else {
                "not_checked"
            }
            .into(),
            trust: if !self.checked {
                "not_checked"
            } else if checks.untrusted {
                "untrusted"
            } else if checks.trusted && checks.failures.is_empty() {
                "trusted"
            } else {
                "not_checked"
            }
            .into(),
            problems: checks.failures.iter().take(16).cloned().collect(),
            redactions: texts(&manifest["redactions"]),
            ..Manifest::default()
        };
        for assertion in manifest["assertions"]
            .as_array()
            .into_iter()
            .flatten()
            .take(4 * MAX_ENTRIES)
        {
            let label = assertion["label"].as_str().unwrap_or_default();
            out.assertions.push(cut(label));
            let data = &assertion["data"];
            if label.starts_with("c2pa.actions") {
                let list = data["actions"].as_array().into_iter().flatten();
                let room = MAX_ENTRIES.saturating_sub(out.actions.len());
                out.actions
                    .extend(list.take(room).map(|a| action(a, data, label)));
                let templates = &data["templates"];
                source_types(
                    templates,
                    &format!("{label}.templates"),
                    &mut out.source_types,
                    0,
                );
            } else {
                source_types(data, label, &mut out.source_types, 0);
            }
        }
        way.push(label.to_owned());
        let ingredients = manifest["ingredients"].as_array().into_iter().flatten();
        for ingredient in ingredients.take(MAX_ENTRIES) {
            out.ingredients
                .push(self.ingredient(ingredient, way, left, seen));
        }
        way.pop();
        Some(out)
    }

    fn ingredient(
        &self,
        json: &Value,
        way: &mut Vec<String>,
        left: &mut usize,
        seen: &mut BTreeSet<String>,
    ) -> Ingredient {
        let mut out = Ingredient {
            title: text(&json["title"]),
            relationship: text(&json["relationship"]).unwrap_or_else(|| "componentOf".into()),
            format: text(&json["format"]),
            data_types: json["data_types"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|t| text(&t["type"]))
                .take(MAX_ENTRIES)
                .collect(),
            ..Ingredient::default()
        };
        let recorded = [
            &json["validation_status"],
            &json["validation_results"]["activeManifest"]["failure"],
        ];
        for status in recorded
            .iter()
            .filter_map(|v| v.as_array())
            .flatten()
            .take(16)
        {
            let code = text(&status["code"]).filter(|c| c != UNTRUSTED);
            out.problems.extend(code);
        }
        out.problems.dedup();
        let Some(label) = json["active_manifest"].as_str() else {
            return out;
        };
        if way.iter().any(|w| w == label) {
            out.omitted = Some("it refers back to a manifest above".into());
        } else if way.len() >= MAX_DEPTH {
            out.omitted = Some(format!("more than {MAX_DEPTH} levels"));
        } else if self.json["manifests"].get(label).is_none() {
            out.omitted = Some("the store does not have it".into());
        } else {
            out.manifest = self.manifest(label, way, left, seen);
            if out.manifest.is_none() {
                out.omitted = Some(format!("more than {MAX_MANIFESTS} manifests"));
            }
        }
        out
    }
}

/// The manifest that a JUMBF address points into.
fn label_of(uri: &str) -> Option<&str> {
    let path = uri.split_once("/c2pa/").map_or(uri, |(_, path)| path);
    let label = path.split('/').next()?;
    (label.starts_with("urn:") || label.contains(":urn:")).then_some(label)
}

fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|t| !t.is_empty()).map(cut)
}

fn texts(value: &Value) -> Vec<String> {
    let list = value.as_array().into_iter().flatten();
    list.filter_map(text).take(MAX_ENTRIES).collect()
}

/// Last part of a digital source type's URI.
pub(super) fn term(uri: &str) -> String {
    let uri = uri.trim().trim_end_matches('/');
    let last = uri.rsplit(['/', ':', '#']).next().unwrap_or(uri);
    let known = SOURCE_TYPES.iter().find(|t| t.eq_ignore_ascii_case(last));
    cut(known.unwrap_or(&last))
}

/// Source types of generation, the strongest first (IPTC NewsCodes, digital source type), and of captures. Writers err in
/// their letters' case.
const SOURCE_TYPES: [&str; 9] = [
    "trainedAlgorithmicMedia",
    "trainedAlgorithmicData",
    "algorithmicMedia",
    "compositeWithTrainedAlgorithmicMedia",
    "compositeSynthetic",
    "algorithmicallyEnhanced",
    "digitalCapture",
    "computationalCapture",
    "digitalArt",
];

/// The one of two source types that says more of generation; the first of equals.
pub(super) fn stronger(first: String, second: String) -> String {
    // The last three say nothing of it.
    let rank = |term: &String| {
        let at = SOURCE_TYPES.iter().position(|t| t == term);
        at.unwrap_or(SOURCE_TYPES.len()).min(6)
    };
    if rank(&second) < rank(&first) {
        second
    } else {
        first
    }
}

fn action(json: &Value, data: &Value, label: &str) -> Action {
    let agent = |v: &Value| text(v).or_else(|| text(&v["name"]));
    let indexed = json["softwareAgentIndex"].as_u64();
    let indexed = indexed.and_then(|i| data["softwareAgents"].get(usize::try_from(i).ok()?));
    let mut out = Action {
        action: text(&json["action"]).unwrap_or_else(|| "unnamed".into()),
        source_type: json["digitalSourceType"].as_str().map(term),
        agent: agent(&json["softwareAgent"]).or_else(|| indexed.and_then(agent)),
        when: text(&json["when"]),
        description: text(&json["description"])
            .or_else(|| text(&json["parameters"]["description"])),
        ..Action::default()
    };
    for (key, value) in json.as_object().into_iter().flatten() {
        if key != "digitalSourceType" {
            source_types(value, &format!("{label}.{key}"), &mut out.source_types, 0);
        }
    }
    let own = json.as_object().into_iter().flatten();
    let parameters = json["parameters"].as_object().into_iter().flatten();
    let vendor = own.chain(parameters).filter(|(key, _)| key.contains('.'));
    out.vendor = vendor
        .filter_map(|(key, value)| Some((cut(key), text(value)?)))
        .take(16)
        .collect();
    out
}

/// Digital source types anywhere in an assertion, under any vendor's name.
fn source_types(value: &Value, place: &str, out: &mut Vec<SourceType>, depth: usize) {
    if depth > 32 || out.len() >= MAX_ENTRIES {
        return;
    }
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let place = format!("{place}.{key}");
                let name = key.rsplit([':', '.', '/']).next().unwrap_or(key);
                let named = ["digitalsourcetype", "digitalsourcefiletype"]
                    .contains(&name.to_ascii_lowercase().as_str());
                let uris: Vec<&str> = match value {
                    Value::String(uri) => vec![uri],
                    Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
                    Value::Object(map) => ["@id", "@value"]
                        .iter()
                        .filter_map(|k| map.get(*k)?.as_str())
                        .collect(),
                    _ => Vec::new(),
                };
                if named {
                    out.extend(uris.into_iter().take(4).map(|uri| SourceType {
                        term: term(uri),
                        place: cut(&place),
                    }));
                } else {
                    source_types(value, &place, out, depth + 1);
                }
            }
        }
        Value::Array(list) => {
            for value in list {
                source_types(value, place, out, depth + 1);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_name_their_manifest() {
        let uri = "self#jumbf=/c2pa/urn:c2pa:ab-1/c2pa.assertions/c2pa.actions.v2";
        assert_eq!(label_of(uri), Some("urn:c2pa:ab-1"));
        assert_eq!(label_of("adobe:urn:uuid:7"), Some("adobe:urn:uuid:7"));
        assert_eq!(label_of("Cose_Sign1"), None);
    }

    #[test]
    fn source_types_are_found_under_any_name() {
        let data = json!({
            "Iptc4xmpExt:DigitalSourceType": {"@id": "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"},
            "deep": [{"com.vendor.digitalSourceType": "http://c2pa.org/digitalsourcetype/trainedAlgorithmicData"}],
            "digitalSourceTypes": "no such name",
        });
        let mut found = Vec::new();
        source_types(&data, "stds.iptc", &mut found, 0);
        let mut terms: Vec<&str> = found.iter().map(|t| t.term.as_str()).collect();
        terms.sort_unstable();
        assert_eq!(terms, ["trainedAlgorithmicData", "trainedAlgorithmicMedia"]);
    }

    #[test]
    fn an_ingredient_cannot_vouch_for_a_manifest_that_failed() {
        let store = Store::new(
            json!({
                "active_manifest": "urn:c2pa:a",
                "manifests": {
                    "urn:c2pa:a": {"ingredients": [{
                        "active_manifest": "urn:c2pa:b",
                        "relationship": "parentOf",
                        "validation_results": {"activeManifest": {
                            "success": [{"code": "claimSignature.validated"}, {"code": "signingCredential.trusted"}],
                        }},
                    }]},
                    "urn:c2pa:b": {"ingredients": [{"active_manifest": "urn:c2pa:a", "relationship": "parentOf"}]},
                },
                "validation_results": {
                    "activeManifest": {"success": [{"code": "claimSignature.validated", "url": "urn:c2pa:a"}]},
                    "ingredientDeltas": [{
                        "ingredientAssertionURI": "self#jumbf=/c2pa/urn:c2pa:a/c2pa.assertions/c2pa.ingredient.v3",
                        "validationDeltas": {"failure": [{
                            "code": "assertion.hashedURI.mismatch",
                            "url": "self#jumbf=/c2pa/urn:c2pa:b/c2pa.assertions/c2pa.actions",
                        }]},
                    }],
                },
            }),
            true,
        );
        let mut seen = BTreeSet::new();
        let tree = store
            .manifest("urn:c2pa:a", &mut Vec::new(), &mut 9, &mut seen)
            .unwrap();
        assert_eq!(
            (tree.integrity.as_str(), tree.trust.as_str()),
            ("valid", "not_checked")
        );
        let parent = tree.ingredients[0].manifest.as_ref().unwrap();
        assert_eq!(
            (parent.integrity.as_str(), parent.trust.as_str()),
            ("invalid", "not_checked")
        );
        // A circle ends where it closes.
        assert!(
            parent.ingredients[0].manifest.is_none() && parent.ingredients[0].omitted.is_some()
        );
        assert_eq!(tree.all().len(), 2);
    }
}
