//! From trained weights to what ships: exports the network, scores validation pictures exactly as a
//! scan does, fits the calibration and writes the card.
//!
//! Only validation groups are used. Pictures of both classes are cut to the same window and encoded
//! alike first, in three tiers: JPEG q95 (clean), half size and q60 (web), a third and q40 (hard).

use std::collections::BTreeMap;
use std::path::Path;

use image::RgbImage;
use rand::prelude::*;
use rand_chacha::ChaCha8Rng;
use realscope_delivery::{self as delivery, Subsampling};
use realscope_detectors::calibration::{
    Band, Calibration, Operating, StoredPoint, Tier, TierCalibration,
};
use realscope_detectors::card::{Card, Colour, Filter, Head, Input, Polarity, Status, Task, View};
use realscope_detectors::network::{NetworkDetector, sha256};
use realscope_detectors::{Detector, DetectorError, Logit, npr, pool, prepare};
use realscope_engine::{EngineKind, Threads};
use realscope_nn::efficientnet_lite::EfficientNetLite;
use realscope_nn::npr::Npr;
use realscope_nn::onnx::{Edge, Graph};
use realscope_nn::{Cpu, Parameters, StateDict};

use crate::batch::{self, picture_error, statistics};
use crate::manifest::{self, Item};
use crate::recipe::{Network, Recipe};
use crate::run::Detector as _;
use crate::{TrainError, augment, io_error, metrics};

/// Least lower bound of the matched AUC that carries the verdict `generated`.
const MATCHED_BAR: f64 = 0.55;
/// False-positive rate and recall that carry it.
const FPR_BAR: f64 = 0.01;
const RECALL_BAR: f64 = 0.10;

/// Most validation pictures that are scored, spread evenly over the manifest.
const MAX_PICTURES: usize = 330;

/// One validation picture in one tier.
#[derive(Clone, Debug)]
pub struct Scored {
    /// The picture.
    pub item: Item,
    /// How it was delivered.
    pub tier: Tier,
    /// The stored file at native resolution, often a window, in place of the whole picture made small.
    pub native: bool,
    /// Fused logit.
    pub logit: f64,
    /// Whether it looks painted or drawn, and so is not accused.
    pub artwork: bool,
}

/// The deployed form of trained weights.
///
/// # Errors
/// [`TrainError::Weights`].
pub fn export(recipe: &Recipe, weights: &Path) -> Result<Vec<u8>, TrainError> {
    let side = recipe.input as usize;
    let mut graph = Graph::new(&recipe.name, false);
    let input = graph.input("x", [1, 3, side, side]);
    let logit = record(recipe, weights, &mut graph, input)?;
    graph.output("logit", &logit);
    Ok(graph.encode())
}

/// Appends a recipe's trained network to a graph; its logit `[1, 1]`.
///
/// # Errors
/// [`TrainError::Weights`].
pub(crate) fn record(
    recipe: &Recipe,
    weights: &Path,
    graph: &mut Graph,
    input: Edge<4>,
) -> Result<Edge<2>, TrainError> {
    let dict = StateDict::read(weights)?;
    let device = Default::default();
    Ok(match recipe.network {
        Network::EfficientnetLite0 | Network::EfficientnetLite0Trunk => {
            let mut net = EfficientNetLite::<Cpu>::fresh(recipe.network, &device);
            net.load(&dict, &device)?;
            net.forward(graph, input)
        }
        Network::Npr => {
            let mut net = Npr::<Cpu>::fresh(recipe.network, &device);
            net.load(&dict, &device)?;
            net.forward(graph, input)
        }
    })
}

