//! The linear head: how items weigh, and its fit.

use std::collections::{BTreeMap, BTreeSet};

use half::f16;
use realscope_data::manifest::Item;
use realscope_metric::logistic::{Linear, Samples};

use super::features::Features;
use super::recipe::{Fit, SemanticRecipe};
use crate::tier::TIERS;

/// Classes count alike, and within a class those of its pictures for which `apart` holds and the others; within
/// these, sources by a power of their size: one maker's many groups are one source.
pub(crate) fn weights(items: &[&Item], power: f64, apart: &dyn Fn(&Item) -> bool) -> Vec<f32> {
    let source = |i: &Item| match i.source.as_str() {
        "" => i.group.clone(),
        source => source.to_owned(),
    };
    let mut sizes: BTreeMap<(u8, String), f64> = BTreeMap::new();
    for i in items {
        *sizes.entry((i.label, source(i))).or_default() += 1.0;
    }
    let one = |i: &Item| sizes[&(i.label, source(i))].powf(power - 1.0);
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

/// The head fitted on the items `used`.
pub(super) fn fit(
    recipe: &SemanticRecipe,
    features: &Features,
    items: &[Item],
    used: &[usize],
    how: &Fit,
) -> Linear {
    let cache = &features.plain;
    let chosen: Vec<&Item> = used.iter().map(|i| &items[*i]).collect();
    let apart = |i: &Item| recipe.balance_views && features.siblings.contains(&i.path);
    let by_item = weights(&chosen, recipe.data.group_power, &apart);
    // Without random deliveries those of the tiers are fitted.
    let n = match features.random {
        0 => TIERS.len(),
        n => n,
    };
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
        if let (Some(stored), Some(share)) = (&features.stored, recipe.windows)
            && share > 0.0
        {
            rows.extend(stored.row(*i, 0).iter().map(|v| v.to_f32()));
            labels.push(f32::from(items[*i].label));
            weight.push(w * share as f32);
        }
    }
    let samples = Samples {
        rows,
        width: cache.read,
        labels: &labels,
        weights: &weight,
    };
    how.run(samples)
}

/// Folds of a list, each once.
pub(crate) fn folds(items: &[Item]) -> BTreeSet<&str> {
    items.iter().map(|i| i.fold.as_str()).collect()
}

/// The logit of a row of features.
pub(crate) fn logit(head: &Linear, row: &[f16]) -> f64 {
    let sum: f64 = row
        .iter()
        .zip(&head.weight)
        .map(|(v, w)| f64::from(v.to_f32()) * f64::from(*w))
        .sum();
    sum + f64::from(head.bias)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_and_kinds_of_view_count_alike() {
        let item = |label: u8, group: &str, path: &str| Item {
            path: path.into(),
            label,
            group: group.into(),
            fold: "0".into(),
            ..Item::default()
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
}
