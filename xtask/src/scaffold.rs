//! A detector that compiles, from a name.

use std::path::{Path, PathBuf};

/// Writes `crates/detectors/src/NAME.rs` and registers it in `lib.rs` and `catalog.rs`.
pub fn detector(root: &Path, name: &str) -> Result<Vec<PathBuf>, String> {
    let valid = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if !valid {
        return Err(format!(
            "`{name}`: a detector's id has lower-case letters, digits and `-`"
        ));
    }
    let module = name.replace('-', "_");
    let source = root.join("crates/detectors/src");
    let file = source.join(format!("{module}.rs"));
    if file.exists() {
        return Err(format!("{} exists", file.display()));
    }
    let lib = source.join("lib.rs");
    let catalog = source.join("catalog.rs");
    let lib_text = insert(&lib, "pub mod window;\n", &format!("pub mod {module};\n"))?;
    let entry = format!(
        "    Known {{\n        id: crate::{module}::ID,\n        card: || Ok(crate::{module}::card()),\n        \
         embedded: None,\n        \
         hint: Some(\"realscope models import {name} MODEL.onnx --card CARD.toml\"),\n    }},\n"
    );
    let catalog_text = insert(&catalog, "];\n\n/// One row of `models list`.", &entry)?;
    let write = |path: &Path, text: &str| {
        std::fs::write(path, text).map_err(|e| format!("{}: {e}", path.display()))
    };
    write(&file, &template(name))?;
    write(&lib, &lib_text)?;
    write(&catalog, &catalog_text)?;
    Ok(vec![file, lib, catalog])
}

/// The text of `path` with `text` ahead of `anchor`.
fn insert(path: &Path, anchor: &str, text: &str) -> Result<String, String> {
    let old = std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()))?;
    match old.find(anchor) {
        Some(at) => Ok(format!("{}{text}{}", &old[..at], &old[at..])),
        None => Err(format!("{}: no `{}`", path.display(), anchor.trim())),
    }
}

fn template(name: &str) -> String {
    format!(
        r#"//! `{name}`: one sentence on the idea (authors, venue, arXiv number).
//!
//! Network and preprocessing as published; where they differ from the paper, say so here.

use crate::card::{{Card, Filter, Input, OutputKind, Status, Task, View}};

/// Stable id.
pub const ID: &str = "{name}";

/// The card, without the hash of weights that are not there yet.
#[must_use]
pub fn card() -> Card {{
    Card {{
        id: ID.into(),
        summary: "describe the detector in one line".into(),
        status: Status::Preview,
        task: Task::GeneratedImage,
        input: Input {{
            size: 224,
            view: View::ShorterSide,
            max_windows: 1,
            filter: Filter::Bicubic,
            mean: [0.485, 0.456, 0.406],
            std: [0.229, 0.224, 0.225],
        }},
        output: OutputKind::Logit,
        weights_sha256: String::new(),
        encoder_sha256: None,
        licence: "state the licence of the weights".into(),
        training_data: "state the training data".into(),
        citation: "authors, venue, arXiv number".into(),
        known_failures: vec![],
        map_false_alarm_rate: None,
        artwork: None,
        companion: None,
        calibration: None,
    }}
}}
"#
    )
}
