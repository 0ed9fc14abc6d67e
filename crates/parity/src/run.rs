//! Runs a folder of fixtures.

use std::collections::BTreeMap;
use std::path::Path;

use realscope_engine::{self as engine, EngineKind};
use serde::Serialize;

use crate::cases::CASES;
use crate::fixture::{Expected, Fixture};
use crate::networks::{Case, Input, NETWORKS, Run, Values};

/// Largest relative difference that passes.
pub const TOLERANCE: f64 = 1e-4;

/// Outcome of one fixture on one engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Everything was compared and agrees.
    Pass,
    /// Something differs, or was not compared.
    Fail,
    /// Nothing is registered under the name.
    NotImplemented,
    /// The engine is not there.
    Skipped,
}

/// One row of the report.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Name of the fixture.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// `burn`, `rten` or `ort`; `none` where no network runs.
    pub engine: String,
    /// Outcome.
    pub status: Status,
    /// Largest difference relative to the largest value.
    pub max_rel_diff: Option<f64>,
    /// Outputs that were compared; cases of a computation without weights.
    pub outputs_compared: usize,
    /// Inner values that were compared.
    pub taps_compared: usize,
    /// Why it is no pass.
    pub reason: Option<String>,
}

/// The report.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Version of this layout.
    pub schema_version: u32,
    /// One row a fixture and engine.
    pub rows: Vec<Row>,
}

/// Why a folder could not be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ParityError {
    /// The folder cannot be listed or holds no fixture.
    #[error("{path}: {reason}")]
    Folder {
        /// The folder.
        path: String,
        /// What is wrong.
        reason: String,
    },
}

/// Runs every fixture in `folder`, or those named in `only`; networks above `max_parameters` are
/// skipped.
///
/// # Errors
/// [`ParityError::Folder`] when there is nothing to run.
pub fn run(
    folder: &Path,
    only: &[String],
    max_parameters: u64,
    mut progress: impl FnMut(&Row),
) -> Result<Report, ParityError> {
    let fail = |reason: String| ParityError::Folder {
        path: folder.display().to_string(),
        reason,
    };
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .map_err(|e| fail(e.to_string()))?
        .flatten()
        .map(|e| e.path())
        .filter(|p| p.extension().is_some_and(|e| e == "json"))
        .filter(|p| {
            only.is_empty()
                || p.file_stem()
                    .and_then(|s| s.to_str())
                    .is_some_and(|s| only.iter().any(|o| o == s))
        })
        .collect();
    files.sort();
    if files.is_empty() {
        return Err(fail("no fixture".into()));
    }
    let mut rows = Vec::new();
    for file in files {
        let stem = file
            .file_stem()
            .map(|s| s.to_string_lossy().into_owned())
            .unwrap_or_default();
        let fresh = match Fixture::read(&file) {
            Ok(fixture) if fixture.kind == "network" => network(&fixture, max_parameters),
            Ok(fixture) => vec![computation(&fixture)],
            // A list of check values is no fixture.
            Err(_) if stem == "rule-check" => continue,
            Err(reason) => vec![row(&stem, "unknown", "none", Status::Fail, Some(reason))],
        };
        fresh.iter().for_each(&mut progress);
        rows.extend(fresh);
    }
    Ok(Report {
        schema_version: 1,
        rows,
    })
}

pub(crate) fn row(
    name: &str,
    kind: &str,
    engine: &str,
    status: Status,
    reason: Option<String>,
) -> Row {
    Row {
        name: name.into(),
        kind: kind.into(),
        engine: engine.into(),
        status,
        max_rel_diff: None,
        outputs_compared: 0,
        taps_compared: 0,
        reason,
    }
}

/// Parameters that an ONNX file can hold: its format ends at 2 GiB.
const MOST_IN_A_FILE: u64 = (1 << 31) / 4;

fn computation(fixture: &Fixture) -> Row {
    let (name, kind) = (fixture.name.as_str(), fixture.kind.as_str());
    let Some((_, check)) = CASES.iter().find(|(known, _)| *known == name) else {
        return row(name, kind, "none", Status::NotImplemented, None);
    };
    if fixture.cases.is_empty() {
        let reason = "the fixture has no case".to_owned();
        return row(name, kind, "none", Status::Fail, Some(reason));
    }
    let (mut worst, mut differing) = (0.0_f64, Vec::new());
    for (i, case) in fixture.cases.iter().enumerate() {
        match check(case) {
            Ok(difference) => {
                worst = worst.max(difference);
                if difference > TOLERANCE {
                    differing.push(format!("case {i} by {difference:.1e}"));
                }
            }
            Err(reason) => {
                let reason = format!("case {i}: {reason}");
                return row(name, kind, "none", Status::Fail, Some(reason));
            }
        }
    }
    let row = row(name, kind, "none", Status::Pass, None);
    compared(row, worst, &differing, [fixture.cases.len(), 0])
}

/// `row` with the numbers of outputs and taps that were compared, failed where some differ.
fn compared(row: Row, worst: f64, differing: &[String], [outputs, taps]: [usize; 2]) -> Row {
    let agrees = differing.is_empty();
    Row {
        status: if agrees { Status::Pass } else { Status::Fail },
        reason: (!agrees).then(|| format!("differs: {}", differing.join(", "))),
        max_rel_diff: Some(worst),
        outputs_compared: outputs,
        taps_compared: taps,
        ..row
    }
}

