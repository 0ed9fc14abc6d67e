//! Content credentials (C2PA) through the `c2pa` crate, without any network access.
//!
//! Integrity (does the manifest fit these bytes, are its signatures sound) and trust (does the
//! signer chain up to a known authority) are reported apart. No trust list ships, so trust is at
//! best `not_checked`: silence must not read as "trusted".

use std::io::Cursor;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::text::cut;
use crate::container::{jpeg, png};
use crate::format::Format;

/// What a manifest store says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct C2pa {
    /// `valid` or `invalid`.
    pub integrity: String,
    /// `trusted`, `untrusted` or `not_checked`.
    pub trust: String,
    /// Program that wrote the active manifest.
    pub claim_generator: Option<String>,
    /// Who signed it.
    pub signer: Option<String>,
    /// Digital source types of the actions, last part of the URI, in order.
    pub digital_source_types: Vec<String>,
    /// Software agents of the actions.
    pub software_agents: Vec<String>,
    /// Actions, in order.
    pub actions: Vec<String>,
    /// Codes of failed checks, or why the store cannot be read.
    pub problems: Vec<String>,
}

fn mime(format: Format) -> Option<&'static str> {
    Some(match format {
        Format::Jpeg => "image/jpeg",
        Format::Png => "image/png",
        Format::Webp => "image/webp",
        Format::Gif => "image/gif",
        Format::Tiff => "image/tiff",
        Format::Avif => "image/avif",
        Format::Jxl => "image/jxl",
        _ => return None,
    })
}

const SETTINGS: &str = r#"{
    "verify": {"verify_trust": false, "remote_manifest_fetch": false, "ocsp_fetch": false}
}"#;

/// Reads the manifest store of a file; `None` when there is none.
pub(crate) fn read(bytes: &[u8], format: Format) -> Option<C2pa> {
    let mime = mime(format)?;
    let context = match c2pa::Context::new().with_settings(SETTINGS) {
        Ok(context) => context,
        Err(e) => return Some(unreadable(&e)),
    };
    match c2pa::Reader::from_context(context).with_stream(mime, Cursor::new(bytes)) {
        Ok(reader) => Some(summarise(&reader)),
        Err(c2pa::Error::JumbfNotFound | c2pa::Error::UnsupportedType) => None,
        // A damaged container is the decoder's to report; only a present store counts here.
        Err(e) if present(bytes, format) => Some(unreadable(&e)),
        Err(_) => None,
    }
}

/// Whether the container has the place where a store lives.
fn present(bytes: &[u8], format: Format) -> bool {
    match format {
        Format::Jpeg => jpeg::structure(bytes)
            .segments
            .iter()
            .any(|s| s.marker == 0xeb && s.data.starts_with(b"JP")),
        Format::Png => png::chunks(bytes).any(|(kind, _)| kind == *b"caBX"),
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

fn summarise(reader: &c2pa::Reader) -> C2pa {
    let state = reader.validation_state();
    let mut out = C2pa {
        integrity: match state {
            c2pa::ValidationState::Invalid => "invalid",
            _ => "valid",
        }
        .into(),
        trust: match state {
            c2pa::ValidationState::Trusted => "trusted",
            _ => "not_checked",
        }
        .into(),
        ..C2pa::default()
    };
    if let Some(statuses) = reader.validation_status() {
        out.problems = statuses.iter().map(|s| cut(s.code())).take(16).collect();
    }
    let json: Value = serde_json::from_str(&reader.json()).unwrap_or_default();
    let active = json["active_manifest"].as_str().unwrap_or_default();
    let manifest = &json["manifests"][active];
    out.claim_generator = manifest["claim_generator_info"][0]["name"]
        .as_str()
        .or_else(|| manifest["claim_generator"].as_str())
        .map(cut);
    out.signer = manifest["signature_info"]["issuer"].as_str().map(cut);
    let assertions = manifest["assertions"].as_array();
    for assertion in assertions.into_iter().flatten() {
        let label = assertion["label"].as_str().unwrap_or_default();
        if !label.starts_with("c2pa.actions") {
            continue;
        }
        for action in assertion["data"]["actions"]
            .as_array()
            .into_iter()
            .flatten()
            .take(64)
        {
            if let Some(name) = action["action"].as_str() {
                out.actions.push(cut(name));
            }
            if let Some(uri) = action["digitalSourceType"].as_str() {
                let last = uri.rsplit(['/', ':']).next().unwrap_or(uri);
                out.digital_source_types.push(cut(last));
            }
            let agent = &action["softwareAgent"];
            if let Some(name) = agent.as_str().or_else(|| agent["name"].as_str()) {
                out.software_agents.push(cut(name));
            }
        }
    }
    out
}
