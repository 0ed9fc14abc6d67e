//! Vision Transformers (Dosovitskiy et al., ICLR 2021, arXiv 2010.11929) and the image tower of CLIP
//! (Radford et al., ICML 2021, arXiv 2103.00020).
//!
//! [`ClipVision`] has the keys of Hugging Face's `CLIPVisionModelWithProjection`, with or without
//! the `vision_model.` prefix; [`ViT`] those of timm. Both share [`Block`].

use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::exec::Exec;
use crate::params::{self, ParamVisitor, Parameters};
use crate::weights::{StateDict, WeightsError};

/// Activation between the two layers of a block's MLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// Exact GELU.
    Gelu,
    /// GELU by its tangent approximation.
    GeluTanh,
    /// `x sigmoid(1.702 x)`.
    QuickGelu,
}

/// Sizes of a transformer on picture patches.
#[derive(Clone, Debug, PartialEq)]
pub struct VitConfig {
    /// Side of the square input in pixels.
    pub image: usize,
    /// Side of a patch in pixels.
    pub patch: usize,
    /// Width of a token.
    pub hidden: usize,
    /// Number of blocks.
    pub depth: usize,
    /// Attention heads.
    pub heads: usize,
    /// Width of a block's MLP.
    pub mlp: usize,
    /// Size of the output: CLIP's projection or the classes.
    pub outputs: usize,
}

impl VitConfig {
    /// CLIP ViT-B/16.
    #[must_use]
    pub fn clip_b16() -> Self {
        Self {
            image: 224,
            patch: 16,
            hidden: 768,
            depth: 12,
            heads: 12,
            mlp: 3072,
            outputs: 512,
        }
    }

    /// CLIP ViT-L/14.
    #[must_use]
    pub fn clip_l14() -> Self {
        Self {
            image: 224,
            patch: 14,
            hidden: 1024,
            depth: 24,
            heads: 16,
            mlp: 4096,
            outputs: 768,
        }
    }

    /// timm's `vit_base_patch16_224`.
    #[must_use]
    pub fn vit_b16() -> Self {
        Self {
            outputs: 1000,
            ..Self::clip_b16()
        }
    }

    /// timm's `vit_small_patch16_384` with one output.
    #[must_use]
    pub fn vit_s16_384() -> Self {
        Self {
            image: 384,
            patch: 16,
            hidden: 384,
            depth: 12,
            heads: 6,
            mlp: 1536,
            outputs: 1,
        }
    }

    /// Tokens of a picture, the class token included.
    #[must_use]
    pub fn tokens(&self) -> usize {
        (self.image / self.patch).pow(2) + 1
    }

    /// CLIP image tower with random weights.
    pub fn init_clip<B: Backend>(&self, device: &B::Device) -> ClipVision<B> {
        ClipVision {
            class: Param::from_tensor(Tensor::zeros([self.hidden], device)),
            patch: self.patch_conv(false, device),
            position: Param::from_tensor(Tensor::zeros([self.tokens(), self.hidden], device)),
            pre: LayerNormConfig::new(self.hidden)
                .with_epsilon(CLIP_EPS)
                .init(device),
            blocks: self.blocks(CLIP_EPS, device),
            post: LayerNormConfig::new(self.hidden)
                .with_epsilon(CLIP_EPS)
                .init(device),
            projection: LinearConfig::new(self.hidden, self.outputs)
                .with_bias(false)
                .init(device),
        }
    }

    /// timm-style classifier with random weights.
    pub fn init_vit<B: Backend>(&self, device: &B::Device) -> ViT<B> {
        ViT {
            class: Param::from_tensor(Tensor::zeros([1, 1, self.hidden], device)),
            position: Param::from_tensor(Tensor::zeros([1, self.tokens(), self.hidden], device)),
            patch: self.patch_conv(true, device),
            blocks: self.blocks(VIT_EPS, device),
            norm: LayerNormConfig::new(self.hidden)
                .with_epsilon(VIT_EPS)
                .init(device),
            head: LinearConfig::new(self.hidden, self.outputs).init(device),
        }
    }

    fn patch_conv<B: Backend>(&self, bias: bool, device: &B::Device) -> Conv2d<B> {
        Conv2dConfig::new([3, self.hidden], [self.patch; 2])
            .with_stride([self.patch; 2])
            .with_bias(bias)
            .init(device)
    }

