//! Each operation gives in rten what it gives in Burn, at a batch size that the graph was not recorded with.

use burn::module::Param;
use burn::nn::conv::{
    Conv1d, Conv1dConfig, Conv2d, Conv2dConfig, Conv3d, Conv3dConfig, ConvTranspose2d,
    ConvTranspose2dConfig,
};
use burn::nn::{
    GroupNorm, GroupNormConfig, InstanceNorm, InstanceNormConfig, PaddingConfig1d, PaddingConfig2d,
    PaddingConfig3d, RmsNorm, RmsNormConfig,
};
use burn::tensor::{Tensor, TensorData};
use realscope_engine::{self as engine, EngineKind, Threads};
use realscope_nn::exec::AvgPool;
use realscope_nn::onnx::Graph;
use realscope_nn::resample::{Filter, Grid, Resampling};
use realscope_nn::{BatchNormMode, Cpu, Eager, Exec};

/// Numbers in -1..1 without a pattern.
fn numbers(count: usize) -> Vec<f32> {
    (0..count)
        .map(|i| ((i * i * 31 + i * 7919 + 5) % 1009) as f32 / 504.0 - 1.0)
        .collect()
}

/// Scale or shift of channels that is neither 1 nor 0.
fn vector(count: usize) -> Param<Tensor<Cpu, 1>> {
    let data = TensorData::new(numbers(count), [count]);
    Param::from_data(data, &Default::default())
}

/// Runs `forward` in Burn and in rten and returns what Burn gives; panics where sizes or values differ.
macro_rules! agree {
    ($dims:expr, |$x:ident, $input:ident: $rank:literal| -> $out:literal $forward:block) => {
        agree!($dims, (), |$x, $input: $rank, _none: ()| -> $out $forward)
    };
    ($dims:expr, $make:expr,
        |$x:ident, $input:ident: $rank:literal, $layer:ident: $type:ty| -> $out:literal $forward:block) => {{
        fn forward<X: Exec<Cpu>>($x: &mut X, $input: X::V<$rank>, $layer: &$type) -> X::V<$out> {
            $forward
        }
        let dims: [usize; $rank] = $dims;
        let values = numbers(dims.iter().product());
        let layer: $type = $make;
        let data = TensorData::new(values.clone(), dims);
        let input = Tensor::<Cpu, $rank>::from_data(data, &Default::default());
        let mut eager = Eager::new(BatchNormMode::Running);
        let expected = forward(&mut eager, input, &layer);

        let mut graph = Graph::new("t", false);
        let mut example = dims;
        example[0] += 1;
        let input = graph.input("x", example);
        let y = forward(&mut graph, input, &layer);
        let planned = Exec::<Cpu>::dims(&graph, &y);
        assert_eq!(planned[1..], expected.dims()[1..]);
        graph.output("y", &y);
        let engine = engine::load(EngineKind::Rten, graph.encode()).expect("loads");
        let found = engine.run_all(&values, &dims, &Threads::all()).expect("runs");
        assert_eq!(found[0].shape, expected.dims());
        let expected: Vec<f32> = expected.into_data().iter::<f32>().collect();
        for (i, (f, e)) in found[0].values.iter().zip(&expected).enumerate() {
            assert!((f - e).abs() <= 1e-5 * e.abs().max(1.0), "{i}: {f} for {e}");
        }
        expected
    }};
}

#[test]
fn convolution_over_a_sequence() {
    agree!([2, 4, 9], Conv1dConfig::new(4, 6, 3)
            .with_stride(2)
            .with_dilation(2)
            .with_groups(2)
            .with_padding(PaddingConfig1d::Explicit(3, 1))
            .init(&Default::default()), |x, h: 3, conv: Conv1d<Cpu>| -> 3 { x.conv1d(conv, h) });
    agree!([1, 2, 7], Conv1dConfig::new(2, 3, 5)
            .with_padding(PaddingConfig1d::Same)
            .with_bias(false)
            .init(&Default::default()), |x, h: 3, conv: Conv1d<Cpu>| -> 3 { x.conv1d(conv, h) });
}

