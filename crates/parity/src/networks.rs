//! Registration of networks: one line each in [`NETWORKS`], and what their results are called in the fixtures.

use std::borrow::Cow;
use std::collections::BTreeMap;

use burn::tensor::{Tensor, TensorData};
use realscope_engine::{self as engine, EngineKind, Threads};
use realscope_nn::blazeface::{BlazeFace, BlazeFaceConfig};
use realscope_nn::convnext::{ConvNext, ConvNextConfig};
use realscope_nn::d3::{D3, D3Config, evenness};
use realscope_nn::demamba::detector::{ClipDemamba, DemambaConfig, XclipDemamba};
use realscope_nn::demamba::{MambaBlock, MambaConfig};
use realscope_nn::dinov2::{DinoV2, DinoV2Config};
use realscope_nn::efficientnet_lite::{EfficientNetLite, EfficientNetLiteConfig};
use realscope_nn::genconvit::{AeNetwork, GenConvitConfig, VaeNetwork};
use realscope_nn::mtcnn::{PNet, PNetConfig, Refiner, RefinerConfig};
use realscope_nn::npr::{Npr, NprConfig};
use realscope_nn::onnx::Graph;
use realscope_nn::resnet::{ResNet50, ResNetConfig};
use realscope_nn::restrav::{Restrav, RestravConfig};
use realscope_nn::rotary_vit::{RotaryVit, RotaryVitConfig};
use realscope_nn::siglip::SiglipVision;
use realscope_nn::sta::{Adapter, AdapterConfig, Sta, StaConfig};
use realscope_nn::swin::{Swin, SwinConfig};
use realscope_nn::vit::{ClipVision, ViT, VitConfig};
use realscope_nn::xception::{Xception, XceptionConfig};
use realscope_nn::xclip::{XclipConfig, XclipVision};
use realscope_nn::{Cpu, Eager, Exec, Parameters, StateDict};

/// Makes [`NETWORKS`] of lines `name => configuration, method that makes the network;`, with the method of [`Case`] that
/// runs it behind where that is not [`Case::run`].
macro_rules! networks {
    ($($name:literal => $config:expr, $init:ident $(, $run:ident)?;)+) => {
        /// Every network that can be checked, by the name of its fixture.
        pub const NETWORKS: &[(&str, Run)] = &[
            $(($name, |case| networks!(@ case, $config.$init(&case.device) $(, $run)?)),)+
        ];
    };
    (@ $case:ident, $network:expr) => { $case.run($network) };
    (@ $case:ident, $network:expr, $run:ident) => { $case.$run($network) };
}

networks! {
    "blazeface-short" => BlazeFaceConfig::short_range(), init;
    "clip-vit-b16-vision" => VitConfig::clip_b16(), init_clip;
    "clip-vit-l14-vision" => VitConfig::clip_l14(), init_clip;
    "cnndetection" => ResNetConfig::cnndetection(), init;
    "community-forensics" => VitConfig::vit_s16_384(), init_vit, run_under_vit;
    "convnext-tiny" => ConvNextConfig::tiny(), init;
    "d3-resnet18" => D3Config::resnet18(), init;
    "deepfakebench-xception" => XceptionConfig::deepfakebench(), init;
    "demamba-block" => MambaConfig::demamba(48), init;
    "demamba-clip" => DemambaConfig::clip(), init_clip;
    "demamba-xclip" => DemambaConfig::xclip(), init_xclip;
    "dinov2-vits14" => DinoV2Config::vits14(), init;
    "dinov3-vits16" => RotaryVitConfig::dinov3_vits16(), init;
    "efficientnet-lite0" => EfficientNetLiteConfig::lite0(), init;
    "genconvit-ed" => GenConvitConfig::autoencoder(), init_autoencoder;
    "genconvit-vae" => GenConvitConfig::variational(), init_variational;
    "mtcnn-onet" => RefinerConfig::onet(), init;
    "mtcnn-pnet" => PNetConfig::published(), init;
    "mtcnn-rnet" => RefinerConfig::rnet(), init;
    "npr" => NprConfig::published(), init;
    "pe-core-b16" => RotaryVitConfig::pe_core_b16(), init;
    "restrav-mlp" => RestravConfig::published(), init;
    "siglip2-b16-vision" => VitConfig::siglip_b16(), init_siglip;
    "sta-adapter" => AdapterConfig::mixing(), init;
    "sta-detector" => StaConfig::published(), init;
    "swin-tiny" => SwinConfig::tiny(), init;
    "torchvision-resnet50" => ResNetConfig::resnet50(), init;
    "vit-base-patch16-224" => VitConfig::vit_b16(), init_vit;
    "xclip-b16-vision" => XclipConfig::b16(), init;
}

