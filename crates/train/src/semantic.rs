//! The semantic expert: a linear head on the blocks of a frozen CLIP image tower.
//!
//! After RINE (Koutlis and Papadopoulos, ECCV 2024, arXiv 2402.19091), which found that the first
//! blocks carry most of what tells generated pictures: class token, mean and if asked for deviation of the patch
//! tokens of blocks, a single linear layer. The tower ships packed (on entropy-coded lattices, [`crate::lattice`], or
//! 4 bits a weight) and runs in 8 bits ([`realscope_engine::packed`]); the head is fitted on what that very form computes.
//!
//! Folds are those of the manifest, whole sources each. Learning rate and calibration come from scores on
//! held-out folds; the head that ships is fitted on all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use half::f16;
use image::RgbImage;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use realscope_delivery::{self as delivery, DeliveryError, Subsampling};
use realscope_detectors::Logit;
use realscope_detectors::calibration::{Calibration, Tier};
use realscope_detectors::card::{
    Card, Colour, Filter, FlagKind, FlagRates, Head, Input, Polarity, Status, Task, View,
};
use realscope_detectors::network::{normalise, sha256};
use realscope_detectors::{prepare, tower};
use realscope_engine::{
    self as engine, Engine, EngineError, EngineKind, Threads, packed as packing,
};
use realscope_nn::vit::{ClipVision, VitConfig};
use realscope_nn::{Cpu, Parameters, StateDict};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::adapter::Adapter;
use crate::augment::Plan;
use crate::batch::{self, picture_error};
use crate::calibrate::{self, Scored};
use crate::lattice::{self, Lattice};
use crate::manifest::{self, Frame, Item};
use crate::probe::{self, Early, Linear};
use crate::recipe::{Augment, Data};
use crate::{TrainError, io_error, metrics};

/// Mean and deviation per channel that CLIP was trained with.
const MEAN: [f32; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
const STD: [f32; 3] = [0.268_629_54, 0.261_302_6, 0.275_777_1];
const SIDE: u32 = 224;
/// Longest edge of a stored whole picture; larger ones are brought to it, so that all arms start alike.
const STORED: u32 = 272;

/// Largest window at native resolution.
const WINDOW: u32 = 512;

/// How a picture is delivered ahead of the tower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Delivery {
    /// The fixed arm of a tier.
    Arm(Tier),
    /// A random delivery with its number.
    Random(u32),
    /// A random delivery of a picture that a filter made look painted or drawn.
    Drawn,
    /// A random delivery of a window at native resolution.
    Window,
    /// The stored file at native resolution, in the arm of the `delivery` protocol that belongs to a tier.
    Native(Tier),
}

/// A second head that tells what looks painted or drawn, so that it is not accused.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArtworkRecipe {
    /// Groups of generated pictures in artists' styles: positive, like drawn versions of authentic pictures.
    pub styled: Vec<String>,
    /// Groups of generated pictures that look like photographs: negative, like authentic pictures.
    pub photographic: Vec<String>,
    /// Share of authentic photographs of held-out folds that may count as painted or drawn.
    pub photographs: f64,
}

/// A recipe of this kind.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Name of what is trained.
    pub name: String,
    /// CLIP ViT-B/16: safetensors or PyTorch in the published layout, or an 8-bit ONNX file.
    pub encoder: PathBuf,
    /// First blocks that are kept.
    pub blocks: usize,
    /// Last of them that the head reads.
    pub read: usize,
    /// Also read the deviation of the patch tokens.
    #[serde(default)]
    pub deviations: bool,
    /// Random deliveries of each picture that are fitted.
    pub deliveries: u32,
    /// Weight of a painted or drawn version of each authentic and each generated picture, relative to a random
    /// delivery; without it there are none.
    #[serde(default)]
    pub drawn: Option<[f64; 2]>,
    /// Weight of a random window of each picture at native resolution, relative to a random delivery of the whole.
    /// With it (0 for none that is fitted) the stored files at native resolution, many of which are windows, are
    /// scored and calibrated beside the whole pictures.
    #[serde(default)]
    pub windows: Option<f64>,
    /// Within each class let pictures whose whole is stored beside a window count as much, in sum, as those that are
    /// stored once, so that how much of a scene is seen says nothing of the class.
    #[serde(default)]
    pub balance_views: bool,
    /// Second head: what looks painted or drawn.
    #[serde(default)]
    pub artwork: Option<ArtworkRecipe>,
    /// Learning rates that are tried on held-out folds.
    pub learning_rates: Vec<f64>,
    /// Passes over the pictures of each fit.
    pub epochs: usize,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Share of features left out of each row and step.
    pub dropout: f64,
    /// Targets are moved this far towards one half.
    pub smoothing: f64,
    /// Seed of random deliveries.
    pub seed: u64,
    /// Failures that the card states.
    #[serde(default)]
    pub known_failures: Vec<String>,
    /// Write the head alone, for an encoder that the user imports; the tower then has 8 bits a weight.
    #[serde(default)]
    pub head_alone: bool,
    /// Folder of low-rank updates of the tower and the heads fitted with them ([`crate::adapter`]), relative to the
    /// current folder. They take the place of heads that are fitted here; `learning_rates` then is of `artwork` alone.
    #[serde(default)]
    pub adapter: Option<PathBuf>,
    /// Put the tower's matrices on entropy-coded lattices; without it they have 4 bits a weight.
    #[serde(default)]
    pub lattice: Option<Lattice>,
    /// Data.
    pub data: Data,
    /// Random delivery, the same for both classes.
    pub augment: Augment,
}

impl Recipe {
    /// Reads a recipe.
    ///
    /// # Errors
    /// [`TrainError::Io`] or [`TrainError::Recipe`].
    pub fn read(path: &Path) -> Result<Self, TrainError> {
        let text = std::fs::read_to_string(path).map_err(io_error(path))?;
        let recipe: Self = toml::from_str(&text).map_err(|e| TrainError::Recipe(e.to_string()))?;
        if !(1..=12).contains(&recipe.blocks)
            || !(1..=recipe.blocks).contains(&recipe.read)
            || recipe.deliveries == 0
            || recipe.learning_rates.is_empty()
            || !(0.0..1.0).contains(&recipe.dropout)
            || recipe
                .drawn
                .iter()
                .flatten()
                .chain(&recipe.windows)
                .any(|w| !(0.0..=100.0).contains(w))
        {
            return Err(TrainError::Recipe(
                "`blocks` must be 1 to 12, `read` at most that, `deliveries` and `learning_rates` not \
                 empty, `dropout` below 1, weights of `drawn` and `windows` 0 to 100"
                    .into(),
            ));
        }
        if let Some(lattice) = &recipe.lattice {
            lattice.check()?;
        }
        if let Some(artwork) = &recipe.artwork
            && !(0.0..0.5).contains(&artwork.photographs)
        {
            return Err(TrainError::Recipe(
                "`artwork`: `photographs` must be 0 to 0.5".into(),
            ));
        }
        if recipe.head_alone
            && (recipe.blocks != 12
                || recipe.deviations
                || recipe.lattice.is_some()
                || recipe.adapter.is_some())
        {
            return Err(TrainError::Recipe(
                "`head_alone` is for the whole encoder as imported: 12 `blocks`, no `deviations`, `lattice` or \
                 `adapter`"
                    .into(),
            ));
        }
        Ok(recipe)
    }