#[test]
fn grouped_convolution() {
    agree!([2, 6, 8, 7], Conv2dConfig::new([6, 9], [3, 2])
            .with_stride([2, 1])
            .with_dilation([1, 2])
            .with_groups(3)
            .with_padding(PaddingConfig2d::Explicit(1, 0, 2, 1))
            .init(&Default::default()), |x, h: 4, conv: Conv2d<Cpu>| -> 4 { x.conv2d(conv, None, h) });
}

#[test]
fn convolution_over_clips() {
    agree!([2, 3, 5, 6, 7], Conv3dConfig::new([3, 4], [3, 3, 2])
            .with_padding(PaddingConfig3d::Explicit(1, 1, 0))
            .init(&Default::default()), |x, h: 5, conv: Conv3d<Cpu>| -> 5 { x.conv3d(conv, h) });
    // Steps, spread windows and groups.
    agree!([1, 4, 9, 6, 6], Conv3dConfig::new([4, 6], [3, 2, 3])
            .with_stride([2, 1, 2])
            .with_dilation([2, 2, 1])
            .with_groups(2)
            .with_padding(PaddingConfig3d::Explicit(2, 0, 1))
            .with_bias(false)
            .init(&Default::default()), |x, h: 5, conv: Conv3d<Cpu>| -> 5 { x.conv3d(conv, h) });
    // Frame by frame.
    agree!([2, 3, 4, 5, 5], Conv3dConfig::new([3, 2], [1, 3, 3])
            .with_padding(PaddingConfig3d::Same)
            .init(&Default::default()), |x, h: 5, conv: Conv3d<Cpu>| -> 5 { x.conv3d(conv, h) });
}

#[test]
fn transposed_convolution() {
    agree!([2, 3, 4, 5], ConvTranspose2dConfig::new([3, 5], [2, 2])
            .with_stride([2, 2])
            .init(&Default::default()), |x, h: 4, conv: ConvTranspose2d<Cpu>| -> 4 { x.conv_transpose2d(conv, h) });
    agree!([1, 4, 3, 4], ConvTranspose2dConfig::new([4, 6], [3, 4])
            .with_stride([2, 1])
            .with_padding([1, 2])
            .with_padding_out([1, 0])
            .with_groups(2)
            .with_bias(false)
            .init(&Default::default()), |x, h: 4, conv: ConvTranspose2d<Cpu>| -> 4 { x.conv_transpose2d(conv, h) });
}

#[test]
fn normalisations() {
    agree!([2, 6, 5, 4], {
        let mut norm: GroupNorm<Cpu> = GroupNormConfig::new(3, 6).init(&Default::default());
        norm.gamma = Some(vector(6));
        norm.beta = Some(vector(6));
        norm
    }, |x, h: 4, norm: GroupNorm<Cpu>| -> 4 { x.group_norm(norm, h) });
    agree!([2, 4, 9], GroupNormConfig::new(2, 4)
            .with_affine(false)
            .with_epsilon(0.1)
            .init(&Default::default()), |x, h: 3, norm: GroupNorm<Cpu>| -> 3 { x.group_norm(norm, h) });
    agree!([2, 3, 5, 4], {
        let mut norm: InstanceNorm<Cpu> = InstanceNormConfig::new(3).init(&Default::default());
        norm.gamma = Some(vector(3));
        norm.beta = Some(vector(3));
        norm
    }, |x, h: 4, norm: InstanceNorm<Cpu>| -> 4 { x.instance_norm(norm, h) });
    agree!([2, 3, 6], InstanceNormConfig::new(3).with_affine(false).init(&Default::default()),
        |x, h: 3, norm: InstanceNorm<Cpu>| -> 3 { x.instance_norm(norm, h) });
    agree!([2, 3, 6], {
        let mut norm: RmsNorm<Cpu> = RmsNormConfig::new(6).init(&Default::default());
        norm.gamma = vector(6);
        norm
    }, |x, h: 3, norm: RmsNorm<Cpu>| -> 3 { x.rms_norm(norm, h) });
}

