//! Scores of held-out pictures, which calibration is fitted on.

use std::collections::BTreeMap;
use std::path::Path;

use realscope_data::manifest::Item;
use realscope_detectors::Tier;

use crate::error::{TrainError, io_error};

/// One validation picture in one tier.
#[derive(Clone, Debug)]
pub struct Scored {
    /// The picture.
    pub item: Item,
    /// How it was delivered.
    pub tier: Tier,
    /// The stored file at native resolution, often a window, in place of the whole picture made small.
    pub stored: bool,
    /// Pooled logit.
    pub logit: f64,
    /// Whether it looks painted or drawn, and so is not accused.
    pub artwork: bool,
}

/// Weights so that both classes, and within a class all groups, count alike.
pub(super) fn balance(scored: &[&Scored]) -> Vec<f64> {
    let mut groups: BTreeMap<(u8, &str), f64> = BTreeMap::new();
    for s in scored {
        *groups.entry((s.item.label, &s.item.group)).or_default() += 1.0;
    }
    let of = |label: u8| groups.keys().filter(|(l, _)| *l == label).count().max(1) as f64;
    let classes = [of(0), of(1)];
    scored
        .iter()
        .map(|s| {
            let size = groups[&(s.item.label, s.item.group.as_str())];
            1.0 / (classes[usize::from(s.item.label)] * size)
        })
        .collect()
}

/// Writes held-out scores to `validation.csv` of a folder, as `eval metrics` reads them; `arm` names how a picture was
/// delivered.
pub(crate) fn write(
    out: &Path,
    scored: &[Scored],
    arm: &dyn Fn(&Scored) -> String,
) -> Result<(), TrainError> {
    let path = out.join("validation.csv");
    let fault = |e: csv::Error| TrainError::Recipe(format!("{}: {e}", path.display()));
    let mut writer = csv::Writer::from_path(&path).map_err(fault)?;
    writer
        .write_record(["path", "label", "group", "match_set", "arm", "score"])
        .map_err(fault)?;
    for s in scored {
        writer
            .write_record([
                &s.item.path,
                &s.item.label.to_string(),
                &s.item.group,
                &s.item.match_set,
                &arm(s),
                &(1.0 / (1.0 + (-s.logit).exp())).to_string(),
            ])
            .map_err(fault)?;
    }
    writer.flush().map_err(io_error(&path))
}
