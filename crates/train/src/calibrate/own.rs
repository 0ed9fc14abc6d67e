//! Calibration of any detector on the caller's own labelled pictures.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use image::RgbImage;
use realscope_data::clip;
use realscope_data::manifest::{Item, Manifest};
use realscope_detectors::calibration::Calibration;
use realscope_detectors::faces::{FaceFinder, JUDGED};
use realscope_detectors::{Detector, DetectorError, Logit, Tier, pool, prepare};
use realscope_engine::{EngineKind, Threads};

use super::{Scored, fit};
use crate::error::{TrainError, picture_error};
use crate::picture;
use crate::tier::{self, TIERS};

/// Fewest groups of each class: intervals are over groups.
const FEWEST_GROUPS: usize = 3;

/// A calibration, and what it rests on.
#[derive(Clone, Debug)]
pub struct Own {
    /// The fit.
    pub calibration: Calibration,
    /// Pictures that were scored, authentic and generated.
    pub pictures: [usize; 2],
    /// Their groups.
    pub groups: [usize; 2],
    /// Files that could not be scored, and why.
    pub left_out: Vec<(PathBuf, String)>,
}

/// Scores every picture of a manifest in every tier and fits sigmoid, operating points and thresholds.
///
/// Clips are left out. Match sets of the manifest, where both classes share source and style, carry the verdict
/// `generated`; without them it is at most `uncertain`.
///
/// # Errors
/// [`TrainError::Manifest`], or [`TrainError::Recipe`] with fewer than three groups of a class.
pub fn calibrate(
    detector: &dyn Detector,
    manifest: &Path,
    log: &mut dyn FnMut(&str),
) -> Result<Own, TrainError> {
    let items = Manifest::read(manifest)?.items;
    let root = manifest.parent().unwrap_or(Path::new("."));
    let (mut scored, mut left_out) = (Vec::new(), Vec::new());
    for (n, item) in items.iter().enumerate() {
        let path = root.join(&item.path);
        match of_picture(detector, &path, item) {
            Ok(scores) => scored.extend(scores),
            Err(e) => left_out.push((path, e.to_string())),
        }
        if (n + 1) % 100 == 0 {
            log(&format!("{} of {} pictures", n + 1, items.len()));
        }
    }
    let of = |label: u8| {
        scored
            .iter()
            .filter(move |s: &&Scored| s.item.label == label)
    };
    let groups = [0, 1].map(|l| of(l).map(|s| &s.item.group).collect::<BTreeSet<_>>().len());
    let pictures = [0, 1].map(|l| of(l).count() / TIERS.len());
    if groups.iter().any(|n| *n < FEWEST_GROUPS) {
        return Err(TrainError::Recipe(format!(
            "{} authentic and {} generated groups of pictures that could be scored; calibration needs \
             {FEWEST_GROUPS} of each",
            groups[0], groups[1]
        )));
    }
    Ok(Own {
        calibration: fit(&scored),
        pictures,
        groups,
        left_out,
    })
}

fn of_picture(
    detector: &dyn Detector,
    path: &Path,
    item: &Item,
) -> Result<[Scored; TIERS.len()], TrainError> {
    if clip::is_video(path).is_ok_and(|video| video) {
        return Err(picture_error(path, &"a clip; calibration is of pictures"));
    }
    let picture = picture::open(path)?;
    let score = |tier: Tier| -> Result<Scored, TrainError> {
        let delivered =
            tier::deliver(&picture, &tier::arm(tier), 0).map_err(|e| picture_error(path, &e))?;
        let logit = logit(detector, &delivered).map_err(|e| picture_error(path, &e))?;
        Ok(Scored {
            item: item.clone(),
            tier,
            stored: true,
            logit: logit.0,
            artwork: false,
        })
    };
    Ok([score(TIERS[0])?, score(TIERS[1])?, score(TIERS[2])?])
}

/// The pooled logit of a picture.
pub(crate) fn logit(detector: &dyn Detector, picture: &RgbImage) -> Result<Logit, DetectorError> {
    let card = detector.card();
    let faces = card.input.view.is_face();
    let threads = Threads::all();
    let samples = if faces {
        let finder = FaceFinder::embedded(EngineKind::Rten.into())?;
        finder.samples(picture, card, JUDGED, &threads)?
    } else {
        prepare::picture(picture, &card.id, &card.input)?
    };
    let logits = pool::logits(card, &detector.infer(&samples, &threads)?);
    let pooled = if faces {
        pool::highest(&logits)
    } else {
        pool::mean(&logits)
    };
    pooled.ok_or_else(|| DetectorError::Corrupt {
        id: card.id.clone(),
        reason: "it has no binary head".into(),
    })
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use realscope_detectors::Models;

    use super::*;

    #[test]
    fn own_pictures_give_a_calibration_and_bad_files_are_named() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let models = Models::at(folder.path());
        let detector = models.get("npr", EngineKind::Rten).expect("loads");
        let mut rows = String::from("path,label,group,content\n");
        for i in 0..24_u32 {
            // Generated ones are enlarged by repetition, which `npr` is made for.
            let label = i % 2;
            let picture = RgbImage::from_fn(256, 256, |x, y| {
                let (x, y) = if label == 1 { (x / 2, y / 2) } else { (x, y) };
                let v = (x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(40_503 + i)) >> 7;
                image::Rgb([v as u8, (v >> 3) as u8, (v >> 5) as u8])
            });
            let name = format!("{i}.png");
            picture.save(folder.path().join(&name)).expect("writes");
            writeln!(rows, "{name},{label},g{},photograph", i % 8).expect("writes");
        }
        std::fs::write(folder.path().join("bad.png"), "no picture").expect("writes");
        rows.push_str("bad.png,0,g0,photograph\n");
        let manifest = folder.path().join("m.csv");
        std::fs::write(&manifest, &rows).expect("writes");
        let own = calibrate(detector.as_ref(), &manifest, &mut |_| ()).expect("calibrates");
        assert_eq!((own.pictures, own.groups), ([12, 12], [4, 4]));
        assert!(own.left_out.len() == 1 && own.left_out[0].0.ends_with("bad.png"));
        let c = own.calibration;
        assert_eq!(c.tiers.len(), TIERS.len());
        assert_eq!(c.kinds.len(), 1);
        // No match sets: nothing shows that it does not tell sources apart.
        assert_eq!(c.generated_threshold, None);

        let few = rows.lines().take(4).collect::<Vec<_>>().join("\n");
        std::fs::write(&manifest, few).expect("writes");
        let e = calibrate(detector.as_ref(), &manifest, &mut |_| ()).expect_err("refused");
        assert!(e.to_string().contains("groups"), "{e}");
    }
}