/// Runs a network on a case.
pub type Run = fn(&Case<'_>) -> Result<Values, String>;

/// Values by name: sizes and numbers.
pub type Values = BTreeMap<String, (Vec<usize>, Vec<f32>)>;

/// The CPU as Burn names it.
type Device = <Cpu as burn::tensor::backend::BackendTypes>::Device;

/// An input of a forward pass, of any rank.
#[derive(Clone, Debug)]
pub struct Input {
    /// What the network calls it.
    pub name: String,
    /// Sizes.
    pub shape: Vec<usize>,
    /// Values, row-major.
    pub values: Vec<f32>,
}

/// What a network is run on.
pub struct Case<'a> {
    /// Weights in the published layout.
    pub dict: &'a StateDict,
    /// Keys and sizes of constants that are not in `dict` and that the network must make itself.
    pub built: &'a [(String, Vec<usize>)],
    /// Inputs of one forward pass.
    pub inputs: &'a [Input],
    /// What computes; Burn itself where there is none.
    pub engine: Option<EngineKind>,
    /// Where Burn computes.
    pub device: Device,
}

/// A network under test.
pub trait Subject: Parameters<Cpu> {
    /// Weights under the keys of this network, of those of the published file.
    fn canonical(dict: &StateDict) -> Cow<'_, StateDict> {
        Cow::Borrowed(dict)
    }

    /// Taps every output under its name in the fixture.
    ///
    /// # Errors
    /// An input that is not there or has another rank.
    fn results<X: Feed>(&self, x: &mut X, inputs: &[Input]) -> Result<(), String>;
}

/// Something that computes or records, and takes inputs.
pub trait Feed: Exec<Cpu> {
    /// Takes an input.
    fn place<const D: usize>(&mut self, input: &Input, shape: [usize; D]) -> Self::V<D>;

    /// The input called `name`.
    ///
    /// # Errors
    /// It is not there or has another rank.
    fn input<const D: usize>(
        &mut self,
        inputs: &[Input],
        name: &str,
    ) -> Result<Self::V<D>, String> {
        let input = inputs
            .iter()
            .find(|i| i.name == name)
            .ok_or_else(|| format!("the fixture has no input `{name}`"))?;
        let shape = input.shape.as_slice().try_into();
        let shape = shape.map_err(|_| format!("input `{name}` is not of rank {D}"))?;
        Ok(self.place(input, shape))
    }
}

impl Feed for Eager {
    fn place<const D: usize>(&mut self, input: &Input, shape: [usize; D]) -> Tensor<Cpu, D> {
        Tensor::from_data(
            TensorData::new(input.values.clone(), shape),
            &Device::default(),
        )
    }
}

impl Feed for Graph {
    fn place<const D: usize>(&mut self, input: &Input, mut shape: [usize; D]) -> Self::V<D> {
        // Another batch size than the one that runs: the graph must not depend on it.
        shape[0] += 1;
        self.input(&input.name, shape)
    }
}

impl Case<'_> {
    /// All named results of `network` with the case's weights.
    fn run<S: Subject>(&self, mut network: S) -> Result<Values, String> {
        network
            .load(&S::canonical(self.dict), &self.device)
            .map_err(|e| e.to_string())?;
        if !self.built.is_empty() {
            let saved = network.state_dict();
            for (key, shape) in self.built {
                if saved.get(key).is_none_or(|(found, _)| found != shape) {
                    return Err(format!("`{key}` of {shape:?} is not made by the network"));
                }
            }
        }
        let Some(kind) = self.engine else {
            let mut eager = Eager::with_taps();
            network.results(&mut eager, self.inputs)?;
            let taps = eager.into_taps().into_iter();
            return Ok(taps
                .map(|(name, v)| (name, (v.shape.to_vec(), v.iter::<f32>().collect())))
                .collect());
        };
        let mut graph = Graph::new("parity", true);
        network.results(&mut graph, self.inputs)?;
        let engine = engine::load(kind, graph.encode()).map_err(|e| e.to_string())?;
        let inputs: Vec<engine::Input<'_>> = self
            .inputs
            .iter()
            .filter(|i| engine.inputs().contains(&i.name))
            .map(|i| engine::Input {
                name: &i.name,
                shape: &i.shape,
                values: &i.values,
            })
            .collect();
        let outputs: Vec<&str> = engine.outputs().iter().map(String::as_str).collect();
        let made = engine.run(&inputs, &outputs, &Threads::all());
        let made = made.map_err(|e| e.to_string())?.into_iter();
        Ok(made.map(|o| (o.name, (o.shape, o.values))).collect())
    }
}

