//! Features of the frames of clips, as made and encoded again, kept in a store ([`crate::store`]). A still is the clip
//! of a slow pan over it.

use std::path::Path;

use half::f16;
use rayon::prelude::*;
use realscope_data::clip;
use realscope_data::manifest::{Item, Manifest};
use realscope_data::split::{self, Framing};
use realscope_detectors::card::Input;
use realscope_detectors::network::{normalise, sha256};
use realscope_detectors::prepare;
use realscope_engine::{self as engine, Engine, EngineKind, Threads, packed};
use realscope_media::video::{Decoders, Plan, Video, VideoLimits};

use super::encode;
use super::recipe::VideoRecipe;
use crate::error::{TrainError, io_error, picture_error};
use crate::picture;
use crate::semantic::encoder::first;
use crate::semantic::head::folds;
use crate::store::{self, Key, Store};
use crate::tier::TIERS;

/// Clips whose features are computed between two writes.
const BLOCK: usize = 4;

/// Kind of content of an authentic clip that is a pan over a still.
const STILL: &str = "still";

/// Whether an item is a still.
pub(super) fn is_still(item: &Item) -> bool {
    Framing::Whole.fits(&item.path)
}

/// Clips and stills of a manifest, by path.
fn items(recipe: &VideoRecipe, manifest: &Manifest) -> Vec<Item> {
    let of_label = |all: Vec<Item>, label: u8| all.into_iter().filter(move |i| i.label == label);
    let mut items = Vec::new();
    for label in [0, 1] {
        let most = recipe.per_group[usize::from(label)];
        items.extend(of_label(split::clips(manifest, most), label));
        if let Some(most) = recipe.stills {
            let stills = split::training(manifest, Framing::Whole);
            let stills = split::capped(stills, most[usize::from(label)]);
            items.extend(of_label(stills, label).map(|i| Item {
                content: STILL.into(),
                ..i
            }));
        }
    }
    items.sort_by(|a, b| a.path.cmp(&b.path));
    items
}

/// Clips and the features of their frames, `[clip, tier, frame, width]`.
pub(super) struct Clips {
    pub items: Vec<Item>,
    values: Vec<f16>,
    pub width: usize,
    count: usize,
}

impl Clips {
    /// Lists the clips of a manifest and computes what the store lacks. `network` yields the features of a picture.
    pub fn read(
        recipe: &VideoRecipe,
        root: &Path,
        network: &[u8],
        input: &Input,
        out: &Path,
        log: &mut dyn FnMut(&str),
    ) -> Result<Self, TrainError> {
        let manifest = Manifest::read(&root.join(&recipe.manifest))?;
        let items = items(recipe, &manifest);
        let both = [0, 1].map(|label| items.iter().any(|i| i.label == label));
        if both != [true; 2] || folds(&items).len() < 2 {
            let n = items.len();
            let reason = format!("{n} clips: two folds and both classes are the least");
            return Err(TrainError::Recipe(reason));
        }
        let engine = engine::load(EngineKind::Rten.for_many(), packed::unpack(network)?)?;
        let width = width(engine.as_ref(), input)?;

        std::fs::create_dir_all(out).map_err(io_error(out))?;
        let settings = format!(
            "{}/{}/{}/{:?}/{:?}",
            sha256(network),
            recipe.frames,
            recipe.seconds,
            recipe.web,
            recipe.hard
        );
        let stem = &sha256(settings.as_bytes())[..16];
        let path = out.join(format!("clips-{stem}.f16"));
        let mut store = Store::open(&path, TIERS.len() * recipe.frames * width)?;
        let keys: Vec<Key> = items
            .par_iter()
            .map(|item| store::key(&root.join(&item.path)))
            .collect::<Result<_, TrainError>>()?;
        let mut missing: Vec<usize> = (0..items.len()).filter(|i| !store.has(&keys[*i])).collect();
        let mut seen = std::collections::BTreeSet::new();
        // Two items may have one content.
        missing.retain(|i| seen.insert(keys[*i]));
        let begun = std::time::Instant::now();
        for (n, block) in missing.chunks(BLOCK).enumerate() {
            let views: Vec<Vec<Vec<f32>>> = block
                .par_iter()
                .map(|i| views(recipe, root, &items[*i], &keys[*i], input))
                .collect::<Result<_, TrainError>>()?;
            // Each view alone, as a scan does: the scale of 8-bit activations is taken over a batch.
            let inputs: Vec<Vec<f32>> = views.into_iter().flatten().collect();
            let run = |pixels: &Vec<f32>, threads: &Threads| {
                first(engine.as_ref(), pixels, input.size, threads)
            };
            let rows: Vec<Vec<f32>> = Threads::all().side_by_side(&inputs, run)?;
            for (i, rows) in block.iter().zip(rows.chunks(TIERS.len() * recipe.frames)) {
                let values: Vec<f16> = rows.iter().flatten().map(|v| f16::from_f32(*v)).collect();
                store.add(keys[*i], &values)?;
            }
            let done = n * BLOCK + block.len();
            let rate = done as f64 / begun.elapsed().as_secs_f64();
            log(&format!(
                "features of {done} of {} clips, {:.0} s to go",
                missing.len(),
                (missing.len() - done) as f64 / rate
            ));
        }
        let values = store.read(&keys)?;
        Ok(Self {
            items,
            values,
            width,
            count: recipe.frames,
        })
    }

