//! Predictions: one row a picture, arm and detector, from Parquet or CSV.
//!
//! Needed columns: `path`, `label`, `group`, `score`. Known ones beside them: `arm`, `detector`,
//! `generator`, `source`, `match_set`, `tier`, `video`, `verdict`, `error`. Others are ignored.
//! Text is interned, so that ten million rows fit into memory.
//!
//! Open first: `columns.rs` for the table, then `builder.rs` for what a row must be.

mod builder;
mod columns;
mod csv;
mod error;
mod names;
mod parquet;
mod read;

pub use builder::Reading;
pub use columns::Table;
pub use error::{Fault, TableError};
pub use names::Names;
