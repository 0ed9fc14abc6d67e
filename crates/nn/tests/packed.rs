//! Packed and 8-bit forms give what the network gave that they were made of.

use burn::nn::LinearConfig;
use burn::tensor::{Tensor, TensorData};
use prost::Message as _;
use realscope_engine::packed::{dynamic_int8, expand, pack, pack_kernels, row_factor, unpack};
use realscope_engine::proto::{Graph, Model};
use realscope_engine::{self as engine, EngineKind, Network, Threads};
use realscope_nn::int8_checkpoint::clip_from_int8_onnx;
use realscope_nn::{BatchNormMode, Cpu, Eager, Exec, onnx};

/// `onnx.TensorProto.DataType.FLOAT`.
const FLOAT: i32 = 1;
/// A packed matrix of whole multiples of one step a row.
const PACKED_ROWS: i32 = 1002;
/// A packed factor of a low-rank product.
const PACKED_FACTOR: i32 = 1009;

fn graph_of(onnx: &[u8]) -> Graph {
    let model = Model::decode(onnx).expect("a model");
    model.graph.expect("a graph")
}

/// The first output of a network with one input.
fn run(network: impl Into<Network>, values: &[f32], shape: &[usize]) -> Vec<f32> {
    let engine = engine::load(EngineKind::Rten, network).expect("loads");
    let mut outputs = engine
        .run_all(values, shape, &Threads::all())
        .expect("runs");
    outputs.swap_remove(0).values
}

/// Two layers wide enough to be packed.
fn network() -> (Vec<u8>, Vec<f32>, Vec<f32>) {
    let device = Default::default();
    let [a, b] = [256, 512].map(|width| LinearConfig::new(256, width).init::<Cpu>(&device));
    let mut graph = onnx::Graph::new("t", false);
    let input = graph.input("x", [1, 1, 4, 256]);
    let record = |x: &mut onnx::Graph, v| -> onnx::Edge<4> {
        let h = Exec::<Cpu>::linear(x, &a, v);
        let h = Exec::<Cpu>::relu(x, h);
        Exec::<Cpu>::linear(x, &b, h)
    };
    let y = record(&mut graph, input);
    graph.output("y", &y);
    let pixels: Vec<f32> = (0..1024)
        .map(|i| ((i * 37) % 101) as f32 / 50.0 - 1.0)
        .collect();
    let x = Tensor::<Cpu, 4>::from_data(TensorData::new(pixels.clone(), [1, 1, 4, 256]), &device);
    let mut eager = Eager::new(BatchNormMode::Running);
    let h = Exec::<Cpu>::linear(&mut eager, &a, x);
    let h = Exec::<Cpu>::relu(&mut eager, h);
    let y = Exec::<Cpu>::linear(&mut eager, &b, h);
    (
        graph.encode(),
        pixels,
        y.into_data().iter::<f32>().collect(),
    )
}

fn relative(network: impl Into<Network>, pixels: &[f32], expected: &[f32]) -> f32 {
    let found = run(network, pixels, &[1, 1, 4, 256]);
    let norm = |v: &[f32]| v.iter().map(|x| x * x).sum::<f32>().sqrt();
    let difference: Vec<f32> = found.iter().zip(expected).map(|(a, b)| a - b).collect();
    norm(&difference) / norm(expected)
}

#[test]
fn factors_of_low_rank_products_take_eight_bits() {
    let device = Default::default();
    let [down, up, last] = [(256, 4), (4, 512), (512, 16)].map(|(inputs, outputs)| {
        let config = LinearConfig::new(inputs, outputs).with_bias(false);
        let mut layer = config.init::<Cpu>(&device);
        let weights: Vec<f32> = (0..inputs * outputs)
            .map(|i| ((i * i * 31 + i * 7919) % 1009) as f32 / 504.0 - 1.0)
            .collect();
        let data = TensorData::new(weights, [inputs, outputs]);
        layer.weight = burn::module::Param::from_data(data, &device);
        layer
    });
    let mut graph = onnx::Graph::new("t", false);
    let h: onnx::Edge<4> = graph.input("x", [1, 1, 4, 256]);
    let h = Exec::<Cpu>::linear(&mut graph, &down, h);
    let h = Exec::<Cpu>::linear(&mut graph, &up, h);
    let h = Exec::<Cpu>::relu(&mut graph, h);
    let y = Exec::<Cpu>::linear(&mut graph, &last, h);
    graph.output("y", &y);
    let onnx = graph.encode();
    let pixels: Vec<f32> = (0..1024).map(|i| ((i * 37) % 101) as f32 / 50.0).collect();
    let expected = run(&onnx, &pixels, &[1, 1, 4, 256]);
    let packed = pack(&onnx).expect("packs");
    let kinds: Vec<i32> = graph_of(&packed)
        .initializer
        .iter()
        .map(|t| t.data_type)
        .collect();
    assert_eq!(kinds, [PACKED_FACTOR, PACKED_FACTOR, FLOAT]);
    let found = relative(unpack(&packed).expect("unpacks"), &pixels, &expected);
    assert!((1e-7..1e-2).contains(&found), "{found}");
}

