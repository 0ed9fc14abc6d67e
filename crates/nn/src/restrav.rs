//! The classifier of ReStraV (Internò et al., "AI-Generated Video Detection via Perceptual Straightening", NeurIPS 2025,
//! arXiv 2507.00583).
//!
//! It sees 21 numbers of how a video's frames move through the features of DINOv2; `realscope-signal` computes them
//! (`trajectory::restrav`).

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::backend::Backend;

use crate::exec::Exec;
use crate::params::{self, ParamVisitor, Parameters};

/// Sizes of the classifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestravConfig {
    /// Width of the input, of each hidden layer and of the output.
    pub widths: Vec<usize>,
}

impl RestravConfig {
    /// As published.
    #[must_use]
    pub fn published() -> Self {
        Self {
            widths: vec![21, 64, 32, 1],
        }
    }

    /// Network with random weights.
    pub fn init<B: Backend>(&self, device: &B::Device) -> Restrav<B> {
        let layers = self.widths.windows(2);
        let layers = layers.map(|w| LinearConfig::new(w[0], w[1]).init(device));
        Restrav {
            layers: layers.collect(),
        }
    }
}

/// ReStraV's classifier.
#[derive(Module, Debug)]
pub struct Restrav<B: Backend> {
    layers: Vec<Linear<B>>,
}

impl<B: Backend> Restrav<B> {
    /// Logits `[n, 1]` of `[n, 21]` numbers that are brought to mean 0 and deviation 1 of the training set. Against the
    /// rule of this project, 1 means authentic, as in the published files.
    pub fn forward<X: Exec<B>>(&self, x: &mut X, mut h: X::V<2>) -> X::V<2> {
        for (i, layer) in self.layers.iter().enumerate() {
            h = x.linear(layer, h);
            x.tap(&format!("net.{}", 2 * i), &h);
            if i + 1 < self.layers.len() {
                h = x.relu(h);
                x.tap(&format!("net.{}", 2 * i + 1), &h);
            }
        }
        h
    }
}

impl<B: Backend> Parameters<B> for Restrav<B> {
    fn walk(&mut self, v: &mut dyn ParamVisitor<B>) {
        for (i, layer) in self.layers.iter_mut().enumerate() {
            params::linear(v, &format!("net.{}", 2 * i), layer);
        }
    }
}
