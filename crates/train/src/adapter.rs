//! Low-rank updates of a frozen tower (LoRA: Hu et al., ICLR 2022, arXiv 2106.09685), and the head fitted with them.
//!
//! A set has one file that saw every fold and for each fold one that never saw it, so that what ships is calibrated on
//! held-out pictures. `scripts/adapt.py` fits them on a GPU.

use std::path::Path;

use realscope_metric::logistic::Linear;
use realscope_nn::vit::ClipVision;
use realscope_nn::{Cpu, StateDict, WeightsError};

use crate::error::TrainError;

/// One file of a set.
#[derive(Debug)]
pub struct Adapter {
    factors: StateDict,
    /// The head, on raw features of the blocks that the recipe reads.
    pub head: Linear,
}

fn fault(path: &Path, reason: String) -> TrainError {
    TrainError::Weights(WeightsError::Unreadable {
        path: path.display().to_string(),
        reason,
    })
}

impl Adapter {
    /// Reads `FOLDER/FOLD.safetensors`; the file that saw every fold is called `all`.
    ///
    /// # Errors
    /// [`TrainError::Weights`]: unreadable, or without a head of `width` features.
    pub fn read(folder: &Path, fold: &str, width: usize) -> Result<Self, TrainError> {
        let path = folder.join(format!("{fold}.safetensors"));
        let dict = StateDict::read(&path)?;
        let head = match (dict.get("head.weight"), dict.get("head.bias")) {
            (Some((_, weight)), Some((_, [bias]))) if weight.len() == width => Linear {
                weight: weight.to_vec(),
                bias: *bias,
            },
            _ => return Err(fault(&path, format!("no head of {width} features"))),
        };
        let factors = dict.renamed(|key| (!key.starts_with("head.")).then(|| key.to_owned()));
        Ok(Self { factors, head })
    }

    /// The tower with every update beside its matrix.
    ///
    /// # Errors
    /// [`TrainError::Weights`] where a factor lacks its partner or does not fit its matrix.
    pub fn apply(&self, tower: ClipVision<Cpu>) -> Result<ClipVision<Cpu>, TrainError> {
        Ok(tower.adapt(&self.factors, &Default::default())?)
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Tensor, TensorData};
    use realscope_nn::Parameters as _;
    use realscope_nn::exec::{BatchNormMode, Eager};
    use realscope_nn::vit::VitConfig;

    use super::*;

    fn tower() -> ClipVision<Cpu> {
        let config = VitConfig {
            image: 32,
            hidden: 12,
            depth: 1,
            mlp: 24,
            outputs: 4,
            ..VitConfig::clip_b16()
        };
        config.init_clip(&Default::default())
    }

    fn written(dict: &StateDict) -> Result<Adapter, TrainError> {
        let folder = tempfile::tempdir().expect("temporary folder");
        let bytes = dict.to_safetensors().expect("encodes");
        std::fs::write(folder.path().join("all.safetensors"), bytes).expect("writes");
        Adapter::read(folder.path(), "all", 3)
    }

    fn set(stem: &str, a: [usize; 2], b: [usize; 2]) -> StateDict {
        let ramp = |n: usize| (0..n).map(|i| i as f32 * 0.01).collect::<Vec<f32>>();
        let mut dict = StateDict::default();
        dict.insert("head.weight", vec![1, 3], vec![1.0, 2.0, 3.0]);
        dict.insert("head.bias", vec![1], vec![0.5]);
        for (end, dims) in [("lora_A", a), ("lora_B", b)] {
            let key = format!("{stem}.{end}.weight");
            dict.insert(&key, dims.to_vec(), ramp(dims[0] * dims[1]));
        }
        dict
    }

    #[test]
    fn the_product_of_the_factors_is_added() {
        let stem = "vision_model.encoder.layers.0.mlp.fc1";
        let adapter = written(&set(stem, [2, 12], [24, 2])).expect("reads");
        assert_eq!(adapter.head.weight, [1.0, 2.0, 3.0]);
        let mut before = tower();
        let mut dict = before.state_dict();
        let key = format!("{stem}.weight");
        let mut merged = dict.get(&key).expect("is there").1.to_vec();
        for (i, w) in merged.iter_mut().enumerate() {
            let (row, column) = (i / 12, i % 12);
            let term = |k: usize| (row * 2 + k) as f32 * 0.01 * (k * 12 + column) as f32 * 0.01;
            *w += term(0) + term(1);
        }
        dict.insert(&key, vec![24, 12], merged);
        let after = adapter.apply(before.clone()).expect("fits");
        let mut by_hand = before.clone();
        by_hand.load(&dict, &Default::default()).expect("loads");
        let features = |tower: &ClipVision<Cpu>| -> Vec<f32> {
            let x = (0..3 * 32 * 32).map(|i| (i % 71) as f32 / 35.0 - 1.0);
            let x = TensorData::new(x.collect::<Vec<f32>>(), [1, 3, 32, 32]);
            let x = Tensor::<Cpu, 4>::from_data(x, &Default::default());
            let mut eager = Eager::new(BatchNormMode::Running);
            let y: Tensor<Cpu, 2> = tower.block_statistics(&mut eager, x);
            y.into_data().iter().collect()
        };
        let gap = |a: &[f32], b: &[f32]| {
            a.iter()
                .zip(b)
                .fold(0.0_f32, |most, (a, b)| most.max((a - b).abs()))
        };
        let [after, by_hand, before] = [&after, &by_hand, &before].map(features);
        assert!(gap(&after, &by_hand) < 1e-5);
        assert!(gap(&after, &before) > 1e-3);
    }

    #[test]
    fn the_set_of_the_recipe_is_whole() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../recipes/adapters");
        for fold in ["all", "0", "1", "2", "3", "4"] {
            // Class token, mean and deviation of three blocks; two factors of six matrices of ten.
            let adapter = Adapter::read(Path::new(folder), fold, 9 * 768).expect("reads");
            assert_eq!(adapter.factors.len(), 120);
            assert!(adapter.head.weight.iter().all(|w| w.is_finite()));
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let fc1 = "vision_model.encoder.layers.0.mlp.fc1";
        for (stem, a, b) in [
            (fc1, [2, 12], [24, 3]),
            (fc1, [2, 24], [12, 2]),
            ("vision_model.encoder.layers.1.mlp.fc1", [2, 12], [24, 2]),
        ] {
            let adapter = written(&set(stem, a, b)).expect("reads");
            let e = adapter.apply(tower()).expect_err("refused");
            assert!(e.to_string().contains(stem), "{e}");
        }
        let one = set(fc1, [2, 12], [24, 2])
            .renamed(|key| (!key.ends_with("lora_A.weight")).then(|| key.to_owned()));
        assert!(written(&one).expect("reads").apply(tower()).is_err());
        let headless = set(fc1, [2, 12], [24, 2])
            .renamed(|key| (key != "head.weight").then(|| key.to_owned()));
        assert!(written(&headless).is_err());
    }
}
