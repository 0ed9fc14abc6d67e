//! The service over real HTTP: the real program, the real scanner, a port of its own.

#![cfg(feature = "serve")]

mod answers;
mod bucket;
mod client;
mod faults;
mod jobs;
mod keys;
#[path = "../../../server/tests/support/postgres.rs"]
mod postgres;
mod refusals;
mod signed;
mod stores;
mod traces;
