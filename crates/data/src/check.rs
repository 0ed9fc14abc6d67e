//! What is wrong with a data set before anyone trains or tests on it: duplicates, leaks between
//! splits, and confounds that tell the classes apart without looking at how pictures were made.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use image::RgbImage;
use rand::prelude::*;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use realscope_delivery::{self as delivery, Filter};
use realscope_media::{Format, Limits, Options, decode};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::manifest::{Item, Manifest, ManifestError};
use realscope_metric::{Scores, auc};

/// Two items that show the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Twin {
    /// Paths.
    pub paths: [String; 2],
    /// `bytes` (same file) or `perceptual` (same picture, differently encoded).
    pub kind: String,
    /// Whether they lie in two splits.
    pub across_splits: bool,
    /// Whether they have two labels.
    pub labels_differ: bool,
}

/// How well something that is no trace tells the classes apart.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Confound {
    /// What the baseline sees.
    pub baseline: String,
    /// AUC out of sample, folds by group; null when a class is missing or has a single group.
    pub auc: Option<f64>,
    /// Whether that is better than chance allows: above .60 or below .40.
    pub warning: bool,
}

/// The findings.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Findings {
    /// Items by class, authentic first.
    pub items: [usize; 2],
    /// Items that could not be decoded, with the reason.
    pub unreadable: Vec<(String, String)>,
    /// Duplicates.
    pub twins: Vec<Twin>,
    /// Groups that lie in more than one split.
    pub groups_across_splits: Vec<String>,
    /// Videos that lie in more than one split.
    pub videos_across_splits: Vec<String>,
    /// Match sets with a single class.
    pub one_sided_match_sets: Vec<String>,
    /// Share of each format by class.
    pub formats: BTreeMap<String, [usize; 2]>,
    /// Baselines.
    pub confounds: Vec<Confound>,
}

impl Findings {
    /// Sentences for people, worst first.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut out = Vec::new();
        let crossing = self.twins.iter().filter(|t| t.across_splits).count();
        if crossing > 0 {
            out.push(format!("{crossing} duplicates lie in two splits"));
        }
        let contradicting = self.twins.iter().filter(|t| t.labels_differ).count();
        if contradicting > 0 {
            out.push(format!("{contradicting} duplicates have two labels"));
        }
        for (what, list) in [
            ("group", &self.groups_across_splits),
            ("video", &self.videos_across_splits),
        ] {
            if !list.is_empty() {
                out.push(format!(
                    "{} {what}s lie in more than one split: {}",
                    list.len(),
                    list.iter().take(5).cloned().collect::<Vec<_>>().join(", ")
                ));
            }
        }
        for c in self.confounds.iter().filter(|c| c.warning) {
            out.push(format!(
                "{} alone tells the classes apart with AUC {:.2}: encode and cut both alike before \
                 you believe an accuracy",
                c.baseline,
                c.auc.unwrap_or(0.5)
            ));
        }
        if !self.unreadable.is_empty() {
            out.push(format!("{} items cannot be decoded", self.unreadable.len()));
        }
        for set in &self.one_sided_match_sets {
            out.push(format!("match set `{set}` has a single class"));
        }
        out
    }
}

struct Seen {
    hash: [u8; 32],
    perceptual: u64,
    format: String,
    size: [f32; 3],
    quality: [f32; 3],
    thumbnail: Vec<f32>,
}

/// Difference hash: 64 signs of neighbours in a 9 x 8 grey thumbnail.
fn difference_hash(picture: &RgbImage) -> Option<u64> {
    let small = delivery::resize(picture, 9, 8, Filter::Box).ok()?;
    let grey = |x, y| {
        let p = small.get_pixel(x, y).0.map(u32::from);
        299 * p[0] + 587 * p[1] + 114 * p[2]
    };
    let mut hash = 0;
    for y in 0..8 {
        for x in 0..8 {
            hash = hash << 1 | u64::from(grey(x, y) > grey(x + 1, y));
        }
    }
    Some(hash)
}