/// The card of a recipe's result, not yet calibrated.
///
/// # Errors
/// [`TrainError::Detector`] when this program's own card is damaged.
pub fn card(
    recipe: &Recipe,
    id: &str,
    onnx: &[u8],
    max_windows: usize,
) -> Result<Card, TrainError> {
    let (mean, std) = statistics(recipe.network);
    let input = |view| Input {
        size: recipe.input,
        filter: Filter::Lanczos3,
        colour: Colour::Rgb,
        mean,
        std,
        view,
    };
    let training_data = "pictures of public repositories with known source, and aligned pairs: the authentic \
                         ones re-made by autoencoders and up-samplers; the pictures are not distributed";
    let most = max_windows;
    let plain = Card {
        id: id.into(),
        summary: "Pixel expert on native-resolution windows and a resized view".into(),
        status: Status::Preview,
        since: env!("CARGO_PKG_VERSION").into(),
        task: Task::GeneratedPicture,
        weights_sha256: sha256(onnx),
        encoder_sha256: None,
        engines: vec![EngineKind::Rten, EngineKind::Ort],
        licence:
            "MIT OR Apache-2.0; fine-tuned from EfficientNet-Lite0 ImageNet weights (Apache-2.0)"
                .into(),
        training_data: training_data.into(),
        citation:
            "EfficientNet: Tan and Le, ICML 2019, arXiv 1905.11946; aligned pairs: Dual Data \
                   Alignment, NeurIPS 2025, arXiv 2505.14359"
                .into(),
        known_failures: recipe.known_failures.clone(),
        map_false_alarm_rate: None,
        input: input(View::WholeAndWindows { most }),
        heads: vec![Head::Binary {
            output: None,
            column: 0,
            polarity: Polarity::Generated,
        }],
        calibration: None,
    };
    if recipe.network != Network::Npr {
        return Ok(plain);
    }
    let shipped = (npr::ENTRY.card)()?;
    Ok(Card {
        summary: shipped.summary,
        licence: shipped.licence,
        citation: shipped.citation,
        known_failures: NPR_FAILURES
            .map(str::to_owned)
            .into_iter()
            .chain(recipe.known_failures.clone())
            .collect(),
        input: input(View::Windows { most }),
        ..plain
    })
}

/// What NPR's method fails at, whatever it is trained on.
const NPR_FAILURES: [&str; 2] = [
    "falls to chance once both classes are JPEG-encoded alike",
    "resizing and social-network delivery",
];

/// A picture in a tier: both classes are cut to the same central window (at most 256 pixels) first.
///
/// # Errors
/// [`delivery::DeliveryError`].
pub fn deliver(picture: &RgbImage, tier: Tier) -> Result<RgbImage, delivery::DeliveryError> {
    let side = picture.width().min(picture.height()).min(256);
    let window = augment::centre(picture, side);
    let scaled = |by: f64| {
        let side = ((f64::from(side) * by).round() as u32).max(8);
        delivery::resize(&window, side, side, delivery::Filter::Lanczos3)
    };
    match tier {
        Tier::Clean => delivery::through_jpeg(&window, 95, Subsampling::S444),
        Tier::Web => delivery::through_jpeg(&scaled(0.5)?, 60, Subsampling::S420),
        Tier::Hard => delivery::through_jpeg(&scaled(0.33)?, 40, Subsampling::S420),
    }
}

/// Scores all validation pictures of a recipe in every tier.
///
/// # Errors
/// [`TrainError`].
pub fn score(
    recipe: &Recipe,
    root: &Path,
    detector: &dyn Detector,
) -> Result<Vec<Scored>, TrainError> {
    let split = manifest::read(root, &recipe.data, recipe.view)?;
    let mut out = Vec::new();
    let stride = split.validation.len().div_ceil(MAX_PICTURES).max(1);
    for item in split.validation.into_iter().step_by(stride) {
        let path = root.join(&item.path);
        let picture = batch::open(&path)?;
        for tier in [Tier::Clean, Tier::Web, Tier::Hard] {
            let delivered = deliver(&picture, tier).map_err(|e| picture_error(&path, &e))?;
            let logit = logit(detector, &delivered).map_err(|e| picture_error(&path, &e))?;
            out.push(Scored {
                item: item.clone(),
                tier,
                native: true,
                logit: logit.0,
                artwork: false,
            });
        }
    }
    Ok(out)
}

/// The pooled logit of a picture.
fn logit(detector: &dyn Detector, picture: &RgbImage) -> Result<Logit, DetectorError> {
    let card = detector.card();
    let samples = prepare::picture(picture, &card.id, &card.input)?;
    let answers = detector.infer(&samples, &Threads::all())?;
    pool::mean(&pool::logits(card, &answers)).ok_or_else(|| DetectorError::Corrupt {
        id: card.id.clone(),
        reason: "it has no binary head".into(),
    })
}

