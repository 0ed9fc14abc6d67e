//! Features of the frames of clips, or of the faces in them, as made and encoded again, kept in a store
//! ([`crate::store`]). A still is the clip of a slow pan over it.

use std::path::Path;

use half::f16;
use image::RgbImage;
use rayon::prelude::*;
use realscope_data::clip;
use realscope_data::manifest::{Item, Manifest};
use realscope_data::split::{self, Framing};
use realscope_detectors::card::{Input, View};
use realscope_detectors::faces::FaceFinder;
use realscope_detectors::network::{normalise, sha256};
use realscope_detectors::prepare::{self, FaceBox};
use realscope_detectors::{Rect, Sample};
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

/// The frame of a clip that a sample shows, and the face in it where it shows one.
type Spot = (usize, Option<FaceBox>);

/// What is shown of each frame.
struct Shown<'a> {
    recipe: &'a VideoRecipe,
    input: Input,
    /// Finds the faces that are shown in place of whole frames.
    finder: Option<FaceFinder>,
}

impl Clips {
    /// Lists the clips of a manifest and computes what the store lacks. `network` yields the features of a picture.
    /// Where a recipe is of faces, clips without one are left out.
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
        let mut shown = Shown {
            recipe,
            input: input.clone(),
            finder: None,
        };
        if let Some(faces) = recipe.faces {
            shown.input.view = View::face(faces.margin);
            shown.finder = Some(FaceFinder::embedded(EngineKind::Rten.for_many())?);
        }