/// A video by its middle frame; of its encoding nothing but that it is one.
fn look_at_video(path: &Path) -> Result<Seen, String> {
    let picture = crate::clip::middle(path)
        .map_err(|e| e.to_string())?
        .ok_or("no frames")?;
    let small = delivery::resize(&picture, 32, 32, Filter::Box).map_err(|e| e.to_string())?;
    let (w, h) = (f64::from(picture.width()), f64::from(picture.height()));
    let mut hash = Sha256::new();
    std::fs::File::open(path)
        .and_then(|mut file| std::io::copy(&mut file, &mut hash))
        .map_err(|e| e.to_string())?;
    Ok(Seen {
        hash: hash.finalize().into(),
        perceptual: difference_hash(&picture).unwrap_or(0),
        format: Format::Video.name().into(),
        size: [w.ln() as f32, h.ln() as f32, (w / h).ln().abs() as f32],
        quality: [101.0, 0.0, 0.0],
        thumbnail: small.as_raw().iter().map(|v| f32::from(*v)).collect(),
    })
}

fn look(path: &Path) -> Result<Seen, String> {
    if crate::clip::is_video(path).map_err(|e| e.to_string())? {
        return look_at_video(path);
    }
    let bytes = std::fs::read(path).map_err(|e| e.to_string())?;
    let limits = Limits::default();
    let d = decode(&bytes, &limits, &Options::default()).map_err(|e| e.to_string())?;
    let small = delivery::resize(&d.pixels, 32, 32, Filter::Box).map_err(|e| e.to_string())?;
    let (w, h) = (f64::from(d.facts.width), f64::from(d.facts.height));
    let jpeg = d.facts.jpeg.as_ref();
    Ok(Seen {
        hash: Sha256::digest(&bytes).into(),
        perceptual: difference_hash(&d.pixels).unwrap_or(0),
        format: d.facts.format.name().into(),
        size: [w.ln() as f32, h.ln() as f32, (w / h).ln().abs() as f32],
        quality: [
            jpeg.map_or(101.0, |j| f32::from(j.quality)),
            jpeg.map_or(0.0, |j| f32::from(u8::from(j.progressive))),
            jpeg.map_or(0.0, |j| {
                f32::from(u8::from(!j.double_compression_hints.is_empty()))
            }),
        ],
        thumbnail: small
            .as_raw()
            .iter()
            .map(|v| f32::from(*v) / 255.0)
            .collect(),
    })
}