/// Weights so that both classes, and within a class all groups, count alike.
pub(crate) fn balance(scored: &[&Scored]) -> Vec<f64> {
    let mut groups: BTreeMap<(u8, &str), f64> = BTreeMap::new();
    for s in scored {
        *groups.entry((s.item.label, &s.item.group)).or_default() += 1.0;
    }
    let of = |label: u8| groups.keys().filter(|(l, _)| *l == label).count().max(1) as f64;
    let classes = [of(0), of(1)];
    scored
        .iter()
        .map(|s| {
            let size = groups[&(s.item.label, s.item.group.as_str())];
            1.0 / (classes[usize::from(s.item.label)] * size)
        })
        .collect()
}

/// Scale and offset of Platt's sigmoid by Newton's method, a little shrunk towards no confidence.
fn platt(scored: &[&Scored], weights: &[f64]) -> (f64, f64) {
    let (mut a, mut b) = (0.0_f64, 0.0_f64);
    const RIDGE: f64 = 1e-3;
    for _ in 0..50 {
        let (mut ga, mut gb) = (RIDGE * a, 0.0);
        let (mut haa, mut hab, mut hbb) = (RIDGE, 0.0, 1e-9);
        for (s, w) in scored.iter().zip(weights) {
            let p = 1.0 / (1.0 + (-(a * s.logit + b)).exp());
            let e = w * (p - f64::from(s.item.label));
            let h = w * p * (1.0 - p);
            ga += e * s.logit;
            gb += e;
            haa += h * s.logit * s.logit;
            hab += h * s.logit;
            hbb += h;
        }
        let det = haa * hbb - hab * hab;
        if det.abs() < 1e-15 {
            break;
        }
        a -= (hbb * ga - hab * gb) / det;
        b -= (haa * gb - hab * ga) / det;
    }
    // A detector that ranks the wrong way round must not be turned about by its calibration.
    if a.is_finite() && b.is_finite() && a > 0.0 {
        (a, b)
    } else {
        (0.0, 0.0)
    }
}

/// Fits the calibration.
#[must_use]
pub fn fit(scored: &[Scored]) -> Calibration {
    let all: Vec<&Scored> = scored.iter().collect();
    let weights = balance(&all);
    let (scale, offset) = platt(&all, &weights);
    let mut calibration = Calibration {
        id: String::new(),
        scale,
        offset,
        decision_threshold: 0.5,
        generated_threshold: None,
        doubt_threshold: None,
        matched_auc: 0.5,
        matched_auc_low: 0.0,
        matched_auc_high: 1.0,
        operating_points: Vec::new(),
        tiers: Vec::new(),
    };
    let sigmoid = calibration.clone();
    let probability = |s: &Scored| sigmoid.probability(Logit(s.logit)).0 as f32;
    for tier in [Tier::Clean, Tier::Web, Tier::Hard] {
        let list = |label: u8| {
            let mut list: Vec<f32> = scored
                .iter()
                .filter(|s| s.tier == tier && s.item.label == label)
                .map(probability)
                .collect();
            list.sort_by(f32::total_cmp);
            list
        };
        let fresh = TierCalibration {
            tier,
            negatives: list(0),
            positives: list(1),
        };
        calibration.tiers.push(fresh);
    }
    let matched: Vec<(f32, u8, &str)> = scored
        .iter()
        .filter(|s| s.tier == Tier::Clean && !s.item.match_set.is_empty())
        .map(|s| (s.logit as f32, s.item.label, s.item.group.as_str()))
        .collect();
    let plain: Vec<(f32, u8)> = matched.iter().map(|(s, l, _)| (*s, *l)).collect();
    if let (Some(auc), Some((low, high))) = (
        metrics::auc(&plain),
        metrics::auc_interval(&matched, 1000, 7),
    ) {
        (
            calibration.matched_auc,
            calibration.matched_auc_low,
            calibration.matched_auc_high,
        ) = (auc, low, high);
    }
    calibration.decision_threshold = decision(&calibration.tiers);
    if calibration.matched_auc_low > MATCHED_BAR
        && let Some((threshold, recall)) = accusing_threshold(scored, &probability)
        && recall >= RECALL_BAR
    {
        calibration.generated_threshold = Some(threshold.max(calibration.decision_threshold));
        calibration.doubt_threshold = Some(doubt_threshold(&calibration, scored));
    }
    calibration.operating_points = operating_points(&calibration, scored);
    let text = serde_json::to_vec(&calibration).unwrap_or_default();
    calibration.id = sha256(&text)[..16].to_owned();
    calibration
}

