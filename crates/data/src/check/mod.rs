//! What is wrong with a data set before anyone trains or tests on it: duplicates, leaks between
//! splits, and confounds that tell the classes apart without looking at how pictures were made.
//!
//! Open first: [`check`] here, then `findings.rs`.

mod confounds;
mod findings;
mod look;
mod split;
mod twins;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rayon::prelude::*;

use crate::manifest::{Item, Manifest};

pub use findings::{Confound, Findings, Twin};
pub use split::split;

use confounds::confounds;
use look::{Seen, look};
use twins::twins;

/// Looks at every picture of a manifest, and at the middle frame of every video.
#[must_use]
pub fn check(manifest: &Manifest, base: &Path, progress: &(dyn Fn() + Sync)) -> Findings {
    let looked: Vec<Result<Seen, String>> = manifest
        .items
        .par_iter()
        .map(|item| {
            progress();
            look(&base.join(&item.path))
        })
        .collect();
    let mut out = rows(manifest);
    let mut seen: Vec<(&Item, Seen)> = Vec::new();
    for (item, outcome) in manifest.items.iter().zip(looked) {
        match outcome {
            Ok(s) => seen.push((item, s)),
            Err(e) => out.unreadable.push((item.path.clone(), e)),
        }
    }
    for (item, s) in &seen {
        out.formats.entry(s.format.clone()).or_default()[usize::from(item.label)] += 1;
    }
    out.twins = twins(&seen);
    out.confounds = confounds(&seen, out.formats.keys());
    out
}

/// What the rows of a manifest show without opening a file.
#[must_use]
pub fn rows(manifest: &Manifest) -> Findings {
    let mut out = Findings {
        items: manifest.counts(),
        ..Findings::default()
    };
    out.groups_across_splits = crossing(manifest, |i| &i.group);
    out.videos_across_splits = crossing(manifest, |i| &i.video);
    let mut sets: BTreeMap<&str, BTreeSet<u8>> = BTreeMap::new();
    for item in manifest.items.iter().filter(|i| !i.match_set.is_empty()) {
        sets.entry(&item.match_set).or_default().insert(item.label);
    }
    out.one_sided_match_sets = sets
        .into_iter()
        .filter(|(_, labels)| labels.len() < 2)
        .map(|(set, _)| set.to_owned())
        .collect();
    out
}

fn crossing(manifest: &Manifest, key: impl Fn(&Item) -> &String) -> Vec<String> {
    let mut splits: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for item in manifest.items.iter().filter(|i| !i.split.is_empty()) {
        if !key(item).is_empty() {
            splits.entry(key(item)).or_default().insert(&item.split);
        }
    }
    splits
        .into_iter()
        .filter(|(_, s)| s.len() > 1)
        .map(|(k, _)| k.to_owned())
        .collect()
}