/// Largest number of items of the baselines; more are sampled evenly.
const BASELINE_ITEMS: usize = 3000;

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
    let formats: Vec<&String> = out.formats.keys().collect();
    let one_hot = |s: &Seen| -> Vec<f32> {
        formats
            .iter()
            .map(|f| f32::from(u8::from(**f == s.format)))
            .collect()
    };
    let stride = seen.len().div_ceil(BASELINE_ITEMS).max(1);
    let sample: Vec<&(&Item, Seen)> = seen.iter().step_by(stride).collect();
    type Feature<'a> = Box<dyn Fn(&Seen) -> Vec<f32> + 'a>;
    let baselines: [(&str, Feature<'_>); 5] = [
        ("size", Box::new(|s| s.size.to_vec())),
        ("format", Box::new(one_hot)),
        ("JPEG quality and history", Box::new(|s| s.quality.to_vec())),
        (
            "size, format and JPEG history",
            Box::new(|s| [s.size.to_vec(), one_hot(s), s.quality.to_vec()].concat()),
        ),
        ("a 32x32 thumbnail", Box::new(|s| s.thumbnail.clone())),
    ];
    for (name, feature) in baselines {
        let rows: Vec<Vec<f32>> = sample.iter().map(|(_, s)| feature(s)).collect();
        let labels: Vec<bool> = sample.iter().map(|(i, _)| i.label == 1).collect();
        let groups: Vec<&str> = sample.iter().map(|(i, _)| i.group.as_str()).collect();
        let auc = out_of_sample_auc(&rows, &labels, &groups);
        out.confounds.push(Confound {
            baseline: name.into(),
            auc,
            warning: auc.is_some_and(|a| !(0.40..=0.60).contains(&a)),
        });
    }
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

/// Bits in which two perceptual hashes may differ.
const NEAR: u32 = 3;

fn twins(seen: &[(&Item, Seen)]) -> Vec<Twin> {
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

/// AUC of a ridge logistic regression on held-out groups, five folds.
fn out_of_sample_auc(rows: &[Vec<f32>], labels: &[bool], groups: &[&str]) -> Option<f64> {
    let mut names: Vec<&str> = groups.to_vec();
    names.sort_unstable();
    names.dedup();
    names.shuffle(&mut ChaCha8Rng::seed_from_u64(5));
    let fold: HashMap<&str, usize> = names.iter().enumerate().map(|(i, g)| (*g, i % 5)).collect();
    let mut scored = Vec::new();
    for f in 0..5 {
        let (train, test): (Vec<usize>, Vec<usize>) =
            (0..rows.len()).partition(|i| fold[groups[*i]] != f);
        let classes = |list: &[usize]| list.iter().map(|i| labels[*i]).collect::<BTreeSet<_>>();
        if classes(&train).len() < 2 {
            continue;
        }
        let weights = logistic(rows, labels, &train);
        let scores = test.iter().map(|i| (weights(&rows[*i]), labels[*i], 0));
        scored.push(Scores::new(scores.collect()));
    }
    // Folds have scales of their own, so that their AUCs are averaged, not their scores pooled.
    let (mut sum, mut weight) = (0.0, 0.0);
    for s in &scored {
        if let Some(a) = auc::auc(&s.all()) {
            sum += a * s.len() as f64;
            weight += s.len() as f64;
        }
    }
    (weight > 0.0).then(|| sum / weight)
}

fn logistic(rows: &[Vec<f32>], labels: &[bool], train: &[usize]) -> impl Fn(&[f32]) -> f64 {
    let width = rows.first().map_or(0, Vec::len);
    let n = train.len() as f32;
    let mut mean = vec![0.0_f32; width];
    let mut deviation = vec![0.0_f32; width];
    for i in train {
        for (m, v) in mean.iter_mut().zip(&rows[*i]) {
            *m += v / n;
        }
    }
    for i in train {
        for ((d, v), m) in deviation.iter_mut().zip(&rows[*i]).zip(&mean) {
            *d += (v - m).powi(2) / n;
        }
    }
    let scale: Vec<f32> = deviation
        .iter()
        .map(|d| if *d > 1e-9 { 1.0 / d.sqrt() } else { 0.0 })
        .collect();
    let positives = train.iter().filter(|i| labels[**i]).count() as f32;
    let weight = |i: usize| {
        if labels[i] {
            0.5 / positives
        } else {
            0.5 / (n - positives)
        }
    };
    let (mut w, mut b) = (vec![0.0_f32; width], 0.0_f32);
    let rate = 4.0 / (1.0 + width as f32);
    for _ in 0..200 {
        let mut gradient: Vec<f32> = w.iter().map(|v| 0.01 * v).collect();
        let mut gradient_b = 0.0;
        for i in train {
            let standard = rows[*i].iter().zip(mean.iter().zip(&scale));
            let z: f32 = standard
                .clone()
                .zip(&w)
                .map(|((v, (m, s)), w)| (v - m) * s * w)
                .sum();
            let target = f32::from(u8::from(labels[*i]));
            let e = weight(*i) * (1.0 / (1.0 + (-(z + b)).exp()) - target);
            gradient_b += e;
            for (g, (v, (m, s))) in gradient.iter_mut().zip(standard) {
                *g += e * (v - m) * s;
            }
        }
        for (w, g) in w.iter_mut().zip(&gradient) {
            *w -= rate * g;
        }
        b -= gradient_b;
    }
    move |row| {
        let z: f32 = row
            .iter()
            .zip(mean.iter().zip(&scale))
            .zip(&w)
            .map(|((v, (m, s)), w)| (v - m) * s * w)
            .sum();
        f64::from(z + b)
    }
}

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
