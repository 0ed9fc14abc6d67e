//! Measures of detectors, one a file.
//!
//! Owns: every number that a report states, with its definition and its interval by group. Positive (1)
//! means generated or manipulated; a picture counts as positive when its score is at least the threshold.
//! Refuses: a measure that the data cannot carry (one class alone, scores that are no probabilities), which
//! is `None` and never 0.
//!
//! A measure takes [`Drawn`] scores: from high to low, each row counted as often as its group was drawn.
//! The point estimate counts every row once.
//!
//! Beside the measures lies the one [`logistic`] regression of the workspace.
//!
//! Open first: `scores.rs`, then [`auc`] for a measure and [`bootstrap`] for the intervals.

pub mod accuracy;
pub mod ap;
pub mod auc;
pub mod bootstrap;
pub mod brier;
pub mod clustering;
pub mod delong;
pub mod ece;
pub mod eer;
pub mod f1;
pub mod logistic;
pub mod multiclass;
pub mod nested;
pub mod nll;
pub mod permutation;
pub mod pixel;
pub mod risk;
mod scores;
pub mod temporal;
pub mod tpr_at_fpr;

pub use scores::{Drawn, Point, Scores};
