//! DGM4: a JSON list of image-text pairs. A pair whose text alone is manipulated shows an authentic
//! picture, and counts as authentic here.

use serde_json::Value;

use super::reader::{Import, string, text};
use crate::manifest::{Item, ManifestError};

pub(super) fn read(import: &mut Import) -> Result<(), ManifestError> {
    for file in import.lists("json")? {
        let split = match file.file_stem().and_then(|s| s.to_str()) {
            Some(s @ ("train" | "val" | "test")) => s.to_owned(),
            _ => String::new(),
        };
        let bytes = std::fs::read(&file).map_err(|e| ManifestError::file(&file, e))?;
        let Ok(Value::Array(list)) = serde_json::from_slice(&bytes) else {
            import.quarantine(text(&file), "no JSON list");
            continue;
        };
        for (i, entry) in list.iter().enumerate() {
            let (image, class) = (string(entry, "image"), string(entry, "fake_cls"));
            if image.is_empty() || class.is_empty() {
                import.quarantine(format!("{}#{i}", text(&file)), "no image or fake_cls");
                continue;
            }
            let face = class
                .split('&')
                .find(|c| c.starts_with("face_"))
                .unwrap_or_default();
            let located = import.locate(image);
            let path = text(&located);
            // One picture may come with several texts.
            if import.has(&path) {
                continue;
            }
            let source = image.split('/').nth(1).unwrap_or_default().to_owned();
            import.add(Item {
                path,
                label: u8::from(!face.is_empty()),
                split: split.clone(),
                group: if face.is_empty() {
                    format!("{source}/orig")
                } else {
                    format!("{source}/{face}")
                },
                generator: face.into(),
                source,
                ..Item::default()
            });
        }
    }
    Ok(())
}
