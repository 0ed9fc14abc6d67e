//! Which items train and which validate. Groups are never divided.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::manifest::{Item, Manifest};

/// What a network sees of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Framing {
    /// A window at native resolution: how the picture is made.
    Crop,
    /// The whole picture resized to the input: what it shows.
    Whole,
}

impl Framing {
    /// Whether `path` is a picture that shows this. A file `*.whole.jpg` is a resized whole picture, `*.crop.jpg` a
    /// window at native resolution, any other an original.
    #[must_use]
    pub fn fits(self, path: &str) -> bool {
        let picture = [".jpg", ".jpeg", ".png", ".webp"]
            .iter()
            .any(|ext| path.ends_with(ext));
        picture
            && match self {
                Self::Crop => !path.ends_with(".whole.jpg"),
                Self::Whole => !path.ends_with(".crop.jpg"),
            }
    }
}

/// Whether `path` is a clip.
fn is_clip(path: &str) -> bool {
    [".mp4", ".gif", ".mkv", ".avi", ".webm", ".mov"]
        .iter()
        .any(|ext| path.ends_with(ext))
}

/// One of a clip's frames, evenly spread; in paths of items `CLIP#NUMBER/OF`, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClipFrame {
    /// Its number among them.
    pub number: usize,
    /// How many there are.
    pub of: usize,
}

impl ClipFrame {
    /// The clip and the frame that an item's path names; `None` for a picture.
    #[must_use]
    pub fn parse(path: &str) -> Option<(&str, Self)> {
        let (file, frame) = path.rsplit_once('#').filter(|(file, _)| is_clip(file))?;
        let (number, of) = frame.split_once('/')?;
        let (number, of) = (number.parse().ok()?, of.parse().ok()?);
        (number < of).then_some((file, Self { number, of }))
    }
}

/// The pictures of `split = train` that show `framing`.
#[must_use]
pub fn training(manifest: &Manifest, framing: Framing) -> Vec<Item> {
    listed(manifest)
        .filter(|i| framing.fits(&i.path))
        .cloned()
        .collect()
}

/// At most `most` items of each group and class, 0 for all: those whose paths have the lowest hashes, so that a choice
/// does not depend on the order of a manifest nor on other items.
#[must_use]
pub fn capped(items: Vec<Item>, most: usize) -> Vec<Item> {
    if most == 0 {
        return items;
    }
    let hash = |i: &Item| Sha256::digest(&i.path);
    let mut groups: BTreeMap<(String, u8), Vec<_>> = BTreeMap::new();
    for item in &items {
        let group = groups.entry((item.group.clone(), item.label)).or_default();
        group.push(hash(item));
    }
    for hashes in groups.values_mut() {
        hashes.sort_unstable();
        hashes.truncate(most);
    }
    let kept = |i: &Item| {
        let group = groups.get(&(i.group.clone(), i.label));
        group.is_some_and(|hashes| hashes.binary_search(&hash(i)).is_ok())
    };
    items.into_iter().filter(kept).collect()
}

/// `frames` frames of each clip of `split = train`, each an item of its own; at most `clips` clips of a group, 0 for
/// all.
#[must_use]
pub fn frames(manifest: &Manifest, frames: usize, clips: usize) -> Vec<Item> {
    let of_clip = |item: &Item| -> Vec<Item> {
        (0..frames)
            .map(|number| Item {
                path: format!("{}#{number}/{frames}", item.path),
                ..item.clone()
            })
            .collect()
    };
    self::clips(manifest, clips)
        .iter()
        .flat_map(of_clip)
        .collect()
}

/// The clips of `split = train`; at most `most` of each group and class, 0 for all.
#[must_use]
pub fn clips(manifest: &Manifest, most: usize) -> Vec<Item> {
    let all = listed(manifest).filter(|item| is_clip(&item.path));
    capped(all.cloned().collect(), most)
}

fn listed(manifest: &Manifest) -> impl Iterator<Item = &Item> {
    // A list of one's own has no splits: all of it trains.
    let trains = |i: &&Item| matches!(i.split.as_str(), "" | "train");
    manifest.items.iter().filter(trains)
}

/// Why items cannot be divided.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SplitError {
    /// A group would train and validate.
    #[error("group `{group}` lies in training and validation")]
    GroupOnBothSides {
        /// The group.
        group: String,
    },
    /// A side lacks a class.
    #[error("no picture of label {label} in training or validation")]
    NoPicture {
        /// The class.
        label: u8,
    },
}

/// Which items validate: those of any of these.
#[derive(Clone, Copy, Debug, Default)]
pub struct HeldOut<'a> {
    /// Match sets.
    pub match_sets: &'a [String],
    /// Groups.
    pub groups: &'a [String],
    /// Folds.
    pub folds: &'a [String],
}

impl HeldOut<'_> {
    fn holds(&self, item: &Item) -> bool {
        self.groups.contains(&item.group)
            || self.folds.contains(&item.fold)
            || (!item.match_set.is_empty() && self.match_sets.contains(&item.match_set))
    }
}

