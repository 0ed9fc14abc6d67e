//! The classifier of ReStraV (Internò et al., "AI-Generated Video Detection via Perceptual Straightening", NeurIPS 2025,
//! arXiv 2507.00583).
//!
//! It sees 21 numbers of how a video's frames move through the features of DINOv2: [`trajectory`] of a clip, and of
//! frames in hand `trajectory::restrav` of `realscope-signal`.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::backend::Backend;

use crate::exec::Exec;
use crate::params::{self, ParamVisitor, Parameters};

/// Numbers that the classifier sees.
pub const NUMBERS: usize = 21;

/// Least square of a displacement's length ahead of a division by it.
const LEAST: f32 = 1e-16;

/// The 21 numbers, `[n, 21]`, of features `[n, frames, width]` of at least eight frames: the
/// first seven distances of neighbouring frames, the first six angles between neighbouring displacements in degrees, then
/// mean, least, most and variance (of a population) of all distances and of all angles.
pub fn trajectory<B: Backend, X: Exec<B>>(x: &mut X, features: X::V<3>) -> X::V<2> {
    let [n, frames, width] = x.dims(&features);
    let later = x.narrow(features.clone(), 1, 1, frames - 1);
    let earlier = x.narrow(features, 1, 0, frames - 1);
    let moves = x.sub(later, earlier);
    let squares = product(x, moves.clone(), moves.clone(), width);
    let distances = x.sqrt(squares.clone());
    let later = x.narrow(moves.clone(), 1, 1, frames - 2);
    let earlier = x.narrow(moves, 1, 0, frames - 2);
    let along = product(x, earlier, later, width);
    let least = x.shift(squares, -LEAST);
    let least = x.relu(least);
    let squares = x.shift(least, LEAST);
    let later = x.narrow(squares.clone(), 1, 1, frames - 2);
    let earlier = x.narrow(squares, 1, 0, frames - 2);
    let lengths = x.mul(earlier, later);
    let lengths = x.sqrt(lengths);
    let cosines = x.div(along, lengths);
    // Rounding may lead a little out of -1..1.
    let over = x.shift(cosines.clone(), -1.0);
    let over = x.relu(over);
    let under = x.scale(cosines.clone(), -1.0);
    let under = x.shift(under, -1.0);
    let under = x.relu(under);
    let cosines = x.sub(cosines, over);
    let cosines = x.add(cosines, under);
    let angles = x.acos(cosines);
    let angles = x.scale(angles, 180.0 / std::f32::consts::PI);
    let mut numbers = vec![
        x.narrow(distances.clone(), 1, 0, 7),
        x.narrow(angles.clone(), 1, 0, 6),
    ];
    numbers.extend(summary(x, distances));
    numbers.extend(summary(x, angles));
    let numbers = x.cat(numbers, 1);
    x.reshape(numbers, [n, NUMBERS])
}

/// Inner products over the last dimension of `width`, which stays with size one. Sums of sums keep more digits of the
/// hundred thousand numbers of a frame than one sum.
fn product<B: Backend, X: Exec<B>>(x: &mut X, a: X::V<3>, b: X::V<3>, width: usize) -> X::V<3> {
    let products = x.mul(a, b);
    let [n, rows, _] = x.dims(&products);
    let part = (1..=width.isqrt()).rev().find(|d| width.is_multiple_of(*d));
    let part = part.unwrap_or(1);
    let parts = x.reshape(products, [n, rows, part, width / part]);
    let mean = x.mean_dim(parts, 3);
    let mean = x.mean_dim(mean, 2);
    let mean = x.reshape(mean, [n, rows, 1]);
    x.scale(mean, width as f32)
}

/// Mean, least, most and variance of the values of a clip, `[n, values, 1]`.
fn summary<B: Backend, X: Exec<B>>(x: &mut X, values: X::V<3>) -> [X::V<3>; 4] {
    let mean = x.mean_dim(values.clone(), 1);
    let negated = x.scale(values.clone(), -1.0);
    let least = largest(x, negated);
    let least = x.scale(least, -1.0);
    let most = largest(x, values.clone());
    let centred = x.sub(values, mean.clone());
    let squares = x.mul(centred.clone(), centred);
    let variance = x.mean_dim(squares, 1);
    [mean, least, most, variance]
}

/// The largest of the values of a clip.
fn largest<B: Backend, X: Exec<B>>(x: &mut X, mut values: X::V<3>) -> X::V<3> {
    loop {
        let [_, count, _] = x.dims(&values);
        if count == 1 {
            return values;
        }
        let half = count.div_ceil(2);
        let first = x.narrow(values.clone(), 1, 0, half);
        let second = x.narrow(values, 1, count - half, half);
        let more = x.sub(first, second.clone());
        let more = x.relu(more);
        values = x.add(second, more);
    }
}

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
            widths: vec![NUMBERS, 64, 32, 1],
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