impl Case<'_> {
    /// As [`Case::run`] for a file that holds a network of timm's under `vit.` and calls its one output `logit`.
    fn run_under_vit(&self, network: ViT<Cpu>) -> Result<Values, String> {
        let dict = self.dict.clone();
        let dict = dict.renamed(|key| key.strip_prefix("vit.").map(str::to_owned));
        let inner = Case {
            dict: &dict,
            built: self.built,
            inputs: self.inputs,
            engine: self.engine,
            device: self.device,
        };
        let named = |key: String| match key.as_str() {
            "logits" => "logit".to_owned(),
            _ => format!("vit.{key}"),
        };
        let values = inner.run(network)?.into_iter();
        Ok(values.map(|(key, v)| (named(key), v)).collect())
    }
}

impl Subject for Npr<Cpu> {
    fn results<X: Feed>(&self, x: &mut X, inputs: &[Input]) -> Result<(), String> {
        let picture = x.input(inputs, "x")?;
        let logit = self.forward(x, picture);
        x.tap("logit", &logit);
        Ok(())
    }
}

impl Subject for EfficientNetLite<Cpu> {
    fn results<X: Feed>(&self, x: &mut X, inputs: &[Input]) -> Result<(), String> {
        let picture = x.input(inputs, "x")?;
        let logits = self.forward(x, picture);
        x.tap("logits", &logits);
        Ok(())
    }
}

impl Subject for ResNet50<Cpu> {
    fn results<X: Feed>(&self, x: &mut X, inputs: &[Input]) -> Result<(), String> {
        let picture = x.input(inputs, "x")?;
        let out = self.forward(x, picture);
        x.tap("out", &out);
        Ok(())
    }
}

impl Subject for ClipVision<Cpu> {
    fn canonical(dict: &StateDict) -> Cow<'_, StateDict> {
        Cow::Owned(Self::canonical(dict.clone()))
    }

    fn results<X: Feed>(&self, x: &mut X, inputs: &[Input]) -> Result<(), String> {
        let picture = x.input(inputs, "x")?;
        let out = self.forward(x, picture);
        x.tap("image_embeds", &out.embedding);
        x.tap("pooled", &out.pooled);
        x.tap("last_hidden_state", &out.last);
        Ok(())
    }
}

impl Subject for ViT<Cpu> {
    fn canonical(dict: &StateDict) -> Cow<'_, StateDict> {
        Cow::Owned(Self::canonical(dict))
    }

    fn results<X: Feed>(&self, x: &mut X, inputs: &[Input]) -> Result<(), String> {
        let picture = x.input(inputs, "x")?;
        let logits = self.forward(x, picture);
        x.tap("logits", &logits);
        Ok(())
    }
}

impl Subject for Swin<Cpu> {
    fn results<X: Feed>(&self, x: &mut X, inputs: &[Input]) -> Result<(), String> {
        let picture = x.input(inputs, "x")?;
        let features = self.features(x, picture);
        x.tap("features", &features);
        let logits = self.classify(x, features);
        x.tap("logits", &logits);
        Ok(())
    }
}

impl Subject for ConvNext<Cpu> {
    fn results<X: Feed>(&self, x: &mut X, inputs: &[Input]) -> Result<(), String> {
        let picture = x.input(inputs, "x")?;
        let features = self.features(x, picture);
        x.tap("features", &features);
        let pooled = self.pool(x, features);
        x.tap("pooled", &pooled);
        let logits = self.classify(x, pooled);
        x.tap("logits", &logits);
        Ok(())
    }
}

impl Subject for Xception<Cpu> {
    fn results<X: Feed>(&self, x: &mut X, inputs: &[Input]) -> Result<(), String> {
        let face = x.input(inputs, "image")?;
        let features = self.features(x, face);
        x.tap("feat", &features);
        let logits = self.classify(x, features);
        x.tap("cls", &logits);
        let [n, _] = x.dims(&logits);
        let probabilities = x.softmax(logits);
        let fake = x.narrow(probabilities, 1, 1, 1);
        let fake = x.reshape(fake, [n]);
        x.tap("prob", &fake);
        Ok(())
    }
}

