//! Duplicates: the same bytes, or the same picture encoded differently.

use std::collections::{BTreeMap, HashMap};

use super::findings::Twin;
use super::look::Seen;
use crate::manifest::Item;

/// Bits in which two perceptual hashes may differ.
const NEAR: u32 = 3;

/// All pairs of items that show the same.
pub(super) fn twins(seen: &[(&Item, Seen)]) -> Vec<Twin> {
    let mut found: BTreeMap<(usize, usize), &'static str> = BTreeMap::new();
    let mut by_bytes: HashMap<[u8; 32], usize> = HashMap::new();
    for (i, (_, s)) in seen.iter().enumerate() {
        if let Some(first) = by_bytes.get(&s.hash) {
            found.insert((*first, i), "bytes");
        } else {
            by_bytes.insert(s.hash, i);
        }
    }
    // Hashes that differ in at most three bits agree in at least one of four quarters.
    for quarter in 0..4 {
        let mut buckets: HashMap<u16, Vec<usize>> = HashMap::new();
        for (i, (_, s)) in seen.iter().enumerate() {
            // A flat picture has no gradient to compare.
            if s.perceptual == 0 || s.perceptual == u64::MAX {
                continue;
            }
            let key = (s.perceptual >> (16 * quarter)) as u16;
            buckets.entry(key).or_default().push(i);
        }
        for bucket in buckets.values() {
            for (k, a) in bucket.iter().enumerate() {
                for b in &bucket[k + 1..] {
                    let (x, y) = (&seen[*a].1, &seen[*b].1);
                    if (x.perceptual ^ y.perceptual).count_ones() <= NEAR && alike(x, y) {
                        found.entry((*a, *b)).or_insert("perceptual");
                    }
                }
            }
        }
    }
    found
        .into_iter()
        .map(|((a, b), kind)| {
            let (x, y) = (seen[a].0, seen[b].0);
            Twin {
                paths: [x.path.clone(), y.path.clone()],
                kind: kind.into(),
                across_splits: x.split != y.split,
                labels_differ: x.label != y.label,
            }
        })
        .collect()
}

/// Whether two thumbnails agree: hashes of gradients alone also agree by chance on smooth pictures.
fn alike(a: &Seen, b: &Seen) -> bool {
    let n = a.thumbnail.len() as f32;
    let difference: f32 = a
        .thumbnail
        .iter()
        .zip(&b.thumbnail)
        .map(|(x, y)| (x - y).abs())
        .sum();
    difference / n < 0.03
}
