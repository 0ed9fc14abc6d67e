//! The second head: what looks painted or drawn, so that it is not accused.

use std::collections::BTreeMap;

use realscope_data::manifest::Item;
use realscope_detectors::card::{FlagKind, FlagRates, Head};
use realscope_detectors::catalog;
use realscope_engine::heads;
use realscope_metric::logistic::{Linear, Samples};

use super::features::{Cache, Features};
use super::head::{folds, logit};
use super::recipe::{ArtworkRecipe, Fit, SemanticRecipe};
use crate::error::TrainError;
use crate::tier::TIERS;

/// Whether a picture looks painted or drawn: whole and at native resolution, in every tier.
pub(super) type Looks = [[bool; TIERS.len()]; 2];

/// Head that tells what looks painted or drawn, fitted on all folds, and what heads that never saw a fold say of it:
/// in sum, and of each item in each tier.
///
/// Positive are drawn versions of authentic pictures and generated pictures in artists' styles, half of the weight
/// each; negative are authentic pictures and generated ones that look like photographs. The share of generated
/// pictures is the same question on either side, so that the head learns the look and not the making.
pub(super) fn artwork(
    recipe: &SemanticRecipe,
    how: &ArtworkRecipe,
    features: &Features,
    items: &[Item],
    fit: &Fit,
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
            .stored
            .as_ref()
            .filter(|_| recipe.windows > Some(0.0));
        let share = if windows.is_some() { 0.5 } else { 1.0 };
        add(&styled, cache, deliveries, 1.0, 0.5 * share);
        add(&|i| i.label == 0, drawn, 1, 1.0, 0.5);
        add(&plain, cache, deliveries, 0.0, share);
        if let Some(stored) = windows {
            add(&styled, stored, 1, 1.0, 0.5 * share);
            add(&plain, stored, 1, 0.0, share);
        }
        let samples = Samples {
            rows,
            width: cache.read,
            labels: &labels,
            weights: &weight,
        };
        fit.run(samples)
    };
    let mut photographs = Vec::new();
    let mut logits = vec![[[f64::MIN; TIERS.len()]; 2]; items.len()];
    let (mut filtered, mut in_style, mut generated) = (Vec::new(), Vec::new(), Vec::new());
    for fold in folds(items) {
        let head = fit(&|i| i.fold != fold);
        for (i, item) in items.iter().enumerate().filter(|(_, i)| i.fold == fold) {
            for (stored, cache, first) in features.scored() {
                logits[i][usize::from(stored)] =
                    std::array::from_fn(|t| logit(&head, cache.row(i, first + t)));
            }
            let clean = logits[i][0][0];
            if item.label == 0 {
                photographs.push(clean);
                photographs.extend(features.stored.as_ref().map(|_| logits[i][1][0]));
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

/// The flag of the detector whose encoder a recipe takes, and what it says of each item in each tier. Its rates are
/// those of these items, most of which it never saw.
pub(super) fn of_shipped(
    recipe: &SemanticRecipe,
    features: &Features,
    items: &[Item],
) -> Result<Option<(Linear, Head, Vec<Looks>)>, TrainError> {
    let (Some(onnx), Some(entry)) = (
        recipe.shipped(),
        recipe.encoder.to_str().and_then(catalog::find),
    ) else {
        return Ok(None);
    };
    let card = (entry.card)()?;
    let flag = card.heads.iter().find_map(|h| match h {
        Head::Flag {
            flag: FlagKind::Artwork,
            column,
            threshold,
            ..
        } => Some((*column, *threshold)),
        _ => None,
    });
    let Some((column, threshold)) = flag else {
        return Ok(None);
    };
    let mut heads = heads::of(onnx)?;
    if column >= heads.len() {
        return Err(TrainError::Recipe(format!(
            "no column {column} in the network"
        )));
    }
    let (weight, bias) = heads.swap_remove(column);
    let head = Linear { weight, bias };
    let looks: Vec<Looks> = (0..items.len())
        .map(|i| {
            let mut looks = Looks::default();
            for (stored, cache, first) in features.scored() {
                looks[usize::from(stored)] =
                    std::array::from_fn(|t| logit(&head, cache.row(i, first + t)) >= threshold);
            }
            looks
        })
        .collect();
    let share = |chosen: &dyn Fn(&Item) -> bool| {
        let of: Vec<bool> = items
            .iter()
            .zip(&looks)
            .filter(|(item, _)| chosen(item))
            .map(|(_, looks)| looks[0][0])
            .collect();
        of.iter().filter(|l| **l).count() as f64 / of.len().max(1) as f64
    };
    let drawn = |i: &Item| ["painting", "drawing", "render", "game"].contains(&i.content.as_str());
    let found = Head::Flag {
        output: None,
        column: 1,
        flag: FlagKind::Artwork,
        threshold,
        rates: Some(FlagRates {
            photographs: share(&|i| i.label == 0 && !drawn(i)),
            filtered: share(&|i| i.label == 0 && drawn(i)),
            styled: share(&|i| i.label == 1 && i.content == "styled"),
            generated: share(&|i| i.label == 1),
        }),
    };
    Ok(Some((head, found, looks)))
}