/// Largest share of a tier's pictures that may be `uncertain` on validation: low enough that pictures of other sources,
/// which have more scores in the middle, stay under a quarter.
const MOST_UNCERTAIN: f64 = 0.12;

/// The lowest threshold from which pictures are `uncertain` that leaves at most [`MOST_UNCERTAIN`] of every tier there.
/// The other tiers of a picture stand for its re-deliveries.
fn doubt_threshold(calibration: &Calibration, scored: &[Scored]) -> f64 {
    /// Tier, probability, whether it looks painted or drawn.
    type Delivered = (Tier, f64, bool);
    let mut pictures: BTreeMap<(&str, bool), Vec<Delivered>> = BTreeMap::new();
    for s in scored {
        let p = calibration.probability(Logit(s.logit)).0;
        let deliveries = pictures.entry((&s.item.path, s.native)).or_default();
        deliveries.push((s.tier, p, s.artwork));
    }
    let accuse = calibration.generated_threshold;
    let decision = calibration.decision_threshold;
    let bar = accuse.unwrap_or(1.0).max(decision);
    let uncertain = |tier: Tier, doubt: f64| {
        let with = Calibration {
            doubt_threshold: Some(doubt),
            tiers: Vec::new(),
            ..calibration.clone()
        };
        let (mut n, mut doubtful) = (0, 0);
        for deliveries in pictures.values() {
            let low = deliveries.iter().map(|d| d.1).fold(1.0, f64::min);
            let high = deliveries.iter().map(|d| d.1).fold(0.0, f64::max);
            for (_, p, artwork) in deliveries.iter().filter(|d| d.0 == tier) {
                n += 1;
                let band = with.band(*p, [low, high], accuse);
                let held_back = band == Band::Generated && *artwork;
                doubtful += usize::from(band == Band::Doubt || held_back);
            }
        }
        doubtful as f64 / f64::from(n.max(1))
    };
    let steps = ((bar - decision) / 0.005).floor().max(0.0) as u32;
    (0..=steps)
        .map(|i| decision + 0.005 * f64::from(i))
        .find(|t| {
            [Tier::Clean, Tier::Web, Tier::Hard]
                .iter()
                .all(|tier| uncertain(*tier, *t) <= MOST_UNCERTAIN)
        })
        .unwrap_or(bar)
}

/// False-positive rates whose operating points are stored.
const STORED_RATES: [f64; 2] = [0.01, 0.05];

/// Operating points of every tier with enough authentic pictures, with intervals over resampled groups.
fn operating_points(calibration: &Calibration, scored: &[Scored]) -> Vec<StoredPoint> {
    let mut out = Vec::new();
    for tier in [Tier::Clean, Tier::Web, Tier::Hard] {
        for max_fpr in STORED_RATES {
            let Operating::Point(p) = calibration.operating_point(tier, max_fpr) else {
                continue;
            };
            // By class: pictures at or above the threshold, and all, of each group.
            let mut groups: [BTreeMap<&str, (f64, f64)>; 2] = Default::default();
            for s in scored.iter().filter(|s| s.tier == tier) {
                let hit = calibration.probability(Logit(s.logit)).0 as f32;
                let counts = groups[usize::from(s.item.label)]
                    .entry(&s.item.group)
                    .or_default();
                counts.0 += f64::from(u8::from(f64::from(hit) >= p.threshold));
                counts.1 += 1.0;
            }
            let [fpr_ci95, recall_ci95] = groups.map(|g| share_interval(&g));
            out.push(StoredPoint {
                tier,
                max_fpr,
                threshold: p.threshold,
                fpr: p.fpr,
                fpr_ci95,
                recall: p.recall,
                recall_ci95,
            });
        }
    }
    out
}

/// 95% interval of a share over groups `(hits, pictures)`, whole groups resampled.
fn share_interval(groups: &BTreeMap<&str, (f64, f64)>) -> [f64; 2] {
    let groups: Vec<(f64, f64)> = groups.values().copied().collect();
    if groups.is_empty() {
        return [0.0, 1.0];
    }
    let mut shares: Vec<f64> = (0..RESAMPLES)
        .map(|i| {
            let mut rng = ChaCha8Rng::seed_from_u64(13);
            rng.set_stream(i);
            let (hits, n) = (0..groups.len()).fold((0.0, 0.0), |(hits, n), _| {
                let g = groups[rng.random_range(0..groups.len())];
                (hits + g.0, n + g.1)
            });
            hits / n
        })
        .collect();
    shares.sort_by(f64::total_cmp);
    let at = |q: f64| shares[((shares.len() - 1) as f64 * q).round() as usize];
    [at(0.025), at(0.975)]
}

