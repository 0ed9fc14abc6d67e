//! One tiny detector of each kind: a card, and an ONNX network that is made here.

use prost::Message as _;
use realscope_detectors::Card;
use realscope_detectors::network::sha256;
use realscope_engine::proto;
use realscope_parity::rule;

/// A face in, two columns out: manipulated where the second is larger.
pub const FACE: &str = r#"
id = "tiny-face"
summary = "An aligned face, authentic or manipulated"
status = "preview"
since = "0.1.0"
task = "manipulated_face"
engines = ["rten", "ort"]
licence = "none: numbers by rule"
training_data = "none: numbers by rule"
citation = "this test"
known_failures = ["all cases"]

[input]
size = 64
filter = "bicubic"
mean = [0.5, 0.5, 0.5]
std = [0.5, 0.5, 0.5]

[input.view]
kind = "face"
margin = 1.3
aligned = true

[[heads]]
kind = "binary"
polarity = "authentic_generated"
"#;

/// Four frames in, one logit out: high for authentic clips.
pub const VIDEO: &str = r#"
id = "tiny-video"
summary = "A clip of four frames, every second one"
status = "preview"
since = "0.1.0"
task = "generated_clip"
engines = ["rten", "ort"]
licence = "none: numbers by rule"
training_data = "none: numbers by rule"
citation = "this test"
known_failures = ["all cases"]

[input]
size = 32
filter = "bilinear"
mean = [0.4, 0.5, 0.6]
std = [0.2, 0.3, 0.4]

[input.view]
kind = "clip"
frames = 4
pace = { stride = 2 }
layout = "channel_first"
too_few = "repeat_last"

[[heads]]
kind = "binary"
polarity = "authentic"
"#;

/// A picture in, a map and its mean out.
pub const MASK: &str = r#"
id = "tiny-mask"
summary = "Where a picture is manipulated, and whether"
status = "preview"
since = "0.1.0"
task = "localisation"
engines = ["rten", "ort"]
licence = "none: numbers by rule"
training_data = "none: numbers by rule"
citation = "this test"
known_failures = ["all cases"]

[input]
size = 64
filter = "lanczos3"
colour = "bgr"
mean = [0.485, 0.456, 0.406]
std = [0.229, 0.224, 0.225]

[input.view]
kind = "squash"

[[heads]]
kind = "mask"
output = "map"
stride = 8

[[heads]]
kind = "binary"
output = "mean"
polarity = "generated"
"#;

/// A picture in, four columns out.
pub const ATTRIBUTION: &str = r#"
id = "tiny-attribution"
summary = "Which of three generators made a picture"
status = "preview"
since = "0.1.0"
task = "attribution"
engines = ["rten", "ort"]
licence = "none: numbers by rule"
training_data = "none: numbers by rule"
citation = "this test"
known_failures = ["all cases"]

[input]
size = 64
filter = "bilinear"
mean = [0.0, 0.0, 0.0]
std = [1.0, 1.0, 1.0]

[input.view]
kind = "whole_and_windows"
most = 3

[[heads]]
kind = "classes"
names = ["authentic", "first", "second", "third"]
"#;

/// A picture in, a vector out.
pub const EMBEDDING: &str = r#"
id = "tiny-embedding"
summary = "Eight numbers of a picture"
status = "preview"
since = "0.1.0"
task = "generated_picture"
engines = ["rten", "ort"]
licence = "none: numbers by rule"
training_data = "none: numbers by rule"
citation = "this test"
known_failures = ["all cases"]

[input]
size = 32
filter = "bilinear"
mean = [0.5, 0.5, 0.5]
std = [0.25, 0.25, 0.25]

[input.view]
kind = "shorter_side_centre"
shorter = 40

[[heads]]
kind = "embedding"
size = 8
"#;

/// The five cards with their networks.
pub fn all() -> Vec<(Card, Vec<u8>)> {
    let patches = |side, columns| {
        let mut net = Net::new(&[3, side, side]);
        net.patches("x", 8, columns, "map");
        net.mean_of("map", "answer");
        net
    };
    let clip = || {
        let mut net = Net::new(&[3, 4, 32, 32]);
        net.node("ReduceMean", &["x"], "means", &[("axes", &[3, 4])]);
        net.node("Flatten", &["means"], "row", &[]);
        let weight = rule::weight("clip.weight", "fan", &[1, 12]).expect("a rule");
        net.constant("weight", &[12, 1], &weight);
        net.node("MatMul", &["row", "weight"], "answer", &[]);
        net
    };
    let mask = || {
        let mut net = Net::new(&[3, 64, 64]);
        net.patches("x", 8, 1, "map");
        net.mean_of("map", "mean");
        net
    };
    [
        (FACE, patches(64, 2).encode(&["answer"])),
        (VIDEO, clip().encode(&["answer"])),
        // The order of the outputs is not that of the heads.
        (MASK, mask().encode(&["mean", "map"])),
        (ATTRIBUTION, patches(64, 4).encode(&["answer"])),
        (EMBEDDING, patches(32, 8).encode(&["answer"])),
    ]
    .map(|(text, onnx)| with_network(text, onnx))
    .to_vec()
}