    pub(crate) fn blocks<B: Backend>(&self, eps: f64, device: &B::Device) -> Vec<Block<B>> {
        let layer = |inputs, outputs| Adaptable::new(inputs, outputs, device);
        let norm = || {
            LayerNormConfig::new(self.hidden)
                .with_epsilon(eps)
                .init(device)
        };
        (0..self.depth)
            .map(|_| Block {
                norm1: norm(),
                attention: Attention::new(self.hidden, self.heads, device),
                norm2: norm(),
                fc1: layer(self.hidden, self.mlp),
                fc2: layer(self.mlp, self.hidden),
            })
            .collect()
    }
}

pub(crate) const CLIP_EPS: f64 = 1e-5;
const VIT_EPS: f64 = 1e-6;

/// A linear layer, and where a tower was adapted a low-rank update beside it.
#[derive(Module, Debug)]
struct Adaptable<B: Backend> {
    linear: Linear<B>,
    update: Option<Update<B>>,
}

/// `B A x` of LoRA (Hu et al., ICLR 2022, arXiv 2106.09685), its scaling part of `up`.
#[derive(Module, Debug)]
struct Update<B: Backend> {
    down: Linear<B>,
    up: Linear<B>,
}

impl<B: Backend> Adaptable<B> {
    fn new(inputs: usize, outputs: usize, device: &B::Device) -> Self {
        Self {
            linear: LinearConfig::new(inputs, outputs).init(device),
            update: None,
        }
    }

    fn forward<X: Exec<B>>(&self, x: &mut X, input: X::V<3>) -> X::V<3> {
        let y = x.linear(&self.linear, input.clone());
        let Some(update) = &self.update else {
            return y;
        };
        let h = x.linear(&update.down, input);
        let h = x.linear(&update.up, h);
        x.add(y, h)
    }

    fn walk(&mut self, v: &mut dyn ParamVisitor<B>, key: &str) {
        params::linear(v, key, &mut self.linear);
        if let Some(update) = &mut self.update {
            params::linear(v, &format!("{key}.{DOWN}"), &mut update.down);
            params::linear(v, &format!("{key}.{UP}"), &mut update.up);
        }
    }
}

/// Names of an update's factors in the layout of PEFT.
const DOWN: &str = "lora_A";
const UP: &str = "lora_B";

/// Attention with several heads.
#[derive(Module, Debug)]
pub(crate) struct Attention<B: Backend> {
    query: Adaptable<B>,
    key: Adaptable<B>,
    value: Adaptable<B>,
    out: Adaptable<B>,
    heads: usize,
}

impl<B: Backend> Attention<B> {
    pub(crate) fn new(width: usize, heads: usize, device: &B::Device) -> Self {
        let square = || Adaptable::new(width, width, device);
        Self {
            query: square(),
            key: square(),
            value: square(),
            out: square(),
            heads,
        }
    }

    /// Tokens `[n, tokens, width]` of the same.
    pub(crate) fn forward<X: Exec<B>>(&self, x: &mut X, h: X::V<3>) -> X::V<3> {
        self.across(x, h.clone(), h)
    }

    /// One token for each of `asking`, made of the tokens `asked`; `[n, tokens, width]` both.
    pub(crate) fn across<X: Exec<B>>(&self, x: &mut X, asking: X::V<3>, asked: X::V<3>) -> X::V<3> {
        let [n, tokens, width] = x.dims(&asking);
        let head = width / self.heads;
        let split = |x: &mut X, layer: &Adaptable<B>, h: &X::V<3>, axes| {
            let [_, tokens, _] = x.dims(h);
            let y = layer.forward(x, h.clone());
            let y = x.reshape(y, [n, tokens, self.heads, head]);
            x.permute(y, axes)
        };
        let q = split(x, &self.query, &asking, [0, 2, 1, 3]);
        let k = split(x, &self.key, &asked, [0, 2, 3, 1]);
        let v = split(x, &self.value, &asked, [0, 2, 1, 3]);
        #[expect(clippy::cast_precision_loss, reason = "a head size is small")]
        let q = x.scale(q, (head as f32).powf(-0.5));
        let weights = x.matmul(q, k);
        let weights = x.softmax(weights);
        let y = x.matmul(weights, v);
        let y = x.permute(y, [0, 2, 1, 3]);
        let y = x.reshape(y, [n, tokens, width]);
        self.out.forward(x, y)
    }