fn network(fixture: &Fixture, max_parameters: u64) -> Vec<Row> {
    let name = fixture.name.as_str();
    let Some((_, run)) = NETWORKS.iter().find(|(known, _)| *known == name) else {
        return vec![row(name, "network", "burn", Status::NotImplemented, None)];
    };
    if fixture.parameters > max_parameters {
        let reason = format!("{} parameters", fixture.parameters);
        return vec![row(name, "network", "burn", Status::Skipped, Some(reason))];
    }
    let mut rows = Vec::new();
    for kind in [None, Some(EngineKind::Rten), Some(EngineKind::Ort)] {
        let label = kind.map_or("burn", EngineKind::name);
        if kind == Some(EngineKind::Ort)
            && let Err(e) = engine::ort::library(&engine::ort::Search::default())
        {
            rows.push(row(
                name,
                "network",
                label,
                Status::Skipped,
                Some(e.to_string()),
            ));
            continue;
        }
        if kind.is_some() && fixture.parameters > MOST_IN_A_FILE {
            let reason = "more parameters than an ONNX file holds".to_owned();
            rows.push(row(name, "network", label, Status::Skipped, Some(reason)));
            continue;
        }
        rows.push(match compare(fixture, *run, kind) {
            Ok((worst, differing)) => {
                let row = row(name, "network", label, Status::Pass, None);
                let counts = [fixture.outputs.len(), fixture.taps.len()];
                compared(row, worst, &differing, counts)
            }
            Err(reason) => row(name, "network", label, Status::Fail, Some(reason)),
        });
    }
    rows
}

/// The forward passes that a fixture's inputs make, each by what its results' names end in.
///
/// An input `x_small` beside `x` is the same input once more, for a pass of its own whose results are called
/// `logit_small` and so on. All others belong to one pass, whose results have plain names and which comes first.
fn passes(fixture: &Fixture) -> Result<Vec<(String, Vec<Input>)>, String> {
    let first = fixture
        .inputs
        .first()
        .ok_or("the fixture has no input")?
        .name
        .as_str();
    let mut passes = vec![(String::new(), Vec::new())];
    for spec in &fixture.inputs {
        let input = |name: &str| {
            Ok::<Input, String>(Input {
                name: name.to_owned(),
                shape: spec.shape.clone(),
                values: fixture.input(spec)?,
            })
        };
        match spec.name.strip_prefix(first) {
            Some(suffix) if suffix.starts_with('_') => {
                passes.push((suffix.to_owned(), vec![input(first)?]));
            }
            _ => passes[0].1.push(input(&spec.name)?),
        }
    }
    Ok(passes)
}

/// Worst difference, and what differs too much in the order of the file; every output and tap must be compared.
fn compare(
    fixture: &Fixture,
    run: Run,
    engine: Option<EngineKind>,
) -> Result<(f64, Vec<String>), String> {
    let dict = fixture.state_dict()?;
    let built = fixture.built();
    let mut results: BTreeMap<String, Values> = BTreeMap::new();
    for (suffix, inputs) in passes(fixture)? {
        let values = run(&Case {
            dict: &dict,
            built: &built,
            inputs: &inputs,
            engine,
            device: Default::default(),
        })?;
        results.insert(suffix, values);
    }
    let (mut worst, mut differing) = (0.0_f64, Vec::new());
    let mut check = |expected: &Expected| {
        let key = expected.key();
        // Of two passes' names the longer ending is the more exact one.
        let (shape, values) = results
            .iter()
            .rev()
            .find_map(|(suffix, values)| values.get(key.strip_suffix(suffix.as_str())?))
            .ok_or_else(|| format!("`{key}` was not computed"))?;
        let difference = expected.compare(shape, values)?;
        worst = worst.max(difference);
        if difference > TOLERANCE {
            differing.push(format!("`{key}` by {difference:.1e}"));
        }
        Ok::<(), String>(())
    };
    fixture.outputs.iter().try_for_each(&mut check)?;
    fixture.taps.iter().try_for_each(&mut check)?;
    Ok((worst, differing))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixture(names: &[&str]) -> Fixture {
        let inputs: Vec<_> = names
            .iter()
            .map(|name| serde_json::json!({"name": name, "shape": [1, 2], "kind": "unit"}))
            .collect();
        let json = serde_json::json!({"name": "t", "inputs": inputs});
        serde_json::from_value(json).expect("a fixture")
    }

    #[test]
    fn inputs_of_one_name_are_passes_and_others_belong_together() {
        let named = |names: &[&str]| -> Vec<(String, Vec<String>)> {
            let passes = passes(&fixture(names)).expect("passes").into_iter();
            passes
                .map(|(suffix, inputs)| (suffix, inputs.into_iter().map(|i| i.name).collect()))
                .collect()
        };
        let pass = |suffix: &str, inputs: &[&str]| {
            let inputs = inputs.iter().map(|i| (*i).to_owned()).collect();
            (suffix.to_owned(), inputs)
        };
        assert_eq!(
            named(&["x", "x_518"]),
            [pass("", &["x"]), pass("_518", &["x"])]
        );
        assert_eq!(named(&["image", "ids"]), [pass("", &["image", "ids"])]);
        assert!(passes(&fixture(&[])).is_err());
    }
}
