//! `npr`: neighbouring pixel relationships (Tan et al., CVPR 2024, arXiv 2312.10461).
//!
//! Our own weights (`realscope train recipes/npr.toml`) lie in the binary; they look at windows of native
//! resolution, where the relationships are those that the up-sampler left. The authors' `NPR.pth` loads unchanged
//! with the published preprocessing: the whole picture squashed to 256 x 256 (bilinear), ImageNet normalisation.
//! Their repository has no licence, so those weights are for the user to obtain. Uncalibrated, their verdict is at most
//! `uncertain`.

use std::path::Path;

use realscope_engine::Choice;
use realscope_nn::npr::NprConfig;
use realscope_nn::onnx::Graph;
use realscope_nn::{Cpu, Parameters, StateDict};

use crate::DetectorError;
use crate::card::{Card, Filter, Input, OutputKind, Status, Task, View};
use crate::onnx::{OnnxDetector, sha256};

/// Stable id.
pub const ID: &str = "npr";
const SIDE: u32 = 256;

static CARD: &str = include_str!("../models/npr.toml");
static WEIGHTS: &[u8] = include_bytes!("../models/npr.onnx");

/// The card of our own weights.
///
/// # Errors
/// [`DetectorError::Corrupt`] when the build carries a damaged card.
pub fn own_card() -> Result<Card, DetectorError> {
    Card::parse(ID, CARD)
}

/// The detector with our own weights.
///
/// # Errors
/// [`DetectorError::Corrupt`] or [`DetectorError::Engine`].
pub fn load(engine: Choice) -> Result<OnnxDetector, DetectorError> {
    OnnxDetector::load(own_card()?, WEIGHTS, engine)
}

/// The card of the authors' weights, without their hash.
#[must_use]
pub fn card() -> Card {
    Card {
        id: ID.into(),
        summary: "Neighbouring pixel relationships, published network".into(),
        status: Status::Stable,
        task: Task::GeneratedImage,
        input: Input {
            size: SIDE,
            view: View::Squash,
            max_windows: 1,
            filter: Filter::Bilinear,
            mean: [0.485, 0.456, 0.406],
            std: [0.229, 0.224, 0.225],
        },
        output: OutputKind::Logit,
        weights_sha256: String::new(),
        encoder_sha256: None,
        licence: "the official weights carry no licence; they are not shipped".into(),
        training_data: "official weights: ForenSynths ProGAN, four classes".into(),
        citation: "Tan et al., CVPR 2024, arXiv 2312.10461".into(),
        known_failures: vec![
            "falls to chance once both classes are JPEG-encoded alike".into(),
            "resizing and social-network delivery".into(),
        ],
        map_false_alarm_rate: None,
        artwork: None,
        companion: None,
        calibration: None,
    }
}

/// Converts a PyTorch or safetensors file in the published layout to the deployed ONNX file.
///
/// # Errors
/// [`DetectorError::Corrupt`] naming the first tensor that does not fit.
pub fn convert(file: &Path) -> Result<(Card, Vec<u8>), DetectorError> {
    let corrupt = |reason: String| DetectorError::Corrupt {
        id: ID.into(),
        reason,
    };
    let dict = StateDict::read(file).map_err(|e| corrupt(e.to_string()))?;
    let device = Default::default();
    let mut network = NprConfig::published().init::<Cpu>(&device);
    network
        .load(&dict, &device)
        .map_err(|e| corrupt(e.to_string()))?;
    let mut graph = Graph::new(ID, false);
    let side = SIDE as usize;
    let input = graph.input("x", [1, 3, side, side]);
    let logit = network.forward(&mut graph, input);
    graph.output("logit", &logit);
    let onnx = graph.encode();
    let mut card = card();
    card.weights_sha256 = sha256(&onnx);
    Ok((card, onnx))
}
