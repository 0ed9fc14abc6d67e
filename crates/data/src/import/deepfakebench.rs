//! DeepfakeBench's `dataset_json`, all its quirks: compression levels, backslash and foreign
//! absolute paths, DFDC's `val` that holds a single video instead of a map, sets whose `val` equals
//! `test`, Celeb-DF's `train` that also holds test videos, frames out of order.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::reader::{Import, text};
use crate::manifest::{Item, ManifestError};

fn polarity(label: &str) -> u8 {
    let lower = label.to_ascii_lowercase();
    u8::from(!lower.ends_with("real"))
}

pub(super) fn read(import: &mut Import) -> Result<(), ManifestError> {
    for file in import.lists("json")? {
        let bytes = std::fs::read(&file).map_err(|e| ManifestError::file(&file, e))?;
        let tree: Value = match serde_json::from_slice(&bytes) {
            Ok(tree) => tree,
            Err(e) => {
                import.quarantine(text(&file), format!("no JSON: {e}"));
                continue;
            }
        };
        let Some(sets) = tree.as_object() else {
            import.quarantine(text(&file), "not an object of data sets");
            continue;
        };
        for (set, labels) in sets {
            for (label, splits) in labels.as_object().into_iter().flatten() {
                // A video that is listed in several splits belongs to the strictest one.
                for split in ["test", "val", "train"] {
                    let Some(content) = splits.get(split).and_then(Value::as_object) else {
                        continue;
                    };
                    videos(import, set, label, split, "", content);
                }
            }
        }
    }
    Ok(())
}

fn is_video(value: &Value) -> bool {
    value.get("frames").is_some_and(Value::is_array)
}

fn videos(
    import: &mut Import,
    set: &str,
    label: &str,
    split: &str,
    tier: &str,
    content: &Map<String, Value>,
) {
    // DFDC's `val`: the video itself stands where a map of videos should.
    if content.get("frames").is_some_and(Value::is_array) {
        let video = Value::Object(content.clone());
        let name = format!("{split}-single");
        frames(import, set, label, split, tier, &name, &video);
        return;
    }
    for (name, value) in content {
        if is_video(value) {
            frames(import, set, label, split, tier, name, value);
        } else if let Some(inner) = value.as_object() {
            videos(import, set, label, split, name, inner);
        } else {
            import.quarantine(format!("{set}/{label}/{split}/{name}"), "not a video");
        }
    }
}

fn frames(
    import: &mut Import,
    set: &str,
    label: &str,
    split: &str,
    tier: &str,
    name: &str,
    value: &Value,
) {
    // The inner label wins: folders of one set may be filed under another name.
    let label = value.get("label").and_then(Value::as_str).unwrap_or(label);
    let mut listed: BTreeMap<(u64, String), &Value> = BTreeMap::new();
    let masks = value.get("masks").and_then(Value::as_array);
    for (i, frame) in value["frames"].as_array().into_iter().flatten().enumerate() {
        let Some(path) = frame.as_str() else {
            import.quarantine(
                format!("{set}/{label}/{split}/{name}"),
                "a frame is no text",
            );
            continue;
        };
        let uniform = path.replace('\\', "/");
        let stem = uniform.rsplit('/').next().unwrap_or_default();
        let number = stem.split('.').next().and_then(|s| s.parse().ok());
        let mask = masks.and_then(|m| m.get(i)).unwrap_or(&Value::Null);
        listed.insert((number.unwrap_or(i as u64), path.to_owned()), mask);
    }
    for ((_, path), mask) in listed {
        let located = import.locate(&path);
        let item = Item {
            path: text(&located),
            label: polarity(label),
            split: split.into(),
            group: format!("{set}/{label}"),
            generator: if polarity(label) == 1 {
                label.to_owned()
            } else {
                String::new()
            },
            source: set.into(),
            // Manipulations share video ids; the set, label and compression make them unique.
            video: [set, label, tier, name]
                .iter()
                .filter(|p| !p.is_empty())
                .copied()
                .collect::<Vec<_>>()
                .join("/"),
            mask: mask
                .as_str()
                .map(|m| text(&import.locate(m)))
                .unwrap_or_default(),
            tier: tier.into(),
            ..Item::default()
        };
        if import.has(&item.path) {
            // Listed again in a looser split (val equal to test, train that holds all).
            continue;
        }
        import.add(item);
    }
}
