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
pub(crate) mod encoder;
mod features;
pub(crate) mod head;
mod held_out;
mod map;
mod recipe;
mod report;

use std::collections::BTreeMap;
use std::path::Path;

use realscope_data::manifest::Item;
use realscope_data::split::{Framing, SplitError};
use realscope_detectors::card::Card;
use realscope_detectors::tower;
use realscope_engine::heads;
use sha2::{Digest as _, Sha256};

use self::artwork::artwork;
use self::card::card;
pub use self::encoder::Brought;
use self::encoder::{deployed, network, rounded};
use self::features::all_features;
use self::head::{fit, folds};
use self::held_out::OutOfFold;
pub use self::recipe::{ArtworkRecipe, SemanticRecipe};
use self::report::arm_name;
use crate::adapter::Adapter;
use crate::calibrate;
use crate::error::{TrainError, io_error};
use crate::tier::TIERS;

/// Folds of a manifest that names none.
const FOLDS: u8 = 5;

/// Divides items into folds by match set, or where there is none by group, unless the manifest has done so.
fn into_folds(items: &mut [Item]) -> Result<(), TrainError> {
    let without = items.iter().filter(|i| i.fold.is_empty()).count();
    if without == items.len() {
        for i in &mut *items {
            let together = match i.match_set.as_str() {
                "" => &i.group,
                set => set,
            };
            i.fold = (Sha256::digest(together)[0] % FOLDS).to_string();
        }
    } else if without > 0 {
        let reason = format!("{without} of {} pictures have no fold", items.len());
        return Err(TrainError::Recipe(reason));
    }
    let mut of_group: BTreeMap<&str, &str> = BTreeMap::new();
    for i in items.iter() {
        if of_group
            .insert(&i.group, &i.fold)
            .is_some_and(|f| f != i.fold)
        {
            let group = i.group.clone();
            return Err(TrainError::Split(SplitError::GroupOnBothSides { group }));
        }
    }
    let folds = folds(items).len();
    let classes = [0, 1].map(|label| items.iter().any(|i| i.label == label));
    if folds < 2 || classes != [true; 2] {
        return Err(TrainError::Recipe(format!(
            "{} pictures in {folds} folds: two folds and both classes are the least",
            items.len()
        )));
    }
    Ok(())
}

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
    let mut items = recipe.data.items(root, Framing::Crop)?;
    items.sort_by(|a, b| a.path.cmp(&b.path));
    into_folds(&mut items)?;
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
            let held = held_out::best(recipe, &features, &items, log);
            (held.ok_or_else(held_out::no_fit)?, features)
        }
    };
    let OutOfFold {
        fit: how,
        mut scored,
        heads: by_fold,
        networks,
        ..
    } = held;
    calibrate::write(out, &scored, &|s| arm_name(s.tier, s.stored))?;
    let every: Vec<usize> = (0..items.len()).collect();
    let head = match adapter {
        Some(adapter) => adapter.head,
        None => fit(recipe, &features, &items, &every, &how),
    };
    let second = match &recipe.artwork {
        Some(second) => Some(artwork(recipe, second, &features, &items, &how)?),
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
