//! The deployed file of the published weights.

use std::path::Path;

use realscope_nn::d3::{D3Config, evenness};
use realscope_nn::{Cpu, StateDict};

use super::{ENTRY, ID};
use crate::card::Card;
use crate::{DetectorError, deploy};

/// Converts torchvision's ResNet-18, or a file with the keys of the authors' class.
///
/// # Errors
/// [`DetectorError::Corrupt`] naming the first tensor that does not fit.
pub(super) fn convert(file: &Path) -> Result<(Card, Vec<u8>), DetectorError> {
    let dict = canonical(deploy::read(ID, file)?);
    let network = D3Config::resnet18().init(&Default::default());
    let network = deploy::fill(ID, network, &dict)?;
    Ok(deploy::export_clips((ENTRY.card)()?, |graph, clips| {
        let features = network.features(graph, clips);
        let out = evenness::<Cpu, _>(graph, features);
        graph.output("score", &out.score);
    }))
}

/// The authors number the parts of torchvision's network; its classifier takes no part.
fn canonical(dict: StateDict) -> StateDict {
    if !dict.keys().any(|key| key == "conv1.weight") {
        return dict;
    }
    dict.renamed(|key| {
        let (part, rest) = key.split_once('.')?;
        let number = match part {
            "conv1" => 0,
            "bn1" => 1,
            "layer1" => 4,
            "layer2" => 5,
            "layer3" => 6,
            "layer4" => 7,
            "fc" => return None,
            _ => return Some(key.to_owned()),
        };
        Some(format!("encoder.{number}.{rest}"))
    })
}

#[cfg(test)]
mod tests {
    use realscope_nn::Parameters as _;

    use super::*;

    #[test]
    fn a_file_of_torchvision_is_the_authors_network() {
        let network = D3Config::resnet18().init::<Cpu>(&Default::default());
        let own = network.clone().state_dict();
        let names = [
            "conv1", "bn1", "", "", "layer1", "layer2", "layer3", "layer4",
        ];
        let theirs = own.clone().renamed(|key| {
            let (number, rest) = key.strip_prefix("encoder.")?.split_once('.')?;
            Some(format!("{}.{rest}", names[number.parse::<usize>().ok()?]))
        });
        let folder = tempfile::tempdir().expect("folder");
        let mut made = Vec::new();
        for (dict, name) in [(&own, "own"), (&theirs, "torchvision")] {
            let file = folder.path().join(format!("{name}.safetensors"));
            std::fs::write(&file, dict.to_safetensors().expect("serialises")).expect("written");
            made.push(convert(&file).unwrap_or_else(|e| panic!("{name}: {e}")).1);
        }
        assert!(theirs.keys().any(|key| key == "layer4.1.bn2.weight"));
        assert_eq!(made[0], made[1]);
    }
}
