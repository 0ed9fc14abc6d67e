//! Evaluation of detectors, so that a number can be believed, recomputed and compared.
//!
//! Owns: protocols, runs, tables of predictions, what is reported of them, and the published benchmarks' own
//! measures. Data sets come from `realscope-data`, arms from `realscope-delivery`, definitions of measures
//! from `realscope-metric`.
//! Refuses: a rate that the data cannot carry, a threshold from a test set, another picture in place of one
//! that failed.
//!
//! Open first: [`protocol`] for what is measured, [`run`] for how, [`summary`] for what is reported.

pub mod compare;
pub mod compat;
pub mod fairness;
pub mod protocol;
pub mod report;
pub mod run;
pub mod summary;
pub mod table;
