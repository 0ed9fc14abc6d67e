//! Recipe of a linear head on the blocks of a frozen encoder.

use std::path::{Path, PathBuf};

use realscope_detectors::catalog;
use realscope_detectors::network::sha256;
use realscope_metric::logistic::{self, Convex, Early, Linear, Samples};
use realscope_nn::vit::VitConfig;
use serde::{Deserialize, Serialize};

use super::deliveries::Delivery;
use crate::error::{TrainError, io_error};
use crate::recipe::{Augment, Data};
use crate::rounding::Rounding;

/// A second head that tells what looks painted or drawn, so that it is not accused.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArtworkRecipe {
    /// Groups of generated pictures in artists' styles: positive, like drawn versions of authentic pictures.
    pub styled: Vec<String>,
    /// Groups of generated pictures that look like photographs: negative, like authentic pictures.
    pub photographic: Vec<String>,
    /// Share of authentic photographs of held-out folds that may count as painted or drawn.
    pub photographs: f64,
}

/// The fits of a head that are tried on held-out folds.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fits {
    /// A few epochs of gradient descent.
    Early {
        /// Learning rates.
        learning_rates: Vec<f64>,
        /// Passes over the pictures.
        epochs: usize,
        /// Decoupled weight decay.
        weight_decay: f64,
        /// Share of features left out of each row and step.
        dropout: f64,
        /// Targets are moved this far towards one half.
        smoothing: f64,
    },
    /// The minimum.
    Full {
        /// L2 penalties on the weights of standardised features, relative to the mean loss.
        ridges: Vec<f64>,
        /// Iterations of gradient descent.
        iterations: usize,
    },
}

/// One fit of a head.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fit {
    Early(Early),
    Full(Convex),
}

impl Fit {
    pub fn run(&self, samples: Samples<'_>) -> Linear {
        match self {
            Self::Early(how) => logistic::early(samples, how),
            Self::Full(how) => logistic::fit(samples, how),
        }
    }
}

impl std::fmt::Display for Fit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Early(how) => write!(f, "learning rate {}", how.learning_rate),
            Self::Full(how) => write!(f, "ridge {}", how.ridge),
        }
    }
}

/// Recipe of a linear head on the blocks of a frozen encoder.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SemanticRecipe {
    /// Name of what is trained.
    pub name: String,
    /// CLIP ViT-B/16: safetensors or PyTorch in the published layout, or an 8-bit ONNX file, relative to the data set;
    /// the id of a detector in this program whose encoder is taken as it ships; or the id of an installed encoder.
    pub encoder: PathBuf,
    /// Longest edge of a whole picture ahead of its deliveries, in pixels; larger ones are brought to it.
    #[serde(default = "stored_whole")]
    pub whole: u32,
    /// First blocks of CLIP's tower that are kept.
    #[serde(default = "all_blocks")]
    pub blocks: usize,
    /// Last of them that the head reads.
    #[serde(default = "all_blocks")]
    pub read: usize,
    /// Also read the deviation of the patch tokens.
    #[serde(default)]
    pub deviations: bool,
    /// Random deliveries of each picture that are fitted; with 0 those of the tiers are.
    pub deliveries: u32,
    /// Weight of a painted or drawn version of each authentic and each generated picture, relative to a random
    /// delivery; without it there are none.
    #[serde(default)]
    pub drawn: Option<[f64; 2]>,
    /// Weight of a random window of each picture at native resolution, relative to a random delivery of the whole.
    /// With it (0 for none that is fitted) the stored files at native resolution, many of which are windows, are
    /// scored and calibrated beside the whole pictures.
    #[serde(default)]
    pub windows: Option<f64>,
    /// Within each class let pictures whose whole is stored beside a window count as much, in sum, as those that are
    /// stored once, so that how much of a scene is seen says nothing of the class.
    #[serde(default)]
    pub balance_views: bool,
    /// Second head: what looks painted or drawn.
    #[serde(default)]
    pub artwork: Option<ArtworkRecipe>,
    /// Fits that are tried on held-out folds.
    pub fit: Fits,
    /// Seed of random deliveries.
    pub seed: u64,
    /// Failures that the card states.
    #[serde(default)]
    pub known_failures: Vec<String>,
    /// Folder of low-rank updates of the encoder and the heads fitted with them ([`crate::adapter`]), relative to the
    /// current folder. They take the place of heads that are fitted here; `fit` then is of `artwork` alone.
    #[serde(default)]
    pub adapter: Option<PathBuf>,
    /// Round the encoder's matrices to multiples of quantisation steps; without it they have 4 bits a weight.
    #[serde(default, alias = "lattice")]
    pub rounding: Option<Rounding>,
    /// Data.
    pub data: Data,
    /// Random delivery, the same for both classes.
    pub augment: Augment,
}

/// Longest edge of the wholes that are stored beside windows.
fn stored_whole() -> u32 {
    272
}

/// Blocks of CLIP ViT-B/16.
fn all_blocks() -> usize {
    12
}