    /// Whether a recipe file is of this kind.
    #[must_use]
    pub fn is_one(text: &str) -> bool {
        toml::from_str::<toml::Table>(text).is_ok_and(|t| t.contains_key("encoder"))
    }

    /// How a head is fitted at a learning rate.
    fn early(&self, learning_rate: f64) -> Early {
        Early {
            epochs: self.epochs,
            learning_rate,
            weight_decay: self.weight_decay,
            dropout: self.dropout,
            smoothing: self.smoothing,
            seed: self.seed,
        }
    }

    fn config(&self) -> VitConfig {
        VitConfig {
            depth: self.blocks,
            ..VitConfig::clip_b16()
        }
    }

    /// Vectors of a block.
    fn statistics(&self) -> usize {
        if self.deviations { 3 } else { 2 }
    }

    /// Length of the feature vector of all kept blocks.
    #[must_use]
    pub fn width(&self) -> usize {
        self.statistics() * self.blocks * self.config().hidden
    }

    /// Length of the part that the head reads.
    #[must_use]
    pub fn read_width(&self) -> usize {
        self.statistics() * self.read * self.config().hidden
    }

    /// Everything that the cached features depend on.
    fn identity(&self, encoder: &[u8], kind: &str) -> String {
        let text = format!(
            "{}/{}/{}/{}{kind}",
            sha256(encoder),
            self.deliveries,
            self.seed,
            serde_json::to_string(&self.augment).unwrap_or_default()
        );
        sha256(text.as_bytes())
    }
}

/// The tower on lattices, kept in `out` so that a run that goes on need not round again.
fn rounded(
    recipe: &Recipe,
    how: &Lattice,
    mut tower: ClipVision<Cpu>,
    root: &Path,
    items: &[Item],
    out: &Path,
    log: &mut dyn FnMut(&str),
) -> Result<ClipVision<Cpu>, TrainError> {
    use burn::tensor::{Tensor, TensorData};
    use rand::seq::IteratorRandom as _;
    let device = Default::default();
    let mut rng = ChaCha8Rng::seed_from_u64(recipe.seed);
    let pictures = items.iter().filter(|i| Frame::parse(&i.path).is_none());
    let mut chosen: Vec<&Item> = pictures.choose_multiple(&mut rng, how.pictures);
    chosen.sort_by(|a, b| a.path.cmp(&b.path));
    let mut known = Sha256::new();
    chosen.iter().for_each(|item| known.update(&item.path));
    known.update(serde_json::to_vec(&(how, recipe.seed, &recipe.augment)).unwrap_or_default());
    known.update(
        tower
            .state_dict()
            .to_safetensors()
            .map_err(TrainError::Recipe)?,
    );
    let stem: String = known.finalize()[..8]
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    let path = out.join(format!("tower-{stem}.safetensors"));
    if path.is_file() {
        tower.load(&StateDict::read(&path)?, &device)?;
        return Ok(tower);
    }
    let pixels: Vec<Vec<f32>> = chosen
        .par_iter()
        .map(|item| Ok(views(recipe, root, item, &[Delivery::Random(0)])?.concat()))
        .collect::<Result<_, TrainError>>()?;
    let side = SIDE as usize;
    let input = TensorData::new(pixels.concat(), [pixels.len(), 3, side, side]);
    let input = Tensor::<Cpu, 4>::from_data(input, &device);
    log(&format!("rounding the tower on {} pictures", pixels.len()));
    let mut tower = lattice::round::<Cpu, _>(tower, how, |tower, eager| {
        let _: Tensor<Cpu, 2> = tower.block_features(eager, input);
    })?;
    std::fs::create_dir_all(out).map_err(io_error(out))?;
    let bytes = tower
        .state_dict()
        .to_safetensors()
        .map_err(TrainError::Recipe)?;
    // A run that is killed here leaves no half file under the name that the next one reads.
    let fresh = path.with_extension("new");
    std::fs::write(&fresh, bytes).map_err(io_error(&fresh))?;
    std::fs::rename(&fresh, &path).map_err(io_error(&path))?;
    Ok(tower)
}

/// A tower with the updates of an adapter beside its matrices, and its network of features in the form in which it
/// is deployed.
fn deployed(
    recipe: &Recipe,
    mut tower: ClipVision<Cpu>,
    adapter: Option<&Adapter>,
    log: &mut dyn FnMut(&str),
) -> Result<(ClipVision<Cpu>, Vec<u8>), TrainError> {
    if let Some(adapter) = adapter {
        tower = adapter.apply(tower)?;
    }
    let packed = network(recipe, &tower, &[])?;
    log(&format!(
        "tower of {} blocks: {} bytes packed",
        recipe.blocks,
        packed.len()
    ));
    Ok((tower, packed))
}

/// Network that yields the features, or with heads their logits, in the form in which it is deployed.
fn network(
    recipe: &Recipe,
    tower: &ClipVision<Cpu>,
    heads: &[&Linear],
) -> Result<Vec<u8>, TrainError> {
    let heads: Vec<(&[f32], f32)> = heads
        .iter()
        .map(|h| (h.weight.as_slice(), h.bias))
        .collect();
    let float = tower::network(&recipe.name, tower, recipe.deviations, &heads);
    Ok(if recipe.head_alone {
        packing::dynamic_int8(&float)?
    } else if recipe.adapter.is_some() {
        // Room for the updates: the patches' kernel takes 8 bits a weight in place of 16.
        packing::pack_kernels(&float)?
    } else {
        packing::pack(&float)?
    })
}

/// The whole picture that belongs to an item: a stored crop's sibling where there is one.
fn whole(root: &Path, item: &Item) -> PathBuf {
    let sibling = item.path.replace(".crop.jpg", ".whole.jpg");
    let path = root.join(&sibling);
    if sibling != item.path && path.is_file() {
        path
    } else {
        root.join(&item.path)
    }
}

