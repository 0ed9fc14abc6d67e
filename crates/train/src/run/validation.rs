//! What a run watches: AUC on held-out pictures and aligned pairs, by arm.

use std::collections::BTreeMap;
use std::path::Path;

use burn::module::AutodiffModule;
use burn::tensor::backend::AutodiffBackend;
use burn::tensor::{Tensor, TensorData};
use image::RgbImage;
use realscope_data::manifest::Item;
use realscope_data::split::Framing;
use realscope_delivery::arm::Arm;
use realscope_delivery::{self as delivery, DeliveryError, Subsampling};
use realscope_metric::auc;
use realscope_nn::{BatchNormMode, Eager};
use serde::{Deserialize, Serialize};

use crate::backbone::Trainable;
use crate::error::{TrainError, picture_error};
use crate::pairs::{AlignedPair, Maker};
use crate::recipe::NetworkRecipe;
use crate::{augment, picture, tier};

/// One line of the log.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Validation {
    /// Steps done.
    pub step: usize,
    /// Mean loss since the last validation.
    pub loss: f64,
    /// AUC by arm, over all validation pictures and over each match set.
    pub auc: BTreeMap<String, Option<f64>>,
    /// Seconds since this process began.
    pub seconds: f64,
}

/// Logits of every validation picture by name of its arm, in the order of the items.
pub(super) type Logits = BTreeMap<String, Vec<f32>>;

/// How validation pictures are delivered.
const ARMS: [Arm; 2] = [Arm::BothQ95, Arm::WebScaled];

/// Side of the window at native resolution that an arm delivers.
const WINDOW: u32 = 256;

/// The square that the network sees of a picture in an arm, both classes cut and encoded alike.
fn square(
    picture: &RgbImage,
    arm: &Arm,
    recipe: &NetworkRecipe,
) -> Result<RgbImage, DeliveryError> {
    let input = recipe.input;
    match recipe.view {
        Framing::Crop => {
            let window = augment::centre_at_most(picture, WINDOW);
            Ok(augment::centre(&tier::deliver(&window, arm, 0)?, input))
        }
        Framing::Whole => {
            let delivered = tier::deliver(picture, arm, 0)?;
            delivery::resize(&delivered, input, input, delivery::Filter::Bilinear)
        }
    }
}

/// Scores every validation picture in every arm.
pub(super) fn validate<B, N>(
    model: &N,
    recipe: &NetworkRecipe,
    root: &Path,
    items: &[Item],
    device: &B::Device,
) -> Result<Logits, TrainError>
where
    B: AutodiffBackend,
    N: Trainable<B> + AutodiffModule<B>,
    N::InnerModule: Trainable<B::InnerBackend>,
{
    let model = model.valid();
    let side = recipe.input as usize;
    let mut scores = Logits::new();
    for arm in ARMS {
        let mut logits = Vec::with_capacity(items.len());
        for chunk in items.chunks(16) {
            let mut pixels = Vec::with_capacity(chunk.len() * 3 * side * side);
            for item in chunk {
                let path = root.join(&item.path);
                let square = square(&picture::open(&path)?, &arm, recipe)
                    .map_err(|e| picture_error(&path, &e))?;
                recipe.network.normalise(&square, &mut pixels);
            }
            let input = Tensor::<B::InnerBackend, 4>::from_data(
                TensorData::new(pixels, [chunk.len(), 3, side, side]),
                device,
            );
            let out = model.logits(&mut Eager::new(BatchNormMode::Running), input);
            logits.extend(out.into_data().iter::<f32>());
        }
        scores.insert(arm.name(), logits);
    }
    Ok(scores)
}

/// Pairs of each maker that validate.
const PAIRS: usize = 48;

/// Pairs of held-out authentic pictures, by every maker that there is, whether it trains or not.
pub(super) fn held_out_pairs(
    recipe: &NetworkRecipe,
    items: &[Item],
) -> Result<Vec<AlignedPair>, TrainError> {
    let Some(folder) = &recipe.data.pairs else {
        return Ok(Vec::new());
    };
    let mut by_maker: BTreeMap<Maker, Vec<AlignedPair>> = BTreeMap::new();
    for pair in AlignedPair::of(items, folder)? {
        by_maker.entry(pair.pair.maker).or_default().push(pair);
    }
    Ok(by_maker
        .into_values()
        .flat_map(|pairs| {
            let stride = pairs.len().div_ceil(PAIRS).max(1);
            pairs.into_iter().step_by(stride).collect::<Vec<_>>()
        })
        .collect())
}

/// AUC of re-made against authentic windows, by arm and maker; both with the authentic one's history.
pub(super) fn validate_pairs<B, N>(
    model: &N,
    recipe: &NetworkRecipe,
    root: &Path,
    pairs: &[AlignedPair],
    device: &B::Device,
) -> Result<BTreeMap<String, Option<f64>>, TrainError>
where
    B: AutodiffBackend,
    N: Trainable<B> + AutodiffModule<B>,
    N::InnerModule: Trainable<B::InnerBackend>,
{
    let model = model.valid();
    let side = recipe.input as usize;
    let mut out = BTreeMap::new();
    for arm in ARMS {
        let mut rows: BTreeMap<Maker, Vec<(f32, u8)>> = BTreeMap::new();
        for chunk in pairs.chunks(8) {
            let mut pixels = Vec::with_capacity(2 * chunk.len() * 3 * side * side);
            for pair in chunk {
                let fault = |e| picture_error(&pair.path(), &e);
                let [real, fake] = pair.open(root)?;
                let fake = delivery::through_jpeg(&fake, pair.quality(), Subsampling::S420)
                    .map_err(fault)?;
                for picture in [real, fake] {
                    let square = square(&picture, &arm, recipe).map_err(fault)?;
                    recipe.network.normalise(&square, &mut pixels);
                }
            }
            let input = Tensor::<B::InnerBackend, 4>::from_data(
                TensorData::new(pixels, [2 * chunk.len(), 3, side, side]),
                device,
            );
            let logits = model.logits(&mut Eager::new(BatchNormMode::Running), input);
            for (i, logit) in logits.into_data().iter::<f32>().enumerate() {
                let rows = rows.entry(chunk[i / 2].pair.maker).or_default();
                rows.push((logit, (i % 2) as u8));
            }
        }
        for (maker, rows) in rows {
            let key = format!("{}/pairs-{}", arm.name(), maker.name());
            out.insert(key, auc::of_labels(&rows));
        }
    }
    Ok(out)
}

/// AUC by arm over all pictures and over each match set.
pub(super) fn summarise(scores: &Logits, items: &[Item]) -> BTreeMap<String, Option<f64>> {
    let mut out = BTreeMap::new();
    for (arm, logits) in scores {
        let mut sets: BTreeMap<&str, Vec<(f32, u8)>> = BTreeMap::new();
        for (item, logit) in items.iter().zip(logits) {
            sets.entry("all").or_default().push((*logit, item.label));
            if !item.match_set.is_empty() {
                sets.entry(&item.match_set)
                    .or_default()
                    .push((*logit, item.label));
            }
        }
        for (set, rows) in sets {
            out.insert(format!("{arm}/{set}"), auc::of_labels(&rows));
        }
    }
    out
}
