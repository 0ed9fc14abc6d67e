//! The list of pictures and its split by group.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;

use crate::TrainError;
use crate::recipe::{Data, View};

#[derive(Deserialize)]
struct Row {
    path: String,
    label: u8,
    split: String,
    group: String,
    match_set: String,
    original_jpeg_quality: String,
    #[serde(default)]
    fold: String,
}

/// One picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Path below the data root.
    pub path: String,
    /// 1 = generated or manipulated.
    pub label: u8,
    /// Source or generator.
    pub group: String,
    /// Set in which both classes share source and style; empty for none.
    pub match_set: String,
    /// Cross-validation fold; whole sources share one. Empty where the manifest has none.
    pub fold: String,
    /// Quality of the file's first JPEG encoding, where known.
    pub jpeg_quality: Option<u8>,
}

/// Training and validation pictures.
#[derive(Clone, Debug, Default)]
pub struct Split {
    /// Pictures that train.
    pub train: Vec<Item>,
    /// Pictures that validate.
    pub validation: Vec<Item>,
}

/// Whether `path` is a picture that `view` reads. A file `*.whole.jpg` is a resized whole picture,
/// any other a native-resolution window or an original.
fn fits(path: &str, view: View) -> bool {
    let picture = [".jpg", ".jpeg", ".png", ".webp"]
        .iter()
        .any(|ext| path.ends_with(ext));
    picture
        && match view {
            View::Crop => !path.ends_with(".whole.jpg"),
            View::Whole => !path.ends_with(".crop.jpg"),
        }
}

/// Whether `path` is a clip.
fn clip(path: &str) -> bool {
    [".mp4", ".gif", ".mkv", ".avi", ".webm", ".mov"]
        .iter()
        .any(|ext| path.ends_with(ext))
}

/// One of a clip's frames, evenly spread; in paths of items `CLIP#NUMBER/OF`, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Its number among them.
    pub number: usize,
    /// How many there are.
    pub of: usize,
}

impl Frame {
    /// The clip and the frame that an item's path names; `None` for a picture.
    #[must_use]
    pub fn parse(path: &str) -> Option<(&str, Self)> {
        let (file, frame) = path.rsplit_once('#').filter(|(file, _)| clip(file))?;
        let (number, of) = frame.split_once('/')?;
        let (number, of) = (number.parse().ok()?, of.parse().ok()?);
        (number < of).then_some((file, Self { number, of }))
    }
}

/// Pictures of `split = train` of a tab-separated manifest that `view` reads.
///
/// # Errors
/// [`TrainError::Manifest`] naming the row.
pub fn training(root: &Path, manifest: &Path, view: View) -> Result<Vec<Item>, TrainError> {
    let mut items = listed(root, manifest)?;
    items.retain(|item| fits(&item.path, view));
    Ok(items)
}

/// `frames` frames of each clip of `split = train` of a tab-separated manifest.
///
/// # Errors
/// [`TrainError::Manifest`] naming the row.
pub fn frames(root: &Path, manifest: &Path, frames: usize) -> Result<Vec<Item>, TrainError> {
    let clips = listed(root, manifest)?;
    let of_clip = |item: &Item| -> Vec<Item> {
        (0..frames)
            .map(|number| Item {
                path: format!("{}#{number}/{frames}", item.path),
                ..item.clone()
            })
            .collect()
    };
    Ok(clips
        .iter()
        .filter(|item| clip(&item.path))
        .flat_map(of_clip)
        .collect())
}

