//! What a file declares about its own making. It stands beside the pixels and never decides.

use realscope_media::Facts;

use crate::record::{Declared, Integrity, Provenance, Trust};

/// IPTC digital source types that declare generation.
const GENERATED: [&str; 4] = [
    "trainedAlgorithmicMedia",
    "algorithmicMedia",
    "compositeSynthetic",
    "dataDrivenMedia",
];
/// Those that declare an edit by such means.
const EDITED: [&str; 4] = [
    "compositeWithTrainedAlgorithmicMedia",
    "algorithmicallyEnhanced",
    "humanEdits",
    "compositeCapture",
];

/// What the file declares, in one place.
#[must_use]
pub fn of(facts: &Facts) -> Provenance {
    let m = &facts.metadata;
    let mut found = Vec::new();
    let mut source_types: Vec<(&str, &str)> = Vec::new();
    for g in &m.generators {
        found.push(match &g.model {
            Some(model) => format!("{} in {} ({model})", g.tool, g.place),
            None => format!("{} in {}", g.tool, g.place),
        });
    }
    if let Some(t) = m
        .xmp
        .as_ref()
        .and_then(|x| x.digital_source_type.as_deref())
    {
        source_types.push((t, "XMP"));
    }
    if let Some(c2pa) = &m.c2pa {
        found.push(format!(
            "content credentials, integrity {}, trust {}{}",
            c2pa.integrity,
            c2pa.trust,
            c2pa.signer
                .as_deref()
                .map_or(String::new(), |s| format!(", signed by {s}"))
        ));
        source_types.extend(
            c2pa.digital_source_types
                .iter()
                .map(|t| (t.as_str(), "C2PA")),
        );
    }
    for (t, place) in &source_types {
        found.push(format!("digital source type {t} ({place})"));
    }
    let any = |list: &[&str]| source_types.iter().any(|(t, _)| list.contains(t));
    let camera = m
        .exif
        .as_ref()
        .and_then(|e| Some((e.make.as_deref()?, e.model.as_deref()?)));
    if let Some((make, model)) = camera {
        found.push(format!("EXIF names the camera {make} {model}"));
    }
    let declared = if any(&GENERATED) || !m.generators.is_empty() {
        Declared::Generated
    } else if any(&EDITED) {
        Declared::Edited
    } else if any(&["digitalCapture"]) || camera.is_some() {
        Declared::Captured
    } else {
        Declared::None
    };
    Provenance {
        declared,
        found,
        integrity: m.c2pa.as_ref().map(|c| integrity(&c.integrity)),
        trust: m.c2pa.as_ref().map(|c| trust(&c.trust)),
        contradictions: Vec::new(),
        not_checkable: vec![
            "SynthID and other proprietary watermarks cannot be checked here.".into(),
        ],
    }
}

fn integrity(word: &str) -> Integrity {
    if word == "valid" {
        Integrity::Valid
    } else {
        Integrity::Invalid
    }
}

fn trust(word: &str) -> Trust {
    match word {
        "trusted" => Trust::Trusted,
        "untrusted" => Trust::Untrusted,
        _ => Trust::NotChecked,
    }
}