/// A whole picture in a tier of its own scale: JPEG q95; three quarters at q60; half at q40.
pub(crate) fn deliver(picture: &RgbImage, tier: Tier) -> Result<RgbImage, DeliveryError> {
    let scaled = |by: f64| {
        let side = |v: u32| ((f64::from(v) * by).round() as u32).max(8);
        delivery::resize(
            picture,
            side(picture.width()),
            side(picture.height()),
            delivery::Filter::Lanczos3,
        )
    };
    match tier {
        Tier::Clean => delivery::through_jpeg(picture, 95, Subsampling::S444),
        Tier::Web => delivery::through_jpeg(&scaled(0.75)?, 60, Subsampling::S420),
        Tier::Hard => delivery::through_jpeg(&scaled(0.5)?, 40, Subsampling::S420),
    }
}

/// A picture at native resolution as the `delivery` protocol delivers it: JPEG q95; at most 768 pixels, q60; at most
/// 512 pixels, q40.
fn deliver_native(picture: &RgbImage, tier: Tier) -> Result<RgbImage, DeliveryError> {
    let limited = |edge| delivery::limit_edge(picture, edge, delivery::Filter::Lanczos3);
    match tier {
        Tier::Clean => delivery::through_jpeg(picture, 95, Subsampling::S444),
        Tier::Web => delivery::through_jpeg(&limited(768)?, 60, Subsampling::S420),
        Tier::Hard => delivery::through_jpeg(&limited(512)?, 40, Subsampling::S420),
    }
}

fn input() -> Input {
    Input {
        size: SIDE,
        filter: Filter::Bicubic,
        colour: Colour::Rgb,
        mean: MEAN,
        std: STD,
        view: View::ShorterSide,
    }
}

/// A square of 224 to 512 pixels, or of the shorter side where that is less, at a random place.
fn random_window(picture: &RgbImage, rng: &mut ChaCha8Rng) -> RgbImage {
    use rand::Rng as _;
    let (width, height) = picture.dimensions();
    let most = width.min(height).min(WINDOW);
    let side = rng.random_range(SIDE.min(most)..=most);
    let (left, top) = (
        rng.random_range(0..=width - side),
        rng.random_range(0..=height - side),
    );
    delivery::crop(picture, left, top, side, side)
}

/// Normalised pixels of every delivery of an item. Windows at native resolution do not mix with the others.
fn views(
    recipe: &Recipe,
    root: &Path,
    item: &Item,
    deliveries: &[Delivery],
) -> Result<Vec<Vec<f32>>, TrainError> {
    let native = deliveries
        .iter()
        .all(|d| matches!(d, Delivery::Window | Delivery::Native(_)));
    let path = if native {
        root.join(&item.path)
    } else {
        whole(root, item)
    };
    let mut picture = batch::open(&path)?;
    let fault = |e: DeliveryError| picture_error(&path, &e);
    if !native {
        picture =
            delivery::limit_edge(&picture, STORED, delivery::Filter::Lanczos3).map_err(fault)?;
    }
    deliveries
        .iter()
        .map(|d| {
            let delivered = match d {
                Delivery::Arm(tier) => deliver(&picture, *tier).map_err(fault)?,
                Delivery::Native(tier) => deliver_native(&picture, *tier).map_err(fault)?,
                Delivery::Random(_) | Delivery::Drawn | Delivery::Window => {
                    let n = match d {
                        Delivery::Random(n) => n.to_string(),
                        Delivery::Window => "window".into(),
                        _ => "drawn".into(),
                    };
                    let digest = Sha256::digest(format!("{}/{n}/{}", recipe.seed, item.path));
                    let mut key = [0; 32];
                    key.copy_from_slice(&digest);
                    let mut rng = ChaCha8Rng::from_seed(key);
                    let mut plan = Plan::draw(&recipe.augment, &mut rng);
                    if *d == Delivery::Drawn {
                        plan = plan.drawn(&mut rng);
                    }
                    if *d == Delivery::Window {
                        let window = random_window(&picture, &mut rng);
                        plan.deliver_whole(&window).map_err(fault)?
                    } else {
                        plan.deliver_whole(&picture).map_err(fault)?
                    }
                }
            };
            let input = input();
            let sample = prepare::shorter_side(&delivered, &input).map_err(fault)?;
            let mut pixels = Vec::with_capacity(3 * (SIDE * SIDE) as usize);
            normalise(&sample.frames, &input, &mut pixels);
            Ok(pixels)
        })
        .collect()
}

/// Features of all items in all deliveries, half floats, item by item.
struct Cache {
    values: Vec<f16>,
    width: usize,
    read: usize,
    deliveries: usize,
}

impl Cache {
    /// What the head reads of an item in a delivery.
    fn row(&self, item: usize, delivery: usize) -> &[f16] {
        let end = (item * self.deliveries + delivery + 1) * self.width;
        &self.values[end - self.read..end]
    }

    /// Rows of zeros, of what the head reads alone.
    fn zeros(items: usize, deliveries: usize, read: usize) -> Self {
        Self {
            values: vec![f16::ZERO; items * deliveries * read],
            width: read,
            read,
            deliveries,
        }
    }

    /// Takes all deliveries of an item from another cache.
    fn take(&mut self, item: usize, from: &Self, there: usize) {
        for d in 0..self.deliveries {
            let at = (item * self.deliveries + d) * self.read;
            self.values[at..at + self.read].copy_from_slice(from.row(there, d));
        }
    }
}

/// What is computed of a stored file at native resolution.
const NATIVE_DELIVERIES: [Delivery; 4] = [
    Delivery::Window,
    Delivery::Native(Tier::Clean),
    Delivery::Native(Tier::Web),
    Delivery::Native(Tier::Hard),
];

/// Items whose features are computed between two writes.
const BLOCK: usize = 64;

/// The network's output for one normalised square.
fn first(engine: &dyn Engine, pixels: &[f32], threads: &Threads) -> Result<Vec<f32>, EngineError> {
    let side = SIDE as usize;
    let outputs = engine.run_all(pixels, &[1, 3, side, side], threads)?;
    let first = outputs.into_iter().next();
    first.map(|t| t.values).ok_or_else(|| EngineError::Run {
        engine: engine.kind().name(),
        reason: "the network has no output".into(),
    })
}

