//! `realscope models` and `realscope doctor`.

#[cfg(feature = "lab")]
use std::io::IsTerminal as _;
use std::path::Path;
use std::process::ExitCode;

use realscope::confine::{Confined, confine};
use realscope_detectors::catalog::{self, Availability, Listed};
#[cfg(feature = "lab")]
use realscope_detectors::models::ImportError;
#[cfg(feature = "lab")]
use realscope_detectors::pull::{Hub, PullError, Source};
use realscope_detectors::{Card, DetectorError, Models};
use realscope_engine::{EngineKind, ort};
use realscope_media::video;
use serde_json::{Value, json};

use crate::Failure;
use crate::args::{EngineChoice, ModelsCommand, TextFormat};
use crate::config;

/// Where the environment says that an ONNX Runtime library may be.
fn search() -> ort::Search {
    ort::Search {
        file: std::env::var_os("ORT_DYLIB_PATH").map(Into::into),
        folders: std::env::var_os("LD_LIBRARY_PATH")
            .map(|v| std::env::split_paths(&v).collect())
            .unwrap_or_default(),
    }
}

/// The engine that a choice means.
pub fn engine_kind(choice: EngineChoice) -> Result<EngineKind, Failure> {
    match choice {
        // The built-in engine needs nothing and gives the same numbers everywhere.
        EngineChoice::Auto | EngineChoice::Rten => Ok(EngineKind::Rten),
        EngineChoice::Ort => ort::library(&search())
            .map(|_| EngineKind::Ort)
            .map_err(|e| Failure::new(5, e.to_string())),
    }
}

/// Exit code of a detector's failure.
pub fn model_failure(e: &DetectorError) -> Failure {
    let code = match e {
        DetectorError::Unknown { .. } => 2,
        _ => 5,
    };
    Failure::new(code, e.to_string())
}

fn models() -> Result<Models, Failure> {
    Ok(Models::at(&config::load()?.home))
}

fn availability(a: Availability) -> &'static str {
    match a {
        Availability::Embedded => "embedded",
        Availability::Installed => "installed",
        Availability::NeedsWeights => "needs_weights",
    }
}

fn row(entry: &Listed) -> Value {
    let card = &entry.card;
    let sha = Some(&card.weights_sha256).filter(|h| !h.is_empty());
    json!({
        "id": card.id,
        "task": card.task,
        "status": card.status,
        "availability": availability(entry.availability),
        "sha256": sha,
        "licence": card.licence,
        "citation": card.citation,
        "calibrated": card.calibration.is_some(),
        "engines": card.engines,
        "aliases": aliases(&card.id),
    })
}

/// Names that stand for an id now.
fn aliases(id: &str) -> Vec<&'static str> {
    let all = catalog::ALIASES.iter();
    all.filter(|(_, of)| *of == id)
        .map(|(name, _)| *name)
        .collect()
}

fn print_json(value: &Value) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(|e| Failure::new(2, e.to_string()))?;
    outln!("{text}");
    Ok(())
}

