//! Networks that can be trained end to end.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use image::RgbImage;
use realscope_nn::efficientnet_lite::{EfficientNetLite, EfficientNetLiteConfig};
use realscope_nn::npr::{Npr, NprConfig};
use realscope_nn::{Eager, Parameters};
use serde::{Deserialize, Serialize};

/// Which network is trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backbone {
    /// EfficientNet-Lite0 with one logit; `(rgb - 127) / 128`.
    EfficientnetLite0,
    /// The first eleven blocks of EfficientNet-Lite0 with a new head.
    EfficientnetLite0Trunk,
    /// NPR's network; ImageNet mean and standard deviation.
    Npr,
}

impl Backbone {
    /// Mean and standard deviation per channel, of values in `[0, 1]`.
    #[must_use]
    pub fn statistics(self) -> ([f32; 3], [f32; 3]) {
        match self {
            Self::EfficientnetLite0 | Self::EfficientnetLite0Trunk => {
                ([127.0 / 255.0; 3], [128.0 / 255.0; 3])
            }
            Self::Npr => ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        }
    }

    /// Appends a square picture as three planes in the network's normalisation.
    pub fn normalise(self, picture: &RgbImage, out: &mut Vec<f32>) {
        let (mean, std) = self.statistics();
        for c in 0..3 {
            out.extend(
                picture
                    .pixels()
                    .map(|p| (f32::from(p.0[c]) / 255.0 - mean[c]) / std[c]),
            );
        }
    }
}

/// A network that yields one logit per picture and can be trained.
pub trait Trainable<B: Backend>: Parameters<B> {
    /// Network with random weights.
    fn fresh(backbone: Backbone, device: &B::Device) -> Self;
    /// Logits `[n, 1]` of normalised pictures.
    fn logits(&self, x: &mut Eager, input: Tensor<B, 4>) -> Tensor<B, 2>;
    /// Features `[n, width]` that the classifier reads.
    fn features(&self, x: &mut Eager, input: Tensor<B, 4>) -> Tensor<B, 2>;
    /// Folds batch normalisations ahead of fine-tuning with frozen statistics.
    fn fold(&mut self);
    /// Whether a tensor belongs to the classifier that is fitted on features.
    fn is_classifier(key: &str) -> bool;
    /// Whether a tensor of the published checkpoint has no place here or is replaced for the new task.
    fn is_replaced(&self, key: &str) -> bool {
        let _ = self;
        Self::is_classifier(key)
    }
}

impl<B: Backend> Trainable<B> for EfficientNetLite<B> {
    fn fresh(backbone: Backbone, device: &B::Device) -> Self {
        match backbone {
            Backbone::EfficientnetLite0Trunk => EfficientNetLiteConfig::lite0_trunk(),
            _ => EfficientNetLiteConfig::lite0_detector(),
        }
        .init(device)
    }
    fn logits(&self, x: &mut Eager, input: Tensor<B, 4>) -> Tensor<B, 2> {
        self.forward(x, input)
    }
    fn features(&self, x: &mut Eager, input: Tensor<B, 4>) -> Tensor<B, 2> {
        EfficientNetLite::features(self, x, input)
    }
    fn fold(&mut self) {
        EfficientNetLite::fold(self);
    }
    fn is_classifier(key: &str) -> bool {
        key.starts_with("_fc.")
    }
    fn is_replaced(&self, key: &str) -> bool {
        let beyond = key
            .strip_prefix("_blocks.")
            .and_then(|rest| rest.split('.').next()?.parse::<usize>().ok())
            .is_some_and(|block| block >= self.depth());
        let head = ["_conv_head.", "_bn1."].iter().any(|p| key.starts_with(p));
        Self::is_classifier(key) || beyond || (head && self.depth() < 16)
    }
}

impl<B: Backend> Trainable<B> for Npr<B> {
    fn fresh(_: Backbone, device: &B::Device) -> Self {
        NprConfig::published().init(device)
    }
    fn logits(&self, x: &mut Eager, input: Tensor<B, 4>) -> Tensor<B, 2> {
        self.forward(x, input)
    }
    fn features(&self, x: &mut Eager, input: Tensor<B, 4>) -> Tensor<B, 2> {
        Npr::features(self, x, input)
    }
    fn fold(&mut self) {
        Npr::fold(self);
    }
    fn is_classifier(key: &str) -> bool {
        key.starts_with("fc1.")
    }
}
