//! The deployed file of encoder, classifier and statistics.

use std::path::Path;

use burn::tensor::{Tensor, TensorData};
use realscope_nn::dinov2::{DinoV2, DinoV2Config};
use realscope_nn::restrav::{NUMBERS, Restrav, RestravConfig, trajectory};
use realscope_nn::{Cpu, Exec, StateDict};

use super::{ENTRY, ID};
use crate::card::Card;
use crate::{DetectorError, deploy};

/// Key of the mean of each number over the classifier's training set.
const MEAN: &str = "mean";
/// Key of its standard deviation.
const DEVIATION: &str = "std";

/// Converts a file that holds DINOv2 ViT-S/14, the classifier, and `mean` and `std` of its numbers.
///
/// # Errors
/// [`DetectorError::Corrupt`] naming the first tensor that does not fit.
pub(super) fn convert(file: &Path) -> Result<(Card, Vec<u8>), DetectorError> {
    let dict = deploy::read(ID, file)?;
    export((ENTRY.card)()?, &DinoV2Config::vits14(), &dict)
}

fn of_classifier(key: &str) -> bool {
    key.starts_with("net.")
}

fn of_encoder(key: &str) -> bool {
    !of_classifier(key) && key != MEAN && key != DEVIATION
}

fn export(
    card: Card,
    encoder: &DinoV2Config,
    dict: &StateDict,
) -> Result<(Card, Vec<u8>), DetectorError> {
    let part = |of: fn(&str) -> bool| dict.clone().renamed(|key| of(key).then(|| key.to_owned()));
    let encoder: DinoV2<Cpu> =
        deploy::fill(ID, encoder.init(&Default::default()), &part(of_encoder))?;
    let classifier = RestravConfig::published().init(&Default::default());
    let classifier: Restrav<Cpu> = deploy::fill(ID, classifier, &part(of_classifier))?;
    let statistic = |key| {
        let values = dict.get_shaped(key, &[NUMBERS]);
        let values = values.map_err(|e| deploy::corrupt(ID, &e))?;
        Ok::<Vec<f32>, DetectorError>(values.iter::<f32>().collect())
    };
    let (mean, deviation) = (statistic(MEAN)?, statistic(DEVIATION)?);
    if deviation.iter().any(|d| *d <= 0.0) {
        return Err(DetectorError::Corrupt {
            id: ID.into(),
            reason: format!("`{DEVIATION}` is not positive"),
        });
    }
    let row = |values: Vec<f32>| {
        Tensor::<Cpu, 2>::from_data(TensorData::new(values, [1, NUMBERS]), &Default::default())
    };
    Ok(deploy::export_clips(card, |graph, clips| {
        let [n, frames, channels, height, width] = Exec::<Cpu>::dims(graph, &clips);
        let pictures = Exec::<Cpu>::fold(graph, clips, [n * frames, channels, height, width]);
        let tokens = encoder.forward(graph, pictures).tokens;
        let [_, count, hidden] = Exec::<Cpu>::dims(graph, &tokens);
        let features = Exec::<Cpu>::fold(graph, tokens, [n, frames, count * hidden]);
        let numbers = trajectory::<Cpu, _>(graph, features);
        let mean = Exec::<Cpu>::tensor(graph, row(mean));
        let centred = Exec::<Cpu>::sub(graph, numbers, mean);
        let deviation = Exec::<Cpu>::tensor(graph, row(deviation));
        let normal = Exec::<Cpu>::div(graph, centred, deviation);
        let logit = classifier.forward(graph, normal);
        graph.output("logit", &logit);
    }))
}

#[cfg(test)]
mod tests {
    use realscope_engine::{EngineKind, Threads, load};
    use realscope_nn::{BatchNormMode, Eager, Parameters as _};

    use super::*;

    /// Frames of the card.
    const FRAMES: usize = 24;

