//! The fit of a head for videos, and what it scores on clips that it never saw.

use realscope_data::manifest::Item;
use realscope_metric::logistic::{self, Convex, Linear, Samples};
use realscope_metric::{auc, nested};

use super::features::{Clips, is_still};
use super::recipe::VideoRecipe;
use crate::calibrate::{Scored, platt};
use crate::error::TrainError;
pub(super) use crate::semantic::head::logit;
use crate::semantic::head::{folds, weights};
use crate::tier::TIERS;

/// What is known of clips of folds that were not seen.
pub(super) struct HeldOut {
    mean: f64,
    /// The penalty that did best.
    pub ridge: f64,
    /// Scores of every clip in every tier.
    pub scored: Vec<Scored>,
    /// Scores in every tier of pans over stills, which are reported beside them; of faces there are none.
    pub beside: Vec<Scored>,
    /// What a unit of one frame's logit counts, in log-odds.
    pub frame_scale: f64,
}

/// The head fitted on the clips `used`.
pub(super) fn fit(recipe: &VideoRecipe, clips: &Clips, used: &[usize], ridge: f64) -> Linear {
    let chosen: Vec<&Item> = used.iter().map(|i| &clips.items[*i]).collect();
    // Clips and stills of a class count alike.
    let by_clip = weights(&chosen, recipe.group_power, &is_still);
    let mut rows = Vec::with_capacity(used.len() * TIERS.len() * clips.width);
    let (mut labels, mut weight) = (Vec::new(), Vec::new());
    for (i, w) in used.iter().zip(by_clip) {
        for tier in 0..TIERS.len() {
            rows.extend(clips.mean(*i, tier));
            labels.push(f32::from(clips.items[*i].label));
            weight.push(w);
        }
    }
    let samples = Samples {
        rows,
        width: clips.width,
        labels: &labels,
        weights: &weight,
    };
    let how = Convex {
        ridge,
        iterations: recipe.iterations,
    };
    logistic::fit(samples, &how)
}

/// Scores by heads that never saw the fold of what they score.
#[derive(Default)]
struct OutOfFold {
    clips: Vec<Scored>,
    /// Frames of the clips.
    frames: Vec<Scored>,
    beside: Vec<Scored>,
}

fn out_of_fold(
    recipe: &VideoRecipe,
    clips: &Clips,
    flagged: &dyn Fn(usize, usize) -> bool,
    ridge: f64,
) -> OutOfFold {
    let mut out = OutOfFold::default();
    for fold in folds(&clips.items) {
        let (held, used): (Vec<usize>, Vec<usize>) =
            (0..clips.items.len()).partition(|i| clips.items[*i].fold == fold);
        let head = fit(recipe, clips, &used, ridge);
        for i in held {
            for (t, tier) in TIERS.into_iter().enumerate() {
                let logits: Vec<f64> = clips
                    .frames(i, t)
                    .iter()
                    .map(|row| logit(&head, row))
                    .collect();
                let scored = |logit: f64| Scored {
                    item: Item {
                        // Generated and authentic clips of all sources are one set: there are too few of each style.
                        match_set: "videos".into(),
                        ..clips.items[i].clone()
                    },
                    tier,
                    stored: false,
                    logit,
                    artwork: flagged(i, t),
                };
                let mean = scored(logits.iter().sum::<f64>() / logits.len() as f64);
                let item = &clips.items[i];
                // A face is small either way: those of stills count as those of clips.
                if recipe.faces.is_none() && is_still(item) {
                    out.beside.push(mean);
                } else {
                    out.clips.push(mean);
                    out.frames.extend(logits.into_iter().map(scored));
                }
            }
        }
    }
    out
}

/// AUC of a tier with its interval by group.
fn measured(scored: &[Scored], tier: usize) -> Option<(f64, String)> {
    let rows: Vec<(f32, u8, &str)> = scored
        .iter()
        .filter(|s| s.tier == TIERS[tier])
        .map(|s| (s.logit as f32, s.item.label, s.item.group.as_str()))
        .collect();
    let plain: Vec<(f32, u8)> = rows.iter().map(|(s, l, _)| (*s, *l)).collect();
    let found = auc::of_labels(&plain)?;
    let interval = nested::auc_interval(&rows, 1000, 7);
    let interval = interval.map_or(String::new(), |i| format!(" [{:.3}, {:.3}]", i.low, i.high));
    Some((found, format!("{found:.3}{interval}")))
}

/// Scores by the penalty with the highest mean AUC of clips over the tiers.
pub(super) fn best(
    recipe: &VideoRecipe,
    clips: &Clips,
    flagged: &dyn Fn(usize, usize) -> bool,
    log: &mut dyn FnMut(&str),
) -> Result<HeldOut, TrainError> {
    let mut best: Option<HeldOut> = None;
    for ridge in &recipe.ridges {
        let found = out_of_fold(recipe, clips, flagged, *ridge);
        let tiers = |scored: &[Scored]| -> (f64, String) {
            let of: Vec<(f64, String)> = (0..TIERS.len())
                .filter_map(|t| measured(scored, t))
                .collect();
            let mean = of.iter().map(|a| a.0).sum::<f64>() / of.len().max(1) as f64;
            let text: Vec<String> = of.into_iter().map(|a| a.1).collect();
            (mean, text.join(", "))
        };
        let (mean, mut text) = tiers(&found.clips);
        if !found.beside.is_empty() {
            text += &format!("; pans over stills {}", tiers(&found.beside).1);
        }
        log(&format!(
            "ridge {ridge}, held-out folds, AUC as made, web, hard: {text}"
        ));
        if best.as_ref().is_none_or(|b| mean > b.mean) {
            best = Some(HeldOut {
                mean,
                ridge: *ridge,
                frame_scale: platt(&found.frames).scale,
                scored: found.clips,
                beside: found.beside,
            });
        }
    }
    best.ok_or_else(|| TrainError::Recipe("`ridges` is empty".into()))
}
