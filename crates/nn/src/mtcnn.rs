//! The three networks of MTCNN (Zhang et al., "Joint Face Detection and Alignment Using Multitask Cascaded Convolutional
//! Networks", IEEE SPL 2016, arXiv 1604.02878): P-Net proposes boxes, R-Net refines them, O-Net refines them again and
//! adds five points.
//!
//! Keys are those of the usual PyTorch port, `facenet-pytorch`. Pictures are in RGB, `(value - 127.5) / 128`.

use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Linear, LinearConfig};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::exec::Exec;
use crate::params::{self, ParamVisitor, Parameters};

/// What a learnt slope starts at.
const SLOPE: f64 = 0.25;

/// A convolution without padding, learnt slopes below zero, and for some a max pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Channels out of the convolution.
    pub width: usize,
    /// Side of its window.
    pub kernel: usize,
    /// Side of the pool's window, which moves by two.
    pub pool: Option<usize>,
}

/// Sizes of P-Net.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PNetConfig {
    /// Convolutions from the picture on.
    pub layers: Vec<Layer>,
}

impl PNetConfig {
    /// As published, for pictures of any size from 12x12 on.
    #[must_use]
    pub fn published() -> Self {
        Self {
            layers: layers(&[(10, 3, Some(2)), (16, 3, None), (32, 3, None)]),
        }
    }

    /// Network with random weights.
    pub fn init<B: Backend>(&self, device: &B::Device) -> PNet<B> {
        let width = width(&self.layers);
        let head = |to| Conv2dConfig::new([width, to], [1; 2]).init(device);
        PNet {
            stages: stages(&self.layers, device),
            face: head(2),
            boxes: head(4),
        }
    }
}

/// Sizes of R-Net or O-Net.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefinerConfig {
    /// Convolutions from the picture on.
    pub layers: Vec<Layer>,
    /// Side of the last map.
    pub side: usize,
    /// Width of the dense layer on that map.
    pub dense: usize,
    /// Whether five points come out, too.
    pub landmarks: bool,
}

impl RefinerConfig {
    /// R-Net, for pictures of 24x24.
    #[must_use]
    pub fn rnet() -> Self {
        Self {
            layers: layers(&[(28, 3, Some(3)), (48, 3, Some(3)), (64, 2, None)]),
            side: 3,
            dense: 128,
            landmarks: false,
        }
    }

    /// O-Net, for pictures of 48x48.
    #[must_use]
    pub fn onet() -> Self {
        Self {
            layers: layers(&[
                (32, 3, Some(3)),
                (64, 3, Some(3)),
                (64, 3, Some(2)),
                (128, 2, None),
            ]),
            side: 3,
            dense: 256,
            landmarks: true,
        }
    }

    /// Network with random weights.
    pub fn init<B: Backend>(&self, device: &B::Device) -> Refiner<B> {
        let linear = |from, to| LinearConfig::new(from, to).init(device);
        let dense = self.dense;
        Refiner {
            stages: stages(&self.layers, device),
            dense: linear(self.side.pow(2) * width(&self.layers), dense),
            slopes: slopes(dense, device),
            face: linear(dense, 2),
            boxes: linear(dense, 4),
            landmarks: self.landmarks.then(|| linear(dense, 10)),
        }
    }
}

/// Channels of the last map; those of the picture where there is no layer.
fn width(layers: &[Layer]) -> usize {
    layers.last().map_or(3, |l| l.width)
}

fn stages<B: Backend>(layers: &[Layer], device: &B::Device) -> Vec<Stage<B>> {
    let mut width = 3;
    let stage = |layer: &Layer| {
        let conv = Conv2dConfig::new([width, layer.width], [layer.kernel; 2]).init(device);
        width = layer.width;
        Stage {
            conv,
            slopes: slopes(width, device),
            pool: layer.pool,
        }
    };
    layers.iter().map(stage).collect()
}

fn layers(sizes: &[(usize, usize, Option<usize>)]) -> Vec<Layer> {
    let layer = |&(width, kernel, pool): &(usize, usize, Option<usize>)| Layer {
        width,
        kernel,
        pool,
    };
    sizes.iter().map(layer).collect()
}

fn slopes<B: Backend>(width: usize, device: &B::Device) -> Param<Tensor<B, 1>> {
    Param::from_tensor(Tensor::full([width], SLOPE, device))
}

#[derive(Module, Debug)]
struct Stage<B: Backend> {
    conv: Conv2d<B>,
    slopes: Param<Tensor<B, 1>>,
    pool: Option<usize>,
}

