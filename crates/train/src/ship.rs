//! From trained weights to what ships: exports the network, scores validation pictures as a scan does, has the
//! calibration fitted and writes the card.

use std::path::Path;

use realscope_delivery::arm::central;
use realscope_detectors::card::{
    Card, Colour, Filter, Head, Input, Medium, Polarity, Status, Task, View,
};
use realscope_detectors::network::{NetworkDetector, sha256};
use realscope_detectors::{Detector, npr};
use realscope_engine::EngineKind;
use realscope_nn::efficientnet_lite::EfficientNetLite;
use realscope_nn::npr::Npr;
use realscope_nn::onnx::Graph;
use realscope_nn::{Cpu, Parameters, StateDict};

use crate::backbone::{Backbone, Trainable as _};
use crate::calibrate::{self, Scored, own};
use crate::error::{TrainError, io_error, picture_error};
use crate::picture;
use crate::recipe::NetworkRecipe;
use crate::tier::{self, TIERS};

/// Most validation pictures that are scored, spread evenly over the manifest.
const MAX_PICTURES: usize = 330;

/// Side of the window that validation pictures of both classes are cut to.
const WINDOW: u32 = 256;

/// The deployed form of trained weights.
///
/// # Errors
/// [`TrainError::Weights`].
pub fn export(recipe: &NetworkRecipe, weights: &Path) -> Result<Vec<u8>, TrainError> {
    let side = recipe.input as usize;
    let mut graph = Graph::new(&recipe.name, false);
    let input = graph.input("x", [1, 3, side, side]);
    let dict = StateDict::read(weights)?;
    let device = Default::default();
    let logit = match recipe.network {
        Backbone::EfficientnetLite0 | Backbone::EfficientnetLite0Trunk => {
            let mut net = EfficientNetLite::<Cpu>::fresh(recipe.network, &device);
            net.load(&dict, &device)?;
            net.forward(&mut graph, input)
        }
        Backbone::Npr => {
            let mut net = Npr::<Cpu>::fresh(recipe.network, &device);
            net.load(&dict, &device)?;
            net.forward(&mut graph, input)
        }
    };
    graph.output("logit", &logit);
    Ok(graph.encode())
}

/// The card of a recipe's result, not yet calibrated.
///
/// # Errors
/// [`TrainError::Detector`] when this program's own card is damaged.
pub fn card(
    recipe: &NetworkRecipe,
    id: &str,
    onnx: &[u8],
    max_windows: usize,
) -> Result<Card, TrainError> {
    let (mean, std) = recipe.network.statistics();
    let input = |view| Input {
        size: recipe.input,
        filter: Filter::Lanczos3,
        colour: Colour::Rgb,
        mean,
        std,
        view,
    };
    let training_data = "pictures of public repositories with known source, and aligned pairs: the authentic \
                         ones re-made by autoencoders and up-samplers; the pictures are not distributed";
    let most = max_windows;
    let plain = Card {
        id: id.into(),
        summary: "Pixel expert on native-resolution windows and a resized view".into(),
        status: Status::Preview,
        since: env!("CARGO_PKG_VERSION").into(),
        task: Task::GeneratedPicture,
        weights_sha256: sha256(onnx),
        encoder_sha256: None,
        engines: vec![EngineKind::Rten, EngineKind::Ort],
        licence:
            "MIT OR Apache-2.0; fine-tuned from EfficientNet-Lite0 ImageNet weights (Apache-2.0)"
                .into(),
        training_data: training_data.into(),
        citation:
            "EfficientNet: Tan and Le, ICML 2019, arXiv 1905.11946; aligned pairs: Dual Data \
                   Alignment, NeurIPS 2025, arXiv 2505.14359"
                .into(),
        known_failures: recipe.known_failures.clone(),
        map_false_alarm_rate: None,
        map_pixel_auc: None,
        input: input(View::WholeAndWindows { most }),
        heads: vec![Head::Binary {
            output: None,
            column: 0,
            polarity: Polarity::Generated,
            medium: Medium::Picture,
        }],
        calibration: None,
        video: None,
        video_frame_scale: None,
        faces: None,
    };
    if recipe.network != Backbone::Npr {
        return Ok(plain);
    }
    let shipped = (npr::ENTRY.card)()?;
    Ok(Card {
        summary: shipped.summary,
        licence: shipped.licence,
        citation: shipped.citation,
        known_failures: NPR_FAILURES
            .map(str::to_owned)
            .into_iter()
            .chain(recipe.known_failures.clone())
            .collect(),
        input: input(View::Windows { most }),
        ..plain
    })
}

/// What NPR's method fails at, whatever it is trained on.
const NPR_FAILURES: [&str; 2] = [
    "falls to chance once both classes are JPEG-encoded alike",
    "resizing and social-network delivery",
];

/// Scores all validation pictures of a recipe in every tier.
///
/// # Errors
/// [`TrainError`].
pub fn score(
    recipe: &NetworkRecipe,
    root: &Path,
    detector: &dyn Detector,
) -> Result<Vec<Scored>, TrainError> {
    let split = recipe.data.split(root, recipe.view)?;
    let mut out = Vec::new();
    let stride = split.validation.len().div_ceil(MAX_PICTURES).max(1);
    for item in split.validation.into_iter().step_by(stride) {
        let path = root.join(&item.path);
        let picture = picture::open(&path)?;
        // Both classes are cut to the same window first.
        let window = central(&picture, WINDOW);
        for tier in TIERS {
            let delivered = tier::deliver(&window, &tier::arm(tier), 0)
                .map_err(|e| picture_error(&path, &e))?;
            let logit =
                own::logit(detector, None, &delivered).map_err(|e| picture_error(&path, &e))?;
            out.push(Scored {
                item: item.clone(),
                tier,
                stored: true,
                logit: logit.0,
                artwork: false,
            });
        }
    }
    Ok(out)
}

/// Exports, calibrates and writes `ID.onnx` and `ID.toml` into `folder`.
///
/// # Errors
/// [`TrainError`].
pub fn ship(
    recipe: &NetworkRecipe,
    root: &Path,
    weights: &Path,
    id: &str,
    max_windows: usize,
    folder: &Path,
) -> Result<Card, TrainError> {
    let onnx = export(recipe, weights)?;
    let mut card = card(recipe, id, &onnx, max_windows)?;
    let detector = NetworkDetector::load(card.clone(), &onnx, EngineKind::Rten.into())?;
    let scored = score(recipe, root, &detector)?;
    card.calibration = Some(calibrate::fit(&scored));
    std::fs::create_dir_all(folder).map_err(io_error(folder))?;
    let text = toml::to_string(&card).map_err(|e| TrainError::Recipe(e.to_string()))?;
    for (name, bytes) in [
        (format!("{id}.onnx"), onnx.as_slice()),
        (format!("{id}.toml"), text.as_bytes()),
    ] {
        let path = folder.join(name);
        std::fs::write(&path, bytes).map_err(io_error(&path))?;
    }
    Ok(card)
}
