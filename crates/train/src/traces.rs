//! How well traces of some makers tell those of others: the curve that decides whether more makers pay.
//!
//! A linear classifier on residual statistics of windows ([`realscope_signal::rich`]) learns aligned pairs
//! ([`crate::pairs`]) by `k` makers and is scored on pairs of held-out authentic pictures: by the makers that it
//! has seen, by those that it has not, and on held-out generators. Every point of the curve has the same number of
//! training pairs, so that it shows their diversity and not their number. Both classes are cut and encoded alike.

use std::collections::BTreeMap;
use std::path::Path;

use image::RgbImage;
use rayon::prelude::*;
use realscope_data::manifest::Item;
use realscope_delivery::{self as delivery, Subsampling};
use realscope_metric::auc;
use realscope_metric::logistic::{self, Convex, Samples};
use realscope_signal::rich;
use serde::Serialize;

use crate::augment;
use crate::error::{TrainError, picture_error};
use crate::pairs::{AlignedPair, Maker};
use crate::picture;

/// Largest window.
const SIDE: u32 = 224;
/// How the classifiers are fitted.
const FIT: Convex = Convex {
    ridge: 0.02,
    iterations: 200,
};

/// One point of the curve: mean AUC over all choices of neighbouring makers in the order of [`Maker::ALL`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CurvePoint {
    /// Makers that train.
    pub makers: usize,
    /// Pairs that train.
    pub pairs: usize,
    /// Pairs by the makers that train.
    pub seen: Option<f64>,
    /// Pairs by the others.
    pub unseen: Option<f64>,
    /// Generated against authentic pictures.
    pub generators: Option<f64>,
    /// Those of match sets alone.
    pub matched: Option<f64>,
}

/// Statistics of a window in the delivery that both classes share: cut to a square, JPEG q95.
fn describe(picture: &RgbImage) -> Result<Option<Vec<f32>>, delivery::DeliveryError> {
    let window = augment::centre_at_most(picture, SIDE);
    let delivered = delivery::through_jpeg(&window, 95, Subsampling::S444)?;
    Ok(rich::describe(&delivered))
}

/// What is measured of an aligned pair.
struct Described {
    maker: Maker,
    held_out: bool,
    /// Authentic, re-made.
    rows: [Vec<f32>; 2],
}

fn pair(
    root: &Path,
    aligned: &AlignedPair,
    held_out: &[String],
) -> Result<Option<Described>, TrainError> {
    let path = aligned.path();
    let fault = |e| picture_error(&path, &e);
    let [real, fake] = aligned.open(root)?;
    let fake =
        delivery::through_jpeg(&fake, aligned.quality(), Subsampling::S420).map_err(fault)?;
    let (real, fake) = (
        describe(&real).map_err(fault)?,
        describe(&fake).map_err(fault)?,
    );
    Ok(real.zip(fake).map(|(real, fake)| Described {
        maker: aligned.pair.maker,
        held_out: held_out.contains(&aligned.item.fold),
        rows: [real, fake],
    }))
}

/// The curve over the makers of the pairs in `folder`; `held_out` names the folds that are scored.
///
/// # Errors
/// [`TrainError`] of an unreadable picture or list; [`TrainError::Recipe`] when a fold or a maker has no pair.
pub fn curve(
    items: &[Item],
    root: &Path,
    folder: &Path,
    held_out: &[String],
    log: &mut dyn FnMut(&str),
) -> Result<Vec<CurvePoint>, TrainError> {
    let aligneds = AlignedPair::of(items, folder)?;
    log(&format!("describing {} pairs", aligneds.len()));
    let pairs: Vec<Described> = aligneds
        .par_iter()
        .map(|aligned| pair(root, aligned, held_out))
        .collect::<Result<Vec<_>, _>>()?
        .into_iter()
        .flatten()
        .collect();
    let scored: Vec<&Item> = items
        .iter()
        .filter(|i| held_out.contains(&i.fold))
        .collect();
    log(&format!("describing {} pictures", scored.len()));
    let pictures: Vec<(&Item, Vec<f32>)> = scored
        .par_iter()
        .map(|item| {
            let path = root.join(&item.path);
            let row = describe(&picture::open(&path)?).map_err(|e| picture_error(&path, &e))?;
            Ok(row.map(|row| (*item, row)))
        })
        .collect::<Result<Vec<_>, TrainError>>()?
        .into_iter()
        .flatten()
        .collect();
    let mut training: BTreeMap<Maker, Vec<&Described>> = BTreeMap::new();
    for p in pairs.iter().filter(|p| !p.held_out) {
        training.entry(p.maker).or_default().push(p);
    }
    let makers: Vec<Maker> = training.keys().copied().collect();
    let amount = training.values().map(Vec::len).min().unwrap_or(0);
    if amount < makers.len() || !pairs.iter().any(|p| p.held_out) {
        return Err(TrainError::Recipe(
            "too few pairs in the folds that train or in those that are held out".into(),
        ));
    }
    let mut curve = Vec::new();
    for k in 1..=makers.len() {
        let choices = if k == makers.len() { 1 } else { makers.len() };
        let points: Vec<CurvePoint> = (0..choices)
            .map(|first| {
                let chosen: Vec<Maker> =
                    makers.iter().cycle().skip(first).take(k).copied().collect();
                let taken: Vec<&Described> = (0..amount)
                    .map(|i| training[&chosen[i % k]][i / k])
                    .collect();
                point(&taken, &chosen, &pairs, &pictures)
            })
            .collect();
        log(&format!("{k} makers"));
        curve.push(mean(&points, k, amount));
    }
    Ok(curve)
}

fn point(
    taken: &[&Described],
    chosen: &[Maker],
    pairs: &[Described],
    pictures: &[(&Item, Vec<f32>)],
) -> CurvePoint {
    let rows: Vec<f32> = taken.iter().flat_map(|p| p.rows.concat()).collect();
    let labels: Vec<f32> = taken.iter().flat_map(|_| [0.0, 1.0]).collect();
    let samples = Samples {
        rows,
        width: rich::LENGTH,
        weights: &vec![1.0; labels.len()],
        labels: &labels,
    };
    let head = logistic::fit(samples, &FIT);
    let of_pairs = |seen: bool| {
        let rows: Vec<(f32, u8)> = pairs
            .iter()
            .filter(|p| p.held_out && chosen.contains(&p.maker) == seen)
            .flat_map(|p| [(head.logit(&p.rows[0]), 0), (head.logit(&p.rows[1]), 1)])
            .collect();
        auc::of_labels(&rows)
    };
    let of_pictures = |matched: bool| {
        let rows: Vec<(f32, u8)> = pictures
            .iter()
            .filter(|(i, _)| !(matched && i.match_set.is_empty()))
            .map(|(i, row)| (head.logit(row), i.label))
            .collect();
        auc::of_labels(&rows)
    };
    CurvePoint {
        makers: chosen.len(),
        pairs: taken.len(),
        seen: of_pairs(true),
        unseen: of_pairs(false),
        generators: of_pictures(false),
        matched: of_pictures(true),
    }
}

fn mean(points: &[CurvePoint], makers: usize, pairs: usize) -> CurvePoint {
    let of = |pick: fn(&CurvePoint) -> Option<f64>| {
        let values: Vec<f64> = points.iter().filter_map(pick).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    CurvePoint {
        makers,
        pairs,
        seen: of(|p| p.seen),
        unseen: of(|p| p.unseen),
        generators: of(|p| p.generators),
        matched: of(|p| p.matched),
    }
}