/// Computes what the cache file lacks; an interrupted run goes on behind the last whole block.
fn cache(
    recipe: &Recipe,
    root: &Path,
    items: &[Item],
    deliveries: &[Delivery],
    packed: &[u8],
    folder: &Path,
    log: &mut dyn FnMut(&str),
) -> Result<Cache, TrainError> {
    std::fs::create_dir_all(folder).map_err(io_error(folder))?;
    let kind = match deliveries[0] {
        Delivery::Drawn => "/drawn",
        Delivery::Window | Delivery::Native(_) => "/native",
        Delivery::Arm(_) => "/arms",
        Delivery::Random(_) => "/alone",
    };
    let stem = &recipe.identity(packed, kind)[..16];
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
    {
        use std::io::Seek as _;
        file.seek(std::io::SeekFrom::End(0))
            .map_err(io_error(&path))?;
    }
    let int8 = packing::unpack(packed)?;
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

/// Classes count alike, and within a class those of its pictures for which `apart` holds and the others; within
/// these, groups by a power of their size.
fn weights(items: &[&Item], power: f64, apart: &dyn Fn(&Item) -> bool) -> Vec<f32> {
    let mut sizes: BTreeMap<(u8, &str), f64> = BTreeMap::new();
    for i in items {
        *sizes.entry((i.label, &i.group)).or_default() += 1.0;
    }
    let one = |i: &Item| sizes[&(i.label, i.group.as_str())].powf(power - 1.0);
    let mut totals: BTreeMap<(u8, bool), f64> = BTreeMap::new();
    for i in items {
        *totals.entry((i.label, apart(i))).or_default() += one(i);
    }
    // A class of which all pictures are of one kind counts as much as one that has both.
    let kinds = |label: u8| totals.keys().filter(|k| k.0 == label).count() as f64;
    items
        .iter()
        .map(|i| (one(i) / totals[&(i.label, apart(i))] / kinds(i.label)) as f32)
        .collect()
}

/// Features of deliveries that arms and random draws make, and of drawn versions and native windows where a recipe
/// asks for them.
struct Features {
    /// Random deliveries, if any, then every tier.
    plain: Cache,
    random: usize,
    drawn: Option<Cache>,
    /// A random window, and the stored file in every tier.
    native: Option<Cache>,
    /// Paths of items whose whole picture is stored beside them.
    siblings: BTreeSet<String>,
}

impl Features {
    /// What the head reads of whole pictures in the tiers, and of the files at native resolution.
    fn scored(&self) -> Vec<(bool, &Cache, usize)> {
        let whole = (false, &self.plain, self.random);
        let native = self.native.as_ref().map(|cache| (true, cache, 1));
        std::iter::once(whole).chain(native).collect()
    }
}

fn fit(recipe: &Recipe, features: &Features, items: &[Item], used: &[usize], rate: f64) -> Linear {
    let cache = &features.plain;
    let chosen: Vec<&Item> = used.iter().map(|i| &items[*i]).collect();
    let apart = |i: &Item| recipe.balance_views && features.siblings.contains(&i.path);
    let by_item = weights(&chosen, recipe.data.group_power, &apart);
    let n = features.random;
    let mut rows = Vec::with_capacity(used.len() * n * cache.read);
    let (mut labels, mut weight) = (Vec::new(), Vec::new());
    for (i, w) in used.iter().zip(by_item) {
        for d in 0..n {
            rows.extend(cache.row(*i, d).iter().map(|v| v.to_f32()));
            labels.push(f32::from(items[*i].label));
            weight.push(w);
        }
        if let (Some(drawn), Some(share)) = (&features.drawn, recipe.drawn) {
            let share = share[usize::from(items[*i].label)] as f32;
            if share > 0.0 {
                rows.extend(drawn.row(*i, 0).iter().map(|v| v.to_f32()));
                labels.push(f32::from(items[*i].label));
                weight.push(w * share);
            }
        }
        if let (Some(native), Some(share)) = (&features.native, recipe.windows)
            && share > 0.0
        {
            rows.extend(native.row(*i, 0).iter().map(|v| v.to_f32()));
            labels.push(f32::from(items[*i].label));
            weight.push(w * share as f32);
        }
    }
    probe::fit_early(rows, cache.read, &labels, &weight, &recipe.early(rate))
}

/// Whether a picture looks painted or drawn: whole and at native resolution, in every tier.
type Looks = [[bool; TIERS.len()]; 2];

/// Head that tells what looks painted or drawn, fitted on all folds, and what heads that never saw a fold say of it:
/// in sum, and of each item in each tier.
///
/// Positive are drawn versions of authentic pictures and generated pictures in artists' styles, half of the weight
/// each; negative are authentic pictures and generated ones that look like photographs. The share of generated
/// pictures is the same question on either side, so that the head learns the look and not the making.
fn artwork(
    recipe: &Recipe,
    how: &ArtworkRecipe,
    features: &Features,
    items: &[Item],
    rate: f64,
) -> Result<(Linear, Head, Vec<Looks>), TrainError> {
    let drawn = features
        .drawn
        .as_ref()
        .ok_or_else(|| TrainError::Recipe("`artwork` needs drawn versions".into()))?;
    let cache = &features.plain;
    // Towers of which each saw only some folds deliver no picture at random.
    let deliveries = match features.random {
        0 => TIERS.len(),
        n => n,
    };
    let styled = |i: &Item| i.label == 1 && how.styled.contains(&i.group);
    let plain = |i: &Item| i.label == 0 || how.photographic.contains(&i.group);
    for group in how.styled.iter().chain(&how.photographic) {
        if !items.iter().any(|i| i.label == 1 && i.group == *group) {
            return Err(TrainError::Recipe(format!(
                "`artwork`: no generated picture of group `{group}`"
            )));
        }
    }
    let fit = |used: &dyn Fn(&Item) -> bool| {
        let (mut rows, mut labels, mut weight) = (Vec::new(), Vec::new(), Vec::new());
        // Kind of row: its label, and its share of that label's weight.
        let mut add = |chosen: &dyn Fn(&Item) -> bool,
                       from: &Cache,
                       number: usize,
                       label: f32,
                       share: f64| {
            let mut sizes: BTreeMap<&str, f64> = BTreeMap::new();
            let picked: Vec<usize> = (0..items.len())
                .filter(|i| used(&items[*i]) && chosen(&items[*i]))
                .collect();
            for i in &picked {
                *sizes.entry(&items[*i].group).or_default() += 1.0;
            }
            let total: f64 = sizes.values().map(|n| n.sqrt()).sum();
            for i in picked {
                let one = share / (total * sizes[items[i].group.as_str()].sqrt());
                for d in 0..number {
                    rows.extend(from.row(i, d).iter().map(|v| v.to_f32()));
                    labels.push(label);
                    weight.push((one / number as f64) as f32);
                }
            }
        };
        let windows = features
            .native
            .as_ref()
            .filter(|_| recipe.windows > Some(0.0));
        let share = if windows.is_some() { 0.5 } else { 1.0 };
        add(&styled, cache, deliveries, 1.0, 0.5 * share);
        add(&|i| i.label == 0, drawn, 1, 1.0, 0.5);
        add(&plain, cache, deliveries, 0.0, share);
        if let Some(native) = windows {
            add(&styled, native, 1, 1.0, 0.5 * share);
            add(&plain, native, 1, 0.0, share);
        }
        probe::fit_early(rows, cache.read, &labels, &weight, &recipe.early(rate))
    };
    let mut photographs = Vec::new();
    let mut logits = vec![[[f64::MIN; TIERS.len()]; 2]; items.len()];
    let (mut filtered, mut in_style, mut generated) = (Vec::new(), Vec::new(), Vec::new());
    for fold in folds(items) {
        let head = fit(&|i| i.fold != fold);
        for (i, item) in items.iter().enumerate().filter(|(_, i)| i.fold == fold) {
            for (native, cache, first) in features.scored() {
                logits[i][usize::from(native)] =
                    std::array::from_fn(|t| logit(&head, cache.row(i, first + t)));
            }
            let clean = logits[i][0][0];
            if item.label == 0 {
                photographs.push(clean);
                photographs.extend(features.native.as_ref().map(|_| logits[i][1][0]));
                filtered.push(logit(&head, drawn.row(i, 0)));
            } else {
                generated.push(clean);
                if styled(item) {
                    in_style.push(clean);
                }
            }
        }
    }
    photographs.sort_by(f64::total_cmp);
    let rank = (photographs.len() as f64 * (1.0 - how.photographs)) as usize;
    let threshold = photographs.get(rank).copied().unwrap_or(f64::MAX);
    let share = |list: &[f64]| {
        list.iter().filter(|v| **v >= threshold).count() as f64 / list.len().max(1) as f64
    };
    let found = Head::Flag {
        output: None,
        column: 1,
        flag: FlagKind::Artwork,
        threshold,
        rates: Some(FlagRates {
            photographs: share(&photographs),
            filtered: share(&filtered),
            styled: share(&in_style),
            generated: share(&generated),
        }),
    };
    let looks = logits
        .iter()
        .map(|views| views.map(|tiers| tiers.map(|v| v >= threshold)))
        .collect();
    Ok((fit(&|_| true), found, looks))
}

/// Folds of a list, each once.
fn folds(items: &[Item]) -> BTreeSet<&str> {
    items.iter().map(|i| i.fold.as_str()).collect()
}

fn logit(head: &Linear, row: &[f16]) -> f64 {
    let sum: f64 = row
        .iter()
        .zip(&head.weight)
        .map(|(v, w)| f64::from(v.to_f32()) * f64::from(*w))
        .sum();
    sum + f64::from(head.bias)
}

const TIERS: [Tier; 3] = [Tier::Clean, Tier::Web, Tier::Hard];

/// Begin of the names of arms at native resolution.
pub(crate) const NATIVE: &str = "native ";

/// Name of an arm in logs and files.
fn arm(tier: Tier, native: bool) -> String {
    format!("{}{}", if native { NATIVE } else { "" }, tier.name())
}

/// Scores of an item in every tier.
fn scores<'a>(
    item: &'a Item,
    native: bool,
    head: &'a Linear,
    row: impl Fn(usize) -> &'a [f16] + 'a,
) -> impl Iterator<Item = Scored> + 'a {
    TIERS.into_iter().enumerate().map(move |(t, tier)| Scored {
        item: item.clone(),
        tier,
        native,
        logit: logit(head, row(t)),
        artwork: false,
    })
}

