//! Deepfake Detection Challenge and its preview.

use std::collections::BTreeMap;

use serde_json::Value;

use super::reader::{Import, string, text};
use crate::manifest::{Item, ManifestError};

fn label(word: &str) -> Option<u8> {
    match word.to_ascii_lowercase().as_str() {
        "real" => Some(0),
        "fake" => Some(1),
        _ => None,
    }
}

pub(super) fn dfdc(import: &mut Import) -> Result<(), ManifestError> {
    for file in import.files(&import.root.clone())? {
        match file.file_name().and_then(|n| n.to_str()) {
            Some("metadata.json") => training_part(import, &file)?,
            Some("labels.csv") => test_labels(import, &file)?,
            _ => {}
        }
    }
    Ok(())
}

fn training_part(import: &mut Import, list: &std::path::Path) -> Result<(), ManifestError> {
    let folder = list.parent().unwrap_or(std::path::Path::new("."));
    let part = text(folder)
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .to_owned();
    let bytes = std::fs::read(list).map_err(|e| ManifestError::file(list, e))?;
    let videos: BTreeMap<String, Value> = match serde_json::from_slice(&bytes) {
        Ok(videos) => videos,
        Err(e) => {
            import.quarantine(text(list), format!("no JSON object: {e}"));
            return Ok(());
        }
    };
    for (name, facts) in videos {
        let path = folder.join(&name);
        let Some(label) = label(string(&facts, "label")) else {
            import.quarantine(text(&path), "label is neither REAL nor FAKE");
            continue;
        };
        // Fakes of one original share its actors: they stay in one group.
        let original = string(&facts, "original");
        let source = if original.is_empty() { &name } else { original };
        import.add(Item {
            path: text(&path),
            label,
            split: "train".into(),
            group: format!("{part}/{}", source.trim_end_matches(".mp4")),
            generator: if label == 1 {
                "DFDC".into()
            } else {
                String::new()
            },
            source: part.clone(),
            video: format!("{part}/{}", name.trim_end_matches(".mp4")),
            ..Item::default()
        });
    }
    Ok(())
}

fn test_labels(import: &mut Import, list: &std::path::Path) -> Result<(), ManifestError> {
    let folder = list.parent().unwrap_or(std::path::Path::new("."));
    let mut reader = csv::Reader::from_path(list).map_err(|e| ManifestError::file(list, e))?;
    for row in reader.records() {
        let row = row.map_err(|e| ManifestError::file(list, e))?;
        let (name, value) = (row.get(0).unwrap_or(""), row.get(1).unwrap_or("").trim());
        let path = [folder.join("videos").join(name), folder.join(name)]
            .into_iter()
            .find(|p| p.is_file())
            .unwrap_or_else(|| folder.join("videos").join(name));
        let label = match value {
            "1" => 1,
            "0" => 0,
            _ => {
                import.quarantine(text(&path), format!("label `{value}`"));
                continue;
            }
        };
        let stem = name.trim_end_matches(".mp4");
        import.add(Item {
            path: text(&path),
            label,
            split: "test".into(),
            group: format!("test/{stem}"),
            generator: if label == 1 {
                "DFDC".into()
            } else {
                String::new()
            },
            source: "test".into(),
            video: format!("test/{stem}"),
            ..Item::default()
        });
    }
    Ok(())
}

pub(super) fn preview(import: &mut Import) -> Result<(), ManifestError> {
    let list = if import.root.is_file() {
        import.root.clone()
    } else {
        import.root.join("dataset.json")
    };
    let bytes = std::fs::read(&list).map_err(|e| ManifestError::file(&list, e))?;
    let videos: BTreeMap<String, Value> =
        serde_json::from_slice(&bytes).map_err(|e| ManifestError::file(&list, e))?;
    for (listed, facts) in videos {
        let path = import.locate(&listed);
        let Some(label) = label(string(&facts, "label")) else {
            import.quarantine(text(&path), "label is neither real nor fake");
            continue;
        };
        let method = listed.split('/').next().unwrap_or_default().to_owned();
        let stem = listed.rsplit_once('.').map_or(listed.as_str(), |(s, _)| s);
        import.add(Item {
            path: text(&path),
            label,
            split: string(&facts, "set").into(),
            group: method.clone(),
            generator: if label == 1 { method } else { String::new() },
            source: "DFDC preview".into(),
            video: stem.to_owned(),
            ..Item::default()
        });
    }
    Ok(())
}