    /// A tiny encoder, the classifier and statistics.
    fn parts() -> (DinoV2Config, StateDict) {
        let encoder = DinoV2Config {
            patch: 4,
            learnt: 2,
            hidden: 6,
            depth: 1,
            heads: 2,
        };
        let mut dict = encoder.init::<Cpu>(&Default::default()).state_dict();
        let mut classifier = RestravConfig::published().init::<Cpu>(&Default::default());
        let classifier = classifier.state_dict();
        for key in classifier.keys() {
            let (shape, values) = classifier.get(key).expect("a tensor");
            dict.insert(key, shape.to_vec(), values.to_vec());
        }
        let numbers = |from: f32| (0..NUMBERS).map(|i| from + i as f32 / 8.0).collect();
        dict.insert(MEAN, vec![NUMBERS], numbers(0.5));
        dict.insert(DEVIATION, vec![NUMBERS], numbers(1.0));
        (encoder, dict)
    }

    fn card() -> Card {
        let mut card = (ENTRY.card)().expect("a card");
        card.input.size = 8;
        card
    }

    #[test]
    fn the_deployed_network_is_encoder_trajectory_and_classifier() {
        let (config, dict) = parts();
        let (_, onnx) = export(card(), &config, &dict).expect("exports");
        let values: Vec<f32> = (0..FRAMES * 3 * 64)
            .map(|i| ((i * i * 31 + i * 7919) % 1009) as f32 / 1009.0)
            .collect();
        let engine = load(EngineKind::Rten, onnx).expect("loads");
        let shape = [1, FRAMES, 3, 8, 8];
        let found = engine
            .run_all(&values, &shape, &Threads::of(1))
            .expect("runs");

        let encoder = dict
            .clone()
            .renamed(|k| of_encoder(k).then(|| k.to_owned()));
        let encoder: DinoV2<Cpu> =
            deploy::fill(ID, config.init(&Default::default()), &encoder).expect("fills");
        let mut eager = Eager::new(BatchNormMode::Running);
        let frames = TensorData::new(values, [FRAMES, 3, 8, 8]);
        let frames = Tensor::<Cpu, 4>::from_data(frames, &Default::default());
        let tokens = encoder.forward(&mut eager, frames).tokens;
        let features = tokens.reshape([1, FRAMES, 5 * 6]);
        let numbers = trajectory::<Cpu, _>(&mut eager, features);
        let numbers: Vec<f32> = numbers.into_data().iter::<f32>().collect();
        let normal = numbers.iter().enumerate().map(|(i, v)| {
            let step = i as f32 / 8.0;
            (v - 0.5 - step) / (1.0 + step)
        });
        let normal = TensorData::new(normal.collect(), [1, NUMBERS]);
        let normal = Tensor::<Cpu, 2>::from_data(normal, &Default::default());
        let classifier = dict.renamed(|k| of_classifier(k).then(|| k.to_owned()));
        let blank = RestravConfig::published().init(&Default::default());
        let classifier: Restrav<Cpu> = deploy::fill(ID, blank, &classifier).expect("fills");
        let expected = classifier.forward(&mut eager, normal);
        let expected = expected.into_data().iter::<f32>().next().expect("a logit");
        let found = found[0].values[0];
        assert!(
            (found - expected).abs() < 1e-3 * expected.abs().max(1.0),
            "{found} for {expected}"
        );
    }

    #[test]
    fn a_file_without_statistics_or_with_impossible_ones_is_refused() {
        let (config, dict) = parts();
        for key in [MEAN, DEVIATION] {
            let less = dict.clone().renamed(|k| (k != key).then(|| k.to_owned()));
            let e = export(card(), &config, &less).expect_err("refused");
            assert!(e.to_string().contains(key), "{e}");
        }
        let mut flat = dict;
        flat.insert(DEVIATION, vec![NUMBERS], vec![0.0; NUMBERS]);
        let e = export(card(), &config, &flat).expect_err("refused");
        assert!(e.to_string().contains("not positive"), "{e}");
    }
}
