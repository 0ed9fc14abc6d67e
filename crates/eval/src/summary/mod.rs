//! What is reported of a set of predictions: measures with intervals, and tables by group.
//!
//! Open first: `measures.rs` for the numbers of one set, then `parts.rs` for how a file is cut into sets.

mod abstention;
mod groups;
mod measures;
mod parts;
mod text;

pub use abstention::Abstention;
pub use groups::{GroupRow, wilson};
pub use measures::{Measure, Measures, Settings, measures};
pub use parts::{MatchRow, Part, SCHEMA_VERSION, Summary, part, scores, summarise};
pub use text::text;
