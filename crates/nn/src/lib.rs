//! Networks of Realscope, written with Burn.
//!
//! Owns: networks as [Burn](burn) modules generic over the backend, one file each; the key layout of their
//! published checkpoints; strict loading of those ([`weights`], [`params`]); the export of every network to ONNX
//! ([`onnx`]). What is exported is run by `realscope_engine`: a scan needs nothing of this crate.
//! Refuses: partial loading. A missing, extra or misshapen tensor is an error that names the key.
//!
//! A network's forward pass is written once, against the [`Exec`] trait. [`Eager`] computes it with
//! Burn; [`onnx::Graph`] records it as an ONNX graph; either can note named inner values (taps).
//!
//! Open first: [`exec`], then [`resnet`] as an example of a network.

pub mod autoencoder;
pub mod blazeface;
pub mod convnext;
pub mod d3;
pub mod demamba;
pub mod dinov2;
pub mod efficientnet_lite;
pub mod exec;
pub mod genconvit;
pub mod int8_checkpoint;
pub mod mtcnn;
pub mod npr;
pub mod onnx;
mod openai_clip;
pub mod params;
pub mod resample;
pub mod resnet;
pub mod restrav;
pub mod rotary_vit;
pub mod siglip;
pub mod sta;
pub mod swin;
pub mod taesd;
pub mod upscale;
pub mod vit;
pub mod weights;
pub mod xception;
pub mod xclip;

pub use exec::{BatchNormMode, Eager, Exec};
pub use params::{ParamVisitor, Parameters};
pub use weights::{StateDict, WeightsError};

#[cfg(feature = "flex")]
/// The pure-Rust CPU backend.
pub type Cpu = burn::backend::Flex<f32, i32>;
