//! Recipes of heads for videos.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::encode::Encoding;
use crate::error::{TrainError, io_error};

/// What is fitted, on what, and how.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VideoRecipe {
    /// Name of the run.
    pub name: String,
    /// Id of the detector in this program whose features are read.
    pub detector: String,
    /// Manifest below the data set's folder.
    pub manifest: String,
    /// Most authentic and most generated clips of a group, 0 for all.
    pub per_group: [usize; 2],
    /// Most authentic and most generated stills of a group that are made clips by a slow pan; none where it is left out.
    #[serde(default)]
    pub stills: Option<[usize; 2]>,
    /// Frames of a clip, evenly spread.
    pub frames: usize,
    /// Seconds at the beginning of a clip that are used.
    pub seconds: f64,
    /// Sources weigh by this power of their size.
    pub group_power: f64,
    /// L2 penalties that are tried on held-out folds.
    pub ridges: Vec<f64>,
    /// Iterations of each fit.
    pub iterations: usize,
    /// Encoding that stands for the tier `web`.
    pub web: Encoding,
    /// Encoding that stands for the tier `hard`.
    pub hard: Encoding,
    /// Where the head is for faces in place of whole frames: how they are shown.
    #[serde(default)]
    pub faces: Option<Faces>,
}

/// How faces are shown.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Faces {
    /// Side of a crop as a multiple of the longer side of the face's box.
    pub margin: f64,
}

impl VideoRecipe {
    /// Reads a recipe.
    ///
    /// # Errors
    /// [`TrainError::Io`] or [`TrainError::Recipe`].
    pub fn read(path: &Path) -> Result<Self, TrainError> {
        let text = std::fs::read_to_string(path).map_err(io_error(path))?;
        let recipe: Self = toml::from_str(&text).map_err(|e| TrainError::Recipe(e.to_string()))?;
        let penalty = |r: &f64| r.is_finite() && *r >= 0.0;
        if !(1..=64).contains(&recipe.frames)
            || !(0.1..=600.0).contains(&recipe.seconds)
            || !(0.0..=1.0).contains(&recipe.group_power)
            || recipe.stills.is_some_and(|most| most.contains(&0))
            || recipe.ridges.is_empty()
            || !recipe.ridges.iter().all(penalty)
            || recipe.iterations == 0
            || recipe
                .faces
                .is_some_and(|f| !(0.5..=4.0).contains(&f.margin))
        {
            return Err(TrainError::Recipe(
                "`stills` and `iterations` must not be 0, `frames` 1 to 64, `seconds` 0.1 to 600, `group_power` 0 to 1, \
                 `ridges` not empty nor negative, `margin` 0.5 to 4"
                    .into(),
            ));
        }
        recipe.web.check()?;
        recipe.hard.check()?;
        Ok(recipe)
    }

    /// Whether a recipe file is of this kind.
    #[must_use]
    pub fn is_one(text: &str) -> bool {
        toml::from_str::<toml::Table>(text).is_ok_and(|t| t.contains_key("detector"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recipe_that_ships_is_read_and_unfit_ones_refused() {
        let shipped = include_str!("../../../../recipes/video.toml");
        let read = |text: &str| {
            let folder = tempfile::tempdir().expect("temporary folder");
            let path = folder.path().join("recipe.toml");
            std::fs::write(&path, text).expect("writes");
            VideoRecipe::read(&path)
        };
        assert!(VideoRecipe::is_one(shipped));
        assert!(!VideoRecipe::is_one(include_str!(
            "../../../../recipes/head.toml"
        )));
        assert_eq!(read(shipped).expect("reads").detector, "clip-blocks");
        let of_faces = include_str!("../../../../recipes/faces.toml");
        assert!(read(of_faces).expect("reads").faces.is_some());
        assert!(read(&of_faces.replace("margin = ", "margin = 1")).is_err());
        for (from, to) in [
            ("frames = 4", "frames = 0"),
            ("stills = [1, 1]", "stills = [0, 1]"),
            ("crf = 28", "crf = 52"),
            ("iterations = ", "iterations = 0 #"),
            ("per_group", "per_croup"),
        ] {
            let text = shipped.replace(from, to);
            assert_ne!(text, shipped);
            assert!(read(&text).is_err(), "{to}");
        }
    }
}