/// Everything of `split = train` of a tab-separated manifest.
fn listed(root: &Path, manifest: &Path) -> Result<Vec<Item>, TrainError> {
    let path = root.join(manifest);
    let fault = |reason: String| TrainError::Manifest {
        path: path.clone(),
        reason,
    };
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(b'\t')
        .from_path(&path)
        .map_err(|e| fault(e.to_string()))?;
    let mut items = Vec::new();
    for (number, row) in reader.deserialize::<Row>().enumerate() {
        let row = row.map_err(|e| fault(format!("row {}: {e}", number + 2)))?;
        if row.label > 1 {
            return Err(fault(format!("row {}: label {}", number + 2, row.label)));
        }
        if row.split == "train" {
            items.push(Item {
                path: row.path,
                label: row.label,
                group: row.group,
                match_set: row.match_set,
                fold: row.fold,
                jpeg_quality: row.original_jpeg_quality.parse().ok(),
            });
        }
    }
    Ok(items)
}

/// Reads a manifest as [`training`] does and splits it.
///
/// # Errors
/// [`TrainError::Manifest`] naming the row, also when a group would lie on both sides.
pub fn read(root: &Path, data: &Data, view: View) -> Result<Split, TrainError> {
    let fault = |reason: String| TrainError::Manifest {
        path: root.join(&data.manifest),
        reason,
    };
    let mut split = Split::default();
    let (mut training_groups, mut validating) = (BTreeSet::new(), BTreeSet::new());
    let mut items = training(root, &data.manifest, view)?;
    if data.frames > 0 {
        items.extend(frames(root, &data.manifest, data.frames)?);
    }
    for item in items {
        let validates = data.validation_groups.contains(&item.group)
            || data.validation_folds.contains(&item.fold)
            || (!item.match_set.is_empty() && data.validation_match_sets.contains(&item.match_set));
        if validates {
            validating.insert(item.group.clone());
            split.validation.push(item);
        } else {
            training_groups.insert(item.group.clone());
            split.train.push(item);
        }
    }
    if let Some(group) = training_groups.intersection(&validating).next() {
        return Err(fault(format!(
            "group `{group}` lies in training and validation"
        )));
    }
    for label in [0, 1] {
        if !split.train.iter().any(|i| i.label == label)
            || !split.validation.iter().any(|i| i.label == label)
        {
            return Err(fault(format!(
                "no picture of label {label} in training or validation"
            )));
        }
    }
    Ok(split)
}

/// Pictures of one class by group.
#[must_use]
pub fn by_group(items: &[Item], label: u8) -> BTreeMap<&str, Vec<&Item>> {
    let mut groups: BTreeMap<&str, Vec<&Item>> = BTreeMap::new();
    for item in items.iter().filter(|i| i.label == label) {
        groups.entry(&item.group).or_default().push(item);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_clips_are_items_of_their_own() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let head = "path\tlabel\tsplit\tfold\tgroup\tmatch_set\toriginal_jpeg_quality\n";
        let rows = "a/1.jpg\t0\ttrain\t0\ta\t\t92\nv/2.mp4\t1\ttrain\t1\tb\t\t\nv/3.gif\t0\tpublic\t\tc\t\t\n";
        std::fs::write(folder.path().join("m.tsv"), format!("{head}{rows}")).expect("writes");
        let manifest = Path::new("m.tsv");
        let paths = |items: Vec<Item>| items.into_iter().map(|i| i.path).collect::<Vec<_>>();
        let pictures = training(folder.path(), manifest, View::Crop).expect("reads");
        assert_eq!(paths(pictures), ["a/1.jpg"]);
        let found = frames(folder.path(), manifest, 2).expect("reads");
        assert!(found.iter().all(|i| i.label == 1 && i.fold == "1"));
        let found = paths(found);
        assert_eq!(found, ["v/2.mp4#0/2", "v/2.mp4#1/2"]);
        let frame = Frame { number: 1, of: 2 };
        assert_eq!(Frame::parse(&found[1]), Some(("v/2.mp4", frame)));
        for other in ["a/1.jpg", "v/2.mp4", "v/2.mp4#2/2", "a#1/2", "v/2.mp4#x/2"] {
            assert_eq!(Frame::parse(other), None, "{other}");
        }
    }
}