/// Scores of every item in every tier by heads that never saw its fold, and those heads by fold.
fn out_of_fold(
    recipe: &Recipe,
    features: &Features,
    items: &[Item],
    rate: f64,
) -> (Vec<Scored>, BTreeMap<String, Linear>) {
    let (mut out, mut heads) = (Vec::new(), BTreeMap::new());
    for fold in folds(items) {
        let used: Vec<usize> = (0..items.len())
            .filter(|i| items[*i].fold != fold)
            .collect();
        let head = fit(recipe, features, items, &used, rate);
        for (i, item) in items.iter().enumerate().filter(|(_, i)| i.fold == fold) {
            for (native, cache, first) in features.scored() {
                out.extend(scores(item, native, &head, |t| cache.row(i, first + t)));
            }
        }
        heads.insert(fold.to_owned(), head);
    }
    (out, heads)
}

/// Scores of every item in every tier by a tower and a head that never saw its fold, with those heads and the networks
/// of features by fold; and those features.
fn adapted_out_of_fold(
    recipe: &Recipe,
    folder: &Path,
    tower: &ClipVision<Cpu>,
    root: &Path,
    items: &[Item],
    out: &Path,
    log: &mut dyn FnMut(&str),
) -> Result<(HeldOut, Features), TrainError> {
    let mut held = HeldOut::default();
    let zeros = |deliveries| Cache::zeros(items.len(), deliveries, recipe.read_width());
    let mut features = Features {
        plain: zeros(TIERS.len()),
        random: 0,
        drawn: recipe.artwork.as_ref().map(|_| zeros(1)),
        native: recipe.windows.map(|_| zeros(NATIVE_DELIVERIES.len())),
        siblings: siblings(root, items),
    };
    for fold in folds(items) {
        let adapter = Adapter::read(folder, fold, recipe.read_width())?;
        let (_, packed) = deployed(recipe, tower.clone(), Some(&adapter), log)?;
        let numbers = |chosen: &dyn Fn(&Item) -> bool| -> Vec<usize> {
            (0..items.len())
                .filter(|i| items[*i].fold == fold && chosen(&items[*i]))
                .collect()
        };
        let mut fill = |into: &mut Cache, numbers: &[usize], deliveries: &[Delivery]| {
            let mine: Vec<Item> = numbers.iter().map(|i| items[*i].clone()).collect();
            let found = cache(recipe, root, &mine, deliveries, &packed, out, log)?;
            for (there, here) in numbers.iter().enumerate() {
                into.take(*here, &found, there);
            }
            Ok::<_, TrainError>(())
        };
        let all = numbers(&|_| true);
        fill(&mut features.plain, &all, &TIERS.map(Delivery::Arm))?;
        if let Some(drawn) = &mut features.drawn {
            // Of generated pictures nobody asks for drawn versions.
            let authentic = numbers(&|i| i.label == 0);
            fill(drawn, &authentic, &[Delivery::Drawn])?;
        }
        if let Some(native) = &mut features.native {
            fill(native, &all, &NATIVE_DELIVERIES)?;
        }
        for i in all {
            for (native, cache, first) in features.scored() {
                let row = |t| cache.row(i, first + t);
                held.scored
                    .extend(scores(&items[i], native, &adapter.head, row));
            }
        }
        held.networks.insert(fold.to_owned(), packed);
        held.heads.insert(fold.to_owned(), adapter.head);
    }
    held.scored = of_pictures(std::mem::take(&mut held.scored), log);
    held.mean = logged(recipe, &held.scored, "adapted", log);
    held.rate = recipe.learning_rates[0];
    Ok((held, features))
}

