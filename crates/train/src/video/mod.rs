//! A linear head for videos, on the features of a detector that ships.
//!
//! It reads what the detector's own head reads of a frame, and is fitted on the mean over the frames of a clip: a linear
//! head's logit of the mean is the mean of its logits, which is what a scan takes. Each clip is fitted and scored as it
//! was made and after two encodings, the same for both classes. Stills take part as slow pans over them: a video may
//! show nothing else. Ridge and calibration come from held-out folds of whole sources; the head that ships is fitted
//! on all of them.
//!
//! A head for faces is fitted in the same way on the largest face of each frame.

mod encode;
mod features;
mod fit;
mod recipe;

use std::path::Path;

use realscope_detectors::card::{Card, Faces, FlagKind, Head, Medium, Polarity};
use realscope_detectors::catalog;
use realscope_detectors::network::sha256;
use realscope_engine::heads;
use realscope_metric::logistic::Linear;

use self::features::Clips;
pub use self::recipe::VideoRecipe;
use crate::calibrate::{self, Bars};
use crate::error::{TrainError, io_error};
use crate::tier::TIERS;

/// Of the authentic clips, of every kind of them and of the pans, at most 2% may be accused. Groups are too few and too small for a
/// bound on the interval.
const BARS: Bars = Bars {
    false_positives: 0.02,
    upper: false,
    of_kind: 50,
};

/// Of authentic faces, of every kind of them, at most 1% may be accused, and the upper bound of the interval keeps to
/// it, too: a video may show many.
const FACE_BARS: Bars = Bars {
    false_positives: 0.01,
    upper: true,
    of_kind: 50,
};

/// The heads that read the network's first output, but for that of a medium, and the weights of each. Their columns
/// follow each other.
fn kept(card: &Card, network: &[u8], but: Medium) -> Result<Vec<(Head, Linear)>, TrainError> {
    let found = heads::of(network)?;
    let mut out: Vec<(Head, Linear)> = Vec::new();
    // What a detector adds to its network when it is loaded is not in this file.
    let read = card.heads.iter().filter(|h| h.output().is_none());
    for head in read.filter(|h| !h.judges(but)) {
        let mut head = head.clone();
        let (Head::Binary { column, .. } | Head::Flag { column, .. }) = &mut head else {
            let reason = format!("a head that is not linear: {head:?}");
            return Err(TrainError::Recipe(reason));
        };
        let Some((weight, bias)) = found.get(*column).cloned() else {
            let reason = format!("a network of {} heads, not {column}", found.len());
            return Err(TrainError::Recipe(reason));
        };
        *column = out.len();
        out.push((head, Linear { weight, bias }));
    }
    Ok(out)
}

/// Fits the head of a recipe on the clips below `root`, calibrates it and writes `ID.onnx` and `ID.toml` into `out`:
/// the detector with one column more. Features are cached there.
///
/// # Errors
/// [`TrainError`].
pub fn train(
    recipe: &VideoRecipe,
    root: &Path,
    id: &str,
    out: &Path,
    log: &mut dyn FnMut(&str),
) -> Result<Card, TrainError> {
    let named = &recipe.detector;
    let entry = catalog::find(named)
        .ok_or_else(|| TrainError::Recipe(format!("no detector `{named}` in this program")))?;
    let network = entry.embedded();
    let network = network
        .ok_or_else(|| TrainError::Recipe(format!("`{named}` has no network in this program")))?;
    let mut card = (entry.card)()?;
    let medium = match recipe.faces {
        Some(_) => Medium::Face,
        None => Medium::Video,
    };
    let mut all = kept(&card, network, medium)?;
    let flag = all.iter().find_map(|(head, linear)| match head {
        Head::Flag {
            flag: FlagKind::Artwork,
            threshold,
            ..
        } => Some((linear.clone(), *threshold)),
        _ => None,
    });

    let clips = Clips::read(
        recipe,
        root,
        &heads::without(network)?,
        &card.input,
        out,
        log,
    )?;
    let flagged = |clip: usize, tier: usize| {
        flag.as_ref().is_some_and(|(head, threshold)| {
            let frames = clips.frames(clip, tier);
            let raised = frames
                .iter()
                .filter(|row| fit::logit(head, row) >= *threshold);
            2 * raised.count() > frames.len()
        })
    };
    let held_out = fit::best(recipe, &clips, &flagged, log)?;
    let all_scored = [held_out.scored.as_slice(), &held_out.beside].concat();
    calibrate::write(out, &all_scored, &|s| {
        let arm = TIERS.iter().position(|t| *t == s.tier);
        ["made", "web", "hard"][arm.unwrap_or(0)].into()
    })?;
    let every: Vec<usize> = (0..clips.items.len()).collect();
    let own = Head::Binary {
        output: None,
        column: all.len(),
        polarity: Polarity::Generated,
        medium,
    };
    all.push((own, fit::fit(recipe, &clips, &every, held_out.ridge)));

    let columns: Vec<heads::Head<'_>> = all
        .iter()
        .map(|(_, h)| (h.weight.as_slice(), h.bias))
        .collect();
    let onnx = heads::with(network, &columns)?;
    card.id = id.into();
    card.weights_sha256 = sha256(&onnx);
    card.heads = all.iter().map(|(head, _)| head.clone()).collect();
    match recipe.faces {
        Some(faces) => {
            card.faces = Some(Faces {
                margin: faces.margin,
                calibration: calibrate::fit_to(&held_out.scored, &[], FACE_BARS),
            });
        }
        None => {
            let mut authentic = held_out.beside;
            authentic.retain(|s| s.item.label == 0);
            card.video = Some(calibrate::fit_to(&held_out.scored, &authentic, BARS));
            card.video_frame_scale = Some(held_out.frame_scale);
        }
    }
    let text = toml::to_string(&card).map_err(|e| TrainError::Recipe(e.to_string()))?;
    for (name, bytes) in [
        (format!("{id}.onnx"), onnx.as_slice()),
        (format!("{id}.toml"), text.as_bytes()),
    ] {
        let path = out.join(name);
        std::fs::write(&path, bytes).map_err(io_error(&path))?;
    }
    Ok(card)
}
