//! Recipe of a network that is trained end to end, as a TOML file. Unknown keys are errors.

use std::path::{Path, PathBuf};

use realscope_data::manifest::{Item, Manifest};
use realscope_data::split::{self, Framing, HeldOut, Split};
use serde::{Deserialize, Serialize};

use crate::backbone::Backbone;
use crate::error::{TrainError, io_error};
use crate::pairs::Maker;

/// A recipe of a network.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkRecipe {
    /// Name of what is trained; names the output files.
    pub name: String,
    /// Network.
    pub network: Backbone,
    /// What it sees.
    pub view: Framing,
    /// Side of the square input in pixels.
    pub input: u32,
    /// Weights to start from, in the network's published layout; its classifier is replaced when
    /// `replace_classifier` is set.
    #[serde(default)]
    pub init: Option<PathBuf>,
    /// Start with a new classifier layer.
    #[serde(default)]
    pub replace_classifier: bool,
    /// Normalise with the statistics of each batch (training from scratch) instead of the stored
    /// ones (fine-tuning).
    #[serde(default)]
    pub batch_statistics: bool,
    /// Keep the kernels of depthwise convolutions as they were loaded (their gradients cost most of
    /// a step, see [`realscope_nn::Eager::freezing_grouped`]).
    #[serde(default)]
    pub freeze_depthwise: bool,
    /// Seed of every random choice.
    pub seed: u64,
    /// Failures that the card states beside those of the network.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known_failures: Vec<String>,
    /// Fit of the classifier on frozen features ahead of the steps.
    #[serde(default)]
    pub probe: Option<Probe>,
    /// Optimisation.
    pub optim: Optim,
    /// Data and split.
    pub data: Data,
    /// Augmentation, the same for both classes.
    pub augment: Augment,
}

/// Fit of the classifier on frozen features.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// Batches whose features are fitted.
    pub batches: usize,
    /// Ridge relative to the number of pictures.
    pub ridge: f64,
    /// Iterations of gradient descent.
    pub iterations: usize,
}

/// AdamW with linear warm-up, cosine decay and an average of the weights.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Optim {
    /// Number of steps; 0 with a probe ships the probe alone.
    pub steps: usize,
    /// Pictures in a step.
    pub batch: usize,
    /// Highest learning rate.
    pub learning_rate: f64,
    /// Lowest learning rate, reached at the end.
    pub final_learning_rate: f64,
    /// Steps of warm-up.
    pub warmup: usize,
    /// Decoupled weight decay.
    pub weight_decay: f32,
    /// Adam's epsilon.
    pub epsilon: f32,
    /// Decay of the exponential moving average of the weights; the average is what is evaluated
    /// and shipped.
    pub ema: f32,
    /// Targets are moved this far towards one half.
    pub label_smoothing: f32,
    /// Steps between validations and checkpoints.
    pub every: usize,
}

/// Where the pictures are and which of them validate.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// Manifest (tab-separated) relative to the data root.
    pub manifest: PathBuf,
    /// Match sets that validate.
    #[serde(default)]
    pub validation_match_sets: Vec<String>,
    /// Groups that validate.
    #[serde(default)]
    pub validation_groups: Vec<String>,
    /// Folds that validate.
    #[serde(default)]
    pub validation_folds: Vec<String>,
    /// Groups with fewer pictures weigh by this power of their size when sampled.
    pub group_power: f64,
    /// Most pictures and most clips of a group, chosen by their paths' hashes; 0 for all.
    #[serde(default)]
    pub per_group: [usize; 2],
    /// Frames of each clip that count as pictures of its group; decoding them takes ffmpeg.
    #[serde(default)]
    pub frames: usize,
    /// Folder of `realscope data synth`, relative to the working directory.
    #[serde(default)]
    pub pairs: Option<PathBuf>,
    /// Share of a batch that is pairs of an authentic picture and its re-made window.
    #[serde(default)]
    pub pair_share: f64,
    /// Makers whose pairs train; empty for all. Those of the rest only validate.
    #[serde(default)]
    pub makers: Vec<Maker>,
}

