//! Fusion of experts that were trained apart: a linear one, fitted on scores that no expert could learn by
//! heart.
//!
//! The semantic expert's scores are those of its held-out folds. The pixel expert consists of networks each of
//! which trained on the folds that another validates on, so that every picture has a score of a network
//! that never saw its source; what ships is their mean.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use realscope_detectors::Detector as _;
use realscope_detectors::calibration::Tier;
use realscope_detectors::card::{Card, Companion, Filter, Input, View};
use realscope_detectors::onnx::{OnnxDetector, sha256};
use realscope_nn::engine::EngineKind;
use realscope_nn::onnx::Graph;
use realscope_nn::{Cpu, Exec, quantize};
use serde::{Deserialize, Serialize};

use crate::batch::{self, picture_error, statistics};
use crate::calibrate::{self, Scored, balance};
use crate::manifest::{self, Item};
use crate::{TrainError, io_error, recipe, semantic};

/// A recipe of this kind. Paths are relative to the working directory.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Name of what is made.
    pub name: String,
    /// Folder of the semantic expert's run.
    pub semantic_run: PathBuf,
    /// Id that it was trained under.
    pub semantic_id: String,
    /// Recipe and run of each network of the pixel expert.
    pub pixel_runs: Vec<[PathBuf; 2]>,
    /// Native windows of a picture.
    pub windows: usize,
    /// Failures that the card states.
    #[serde(default)]
    pub known_failures: Vec<String>,
}

impl Recipe {
    /// Reads a recipe.
    ///
    /// # Errors
    /// [`TrainError::Io`] or [`TrainError::Recipe`].
    pub fn read(path: &Path) -> Result<Self, TrainError> {
        let text = std::fs::read_to_string(path).map_err(io_error(path))?;
        let recipe: Self = toml::from_str(&text).map_err(|e| TrainError::Recipe(e.to_string()))?;
        if recipe.pixel_runs.is_empty() || recipe.windows == 0 {
            return Err(TrainError::Recipe(
                "`pixel_runs` and `windows` must not be empty".into(),
            ));
        }
        Ok(recipe)
    }

    /// Whether a recipe file is of this kind.
    #[must_use]
    pub fn is_one(text: &str) -> bool {
        toml::from_str::<toml::Table>(text).is_ok_and(|t| t.contains_key("semantic_run"))
    }
}

