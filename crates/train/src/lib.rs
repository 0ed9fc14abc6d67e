//! Training of Realscope's detectors.
//!
//! Owns: recipes, aligned pairs and their makers, balanced sampling, augmentation that treats both classes alike, the
//! training loop with resume, linear heads on a frozen encoder for pictures and for videos, rounding of weights, and calibration.
//! Refuses: a group on both sides of the split, an unreadable picture passed over in silence.
//!
//! Open first: [`recipe`], then [`run`]; for what ships, [`semantic`].

pub mod adapter;
pub mod augment;
pub mod backbone;
pub mod batch;
pub mod blend;
pub mod calibrate;
mod error;
pub mod pairs;
pub mod picture;
pub mod recipe;
pub mod rounding;
pub mod run;
pub mod semantic;
pub mod ship;
mod store;
pub mod synth;
pub mod tier;
pub mod traces;
pub mod video;

pub use error::TrainError;
