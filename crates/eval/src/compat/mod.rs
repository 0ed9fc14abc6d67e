//! What the published evaluation code of other benchmarks computes, quirks included.
//!
//! Use these only to reproduce or compare with published numbers; [`realscope_metric`] holds the
//! definitions that Realscope reports by itself. Each file states where it departs from them.

pub mod deepfakebench;
pub mod dgm4;
pub mod file;
pub mod forgerynet;
pub mod genvidbench;
pub mod owdfa;