    /// Its parameters under the keys that PyTorch's users give them, those of OpenAI's CLIP after [`split_joint`].
    pub(crate) fn walk(&mut self, v: &mut dyn ParamVisitor<B>, key: &str) {
        self.key.walk(v, &format!("{key}.k_proj"));
        self.value.walk(v, &format!("{key}.v_proj"));
        self.query.walk(v, &format!("{key}.q_proj"));
        self.out.walk(v, &format!("{key}.out_proj"));
    }
}

/// Pre-norm transformer block.
#[derive(Module, Debug)]
pub struct Block<B: Backend> {
    pub(crate) norm1: LayerNorm<B>,
    pub(crate) attention: Attention<B>,
    pub(crate) norm2: LayerNorm<B>,
    fc1: Adaptable<B>,
    fc2: Adaptable<B>,
}

impl<B: Backend> Block<B> {
    /// Tokens after the block; `names` are what taps of attention, second normalisation and block
    /// are called.
    pub(crate) fn forward<X: Exec<B>>(
        &self,
        x: &mut X,
        input: X::V<3>,
        activation: Activation,
        eps: f64,
        names: [String; 3],
    ) -> X::V<3> {
        let h = x.layer_norm(&self.norm1, eps, input.clone());
        let h = self.attention.forward(x, h);
        x.tap(&names[0], &h);
        let input = x.add(input, h);
        let h = x.layer_norm(&self.norm2, eps, input.clone());
        x.tap(&names[1], &h);
        let h = self.mlp(x, h, activation);
        let h = x.add(input, h);
        x.tap(&names[2], &h);
        h
    }

    /// The MLP at each of the normalised tokens.
    pub(crate) fn mlp<X: Exec<B>>(&self, x: &mut X, h: X::V<3>, activation: Activation) -> X::V<3> {
        let h = self.fc1.forward(x, h);
        let h = match activation {
            Activation::Gelu => x.gelu(h),
            Activation::GeluTanh => x.gelu_tanh(h),
            Activation::QuickGelu => x.quick_gelu(h),
        };
        self.fc2.forward(x, h)
    }

    /// Its parameters under the keys that CLIP and SigLIP give them.
    pub(crate) fn walk_clip(&mut self, v: &mut dyn ParamVisitor<B>, key: &str) {
        self.attention.walk(v, &format!("{key}.self_attn"));
        params::layer_norm(v, &format!("{key}.layer_norm1"), &mut self.norm1);
        self.fc1.walk(v, &format!("{key}.mlp.fc1"));
        self.fc2.walk(v, &format!("{key}.mlp.fc2"));
        params::layer_norm(v, &format!("{key}.layer_norm2"), &mut self.norm2);
    }

    /// Its parameters under the keys of OpenAI's CLIP, after [`split_joint`].
    pub(crate) fn walk_openai(&mut self, v: &mut dyn ParamVisitor<B>, key: &str) {
        self.attention.walk(v, &format!("{key}.attn"));
        params::layer_norm(v, &format!("{key}.ln_1"), &mut self.norm1);
        self.fc1.walk(v, &format!("{key}.mlp.c_fc"));
        self.fc2.walk(v, &format!("{key}.mlp.c_proj"));
        params::layer_norm(v, &format!("{key}.ln_2"), &mut self.norm2);
    }
}

/// `KEY.in_proj_weight` and `KEY.in_proj_bias`, in which PyTorch joins an attention's three layers, as the weight and
/// bias of `KEY.q_proj`, `KEY.k_proj` and `KEY.v_proj`.
#[must_use]
pub fn split_joint(dict: &StateDict) -> StateDict {
    thirds(dict, |key| {
        let (attention, kind) = key.split_once(".in_proj_")?;
        Some(["q", "k", "v"].map(|part| format!("{attention}.{part}_proj.{kind}")))
    })
}

/// The tensors for which `parts` has three keys, cut in three along their first dimension; all others as they are.
fn thirds(dict: &StateDict, parts: impl Fn(&str) -> Option<[String; 3]>) -> StateDict {
    let mut split = StateDict::default();
    for key in dict.keys() {
        let Some((shape, values)) = dict.get(key) else {
            continue;
        };
        match parts(key) {
            Some(parts)
                if shape.first().is_some_and(|rows| rows.is_multiple_of(3))
                    && values.len() >= 3 =>
            {
                let mut third = shape.to_vec();
                third[0] /= 3;
                for (part, chunk) in parts.iter().zip(values.chunks(values.len() / 3)) {
                    split.insert(part, third.clone(), chunk.to_vec());
                }
            }
            _ => split.insert(key, shape.to_vec(), values.to_vec()),
        }
    }
    split
}