    /// What the heads read of each frame of a clip in a tier.
    pub fn frames(&self, clip: usize, tier: usize) -> Vec<&[f16]> {
        let first = (clip * TIERS.len() + tier) * self.count;
        (first..first + self.count)
            .map(|i| &self.values[i * self.width..(i + 1) * self.width])
            .collect()
    }

    /// The mean over the frames.
    pub fn mean(&self, clip: usize, tier: usize) -> Vec<f32> {
        let mut mean = vec![0.0; self.width];
        for row in self.frames(clip, tier) {
            for (m, v) in mean.iter_mut().zip(row) {
                *m += v.to_f32() / self.count as f32;
            }
        }
        mean
    }
}

/// Numbers that the network yields of a picture.
fn width(engine: &dyn Engine, input: &Input) -> Result<usize, TrainError> {
    let side = input.size as usize;
    let grey = vec![0.0; 3 * side * side];
    Ok(first(engine, &grey, input.size, &Threads::all())?.len())
}

/// Normalised pixels of the frames of a clip, or of a pan over a still, in every tier.
fn views(
    recipe: &VideoRecipe,
    root: &Path,
    item: &Item,
    key: &Key,
    input: &Input,
) -> Result<Vec<Vec<f32>>, TrainError> {
    let mut out = Vec::with_capacity(TIERS.len() * recipe.frames);
    let folder = tempfile::tempdir().map_err(io_error(&std::env::temp_dir()))?;
    let mut clip = root.join(&item.path);
    if is_still(item) {
        let made = folder.path().join("pan.mp4");
        encode::pan(&clip, &picture::open(&clip)?, key[0], &made)?;
        clip = made;
    }
    let clip = &clip;
    out.extend(frames(recipe, clip, input)?);
    for (encoding, name) in [(recipe.web, "web.mp4"), (recipe.hard, "hard.mp4")] {
        let encoded = folder.path().join(name);
        encoding.encode(clip, recipe.seconds, &encoded)?;
        out.extend(frames(recipe, &encoded, input)?);
    }
    Ok(out)
}

/// Normalised pixels of a clip's frames; a shorter clip shows some of them again.
fn frames(recipe: &VideoRecipe, clip: &Path, input: &Input) -> Result<Vec<Vec<f32>>, TrainError> {
    let fault = |e: &dyn std::fmt::Display| picture_error(clip, e);
    let limits = VideoLimits::default();
    let video = Video::open(clip, &limits, clip::DEADLINE, Decoders::Any).map_err(|e| fault(&e))?;
    let facts = video.facts();
    let plan = Plan::Uniform {
        first: 0,
        last: last(facts.frame_count, facts.duration_s, recipe.seconds),
        count: recipe.frames,
    };
    let found = clip::frames(clip, &plan).map_err(|e| fault(&e))?;
    if found.is_empty() {
        return Err(fault(&"no frames"));
    }
    (0..recipe.frames)
        .map(|i| {
            let frame = &found[i * found.len() / recipe.frames];
            let sample = prepare::shorter_side(&frame.pixels, input).map_err(|e| fault(&e))?;
            let mut pixels = Vec::new();
            normalise(&sample.frames, input, &mut pixels);
            Ok(pixels)
        })
        .collect()
}

/// Number of the last frame within the first `seconds`; `None` for that of the video.
fn last(frames: u64, duration_s: f64, seconds: f64) -> Option<u64> {
    (duration_s > seconds && frames > 0)
        .then(|| ((frames as f64 * seconds / duration_s) as u64).clamp(1, frames) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_clips_end_after_the_seconds_that_are_asked_for() {
        assert_eq!(last(300, 10.0, 10.0), None);
        assert_eq!(last(600, 20.0, 10.0), Some(299));
        assert_eq!(last(2, 600.0, 1.0), Some(0));
        assert_eq!(last(0, 600.0, 1.0), None);
    }
}