        std::fs::create_dir_all(out).map_err(io_error(out))?;
        let settings = format!(
            "{}/{}/{}/{:?}/{:?}{}",
            sha256(network),
            recipe.frames,
            recipe.seconds,
            recipe.web,
            recipe.hard,
            recipe
                .faces
                .map_or(String::new(), |f| format!("/faces {}", f.margin)),
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
                .map(|i| shown.views(root, &items[*i], &keys[*i]))
                .collect::<Result<_, TrainError>>()?;
            let counts: Vec<usize> = views.iter().map(Vec::len).collect();
            // Each view alone, as a scan does: the scale of 8-bit activations is taken over a batch.
            let inputs: Vec<Vec<f32>> = views.into_iter().flatten().collect();
            let run = |pixels: &Vec<f32>, threads: &Threads| {
                first(engine.as_ref(), pixels, input.size, threads)
            };
            let mut rows = Threads::all().side_by_side(&inputs, run)?.into_iter();
            for (i, count) in block.iter().zip(counts) {
                let row = rows.by_ref().take(count).flatten();
                let mut values: Vec<f16> = row.map(f16::from_f32).collect();
                // Zeros stand for a clip of which nothing is shown.
                values.resize(TIERS.len() * recipe.frames * width, f16::ZERO);
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
        let each = TIERS.len() * recipe.frames * width;
        let (mut kept, mut values) = (Vec::new(), Vec::new());
        for (item, key) in items.into_iter().zip(keys) {
            let row = store.read(&[key])?;
            debug_assert_eq!(row.len(), each);
            if row.iter().any(|v| *v != f16::ZERO) {
                kept.push(item);
                values.extend(row);
            }
        }
        Ok(Self {
            items: kept,
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

impl Shown<'_> {
    /// Normalised pixels of the frames of a clip, or of a pan over a still, in every tier; nothing of a clip without
    /// faces where these are shown.
    fn views(&self, root: &Path, item: &Item, key: &Key) -> Result<Vec<Vec<f32>>, TrainError> {
        let recipe = self.recipe;
        let folder = tempfile::tempdir().map_err(io_error(&std::env::temp_dir()))?;
        let mut clip = root.join(&item.path);
        if is_still(item) {
            let Some(still) = self.still(&clip)? else {
                return Ok(Vec::new());
            };
            let made = folder.path().join("pan.mp4");
            encode::pan(&clip, &still, key[0], &made)?;
            clip = made;
        }
        let clip = &clip;
        let made = frames(recipe, clip)?;
        let Some(places) = self.places(clip, &made)? else {
            return Ok(Vec::new());
        };
        let mut out = Vec::with_capacity(TIERS.len() * recipe.frames);
        let size = made[0].dimensions();
        out.extend(self.normalised(clip, &made, &places, size)?);
        for (encoding, name) in [(recipe.web, "web.mp4"), (recipe.hard, "hard.mp4")] {
            let encoded = folder.path().join(name);
            encoding.encode(clip, recipe.seconds, &encoded)?;
            let again = frames(recipe, &encoded)?;
            out.extend(self.normalised(clip, &again, &places, size)?);
        }
        Ok(out)
    }

    /// A still; `None` where faces are shown and it has none.
    fn still(&self, path: &Path) -> Result<Option<RgbImage>, TrainError> {
        let still = picture::open(path)?;
        if let Some(finder) = &self.finder {
            let found = finder.find(&still, &Threads::of(1));
            if found.map_err(|e| picture_error(path, &e))?.is_empty() {
                return Ok(None);
            }
        }
        Ok(Some(still))
    }

    /// For each sample the frame that it shows, and the face in it: the largest. Frames without one are not shown;
    /// `None` where most have none.
    fn places(&self, clip: &Path, frames: &[RgbImage]) -> Result<Option<Vec<Spot>>, TrainError> {
        let Some(finder) = &self.finder else {
            return Ok(Some((0..frames.len()).map(|i| (i, None)).collect()));
        };
        let mut found = Vec::new();
        for (i, frame) in frames.iter().enumerate() {
            let faces = finder.find(frame, &Threads::of(1));
            let faces = faces.map_err(|e| picture_error(clip, &e))?;
            found.extend(faces.first().map(|face| (i, Some(*face))));
        }
        if found.is_empty() || 2 * found.len() < frames.len() {
            return Ok(None);
        }
        let chosen = (0..frames.len()).map(|i| found[i * found.len() / frames.len()]);
        Ok(Some(chosen.collect()))
    }

    /// Normalised pixels of what is shown of frames. Faces were found in frames of `size`.
    fn normalised(
        &self,
        clip: &Path,
        frames: &[RgbImage],
        places: &[Spot],
        size: (u32, u32),
    ) -> Result<Vec<Vec<f32>>, TrainError> {
        let fault = |e: &dyn std::fmt::Display| picture_error(clip, e);
        let sample = |(i, face): &Spot| -> Result<Sample, TrainError> {
            let frame = &frames[*i];
            let Some(face) = face else {
                return prepare::shorter_side(frame, &self.input).map_err(|e| fault(&e));
            };
            let face = FaceBox {
                rect: scaled(face.rect, size, frame.dimensions()),
                ..FaceBox::default()
            };
            let made = prepare::faces(frame, &[face], None, &self.recipe.detector, &self.input);
            let made = made.map_err(|e| fault(&e))?.pop();
            made.ok_or_else(|| fault(&"no face"))
        };
        let each = places.iter().map(|place| {
            let mut pixels = Vec::new();
            normalise(&sample(place)?.frames, &self.input, &mut pixels);
            Ok(pixels)
        });
        each.collect()
    }
}

/// A rectangle of a frame of one size in a frame of another.
fn scaled(r: Rect, from: (u32, u32), to: (u32, u32)) -> Rect {
    let place = |v: u32, from: u32, to: u32| {
        let v = u64::from(v) * u64::from(to) / u64::from(from.max(1));
        v.min(to.into()) as u32
    };
    let x = |v: u32| place(v, from.0, to.0);
    let y = |v: u32| place(v, from.1, to.1);
    let (left, top) = (x(r.left), y(r.top));
    Rect {
        left,
        top,
        width: (x(r.left + r.width) - left).max(1),
        height: (y(r.top + r.height) - top).max(1),
    }
}

/// A clip's frames; a shorter clip shows some of them again.
fn frames(recipe: &VideoRecipe, clip: &Path) -> Result<Vec<RgbImage>, TrainError> {
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
    let each = (0..recipe.frames).map(|i| found[i * found.len() / recipe.frames].pixels.clone());
    Ok(each.collect())
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

    #[test]
    fn faces_are_found_again_in_smaller_frames() {
        let of = |left, top, width, height| Rect {
            left,
            top,
            width,
            height,
        };
        let half = scaled(of(100, 50, 60, 81), (640, 480), (320, 240));
        assert_eq!(half, of(50, 25, 30, 40));
        let edge = scaled(of(600, 400, 40, 80), (640, 480), (101, 77));
        assert!(edge.left + edge.width <= 101 && edge.top + edge.height <= 77);
        assert_eq!(scaled(of(0, 0, 1, 1), (640, 480), (64, 48)), of(0, 0, 1, 1));
    }
}