/// Items that train and items that validate, each in the order of the manifest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// Those that train.
    pub train: Vec<Item>,
    /// Those that validate.
    pub validation: Vec<Item>,
}

impl Split {
    /// Divides items.
    ///
    /// # Errors
    /// [`SplitError::GroupOnBothSides`], or [`SplitError::NoPicture`] when a side lacks a class.
    pub fn of(items: Vec<Item>, held_out: &HeldOut<'_>) -> Result<Self, SplitError> {
        let (validation, train): (Vec<Item>, Vec<Item>) =
            items.into_iter().partition(|item| held_out.holds(item));
        let groups =
            |side: &[Item]| -> BTreeSet<String> { side.iter().map(|i| i.group.clone()).collect() };
        if let Some(group) = groups(&train).intersection(&groups(&validation)).next() {
            return Err(SplitError::GroupOnBothSides {
                group: group.clone(),
            });
        }
        for label in [0, 1] {
            let lacks = |side: &[Item]| !side.iter().any(|i| i.label == label);
            if lacks(&train) || lacks(&validation) {
                return Err(SplitError::NoPicture { label });
            }
        }
        Ok(Self { train, validation })
    }
}

/// Items of one class by group.
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

    fn item(path: &str, label: u8, split: &str, group: &str, fold: &str) -> Item {
        Item {
            path: path.into(),
            label,
            split: split.into(),
            group: group.into(),
            fold: fold.into(),
            ..Item::default()
        }
    }

    #[test]
    fn frames_of_clips_are_items_of_their_own() {
        let manifest = Manifest {
            items: vec![
                item("a/1.jpg", 0, "train", "a", "0"),
                item("v/2.mp4", 1, "train", "b", "1"),
                item("v/3.gif", 0, "public", "c", ""),
            ],
            quarantined: vec![],
        };
        let paths = |items: &[Item]| items.iter().map(|i| i.path.clone()).collect::<Vec<_>>();
        assert_eq!(paths(&training(&manifest, Framing::Crop)), ["a/1.jpg"]);
        let found = frames(&manifest, 2, 0);
        assert!(found.iter().all(|i| i.label == 1 && i.fold == "1"));
        let found = paths(&found);
        assert_eq!(found, ["v/2.mp4#0/2", "v/2.mp4#1/2"]);
        let frame = ClipFrame { number: 1, of: 2 };
        assert_eq!(ClipFrame::parse(&found[1]), Some(("v/2.mp4", frame)));
        for other in ["a/1.jpg", "v/2.mp4", "v/2.mp4#2/2", "a#1/2", "v/2.mp4#x/2"] {
            assert_eq!(ClipFrame::parse(other), None, "{other}");
        }
    }

    #[test]
    fn groups_are_capped_whatever_the_order() {
        let mut items: Vec<Item> = (0..40)
            .map(|i| {
                let group = ["a", "b"][usize::from(i < 3)];
                item(&format!("{i}.jpg"), 0, "train", group, "0")
            })
            .collect();
        let paths =
            |items: Vec<Item>| -> BTreeSet<String> { items.into_iter().map(|i| i.path).collect() };
        let first = capped(items.clone(), 5);
        assert_eq!(first.len(), 5 + 3);
        items.reverse();
        assert_eq!(paths(capped(items.clone(), 5)), paths(first));
        assert_eq!(capped(items, 0).len(), 40);
    }

    #[test]
    fn crops_and_wholes_are_told_by_their_names() {
        for (path, crop, whole) in [
            ("a.crop.jpg", true, false),
            ("a.whole.jpg", false, true),
            ("a.png", true, true),
            ("a.mp4", false, false),
        ] {
            let fits = [Framing::Crop, Framing::Whole].map(|f| f.fits(path));
            assert_eq!(fits, [crop, whole], "{path}");
        }
    }

    #[test]
    fn a_group_is_never_on_both_sides() {
        let items = |fold: &str| {
            vec![
                item("1.jpg", 0, "train", "a", "0"),
                item("2.jpg", 1, "train", "b", "0"),
                item("3.jpg", 0, "train", "c", "1"),
                item("4.jpg", 1, "train", "d", "1"),
                item("5.jpg", 1, "train", "d", fold),
            ]
        };
        let folds = ["1".to_owned()];
        let held_out = HeldOut {
            folds: &folds,
            ..HeldOut::default()
        };
        let split = Split::of(items("1"), &held_out).expect("divides");
        assert_eq!((split.train.len(), split.validation.len()), (2, 3));
        assert_eq!(by_group(&split.validation, 1)["d"].len(), 2);
        assert_eq!(
            Split::of(items("0"), &held_out),
            Err(SplitError::GroupOnBothSides { group: "d".into() })
        );
        let lacking = items("1").into_iter().filter(|i| i.group != "b").collect();
        assert_eq!(
            Split::of(lacking, &held_out),
            Err(SplitError::NoPicture { label: 1 })
        );
    }
}
