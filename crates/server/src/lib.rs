//! The HTTP service: scans for whoever asks, jobs that survive a crash, reports, keys.
//!
//! Owns: the interface ([`docs/service.md`](https://github.com/realscope/realscope/blob/main/docs/service.md)), the queue
//! of jobs and its tables, the store of media, keys and their scopes, what is kept and for how long.
//! Refuses: a verdict of its own; the scanner is the core's. Untrusted files are decoded in the scanner's workers.
//!
//! Open first: `server`, which has all routes; then `scan`, `submit` and `runner`, the way of a file.

mod accept;
mod admin;
mod app;
mod auth;
mod bucket;
mod cases;
mod extract;
mod feedback;
mod guard;
mod health;
mod hub;
mod jobs;
mod metrics;
mod models;
mod openapi;
mod outbound;
mod page;
mod pictures;
mod problem;
mod reports;
mod retention;
mod runner;
mod scan;
mod server;
mod settings;
mod state;
mod store;
mod submit;
mod tls;
mod traces;
mod upload;
mod webhooks;

pub use cases::{Loaded, ReportKeyError};
pub use feedback::ExportError;
pub use server::{Server, StartError, export_feedback};
pub use settings::{SETTINGS, Setting, Settings, SettingsError, reference};
pub use state::keys::{KeyView, NewKey, Scope};
pub use state::{State, StateError};
pub use store::StoreError;
pub use traces::{Observing, observe};
