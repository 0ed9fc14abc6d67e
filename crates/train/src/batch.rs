//! Balanced batches: half of each class, groups weighted, drawn from (seed, step) alone so that a
//! resumed run continues with the very pictures that it would have seen.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use image::RgbImage;
use rand::distr::weighted::WeightedIndex;
use rand::prelude::*;
use rand_chacha::ChaCha8Rng;
use realscope_media::delivery::{self, Subsampling};
use realscope_media::{Limits, Options};

use crate::augment::{self, Plan};
use crate::manifest::{self, Item, Split};
use crate::recipe::{Network, Recipe, View};
use crate::{TrainError, io_error};

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
    recipe: Recipe,
    classes: [Class; 2],
    pairs: Vec<Item>,
}

struct Class {
    groups: Vec<Vec<Item>>,
    weights: WeightedIndex<f64>,
}

/// Appends a square picture as three planes in the network's normalisation.
pub fn normalise(picture: &RgbImage, network: Network, out: &mut Vec<f32>) {
    let (mean, std) = statistics(network);
    for c in 0..3 {
        out.extend(
            picture
                .pixels()
                .map(|p| (f32::from(p.0[c]) / 255.0 - mean[c]) / std[c]),
        );
    }
}

/// Mean and standard deviation per channel, of values in `[0, 1]`.
#[must_use]
pub fn statistics(network: Network) -> ([f32; 3], [f32; 3]) {
    match network {
        Network::EfficientnetLite0 => ([127.0 / 255.0; 3], [128.0 / 255.0; 3]),
        Network::Npr => ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    }
}

/// Decodes a picture of the data set.
///
/// # Errors
/// [`TrainError::Io`] or [`TrainError::Picture`].
pub fn open(path: &Path) -> Result<RgbImage, TrainError> {
    let bytes = std::fs::read(path).map_err(io_error(path))?;
    realscope_media::decode(&bytes, &Limits::default(), &Options::default())
        .map(|d| d.pixels)
        .map_err(|e| TrainError::Picture {
            path: path.to_owned(),
            reason: e.to_string(),
        })
}

impl Sampler {
    /// A sampler over the training side of `split`.
    ///
    /// # Errors
    /// [`TrainError::Recipe`] when a class or the folder of pairs is empty.
    pub fn new(root: &Path, recipe: &Recipe, split: &Split) -> Result<Self, TrainError> {
        let class = |label: u8| {
            let groups: BTreeMap<&str, Vec<&Item>> = manifest::by_group(&split.train, label);
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
        if let Some(folder) = &recipe.data.pairs {
            pairs.extend(
                split
                    .train
                    .iter()
                    .filter(|i| i.label == 0 && manifest::pair_path(folder, i).is_file())
                    .cloned(),
            );
            if pairs.is_empty() && recipe.data.pair_share > 0.0 {
                return Err(TrainError::Recipe(format!(
                    "no reconstruction of a training picture in {}",
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

    /// Number of pictures that have a reconstruction.
    #[must_use]
    pub fn pairs(&self) -> usize {
        self.pairs.len()
    }

    /// The batch of a step.
    ///
    /// # Errors
    /// Those of [`open`] and of the encoders.
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
            let plan = Plan::draw(&r.augment, &mut rng);
            let picture = open(&self.root.join(&item.path))?;
            self.push(&picture, &plan, label as f32, item, &mut batch)?;
        }
        Ok(batch)
    }

    fn add_pair(&self, rng: &mut ChaCha8Rng, batch: &mut Batch) -> Result<(), TrainError> {
        let (Some(item), Some(folder)) = (self.pairs.choose(rng), &self.recipe.data.pairs) else {
            return Ok(());
        };
        let plan = Plan::draw(&self.recipe.augment, rng);
        let real = open(&self.root.join(&item.path))?;
        let fake_path = manifest::pair_path(folder, item);
        let mut fake = open(&fake_path)?;
        // The reconstruction covers the central window, cut to multiples of eight.
        let (w, h) = fake.dimensions();
        let left = (real.width() - w) / 2 / 8 * 8;
        let top = (real.height() - h) / 2 / 8 * 8;
        let real = delivery::crop(&real, left, top, w, h);
        // The real carries its own JPEG history; without the same one its twin is told by format.
        if rng.random_bool(0.7) {
            let quality = item.jpeg_quality.unwrap_or(95);
            fake = delivery::through_jpeg(&fake, quality, Subsampling::S420)
                .map_err(|e| picture_error(&fake_path, &e))?;
        }
        // Weaker traces (Dual Data Alignment, section 3: mixing with r in 0..0.8).
        if rng.random_bool(0.2) {
            let keep = 1.0 - rng.random_range(0.0..0.7_f32);
            for (f, r) in fake.iter_mut().zip(real.iter()) {
                *f = (keep * f32::from(*f) + (1.0 - keep) * f32::from(*r)).round() as u8;
            }
        }
        self.push(&real, &plan, 0.0, item, batch)?;
        self.push(&fake, &plan, 1.0, item, batch)
    }

    fn push(
        &self,
        picture: &RgbImage,
        plan: &Plan,
        label: f32,
        item: &Item,
        batch: &mut Batch,
    ) -> Result<(), TrainError> {
        let r = &self.recipe;
        let delivered = plan
            .apply(picture, r.view, r.input)
            .map_err(|e| picture_error(&self.root.join(&item.path), &e))?;
        normalise(&delivered, r.network, &mut batch.pixels);
        batch.labels.push(label);
        Ok(())
    }
}

pub(crate) fn picture_error(path: &Path, e: &dyn std::fmt::Display) -> TrainError {
    TrainError::Picture {
        path: path.to_owned(),
        reason: e.to_string(),
    }
}

/// How validation pictures are delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Arm {
    /// JPEG q95, 4:4:4.
    Q95,
    /// Half size, JPEG q60, 4:2:0.
    WebScaled,
}

impl Arm {
    /// Name in logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Q95 => "q95",
            Self::WebScaled => "web-scaled",
        }
    }

    /// The square of `input` pixels that the network sees, both classes cut and encoded alike.
    ///
    /// # Errors
    /// Those of the encoder.
    pub fn deliver(
        self,
        picture: &RgbImage,
        view: View,
        input: u32,
    ) -> Result<RgbImage, delivery::DeliveryError> {
        let picture = match view {
            View::Crop => {
                let side = picture.width().min(picture.height()).min(256);
                augment::centre(picture, side)
            }
            View::Whole => picture.clone(),
        };
        let delivered = match self {
            Self::Q95 => delivery::through_jpeg(&picture, 95, Subsampling::S444)?,
            Self::WebScaled => {
                let (w, h) = (picture.width().div_ceil(2), picture.height().div_ceil(2));
                let half = delivery::resize(&picture, w, h, delivery::Filter::Lanczos3)?;
                delivery::through_jpeg(&half, 60, Subsampling::S420)?
            }
        };
        match view {
            View::Crop => Ok(augment::centre(&delivered, input)),
            View::Whole => delivery::resize(&delivered, input, input, delivery::Filter::Bilinear),
        }
    }
}