/// How drawn versions of held-out pictures score: their AUC, and how many of the authentic ones lie above what 95% of
/// the clean authentic ones stay under.
fn drawn_summary(
    items: &[Item],
    drawn: &Cache,
    scored: &[Scored],
    heads: &BTreeMap<String, Linear>,
) -> String {
    let mut clean: Vec<f64> = scored
        .iter()
        .filter(|s| s.tier == Tier::Clean && !s.native && s.item.label == 0)
        .map(|s| s.logit)
        .collect();
    clean.sort_by(f64::total_cmp);
    let bar = clean.get(clean.len() * 95 / 100).copied().unwrap_or(0.0);
    let rows: Vec<(f32, u8)> = items
        .iter()
        .enumerate()
        .filter_map(|(i, item)| {
            let head = heads.get(&item.fold)?;
            Some((logit(head, drawn.row(i, 0)) as f32, item.label))
        })
        .collect();
    let authentic = rows.iter().filter(|r| r.1 == 0);
    let (n, above) = authentic.fold((0, 0), |(n, above), r| {
        (n + 1, above + usize::from(f64::from(r.0) > bar))
    });
    format!(
        "drawn versions of held-out pictures: AUC {:.3}; {above} of {n} authentic ones above the 95th percentile of \
         clean authentic pictures",
        metrics::auc(&rows).unwrap_or(f64::NAN)
    )
}

/// Authentic pictures on which the map's false alarms are counted.
const MAP_PICTURES: usize = 200;

/// Share of authentic windows at native resolution (the middle of the stored crop, JPEG q95) that the map puts at
/// or above the decision threshold, by heads that never saw the picture's fold.
fn map_false_alarms(
    recipe: &Recipe,
    root: &Path,
    items: &[Item],
    network: &dyn Fn(&str) -> Vec<u8>,
    heads: &BTreeMap<String, Linear>,
    calibration: &Calibration,
) -> Result<Option<f64>, TrainError> {
    use rand::seq::IteratorRandom as _;
    let mut rng = ChaCha8Rng::seed_from_u64(recipe.seed);
    let authentic = items
        .iter()
        .filter(|i| i.label == 0 && Frame::parse(&i.path).is_none());
    let mut chosen: Vec<&Item> = authentic.choose_multiple(&mut rng, MAP_PICTURES);
    chosen.sort_by(|a, b| (&a.fold, &a.path).cmp(&(&b.fold, &b.path)));
    let side = SIDE as usize;
    let (mut marked, mut seen) = (0, 0);
    let mut loaded = None;
    for item in chosen {
        let engine = match &mut loaded {
            Some((fold, engine)) if *fold == item.fold => engine,
            other => {
                let int8 = packing::unpack(&network(&item.fold))?;
                let engine = engine::load(EngineKind::Rten.for_many(), int8)
                    .map_err(|e| picture_error(root, &e))?;
                &mut other.insert((item.fold.clone(), engine)).1
            }
        };
        let path = root.join(&item.path);
        let picture = batch::open(&path)?;
        let delivered = delivery::through_jpeg(&picture, 95, Subsampling::S444)
            .map_err(|e| picture_error(&path, &e))?;
        let middle = |size: u32| size.saturating_sub(SIDE) / 2;
        let (left, top) = (middle(delivered.width()), middle(delivered.height()));
        let mut pixels = Vec::with_capacity(3 * side * side);
        let sample = prepare::cut(&delivered, left, top, SIDE);
        normalise(&sample.frames, &input(), &mut pixels);
        let row = first(engine.as_ref(), &pixels, &Threads::all())
            .map_err(|e| picture_error(&path, &e))?;
        let row: Vec<f16> = row.iter().map(|v| f16::from_f32(*v)).collect();
        let Some(head) = heads.get(&item.fold) else {
            continue;
        };
        let p = calibration.probability(Logit(logit(head, &row[row.len() - head.weight.len()..])));
        seen += 1;
        marked += usize::from(p.0 >= calibration.decision_threshold);
    }
    Ok((seen > 0).then(|| marked as f64 / seen as f64))
}

/// AUC of all pictures and of each match set in a tier.
pub(crate) fn summary(scored: &[Scored], tier: Tier, native: bool) -> (Option<f64>, String) {
    let mut sets: BTreeMap<&str, Vec<(f32, u8)>> = BTreeMap::new();
    for s in scored
        .iter()
        .filter(|s| s.tier == tier && s.native == native)
    {
        let row = (s.logit as f32, s.item.label);
        sets.entry("all").or_default().push(row);
        if !s.item.match_set.is_empty() {
            sets.entry(&s.item.match_set).or_default().push(row);
            sets.entry("matched").or_default().push(row);
        }
    }
    let text = sets
        .iter()
        .map(|(set, rows)| match metrics::auc(rows) {
            Some(a) => format!("{set} {a:.3}"),
            None => format!("{set} -"),
        })
        .collect::<Vec<_>>()
        .join(", ");
    (sets.get("all").and_then(|r| metrics::auc(r)), text)
}

/// What is known of pictures of folds that were not seen.
#[derive(Default)]
struct HeldOut {
    /// Mean AUC over the tiers, of whole pictures and of files at native resolution alike.
    mean: f64,
    rate: f64,
    scored: Vec<Scored>,
    /// By fold.
    heads: BTreeMap<String, Linear>,
    /// Networks of features, of folds that have one of their own.
    networks: BTreeMap<String, Vec<u8>>,
}

/// The scores of pictures; those of frames, which only train, are logged and left out.
fn of_pictures(scored: Vec<Scored>, log: &mut dyn FnMut(&str)) -> Vec<Scored> {
    let frame = |s: &Scored| Frame::parse(&s.item.path).is_some();
    let (frames, pictures): (Vec<Scored>, Vec<Scored>) = scored.into_iter().partition(frame);
    if !frames.is_empty() {
        for tier in TIERS {
            let (_, text) = summary(&frames, tier, false);
            log(&format!(
                "frames of held-out clips, {}: {text}",
                tier.name()
            ));
        }
    }
    pictures
}

