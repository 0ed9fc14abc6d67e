//! The command line of evaluation, data sets and training.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

use super::{EngineChoice, TextFormat};

#[derive(clap::Args)]
pub struct TrainArgs {
    /// Recipe (TOML).
    pub recipe: PathBuf,
    /// Folder of the data set.
    #[arg(long, env = "REALSCOPE_DATA", default_value = "../shared/data")]
    pub data: PathBuf,
    /// Encoder in place of the recipe's: an id of `realscope models list`.
    #[arg(long)]
    pub encoder: Option<String>,
    /// Id of the trained detector.
    #[arg(long, default_value = "trained")]
    pub id: String,
    /// Most native-resolution windows that it looks at.
    #[arg(long, default_value_t = 6)]
    pub max_windows: usize,
    /// Export and calibrate the weights that `--out` already holds.
    #[arg(long)]
    pub calibrate_only: bool,
    /// Folder for checkpoints, log and weights; an interrupted run there is continued.
    #[arg(short, long)]
    pub out: PathBuf,
}

#[derive(clap::Args)]
pub struct CalibrateArgs {
    /// Installed detector; the result is written to its card.
    pub detector: String,
    /// Labelled pictures (Parquet, CSV or tab-separated; columns `path`, `label`, `group`, and `match_set` where both
    /// classes share source and style: without match sets a verdict is at most `uncertain`).
    #[arg(long)]
    pub manifest: PathBuf,
    /// Inference engine.
    #[arg(long, value_enum)]
    pub engine: Option<EngineChoice>,
}

#[derive(Subcommand)]
pub enum EvalCommand {
    /// Run detectors over a data set; continues an interrupted run.
    Run(EvalRunArgs),
    /// Measures of a file of predictions (Parquet or CSV: path, label, group, score).
    Metrics(EvalMetricsArgs),
    /// Runs or files side by side, with significance.
    Compare {
        /// Run folders or files of predictions.
        #[arg(required = true, num_args = 2..)]
        files: Vec<PathBuf>,
        /// Output format.
        #[arg(long, value_enum, default_value_t = TextFormat::Text)]
        format: TextFormat,
    },
    /// All runs below a folder, best on matched sets first.
    Leaderboard {
        /// Folder.
        folder: PathBuf,
        /// Output format.
        #[arg(long, value_enum, default_value_t = TextFormat::Text)]
        format: TextFormat,
    },
    /// List protocols and sets of perturbations.
    Protocols,
}

#[derive(clap::Args)]
pub struct EvalRunArgs {
    /// Detectors.
    #[arg(long = "detector", default_value = "default", value_delimiter = ',')]
    pub detectors: Vec<String>,
    /// Manifest (Parquet, CSV or tab-separated).
    #[arg(long)]
    pub manifest: PathBuf,
    /// Protocol.
    #[arg(long, default_value = "delivery")]
    pub protocol: String,
    /// Arms of the protocol (default: all).
    #[arg(long, value_delimiter = ',')]
    pub arms: Vec<String>,
    /// Sets of perturbations, each an arm of its own.
    #[arg(long, value_delimiter = ',')]
    pub perturb: Vec<String>,
    /// Side of the central window that both classes are cut to; 0 for whole pictures.
    #[arg(long, default_value_t = 256)]
    pub window: u32,
    /// Seed of random perturbations.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Frames of a video that are scored, evenly spread over it.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub frames: u8,
    /// Inference engine.
    #[arg(long, value_enum)]
    pub engine: Option<EngineChoice>,
    /// Items at once (default: the number of processors).
    #[arg(long)]
    pub jobs: Option<usize>,
    /// No progress on stderr.
    #[arg(short, long)]
    pub quiet: bool,
    /// Folder of the run.
    #[arg(short, long)]
    pub out: PathBuf,
}

