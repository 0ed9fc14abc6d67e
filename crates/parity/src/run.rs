//! Runs a folder of fixtures.

use std::collections::BTreeMap;
use std::path::Path;

use realscope_engine::{self as engine, EngineKind};
use serde::Serialize;

use crate::fixture::{Expected, Fixture};
use crate::networks::{NETWORKS, Network, Values};

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
    /// `burn`, `rten` or `ort`; `none` where nothing runs.
    pub engine: String,
    /// Outcome.
    pub status: Status,
    /// Largest difference relative to the largest value.
    pub max_rel_diff: Option<f64>,
    /// Outputs that were compared.
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
            Ok(fixture) => vec![row(
                &fixture.name,
                &fixture.kind,
                "none",
                Status::NotImplemented,
                None,
            )],
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

fn network(fixture: &Fixture, max_parameters: u64) -> Vec<Row> {
    let name = fixture.name.as_str();
    let Some(network) = NETWORKS.iter().find(|n| n.name == name) else {
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
        rows.push(match compare(fixture, network, kind) {
            Ok((worst, outputs, taps)) => Row {
                max_rel_diff: Some(worst),
                outputs_compared: outputs,
                taps_compared: taps,
                ..row(
                    name,
                    "network",
                    label,
                    if worst <= TOLERANCE {
                        Status::Pass
                    } else {
                        Status::Fail
                    },
                    (worst > TOLERANCE).then(|| format!("differs by {worst:.2e}")),
                )
            },
            Err(reason) => row(name, "network", label, Status::Fail, Some(reason)),
        });
    }
    rows
}

/// Worst difference and the numbers of outputs and taps; every one of the file's must be compared.
fn compare(
    fixture: &Fixture,
    network: &Network,
    engine: Option<EngineKind>,
) -> Result<(f64, usize, usize), String> {
    let dict = fixture.state_dict()?;
    let mut results: BTreeMap<&str, Values> = BTreeMap::new();
    for spec in &fixture.inputs {
        let shape: [usize; 4] = spec
            .shape
            .as_slice()
            .try_into()
            .map_err(|_| format!("input `{}` is no batch of pictures", spec.name))?;
        let values = (network.run)(&dict, shape, fixture.input(spec)?, engine)?;
        results.insert(&spec.name, values);
    }
    let first = fixture
        .inputs
        .first()
        .ok_or("the fixture has no input")?
        .name
        .as_str();
    let mut worst = 0.0_f64;
    let mut check = |expected: &Expected, input: &str, key: &str| {
        let (shape, values) = results
            .get(input)
            .and_then(|r| r.get(key))
            .ok_or_else(|| format!("`{}` was not computed", expected.key()))?;
        worst = worst.max(expected.compare(shape, values)?);
        Ok::<(), String>(())
    };
    for output in &fixture.outputs {
        let (input, key) = network
            .aliases
            .iter()
            .find(|(name, _, _)| *name == output.name)
            .map_or((first, output.name.as_str()), |(_, input, key)| {
                (*input, *key)
            });
        check(output, input, key)?;
    }
    for tap in &fixture.taps {
        check(tap, first, tap.key())?;
    }
    Ok((worst, fixture.outputs.len(), fixture.taps.len()))
}
