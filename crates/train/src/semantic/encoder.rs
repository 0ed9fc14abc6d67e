//! The frozen encoder: rounded, with low-rank updates, packed, and run.

use std::path::Path;

use burn::tensor::{Tensor, TensorData};
use rand::SeedableRng as _;
use rand::seq::IteratorRandom as _;
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use realscope_data::manifest::Item;
use realscope_data::split::ClipFrame;
use realscope_detectors::card::{Card, Head, Input, View};
use realscope_detectors::tower;
use realscope_engine::{Engine, EngineError, Threads, heads, packed};
use realscope_metric::logistic::Linear;
use realscope_nn::vit::ClipVision;
use realscope_nn::{Cpu, Parameters, StateDict};
use sha2::{Digest as _, Sha256};

use super::deliveries::{Delivery, SIDE, input, views};
use super::recipe::SemanticRecipe;
use crate::adapter::Adapter;
use crate::error::{TrainError, io_error};
use crate::rounding::{self, Rounding};

/// A frozen encoder in the form in which it is deployed.
pub(super) struct Frozen {
    /// Network that yields features.
    pub packed: Vec<u8>,
    /// How many.
    pub width: usize,
    /// The last of them that the head reads.
    pub read: usize,
    /// What it is shown.
    pub input: Input,
}

/// An encoder that the user brought: its card, and the network that yields its embedding.
pub type Brought = (Card, Vec<u8>);

/// An encoder that the user brought, all of whose embedding a head reads.
pub(super) fn brought((card, network): &Brought) -> Result<Frozen, TrainError> {
    let width = card.heads.iter().find_map(|h| match h {
        Head::Embedding { size, output: None } => Some(*size),
        _ => None,
    });
    let refused = |why: &str| TrainError::Recipe(format!("`{}` {why}", card.id));
    let width = width.ok_or_else(|| refused("yields no embedding"))?;
    if card.input.view != View::ShorterSide {
        return Err(refused("is not shown the whole picture"));
    }
    Ok(Frozen {
        packed: network.clone(),
        width,
        read: width,
        input: card.input.clone(),
    })
}

/// The encoder with rounded matrices, kept in `out` so that a run that goes on need not round again.
pub(super) fn rounded(
    recipe: &SemanticRecipe,
    how: &Rounding,
    mut tower: ClipVision<Cpu>,
    root: &Path,
    items: &[Item],
    out: &Path,
    log: &mut dyn FnMut(&str),
) -> Result<ClipVision<Cpu>, TrainError> {
    let device = Default::default();
    let mut rng = ChaCha8Rng::seed_from_u64(recipe.seed);
    let pictures = items.iter().filter(|i| ClipFrame::parse(&i.path).is_none());
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
        .map(|item| {
            let shown = (&input(), [Delivery::Random(0)]);
            Ok(views(recipe, root, item, &item.path, shown.0, &shown.1)?.concat())
        })
        .collect::<Result<_, TrainError>>()?;
    let side = SIDE as usize;
    let input = TensorData::new(pixels.concat(), [pixels.len(), 3, side, side]);
    let input = Tensor::<Cpu, 4>::from_data(input, &device);
    log(&format!("rounding the tower on {} pictures", pixels.len()));
    let mut tower = rounding::round::<Cpu, _>(tower, how, |tower, eager| {
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
pub(super) fn deployed(
    recipe: &SemanticRecipe,
    mut tower: ClipVision<Cpu>,
    adapter: Option<&Adapter>,
    log: &mut dyn FnMut(&str),
) -> Result<(ClipVision<Cpu>, Frozen), TrainError> {
    if let Some(adapter) = adapter {
        tower = adapter.apply(tower)?;
    }
    let packed = network(recipe, &tower, &[])?;
    log(&format!(
        "tower of {} blocks: {} bytes packed",
        recipe.blocks,
        packed.len()
    ));
    let frozen = Frozen {
        packed,
        width: recipe.width(),
        read: recipe.read_width(),
        input: input(),
    };
    Ok((tower, frozen))
}

/// Network that yields the features, or with heads their logits, in the form in which it is deployed.
pub(super) fn network(
    recipe: &SemanticRecipe,
    tower: &ClipVision<Cpu>,
    heads: &[&Linear],
) -> Result<Vec<u8>, TrainError> {
    let heads: Vec<(&[f32], f32)> = heads
        .iter()
        .map(|h| (h.weight.as_slice(), h.bias))
        .collect();
    let float = tower::network(&recipe.name, tower, recipe.deviations, &heads);
    Ok(if recipe.adapter.is_some() {
        // Room for the updates: the patches' kernel takes 8 bits a weight in place of 16.
        packed::pack_kernels(&float)?
    } else {
        packed::pack(&float)?
    })
}

/// The encoder of the detector that a recipe names, without its heads.
pub(super) fn shipped(recipe: &SemanticRecipe) -> Result<Frozen, TrainError> {
    Ok(Frozen {
        packed: heads::without(of_shipped(recipe)?)?,
        width: recipe.read_width(),
        read: recipe.read_width(),
        input: input(),
    })
}

/// The network of the detector that a recipe names, with other heads in its first columns. Those behind them stay: they
/// read the same features.
pub(super) fn with_heads(
    recipe: &SemanticRecipe,
    first: &[&Linear],
) -> Result<Vec<u8>, TrainError> {
    let network = of_shipped(recipe)?;
    let before = heads::of(network)?;
    let first = first.iter().map(|h| (h.weight.as_slice(), h.bias));
    let stay = before.iter().skip(first.len());
    let stay = stay.map(|(weight, bias)| (weight.as_slice(), *bias));
    let all: Vec<heads::Head<'_>> = first.chain(stay).collect();
    Ok(heads::with(network, &all)?)
}

fn of_shipped(recipe: &SemanticRecipe) -> Result<&'static [u8], TrainError> {
    let named = recipe.encoder.display();
    let missing = || TrainError::Recipe(format!("`{named}` has no network in this program"));
    recipe.shipped().ok_or_else(missing)
}

/// The network's output for one normalised square.
pub(crate) fn first(
    engine: &dyn Engine,
    pixels: &[f32],
    side: u32,
    threads: &Threads,
) -> Result<Vec<f32>, EngineError> {
    let side = side as usize;
    let outputs = engine.run_all(pixels, &[1, 3, side, side], threads)?;
    let first = outputs.into_iter().next();
    first.map(|t| t.values).ok_or_else(|| EngineError::Run {
        engine: engine.kind().name(),
        reason: "the network has no output".into(),
    })
}