impl SemanticRecipe {
    /// The network of the detector that `encoder` names.
    #[must_use]
    pub fn shipped(&self) -> Option<&'static [u8]> {
        catalog::find(self.encoder.to_str()?)?.embedded()
    }

    /// Reads a recipe.
    ///
    /// # Errors
    /// [`TrainError::Io`] or [`TrainError::Recipe`].
    pub fn read(path: &Path) -> Result<Self, TrainError> {
        let text = std::fs::read_to_string(path).map_err(io_error(path))?;
        let recipe: Self = toml::from_str(&text).map_err(|e| TrainError::Recipe(e.to_string()))?;
        if !(1..=12).contains(&recipe.blocks)
            || !(1..=recipe.blocks).contains(&recipe.read)
            || recipe.fits().is_empty()
            || matches!(recipe.fit, Fits::Early { dropout, .. } if !(0.0..1.0).contains(&dropout))
            || recipe
                .drawn
                .iter()
                .flatten()
                .chain(&recipe.windows)
                .any(|w| !(0.0..=100.0).contains(w))
        {
            return Err(TrainError::Recipe(
                "`blocks` must be 1 to 12, `read` at most that, `learning_rates` or `ridges` not empty, `dropout` below 1, weights of `drawn` and `windows` 0 to 100"
                    .into(),
            ));
        }
        if let Some(rounding) = &recipe.rounding {
            rounding.check()?;
        }
        if recipe.shipped().is_some() && (recipe.rounding.is_some() || recipe.adapter.is_some()) {
            return Err(TrainError::Recipe(
                "an encoder that ships is taken as it is: no `rounding` or `adapter`".into(),
            ));
        }
        if let Some(artwork) = &recipe.artwork
            && !(0.0..0.5).contains(&artwork.photographs)
        {
            return Err(TrainError::Recipe(
                "`artwork`: `photographs` must be 0 to 0.5".into(),
            ));
        }
        Ok(recipe)
    }

    /// Whether a recipe file is of this kind.
    #[must_use]
    pub fn is_one(text: &str) -> bool {
        toml::from_str::<toml::Table>(text).is_ok_and(|t| t.contains_key("encoder"))
    }

    /// The fits that are tried.
    pub(super) fn fits(&self) -> Vec<Fit> {
        match &self.fit {
            Fits::Early {
                learning_rates,
                epochs,
                weight_decay,
                dropout,
                smoothing,
            } => learning_rates
                .iter()
                .map(|rate| {
                    Fit::Early(Early {
                        epochs: *epochs,
                        learning_rate: *rate,
                        weight_decay: *weight_decay,
                        dropout: *dropout,
                        smoothing: *smoothing,
                        seed: self.seed,
                    })
                })
                .collect(),
            Fits::Full { ridges, iterations } => ridges
                .iter()
                .map(|ridge| {
                    Fit::Full(Convex {
                        ridge: *ridge,
                        iterations: *iterations,
                    })
                })
                .collect(),
        }
    }

    pub(super) fn config(&self) -> VitConfig {
        VitConfig {
            depth: self.blocks,
            ..VitConfig::clip_b16()
        }
    }

    /// Vectors of a block.
    fn statistics(&self) -> usize {
        if self.deviations { 3 } else { 2 }
    }

    /// Length of the feature vector of all kept blocks.
    #[must_use]
    pub fn width(&self) -> usize {
        self.statistics() * self.blocks * self.config().hidden
    }

    /// Length of the part that the head reads.
    #[must_use]
    pub fn read_width(&self) -> usize {
        self.statistics() * self.read * self.config().hidden
    }

    /// Everything that the cached features depend on.
    pub(super) fn identity(&self, encoder: &[u8], deliveries: &[Delivery]) -> String {
        let text = format!(
            "{}/{}/{}/{}/{deliveries:?}",
            sha256(encoder),
            self.whole,
            self.seed,
            serde_json::to_string(&self.augment).unwrap_or_default()
        );
        sha256(text.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<SemanticRecipe, TrainError> {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("recipe.toml");
        std::fs::write(&path, text).expect("writes");
        SemanticRecipe::read(&path)
    }

    #[test]
    fn recipes_that_ship_are_read_and_unfit_ones_refused() {
        let head = include_str!("../../../../recipes/head.toml");
        let semantic = include_str!("../../../../recipes/semantic.toml");
        assert!(read(head).expect("reads").shipped().is_some());
        let e = read(&format!(
            "{head}[rounding]\nbits = 3.0\npictures = 1\ndamping = 0.1\nrows = 0.5\n"
        ));
        let e = e.expect_err("refused").to_string();
        assert!(
            e.contains("taken as it is") || e.contains("class_token"),
            "{e}"
        );
        let shipped = read(semantic).expect("reads");
        assert!(shipped.rounding.is_some());
        assert_eq!(shipped.data.frames, 4);
        let adapted = include_str!("../../../../recipes/adapted.toml");
        assert!(read(adapted).expect("reads").adapter.is_some());
        // Recipes of before call the rounding `lattice`.
        let older = semantic.replace("[rounding]", "[lattice]");
        assert_ne!(older, semantic);
        assert!(read(&older).expect("reads").rounding.is_some());
        let drawn = |weight: &str| {
            let text = semantic.replace("read = 3", &format!("read = 3\ndrawn = [{weight}, 0.5]"));
            read(&text)
        };
        assert_eq!(drawn("1.0").expect("reads").drawn, Some([1.0, 0.5]));
        let e = drawn("-1.0").expect_err("refused");
        assert!(e.to_string().contains("drawn"), "{e}");
        let windows = |weight: &str| {
            read(&semantic.replace("read = 3", &format!("read = 3\nwindows = {weight}")))
        };
        assert_eq!(windows("0.5").expect("reads").windows, Some(0.5));
        assert!(windows("-0.5").is_err());
        let artwork = |share: &str| {
            read(&semantic.replace("photographs = 0.02", &format!("photographs = {share}")))
        };
        assert!(artwork("0.1").expect("reads").artwork.is_some());
        assert!(artwork("0.5").is_err());
        for (from, to) in [
            ("damping = 0.03", "damping = 0.0"),
            ("rows = 0.7", "rows = 1.5"),
            ("class_token = 30.0", "class_token = 0.0"),
        ] {
            let e = read(&semantic.replace(from, to)).expect_err("refused");
            assert!(e.to_string().contains("damping"), "{e}");
        }
    }
}
