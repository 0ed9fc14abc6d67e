//! Scanning pictures: from bytes to a verdict that says why.
//!
//! Owns: decoding in killable worker processes, scoring under re-deliveries, the verdict and its
//! words, the record and its reports.
//! Refuses: a verdict on what cannot be decoded; a verdict from metadata.
//!
//! Open first: [`scan::Scanner`], then [`verdict`].

pub mod heatmap;
pub mod record;
pub mod report;
pub mod scan;
pub mod verdict;
pub mod worker;

pub use record::Record;
pub use scan::{Config, Scanner};