/// Mean and deviation of tokens `[n, tokens, hidden]`, `[n, hidden]` each.
pub(crate) fn statistics<B: Backend, X: Exec<B>>(x: &mut X, tokens: X::V<3>) -> [X::V<2>; 2] {
    let [n, _, hidden] = x.dims(&tokens);
    let mean = x.mean_dim(tokens.clone(), 1);
    let centred = x.sub(tokens, mean.clone());
    let square = x.mul(centred.clone(), centred);
    let variance = x.mean_dim(square, 1);
    let deviation = x.sqrt(variance);
    [mean, deviation].map(|v| x.reshape(v, [n, hidden]))
}

/// Patches as tokens, class token ahead, positions added.
pub(crate) fn embed<B: Backend, X: Exec<B>>(
    x: &mut X,
    patch: &Conv2d<B>,
    class: Tensor<B, 3>,
    position: Tensor<B, 3>,
    input: X::V<4>,
    patch_name: &str,
) -> X::V<3> {
    let h = x.conv2d(patch, None, input);
    let [n, hidden, rows, columns] = x.dims(&h);
    let h = x.reshape(h, [n, hidden, rows * columns]);
    let h = x.permute(h, [0, 2, 1]);
    x.tap(patch_name, &h);
    // The class token is constant, so it is added together with the positions to a zero token:
    // the graph then needs no expansion to the batch size.
    let h = x.pad_front(h, 1, 1);
    let first = position.clone().narrow(1, 0, 1) + class;
    let constant = Tensor::cat(vec![first, position.narrow(1, 1, rows * columns)], 1);
    let constant = x.tensor(constant);
    x.add(h, constant)
}

/// CLIP's image tower with its projection.
#[derive(Module, Debug)]
pub struct ClipVision<B: Backend> {
    class: Param<Tensor<B, 1>>,
    patch: Conv2d<B>,
    position: Param<Tensor<B, 2>>,
    pre: LayerNorm<B>,
    blocks: Vec<Block<B>>,
    post: LayerNorm<B>,
    projection: Linear<B>,
}

/// What the image tower yields.
pub struct ClipOutput<V2, V3> {
    /// Projected class token, not normalised, `[n, outputs]`.
    pub embedding: V2,
    /// Class token after the last normalisation, `[n, hidden]`.
    pub pooled: V2,
    /// Tokens after the last block, `[n, tokens, hidden]`.
    pub last: V3,
    /// Per block: class token and mean patch token, `[n, 2 * depth * hidden]`, block by block.
    pub block_features: V2,
}

impl<B: Backend> ClipVision<B> {
    /// Class token and mean patch token of each block for pictures `[n, 3, image, image]` in CLIP
    /// normalisation, `[n, 2 * depth * hidden]`, block by block.
    pub fn block_features<X: Exec<B>>(&self, x: &mut X, input: X::V<4>) -> X::V<2> {
        self.tower(x, input).1
    }

    /// Class token, and mean and standard deviation of the patch tokens of each block,
    /// `[n, 3 * depth * hidden]`, block by block.
    pub fn block_statistics<X: Exec<B>>(&self, x: &mut X, input: X::V<4>) -> X::V<2> {
        self.walk_blocks(x, input, true, usize::MAX).1
    }

    /// The last `width` values of [`Self::block_statistics`], or without `deviations` of [`Self::block_features`]; nothing
    /// is computed of blocks that give none of them.
    pub fn last_features<X: Exec<B>>(
        &self,
        x: &mut X,
        input: X::V<4>,
        deviations: bool,
        width: usize,
    ) -> X::V<2> {
        let features = self.walk_blocks(x, input, deviations, width).1;
        let [_, all] = x.dims(&features);
        if all <= width {
            features
        } else {
            x.narrow(features, 1, all - width, width)
        }
    }

    /// Tokens after the last block, and the features of all blocks.
    fn tower<X: Exec<B>>(&self, x: &mut X, input: X::V<4>) -> (X::V<3>, X::V<2>) {
        self.walk_blocks(x, input, false, usize::MAX)
    }

