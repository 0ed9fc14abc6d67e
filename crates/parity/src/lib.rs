//! Test support: does a re-implementation give what the published code gives?
//!
//! A fixture is one JSON file: keys and shapes of a state dict, inputs and weights by a written
//! [`rule`], expected outputs and inner values. [`run`] feeds every registered network
//! with what the file says and compares every output and tap that the file lists. Computations without weights are
//! checked case by case ([`cases`]).

pub mod cases;
pub mod fixture;
pub mod networks;
pub mod rule;
pub mod run;
