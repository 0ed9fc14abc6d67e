//! Baselines that look at no trace: how well size, format and a thumbnail tell the classes apart.

use std::collections::{BTreeSet, HashMap};

use rand::prelude::*;
use rand_chacha::ChaCha8Rng;
use realscope_metric::logistic::{self, Convex, Linear, Samples};
use realscope_metric::{Scores, auc};

use super::findings::Confound;
use super::look::Seen;
use crate::manifest::Item;

/// Largest number of items of the baselines; more are sampled evenly.
const BASELINE_ITEMS: usize = 3000;

/// Every baseline with its AUC. `formats` are those that occur.
pub(super) fn confounds<'a>(
    seen: &[(&Item, Seen)],
    formats: impl Iterator<Item = &'a String>,
) -> Vec<Confound> {
    let formats: Vec<&String> = formats.collect();
    let one_hot = |s: &Seen| -> Vec<f32> {
        formats
            .iter()
            .map(|f| f32::from(u8::from(**f == s.format)))
            .collect()
    };
    let stride = seen.len().div_ceil(BASELINE_ITEMS).max(1);
    let sample: Vec<&(&Item, Seen)> = seen.iter().step_by(stride).collect();
    type Feature<'a> = Box<dyn Fn(&Seen) -> Vec<f32> + 'a>;
    let baselines: [(&str, Feature<'_>); 5] = [
        ("size", Box::new(|s| s.size.to_vec())),
        ("format", Box::new(one_hot)),
        ("JPEG quality and history", Box::new(|s| s.quality.to_vec())),
        (
            "size, format and JPEG history",
            Box::new(|s| [s.size.to_vec(), one_hot(s), s.quality.to_vec()].concat()),
        ),
        ("a 32x32 thumbnail", Box::new(|s| s.thumbnail.clone())),
    ];
    let confound = |(name, feature): (&str, Feature<'_>)| {
        let rows: Vec<Vec<f32>> = sample.iter().map(|(_, s)| feature(s)).collect();
        let labels: Vec<bool> = sample.iter().map(|(i, _)| i.label == 1).collect();
        let groups: Vec<&str> = sample.iter().map(|(i, _)| i.group.as_str()).collect();
        let auc = out_of_sample_auc(&rows, &labels, &groups);
        Confound {
            baseline: name.into(),
            auc,
            warning: auc.is_some_and(|a| !(0.40..=0.60).contains(&a)),
        }
    };
    baselines.into_iter().map(confound).collect()
}

/// AUC of a ridge logistic regression on held-out groups, five folds.
fn out_of_sample_auc(rows: &[Vec<f32>], labels: &[bool], groups: &[&str]) -> Option<f64> {
    let mut names: Vec<&str> = groups.to_vec();
    names.sort_unstable();
    names.dedup();
    names.shuffle(&mut ChaCha8Rng::seed_from_u64(5));
    let fold: HashMap<&str, usize> = names.iter().enumerate().map(|(i, g)| (*g, i % 5)).collect();
    let mut scored = Vec::new();
    for f in 0..5 {
        let (train, test): (Vec<usize>, Vec<usize>) =
            (0..rows.len()).partition(|i| fold[groups[*i]] != f);
        let classes = |list: &[usize]| list.iter().map(|i| labels[*i]).collect::<BTreeSet<_>>();
        if classes(&train).len() < 2 {
            continue;
        }
        let fitted = baseline(rows, labels, &train);
        let logit = |i: &usize| f64::from(fitted.logit(&rows[*i]));
        let scores = test.iter().map(|i| (logit(i), labels[*i], 0));
        scored.push(Scores::new(scores.collect()));
    }
    // Folds have scales of their own, so that their AUCs are averaged, not their scores pooled.
    let (mut sum, mut weight) = (0.0, 0.0);
    for s in &scored {
        if let Some(a) = auc::auc(&s.all()) {
            sum += a * s.len() as f64;
            weight += s.len() as f64;
        }
    }
    (weight > 0.0).then(|| sum / weight)
}

/// Fits the rows `train`, classes weighing alike.
fn baseline(rows: &[Vec<f32>], labels: &[bool], train: &[usize]) -> Linear {
    let positives = train.iter().filter(|i| labels[**i]).count() as f32;
    let negatives = train.len() as f32 - positives;
    let weight = |i: &usize| 0.5 / if labels[*i] { positives } else { negatives };
    let targets: Vec<f32> = train
        .iter()
        .map(|i| f32::from(u8::from(labels[*i])))
        .collect();
    let weights: Vec<f32> = train.iter().map(weight).collect();
    let samples = Samples {
        rows: train.iter().flat_map(|i| &rows[*i]).copied().collect(),
        width: rows.first().map_or(0, Vec::len),
        labels: &targets,
        weights: &weights,
    };
    let how = Convex {
        ridge: 0.01,
        iterations: 200,
    };
    logistic::fit(samples, &how)
}
