//! Face-manipulation sets kept as folders of videos or frames: FaceForensics++, Celeb-DF, DF40.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::reader::{Import, is_media, text};
use crate::manifest::{Item, ManifestError};

/// Video that a file belongs to: the folder of frames, or the file without its extension.
fn video_name(parts: &[String]) -> String {
    let file = parts.last().map(String::as_str).unwrap_or_default();
    let stem = file.rsplit_once('.').map_or(file, |(s, _)| s);
    let folder = parts
        .iter()
        .rposition(|p| p == "frames")
        .and_then(|at| parts.get(at + 1))
        .filter(|f| *f != file);
    if let Some(folder) = folder {
        return folder.clone();
    }
    let is_video = ["mp4", "avi", "mov", "webm", "mkv", "m4v"]
        .iter()
        .any(|e| file.to_ascii_lowercase().ends_with(e));
    // Frames without a level `frames`: `000_003/000_003_0000.png`.
    match parts.len().checked_sub(2).and_then(|i| parts.get(i)) {
        Some(parent) if !is_video && stem.starts_with(parent.as_str()) => parent.clone(),
        _ => stem.to_owned(),
    }
}

/// Reads `{train,val,test}.json`, lists of pairs of ids; both ids and both orders of a pair belong
/// to the split.
fn pair_splits(import: &mut Import) -> Result<BTreeMap<String, &'static str>, ManifestError> {
    let mut of = BTreeMap::new();
    for file in import.files(&import.root.clone())? {
        let split = match file.file_name().and_then(|n| n.to_str()) {
            Some("train.json") => "train",
            Some("val.json") => "val",
            Some("test.json") => "test",
            _ => continue,
        };
        let bytes = std::fs::read(&file).map_err(|e| ManifestError::file(&file, e))?;
        let pairs: Vec<[String; 2]> = match serde_json::from_slice(&bytes) {
            Ok(pairs) => pairs,
            Err(e) => {
                import.quarantine(text(&file), format!("no list of pairs: {e}"));
                continue;
            }
        };
        for [a, b] in pairs {
            of.insert(format!("{a}_{b}"), split);
            of.insert(format!("{b}_{a}"), split);
            of.insert(a, split);
            of.insert(b, split);
        }
    }
    Ok(of)
}

pub(super) fn ffpp(import: &mut Import) -> Result<(), ManifestError> {
    let splits = pair_splits(import)?;
    for file in import.files(&import.root.clone())? {
        let parts = import.parts(&file);
        let Some(at) = parts
            .iter()
            .position(|p| p == "original_sequences" || p == "manipulated_sequences")
        else {
            continue;
        };
        if !is_media(&file) || parts.iter().any(|p| p == "masks" || p == "landmarks") {
            continue;
        }
        let (Some(method), Some(tier)) = (parts.get(at + 1), parts.get(at + 2)) else {
            import.quarantine(text(&file), "no method or compression above it");
            continue;
        };
        if !matches!(tier.as_str(), "raw" | "c0" | "c23" | "c40") {
            import.quarantine(text(&file), format!("unknown compression `{tier}`"));
            continue;
        }
        let label = u8::from(parts[at] == "manipulated_sequences");
        let name = video_name(&parts);
        let mask = mask_of(&file);
        import.add(Item {
            path: text(&file),
            label,
            split: splits.get(&name).copied().unwrap_or_default().into(),
            group: method.clone(),
            generator: if label == 1 {
                method.clone()
            } else {
                String::new()
            },
            source: "FaceForensics++".into(),
            // Several methods share the id of a pair.
            video: format!("{method}/{tier}/{name}"),
            mask,
            tier: if tier == "c0" {
                "raw".into()
            } else {
                tier.clone()
            },
            ..Item::default()
        });
    }
    Ok(())
}

/// The mask that lies beside a frame under `masks`.
fn mask_of(file: &Path) -> String {
    let path = text(file);
    let mask = path.replacen("/frames/", "/masks/", 1);
    if mask != path && Path::new(&mask).is_file() {
        mask
    } else {
        String::new()
    }
}

pub(super) fn celebdf(import: &mut Import) -> Result<(), ManifestError> {
    // Lines `1 YouTube-real/00170.mp4`; there, 1 means real.
    let mut testing: BTreeSet<String> = BTreeSet::new();
    let mut listed_labels: BTreeMap<String, u8> = BTreeMap::new();
    for file in import.files(&import.root.clone())? {
        if file
            .file_name()
            .is_some_and(|n| n == "List_of_testing_videos.txt")
        {
            let lines =
                std::fs::read_to_string(&file).map_err(|e| ManifestError::file(&file, e))?;
            for line in lines.lines().filter(|l| !l.trim().is_empty()) {
                match line.split_once(' ') {
                    Some((label @ ("0" | "1"), path)) => {
                        let stem = path.trim().rsplit_once('.').map_or(path, |(s, _)| s);
                        testing.insert(stem.to_ascii_lowercase());
                        listed_labels.insert(stem.to_ascii_lowercase(), u8::from(label == "0"));
                    }
                    _ => import.quarantine(text(&file), format!("line `{line}`")),
                }
            }
        }
    }
    for file in import.files(&import.root.clone())? {
        if !is_media(&file) {
            continue;
        }
        let parts = import.parts(&file);
        let Some(folder) = parts.iter().find(|p| {
            matches!(
                p.to_ascii_lowercase().as_str(),
                "celeb-real" | "youtube-real" | "celeb-synthesis"
            )
        }) else {
            import.quarantine(text(&file), "not below a folder of Celeb-DF");
            continue;
        };
        let label = u8::from(folder.eq_ignore_ascii_case("celeb-synthesis"));
        let name = video_name(&parts);
        let key = format!("{folder}/{name}").to_ascii_lowercase();
        if listed_labels.get(&key).is_some_and(|l| *l != label) {
            import.quarantine(text(&file), "its folder and the list of tests disagree");
            continue;
        }
        import.add(Item {
            path: text(&file),
            label,
            split: if testing.contains(&key) {
                "test"
            } else {
                "train"
            }
            .into(),
            group: folder.clone(),
            generator: if label == 1 {
                folder.clone()
            } else {
                String::new()
            },
            source: "Celeb-DF".into(),
            video: format!("{folder}/{name}"),
            ..Item::default()
        });
    }
    Ok(())
}

pub(super) fn df40(import: &mut Import) -> Result<(), ManifestError> {
    for file in import.files(&import.root.clone())? {
        if !is_media(&file) {
            continue;
        }
        let mut parts = import.parts(&file);
        let mut split = "";
        if let Some(first) = parts.first()
            && first.starts_with("DF40")
        {
            split = if first == "DF40_train" {
                "train"
            } else {
                "test"
            };
            parts.remove(0);
        }
        let (Some(method), Some(domain)) = (parts.first(), parts.get(1)) else {
            import.quarantine(text(&file), "no method above it");
            continue;
        };
        let (label, domain) = match domain.as_str() {
            "ff" | "cdf" => (1, domain.as_str()),
            "fake" => (1, "unknown"),
            "real" => (0, "unknown"),
            _ => {
                import.quarantine(text(&file), format!("`{domain}` is no domain of DF40"));
                continue;
            }
        };
        let name = video_name(&parts);
        let group = if label == 1 {
            format!("{method}_{domain}")
        } else {
            format!("{method}_real")
        };
        import.add(Item {
            path: text(&file),
            label,
            split: split.into(),
            video: format!("{group}/{name}"),
            generator: if label == 1 {
                method.clone()
            } else {
                String::new()
            },
            group,
            source: domain.into(),
            ..Item::default()
        });
    }
    Ok(())
}
