//! Evaluation of detectors, so that a number can be believed, recomputed and compared.
//!
//! Owns: manifests of data sets and their importers, protocols, perturbations, measures, runs and
//! their reports. Refuses: a rate that the data cannot carry, a threshold from a test set, another
//! picture in place of one that failed.
//!
//! Open first: [`metric`] for the definitions, [`summary`] for what is reported.

pub mod compare;
pub mod compat;
pub mod fairness;

pub mod protocol;
pub mod report;
pub mod run;
pub mod summary;
pub mod table;