    /// Tokens after the last block, and the features of the last blocks, as many as `width` values need.
    fn walk_blocks<X: Exec<B>>(
        &self,
        x: &mut X,
        input: X::V<4>,
        deviations: bool,
        width: usize,
    ) -> (X::V<3>, X::V<2>) {
        let h = embed(
            x,
            &self.patch,
            self.class.val().unsqueeze(),
            self.position.val().unsqueeze(),
            input,
            "vision_model.embeddings.patch_embedding",
        );
        x.tap("vision_model.embeddings", &h);
        let mut h = x.layer_norm(&self.pre, CLIP_EPS, h);
        x.tap("vision_model.pre_layrnorm", &h);
        let [n, tokens, hidden] = x.dims(&h);
        let mut features = Vec::with_capacity(3 * self.blocks.len());
        let of_a_block = hidden * if deviations { 3 } else { 2 };
        let unread = self.blocks.len().saturating_sub(width.div_ceil(of_a_block));
        for (i, block) in self.blocks.iter().enumerate() {
            let name = format!("vision_model.encoder.layers.{i}");
            let names = [
                format!("{name}.self_attn"),
                format!("{name}.layer_norm2"),
                name,
            ];
            h = block.forward(x, h, Activation::QuickGelu, CLIP_EPS, names);
            if i < unread {
                continue;
            }
            let class = x.narrow(h.clone(), 1, 0, 1);
            features.push(x.reshape(class, [n, hidden]));
            let patches = x.narrow(h.clone(), 1, 1, tokens - 1);
            let mean = x.mean_dim(patches.clone(), 1);
            features.push(x.reshape(mean.clone(), [n, hidden]));
            if deviations {
                let centred = x.sub(patches, mean);
                let square = x.mul(centred.clone(), centred);
                let variance = x.mean_dim(square, 1);
                let deviation = x.sqrt(variance);
                features.push(x.reshape(deviation, [n, hidden]));
            }
        }
        let features = x.cat(features, 1);
        (h, features)
    }

    /// All outputs for pictures `[n, 3, image, image]` in CLIP normalisation.
    pub fn forward<X: Exec<B>>(&self, x: &mut X, input: X::V<4>) -> ClipOutput<X::V<2>, X::V<3>> {
        let (h, block_features) = self.tower(x, input);
        let [n, _, hidden] = x.dims(&h);
        let class = x.narrow(h.clone(), 1, 0, 1);
        let class = x.reshape(class, [n, hidden]);
        let pooled = x.layer_norm(&self.post, CLIP_EPS, class);
        let embedding = x.linear(&self.projection, pooled.clone());
        ClipOutput {
            embedding,
            pooled,
            last: h,
            block_features,
        }
    }

    /// The tower with low-rank updates of its linear layers, which stay apart: keys `LAYER.lora_A.weight` `[rank, inputs]`
    /// and `LAYER.lora_B.weight` `[outputs, rank]`, scaling within.
    ///
    /// # Errors
    /// [`WeightsError`] naming the first key that lacks its partner or fits no layer.
    pub fn adapt(mut self, factors: &StateDict, device: &B::Device) -> Result<Self, WeightsError> {
        let mut dict = self.state_dict();
        for (i, block) in self.blocks.iter_mut().enumerate() {
            let p = format!("vision_model.encoder.layers.{i}");
            for (name, layer) in [
                ("self_attn.q_proj", &mut block.attention.query),
                ("self_attn.k_proj", &mut block.attention.key),
                ("self_attn.v_proj", &mut block.attention.value),
                ("self_attn.out_proj", &mut block.attention.out),
                ("mlp.fc1", &mut block.fc1),
                ("mlp.fc2", &mut block.fc2),
            ] {
                let Some((&[rank @ 1..=4096, _], _)) =
                    factors.get(&format!("{p}.{name}.{DOWN}.weight"))
                else {
                    continue;
                };
                let [inputs, outputs] = layer.linear.weight.dims();
                let factor = |from, to| LinearConfig::new(from, to).with_bias(false).init(device);
                layer.update = Some(Update {
                    down: factor(inputs, rank),
                    up: factor(rank, outputs),
                });
            }
        }
        for key in factors.keys() {
            if let Some((shape, values)) = factors.get(key) {
                dict.insert(key, shape.to_vec(), values.to_vec());
            }
        }
        self.load(&dict, device)?;
        Ok(self)
    }

