//! Chores of the project.
//!
//! `cargo xtask parity DIR` checks re-implemented networks against published numbers;
//! `cargo xtask new-detector NAME --kind KIND` scaffolds a detector that compiles;
//! `cargo xtask face-finder FILE` makes the network of the face finder from converted weights.

mod face_finder;
mod scaffold;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use realscope_parity::run::{self, Status};

#[derive(Parser)]
#[command(about = "Chores of the project")]
struct Args {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Check networks against a folder of fixtures (exit 1: something fails, 2: bad folder).
    Parity {
        /// Folder of fixtures.
        folder: PathBuf,
        /// Only the fixtures of these names.
        #[arg(long)]
        only: Vec<String>,
        /// Skip networks with more parameters.
        #[arg(long, default_value_t = u64::MAX)]
        max_parameters: u64,
        /// Output format.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Make the network that finds faces, of what `scripts/blazeface.py` wrote.
    FaceFinder {
        /// Weights (safetensors).
        weights: PathBuf,
        /// The network (ONNX).
        #[arg(long, default_value = "crates/detectors/src/faces/weights.onnx")]
        out: PathBuf,
    },
    /// Create a detector's folder and register it.
    NewDetector {
        /// Id of the detector: lower-case letters, digits and `-`.
        name: String,
        /// What it sees and answers.
        #[arg(long, value_enum)]
        kind: scaffold::Kind,
        /// Root of the workspace.
        #[arg(long, default_value = ".")]
        root: PathBuf,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

fn main() -> ExitCode {
    match Args::parse().chore {
        Chore::Parity {
            folder,
            only,
            max_parameters,
            format,
        } => parity(&folder, &only, max_parameters, format),
        Chore::FaceFinder { weights, out } => match face_finder::make(&weights, &out) {
            Ok(()) => ExitCode::SUCCESS,
            Err(reason) => {
                eprintln!("error: {reason}");
                ExitCode::from(2)
            }
        },
        Chore::NewDetector { name, kind, root } => match scaffold::detector(&root, &name, kind) {
            Ok(files) => {
                for file in files {
                    println!("{}", file.display());
                }
                ExitCode::SUCCESS
            }
            Err(reason) => {
                eprintln!("error: {reason}");
                ExitCode::from(2)
            }
        },
    }
}

fn parity(folder: &std::path::Path, only: &[String], most: u64, format: Format) -> ExitCode {
    let report = run::run(folder, only, most, |row| {
        if format == Format::Text {
            let status = serde_json::to_value(row.status).unwrap_or_default();
            println!(
                "{:<24} {:<5} {:<15} {:>9} {} outputs, {} taps {}",
                row.name,
                row.engine,
                status.as_str().unwrap_or_default(),
                row.max_rel_diff.map_or("-".into(), |d| format!("{d:.1e}")),
                row.outputs_compared,
                row.taps_compared,
                row.reason.as_deref().unwrap_or_default()
            );
        }
    });
    match report {
        Ok(report) => {
            if format == Format::Json {
                match serde_json::to_string_pretty(&report) {
                    Ok(text) => println!("{text}"),
                    Err(e) => eprintln!("error: {e}"),
                }
            }
            if report.rows.iter().any(|r| r.status == Status::Fail) {
                ExitCode::from(1)
            } else {
                ExitCode::SUCCESS
            }
        }
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::from(2)
        }
    }
}
