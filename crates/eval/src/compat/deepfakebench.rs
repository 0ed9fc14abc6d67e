//! DeepfakeBench (Yan et al., NeurIPS 2023 D&B, arXiv 2307.01426), `get_test_metrics`.
//!
//! Departures: a score of exactly 0.5 counts as real; the EER is a vertex of the ROC polygon after
//! collinear vertices are dropped, not an interpolation; videos are grouped by the name of the
//! parent folder alone, so that videos of several manipulations with one id merge, and a merged
//! group's label is the truncated mean.

use std::collections::HashMap;

use realscope_metric::{Scores, ap, auc};

/// The measures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metrics {
    /// Share of `score > 0.5` decisions that are right.
    pub acc: f64,
    /// Area under the ROC curve.
    pub auc: f64,
    /// False positive rate at the vertex nearest to equal errors.
    pub eer: f64,
    /// Average precision.
    pub ap: f64,
    /// AUC over folders.
    pub video_auc: f64,
}

/// One folder of frames.
#[derive(Clone, Debug, PartialEq)]
pub struct Video {
    /// Name of the folder.
    pub name: String,
    /// Number of frames.
    pub frames: usize,
    /// Mean score.
    pub score: f64,
    /// Truncated mean label.
    pub label: u8,
}

/// Groups frames by the second last part of their path, in order of first appearance. Scores pass
/// through their shortest decimal form, as they do in the published code.
#[must_use]
pub fn videos(names: &[&str], scores: &[f32], labels: &[u32]) -> Vec<Video> {
    let mut index: HashMap<&str, usize> = HashMap::new();
    let mut sums: Vec<(&str, usize, f64, u32)> = Vec::new();
    for ((name, score), label) in names.iter().zip(scores).zip(labels) {
        let separator = if name.contains('\\') { '\\' } else { '/' };
        let folder = name.rsplit(separator).nth(1).unwrap_or_default();
        let i = *index.entry(folder).or_insert_with(|| {
            sums.push((folder, 0, 0.0, 0));
            sums.len() - 1
        });
        let text = score.to_string();
        sums[i].1 += 1;
        sums[i].2 += text.parse::<f64>().unwrap_or_else(|_| f64::from(*score));
        sums[i].3 += (*label).min(1);
    }
    sums.into_iter()
        .map(|(name, frames, score, label)| Video {
            name: name.to_owned(),
            frames,
            score: score / frames as f64,
            label: u8::from(label as usize == frames),
        })
        .collect()
}

fn scores(scores: impl Iterator<Item = f64>, labels: impl Iterator<Item = bool>) -> Scores {
    Scores::new(scores.zip(labels).map(|(s, l)| (s, l, 0)).collect())
}

/// Measures of frames; labels above 1 count as 1. `None` with a single class.
#[must_use]
pub fn frame_metrics(names: &[&str], frame: &[f32], labels: &[u32]) -> Option<Metrics> {
    let all = scores(
        frame.iter().map(|s| f64::from(*s)),
        labels.iter().map(|l| *l >= 1),
    );
    let grouped = videos(names, frame, labels);
    let folders = scores(
        grouped.iter().map(|v| v.score),
        grouped.iter().map(|v| v.label == 1),
    );
    let right = frame
        .iter()
        .zip(labels)
        .filter(|(s, l)| (**s > 0.5) == (**l >= 1))
        .count();
    Some(Metrics {
        acc: right as f64 / frame.len() as f64,
        auc: auc::auc(&all.all())?,
        eer: vertex_eer(&all)?,
        ap: ap::average_precision(&all.all())?,
        video_auc: auc::auc(&folders.all())?,
    })
}

/// Measures of clip detectors: one score a clip, so the video AUC is the AUC.
#[must_use]
pub fn clip_metrics(clip: &[f32], labels: &[u32]) -> Option<Metrics> {
    let all = scores(
        clip.iter().map(|s| f64::from(*s)),
        labels.iter().map(|l| *l >= 1),
    );
    let right = clip
        .iter()
        .zip(labels)
        .filter(|(s, l)| (**s > 0.5) == (**l >= 1))
        .count();
    let area = auc::auc(&all.all())?;
    Some(Metrics {
        acc: right as f64 / clip.len() as f64,
        auc: area,
        eer: vertex_eer(&all)?,
        ap: ap::average_precision(&all.all())?,
        video_auc: area,
    })
}

/// False positive rate at the first vertex with the smallest `|fnr - fpr|`, among vertices where the
/// ROC polygon turns.
#[must_use]
pub fn vertex_eer(scores: &Scores) -> Option<f64> {
    let v = scores.all();
    if !v.has_both() {
        return None;
    }
    let mut points = vec![(0.0, 0.0)];
    v.curve(|p| points.push((p.fp, p.tp)));
    // Second differences of the counts: a vertex stays where one of them does not vanish. The
    // first two thresholds always stay: the published curve starts above the highest score.
    let last = points.len() - 1;
    let turns = |i: usize| {
        let second = |get: fn(&(f64, f64)) -> f64| {
            get(&points[i + 1]) - 2.0 * get(&points[i]) + get(&points[i - 1])
        };
        second(|p| p.0) != 0.0 || second(|p| p.1) != 0.0
    };
    let mut best: Option<(f64, f64)> = None;
    for (i, (fp, tp)) in points.iter().enumerate() {
        if i > 1 && i < last && !turns(i) {
            continue;
        }
        let (fpr, fnr) = (fp / v.negatives, 1.0 - tp / v.positives);
        let distance = (fnr - fpr).abs();
        if best.is_none_or(|(d, _)| distance < d) {
            best = Some((distance, fpr));
        }
    }
    best.map(|b| b.1)
}