/// A picture in a tier.
type Key = (String, &'static str);

const TIERS: [Tier; 3] = [Tier::Clean, Tier::Web, Tier::Hard];

/// The held-out logits that a semantic run wrote.
fn semantic_logits(path: &Path) -> Result<BTreeMap<Key, f64>, TrainError> {
    #[derive(Deserialize)]
    struct Row {
        path: String,
        arm: String,
        score: f64,
    }
    let fault = |reason: String| TrainError::Manifest {
        path: path.to_owned(),
        reason,
    };
    let mut reader = csv::Reader::from_path(path).map_err(|e| fault(e.to_string()))?;
    let mut out = BTreeMap::new();
    for (i, row) in reader.deserialize::<Row>().enumerate() {
        let row = row.map_err(|e| fault(format!("row {}: {e}", i + 2)))?;
        if row.arm.starts_with(semantic::NATIVE) {
            continue;
        }
        let tier = TIERS
            .iter()
            .find(|t| t.name() == row.arm)
            .ok_or_else(|| fault(format!("row {}: arm `{}`", i + 2, row.arm)))?;
        let p = row.score.clamp(1e-9, 1.0 - 1e-9);
        out.insert((row.path, tier.name()), (p / (1.0 - p)).ln());
    }
    Ok(out)
}

fn native_input(r: &recipe::Recipe, windows: usize) -> Input {
    let (mean, std) = statistics(r.network);
    Input {
        size: r.input,
        view: View::Windows,
        max_windows: windows,
        filter: Filter::Lanczos3,
        mean,
        std,
    }
}

/// Logits of the pictures that one network of the pixel expert validates on.
fn pixel_logits(
    r: &recipe::Recipe,
    weights: &Path,
    card: &Card,
    windows: usize,
    root: &Path,
) -> Result<Vec<(Item, Tier, f64)>, TrainError> {
    let onnx = quantize::pack_kernels(&calibrate::export(r, weights)?)?;
    let mut card = card.clone();
    card.input = native_input(r, windows);
    card.weights_sha256 = sha256(&onnx);
    let detector = OnnxDetector::load(card, &onnx, EngineKind::Rten)
        .map_err(|e| picture_error(weights, &e))?;
    let split = manifest::read(root, &r.data, r.view)?;
    let scored: Vec<Vec<(Item, Tier, f64)>> = split
        .validation
        .par_iter()
        .map(|item| {
            let path = root.join(&item.path);
            let fault = |e: &dyn std::fmt::Display| picture_error(&path, e);
            let picture = batch::open(&path)?;
            let window = crate::augment::centre_at_most(&picture, 256);
            TIERS
                .into_iter()
                .map(|tier| {
                    let delivered = semantic::deliver(&window, tier).map_err(|e| fault(&e))?;
                    let windows = detector.windows(&delivered).map_err(|e| fault(&e))?;
                    let views: Vec<_> = windows.into_iter().map(|w| w.pixels).collect();
                    let logits = detector.logits(&views).map_err(|e| fault(&e))?;
                    Ok((item.clone(), tier, detector.fuse(&logits).0))
                })
                .collect()
        })
        .collect::<Result<_, TrainError>>()?;
    Ok(scored.into_iter().flatten().collect())
}

/// The mean of the networks as one graph.
fn committee(runs: &[(recipe::Recipe, PathBuf)]) -> Result<Vec<u8>, TrainError> {
    let side = runs[0].0.input as usize;
    let mut graph = Graph::new("native", false);
    let input = graph.input("x", [1, 3, side, side]);
    let mut sum = None;
    for (r, weights) in runs {
        let logit = calibrate::record(r, weights, &mut graph, input.clone())?;
        sum = Some(match sum {
            None => logit,
            Some(sum) => Exec::<Cpu>::add(&mut graph, sum, logit),
        });
    }
    let Some(sum) = sum else {
        return Err(TrainError::Recipe("no network".into()));
    };
    let mean = Exec::<Cpu>::scale(&mut graph, sum, 1.0 / runs.len() as f32);
    graph.output("logit", &mean);
    Ok(quantize::pack_kernels(&graph.encode())?)
}

/// Logistic regression on two logits with an offset by Newton's method; weights are not negative.
fn fit(rows: &[([f64; 2], u8)], weights: &[f64]) -> [f64; 2] {
    const RIDGE: f64 = 1e-3;
    let solve = |used: [bool; 2]| -> [f64; 3] {
        let mut w = [0.0_f64; 3];
        for _ in 0..60 {
            let mut gradient = [RIDGE * w[0], RIDGE * w[1], 0.0];
            let mut hessian = [[0.0_f64; 3]; 3];
            for (i, row) in hessian.iter_mut().enumerate() {
                row[i] = if i < 2 { RIDGE } else { 1e-9 };
            }
            for ((x, y), weight) in rows.iter().zip(weights) {
                let x = [
                    if used[0] { x[0] } else { 0.0 },
                    if used[1] { x[1] } else { 0.0 },
                    1.0,
                ];
                let z: f64 = x.iter().zip(&w).map(|(a, b)| a * b).sum();
                let p = 1.0 / (1.0 + (-z).exp());
                let (e, h) = (weight * (p - f64::from(*y)), weight * p * (1.0 - p));
                for i in 0..3 {
                    gradient[i] += e * x[i];
                    for j in 0..3 {
                        hessian[i][j] += h * x[i] * x[j];
                    }
                }
            }
            let step = solve3(hessian, gradient);
            for (a, s) in w.iter_mut().zip(step) {
                *a -= s;
            }
        }
        w
    };
    let w = solve([true, true]);
    match (w[0] >= 0.0, w[1] >= 0.0) {
        (true, true) => [w[0], w[1]],
        (true, false) => [solve([true, false])[0].max(0.0), 0.0],
        _ => [0.0, solve([false, true])[1].max(0.0)],
    }
}

/// Solves a symmetric 3x3 system by Cramer's rule; zero where it is singular.
fn solve3(a: [[f64; 3]; 3], b: [f64; 3]) -> [f64; 3] {
    let det = |m: &[[f64; 3]; 3]| {
        m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1])
            - m[0][1] * (m[1][0] * m[2][2] - m[1][2] * m[2][0])
            + m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0])
    };
    let whole = det(&a);
    if whole.abs() < 1e-18 {
        return [0.0; 3];
    }
    std::array::from_fn(|k| {
        let mut m = a;
        for (row, value) in m.iter_mut().zip(b) {
            row[k] = value;
        }
        det(&m) / whole
    })
}