fn with_network(text: &str, onnx: Vec<u8>) -> (Card, Vec<u8>) {
    let id = text.split('"').nth(1).expect("an id");
    let mut card = Card::parse(id, text).expect("a card");
    card.weights_sha256 = sha256(&onnx);
    (card, onnx)
}

/// A network that answers with what it is shown, `count` numbers in `shape`.
pub fn echo(shape: &[usize]) -> Vec<u8> {
    let mut net = Net::new(shape);
    net.node("Flatten", &["x"], "answer", &[]);
    net.encode(&["answer"])
}

/// An ONNX graph of a few nodes with the input `x`.
struct Net(proto::Graph);

impl Net {
    fn new(shape: &[usize]) -> Self {
        let mut graph = proto::Graph {
            name: "tiny".into(),
            ..proto::Graph::default()
        };
        graph.input.push(value("x", Some(shape)));
        Self(graph)
    }

    fn node(&mut self, op: &str, inputs: &[&str], output: &str, attributes: &[(&str, &[i64])]) {
        self.0.node.push(proto::Node {
            input: inputs.iter().map(|i| (*i).into()).collect(),
            output: vec![output.into()],
            name: output.into(),
            op_type: op.into(),
            attribute: attributes
                .iter()
                .map(|(name, ints)| proto::Attribute {
                    name: (*name).into(),
                    ints: ints.to_vec(),
                    kind: 7,
                    ..proto::Attribute::default()
                })
                .collect(),
        });
    }

    fn constant(&mut self, name: &str, dims: &[usize], values: &[f32]) {
        self.0.initializer.push(proto::TensorProto {
            dims: dims.iter().map(|d| *d as i64).collect(),
            data_type: 1,
            name: name.into(),
            raw_data: values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            ..proto::TensorProto::default()
        });
    }

    /// `columns` numbers of each patch of `side` pixels, `[n, columns, rows, columns]`.
    fn patches(&mut self, input: &str, side: usize, columns: usize, output: &str) {
        let shape = [columns, 3, side, side];
        let weight = rule::weight("patch.weight", "fan", &shape).expect("a rule");
        self.constant("patch", &shape, &weight);
        let step = side as i64;
        let attributes: [(&str, &[i64]); 3] = [
            ("strides", &[step, step]),
            ("dilations", &[1, 1]),
            ("pads", &[0; 4]),
        ];
        self.node("Conv", &[input, "patch"], output, &attributes);
    }

    /// Means over the map, `[n, columns]`.
    fn mean_of(&mut self, input: &str, output: &str) {
        let pooled = format!("{output}.pooled");
        self.node("GlobalAveragePool", &[input], &pooled, &[]);
        self.node("Flatten", &[&pooled], output, &[]);
    }

    fn encode(mut self, outputs: &[&str]) -> Vec<u8> {
        self.0.output = outputs.iter().map(|o| value(o, None)).collect();
        proto::Model {
            ir_version: 8,
            producer_name: "test".into(),
            graph: Some(self.0),
            opset_import: vec![proto::OperatorSet {
                domain: String::new(),
                version: 17,
            }],
            metadata_props: vec![],
        }
        .encode_to_vec()
    }
}

/// A float value with a free batch; without `shape` of sizes that the engine infers.
fn value(name: &str, shape: Option<&[usize]>) -> proto::ValueInfo {
    let batch = proto::DimValue::Param("batch".into());
    let shape = shape.map(|sizes| proto::Shape {
        dim: std::iter::once(batch)
            .chain(sizes.iter().map(|s| proto::DimValue::Value(*s as i64)))
            .map(|value| proto::Dim { value: Some(value) })
            .collect(),
    });
    proto::ValueInfo {
        name: name.into(),
        r#type: Some(proto::Type {
            tensor_type: Some(proto::TensorType {
                elem_type: 1,
                shape,
            }),
        }),
    }
}
