//! Features of items in all deliveries, kept in files so that an interrupted run goes on.

use std::collections::BTreeSet;
use std::io::{BufWriter, Seek as _, Write as _};
use std::path::Path;

use half::f16;
use rayon::prelude::*;
use realscope_data::manifest::Item;
use realscope_engine::{self as engine, EngineError, EngineKind, Threads, packed};

use super::deliveries::{Delivery, OF_STORED, views, whole};
use super::encoder::first;
use super::recipe::SemanticRecipe;
use crate::error::{TrainError, io_error, picture_error};
use crate::tier::TIERS;

/// Features of all items in all deliveries, half floats, item by item.
pub(super) struct Cache {
    values: Vec<f16>,
    width: usize,
    pub read: usize,
    deliveries: usize,
}

impl Cache {
    /// What the head reads of an item in a delivery.
    pub fn row(&self, item: usize, delivery: usize) -> &[f16] {
        let end = (item * self.deliveries + delivery + 1) * self.width;
        &self.values[end - self.read..end]
    }

    /// Rows of zeros, of what the head reads alone.
    pub fn zeros(items: usize, deliveries: usize, read: usize) -> Self {
        Self {
            values: vec![f16::ZERO; items * deliveries * read],
            width: read,
            read,
            deliveries,
        }
    }

    /// Takes all deliveries of an item from another cache.
    pub fn take(&mut self, item: usize, from: &Self, there: usize) {
        for d in 0..self.deliveries {
            let at = (item * self.deliveries + d) * self.read;
            self.values[at..at + self.read].copy_from_slice(from.row(there, d));
        }
    }
}

/// Items whose features are computed between two writes.
const BLOCK: usize = 64;

/// Computes what the cache file lacks; an interrupted run goes on behind the last whole block.
pub(super) fn cache(
    recipe: &SemanticRecipe,
    root: &Path,
    items: &[Item],
    deliveries: &[Delivery],
    onnx: &[u8],
    folder: &Path,
    log: &mut dyn FnMut(&str),
) -> Result<Cache, TrainError> {
    std::fs::create_dir_all(folder).map_err(io_error(folder))?;
    let kind = match deliveries[0] {
        Delivery::Drawn => "/drawn",
        Delivery::Window | Delivery::Stored(_) => "/stored",
        Delivery::Whole(_) => "/tiers",
        Delivery::Random(_) => "/random-and-tiers",
    };
    let stem = &recipe.identity(onnx, kind)[..16];
    let path = folder.join(format!("features-{stem}.f16"));
    let per_item = deliveries.len() * recipe.width();
    let done = std::fs::metadata(&path).map_or(0, |m| m.len() as usize) / (2 * per_item);
    let file = std::fs::OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(false)
        .open(&path)
        .map_err(io_error(&path))?;
    file.set_len((done * per_item * 2) as u64)
        .map_err(io_error(&path))?;
    let mut file = BufWriter::new(file);
    file.seek(std::io::SeekFrom::End(0))
        .map_err(io_error(&path))?;
    let int8 = packed::unpack(onnx)?;
    let engine =
        engine::load(EngineKind::Rten.for_many(), int8).map_err(|e| picture_error(&path, &e))?;
    let begun = std::time::Instant::now();
    for start in (done..items.len()).step_by(BLOCK) {
        let block = &items[start..items.len().min(start + BLOCK)];
        let prepared: Vec<Vec<Vec<f32>>> = block
            .par_iter()
            .map(|item| views(recipe, root, item, deliveries))
            .collect::<Result<_, TrainError>>()?;
        // Each view alone, as a scan does: the scale of 8-bit activations is taken over a batch.
        let inputs: Vec<Vec<f32>> = prepared.into_iter().flatten().collect();
        let run = |pixels: &Vec<f32>, threads: &Threads| first(engine.as_ref(), pixels, threads);
        let rows: Vec<Vec<f32>> = Threads::all()
            .side_by_side(&inputs, run)
            .map_err(|e: EngineError| picture_error(&path, &e))?;
        for value in rows.into_iter().flatten() {
            file.write_all(&f16::from_f32(value).to_le_bytes())
                .map_err(io_error(&path))?;
        }
        file.flush().map_err(io_error(&path))?;
        let at = start + block.len();
        let rate = (at - done) as f64 / begun.elapsed().as_secs_f64();
        log(&format!(
            "features of {at} of {} pictures, {:.0} s to go",
            items.len(),
            (items.len() - at) as f64 / rate
        ));
    }
    drop(file);
    let bytes = std::fs::read(&path).map_err(io_error(&path))?;
    Ok(Cache {
        values: bytes
            .chunks_exact(2)
            .map(|b| f16::from_le_bytes([b[0], b[1]]))
            .collect(),
        width: recipe.width(),
        read: recipe.read_width(),
        deliveries: deliveries.len(),
    })
}

/// Features of items: of random deliveries and of every tier, and of drawn versions and stored files where a recipe
/// asks for them.
pub(super) struct Features {
    /// Random deliveries of whole pictures, if any, then every tier.
    pub plain: Cache,
    /// How many of them are random.
    pub random: usize,
    /// Drawn versions.
    pub drawn: Option<Cache>,
    /// A random window, and the stored file in every tier.
    pub stored: Option<Cache>,
    /// Paths of items whose whole picture is stored beside them.
    pub siblings: BTreeSet<String>,
}

impl Features {
    /// What the head reads of whole pictures (`false`) and stored files (`true`) in the tiers: cache and number of the
    /// first tier.
    pub fn scored(&self) -> Vec<(bool, &Cache, usize)> {
        let whole = (false, &self.plain, self.random);
        let stored = self.stored.as_ref().map(|cache| (true, cache, 1));
        std::iter::once(whole).chain(stored).collect()
    }
}

/// Paths of items whose whole picture is stored beside them.
pub(super) fn siblings(root: &Path, items: &[Item]) -> BTreeSet<String> {
    items
        .iter()
        .filter(|i| whole(root, i) != root.join(&i.path))
        .map(|i| i.path.clone())
        .collect()
}

/// Features by one tower.
pub(super) fn all_features(
    recipe: &SemanticRecipe,
    root: &Path,
    items: &[Item],
    onnx: &[u8],
    out: &Path,
    log: &mut dyn FnMut(&str),
) -> Result<Features, TrainError> {
    let mut deliveries: Vec<Delivery> = (0..recipe.deliveries).map(Delivery::Random).collect();
    deliveries.extend(TIERS.map(Delivery::Whole));
    let mut of = |deliveries: &[Delivery]| cache(recipe, root, items, deliveries, onnx, out, log);
    Ok(Features {
        plain: of(&deliveries)?,
        random: recipe.deliveries as usize,
        drawn: match (recipe.drawn, &recipe.artwork) {
            (Some(_), _) | (_, Some(_)) => Some(of(&[Delivery::Drawn])?),
            (None, None) => None,
        },
        stored: match recipe.windows {
            Some(_) => Some(of(&OF_STORED)?),
            None => None,
        },
        siblings: siblings(root, items),
    })
}