#[test]
fn eight_bits_are_near_and_four_bits_not_far() {
    let (onnx, pixels, expected) = network();
    assert!(relative(&onnx, &pixels, &expected) < 1e-5);
    let int8 = dynamic_int8(&onnx).expect("quantised");
    assert!(relative(&int8, &pixels, &expected) < 0.03);
    let packed = pack(&onnx).expect("packed");
    assert!(
        packed.len() < onnx.len() / 6,
        "{} of {}",
        packed.len(),
        onnx.len()
    );
    assert!(relative(unpack(&packed).expect("unpacked"), &pixels, &expected) < 0.2);
    // What is not packed stays as it is.
    assert!(relative(unpack(&onnx).expect("same"), &pixels, &expected) < 1e-5);
}

/// Multiples of steps that differ between rows by up to two octaves.
fn by_row(rows: usize, columns: usize) -> Vec<f32> {
    (0..rows * columns)
        .map(|i| {
            let (row, level) = (i / columns, ((i * 7919) % 9) as f32 - 4.0);
            level * 0.004 * row_factor(((row * 31) % 17) as i8 - 8)
        })
        .collect()
}

/// One layer after a normalisation, one after an activation: factors go into the first and before the second.
#[test]
fn inputs_are_scaled_where_steps_differ_by_row() {
    let device = Default::default();
    let layer = |inputs: usize, outputs: usize| -> burn::nn::Linear<Cpu> {
        let config = LinearConfig::new(inputs, outputs).with_bias(false);
        let mut layer = config.init::<Cpu>(&device);
        let data = TensorData::new(by_row(inputs, outputs), [inputs, outputs]);
        layer.weight = burn::module::Param::from_data(data, &device);
        layer
    };
    let (a, b, c) = (layer(256, 512), layer(256, 512), layer(512, 256));
    let norm = burn::nn::LayerNormConfig::new(256).init::<Cpu>(&device);
    let mut graph = onnx::Graph::new("t", false);
    let x: onnx::Edge<4> = graph.input("x", [1, 1, 4, 256]);
    let x = Exec::<Cpu>::layer_norm(&mut graph, &norm, 1e-5, x);
    let left = Exec::<Cpu>::linear(&mut graph, &a, x.clone());
    let right = Exec::<Cpu>::linear(&mut graph, &b, x);
    let sum = Exec::<Cpu>::add(&mut graph, left, right);
    let hidden = Exec::<Cpu>::relu(&mut graph, sum);
    let y = Exec::<Cpu>::linear(&mut graph, &c, hidden);
    graph.output("y", &y);
    let onnx = graph.encode();
    let pixels: Vec<f32> = (0..1024)
        .map(|i| ((i * 37) % 101) as f32 / 50.0 - 1.0)
        .collect();
    let expected = run(&onnx, &pixels, &[1, 1, 4, 256]);
    let packed = pack(&onnx).expect("packs");
    assert!(packed.len() < onnx.len() / 6);
    let rows = graph_of(&packed).initializer;
    let rows = rows.iter().filter(|t| t.data_type == PACKED_ROWS).count();
    assert_eq!(rows, 3);
    // How often an input is multiplied ahead of its product.
    let scaled = |network: &Network| {
        let graph = graph_of(&network.whole().expect("whole"));
        let by_row = |name: &String| name.ends_with("_by_row");
        let kept = graph.initializer.iter().filter(|t| by_row(&t.name)).count();
        let nodes = graph.node.iter().filter(|n| n.op_type == "Mul");
        let made = nodes.filter(|n| n.input.get(1).is_some_and(by_row)).count();
        assert_eq!(made, kept);
        made
    };
    let found = unpack(&packed).expect("unpacks");
    // Three products, and one multiplication: that of the second layer's input.
    assert_eq!(scaled(&found), 1);
    assert!(relative(found, &pixels, &expected) < 0.03);
    // A normalisation that someone else reads as well stays as it is.
    let mut model = Model::decode(packed.as_slice()).expect("a model");
    let other = model.graph.as_mut().expect("a graph");
    let normed = other
        .node
        .iter()
        .find(|n| n.op_type == "LayerNormalization")
        .expect("there")
        .output[0]
        .clone();
    let mut output = other.output[0].clone();
    output.name = normed;
    other.output.push(output);
    let found = unpack(&model.encode_to_vec()).expect("unpacks");
    assert_eq!(scaled(&found), 2);
    assert!(relative(found, &pixels, &expected) < 0.03);
}