/// Resamples of groups behind intervals and [`accusing_threshold`].
const RESAMPLES: u64 = 400;

/// The lowest threshold at which false accusations stay rare on groups like the validation ones, and its
/// recall: the upper bound of the false-positive rate's 95% interval by group is at most [`FPR_BAR`]. The
/// rate over all pictures alone would let one kind of authentic picture be accused again and again.
fn accusing_threshold(
    scored: &[Scored],
    probability: &dyn Fn(&Scored) -> f32,
) -> Option<(f64, f64)> {
    let mut groups: BTreeMap<&str, Vec<f32>> = BTreeMap::new();
    let mut positives = Vec::new();
    for s in scored {
        // What looks painted or drawn is accused at no threshold.
        let p = if s.artwork { 0.0 } else { probability(s) };
        if s.item.label == 0 {
            groups.entry(&s.item.group).or_default().push(p);
        } else {
            positives.push(p);
        }
    }
    if groups.is_empty() || positives.is_empty() {
        return None;
    }
    let groups: Vec<Vec<f32>> = groups.into_values().collect();
    let draws: Vec<Vec<usize>> = (0..RESAMPLES)
        .map(|i| {
            let mut rng = ChaCha8Rng::seed_from_u64(11);
            rng.set_stream(i);
            (0..groups.len())
                .map(|_| rng.random_range(0..groups.len()))
                .collect()
        })
        .collect();
    let above = |list: &[f32], t: f64| list.iter().filter(|p| f64::from(**p) >= t).count() as f64;
    (500..1000).map(|i| f64::from(i) / 1000.0).find_map(|t| {
        let counts: Vec<f64> = groups.iter().map(|g| above(g, t)).collect();
        let mut rates: Vec<f64> = draws
            .iter()
            .map(|drawn| {
                let n: f64 = drawn.iter().map(|g| groups[*g].len() as f64).sum();
                drawn.iter().map(|g| counts[*g]).sum::<f64>() / n
            })
            .collect();
        rates.sort_by(f64::total_cmp);
        let upper = rates[((rates.len() - 1) as f64 * 0.975).round() as usize];
        (upper <= FPR_BAR).then(|| (t, above(&positives, t) / positives.len() as f64))
    })
}

/// Threshold of the forced decision: best balanced accuracy over the tiers together.
fn decision(tiers: &[TierCalibration]) -> f64 {
    let share = |pick: fn(&TierCalibration) -> &Vec<f32>, t: f64| {
        let all = tiers.iter().flat_map(|x| pick(x).iter());
        let (hit, n) = all.fold((0.0, 0.0_f64), |(h, n), s| {
            (h + f64::from(u8::from(f64::from(*s) >= t)), n + 1.0)
        });
        hit / n.max(1.0)
    };
    let accuracy = |t: f64| (share(|x| &x.positives, t) + 1.0 - share(|x| &x.negatives, t)) / 2.0;
    (1..100)
        .map(|i| f64::from(i) / 100.0)
        .max_by(|a, b| {
            accuracy(*a)
                .total_cmp(&accuracy(*b))
                // Of equally good thresholds the one that accuses less.
                .then(a.total_cmp(b))
        })
        .unwrap_or(0.5)
}

