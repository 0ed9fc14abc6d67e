//! Low-rank updates of a frozen tower (LoRA: Hu et al., ICLR 2022, arXiv 2106.09685), and the head fitted with them.
//!
//! A set has one file that saw every fold and for each fold one that never saw it, so that what ships is calibrated on
//! held-out pictures. `scripts/adapt.py` fits them on a GPU.

use std::path::Path;

use realscope_nn::vit::ClipVision;
use realscope_nn::{Cpu, Parameters, StateDict, WeightsError};

use crate::TrainError;
use crate::probe::Linear;

/// Ends of the keys of a matrix's two factors, in the layout of PEFT; scaling is part of the second.
const FACTORS: [&str; 2] = [".lora_A.weight", ".lora_B.weight"];

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

    /// The tower with every update added to its matrix: `W + B A`.
    ///
    /// # Errors
    /// [`TrainError::Recipe`] where a factor lacks its partner or does not fit its matrix.
    pub fn apply(&self, mut tower: ClipVision<Cpu>) -> Result<ClipVision<Cpu>, TrainError> {
        let mut dict = tower.state_dict();
        for key in self.factors.keys() {
            let misfit = || TrainError::Recipe(format!("adapter: `{key}` does not fit the tower"));
            let Some(stem) = key.strip_suffix(FACTORS[0]) else {
                let partner = key.replace(FACTORS[1], FACTORS[0]);
                if partner == *key || self.factors.get(&partner).is_none() {
                    return Err(misfit());
                }
                continue;
            };
            let matrix = format!("{stem}.weight");
            let (Some((a, first)), Some((b, second)), Some((shape, values))) = (
                self.factors.get(key),
                self.factors.get(&format!("{stem}{}", FACTORS[1])),
                dict.get(&matrix),
            ) else {
                return Err(misfit());
            };
            let (&[rank, inputs], &[outputs, same]) = (a, b) else {
                return Err(misfit());
            };
            if same != rank || shape != [outputs, inputs] {
                return Err(misfit());
            }
            let (shape, mut values) = (shape.to_vec(), values.to_vec());
            for (row, factors) in values.chunks_mut(inputs).zip(second.chunks(rank)) {
                for (factor, direction) in factors.iter().zip(first.chunks(inputs)) {
                    for (v, d) in row.iter_mut().zip(direction) {
                        *v += factor * d;
                    }
                }
            }
            dict.insert(&matrix, shape, values);
        }
        tower.load(&dict, &Default::default())?;
        Ok(tower)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use realscope_nn::vit::VitConfig;

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
        dict.insert(
            &format!("{stem}{}", FACTORS[0]),
            a.to_vec(),
            ramp(a[0] * a[1]),
        );
        dict.insert(
            &format!("{stem}{}", FACTORS[1]),
            b.to_vec(),
            ramp(b[0] * b[1]),
        );
        dict
    }

    #[test]
    fn the_product_of_the_factors_is_added() {
        let stem = "vision_model.encoder.layers.0.mlp.fc1";
        let adapter = written(&set(stem, [2, 12], [24, 2])).expect("reads");
        assert_eq!(adapter.head.weight, [1.0, 2.0, 3.0]);
        let mut before = tower();
        let key = format!("{stem}.weight");
        let old = before.state_dict().get(&key).expect("is there").1.to_vec();
        let mut after = adapter.apply(before).expect("fits");
        let dict = after.state_dict();
        let new = dict.get(&key).expect("is there").1;
        // Row 3 of B is (.06, .07), column 5 of A (.05, .17); row 0 is (0, .01), column 0 (0, .12).
        for (at, added) in [(3 * 12 + 5, 0.06 * 0.05 + 0.07 * 0.17), (0, 0.01 * 0.12)] {
            assert!((new[at] - old[at] - added).abs() < 1e-6, "{at}");
        }
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
            .renamed(|key| (!key.ends_with(FACTORS[0])).then(|| key.to_owned()));
        assert!(written(&one).expect("reads").apply(tower()).is_err());
        let headless = set(fc1, [2, 12], [24, 2])
            .renamed(|key| (key != "head.weight").then(|| key.to_owned()));
        assert!(written(&headless).is_err());
    }
}