#[test]
fn functions_number_by_number() {
    agree!([2, 7], |x, h: 2| -> 2 { x.sigmoid(h) });
    agree!([2, 7], |x, h: 2| -> 2 { x.silu(h) });
    agree!([2, 7], |x, h: 2| -> 2 { x.acos(h) });
    agree!([2, 7], |x, h: 2| -> 2 {
        let h = x.exp(h);
        let h = x.shift(h, 0.5);
        x.log(h)
    });
    agree!([2, 7], |x, h: 2| -> 2 {
        let below = x.shift(h.clone(), 3.0);
        x.div(h, below)
    });
    let soft = agree!([1, 4], |x, h: 2| -> 2 {
        let h = x.constant(vec![-200.0, 0.0, 1.0, 200.0], [1, 4], &h);
        x.softplus(h)
    });
    for (found, expected) in soft
        .iter()
        .zip([0.0, std::f32::consts::LN_2, 1.313_261_7, 200.0])
    {
        assert!((found - expected).abs() < 1e-6, "{found}");
    }
}

#[test]
fn slopes_below_zero() {
    let leaky = agree!([1, 3], |x, h: 2| -> 2 {
        let h = x.constant(vec![-2.0, 0.0, 2.0], [1, 3], &h);
        x.leaky_relu(h, 0.25)
    });
    assert_eq!(leaky, [-0.5, 0.0, 2.0]);
    agree!([2, 3, 5], vector(3), |x, h: 3, slopes: Param<Tensor<Cpu, 1>>| -> 3 { x.prelu(slopes, h) });
}

#[test]
fn largest_of_windows_that_hang_over_the_edge() {
    // All below zero: neither the edge nor what lies behind it is the largest.
    for (kernel, stride) in [(2, 2), (3, 2), (3, 3), (5, 4)] {
        agree!([2, 3, 11, 6], [kernel, stride], |x, h: 4, sizes: [usize; 2]| -> 4 {
            let h = x.shift(h, -9.0);
            x.max_pool2d_ceil(h, sizes[0], sizes[1])
        });
    }
    let found = agree!([1, 1, 1, 5], |x, h: 4| -> 4 {
        let h = x.constant(vec![-5.0, -4.0, -3.0, -2.0, -1.0], [1, 1, 1, 5], &h);
        let h = x.pad(h, 2, [1, 0]);
        let h = x.shift(h, -1.0);
        x.max_pool2d_ceil(h, 2, 2)
    });
    assert_eq!(found, [-1.0, -1.0, -1.0]);
}

#[test]
fn zeros_around_and_frames_as_a_batch() {
    let padded = agree!([1, 2], |x, h: 2| -> 2 {
        let h = x.constant(vec![1.0, 2.0], [1, 2], &h);
        x.pad(h, 1, [1, 2])
    });
    assert_eq!(padded, [0.0, 1.0, 2.0, 0.0, 0.0]);
    agree!([2, 3, 4, 5], |x, h: 4| -> 4 {
        let [n, frames, rows, columns] = x.dims(&h);
        let h = x.fold(h, [n * frames, rows * columns]);
        let h = x.scale(h, 2.0);
        x.fold(h, [n, columns, frames, rows])
    });
}

#[test]
fn matrix_products_for_each_place() {
    agree!([2, 3, 4, 5], |x, h: 4| -> 4 {
        let turned = x.permute(h.clone(), [0, 1, 3, 2]);
        x.matmul(h, turned)
    });
    // One matrix for all places, on either side.
    agree!([2, 3, 4, 5], |x, h: 4| -> 4 {
        let left = x.constant(numbers(8), [1, 1, 2, 4], &h);
        let right = x.constant(numbers(30), [1, 3, 5, 2], &h);
        let h = x.matmul(left, h);
        x.matmul(h, right)
    });
}

