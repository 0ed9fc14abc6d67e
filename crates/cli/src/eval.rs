//! `realscope eval`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use realscope::{Decoding, Scanner};
use realscope_data::manifest::Manifest;
use realscope_delivery::perturb;
use realscope_detectors::Models;
use realscope_eval::compare;
use realscope_eval::compat::{self, deepfakebench};
use realscope_eval::fairness::{self, Fairness};
use realscope_eval::protocol::{self, Arm, Protocol};
use realscope_eval::report;
use realscope_eval::run::{Identity, Plan};
use realscope_eval::summary::{self, Settings, Summary};
use realscope_eval::table::{Reading, Table};
use serde_json::json;

use crate::args::{Compat, EvalCommand, EvalMetricsArgs, EvalRunArgs, TextFormat};
use crate::models::{engine_kind, model_failure};
use crate::{Failure, config, scan};

/// Exit code of data that cannot be used.
const DATA: u8 = 3;

fn data_failure(e: impl ToString) -> Failure {
    Failure::new(DATA, e.to_string())
}

/// `realscope eval ...`.
pub fn run(command: EvalCommand) -> Result<ExitCode, Failure> {
    match command {
        EvalCommand::Run(args) => evaluate(&args),
        EvalCommand::Metrics(args) => metrics(&args),
        EvalCommand::Compare { files, format } => side_by_side(&files, format),
        EvalCommand::Leaderboard { folder, format } => leaderboard(&folder, format),
        EvalCommand::Protocols => {
            for p in protocol::PROTOCOLS {
                outln!("{:<16}v{}  {}", p.name, p.version, p.summary);
            }
            outln!("perturbations   {}", perturb::SETS.join(", "));
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// A file of predictions, or that of a run's folder with its detectors' thresholds.
fn locate(path: &Path) -> Result<(PathBuf, BTreeMap<String, f64>), Failure> {
    if !path.is_dir() {
        return Ok((path.to_owned(), BTreeMap::new()));
    }
    let identity = path.join("run.json");
    let text = std::fs::read(&identity)
        .map_err(|e| data_failure(format!("{}: {e}", identity.display())))?;
    let run: Identity = serde_json::from_slice(&text)
        .map_err(|e| data_failure(format!("{}: {e}", identity.display())))?;
    let thresholds = run
        .detectors
        .iter()
        .filter_map(|d| {
            let id = d.get("id")?.as_str()?.to_owned();
            Some((id, d.get("decision_threshold")?.as_f64()?))
        })
        .collect();
    Ok((path.join("predictions.parquet"), thresholds))
}

fn metrics(args: &EvalMetricsArgs) -> Result<ExitCode, Failure> {
    if args.threshold.is_some_and(|t| !t.is_finite()) {
        return Err(Failure::new(2, "--threshold must be a number"));
    }
    let (file, mut thresholds) = locate(&args.file)?;
    let published = match args.compat {
        None => None,
        Some(Compat::Deepfakebench) => return deepfakebench_metrics(&file, args.format),
        Some(Compat::Genvidbench) => Some(compat::file::genvidbench(&file)),
        Some(Compat::Forgerynet) => Some(compat::file::forgerynet(&file)),
        Some(Compat::OwDfa) => Some(compat::file::ow_dfa(&file)),
        Some(Compat::Dgm4) => Some(compat::file::dgm4(&file)),
    };
    if let Some(value) = published {
        let value = value.map_err(data_failure)?;
        print(args.format, &value, || {
            let mut text = String::new();
            for (key, value) in value.as_object().into_iter().flatten() {
                text += &format!("{key:<16}{value}\n");
            }
            text
        })?;
        return Ok(ExitCode::SUCCESS);
    }
    let reading = Reading {
        quarantine: args.quarantine,
    };
    let table = Table::read(&file, reading).map_err(data_failure)?;
    if args.threshold.is_some() {
        thresholds.clear();
    }
    let settings = Settings {
        threshold: args.threshold.unwrap_or(0.5),
        resamples: args.resamples,
        min_items: args.min_items,
        seed: args.seed,
    };
    let summary = summary::summarise(&table, &settings, &thresholds);
    let by = match &args.by {
        None => Vec::new(),
        Some(column) => by_column(args, &file, column, &table, &settings, &thresholds)?,
    };
    let mut value = serde_json::to_value(&summary).map_err(data_failure)?;
    if args.by.is_some() {
        value["by"] = serde_json::to_value(&by).map_err(data_failure)?;
    }
    print(args.format, &value, || {
        let mut text = summary::text(&summary);
        for f in &by {
            text += &fairness::text(f);
        }
        text
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Tables by a column, for every detector and arm.
fn by_column(
    args: &EvalMetricsArgs,
    file: &Path,
    column: &str,
    table: &Table,
    settings: &Settings,
    thresholds: &BTreeMap<String, f64>,
) -> Result<Vec<Fairness>, Failure> {
    let values =
        fairness::read(args.attributes.as_deref().unwrap_or(file), column).map_err(data_failure)?;
    table
        .parts()
        .iter()
        .map(|(detector, arm)| {
            let own = Settings {
                threshold: thresholds
                    .get(detector)
                    .copied()
                    .unwrap_or(settings.threshold),
                ..*settings
            };
            fairness::measure(table, detector, arm, column, &values, &own).map_err(data_failure)
        })
        .collect()
}

fn print(
    format: TextFormat,
    value: &impl serde::Serialize,
    text: impl Fn() -> String,
) -> Result<(), Failure> {
    match format {
        TextFormat::Text => out!("{}", text()),
        TextFormat::Json => outln!(
            "{}",
            serde_json::to_string_pretty(value).map_err(data_failure)?
        ),
    }
    Ok(())
}

/// Frames in the order of the file, named by their paths.
fn deepfakebench_metrics(file: &Path, format: TextFormat) -> Result<ExitCode, Failure> {
    let mut reader = csv::Reader::from_path(file).map_err(data_failure)?;
    let header = reader.headers().map_err(data_failure)?.clone();
    let find = |name: &str| {
        header
            .iter()
            .position(|h| h == name)
            .ok_or_else(|| data_failure(format!("{}: no column `{name}`", file.display())))
    };
    let (path, label, score) = (find("path")?, find("label")?, find("score")?);
    let (mut names, mut labels, mut scores) = (Vec::new(), Vec::new(), Vec::new());
    for (i, row) in reader.records().enumerate() {
        let row = row.map_err(data_failure)?;
        let cell = |at: usize| row.get(at).unwrap_or_default();
        let fault = |what: &str| {
            data_failure(format!(
                "{}: row {} ({}): {what}",
                file.display(),
                i + 1,
                cell(path)
            ))
        };
        names.push(cell(path).to_owned());
        labels.push(
            cell(label)
                .parse::<u32>()
                .map_err(|_| fault("unknown label"))?,
        );
        let value: f32 = cell(score)
            .parse()
            .map_err(|_| fault("the score is no number"))?;
        if !value.is_finite() {
            return Err(fault("the score is no finite number"));
        }
        scores.push(value);
    }
    let borrowed: Vec<&str> = names.iter().map(String::as_str).collect();
    let m = deepfakebench::frame_metrics(&borrowed, &scores, &labels)
        .ok_or_else(|| data_failure(format!("{}: a class is missing", file.display())))?;
    let value = json!({
        "compat": "deepfakebench",
        "n": names.len(),
        "acc": m.acc, "auc": m.auc, "eer": m.eer, "ap": m.ap, "video_auc": m.video_auc,
    });
    print(format, &value, || {
        format!(
            "DeepfakeBench's definitions, {} frames: acc {:.4}, AUC {:.4}, EER {:.4}, AP {:.4}, video AUC {:.4}\n",
            names.len(),
            m.acc,
            m.auc,
            m.eer,
            m.ap,
            m.video_auc
        )
    })?;
    Ok(ExitCode::SUCCESS)
}

/// The arms of a protocol that are `named`; all where none is.
fn chosen(protocol: &Protocol, named: &[String]) -> Result<Vec<Arm>, Failure> {
    let mut arms = (protocol.arms)();
    if let Some(unknown) = named.iter().find(|n| !arms.iter().any(|a| a.name() == **n)) {
        let known: Vec<String> = arms.iter().map(Arm::name).collect();
        let message = format!(
            "the protocol `{}` has no arm `{unknown}`; it has {}",
            protocol.name,
            known.join(", ")
        );
        return Err(Failure::new(2, message));
    }
    arms.retain(|arm| named.is_empty() || named.contains(&arm.name()));
    Ok(arms)
}

fn evaluate(args: &EvalRunArgs) -> Result<ExitCode, Failure> {
    let protocol = protocol::find(&args.protocol).ok_or_else(|| {
        Failure::new(
            2,
            format!("unknown protocol `{}`; see `eval protocols`", args.protocol),
        )
    })?;
    let mut arms = chosen(protocol, &args.arms)?;
    let mut families = BTreeMap::new();
    for name in &args.perturb {
        let set = perturb::set(name).ok_or_else(|| {
            Failure::new(
                2,
                format!(
                    "unknown set of perturbations `{name}`; known: {}",
                    perturb::SETS.join(", ")
                ),
            )
        })?;
        for perturbation in set {
            let of = (perturbation.family.clone(), perturbation.severity);
            families.insert(perturbation.name.clone(), of);
            arms.push(Arm::Perturbed { perturbation });
        }
    }
    let settings = config::load()?;
    let manifest = Manifest::read(&args.manifest).map_err(data_failure)?;
    let engine = engine_kind(args.engine.unwrap_or(settings.engine))?;
    let models = Models::at(&settings.home);
    let jobs = args
        .jobs
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let scanners = args
        .detectors
        .iter()
        .map(|name| {
            let pair = scan::guarded(&models, name, engine.for_many());
            let (detector, beside) = pair.map_err(|e| model_failure(&e))?;
            let mut builder = Scanner::builder()
                .detector(detector)
                .decoding(Decoding::Processes {
                    lanes: jobs,
                    worker: scan::launch()?,
                })
                .named(engine.name(), "fast");
            if let Some(beside) = beside {
                builder = builder.beside(beside);
            }
            builder.build().map_err(|e| scan::build_failure(&e))
        })
        .collect::<Result<Vec<_>, Failure>>()?;
    let base = args.manifest.parent().unwrap_or(Path::new("."));
    let bar = if args.quiet {
        indicatif::ProgressBar::hidden()
    } else {
        indicatif::ProgressBar::new(0).with_style(
            indicatif::ProgressStyle::with_template("{wide_bar} {pos}/{len} ETA {eta}")
                .unwrap_or_else(|_| indicatif::ProgressStyle::default_bar()),
        )
    };
    let done = Plan {
        manifest: &manifest,
        base,
        protocol,
        arms,
        scanners: &scanners,
        window: args.window,
        seed: args.seed,
        frames: usize::from(args.frames),
        jobs,
        folder: &args.out,
    }
    .run(&mut |at, of| {
        bar.set_length(of as u64);
        bar.set_position(at as u64);
    })
    .map_err(data_failure)?;
    bar.finish_and_clear();
    let (file, thresholds) = locate(&args.out)?;
    let table = Table::read(&file, Reading::default()).map_err(data_failure)?;
    let summary = summary::summarise(&table, &Settings::default(), &thresholds);
    write_reports(args, &manifest, base, &table, &summary, &families)?;
    out!("{}", summary::text(&summary));
    let left_out = match done.left_out {
        0 => String::new(),
        n => format!(
            "{n} items of the manifest take no part (another split, or pictures among videos or the reverse); "
        ),
    };
    eprintln!(
        "{} units, {} of them from an earlier start, {} failures; {left_out}{}",
        done.units,
        done.resumed,
        done.errors,
        args.out.join("report.html").display()
    );
    Ok(ExitCode::SUCCESS)
}

fn write_reports(
    args: &EvalRunArgs,
    manifest: &Manifest,
    base: &Path,
    table: &Table,
    summary: &Summary,
    families: &BTreeMap<String, (String, u32)>,
) -> Result<(), Failure> {
    let write = |name: &str, bytes: &[u8]| {
        let path = args.out.join(name);
        std::fs::write(&path, bytes).map_err(|e| data_failure(format!("{}: {e}", path.display())))
    };
    let json = serde_json::to_vec_pretty(summary).map_err(data_failure)?;
    write("metrics.json", &json)?;
    // Keys are hashes of paths, so the manifest gives the names back.
    let rows = table.rows_of(&summary.first.detector, &summary.first.arm);
    let by_key: std::collections::HashMap<u64, &str> = manifest
        .items
        .iter()
        .map(|i| (Table::key_of(&i.path), i.path.as_str()))
        .collect();
    let pictures = report::Pictures {
        base,
        rows: rows
            .iter()
            .filter_map(|i| {
                let path = by_key.get(&table.key[*i])?;
                Some(((*path).to_owned(), table.positive[*i], table.score[*i]))
            })
            .collect(),
        most: 12,
    };
    let title = format!("Realscope evaluation: {}", args.protocol);
    let page = report::html(&title, table, summary, families, Some(&pictures));
    write("report.html", page.as_bytes())
}

fn side_by_side(files: &[PathBuf], format: TextFormat) -> Result<ExitCode, Failure> {
    let tables = files
        .iter()
        .map(|f| {
            let (file, _) = locate(f)?;
            let name = f.file_name().map_or_else(
                || f.display().to_string(),
                |n| n.to_string_lossy().into_owned(),
            );
            let table = Table::read(&file, Reading::default()).map_err(data_failure)?;
            Ok((name, table))
        })
        .collect::<Result<Vec<_>, Failure>>()?;
    let out = compare::compare(&tables, &Settings::default());
    print(format, &out, || {
        let mut text = String::new();
        for c in &out.columns {
            text += &format!(
                "{:<24}{:<16}{:<16}n {:<7}AUC {}  balanced accuracy {}\n",
                c.file,
                c.detector,
                c.arm,
                c.measures.n,
                c.measures
                    .auc
                    .value
                    .map_or("-".into(), |v| format!("{v:.3}")),
                c.measures
                    .balanced_accuracy
                    .value
                    .map_or("-".into(), |v| format!("{v:.3}")),
            );
        }
        for d in &out.differences {
            text += &format!(
                "{:<16}{} - {}: AUC {:+.3} on {} pictures, permutation by group p {}, DeLong p {}\n",
                d.arm,
                d.between[0],
                d.between[1],
                d.auc_difference,
                d.n,
                d.permutation_p.map_or("-".into(), |p| format!("{p:.3}")),
                d.delong_p.map_or("-".into(), |p| format!("{p:.3}")),
            );
        }
        for n in &out.notes {
            text += &format!("note: {n}\n");
        }
        text
    })?;
    Ok(ExitCode::SUCCESS)
}

fn leaderboard(folder: &Path, format: TextFormat) -> Result<ExitCode, Failure> {
    let entries = std::fs::read_dir(folder)
        .map_err(|e| data_failure(format!("{}: {e}", folder.display())))?;
    let mut rows = Vec::new();
    for entry in entries.flatten() {
        let path = entry.path().join("metrics.json");
        let Ok(bytes) = std::fs::read(&path) else {
            continue;
        };
        let summary: Summary = serde_json::from_slice(&bytes)
            .map_err(|e| data_failure(format!("{}: {e}", path.display())))?;
        let parts = if summary.parts.is_empty() {
            vec![summary.first]
        } else {
            summary.parts
        };
        for p in parts {
            rows.push(json!({
                "run": entry.file_name().to_string_lossy(),
                "detector": p.detector,
                "arm": p.arm,
                "n": p.all.n,
                "matched_auc": p.matched.as_ref().and_then(|m| m.auc.value),
                "auc": p.all.auc.value,
                "balanced_accuracy": p.all.balanced_accuracy.value,
            }));
        }
    }
    if rows.is_empty() {
        return Err(data_failure(format!(
            "{}: no run with metrics.json below it",
            folder.display()
        )));
    }
    let key = |v: &serde_json::Value, k: &str| v[k].as_f64().unwrap_or(-1.0);
    rows.sort_by(|a, b| {
        key(b, "matched_auc")
            .total_cmp(&key(a, "matched_auc"))
            .then(key(b, "auc").total_cmp(&key(a, "auc")))
    });
    let value = json!({"schema_version": 1, "rows": rows});
    print(format, &value, || {
        let show = |v: &serde_json::Value| v.as_f64().map_or("-".into(), |f| format!("{f:.3}"));
        let mut text = format!(
            "{:<24}{:<16}{:<16}{:>7}  {:>8}{:>8}{:>10}\n",
            "run", "detector", "arm", "n", "matched", "AUC", "balanced"
        );
        for r in &rows {
            text += &format!(
                "{:<24}{:<16}{:<16}{:>7}  {:>8}{:>8}{:>10}\n",
                r["run"].as_str().unwrap_or_default(),
                r["detector"].as_str().unwrap_or_default(),
                r["arm"].as_str().unwrap_or_default(),
                r["n"],
                show(&r["matched_auc"]),
                show(&r["auc"]),
                show(&r["balanced_accuracy"]),
            );
        }
        text
    })?;
    Ok(ExitCode::SUCCESS)
}
