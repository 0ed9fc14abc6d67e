//! Scores of held-out folds, by heads that never saw them.

use std::collections::BTreeMap;
use std::path::Path;

use half::f16;
use realscope_data::manifest::Item;
use realscope_metric::logistic::Linear;
use realscope_nn::Cpu;
use realscope_nn::vit::ClipVision;

use super::deliveries::{Delivery, OF_STORED};
use super::encoder::deployed;
use super::features::{Cache, Features, cache, siblings};
use super::head::{fit, folds, logit};
use super::recipe::{Fit, SemanticRecipe};
use super::report::{drawn_summary, logged, of_pictures};
use crate::adapter::Adapter;
use crate::calibrate::Scored;
use crate::error::TrainError;
use crate::tier::TIERS;

/// What is known of pictures of folds that were not seen.
pub(super) struct OutOfFold {
    /// Mean AUC over the tiers, of whole pictures and of files at native resolution alike.
    mean: f64,
    /// The fit that did best.
    pub fit: Fit,
    /// Scores of every item in every tier.
    pub scored: Vec<Scored>,
    /// By fold.
    pub heads: BTreeMap<String, Linear>,
    /// Networks of features, of folds that have one of their own.
    pub networks: BTreeMap<String, Vec<u8>>,
}

/// Scores of an item in every tier.
fn scores<'a>(
    item: &'a Item,
    stored: bool,
    head: &'a Linear,
    row: impl Fn(usize) -> &'a [f16] + 'a,
) -> impl Iterator<Item = Scored> + 'a {
    TIERS.into_iter().enumerate().map(move |(t, tier)| Scored {
        item: item.clone(),
        tier,
        stored,
        logit: logit(head, row(t)),
        artwork: false,
    })
}

/// Scores of every item in every tier by heads that never saw its fold, and those heads by fold.
fn out_of_fold(
    recipe: &SemanticRecipe,
    features: &Features,
    items: &[Item],
    how: &Fit,
) -> (Vec<Scored>, BTreeMap<String, Linear>) {
    let (mut out, mut heads) = (Vec::new(), BTreeMap::new());
    for fold in folds(items) {
        let used: Vec<usize> = (0..items.len())
            .filter(|i| items[*i].fold != fold)
            .collect();
        let head = fit(recipe, features, items, &used, how);
        for (i, item) in items.iter().enumerate().filter(|(_, i)| i.fold == fold) {
            for (stored, cache, first) in features.scored() {
                out.extend(scores(item, stored, &head, |t| cache.row(i, first + t)));
            }
        }
        heads.insert(fold.to_owned(), head);
    }
    (out, heads)
}

/// Heads of the fit that does best on held-out folds.
pub(super) fn best(
    recipe: &SemanticRecipe,
    features: &Features,
    items: &[Item],
    log: &mut dyn FnMut(&str),
) -> Option<OutOfFold> {
    let mut best: Option<OutOfFold> = None;
    for how in recipe.fits() {
        let (scored, heads) = out_of_fold(recipe, features, items, &how);
        let scored = of_pictures(scored, log);
        let mean = logged(recipe, &scored, &how.to_string(), log);
        if let Some(drawn) = &features.drawn {
            log(&drawn_summary(items, drawn, &scored, &heads));
        }
        if best.as_ref().is_none_or(|b| mean > b.mean) {
            best = Some(OutOfFold {
                mean,
                fit: how,
                scored,
                heads,
                networks: BTreeMap::new(),
            });
        }
    }
    best
}

/// A recipe without a fit, which [`SemanticRecipe::read`] refuses.
pub(super) fn no_fit() -> TrainError {
    TrainError::Recipe("`fit` names no fit".into())
}

/// Scores of every item in every tier by a tower and a head that never saw its fold, with those heads and the networks
/// of features by fold; and those features.
pub(super) fn adapted(
    recipe: &SemanticRecipe,
    folder: &Path,
    tower: &ClipVision<Cpu>,
    root: &Path,
    items: &[Item],
    out: &Path,
    log: &mut dyn FnMut(&str),
) -> Result<(OutOfFold, Features), TrainError> {
    let fit = recipe.fits().into_iter().next();
    let mut held = OutOfFold {
        mean: 0.0,
        fit: fit.ok_or_else(no_fit)?,
        scored: Vec::new(),
        heads: BTreeMap::new(),
        networks: BTreeMap::new(),
    };
    let zeros = |deliveries| Cache::zeros(items.len(), deliveries, recipe.read_width());
    let mut features = Features {
        plain: zeros(TIERS.len()),
        random: 0,
        drawn: recipe.artwork.as_ref().map(|_| zeros(1)),
        stored: recipe.windows.map(|_| zeros(OF_STORED.len())),
        siblings: siblings(root, items),
    };
    for fold in folds(items) {
        let adapter = Adapter::read(folder, fold, recipe.read_width())?;
        let (_, encoder) = deployed(recipe, tower.clone(), Some(&adapter), log)?;
        let numbers = |chosen: &dyn Fn(&Item) -> bool| -> Vec<usize> {
            (0..items.len())
                .filter(|i| items[*i].fold == fold && chosen(&items[*i]))
                .collect()
        };
        let mut fill = |into: &mut Cache, numbers: &[usize], deliveries: &[Delivery]| {
            let mine: Vec<Item> = numbers.iter().map(|i| items[*i].clone()).collect();
            let found = cache(recipe, root, &mine, deliveries, &encoder, out, log)?;
            for (there, here) in numbers.iter().enumerate() {
                into.take(*here, &found, there);
            }
            Ok::<_, TrainError>(())
        };
        let all = numbers(&|_| true);
        fill(&mut features.plain, &all, &TIERS.map(Delivery::Whole))?;
        if let Some(drawn) = &mut features.drawn {
            // Of generated pictures nobody asks for drawn versions.
            let authentic = numbers(&|i| i.label == 0);
            fill(drawn, &authentic, &[Delivery::Drawn])?;
        }
        if let Some(stored) = &mut features.stored {
            fill(stored, &all, &OF_STORED)?;
        }
        for i in all {
            for (stored, cache, first) in features.scored() {
                let row = |t| cache.row(i, first + t);
                held.scored
                    .extend(scores(&items[i], stored, &adapter.head, row));
            }
        }
        held.networks.insert(fold.to_owned(), encoder.packed);
        held.heads.insert(fold.to_owned(), adapter.head);
    }
    held.scored = of_pictures(std::mem::take(&mut held.scored), log);
    held.mean = logged(recipe, &held.scored, "adapted", log);
    Ok((held, features))
}
