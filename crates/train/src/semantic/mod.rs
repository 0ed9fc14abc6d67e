//! A linear head on the blocks of a frozen CLIP image encoder.
//!
//! After RINE (Koutlis and Papadopoulos, ECCV 2024, arXiv 2402.19091), which found that the first blocks carry most of
//! what tells generated pictures: class token, mean and if asked for deviation of the patch tokens of blocks, a single
//! linear layer. The encoder ships packed (entropy-coded multiples of quantisation steps, [`crate::rounding`], or 4
//! bits a weight) and runs in 8 bits ([`realscope_engine::packed`]); the head is fitted on what that very form
//! computes.
//!
//! Folds are those of the manifest, whole sources each. Learning rate and calibration come from scores on
//! held-out folds; the head that ships is fitted on all of them.

mod artwork;
mod card;
mod deliveries;
mod encoder;
mod features;
mod head;
mod held_out;
mod map;
mod recipe;
mod report;
mod store;

use std::collections::BTreeMap;
use std::path::Path;

use realscope_data::manifest::Item;
use realscope_data::split::Framing;
use realscope_detectors::card::Card;
use realscope_detectors::tower;
use realscope_engine::heads;

use self::artwork::artwork;
use self::card::card;
pub use self::encoder::Brought;
use self::encoder::{deployed, network, rounded};
use self::features::all_features;
use self::head::fit;
use self::held_out::OutOfFold;
pub use self::recipe::{ArtworkRecipe, SemanticRecipe};
use self::report::write_scores;
use crate::adapter::Adapter;
use crate::calibrate;
use crate::error::{TrainError, io_error};
use crate::tier::TIERS;

/// Trains, calibrates and writes `ID.onnx` (packed) and `ID.toml` into `out`;
/// features are cached there. An encoder that was brought takes the place of the recipe's.
///
/// # Errors
/// [`TrainError`].
pub fn train(
    recipe: &SemanticRecipe,
    brought: Option<&Brought>,
    root: &Path,
    id: &str,
    out: &Path,
    log: &mut dyn FnMut(&str),
) -> Result<Card, TrainError> {
    let split = recipe.data.split(root, Framing::Crop)?;
    let mut items: Vec<Item> = split.train.into_iter().chain(split.validation).collect();
    items.sort_by(|a, b| a.path.cmp(&b.path));
    if items.iter().any(|i| i.fold.is_empty()) {
        return Err(TrainError::Recipe("the manifest has no folds".into()));
    }
    let encoder = root.join(&recipe.encoder);
    let own = brought.is_none() && recipe.shipped().is_none();
    let frozen = match (own, &recipe.rounding) {
        (false, _) => None,
        (true, how) => {
            let tower = tower::tower(&encoder, recipe.blocks)?;
            Some(match how {
                Some(how) => rounded(recipe, how, tower, root, &items, out, log)?,
                None => tower,
            })
        }
    };
    let adapter = match &recipe.adapter {
        Some(folder) => Some(Adapter::read(folder, "all", recipe.read_width())?),
        None => None,
    };
    let (tower, deployed) = match &frozen {
        Some(frozen) => {
            let (tower, deployed) = deployed(recipe, frozen.clone(), adapter.as_ref(), log)?;
            (Some(tower), deployed)
        }
        None => match brought {
            Some(brought) => (None, encoder::brought(brought)?),
            None => (None, encoder::shipped(recipe)?),
        },
    };
    let (held, features) = match (&recipe.adapter, &frozen) {
        (Some(folder), Some(frozen)) => {
            held_out::adapted(recipe, folder, frozen, root, &items, out, log)?
        }
        _ => {
            let features = all_features(recipe, root, &items, &deployed, out, log)?;
            (
                held_out::best_rate(recipe, &features, &items, log),
                features,
            )
        }
    };
    let OutOfFold {
        rate,
        mut scored,
        heads: by_fold,
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
        None if brought.is_some() => None,
        // The flag of an encoder that ships stays as it is.
        None => artwork::of_shipped(recipe, &features, &items)?,
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
                .is_some_and(|(i, t)| looks[*i][usize::from(s.stored)][t]);
        }
    }
    let mut all = vec![&head];
    all.extend(second.iter().map(|(head, ..)| head));
    let (weights, mut card) = match &tower {
        Some(tower) => {
            let onnx = network(recipe, tower, &all)?;
            let card = card(recipe, id, &onnx);
            (onnx, card)
        }
        None => match brought {
            Some((encoder, network)) => {
                let onnx = heads::onto(network, &[(&head.weight, head.bias)])?;
                let card = card::of_brought(recipe, id, encoder, &onnx);
                (onnx, card)
            }
            None => {
                let onnx = encoder::with_heads(recipe, &all)?;
                let card = card::of_shipped(recipe, id, &onnx)?;
                (onnx, card)
            }
        },
    };
    if let Some((_, found, _)) = second {
        log(&format!(
            "held-out folds, share that looks painted or drawn: {found:?}"
        ));
        // Right behind the logit: what is added to the network for a map comes last.
        card.heads.insert(1, found);
    }
    let calibration = calibrate::fit(&scored);
    let network_of = |fold: &str| networks.get(fold).unwrap_or(&deployed.packed).clone();
    if tower.is_some() {
        card.map_false_alarm_rate =
            map::false_alarms(recipe, root, &items, &network_of, &by_fold, &calibration)?;
    }
    card.calibration = Some(calibration);
    let text = toml::to_string(&card).map_err(|e| TrainError::Recipe(e.to_string()))?;
    for (name, bytes) in [
        (format!("{id}.onnx"), weights.as_slice()),
        (format!("{id}.toml"), text.as_bytes()),
    ] {
        let path = out.join(name);
        std::fs::write(&path, bytes).map_err(io_error(&path))?;
    }
    Ok(card)
}