#[derive(clap::Args)]
pub struct EvalMetricsArgs {
    /// Predictions, or the folder of a run.
    pub file: PathBuf,
    /// Output format.
    #[arg(long, value_enum, default_value_t = TextFormat::Text)]
    pub format: TextFormat,
    /// Leave faulty rows out and count them, instead of refusing the file.
    #[arg(long)]
    pub quarantine: bool,
    /// A picture counts as generated from this score (for a run: each detector's own threshold).
    #[arg(long)]
    pub threshold: Option<f64>,
    /// Bootstrap resamples.
    #[arg(long, default_value_t = 1000)]
    pub resamples: usize,
    /// Items under which counts stand instead of a rate.
    #[arg(long, default_value_t = 30)]
    pub min_items: usize,
    /// Seed of the resamples.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Compute what the published code of a benchmark computes instead.
    #[arg(long, value_enum)]
    pub compat: Option<Compat>,
    /// Also measure by the values of this column, such as age or skin type.
    #[arg(long, value_name = "COLUMN", conflicts_with = "compat")]
    pub by: Option<String>,
    /// CSV or TSV file with `path` and that column; the predictions themselves when left out.
    #[arg(long, value_name = "FILE", requires = "by")]
    pub attributes: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Compat {
    /// DeepfakeBench's frame and video measures, quirks included.
    Deepfakebench,
    /// GenVidBench: top-1, top-5 and mean class accuracy (`score_0`, `score_1`, ...).
    Genvidbench,
    /// ForgeryNet: 2-, 3- or n-way classification (`score_0`, `score_1`, ...).
    Forgerynet,
    /// OW-DFA: attribution with novel generators (`predicted`, `tag`, `confidence`).
    OwDfa,
    /// DGM4: detection and grounding, one JSON object a line.
    Dgm4,
}

#[derive(Subcommand)]
pub enum DataCommand {
    /// Read a data set in a published layout into a manifest.
    Import {
        /// Layout; `list` shows all.
        layout: String,
        /// Folder or list file of the data set.
        path: Option<PathBuf>,
        /// Manifest to write (`.parquet` or `.csv`).
        #[arg(short, long)]
        out: Option<PathBuf>,
        /// Replace a prefix of listed paths: FROM=TO.
        #[arg(long, value_name = "FROM=TO")]
        remap: Vec<String>,
    },
    /// Look for duplicates, leaks between splits and confounds between the classes.
    Check {
        /// Manifest.
        manifest: PathBuf,
        /// Do not open the files: rows, groups and splits alone.
        #[arg(long)]
        no_media: bool,
        /// Output format.
        #[arg(long, value_enum, default_value_t = TextFormat::Text)]
        format: TextFormat,
    },
    /// Rebuild a data set from lists of files of public repositories and git clones of these.
    ///
    /// Writes `manifest.tsv` of what is there and `lost.tsv` of what is not, which also makes the exit code 1.
    Restore {
        /// Lists (`recipes/sources`).
        #[arg(required = true)]
        lists: Vec<PathBuf>,
        /// Folder of the clones, each at `OWNER/NAME` or `OWNER+NAME`.
        #[arg(long, value_name = "DIR")]
        clones: PathBuf,
        /// Folder of the data set.
        #[arg(short, long)]
        out: PathBuf,
    },
    /// Re-make authentic training pictures with generators' networks: pairs that differ by a trace alone.
    Synth {
        /// Data set: a folder with `manifest.tsv`.
        #[arg(long)]
        data: PathBuf,
        /// Folder of the pairs.
        #[arg(short, long)]
        out: PathBuf,
        /// Makers.
        #[arg(
            long,
            value_delimiter = ',',
            default_value = "taef2,transposed,nearest,shuffle,quantized"
        )]
        makers: Vec<String>,
        /// Makers that each picture goes through.
        #[arg(long, default_value_t = 2)]
        each: usize,
        /// Longest side of the re-made window.
        #[arg(long, default_value_t = 224)]
        side: u32,
        /// Folder of up-samplers' weights (`span.safetensors`, `compact.safetensors`).
        #[arg(long, default_value = "weights")]
        weights: PathBuf,
        /// Steps that each own autoencoder is trained.
        #[arg(long, default_value_t = 600)]
        steps: usize,
        /// Seed.
        #[arg(long, default_value_t = 0)]
        seed: u64,
    },
    /// How well traces of some makers of pairs tell those of others and of held-out generators.
    Traces {
        /// Data set: a folder with `manifest.tsv`.
        #[arg(long)]
        data: PathBuf,
        /// Folder of `data synth`.
        #[arg(long, default_value = "pairs")]
        pairs: PathBuf,
        /// Folds that are scored; the others train.
        #[arg(long, value_delimiter = ',', default_value = "1,3")]
        held_out: Vec<String>,
        /// Output format.
        #[arg(long, value_enum, default_value_t = TextFormat::Text)]
        format: TextFormat,
    },
    /// Assign splits by group, never by file.
    Split {
        /// Manifest.
        manifest: PathBuf,
        /// Manifest to write.
        #[arg(short, long)]
        out: PathBuf,
        /// Shares of the splits.
        #[arg(
            long,
            default_value = "train=0.7,val=0.15,test=0.15",
            value_delimiter = ','
        )]
        shares: Vec<String>,
        /// Seed.
        #[arg(long, default_value_t = 0)]
        seed: u64,
    },
}