/// `realscope models ...`.
pub fn run(command: ModelsCommand) -> Result<ExitCode, Failure> {
    let home = models()?;
    let entries = || home.list().map_err(|e| model_failure(&e));
    match command {
        ModelsCommand::List { format } => {
            let entries = entries()?;
            if format == TextFormat::Json {
                let models: Vec<Value> = entries.iter().map(row).collect();
                print_json(&json!({"schema_version": 1, "models": models}))?;
            } else {
                for e in &entries {
                    outln!(
                        "{:<23} {:<14} {:<13} {}",
                        e.card.id,
                        availability(e.availability),
                        if e.card.calibration.is_some() {
                            "calibrated"
                        } else {
                            "uncalibrated"
                        },
                        e.card.summary
                    );
                }
            }
        }
        ModelsCommand::Show { id, format } => {
            let entry = home.listed(&id).map_err(|e| model_failure(&e))?;
            if format == TextFormat::Json {
                let card = serde_json::to_value(&entry.card)
                    .map_err(|e| Failure::new(2, e.to_string()))?;
                print_json(&json!({
                    "schema_version": 1,
                    "availability": availability(entry.availability),
                    "card": card,
                }))?;
            } else {
                // Thousands of validation scores are for programs.
                let mut card = entry.card.clone();
                let calibrations = [
                    ("pictures", card.calibration.as_mut()),
                    ("videos", card.video.as_mut()),
                    ("faces", card.faces.as_mut().map(|f| &mut f.calibration)),
                ];
                let tiers: Vec<_> = calibrations
                    .into_iter()
                    .filter_map(|(what, c)| Some((what, std::mem::take(&mut c?.tiers))))
                    .collect();
                let text = toml::to_string(&card).map_err(|e| Failure::new(2, e.to_string()))?;
                out!("{text}");
                for (what, tiers) in tiers {
                    for t in tiers {
                        outln!(
                            "# {}: scores of {} authentic and {} generated validation {what} with --format json",
                            t.tier.name(),
                            t.negatives.len(),
                            t.positives.len()
                        );
                    }
                }
            }
        }
        ModelsCommand::Import {
            name,
            file,
            card,
            format,
        } => install(&home, &name, &file, card.as_deref(), format)?,
        #[cfg(feature = "lab")]
        ModelsCommand::Pull {
            name,
            repo,
            revision,
            file,
            sha256,
            card,
            format,
        } => {
            let (Some(repo), Some(revision), Some(file)) = (repo, revision, file) else {
                let card = home.pull(&name, &hub()).map_err(|e| match e {
                    ImportError::NotPinned(_) => Failure::new(2, e.to_string()),
                    _ => Failure::new(5, e.to_string()),
                })?;
                installed(&card, format)?;
                return Ok(ExitCode::SUCCESS);
            };
            let source = Source {
                repo,
                revision,
                file,
                sha256,
            };
            let path = source.fetch(&hub()).map_err(|e| match e {
                PullError::Source(_) => Failure::new(2, e.to_string()),
                _ => Failure::new(5, e.to_string()),
            })?;
            install(&home, &name, &path, card.as_deref(), format)?;
        }
        ModelsCommand::Verify { id, format } => {
            let entries = entries()?;
            let id = match id {
                Some(name) => Some(home.listed(&name).map_err(|e| model_failure(&e))?.card.id),
                None => None,
            };
            let mut rows = Vec::new();
            let mut sound = true;
            for entry in entries {
                let named = id.as_ref() == Some(&entry.card.id);
                let wanted = id.is_none() && entry.availability != Availability::NeedsWeights;
                if !named && !wanted {
                    continue;
                }
                let problem = home
                    .get(&entry.card.id, EngineKind::Rten)
                    .err()
                    .map(|e| e.to_string());
                sound &= problem.is_none();
                rows.push(
                    json!({"id": entry.card.id, "ok": problem.is_none(), "problem": problem}),
                );
            }
            if format == TextFormat::Json {
                print_json(&json!({"schema_version": 1, "models": rows}))?;
            } else {
                for r in &rows {
                    outln!(
                        "{:<23} {}",
                        r["id"].as_str().unwrap_or_default(),
                        r["problem"].as_str().unwrap_or("ok")
                    );
                }
            }
            if !sound {
                return Ok(ExitCode::from(5));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The hub that the environment names.
#[cfg(feature = "lab")]
fn hub() -> Hub {
    let set = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
    Hub {
        endpoint: set("HF_ENDPOINT"),
        cache: None,
        offline: set("HF_HUB_OFFLINE")
            .is_some_and(|v| !matches!(v.to_ascii_lowercase().as_str(), "0" | "false" | "no")),
        progress: std::io::stderr().is_terminal(),
    }
}

fn install(
    home: &Models,
    name: &str,
    file: &Path,
    card: Option<&Path>,
    format: TextFormat,
) -> Result<(), Failure> {
    let card = home
        .import(name, file, card)
        .map_err(|e| Failure::new(5, e.to_string()))?;
    installed(&card, format)
}

/// Says what was installed.
fn installed(card: &Card, format: TextFormat) -> Result<(), Failure> {
    if format == TextFormat::Json {
        return print_json(&json!({
            "schema_version": 1,
            "id": card.id,
            "sha256": card.weights_sha256,
        }));
    }
    outln!("installed `{}` ({})", card.id, card.weights_sha256);
    Ok(())
}

/// Gives up what a decoding worker gives up, and prints what that is.
pub fn confined() -> Result<ExitCode, Failure> {
    let found = serde_json::to_value(confine()).map_err(|e| Failure::new(2, e.to_string()))?;
    print_json(&found)?;
    Ok(ExitCode::SUCCESS)
}

/// What a decoding worker gives up here, tried by a process.
fn of_worker() -> Confined {
    let tried = std::env::current_exe().and_then(|program| {
        std::process::Command::new(program)
            .args(["decode-worker", "--confined"])
            .output()
    });
    let told = tried.ok().map(|out| serde_json::from_slice(&out.stdout));
    told.and_then(Result::ok).unwrap_or_default()
}

/// `realscope doctor`.
pub fn doctor(format: TextFormat) -> Result<ExitCode, Failure> {
    let settings = config::load()?;
    let home = Models::at(&settings.home);
    let ort = ort::library(&search());
    let in_use = engine_kind(settings.engine)?;
    let default = home.get("default", in_use);
    let confined = of_worker();
    let report = json!({
        "schema_version": 1,
        "version": env!("CARGO_PKG_VERSION"),
        "engine_in_use": in_use.name(),
        "engines": {
            "rten": {"available": true, "where": "built in"},
            "ort": {
                "available": ort.is_ok(),
                "where": match &ort { Ok(p) => p.display().to_string(), Err(e) => e.to_string() },
            },
        },
        "ffmpeg": video::available(),
        "decoding": confined,
        "default_detector": match &default { Ok(_) => "ok".to_owned(), Err(e) => e.to_string() },
        "home": settings.home,
        "installed": home.installed(),
    });
    if format == TextFormat::Json {
        print_json(&report)?;
    } else {
        outln!("realscope {}", env!("CARGO_PKG_VERSION"));
        outln!("engine in use     {}", in_use.name());
        outln!("rten              built in");
        outln!(
            "ONNX Runtime      {}",
            report["engines"]["ort"]["where"]
                .as_str()
                .unwrap_or_default()
        );
        outln!(
            "ffmpeg            {}",
            if video::available() {
                "found"
            } else {
                "not found (videos other than H.264, AV1, Motion JPEG and animations need it)"
            }
        );
        outln!(
            "decoding          {}",
            match (confined.read_only, confined.no_sockets) {
                (true, true) => "confined: no files written, no sockets",
                (true, false) =>
                    "confined in part: no files written, but sockets (no seccomp here)",
                (false, true) =>
                    "confined in part: no sockets, but files written (no Landlock here)",
                (false, false) => "not confined: this system has neither Landlock nor seccomp",
            }
        );
        outln!(
            "default detector  {}",
            report["default_detector"].as_str().unwrap_or_default()
        );
        outln!("models            {}", settings.home.display());
    }
    Ok(if default.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(5)
    })
}
