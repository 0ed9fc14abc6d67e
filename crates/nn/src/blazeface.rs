//! BlazeFace (Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs", 2019, arXiv
//! 1907.05047), as MediaPipe's short-range model.
//!
//! Keys are those of the usual PyTorch conversion. A map that halves is padded as TensorFlow does it, more at its end
//! than at its beginning. There is no normalisation.

use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::backend::Backend;

use crate::exec::Exec;
use crate::params::{self, ParamVisitor, Parameters};

/// Numbers of a face: the box (centre, size) and six points, `x` and `y` each.
const NUMBERS: usize = 16;

/// Sizes of a BlazeFace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlazeFaceConfig {
    /// Channels of the first convolution.
    pub stem: usize,
    /// Channels and stride of each block up to the finer of the two maps that faces are read from.
    pub fine: Vec<(usize, usize)>,
    /// The same from there to the coarser one.
    pub coarse: Vec<(usize, usize)>,
    /// Anchors at each place of the finer and of the coarser map.
    pub anchors: [usize; 2],
}

impl BlazeFaceConfig {
    /// The short-range model, for pictures of 128x128 pixels: 896 anchors on maps of 16x16 and 8x8.
    #[must_use]
    pub fn short_range() -> Self {
        Self {
            stem: 24,
            fine: vec![
                (24, 1),
                (28, 1),
                (32, 2),
                (36, 1),
                (42, 1),
                (48, 2),
                (56, 1),
                (64, 1),
                (72, 1),
                (80, 1),
                (88, 1),
            ],
            coarse: vec![(96, 2), (96, 1), (96, 1), (96, 1), (96, 1)],
            anchors: [2, 6],
        }
    }

    /// Network with random weights.
    pub fn init<B: Backend>(&self, device: &B::Device) -> BlazeFace<B> {
        let blocks = |mut width, sizes: &[(usize, usize)]| {
            let block = |&(to, stride): &(usize, usize)| {
                let block = Block::new(width, to, stride, device);
                width = to;
                block
            };
            sizes.iter().map(block).collect()
        };
        let width = |sizes: &[(usize, usize)], before| sizes.last().map_or(before, |s| s.0);
        let fine = width(&self.fine, self.stem);
        let coarse = width(&self.coarse, fine);
        let head = |from, to| Conv2dConfig::new([from, to], [1; 2]).init(device);
        let [few, many] = self.anchors;
        BlazeFace {
            stem: Conv2dConfig::new([3, self.stem], [5; 2])
                .with_stride([2; 2])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 2, 2))
                .init(device),
            fine: blocks(self.stem, &self.fine),
            coarse: blocks(fine, &self.coarse),
            classifiers: vec![head(fine, few), head(coarse, many)],
            regressors: vec![head(fine, NUMBERS * few), head(coarse, NUMBERS * many)],
        }
    }
}

/// Depthwise 3x3 and 1x1 convolution beside a shortcut, which is pooled where the map halves and gets channels of zeros
/// where there are more.
#[derive(Module, Debug)]
struct Block<B: Backend> {
    depthwise: Conv2d<B>,
    pointwise: Conv2d<B>,
}

impl<B: Backend> Block<B> {
    fn new(from: usize, to: usize, stride: usize, device: &B::Device) -> Self {
        let padding = if stride == 1 {
            PaddingConfig2d::Explicit(1, 1, 1, 1)
        } else {
            PaddingConfig2d::Explicit(0, 0, 2, 2)
        };
        Self {
            depthwise: Conv2dConfig::new([from; 2], [3; 2])
                .with_stride([stride; 2])
                .with_padding(padding)
                .with_groups(from)
                .init(device),
            pointwise: Conv2dConfig::new([from, to], [1; 2]).init(device),
        }
    }

    fn forward<X: Exec<B>>(&self, x: &mut X, input: X::V<4>) -> X::V<4> {
        let h = x.conv2d(&self.depthwise, None, input.clone());
        let h = x.conv2d(&self.pointwise, None, h);
        let stride = self.depthwise.stride[0];
        let past = if stride == 1 {
            input
        } else {
            x.max_pool2d(input, stride, stride, 0)
        };
        let [[_, from, _, _], [_, to, _, _]] = [x.dims(&past), x.dims(&h)];
        let past = x.pad(past, 1, [0, to - from]);
        let h = x.add(h, past);
        x.relu(h)
    }
}

/// BlazeFace.
#[derive(Module, Debug)]
pub struct BlazeFace<B: Backend> {
    stem: Conv2d<B>,
    fine: Vec<Block<B>>,
    coarse: Vec<Block<B>>,
    classifiers: Vec<Conv2d<B>>,
    regressors: Vec<Conv2d<B>>,
}

/// What stands at each anchor: those of the finer map first, by row, column and anchor of a place.
pub struct Faces<V> {
    /// Box (centre, size) and six points relative to the anchor, in pixels of the input, `[n, anchors, 16]`.
    pub regression: V,
    /// Logit of a face, `[n, anchors, 1]`. The published code keeps it within ±100.
    pub classification: V,
}

impl<B: Backend> BlazeFace<B> {
    /// Faces in pictures `[n, 3, 128, 128]` in RGB from -1 to 1.
    pub fn forward<X: Exec<B>>(&self, x: &mut X, input: X::V<4>) -> Faces<X::V<3>> {
        let h = x.conv2d(&self.stem, None, input);
        x.tap("backbone1.0", &h);
        let mut h = x.relu(h);
        for (i, block) in self.fine.iter().enumerate() {
            h = block.forward(x, h);
            x.tap(&format!("backbone1.{}", i + 2), &h);
        }
        let fine = h.clone();
        for (i, block) in self.coarse.iter().enumerate() {
            h = block.forward(x, h);
            x.tap(&format!("backbone2.{i}"), &h);
        }
        let maps = [fine, h];
        Faces {
            regression: read(x, &self.regressors, &maps, NUMBERS),
            classification: read(x, &self.classifiers, &maps, 1),
        }
    }
}

/// `count` numbers of each anchor of both maps.
fn read<B: Backend, X: Exec<B>>(
    x: &mut X,
    heads: &[Conv2d<B>],
    maps: &[X::V<4>; 2],
    count: usize,
) -> X::V<3> {
    let parts = heads.iter().zip(maps).map(|(head, map)| {
        let h = x.conv2d(head, None, map.clone());
        let h = x.permute(h, [0, 2, 3, 1]);
        let [n, rows, columns, numbers] = x.dims(&h);
        x.reshape(h, [n, rows * columns * numbers / count, count])
    });
    let parts = parts.collect();
    x.cat(parts, 1)
}

impl<B: Backend> Parameters<B> for BlazeFace<B> {
    fn walk(&mut self, v: &mut dyn ParamVisitor<B>) {
        params::conv(v, "backbone1.0", &mut self.stem);
        for (key, first, blocks) in [
            ("backbone1", 2, &mut self.fine),
            ("backbone2", 0, &mut self.coarse),
        ] {
            for (i, block) in blocks.iter_mut().enumerate() {
                let key = format!("{key}.{}.convs", first + i);
                params::conv(v, &format!("{key}.0"), &mut block.depthwise);
                params::conv(v, &format!("{key}.1"), &mut block.pointwise);
            }
        }
        for (key, heads) in [
            ("classifier", &mut self.classifiers),
            ("regressor", &mut self.regressors),
        ] {
            // Named by the pixels between places of the map.
            for (head, step) in heads.iter_mut().zip([8, 16]) {
                params::conv(v, &format!("{key}_{step}"), head);
            }
        }
    }
}