#[test]
fn kernels_in_eight_bits_are_near() {
    let device = Default::default();
    let conv = burn::nn::conv::Conv2dConfig::new([8, 24], [3, 3]).init::<Cpu>(&device);
    let mut graph = onnx::Graph::new("t", false);
    let input = graph.input("x", [1, 8, 6, 6]);
    let y = Exec::<Cpu>::conv2d(&mut graph, &conv, None, input);
    graph.output("y", &y);
    let onnx = graph.encode();
    let packed = pack_kernels(&onnx).expect("packed");
    assert!(packed.len() < onnx.len() / 2);
    let (network, dynamic) = expand(&packed).expect("expands");
    assert!(!dynamic);
    let pixels: Vec<f32> = (0..288)
        .map(|i| ((i * 37) % 101) as f32 / 50.0 - 1.0)
        .collect();
    let shape = [1, 8, 6, 6];
    let exact = run(onnx, &pixels, &shape);
    for (a, b) in run(network, &pixels, &shape).iter().zip(exact) {
        assert!((a - b).abs() < 0.03, "{a} {b}");
    }
}

/// Rows that differ by a thousand times, as the hidden values of an MLP do between tokens.
#[test]
fn a_quiet_row_beside_a_loud_one_keeps_its_precision() {
    let device = Default::default();
    let narrow = LinearConfig::new(512, 256).init::<Cpu>(&device);
    let mut graph = onnx::Graph::new("t", false);
    let input = graph.input("x", [1, 1, 2, 512]);
    let y: onnx::Edge<4> = Exec::<Cpu>::linear(&mut graph, &narrow, input);
    graph.output("y", &y);
    let values: Vec<f32> = (0..1024)
        .map(|i| {
            let v = ((i * 37) % 101) as f32 / 50.0 - 0.2;
            if i < 512 { v } else { 1000.0 * v }
        })
        .collect();
    let mut eager = Eager::new(BatchNormMode::Running);
    let x = Tensor::<Cpu, 4>::from_data(TensorData::new(values.clone(), [1, 1, 2, 512]), &device);
    let expected: Vec<f32> = Exec::<Cpu>::linear(&mut eager, &narrow, x)
        .into_data()
        .iter::<f32>()
        .collect();
    let float = graph.encode();
    let int8 = dynamic_int8(&float).expect("quantised");
    let found = run(&int8, &values, &[1, 1, 2, 512]);
    let error = |row: std::ops::Range<usize>| {
        let (mut off, mut all) = (0.0_f32, 0.0_f32);
        for (f, e) in found[row.clone()].iter().zip(&expected[row]) {
            off += (f - e).powi(2);
            all += e.powi(2);
        }
        (off / all).sqrt()
    };
    assert!(error(0..256) < 0.02, "quiet {}", error(0..256));
    assert!(error(256..512) < 0.02, "loud {}", error(256..512));
    // A row of equal values has no range.
    let flat = run(&int8, &[0.5; 1024], &[1, 1, 2, 512]);
    assert!(flat.iter().all(|v| v.is_finite()));
}

#[test]
fn constants_beside_the_file_are_the_same_network() {
    let (onnx, pixels, expected) = network();
    let network = unpack(&pack(&onnx).expect("packed")).expect("unpacked");
    let whole = network.whole().expect("whole").into_owned();
    let near = |n: Network| relative(n, &pixels, &expected);
    assert_eq!(near(whole.clone().into()), near(network.clone()));
    let model = Model::decode(whole.as_slice()).expect("a model");
    let constants = model.graph.expect("a graph").initializer;
    assert!(constants.iter().all(|t| t.external_data.is_empty()));
    // The large matrices did lie beside.
    assert_ne!(Network::from(whole), network);
}

/// Attributes that the messages here do not know of survive.
#[test]
fn what_is_not_packed_keeps_every_byte() {
    let (mut onnx, _, _) = network();
    // Field 15 of a model, length-delimited: unknown here.
    onnx.extend([0x7a, 2, 1, 2]);
    let (network, dynamic) = expand(&onnx).expect("expands");
    assert!(!dynamic);
    assert_eq!(network.whole().expect("whole").as_ref(), onnx);
}

#[test]
fn damaged_files_are_errors() {
    let (onnx, _, _) = network();
    let packed = pack(&onnx).expect("packed");
    for end in [1, 10, packed.len() / 2, packed.len() - 1] {
        assert!(unpack(&packed[..end]).is_err(), "{end}");
    }
    assert!(clip_from_int8_onnx(&onnx).is_err());
}
