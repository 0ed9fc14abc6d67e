//! What training tells of held-out scores, and the file of them.

use std::collections::BTreeMap;

use realscope_data::manifest::Item;
use realscope_data::split::ClipFrame;
use realscope_detectors::Tier;
use realscope_metric::auc;
use realscope_metric::logistic::Linear;

use super::features::Cache;
use super::head::logit;
use super::recipe::SemanticRecipe;
use crate::calibrate::Scored;
use crate::tier::{self, TIERS};

/// Name of what is scored, in logs and files: the arm, and whether it was of the stored file.
pub(super) fn arm_name(tier: Tier, stored: bool) -> String {
    let arm = tier::arm(tier).name();
    if stored { format!("stored {arm}") } else { arm }
}

/// AUC of all pictures and of each match set in a tier.
fn summary(scored: &[Scored], tier: Tier, stored: bool) -> (Option<f64>, String) {
    let mut sets: BTreeMap<&str, Vec<(f32, u8)>> = BTreeMap::new();
    for s in scored
        .iter()
        .filter(|s| s.tier == tier && s.stored == stored)
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
        .map(|(set, rows)| match auc::of_labels(rows) {
            Some(a) => format!("{set} {a:.3}"),
            None => format!("{set} -"),
        })
        .collect::<Vec<_>>()
        .join(", ");
    (sets.get("all").and_then(|r| auc::of_labels(r)), text)
}

/// The scores of pictures; those of frames, which only train, are logged and left out.
pub(super) fn of_pictures(scored: Vec<Scored>, log: &mut dyn FnMut(&str)) -> Vec<Scored> {
    let frame = |s: &Scored| ClipFrame::parse(&s.item.path).is_some();
    let (frames, pictures): (Vec<Scored>, Vec<Scored>) = scored.into_iter().partition(frame);
    if !frames.is_empty() {
        for tier in TIERS {
            let (_, text) = summary(&frames, tier, false);
            log(&format!(
                "frames of held-out clips, {}: {text}",
                arm_name(tier, false)
            ));
        }
    }
    pictures
}

/// Logs how held-out scores do, and gives the mean AUC over the arms.
pub(super) fn logged(
    recipe: &SemanticRecipe,
    scored: &[Scored],
    what: &str,
    log: &mut dyn FnMut(&str),
) -> f64 {
    let mut arms = Vec::new();
    for stored in std::iter::once(false).chain(recipe.windows.map(|_| true)) {
        for tier in TIERS {
            let (all, text) = summary(scored, tier, stored);
            log(&format!(
                "{what}, held-out folds, {}: {text}",
                arm_name(tier, stored)
            ));
            arms.push(all.unwrap_or(0.5));
        }
    }
    arms.iter().sum::<f64>() / arms.len() as f64
}

/// How drawn versions of held-out pictures score: their AUC, and how many of the authentic ones lie above what 95% of
/// the clean authentic ones stay under.
pub(super) fn drawn_summary(
    items: &[Item],
    drawn: &Cache,
    scored: &[Scored],
    heads: &BTreeMap<String, Linear>,
) -> String {
    let mut clean: Vec<f64> = scored
        .iter()
        .filter(|s| s.tier == Tier::Clean && !s.stored && s.item.label == 0)
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
        auc::of_labels(&rows).unwrap_or(f64::NAN)
    )
}
