//! Registration of networks: their name in the fixtures, and how to run them.

use std::collections::BTreeMap;

use burn::tensor::{Tensor, TensorData};
use realscope_nn::efficientnet_lite::EfficientNetLiteConfig;
use realscope_engine::{self as engine, EngineKind, Threads};
use realscope_nn::npr::NprConfig;
use realscope_nn::onnx::{Edge, Graph};
use realscope_nn::resnet::ResNetConfig;
use realscope_nn::vit::{ClipVision, ViT, VitConfig};
use realscope_nn::{Cpu, Eager, Exec, Parameters, StateDict};

/// Values by name: sizes and numbers.
pub type Values = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// A network under test: all its named results for one picture batch, computed by `engine`
/// (`None`: Burn itself).
pub type Run = fn(&StateDict, [usize; 4], Vec<f32>, Option<EngineKind>) -> Result<Values, String>;

/// A registered network.
pub struct Network {
    /// Name of its fixture.
    pub name: &'static str,
    /// Runs it.
    pub run: Run,
    /// How a fixture's output name maps to (input, result name), where they differ.
    pub aliases: &'static [(&'static str, &'static str, &'static str)],
}

/// Every network that can be checked.
pub const NETWORKS: &[Network] = &[
    Network {
        name: "npr",
        run: npr,
        aliases: &[("logit_small", "x_small", "logit")],
    },
    Network {
        name: "efficientnet-lite0",
        run: efficientnet_lite0,
        aliases: &[],
    },
    Network {
        name: "torchvision-resnet50",
        run: |d, s, x, e| resnet(d, s, x, e, &ResNetConfig::resnet50()),
        aliases: &[],
    },
    Network {
        name: "cnndetection",
        run: |d, s, x, e| resnet(d, s, x, e, &ResNetConfig::cnndetection()),
        aliases: &[],
    },
    Network {
        name: "clip-vit-b16-vision",
        run: |d, s, x, e| clip(d, s, x, e, &VitConfig::clip_b16()),
        aliases: &[],
    },
    Network {
        name: "clip-vit-l14-vision",
        run: |d, s, x, e| clip(d, s, x, e, &VitConfig::clip_l14()),
        aliases: &[],
    },
    Network {
        name: "vit-base-patch16-224",
        run: vit,
        aliases: &[],
    },
];

fn device() -> <Cpu as burn::tensor::backend::BackendTypes>::Device {
    Default::default()
}

/// Runs `forward` in Burn or, exported, in an engine. `forward` names its outputs by tapping them.
macro_rules! execute {
    ($shape:expr, $pixels:expr, $engine:expr, |$x:ident, $input:ident| $forward:expr) => {{
        let (shape, pixels): ([usize; 4], Vec<f32>) = ($shape, $pixels);
        match $engine {
            None => {
                let mut eager = Eager::with_taps();
                {
                    let $x = &mut eager;
                    let $input =
                        Tensor::<Cpu, 4>::from_data(TensorData::new(pixels, shape), &device());
                    $forward
                }
                Ok(eager
                    .into_taps()
                    .into_iter()
                    .map(|(k, v)| (k, (v.shape.to_vec(), v.iter::<f32>().collect())))
                    .collect())
            }
            Some(kind) => {
                let mut graph = Graph::new("parity", true);
                {
                    // Another batch size than the one that runs: the graph must not depend on it.
                    let $input: Edge<4> =
                        graph.input("x", [shape[0] + 1, shape[1], shape[2], shape[3]]);
                    let $x = &mut graph;
                    $forward
                }
                let engine = engine::load(kind, graph.encode()).map_err(|e| e.to_string())?;
                let outputs = engine.run_all(&pixels, &shape, &Threads::all()).map_err(|e| e.to_string())?;
                Ok(outputs
                    .into_iter()
                    .map(|o| (o.name, (o.shape, o.values)))
                    .collect())
            }
        }
    }};
}

fn npr(
    dict: &StateDict,
    shape: [usize; 4],
    pixels: Vec<f32>,
    engine: Option<EngineKind>,
) -> Result<Values, String> {
    let mut net = NprConfig::published().init::<Cpu>(&device());
    net.load(dict, &device()).map_err(|e| e.to_string())?;
    execute!(shape, pixels, engine, |x, input| {
        let logit = net.forward(x, input);
        Exec::<Cpu>::tap(x, "logit", &logit);
    })
}

fn efficientnet_lite0(
    dict: &StateDict,
    shape: [usize; 4],
    pixels: Vec<f32>,
    engine: Option<EngineKind>,
) -> Result<Values, String> {
    let mut net = EfficientNetLiteConfig::lite0().init::<Cpu>(&device());
    net.load(dict, &device()).map_err(|e| e.to_string())?;
    execute!(shape, pixels, engine, |x, input| {
        let logits = net.forward(x, input);
        Exec::<Cpu>::tap(x, "logits", &logits);
    })
}

fn resnet(
    dict: &StateDict,
    shape: [usize; 4],
    pixels: Vec<f32>,
    engine: Option<EngineKind>,
    config: &ResNetConfig,
) -> Result<Values, String> {
    let mut net = config.init::<Cpu>(&device());
    net.load(dict, &device()).map_err(|e| e.to_string())?;
    execute!(shape, pixels, engine, |x, input| {
        let out = net.forward(x, input);
        Exec::<Cpu>::tap(x, "out", &out);
    })
}

fn clip(
    dict: &StateDict,
    shape: [usize; 4],
    pixels: Vec<f32>,
    engine: Option<EngineKind>,
    config: &VitConfig,
) -> Result<Values, String> {
    let mut net = config.init_clip::<Cpu>(&device());
    net.load(&ClipVision::<Cpu>::canonical(dict.clone()), &device())
        .map_err(|e| e.to_string())?;
    execute!(shape, pixels, engine, |x, input| {
        let out = net.forward(x, input);
        Exec::<Cpu>::tap(x, "image_embeds", &out.embedding);
        Exec::<Cpu>::tap(x, "pooled", &out.pooled);
        Exec::<Cpu>::tap(x, "last_hidden_state", &out.last);
    })
}

fn vit(
    dict: &StateDict,
    shape: [usize; 4],
    pixels: Vec<f32>,
    engine: Option<EngineKind>,
) -> Result<Values, String> {
    let mut net = VitConfig::vit_b16().init_vit::<Cpu>(&device());
    net.load(&ViT::<Cpu>::canonical(dict), &device())
        .map_err(|e| e.to_string())?;
    execute!(shape, pixels, engine, |x, input| {
        let logits = net.forward(x, input);
        Exec::<Cpu>::tap(x, "logits", &logits);
    })
}