/// The last map of `stages`, which are counted from 1 in the names of taps.
fn features<B: Backend, X: Exec<B>>(x: &mut X, stages: &[Stage<B>], mut h: X::V<4>) -> X::V<4> {
    for (i, stage) in (1..).zip(stages) {
        h = x.conv2d(&stage.conv, None, h);
        h = x.prelu(&stage.slopes, h);
        x.tap(&format!("prelu{i}"), &h);
        if let Some(side) = stage.pool {
            h = x.max_pool2d_ceil(h, side, 2);
            x.tap(&format!("pool{i}"), &h);
        }
    }
    h
}

fn walk_stages<B: Backend>(v: &mut dyn ParamVisitor<B>, stages: &mut [Stage<B>]) {
    for (i, stage) in (1..).zip(stages) {
        params::conv(v, &format!("conv{i}"), &mut stage.conv);
        params::tensor(v, &format!("prelu{i}.weight"), &mut stage.slopes);
    }
}

/// P-Net.
#[derive(Module, Debug)]
pub struct PNet<B: Backend> {
    stages: Vec<Stage<B>>,
    face: Conv2d<B>,
    boxes: Conv2d<B>,
}

impl<B: Backend> PNet<B> {
    /// Corrections of the box of 12x12 pixels at every second place, `[n, 4, rows, columns]`, and the probabilities of no
    /// face and of a face there, `[n, 2, rows, columns]`, of pictures `[n, 3, h, w]`.
    pub fn forward<X: Exec<B>>(&self, x: &mut X, input: X::V<4>) -> [X::V<4>; 2] {
        let h = features(x, &self.stages, input);
        let boxes = x.conv2d(&self.boxes, None, h.clone());
        let logits = x.conv2d(&self.face, None, h);
        x.tap("conv4_1", &logits);
        let logits = x.permute(logits, [0, 2, 3, 1]);
        let probabilities = x.softmax(logits);
        [boxes, x.permute(probabilities, [0, 3, 1, 2])]
    }
}

impl<B: Backend> Parameters<B> for PNet<B> {
    fn walk(&mut self, v: &mut dyn ParamVisitor<B>) {
        walk_stages(v, &mut self.stages);
        params::conv(v, "conv4_1", &mut self.face);
        params::conv(v, "conv4_2", &mut self.boxes);
    }
}

/// R-Net or O-Net.
#[derive(Module, Debug)]
pub struct Refiner<B: Backend> {
    stages: Vec<Stage<B>>,
    dense: Linear<B>,
    slopes: Param<Tensor<B, 1>>,
    face: Linear<B>,
    boxes: Linear<B>,
    landmarks: Option<Linear<B>>,
}

/// What R-Net and O-Net say of a crop.
pub struct Refined<V> {
    /// Corrections of the box, `[n, 4]`.
    pub boxes: V,
    /// Five points, all `x` and then all `y`, `[n, 10]`.
    pub landmarks: Option<V>,
    /// Probabilities of no face and of a face, `[n, 2]`.
    pub probabilities: V,
}

impl<B: Backend> Refiner<B> {
    /// Of crops `[n, 3, side, side]` that the network before found.
    pub fn forward<X: Exec<B>>(&self, x: &mut X, input: X::V<4>) -> Refined<X::V<2>> {
        let h = features(x, &self.stages, input);
        let [n, width, rows, columns] = x.dims(&h);
        // Columns before rows: the port keeps the layout of the authors' Caffe models.
        let h = x.permute(h, [0, 3, 2, 1]);
        let h = x.reshape(h, [n, columns * rows * width]);
        let h = x.linear(&self.dense, h);
        let h = x.prelu(&self.slopes, h);
        let last = self.stages.len() + 1;
        x.tap(&format!("prelu{last}"), &h);
        let logits = x.linear(&self.face, h.clone());
        x.tap(&format!("dense{}_1", last + 1), &logits);
        Refined {
            boxes: x.linear(&self.boxes, h.clone()),
            landmarks: self.landmarks.as_ref().map(|head| x.linear(head, h)),
            probabilities: x.softmax(logits),
        }
    }
}

impl<B: Backend> Parameters<B> for Refiner<B> {
    fn walk(&mut self, v: &mut dyn ParamVisitor<B>) {
        walk_stages(v, &mut self.stages);
        let dense = self.stages.len() + 1;
        params::linear(v, &format!("dense{dense}"), &mut self.dense);
        params::tensor(v, &format!("prelu{dense}.weight"), &mut self.slopes);
        let heads = [
            Some(&mut self.face),
            Some(&mut self.boxes),
            self.landmarks.as_mut(),
        ];
        for (i, head) in (1..).zip(heads.into_iter().flatten()) {
            params::linear(v, &format!("dense{}_{i}", dense + 1), head);
        }
    }
}