impl Subject for DinoV2<Cpu> {
    fn results<X: Feed>(&self, x: &mut X, inputs: &[Input]) -> Result<(), String> {
        let picture = x.input(inputs, "x")?;
        let out = self.forward(x, picture);
        x.tap("prenorm", &out.prenorm);
        let [n, tokens, hidden] = x.dims(&out.tokens);
        let class = x.narrow(out.tokens.clone(), 1, 0, 1);
        let class = x.reshape(class, [n, hidden]);
        x.tap("cls", &class);
        let patches = x.narrow(out.tokens.clone(), 1, 1, tokens - 1);
        x.tap("patch_tokens", &patches);
        let joined = x.reshape(out.tokens, [n, tokens * hidden]);
        x.tap("restrav_embedding", &joined);
        Ok(())
    }
}

impl Subject for RotaryVit<Cpu> {
    fn results<X: Feed>(&self, x: &mut X, inputs: &[Input]) -> Result<(), String> {
        let picture = x.input(inputs, "x")?;
        let out = self.forward(x, picture);
        x.tap("features", &out.tokens);
        x.tap("pooled", &out.pooled);
        Ok(())
    }
}

impl Subject for SiglipVision<Cpu> {
    fn canonical(dict: &StateDict) -> Cow<'_, StateDict> {
        Cow::Owned(Self::canonical(dict))
    }

    fn results<X: Feed>(&self, x: &mut X, inputs: &[Input]) -> Result<(), String> {
        let picture = x.input(inputs, "pixel_values")?;
        let out = self.forward(x, picture);
        x.tap("last_hidden_state", &out.tokens);
        x.tap("pooler_output", &out.pooled);
        Ok(())
    }
}

impl Subject for MambaBlock<Cpu> {
    fn results<X: Feed>(&self, x: &mut X, inputs: &[Input]) -> Result<(), String> {
        let tokens = x.input(inputs, "x")?;
        let out = self.forward(x, tokens);
        x.tap("out", &out);
        Ok(())
    }
}

impl Subject for BlazeFace<Cpu> {
    fn results<X: Feed>(&self, x: &mut X, inputs: &[Input]) -> Result<(), String> {
        let picture = x.input(inputs, "x")?;
        let faces = self.forward(x, picture);
        x.tap("regression", &faces.regression);
        x.tap("classification", &faces.classification);
        Ok(())
    }
}

impl Subject for PNet<Cpu> {
    fn results<X: Feed>(&self, x: &mut X, inputs: &[Input]) -> Result<(), String> {
        let picture = x.input(inputs, "x")?;
        let [boxes, probabilities] = self.forward(x, picture);
        x.tap("boxes", &boxes);
        x.tap("prob", &probabilities);
        Ok(())
    }
}

impl Subject for Refiner<Cpu> {
    fn results<X: Feed>(&self, x: &mut X, inputs: &[Input]) -> Result<(), String> {
        let crops = x.input(inputs, "x")?;
        let out = self.forward(x, crops);
        x.tap("boxes", &out.boxes);
        x.tap("prob", &out.probabilities);
        if let Some(landmarks) = &out.landmarks {
            x.tap("landmarks", landmarks);
        }
        Ok(())
    }
}

impl Subject for D3<Cpu> {
    fn results<X: Feed>(&self, x: &mut X, inputs: &[Input]) -> Result<(), String> {
        let clips = x.input(inputs, "x")?;
        let features = self.features(x, clips);
        x.tap("features", &features);
        let out = evenness(x, features);
        x.tap("mean_second_difference", &out.mean);
        x.tap("score", &out.score);
        Ok(())
    }
}

impl Subject for Restrav<Cpu> {
    fn results<X: Feed>(&self, x: &mut X, inputs: &[Input]) -> Result<(), String> {
        let numbers = x.input(inputs, "x")?;
        let logit = self.forward(x, numbers);
        x.tap("logit", &logit);
        Ok(())
    }
}