#[test]
fn means_of_windows_and_of_bins() {
    for count_pad in [false, true] {
        agree!([2, 3, 7, 8], count_pad, |x, h: 4, count_pad: bool| -> 4 {
            x.avg_pool2d(h, AvgPool { kernel: [3, 2], stride: [2, 1], pad: [1, 0], count_pad: *count_pad })
        });
    }
    agree!([2, 3, 6, 8], |x, h: 4| -> 4 { x.adaptive_avg_pool2d(h, [3, 2]) });
    let uneven = agree!([1, 2, 5, 7], |x, h: 4| -> 4 { x.adaptive_avg_pool2d(h, [3, 4]) });
    let data = TensorData::new(numbers(70), [1, 2, 5, 7]);
    let input = Tensor::<Cpu, 4>::from_data(data, &Default::default());
    let burn = burn::tensor::module::adaptive_avg_pool2d(input, [3, 4]).into_data();
    for (found, expected) in uneven.iter().zip(burn.iter::<f32>()) {
        assert!((found - expected).abs() < 1e-6);
    }
}

#[test]
fn resampling() {
    for filter in [Filter::Bilinear, Filter::Bicubic] {
        for grid in [Grid::HalfPixel, Grid::Corners, Grid::Factors([1.7, 0.6])] {
            let flat = agree!([2, 3, 5, 6], Resampling { filter, grid }, |x, h: 4, how: Resampling| -> 4 {
                let ones = x.scale(h.clone(), 0.0);
                let ones = x.shift(ones, 1.0);
                x.resize(ones, [9, 4], *how)
            });
            assert!(flat.iter().all(|v| (v - 1.0).abs() < 1e-6));
            agree!([2, 3, 5, 6], Resampling { filter, grid }, |x, h: 4, how: Resampling| -> 4 {
                x.resize(h, [9, 4], *how)
            });
        }
    }
}

#[test]
fn entries_by_place() {
    agree!([2, 4, 3], |x, h: 3| -> 3 { x.select(h, 1, &[3, 0, 0, 2, 1]) });
    agree!([2, 4, 3], |x, h: 3| -> 3 { x.flip(h, 2) });
    agree!([2, 4, 3], |x, h: 3| -> 3 { x.turn(h, 1, 3) });
    agree!([2, 4, 3], |x, h: 3| -> 3 { x.turn(h, 1, 0) });
}

#[test]
fn entries_by_index_and_back() {
    let found = agree!([1, 3, 2], |x, h: 3| -> 3 {
        let values = x.constant(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1, 3, 2], &h);
        let index = x.constant(vec![2.0, 0.0, 1.0, 1.0], [1, 2, 2], &h);
        x.gather(values, 1, index)
    });
    assert_eq!(found, [5.0, 2.0, 3.0, 4.0]);
    let found = agree!([1, 3, 2], |x, h: 3| -> 3 {
        let values = x.constant(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1, 3, 2], &h);
        let index = x.constant(vec![2.0, 0.0, 1.0, 1.0], [1, 2, 2], &h);
        let fresh = x.constant(vec![-1.0, -2.0, -3.0, -4.0], [1, 2, 2], &h);
        x.scatter(values, 1, index, fresh)
    });
    assert_eq!(found, [1.0, -2.0, -3.0, -4.0, -1.0, 6.0]);
    // An index that depends on the input, as a network's own choice of places does.
    agree!([3, 4, 5], |x, h: 3| -> 3 {
        let index = x.relu(h.clone());
        let index = x.scale(index, 3.9);
        x.gather(h, 1, index)
    });
}

#[test]
fn running_sums() {
    agree!([2, 5, 3], |x, h: 3| -> 3 { x.cumsum(h, 1) });
    let found = agree!([1, 2, 3], |x, h: 3| -> 3 {
        let values = x.constant(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1, 2, 3], &h);
        x.cumsum(values, 2)
    });
    assert_eq!(found, [1.0, 3.0, 6.0, 4.0, 9.0, 15.0]);
}