/// Logs how held-out scores do, and gives the mean AUC over the arms.
fn logged(recipe: &Recipe, scored: &[Scored], what: &str, log: &mut dyn FnMut(&str)) -> f64 {
    let mut arms = Vec::new();
    for native in std::iter::once(false).chain(recipe.windows.map(|_| true)) {
        for tier in TIERS {
            let (all, text) = summary(scored, tier, native);
            log(&format!(
                "{what}, held-out folds, {}: {text}",
                arm(tier, native)
            ));
            arms.push(all.unwrap_or(0.5));
        }
    }
    arms.iter().sum::<f64>() / arms.len() as f64
}

/// Heads of the learning rate that does best on held-out folds.
fn best_rate(
    recipe: &Recipe,
    features: &Features,
    items: &[Item],
    log: &mut dyn FnMut(&str),
) -> HeldOut {
    let mut best: Option<HeldOut> = None;
    for rate in &recipe.learning_rates {
        let (scored, heads) = out_of_fold(recipe, features, items, *rate);
        let scored = of_pictures(scored, log);
        let mean = logged(recipe, &scored, &format!("learning rate {rate}"), log);
        if let Some(drawn) = &features.drawn {
            log(&drawn_summary(items, drawn, &scored, &heads));
        }
        if best.as_ref().is_none_or(|b| mean > b.mean) {
            best = Some(HeldOut {
                mean,
                rate: *rate,
                scored,
                heads,
                networks: BTreeMap::new(),
            });
        }
    }
    best.unwrap_or_default()
}

/// Paths of items whose whole picture is stored beside them.
fn siblings(root: &Path, items: &[Item]) -> BTreeSet<String> {
    items
        .iter()
        .filter(|i| whole(root, i) != root.join(&i.path))
        .map(|i| i.path.clone())
        .collect()
}

/// Features by one tower.
fn all_features(
    recipe: &Recipe,
    root: &Path,
    items: &[Item],
    packed: &[u8],
    out: &Path,
    log: &mut dyn FnMut(&str),
) -> Result<Features, TrainError> {
    let mut deliveries: Vec<Delivery> = (0..recipe.deliveries).map(Delivery::Random).collect();
    deliveries.extend(TIERS.map(Delivery::Arm));
    let mut of = |deliveries: &[Delivery]| cache(recipe, root, items, deliveries, packed, out, log);
    Ok(Features {
        plain: of(&deliveries)?,
        random: recipe.deliveries as usize,
        drawn: match (recipe.drawn, &recipe.artwork) {
            (Some(_), _) | (_, Some(_)) => Some(of(&[Delivery::Drawn])?),
            (None, None) => None,
        },
        native: match recipe.windows {
            Some(_) => Some(of(&NATIVE_DELIVERIES)?),
            None => None,
        },
        siblings: siblings(root, items),
    })
}

/// Trains, calibrates and writes `ID.onnx` (packed; or the head alone as `ID.safetensors`) and `ID.toml` into `out`;
/// features are cached there.
///
/// # Errors
/// [`TrainError`].
pub fn train(
    recipe: &Recipe,
    root: &Path,
    id: &str,
    out: &Path,
    log: &mut dyn FnMut(&str),
) -> Result<Card, TrainError> {
    let split = manifest::read(root, &recipe.data, crate::recipe::View::Crop)?;
    let mut items: Vec<Item> = split.train.into_iter().chain(split.validation).collect();
    items.sort_by(|a, b| a.path.cmp(&b.path));
    if items.iter().any(|i| i.fold.is_empty()) {
        return Err(TrainError::Recipe("the manifest has no folds".into()));
    }
    let encoder = root.join(&recipe.encoder);
    let mut frozen = tower::tower(&encoder, recipe.blocks)?;
    if let Some(how) = &recipe.lattice {
        frozen = rounded(recipe, how, frozen, root, &items, out, log)?;
    }
    let adapter = match &recipe.adapter {
        Some(folder) => Some(Adapter::read(folder, "all", recipe.read_width())?),
        None => None,
    };
    let (tower, packed) = deployed(recipe, frozen.clone(), adapter.as_ref(), log)?;
    let (held, features) = match &recipe.adapter {
        Some(folder) => adapted_out_of_fold(recipe, folder, &frozen, root, &items, out, log)?,
        None => {
            let features = all_features(recipe, root, &items, &packed, out, log)?;
            (best_rate(recipe, &features, &items, log), features)
        }
    };
    let HeldOut {
        rate,
        mut scored,
        heads,
        networks,
        ..
    } = held;
    write_scores(out, &scored)?;
    let every: Vec<usize> = (0..items.len()).collect();
    let head = match adapter {
        Some(adapter) => adapter.head,
        None => fit(recipe, &features, &items, &every, rate),
    };
    let second = match &recipe.artwork {
        Some(how) => Some(artwork(recipe, how, &features, &items, rate)?),
        None => None,
    };
    if let Some((_, _, looks)) = &second {
        let index: BTreeMap<&str, usize> = items
            .iter()
            .enumerate()
            .map(|(i, item)| (item.path.as_str(), i))
            .collect();
        for s in &mut scored {
            let tier = TIERS.iter().position(|t| *t == s.tier);
            let item = index.get(s.item.path.as_str());
            s.artwork = item
                .zip(tier)
                .is_some_and(|(i, t)| looks[*i][usize::from(s.native)][t]);
        }
    }
    let (name, weights, mut card) = if recipe.head_alone {
        let bytes = std::fs::read(&encoder).map_err(io_error(&encoder))?;
        let second = second.as_ref().map(|(head, ..)| head);
        let heads = tower::save_heads(
            (&head.weight, head.bias),
            second.map(|h| (&*h.weight, h.bias)),
        );
        let heads = heads.to_safetensors().map_err(TrainError::Recipe)?;
        let card = Card {
            weights_sha256: String::new(),
            encoder_sha256: Some(sha256(&bytes)),
            licence: "MIT OR Apache-2.0; the encoder, OpenAI's CLIP ViT-B/16 (MIT), is imported by the user"
                .into(),
            ..card(recipe, id, &[])
        };
        (format!("{id}.safetensors"), heads, card)
    } else {
        let mut heads = vec![&head];
        heads.extend(second.iter().map(|(head, ..)| head));
        let onnx = network(recipe, &tower, &heads)?;
        let card = card(recipe, id, &onnx);
        (format!("{id}.onnx"), onnx, card)
    };
    if let Some((_, found, _)) = second {
        log(&format!(
            "held-out folds, share that looks painted or drawn: {found:?}"
        ));
        card.heads.push(found);
    }
    let calibration = calibrate::fit(&scored);
    let network_of = |fold: &str| networks.get(fold).unwrap_or(&packed).clone();
    card.map_false_alarm_rate =
        map_false_alarms(recipe, root, &items, &network_of, &heads, &calibration)?;
    card.calibration = Some(calibration);
    let text = toml::to_string(&card).map_err(|e| TrainError::Recipe(e.to_string()))?;
    for (name, bytes) in [
        (name, weights.as_slice()),
        (format!("{id}.toml"), text.as_bytes()),
    ] {
        let path = out.join(name);
        std::fs::write(&path, bytes).map_err(io_error(&path))?;
    }
    Ok(card)
}

