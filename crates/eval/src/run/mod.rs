//! A run: every item in every arm through one or more detectors, resumable, in bounded memory.
//!
//! The unit of work is item x arm. Each finished unit is one line of `units.jsonl`, written once and
//! never changed; a killed run goes on with the units that are missing. `run.json` holds what makes
//! a run what it is (manifest's and weights' hashes, protocol, settings): a folder with another
//! identity is refused. Pictures that fail are listed with their error and never replaced. A video is scored by frames
//! evenly spread over it or over its range in the manifest, each delivered and scored as a picture.
//!
//! Open first: `plan.rs` for the whole flow; `predict.rs` for one unit; `score.rs` alone calls the scanner.

mod error;
mod export;
mod identity;
mod plan;
mod predict;
mod prediction;
mod score;
mod units;
mod video;

pub use error::RunError;
pub use identity::Identity;
pub use plan::{Done, Plan};
pub use prediction::Prediction;