/// Fuses, calibrates and writes `ID.onnx`, `ID-native.onnx` and `ID.toml` into `out`.
///
/// # Errors
/// [`TrainError`].
pub fn fuse(
    r: &Recipe,
    root: &Path,
    id: &str,
    out: &Path,
    log: &mut dyn FnMut(&str),
) -> Result<Card, TrainError> {
    let semantic_file = |ext: &str| r.semantic_run.join(format!("{}.{ext}", r.semantic_id));
    let text =
        std::fs::read_to_string(semantic_file("toml")).map_err(io_error(&semantic_file("toml")))?;
    let mut card: Card = toml::from_str(&text).map_err(|e| TrainError::Recipe(e.to_string()))?;
    let onnx = std::fs::read(semantic_file("onnx")).map_err(io_error(&semantic_file("onnx")))?;
    if sha256(&onnx) != card.weights_sha256 {
        return Err(TrainError::Recipe(
            "the semantic expert's weights are not its card's".into(),
        ));
    }
    let semantic = semantic_logits(&r.semantic_run.join("validation.csv"))?;
    let runs: Vec<(recipe::Recipe, PathBuf)> = r
        .pixel_runs
        .iter()
        .map(|[recipe, run]| {
            Ok((
                recipe::Recipe::read(recipe)?,
                run.join("weights.safetensors"),
            ))
        })
        .collect::<Result<_, TrainError>>()?;
    let first = &runs[0].0;
    if runs
        .iter()
        .any(|(r, _)| (r.input, r.network) != (first.input, first.network))
    {
        return Err(TrainError::Recipe(
            "the pixel expert's networks must be alike".into(),
        ));
    }
    let mut joint: Vec<(Item, Tier, [f64; 2])> = Vec::new();
    let mut seen: BTreeSet<Key> = BTreeSet::new();
    for (recipe, weights) in &runs {
        let scored = pixel_logits(recipe, weights, &card, r.windows, root)?;
        log(&format!("{}: {} scores", recipe.name, scored.len()));
        for (item, tier, logit) in scored {
            let key = (item.path.clone(), tier.name());
            if seen.contains(&key) {
                return Err(TrainError::Recipe(format!(
                    "`{}` validates two networks",
                    item.path
                )));
            }
            if let Some(z) = semantic.get(&key) {
                joint.push((item, tier, [*z, logit]));
            }
            seen.insert(key);
        }
    }
    let with = |weights: [f64; 2]| -> Vec<Scored> {
        joint
            .iter()
            .map(|(item, tier, z)| Scored {
                item: item.clone(),
                tier: *tier,
                native: false,
                logit: weights[0] * z[0] + weights[1] * z[1],
                artwork: false,
            })
            .collect()
    };
    let plain = with([1.0, 0.0]);
    let balanced = balance(&plain.iter().collect::<Vec<_>>());
    let rows: Vec<([f64; 2], u8)> = joint.iter().map(|(i, _, z)| (*z, i.label)).collect();
    let weights = fit(&rows, &balanced);
    log(&format!(
        "weights: semantic {:.3}, native {:.3}",
        weights[0], weights[1]
    ));
    let scored = with(weights);
    for (name, set) in [
        ("semantic", &plain),
        ("native", &with([0.0, 1.0])),
        ("fused", &scored),
    ] {
        for tier in TIERS {
            log(&format!(
                "{name}, {}: {}",
                tier.name(),
                semantic::summary(set, tier, false).1
            ));
        }
    }
    let total: f64 = balanced.iter().sum();
    let neutral = |k: usize| {
        let sum: f64 = rows.iter().zip(&balanced).map(|((z, _), w)| z[k] * w).sum();
        sum / total
    };
    let native = committee(&runs)?;
    card.id = id.into();
    card.summary = format!(
        "{}; {} networks on native-resolution windows; fused on held-out folds",
        card.summary,
        runs.len()
    );
    card.licence += "; the native-resolution networks are fine-tuned from EfficientNet-Lite0's ImageNet \
                     weights (Apache-2.0)";
    card.training_data +=
        "; authentic ones also re-made by autoencoders and up-samplers (aligned pairs)";
    card.citation += "; EfficientNet: Tan and Le, ICML 2019, arXiv 1905.11946; aligned pairs: Dual Data \
                      Alignment, NeurIPS 2025, arXiv 2505.14359";
    card.known_failures.clone_from(&r.known_failures);
    card.companion = Some(Companion {
        input: native_input(first, r.windows),
        weights_sha256: sha256(&native),
        main_weight: weights[0],
        weight: weights[1],
        main_neutral: neutral(0),
        neutral: neutral(1),
    });
    card.calibration = Some(calibrate::fit(&scored));
    std::fs::create_dir_all(out).map_err(io_error(out))?;
    semantic::write_scores(out, &scored)?;
    let text = toml::to_string(&card).map_err(|e| TrainError::Recipe(e.to_string()))?;
    for (name, bytes) in [
        (format!("{id}.onnx"), onnx.as_slice()),
        (format!("{id}-native.onnx"), native.as_slice()),
        (format!("{id}.toml"), text.as_bytes()),
    ] {
        let path = out.join(name);
        std::fs::write(&path, bytes).map_err(io_error(&path))?;
    }
    Ok(card)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_carries_the_label_gets_the_weight_and_what_contradicts_it_none() {
        let rows: Vec<([f64; 2], u8)> = (0..400)
            .map(|i| {
                let y = u8::from(i % 2 == 0);
                let noise = f64::from(i * 37 % 101) / 50.0 - 1.0;
                let other = f64::from(i * 53 % 89) / 44.0 - 1.0;
                ([f64::from(y) * 1.5 - 0.7 + noise, -f64::from(y) + other], y)
            })
            .collect();
        let weights = fit(&rows, &vec![1.0 / 400.0; 400]);
        assert!(weights[0] > 0.5, "{weights:?}");
        assert_eq!(weights[1], 0.0);
    }

    #[test]
    fn a_system_is_solved() {
        let x = solve3(
            [[4.0, 1.0, 0.0], [1.0, 3.0, 1.0], [0.0, 1.0, 2.0]],
            [6.0, 10.0, 8.0],
        );
        for (found, expected) in x.iter().zip([1.0, 2.0, 3.0]) {
            assert!((found - expected).abs() < 1e-12);
        }
    }
}