/// Exports, calibrates and writes `ID.onnx` and `ID.toml` into `folder`.
///
/// # Errors
/// [`TrainError`].
pub fn ship(
    recipe: &Recipe,
    root: &Path,
    weights: &Path,
    id: &str,
    max_windows: usize,
    folder: &Path,
) -> Result<Card, TrainError> {
    let onnx = export(recipe, weights)?;
    let mut card = card(recipe, id, &onnx, max_windows)?;
    let detector = NetworkDetector::load(card.clone(), &onnx, EngineKind::Rten.into())?;
    let scored = score(recipe, root, &detector)?;
    card.calibration = Some(fit(&scored));
    std::fs::create_dir_all(folder).map_err(io_error(folder))?;
    let text = toml::to_string(&card).map_err(|e| TrainError::Recipe(e.to_string()))?;
    for (name, bytes) in [
        (format!("{id}.onnx"), onnx.as_slice()),
        (format!("{id}.toml"), text.as_bytes()),
    ] {
        let path = folder.join(name);
        std::fs::write(&path, bytes).map_err(io_error(&path))?;
    }
    Ok(card)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten groups of 100 authentic pictures, of one of which a fifth scores above the generated ones.
    fn scored(odd: bool) -> Vec<Scored> {
        let item = |label: u8, group: usize, i: usize| Item {
            path: format!("{group}/{i}"),
            label,
            group: format!("g{group}"),
            match_set: "m".into(),
            fold: String::new(),
            jpeg_quality: None,
        };
        let mut out = Vec::new();
        for group in 0..10 {
            for i in 0..100 {
                for label in [0, 1] {
                    let base = match (label, odd && group == 3 && i < 20) {
                        (1, _) => 3.0,
                        (_, true) => 4.0,
                        _ => -3.0,
                    };
                    let logit = base + i as f64 / 200.0;
                    out.push(Scored {
                        item: item(label, group + 10 * usize::from(label), i),
                        tier: Tier::Clean,
                        native: true,
                        logit,
                        artwork: false,
                    });
                }
            }
        }
        out
    }

    #[test]
    fn few_pictures_of_a_tier_are_uncertain() {
        // Half of all pictures overlap, generated ones higher.
        let mut pictures = scored(false);
        for (k, s) in pictures
            .iter_mut()
            .enumerate()
            .filter(|(k, _)| k / 2 % 2 == 0)
        {
            let u = (k as f64 * 0.618_034).fract();
            s.logit = if s.item.label == 1 { u.sqrt() } else { u * u };
        }
        let c = fit(&pictures);
        let doubt = c.doubt_threshold.expect("carries the word");
        let accuse = c.generated_threshold.expect("carries the word");
        let share = |t: f64| {
            let within = |s: &&Scored| {
                let p = c.probability(Logit(s.logit)).0;
                p >= t && p < accuse
            };
            pictures.iter().filter(within).count() as f64 / pictures.len() as f64
        };
        assert!(
            share(c.decision_threshold) > MOST_UNCERTAIN,
            "{}",
            share(c.decision_threshold)
        );
        assert!(doubt > c.decision_threshold && doubt < accuse);
        assert!(
            share(doubt) <= MOST_UNCERTAIN && share(doubt) > MOST_UNCERTAIN - 0.05,
            "{}",
            share(doubt)
        );
    }

    #[test]
    fn operating_points_have_intervals_over_groups() {
        let c = fit(&scored(true));
        let p = c.stored_point(Tier::Clean, 0.05).expect("enough pictures");
        assert!(p.fpr <= 0.05 && p.fpr_ci95[0] <= p.fpr && p.fpr <= p.fpr_ci95[1]);
        assert!(p.recall_ci95[0] <= p.recall && p.recall <= p.recall_ci95[1]);
        // A fifth of one group in ten is accused: samples without that group have a lower rate, others a higher one.
        assert!(
            p.fpr_ci95[0] < 0.8 * p.fpr && p.fpr_ci95[1] > 1.2 * p.fpr,
            "{p:?}"
        );
        assert!(c.stored_point(Tier::Web, 0.05).is_none());
    }

    #[test]
    fn artwork_is_no_accusation() {
        let mut pictures = scored(true);
        for s in &mut pictures {
            s.artwork = s.item.label == 0 && s.logit > 0.0;
        }
        assert!(fit(&pictures).generated_threshold.is_some());
        // Held back, every generated picture is in doubt.
        let mut pictures = scored(false);
        let c = fit(&pictures);
        for s in &mut pictures {
            s.artwork = s.item.label == 1;
        }
        let bar = c.generated_threshold.expect("carries the word");
        assert_eq!(doubt_threshold(&c, &pictures), bar);
    }

    #[test]
    fn one_group_that_is_accused_again_and_again_forbids_the_word() {
        assert!(fit(&scored(false)).generated_threshold.is_some());
        // Two per cent over all pictures, twenty in that group.
        assert_eq!(fit(&scored(true)).generated_threshold, None);
    }
}
