//! Features of items in all deliveries, kept in a store ([`crate::store`]).

use std::collections::BTreeSet;
use std::path::Path;

use half::f16;
use rayon::prelude::*;
use realscope_data::manifest::Item;
use realscope_engine::{self as engine, EngineError, EngineKind, Threads, packed};

use super::deliveries::{Delivery, OF_STORED, views, whole};
use super::encoder::{Frozen, first};
use super::recipe::SemanticRecipe;
use crate::error::{TrainError, io_error, picture_error};
use crate::store::{self, Key, Store};
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

/// Computes what the store lacks.
pub(super) fn cache(
    recipe: &SemanticRecipe,
    root: &Path,
    items: &[Item],
    deliveries: &[Delivery],
    encoder: &Frozen,
    folder: &Path,
    log: &mut dyn FnMut(&str),
) -> Result<Cache, TrainError> {
    std::fs::create_dir_all(folder).map_err(io_error(folder))?;
    let stem = &recipe.identity(&encoder.packed, deliveries)[..16];
    let path = folder.join(format!("features-{stem}.f16"));
    let mut store = Store::open(&path, deliveries.len() * encoder.width)?;
    let stored = deliveries.iter().all(|d| d.of_stored());
    let keys: Vec<Key> = items
        .par_iter()
        .map(|item| match stored {
            true => store::key(&root.join(&item.path)),
            false => store::key(&whole(root, item)),
        })
        .collect::<Result<_, TrainError>>()?;
    let mut missing: Vec<usize> = (0..items.len()).filter(|i| !store.has(&keys[*i])).collect();
    // Two items may have one content.
    let mut seen = BTreeSet::new();
    missing.retain(|i| seen.insert(keys[*i]));
    let int8 = packed::unpack(&encoder.packed)?;
    let engine =
        engine::load(EngineKind::Rten.for_many(), int8).map_err(|e| picture_error(&path, &e))?;
    let begun = std::time::Instant::now();
    for (n, block) in missing.chunks(BLOCK).enumerate() {
        let prepared: Vec<Vec<Vec<f32>>> = block
            .par_iter()
            .map(|i| {
                let seed = store::hex(&keys[*i]);
                views(recipe, root, &items[*i], &seed, &encoder.input, deliveries)
            })
            .collect::<Result<_, TrainError>>()?;
        // Each view alone, as a scan does: the scale of 8-bit activations is taken over a batch.
        let inputs: Vec<Vec<f32>> = prepared.into_iter().flatten().collect();
        let run = |pixels: &Vec<f32>, threads: &Threads| {
            first(engine.as_ref(), pixels, encoder.input.size, threads)
        };
        let rows: Vec<Vec<f32>> = Threads::all()
            .side_by_side(&inputs, run)
            .map_err(|e: EngineError| picture_error(&path, &e))?;
        for (i, rows) in block.iter().zip(rows.chunks(deliveries.len())) {
            let values: Vec<f16> = rows.iter().flatten().map(|v| f16::from_f32(*v)).collect();
            store.add(keys[*i], &values)?;
        }
        let done = n * BLOCK + block.len();
        let rate = done as f64 / begun.elapsed().as_secs_f64();
        log(&format!(
            "features of {done} of {} pictures, {:.0} s to go",
            missing.len(),
            (missing.len() - done) as f64 / rate
        ));
    }
    Ok(Cache {
        values: store.read(&keys)?,
        width: encoder.width,
        read: encoder.read,
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
    encoder: &Frozen,
    out: &Path,
    log: &mut dyn FnMut(&str),
) -> Result<Features, TrainError> {
    let mut deliveries: Vec<Delivery> = (0..recipe.deliveries).map(Delivery::Random).collect();
    deliveries.extend(TIERS.map(Delivery::Whole));
    let mut of =
        |deliveries: &[Delivery]| cache(recipe, root, items, deliveries, encoder, out, log);
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
