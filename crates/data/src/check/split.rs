//! Splits of a data set that has none.

use std::collections::BTreeMap;
use std::path::Path;

use rand::prelude::*;
use rand_chacha::ChaCha8Rng;

use crate::manifest::{Manifest, ManifestError};

/// Assigns splits by group. Groups that share a match set or a video stay together. `shares` are the
/// wanted parts, such as `[("train", 0.7), ("test", 0.3)]`.
///
/// # Errors
/// [`ManifestError::File`] when there are fewer clusters of groups than parts.
pub fn split(
    manifest: &mut Manifest,
    shares: &[(String, f64)],
    seed: u64,
) -> Result<(), ManifestError> {
    let mut cluster: BTreeMap<String, usize> = BTreeMap::new();
    let mut parent: Vec<usize> = Vec::new();
    fn root(parent: &mut [usize], mut i: usize) -> usize {
        while parent[i] != i {
            parent[i] = parent[parent[i]];
            i = parent[i];
        }
        i
    }
    let mut node = |name: String, parent: &mut Vec<usize>| {
        *cluster.entry(name).or_insert_with(|| {
            parent.push(parent.len());
            parent.len() - 1
        })
    };
    let mut of_item = Vec::with_capacity(manifest.items.len());
    for item in &manifest.items {
        let own = node(format!("g/{}", item.group), &mut parent);
        for (kind, name) in [("m", &item.match_set), ("v", &item.video)] {
            if !name.is_empty() {
                let other = node(format!("{kind}/{name}"), &mut parent);
                let (a, b) = (root(&mut parent, own), root(&mut parent, other));
                parent[a] = b;
            }
        }
        of_item.push(own);
    }
    let mut sizes: BTreeMap<usize, [f64; 2]> = BTreeMap::new();
    for (item, own) in manifest.items.iter().zip(&of_item) {
        let root = root(&mut parent, *own);
        sizes.entry(root).or_default()[usize::from(item.label)] += 1.0;
    }
    if sizes.len() < shares.len() {
        return Err(ManifestError::file(
            Path::new("manifest"),
            format!(
                "{} independent clusters of groups for {} splits",
                sizes.len(),
                shares.len()
            ),
        ));
    }
    let total = [0, 1].map(|c| sizes.values().map(|s| s[c]).sum::<f64>().max(1.0));
    let mut order: Vec<(usize, [f64; 2])> = sizes.into_iter().collect();
    order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    // Large ones first: they fit worst.
    order.sort_by(|a, b| (b.1[0] + b.1[1]).total_cmp(&(a.1[0] + a.1[1])));
    let wanted: f64 = shares.iter().map(|s| s.1).sum();
    let mut filled = vec![[0.0_f64; 2]; shares.len()];
    let mut chosen: BTreeMap<usize, usize> = BTreeMap::new();
    for (root, size) in order {
        let lack = |part: usize| {
            let share = shares[part].1 / wanted;
            [0, 1]
                .map(|c| size[c] / total[c] * (share - filled[part][c] / total[c]) / share)
                .iter()
                .sum::<f64>()
        };
        let best = (0..shares.len())
            .max_by(|a, b| lack(*a).total_cmp(&lack(*b)))
            .unwrap_or(0);
        for c in 0..2 {
            filled[best][c] += size[c];
        }
        chosen.insert(root, best);
    }
    for (item, own) in manifest.items.iter_mut().zip(of_item) {
        let part = chosen[&root(&mut parent, own)];
        item.split.clone_from(&shares[part].0);
    }
    Ok(())
}
