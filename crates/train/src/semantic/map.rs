//! False alarms of the heat map.

use std::collections::BTreeMap;
use std::path::Path;

use half::f16;
use rand::SeedableRng as _;
use rand::seq::IteratorRandom as _;
use rand_chacha::ChaCha8Rng;
use realscope_data::manifest::Item;
use realscope_data::split::ClipFrame;
use realscope_detectors::calibration::{Calibration, Tier};
use realscope_detectors::network::normalise;
use realscope_detectors::{Logit, prepare};
use realscope_engine::{self as engine, EngineKind, Threads, packed};
use realscope_metric::logistic::Linear;

use super::deliveries::{SIDE, input};
use super::encoder::first;
use super::head::logit;
use super::recipe::SemanticRecipe;
use crate::error::{TrainError, picture_error};
use crate::{picture, tier};

/// Authentic pictures on which the map's false alarms are counted.
const MAP_PICTURES: usize = 200;

/// Share of authentic windows at native resolution (the middle of the stored crop, JPEG q95) that the map puts at
/// or above the decision threshold, by heads that never saw the picture's fold.
pub(super) fn false_alarms(
    recipe: &SemanticRecipe,
    root: &Path,
    items: &[Item],
    network: &dyn Fn(&str) -> Vec<u8>,
    heads: &BTreeMap<String, Linear>,
    calibration: &Calibration,
) -> Result<Option<f64>, TrainError> {
    let mut rng = ChaCha8Rng::seed_from_u64(recipe.seed);
    let authentic = items
        .iter()
        .filter(|i| i.label == 0 && ClipFrame::parse(&i.path).is_none());
    let mut chosen: Vec<&Item> = authentic.choose_multiple(&mut rng, MAP_PICTURES);
    chosen.sort_by(|a, b| (&a.fold, &a.path).cmp(&(&b.fold, &b.path)));
    let side = SIDE as usize;
    let (mut marked, mut seen) = (0, 0);
    let mut loaded = None;
    for item in chosen {
        let engine = match &mut loaded {
            Some((fold, engine)) if *fold == item.fold => engine,
            other => {
                let int8 = packed::unpack(&network(&item.fold))?;
                let engine = engine::load(EngineKind::Rten.for_many(), int8)
                    .map_err(|e| picture_error(root, &e))?;
                &mut other.insert((item.fold.clone(), engine)).1
            }
        };
        let path = root.join(&item.path);
        let picture = picture::open(&path)?;
        let delivered = tier::deliver(&picture, &tier::arm(Tier::Clean), 0)
            .map_err(|e| picture_error(&path, &e))?;
        let middle = |size: u32| size.saturating_sub(SIDE) / 2;
        let (left, top) = (middle(delivered.width()), middle(delivered.height()));
        let mut pixels = Vec::with_capacity(3 * side * side);
        let sample = prepare::cut(&delivered, left, top, SIDE);
        normalise(&sample.frames, &input(), &mut pixels);
        let row = first(engine.as_ref(), &pixels, SIDE, &Threads::all())
            .map_err(|e| picture_error(&path, &e))?;
        let row: Vec<f16> = row.iter().map(|v| f16::from_f32(*v)).collect();
        let Some(head) = heads.get(&item.fold) else {
            continue;
        };
        let p = calibration.probability(Logit(logit(head, &row[row.len() - head.weight.len()..])));
        seen += 1;
        marked += usize::from(p.0 >= calibration.decision_threshold);
    }
    Ok((seen > 0).then(|| marked as f64 / seen as f64))
}