impl Data {
    /// The training pictures below `root` that show `framing`, and frames of clips.
    ///
    /// # Errors
    /// [`TrainError::Manifest`] naming the row.
    pub fn items(&self, root: &Path, framing: Framing) -> Result<Vec<Item>, TrainError> {
        let manifest = Manifest::read(&root.join(&self.manifest))?;
        let [pictures, clips] = self.per_group;
        let mut items = split::capped(split::training(&manifest, framing), pictures);
        items.extend(split::frames(&manifest, self.frames, clips));
        Ok(items)
    }

    /// [`Data::items`], divided into training and validation.
    ///
    /// # Errors
    /// [`TrainError::Manifest`] naming the row, [`TrainError::Split`] when a group would lie on both sides.
    pub fn split(&self, root: &Path, framing: Framing) -> Result<Split, TrainError> {
        let items = self.items(root, framing)?;
        let held_out = HeldOut {
            match_sets: &self.validation_match_sets,
            groups: &self.validation_groups,
            folds: &self.validation_folds,
        };
        Ok(Split::of(items, &held_out)?)
    }
}

/// Probabilities and ranges of the random delivery.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Augment {
    /// Probability that a picture is scaled.
    pub scale: f64,
    /// Scale factors.
    pub scale_range: [f64; 2],
    /// Probability of a JPEG round trip.
    pub jpeg: f64,
    /// JPEG qualities.
    pub jpeg_range: [u8; 2],
    /// Probability of a WebP round trip.
    pub webp: f64,
    /// WebP qualities.
    pub webp_range: [u8; 2],
    /// Probability of a Gaussian blur.
    pub blur: f64,
    /// Highest sigma of the blur in pixels.
    pub blur_sigma: f64,
    /// Probability of additive Gaussian noise.
    pub noise: f64,
    /// Highest deviation of the noise in grey levels.
    pub noise_sigma: f64,
    /// Probability of a change of brightness, contrast and saturation.
    pub colour: f64,
    /// Largest relative change.
    pub colour_range: f64,
    /// Probability of a benign edit ahead of the delivery: tone, sharpening, denoising, enlargement, a
    /// screenshot, a painted look.
    #[serde(default)]
    pub retouch: f64,
}

impl NetworkRecipe {
    /// Reads and checks a recipe.
    ///
    /// # Errors
    /// [`TrainError::Io`] or [`TrainError::Recipe`].
    pub fn read(path: &Path) -> Result<Self, TrainError> {
        let text = std::fs::read_to_string(path).map_err(io_error(path))?;
        let recipe: Self = toml::from_str(&text).map_err(|e| TrainError::Recipe(e.to_string()))?;
        recipe.check()?;
        Ok(recipe)
    }

    fn check(&self) -> Result<(), TrainError> {
        let fail = |why: &str| Err(TrainError::Recipe(why.to_owned()));
        let o = &self.optim;
        if (o.steps == 0 && self.probe.is_none()) || o.batch < 2 || o.every == 0 {
            return fail("`steps` (without a probe), `batch` (>= 2) and `every` must be positive");
        }
        if self.input < 32 || !self.input.is_multiple_of(2) {
            return fail("`input` must be even and at least 32");
        }
        if !(0.0..=1.0).contains(&self.data.pair_share) {
            return fail("`pair_share` must lie in 0..=1");
        }
        if self.data.pair_share > 0.0 && self.data.pairs.is_none() {
            return fail("`pair_share` needs `pairs`");
        }
        if self.data.validation_match_sets.is_empty()
            && self.data.validation_groups.is_empty()
            && self.data.validation_folds.is_empty()
        {
            return fail("name at least one match set, group or fold for validation");
        }
        Ok(())
    }
}
