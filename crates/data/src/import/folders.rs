//! Sets whose folders tell the class: plain folders, ForenSynths, GenImage.

use super::reader::{Import, is_media, text};
use crate::manifest::{Item, ManifestError};

/// Class that a folder's name tells.
fn class(folder: &str) -> Option<u8> {
    match folder.to_ascii_lowercase().as_str() {
        "real" | "0_real" | "nature" | "authentic" | "reals" | "0" => Some(0),
        "fake" | "1_fake" | "ai" | "generated" | "fakes" | "1" => Some(1),
        _ => None,
    }
}

fn split(part: &str) -> Option<&'static str> {
    match part.to_ascii_lowercase().as_str() {
        "train" | "training" => Some("train"),
        "val" | "valid" | "validation" => Some("val"),
        "test" | "testing" => Some("test"),
        _ => None,
    }
}

/// Adds every picture below the root whose path names a class; `name` turns the parts above the
/// class folder, without splits, into the group.
fn by_class(import: &mut Import, name: impl Fn(&[String]) -> String) -> Result<(), ManifestError> {
    for file in import.files(&import.root.clone())? {
        let parts = import.parts(&file);
        let folders = &parts[..parts.len().saturating_sub(1)];
        // The innermost folder that names a class decides.
        let Some(at) = folders.iter().rposition(|p| class(p).is_some()) else {
            if is_media(&file) {
                import.quarantine(text(&file), "no folder above it names a class");
            }
            continue;
        };
        if !is_media(&file) {
            import.quarantine(text(&file), "not a picture by name");
            continue;
        }
        let label = class(&folders[at]).unwrap_or(0);
        let split = folders.iter().find_map(|p| split(p)).unwrap_or_default();
        let above: Vec<String> = folders[..at]
            .iter()
            .filter(|p| self::split(p).is_none())
            .cloned()
            .collect();
        let below = folders[at + 1..].join("/");
        let mut set = name(&above);
        if set.is_empty() {
            set = below;
        }
        let group = match (label, set.is_empty()) {
            (0, true) => "real".to_owned(),
            (_, true) => "fake".to_owned(),
            (0, false) => format!("{set}/real"),
            (_, false) => set.clone(),
        };
        import.add(Item {
            path: text(&file),
            label,
            split: split.into(),
            group,
            generator: if label == 1 {
                set.clone()
            } else {
                String::new()
            },
            source: set,
            ..Item::default()
        });
    }
    Ok(())
}

/// Class folders anywhere.
pub(super) fn plain(import: &mut Import) -> Result<(), ManifestError> {
    by_class(import, |above| above.join("/"))
}

/// ForenSynths, AIGCDetectBenchmark, UFD: the first folder is the generator, a class of objects may
/// follow.
pub(super) fn forensynths(import: &mut Import) -> Result<(), ManifestError> {
    by_class(import, |above| above.first().cloned().unwrap_or_default())
}

/// Generator's usual name of a GenImage folder.
fn genimage_name(folder: &str) -> String {
    let plain: String = folder
        .to_ascii_lowercase()
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .collect();
    let known = [
        ("midjourney", "Midjourney"),
        ("vqdm", "VQDM"),
        ("wukong", "Wukong"),
        ("stablediffusionv14", "Stable Diffusion V1.4"),
        ("sdv14", "Stable Diffusion V1.4"),
        ("0419sdv4", "Stable Diffusion V1.4"),
        ("stablediffusionv15", "Stable Diffusion V1.5"),
        ("sdv15", "Stable Diffusion V1.5"),
        ("sdv5", "Stable Diffusion V1.5"),
        ("glide", "GLIDE"),
        ("biggan", "BigGAN"),
        ("adm", "ADM"),
    ];
    known
        .iter()
        .find(|(key, _)| plain.contains(key))
        .map_or_else(|| folder.to_owned(), |(_, name)| (*name).to_owned())
}

/// GenImage. Parts of split archives (`.z01`, `.zip`, `.aa`) that were left unpacked are reported.
pub(super) fn genimage(import: &mut Import) -> Result<(), ManifestError> {
    by_class(import, |above| {
        above.first().map(|g| genimage_name(g)).unwrap_or_default()
    })?;
    for file in import.files(&import.root.clone())? {
        let extension = file
            .extension()
            .map(|e| e.to_string_lossy().to_ascii_lowercase())
            .unwrap_or_default();
        let part = extension == "zip"
            || (extension.starts_with('z')
                && extension.len() == 3
                && extension[1..].chars().all(|c| c.is_ascii_digit()));
        if part {
            let known = text(&file);
            import.manifest.quarantined.retain(|q| q.path != known);
            import.quarantine(
                known,
                "part of a split archive: join with `zip -s0 IN.zip --out ALL.zip`, then unpack",
            );
        }
    }
    Ok(())
}
