//! Arguments of `serve`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

use super::{EngineChoice, Profile, TextFormat};

#[derive(clap::Args)]
pub struct ServeArgs {
    #[command(subcommand)]
    pub action: Option<ServeAction>,
    /// Address to listen on; port 0 is any free one.
    #[arg(long)]
    pub listen: Option<SocketAddr>,
    /// Folder of the state and the media.
    #[arg(long, value_name = "DIR", global = true)]
    pub data_dir: Option<PathBuf>,
    /// PostgreSQL instead of SQLite: `postgres://USER@HOST/NAME`. With a password, best as
    /// `REALSCOPE_SERVE_DATABASE`.
    #[arg(long, value_name = "URL", global = true)]
    pub database: Option<String>,
    /// Keep nothing.
    #[arg(long)]
    pub no_store: bool,
    /// Files scanned at once (default: the number of processors).
    #[arg(long)]
    pub jobs: Option<usize>,
    /// Detector.
    #[arg(long)]
    pub detector: Option<String>,
    /// Profile: `fast` or `accurate`.
    #[arg(long, value_enum)]
    pub profile: Option<Profile>,
    /// Inference engine.
    #[arg(long, value_enum)]
    pub engine: Option<EngineChoice>,
    /// List of authorities whose signatures on content credentials are trusted, in PEM; may be given several times.
    #[arg(long, value_name = "FILE")]
    pub trust: Vec<PathBuf>,
}

#[derive(Subcommand)]
pub enum ServeAction {
    /// Make, list and revoke keys.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// What users said of verdicts.
    #[command(subcommand)]
    Feedback(FeedbackCommand),
    /// Ask the service on this machine whether it takes work; exit code 0 when it does, else 1.
    Health,
    /// Print the reference of all settings, in Markdown.
    Settings,
}

#[derive(Subcommand)]
pub enum KeysCommand {
    /// Make a key. It is printed once.
    Add {
        /// Name for people.
        name: String,
        /// What it allows.
        #[arg(long, value_enum, value_delimiter = ',', required = true)]
        scope: Vec<ScopeChoice>,
        /// Whose jobs and reports it sees (default: its own). `local` is who asked without a key.
        #[arg(long)]
        owner: Option<String>,
        /// Requests a minute.
        #[arg(long)]
        rate: Option<u32>,
        /// Days after which it stops to work.
        #[arg(long)]
        expires_days: Option<f64>,
    },
    /// List all keys, without their secrets.
    List {
        /// Output format.
        #[arg(long, value_enum, default_value_t = TextFormat::Text)]
        format: TextFormat,
    },
    /// Take a key out of use.
    Revoke {
        /// Its id, the second part of the key.
        id: String,
    },
    /// Give a key a new secret, printed once; the former one stops to work.
    Rotate {
        /// Its id, the second part of the key.
        id: String,
    },
}

#[derive(Subcommand)]
pub enum FeedbackCommand {
    /// Write the files that users spoke of and `manifest.csv` into a folder: a regression set for `realscope eval`.
    Export {
        /// The folder.
        folder: PathBuf,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ScopeChoice {
    /// New scans, cancelling, feedback.
    Scan,
    /// Jobs, reports, feedback.
    Read,
    /// Keys, the audit log, metrics, and all else.
    Admin,
}
