//! A linear head for videos, on the features of a detector that ships.
//!
//! It reads what the detector's own head reads of a frame, and is fitted on the mean over the frames of a clip: a linear
//! head's logit of the mean is the mean of its logits, which is what a scan takes. Each clip is fitted and scored as it
//! was made and after two encodings, the same for both classes. Stills take part as slow pans over them: a video may
//! show nothing else. Ridge and calibration come from held-out folds of whole sources; the head that ships is fitted
//! on all of them.

mod encode;
mod features;
mod fit;
mod recipe;

use std::path::Path;

use realscope_detectors::card::{Card, FlagKind, Head, Medium, Polarity};
use realscope_detectors::catalog;
use realscope_detectors::network::sha256;
use realscope_engine::heads;
use realscope_metric::logistic::Linear;

use self::features::Clips;
pub use self::recipe::VideoRecipe;
use crate::calibrate::{self, Bars, Scored};
use crate::error::{TrainError, io_error};
use crate::tier::TIERS;

/// Of the authentic clips, of every kind of them and of the pans, at most 2% may be accused. Groups are too few and too small for a
/// bound on the interval.
const BARS: Bars = Bars {
    false_positives: 0.02,
    upper: false,
    of_kind: 50,
};

/// The heads that read the network's first output, in the order of its columns, without one for videos.
fn columns(card: &Card, network: &[u8]) -> Result<Vec<Linear>, TrainError> {
    let read = |h: &&Head| {
        h.output().is_none() && (h.judges(Medium::Picture) || matches!(h, Head::Flag { .. }))
    };
    let wanted = card.heads.iter().filter(read).count();
    let mut found = heads::of(network)?;
    if found.len() < wanted {
        let reason = format!(
            "a network of {} heads, its card names {wanted}",
            found.len()
        );
        return Err(TrainError::Recipe(reason));
    }
    found.truncate(wanted);
    let linear = |(weight, bias)| Linear { weight, bias };
    Ok(found.into_iter().map(linear).collect())
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
    let mut all = columns(&card, network)?;
    let flag = card.heads.iter().find_map(|h| match h {
        Head::Flag {
            column,
            flag: FlagKind::Artwork,
            threshold,
            ..
        } => all.get(*column).map(|head| (head.clone(), *threshold)),
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
    let all_scored = [held_out.scored.as_slice(), &held_out.stills].concat();
    calibrate::write(out, &all_scored, &|s| {
        let arm = TIERS.iter().position(|t| *t == s.tier);
        ["made", "web", "hard"][arm.unwrap_or(0)].into()
    })?;
    let every: Vec<usize> = (0..clips.items.len()).collect();
    all.push(fit::fit(recipe, &clips, &every, held_out.ridge));

    let columns: Vec<heads::Head<'_>> = all.iter().map(|h| (h.weight.as_slice(), h.bias)).collect();
    let onnx = heads::with(network, &columns)?;
    card.id = id.into();
    card.weights_sha256 = sha256(&onnx);
    // What a detector adds to its network when it is loaded is not in this file.
    card.heads
        .retain(|h| !h.judges(Medium::Video) && h.output().is_none());
    card.heads.push(Head::Binary {
        output: None,
        column: all.len() - 1,
        polarity: Polarity::Generated,
        medium: Medium::Video,
    });
    let authentic: Vec<Scored> = held_out
        .stills
        .into_iter()
        .filter(|s| s.item.label == 0)
        .collect();
    card.video = Some(calibrate::fit_to(&held_out.scored, &authentic, BARS));
    card.video_frame_scale = Some(held_out.frame_scale);
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