impl Subject for AeNetwork<Cpu> {
    fn results<X: Feed>(&self, x: &mut X, inputs: &[Input]) -> Result<(), String> {
        let face = x.input(inputs, "x")?;
        let out = self.forward(x, face);
        x.tap("logits", &out.logits);
        x.tap("latent", &out.latent);
        x.tap("reconstruction", &out.reconstruction);
        x.tap("backbone_of_reconstruction", &out.of_reconstruction);
        x.tap("backbone_of_image", &out.of_picture);
        Ok(())
    }
}

impl Subject for VaeNetwork<Cpu> {
    fn results<X: Feed>(&self, x: &mut X, inputs: &[Input]) -> Result<(), String> {
        let face = x.input(inputs, "x")?;
        let noise = x.input(inputs, "eps")?;
        let view = self.look(x, face);
        x.tap("mu", &view.mu);
        x.tap("backbone_of_image", &view.of_picture);
        let still = self.answer(x, &view, None);
        x.tap("logits_eps0", &still.logits);
        x.tap("decoded_eps0", &still.decoded);
        x.tap("backbone_of_decoded_eps0", &still.of_decoded);
        let resized = self.resized(x, still.decoded);
        x.tap("resized_eps0", &resized);
        let drawn = x.within("drawn", |x| self.answer(x, &view, Some(noise)));
        x.tap("logits", &drawn.logits);
        x.tap("decoded", &drawn.decoded);
        x.tap("backbone_of_decoded", &drawn.of_decoded);
        let divergence = self.divergence(x, &view);
        x.tap("kl", &divergence);
        Ok(())
    }
}

impl Subject for XclipVision<Cpu> {
    fn canonical(dict: &StateDict) -> Cow<'_, StateDict> {
        Cow::Owned(Self::canonical(dict.clone()))
    }

    fn results<X: Feed>(&self, x: &mut X, inputs: &[Input]) -> Result<(), String> {
        let frames = x.input(inputs, "x")?;
        let out = self.forward(x, frames);
        x.tap("last_hidden_state", &out.tokens);
        x.tap("pooler_output", &out.pooled);
        Ok(())
    }
}

impl Subject for XclipDemamba<Cpu> {
    fn canonical(dict: &StateDict) -> Cow<'_, StateDict> {
        Cow::Owned(Self::canonical(dict.clone()))
    }

    fn results<X: Feed>(&self, x: &mut X, inputs: &[Input]) -> Result<(), String> {
        let clips = x.input(inputs, "x")?;
        let logit = self.forward(x, clips);
        x.tap("logit", &logit);
        Ok(())
    }
}

impl Subject for ClipDemamba<Cpu> {
    fn canonical(dict: &StateDict) -> Cow<'_, StateDict> {
        Cow::Owned(Self::canonical(dict.clone()))
    }

    fn results<X: Feed>(&self, x: &mut X, inputs: &[Input]) -> Result<(), String> {
        let clips = x.input(inputs, "x")?;
        let logit = self.forward(x, clips);
        x.tap("logit", &logit);
        Ok(())
    }
}

impl Subject for Adapter<Cpu> {
    fn canonical(dict: &StateDict) -> Cow<'_, StateDict> {
        Cow::Owned(Self::canonical(dict))
    }

    fn results<X: Feed>(&self, x: &mut X, inputs: &[Input]) -> Result<(), String> {
        let tokens = x.input(inputs, "x")?;
        // The published class takes the token first.
        let side = inputs[0].shape[0].saturating_sub(1).isqrt();
        let tokens = x.permute(tokens, [1, 0, 2]);
        let out = self.forward(x, tokens, side);
        let out = x.permute(out, [1, 0, 2]);
        x.tap("out", &out);
        Ok(())
    }
}

impl Subject for Sta<Cpu> {
    fn canonical(dict: &StateDict) -> Cow<'_, StateDict> {
        Cow::Owned(Self::canonical(dict))
    }

    fn results<X: Feed>(&self, x: &mut X, inputs: &[Input]) -> Result<(), String> {
        let clips = x.input(inputs, "x")?;
        let features = self.features(x, clips);
        let logits = self.classify(x, features.clone());
        x.tap("logits", &logits);
        let [n, frames, width] = x.dims(&features);
        let features = x.permute(features, [0, 2, 1]);
        let features = x.reshape(features, [n, width, frames, 1, 1]);
        x.tap("feature", &features);
        let probabilities = x.softmax(logits);
        let fake = x.narrow(probabilities, 1, 1, 1);
        let fake = x.reshape(fake, [n]);
        x.tap("prob", &fake);
        Ok(())
    }
}