    /// Brings the keys of a published file to the ones used here: the prefix is added where newer
    /// layouts drop it, text keys and `position_ids` are left out.
    #[must_use]
    pub fn canonical(dict: StateDict) -> StateDict {
        dict.renamed(|key| {
            if key.starts_with("text_") || key == "logit_scale" || key.ends_with("position_ids") {
                None
            } else if key.starts_with("vision_model.") || key.starts_with("visual_projection.") {
                Some(key.to_owned())
            } else {
                Some(format!("vision_model.{key}"))
            }
        })
    }
}

impl<B: Backend> Parameters<B> for ClipVision<B> {
    fn walk(&mut self, v: &mut dyn ParamVisitor<B>) {
        let p = "vision_model";
        params::tensor(
            v,
            &format!("{p}.embeddings.class_embedding"),
            &mut self.class,
        );
        params::conv(
            v,
            &format!("{p}.embeddings.patch_embedding"),
            &mut self.patch,
        );
        params::tensor(
            v,
            &format!("{p}.embeddings.position_embedding.weight"),
            &mut self.position,
        );
        params::layer_norm(v, &format!("{p}.pre_layrnorm"), &mut self.pre);
        for (i, block) in self.blocks.iter_mut().enumerate() {
            block.walk_clip(v, &format!("{p}.encoder.layers.{i}"));
        }
        params::layer_norm(v, &format!("{p}.post_layernorm"), &mut self.post);
        params::linear(v, "visual_projection", &mut self.projection);
    }
}

/// Classifier in timm's layout.
#[derive(Module, Debug)]
pub struct ViT<B: Backend> {
    class: Param<Tensor<B, 3>>,
    position: Param<Tensor<B, 3>>,
    patch: Conv2d<B>,
    blocks: Vec<Block<B>>,
    norm: LayerNorm<B>,
    head: Linear<B>,
}

impl<B: Backend> ViT<B> {
    /// Logits `[n, outputs]` of pictures `[n, 3, image, image]`.
    pub fn forward<X: Exec<B>>(&self, x: &mut X, input: X::V<4>) -> X::V<2> {
        let mut h = embed(
            x,
            &self.patch,
            self.class.val(),
            self.position.val(),
            input,
            "patch_embed",
        );
        for (i, block) in self.blocks.iter().enumerate() {
            let name = format!("blocks.{i}");
            let names = [format!("{name}.attn"), format!("{name}.norm2"), name];
            h = block.forward(x, h, Activation::Gelu, VIT_EPS, names);
        }
        let h = x.layer_norm(&self.norm, VIT_EPS, h);
        x.tap("norm", &h);
        x.tap("tokens", &h);
        let [n, _, hidden] = x.dims(&h);
        let class = x.narrow(h, 1, 0, 1);
        let class = x.reshape(class, [n, hidden]);
        x.tap("cls", &class);
        x.linear(&self.head, class)
    }

    /// Splits timm's joint `qkv` matrices into the three that [`Block`] holds.
    #[must_use]
    pub fn canonical(dict: &StateDict) -> StateDict {
        thirds(dict, |key| {
            let (block, kind) = key.split_once(".attn.qkv.")?;
            Some(["q", "k", "v"].map(|part| format!("{block}.attn.{part}.{kind}")))
        })
    }
}

impl<B: Backend> Parameters<B> for ViT<B> {
    fn walk(&mut self, v: &mut dyn ParamVisitor<B>) {
        params::tensor(v, "cls_token", &mut self.class);
        params::tensor(v, "pos_embed", &mut self.position);
        params::conv(v, "patch_embed.proj", &mut self.patch);
        for (i, block) in self.blocks.iter_mut().enumerate() {
            let p = format!("blocks.{i}");
            params::layer_norm(v, &format!("{p}.norm1"), &mut block.norm1);
            block.attention.query.walk(v, &format!("{p}.attn.q"));
            block.attention.key.walk(v, &format!("{p}.attn.k"));
            block.attention.value.walk(v, &format!("{p}.attn.v"));
            block.attention.out.walk(v, &format!("{p}.attn.proj"));
            params::layer_norm(v, &format!("{p}.norm2"), &mut block.norm2);
            block.fc1.walk(v, &format!("{p}.mlp.fc1"));
            block.fc2.walk(v, &format!("{p}.mlp.fc2"));
        }
        params::layer_norm(v, "norm", &mut self.norm);
        params::linear(v, "head", &mut self.head);
    }
}
