//! Balanced batches: half of each class, groups weighted, drawn from (seed, step) alone so that a
//! resumed run continues with the very pictures that it would have seen.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use image::RgbImage;
use rand::distr::weighted::WeightedIndex;
use rand::prelude::*;
use rand_chacha::ChaCha8Rng;
use realscope_delivery::{self as delivery, Subsampling};
use realscope_media::video::{self, Sampling};
use realscope_media::{Limits, Options};

use crate::augment::{self, Plan};
use crate::manifest::{self, Frame, Item, Split};
use crate::recipe::{Network, Recipe, View};
use crate::synth::{self, Pair};
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
    pairs: Vec<Twin>,
}

/// An authentic picture and its re-made window.
#[derive(Clone, Debug)]
pub struct Twin {
    /// The authentic picture.
    pub item: Item,
    /// Its pair.
    pub pair: Pair,
    folder: PathBuf,
}

impl Twin {
    /// The twins of authentic pictures among `items`.
    ///
    /// # Errors
    /// Those of [`synth::read`].
    pub fn of(items: &[Item], folder: &Path) -> Result<Vec<Self>, TrainError> {
        let by_path: BTreeMap<&str, &Item> = items
            .iter()
            .filter(|i| i.label == 0)
            .map(|i| (i.path.as_str(), i))
            .collect();
        Ok(synth::read(folder)?
            .into_iter()
            .filter_map(|pair| {
                Some(Self {
                    item: (*by_path.get(pair.path.as_str())?).clone(),
                    pair,
                    folder: folder.to_owned(),
                })
            })
            .collect())
    }

    /// The same window of both: authentic, re-made.
    ///
    /// # Errors
    /// Those of [`open`]; [`TrainError::Picture`] when the window is not of the pair's size.
    pub fn open(&self, root: &Path) -> Result<[RgbImage; 2], TrainError> {
        let p = &self.pair;
        let real = open(&root.join(&self.item.path))?;
        let real = delivery::crop(&real, p.left, p.top, p.width, p.height);
        let path = self.path();
        let fake = open(&path)?;
        if fake.dimensions() != real.dimensions() {
            return Err(picture_error(&path, &"not the window that its list says"));
        }
        Ok([real, fake])
    }

    /// The re-made file.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.join(&self.pair.picture)
    }

    /// The quality at which the authentic picture was first stored: without the same encoding its
    /// twin is told by its history.
    #[must_use]
    pub fn quality(&self) -> u8 {
        self.item.jpeg_quality.unwrap_or(95)
    }
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
        Network::EfficientnetLite0 | Network::EfficientnetLite0Trunk => {
            ([127.0 / 255.0; 3], [128.0 / 255.0; 3])
        }
        Network::Npr => ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    }
}

/// Time that decoding the frames of a clip may take.
const DEADLINE: Duration = Duration::from_secs(120);

/// Decodes a picture of the data set, or a frame of a clip ([`Frame`]).
///
/// # Errors
/// [`TrainError::Io`] or [`TrainError::Picture`].
pub fn open(path: &Path) -> Result<RgbImage, TrainError> {
    if let Some((clip, frame)) = path.to_str().and_then(Frame::parse) {
        let sampling = Sampling {
            first: 0,
            last: None,
            count: frame.of,
        };
        let frames = video::frames(Path::new(clip), &sampling, &Limits::default(), DEADLINE);
        let mut frames = frames.map_err(|e| picture_error(path, &e))?;
        // A short clip has fewer.
        let number = frame.number.min(frames.len().saturating_sub(1));
        return match frames.is_empty() {
            true => Err(picture_error(path, &"no frames")),
            false => Ok(frames.swap_remove(number).pixels),
        };
    }
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
    /// [`TrainError::Recipe`] when a class or the list of pairs is empty.
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
        if let Some(folder) = recipe
            .data
            .pairs
            .as_ref()
            .filter(|_| recipe.data.pair_share > 0.0)
        {
            pairs = Twin::of(&split.train, folder)?;
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
        let Some(twin) = self.pairs.choose(rng) else {
            return Ok(());
        };
        let plan = Plan::draw(&self.recipe.augment, rng);
        let [real, mut fake] = twin.open(&self.root)?;
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
            fake = delivery::through_jpeg(&fake, twin.quality(), Subsampling::S420)
                .map_err(|e| picture_error(&twin.path(), &e))?;
        }
        self.push(&real, &plan, 0.0, &twin.item, batch)?;
        self.push(&fake, &plan, 1.0, &twin.item, batch)
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