/// Held-out scores as `eval metrics` reads them.
pub(crate) fn write_scores(out: &Path, scored: &[Scored]) -> Result<(), TrainError> {
    let path = out.join("validation.csv");
    let fault = |e: csv::Error| TrainError::Recipe(format!("{}: {e}", path.display()));
    let mut writer = csv::Writer::from_path(&path).map_err(fault)?;
    writer
        .write_record(["path", "label", "group", "match_set", "arm", "score"])
        .map_err(fault)?;
    for s in scored {
        writer
            .write_record([
                &s.item.path,
                &s.item.label.to_string(),
                &s.item.group,
                &s.item.match_set,
                &arm(s.tier, s.native),
                &(1.0 / (1.0 + (-s.logit).exp())).to_string(),
            ])
            .map_err(fault)?;
    }
    writer.flush().map_err(io_error(&path))
}

fn card(recipe: &Recipe, id: &str, packed: &[u8]) -> Card {
    let adapted = recipe.adapter.is_some();
    let when = |text: &'static str| if adapted { text } else { "" };
    Card {
        id: id.into(),
        summary: format!(
            "Linear head on blocks {} to {} of CLIP ViT-B/16{}, whole picture resized",
            recipe.blocks - recipe.read + 1,
            recipe.blocks,
            when(" with low-rank updates")
        ),
        status: Status::Preview,
        since: env!("CARGO_PKG_VERSION").into(),
        task: Task::GeneratedPicture,
        weights_sha256: sha256(packed),
        encoder_sha256: None,
        engines: vec![EngineKind::Rten, EngineKind::Ort],
        licence:
            "MIT OR Apache-2.0; the frozen image tower is OpenAI's CLIP ViT-B/16 (MIT), packed"
                .into(),
        training_data: format!(
            "pictures of public repositories with known source; they are not distributed{}",
            when("; authentic ones also re-made by autoencoders and up-samplers (aligned pairs)")
        ),
        citation: format!(
            "CLIP: Radford et al., ICML 2021, arXiv 2103.00020; heads on blocks: Koutlis and \
             Papadopoulos, ECCV 2024, arXiv 2402.19091{}",
            when(
                "; low-rank updates: Hu et al., ICLR 2022, arXiv 2106.09685; aligned pairs: Dual Data \
                 Alignment, NeurIPS 2025, arXiv 2505.14359"
            )
        ),
        known_failures: recipe.known_failures.clone(),
        map_false_alarm_rate: None,
        input: input(),
        heads: vec![Head::Binary {
            output: None,
            column: 0,
            polarity: Polarity::Generated,
        }],
        calibration: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Recipe, TrainError> {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("recipe.toml");
        std::fs::write(&path, text).expect("writes");
        Recipe::read(&path)
    }

    #[test]
    fn classes_and_kinds_of_view_count_alike() {
        let item = |label: u8, group: &str, path: &str| Item {
            path: path.into(),
            label,
            group: group.into(),
            match_set: String::new(),
            fold: "0".into(),
            jpeg_quality: None,
        };
        let items = [
            item(0, "a", "a/1.crop.jpg"),
            item(0, "a", "a/2.jpg"),
            item(0, "b", "b/3.jpg"),
            item(0, "b", "b/4.jpg"),
            item(1, "c", "c/5.jpg"),
        ];
        let items: Vec<&Item> = items.iter().collect();
        let apart = weights(&items, 0.5, &|i| i.path.ends_with(".crop.jpg"));
        let near = |got: &[f32], expected: &[f32]| {
            for (g, e) in got.iter().zip(expected) {
                assert!((g - e).abs() < 1e-6, "{got:?}, expected {expected:?}");
            }
        };
        let sixth = 1.0 / 6.0;
        near(&apart, &[0.5, sixth, sixth, sixth, 1.0]);
        near(
            &weights(&items, 0.5, &|_| false),
            &[0.25, 0.25, 0.25, 0.25, 1.0],
        );
    }

    #[test]
    fn recipes_that_ship_are_read_and_unfit_ones_refused() {
        let probe = include_str!("../../../recipes/clip-probe.toml");
        let semantic = include_str!("../../../recipes/semantic.toml");
        assert!(read(probe).expect("reads").head_alone);
        let shipped = read(semantic).expect("reads");
        assert!(shipped.lattice.is_some());
        assert_eq!(shipped.data.frames, 4);
        let adapted = include_str!("../../../recipes/adapted.toml");
        assert!(read(adapted).expect("reads").adapter.is_some());
        let head = format!("adapter = \"adapters\"\n{probe}");
        let e = read(&head).expect_err("refused");
        assert!(e.to_string().contains("adapter"), "{e}");
        // A head alone must fit the encoder as it is imported.
        for (from, to) in [
            ("blocks = 12", "blocks = 11"),
            ("blocks = 12", "blocks = 12\ndeviations = true"),
        ] {
            let e = read(&probe.replace(from, to)).expect_err("refused");
            assert!(e.to_string().contains("head_alone"), "{e}");
        }
        let drawn = |weight: &str| {
            let text = semantic.replace("read = 3", &format!("read = 3\ndrawn = [{weight}, 0.5]"));
            read(&text)
        };
        assert_eq!(drawn("1.0").expect("reads").drawn, Some([1.0, 0.5]));
        let e = drawn("-1.0").expect_err("refused");
        assert!(e.to_string().contains("drawn"), "{e}");
        let windows = |weight: &str| {
            read(&semantic.replace("read = 3", &format!("read = 3\nwindows = {weight}")))
        };
        assert_eq!(windows("0.5").expect("reads").windows, Some(0.5));
        assert!(windows("-0.5").is_err());
        let artwork = |share: &str| {
            read(&semantic.replace("photographs = 0.02", &format!("photographs = {share}")))
        };
        assert!(artwork("0.1").expect("reads").artwork.is_some());
        assert!(artwork("0.5").is_err());
        for (from, to) in [
            ("damping = 0.03", "damping = 0.0"),
            ("rows = 0.7", "rows = 1.5"),
            ("class_token = 30.0", "class_token = 0.0"),
        ] {
            let e = read(&semantic.replace(from, to)).expect_err("refused");
            assert!(e.to_string().contains("damping"), "{e}");
        }
    }
}
