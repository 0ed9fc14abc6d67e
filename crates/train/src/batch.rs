//! Balanced batches: half of each class, groups weighted, drawn from (seed, step) alone so that a
//! resumed run continues with the very pictures that it would have seen.

use std::path::{Path, PathBuf};

use image::RgbImage;
use rand::distr::weighted::WeightedIndex;
use rand::prelude::*;
use rand_chacha::ChaCha8Rng;
use realscope_data::manifest::Item;
use realscope_data::split::{self, Split};
use realscope_delivery::{self as delivery, Subsampling};

use crate::augment::RandomDelivery;
use crate::error::{TrainError, picture_error};
use crate::pairs::AlignedPair;
use crate::picture::open;
use crate::recipe::NetworkRecipe;

/// Numbers of a batch: pictures `[n, 3, input, input]` in the network's normalisation, targets `[n]`.
pub struct Batch {
    /// Pixels, row-major.
    pub pixels: Vec<f32>,
    /// 1 = generated.
    pub labels: Vec<f32>,
}

/// Draws training batches.
pub struct Sampler {
    root: PathBuf,
    recipe: NetworkRecipe,
    classes: [Class; 2],
    pairs: Vec<AlignedPair>,
}

struct Class {
    groups: Vec<Vec<Item>>,
    weights: WeightedIndex<f64>,
}

impl Sampler {
    /// A sampler over the training side of `split`.
    ///
    /// # Errors
    /// [`TrainError::Recipe`] when a class or the list of pairs is empty.
    pub fn new(root: &Path, recipe: &NetworkRecipe, split: &Split) -> Result<Self, TrainError> {
        let class = |label: u8| {
            let groups = split::by_group(&split.train, label);
            let weights = WeightedIndex::new(
                groups
                    .values()
                    .map(|g| (g.len() as f64).powf(recipe.data.group_power)),
            )
            .map_err(|e| TrainError::Recipe(format!("label {label}: {e}")))?;
            Ok::<_, TrainError>(Class {
                groups: groups
                    .into_values()
                    .map(|g| g.into_iter().cloned().collect())
                    .collect(),
                weights,
            })
        };
        let mut pairs = Vec::new();
        if let Some(folder) = recipe
            .data
            .pairs
            .as_ref()
            .filter(|_| recipe.data.pair_share > 0.0)
        {
            pairs = AlignedPair::of(&split.train, folder)?;
            let makers = &recipe.data.makers;
            pairs.retain(|t| makers.is_empty() || makers.contains(&t.pair.maker));
            if pairs.is_empty() {
                return Err(TrainError::Recipe(format!(
                    "no pair of a training picture in {}",
                    folder.display()
                )));
            }
        }
        Ok(Self {
            root: root.to_owned(),
            recipe: recipe.clone(),
            classes: [class(0)?, class(1)?],
            pairs,
        })
    }

    /// Number of pairs that train.
    #[must_use]
    pub fn pairs(&self) -> usize {
        self.pairs.len()
    }

    /// The batch of a step.
    ///
    /// # Errors
    /// Those of [`crate::picture::open`] and of the encoders.
    pub fn batch(&self, step: usize) -> Result<Batch, TrainError> {
        let r = &self.recipe;
        let mut rng =
            ChaCha8Rng::seed_from_u64(r.seed ^ (step as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut batch = Batch {
            pixels: Vec::new(),
            labels: Vec::new(),
        };
        let paired = (r.optim.batch as f64 * r.data.pair_share / 2.0).round() as usize;
        for _ in 0..paired {
            self.add_pair(&mut rng, &mut batch)?;
        }
        for i in 0..r.optim.batch.saturating_sub(2 * paired) {
            let label = i % 2;
            let class = &self.classes[label];
            let group = &class.groups[class.weights.sample(&mut rng)];
            let Some(item) = group.choose(&mut rng) else {
                continue;
            };
            let random = RandomDelivery::draw(&r.augment, &mut rng);
            let picture = open(&self.root.join(&item.path))?;
            self.push(&picture, &random, label as f32, item, &mut batch)?;
        }
        Ok(batch)
    }

    fn add_pair(&self, rng: &mut ChaCha8Rng, batch: &mut Batch) -> Result<(), TrainError> {
        let Some(aligned) = self.pairs.choose(rng) else {
            return Ok(());
        };
        let random = RandomDelivery::draw(&self.recipe.augment, rng);
        let [real, mut fake] = aligned.open(&self.root)?;
        // Weaker traces (Dual Data Alignment, section 3: mixing with r in 0..0.8).
        if rng.random_bool(0.25) {
            let keep = 1.0 - rng.random_range(0.0..0.7_f32);
            for (f, r) in fake.iter_mut().zip(real.iter()) {
                *f = (keep * f32::from(*f) + (1.0 - keep) * f32::from(*r)).round() as u8;
            }
        } else if rng.random_bool(0.2) {
            paste(&real, &mut fake, rng);
        }
        if rng.random_bool(0.7) {
            fake = delivery::through_jpeg(&fake, aligned.quality(), Subsampling::S420)
                .map_err(|e| picture_error(&aligned.path(), &e))?;
        }
        self.push(&real, &random, 0.0, &aligned.item, batch)?;
        self.push(&fake, &random, 1.0, &aligned.item, batch)
    }

    fn push(
        &self,
        picture: &RgbImage,
        random: &RandomDelivery,
        label: f32,
        item: &Item,
        batch: &mut Batch,
    ) -> Result<(), TrainError> {
        let r = &self.recipe;
        let delivered = random
            .apply(picture, r.view, r.input)
            .map_err(|e| picture_error(&self.root.join(&item.path), &e))?;
        r.network.normalise(&delivered, &mut batch.pixels);
        batch.labels.push(label);
        Ok(())
    }
}

/// Puts the authentic pixels back around an ellipse with a soft border: a local edit whose region is at least
/// a fifth of the window.
fn paste(real: &RgbImage, fake: &mut RgbImage, rng: &mut ChaCha8Rng) {
    let (w, h) = (real.width() as f32, real.height() as f32);
    let (a, b) = (
        w * rng.random_range(0.3..0.55_f32),
        h * rng.random_range(0.3..0.55_f32),
    );
    let (cx, cy) = (
        w * rng.random_range(0.4..0.6_f32),
        h * rng.random_range(0.4..0.6_f32),
    );
    for (x, y, pixel) in fake.enumerate_pixels_mut() {
        let r = (((x as f32 - cx) / a).powi(2) + ((y as f32 - cy) / b).powi(2)).sqrt();
        let keep = ((1.1 - r) / 0.2).clamp(0.0, 1.0);
        for (f, v) in pixel.0.iter_mut().zip(real.get_pixel(x, y).0) {
            *f = (keep * f32::from(*f) + (1.0 - keep) * f32::from(v)).round() as u8;
        }
    }
}
