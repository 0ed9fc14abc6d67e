//! One walk over a network's tensors serves loading, saving and listing keys.
//!
//! A network implements [`Parameters`] by naming each of its layers with the key of the published
//! checkpoint. What differs between Burn and PyTorch (a linear weight's orientation, `gamma` and
//! `weight`, running statistics) is settled here once.

use burn::module::{Param, RunningState};
use burn::nn::conv::{Conv1d, Conv2d, Conv3d, ConvTranspose2d};
use burn::nn::{BatchNorm, GroupNorm, InstanceNorm, LayerNorm, Linear, RmsNorm};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

use crate::weights::{StateDict, WeightsError};

/// A network whose tensors can be walked under their published keys.
pub trait Parameters<B: Backend> {
    /// Shows every tensor to `visitor`, in the order of the published state dict.
    fn walk(&mut self, visitor: &mut dyn ParamVisitor<B>);

    /// Replaces every tensor from `dict`.
    ///
    /// # Errors
    /// [`WeightsError`] naming the first missing, misshapen or extra key. Integer counters
    /// (`num_batches_tracked`) are accepted and ignored.
    fn load(&mut self, dict: &StateDict, device: &B::Device) -> Result<(), WeightsError> {
        let mut loader = Loader::new(dict, device);
        self.walk(&mut loader);
        loader.finish()
    }

    /// All tensors under their published keys.
    fn state_dict(&mut self) -> StateDict {
        let mut saver = Saver::default();
        self.walk(&mut saver);
        saver.dict
    }
}

/// Receives each tensor with its key and shape.
///
/// `exchange` gets the tensor's present value in the published layout and may return another one.
pub trait ParamVisitor<B: Backend> {
    /// One tensor: key, sizes in the published layout, a way to read it. A returned value replaces it.
    fn exchange(
        &mut self,
        key: &str,
        shape: &[usize],
        read: &dyn Fn() -> TensorData,
    ) -> Option<TensorData>;
    /// One constant that published files carry although the network makes it itself: key, sizes, a way to make it.
    fn built(&mut self, key: &str, shape: &[usize], make: &dyn Fn() -> Vec<f32>);
    /// Where replaced tensors live.
    fn device(&self) -> B::Device;
}

/// Shows a plain parameter.
pub fn tensor<B: Backend, const D: usize>(
    v: &mut dyn ParamVisitor<B>,
    key: &str,
    p: &mut Param<Tensor<B, D>>,
) {
    let present = p.val();
    if let Some(data) = v.exchange(key, &present.dims(), &|| present.to_data()) {
        let fresh = Tensor::from_data(data, &v.device());
        set(p, fresh);
    }
}

/// Shows all tensors of `inner`, `key` and a point ahead of their keys.
pub fn nested<B: Backend>(v: &mut dyn ParamVisitor<B>, key: &str, inner: &mut impl Parameters<B>) {
    inner.walk(&mut Nested { key, outer: v });
}

struct Nested<'a, B: Backend> {
    key: &'a str,
    outer: &'a mut dyn ParamVisitor<B>,
}

impl<B: Backend> ParamVisitor<B> for Nested<'_, B> {
    fn exchange(
        &mut self,
        key: &str,
        shape: &[usize],
        read: &dyn Fn() -> TensorData,
    ) -> Option<TensorData> {
        let key = format!("{}.{key}", self.key);
        self.outer.exchange(&key, shape, read)
    }

    fn built(&mut self, key: &str, shape: &[usize], make: &dyn Fn() -> Vec<f32>) {
        self.outer
            .built(&format!("{}.{key}", self.key), shape, make);
    }

    fn device(&self) -> B::Device {
        self.outer.device()
    }
}

fn set<B: Backend, const D: usize>(p: &mut Param<Tensor<B, D>>, fresh: Tensor<B, D>) {
    let grad = p.is_require_grad();
    *p = Param::initialized(p.id, fresh).set_require_grad(grad);
}

fn transposed<B: Backend>(v: &mut dyn ParamVisitor<B>, key: &str, p: &mut Param<Tensor<B, 2>>) {
    let present = p.val();
    let [rows, columns] = present.dims();
    let read = || present.clone().transpose().to_data();
    if let Some(data) = v.exchange(key, &[columns, rows], &read) {
        let fresh = Tensor::<B, 2>::from_data(data, &v.device()).transpose();
        // A transposed view is copied once here so that every later product reads rows in order.
        let fresh = Tensor::from_data(fresh.to_data(), &v.device());
        set(p, fresh);
    }
}

/// Shows `key.weight` and, where there is one, `key.bias` of a convolution.
pub fn conv<B: Backend>(v: &mut dyn ParamVisitor<B>, key: &str, layer: &mut Conv2d<B>) {
    tensor(v, &format!("{key}.weight"), &mut layer.weight);
    if let Some(bias) = &mut layer.bias {
        tensor(v, &format!("{key}.bias"), bias);
    }
}

/// As [`conv`] where the published weight is one over clips, with sizes `[out, in / groups, t, h, w]` of which one or
/// two are 1: the same numbers in the same order.
pub fn conv_of_clips<B: Backend>(
    v: &mut dyn ParamVisitor<B>,
    key: &str,
    sizes: [usize; 5],
    layer: &mut Conv2d<B>,
) {
    let present = layer.weight.val();
    let read = || present.clone().reshape(sizes).to_data();
    if let Some(data) = v.exchange(&format!("{key}.weight"), &sizes, &read) {
        let fresh = Tensor::<B, 5>::from_data(data, &v.device()).reshape(present.dims());
        set(&mut layer.weight, fresh);
    }
    if let Some(bias) = &mut layer.bias {
        tensor(v, &format!("{key}.bias"), bias);
    }
}

/// Shows `key.weight` and, where there is one, `key.bias` of a convolution over a sequence.
pub fn conv1d<B: Backend>(v: &mut dyn ParamVisitor<B>, key: &str, layer: &mut Conv1d<B>) {
    tensor(v, &format!("{key}.weight"), &mut layer.weight);
    if let Some(bias) = &mut layer.bias {
        tensor(v, &format!("{key}.bias"), bias);
    }
}

/// Shows `key.weight` and, where there is one, `key.bias` of a convolution over clips.
pub fn conv3d<B: Backend>(v: &mut dyn ParamVisitor<B>, key: &str, layer: &mut Conv3d<B>) {
    tensor(v, &format!("{key}.weight"), &mut layer.weight);
    if let Some(bias) = &mut layer.bias {
        tensor(v, &format!("{key}.bias"), bias);
    }
}

/// Shows a transposed convolution; published weights are `[in, out / groups, h, w]`, as Burn's.
pub fn conv_transpose2d<B: Backend>(
    v: &mut dyn ParamVisitor<B>,
    key: &str,
    layer: &mut ConvTranspose2d<B>,
) {
    tensor(v, &format!("{key}.weight"), &mut layer.weight);
    if let Some(bias) = &mut layer.bias {
        tensor(v, &format!("{key}.bias"), bias);
    }
}

/// Shows a linear layer; published weights are `[out, in]`.
pub fn linear<B: Backend>(v: &mut dyn ParamVisitor<B>, key: &str, layer: &mut Linear<B>) {
    transposed(v, &format!("{key}.weight"), &mut layer.weight);
    if let Some(bias) = &mut layer.bias {
        tensor(v, &format!("{key}.bias"), bias);
    }
}

/// Shows a layer normalisation.
pub fn layer_norm<B: Backend>(v: &mut dyn ParamVisitor<B>, key: &str, layer: &mut LayerNorm<B>) {
    tensor(v, &format!("{key}.weight"), &mut layer.gamma);
    if let Some(beta) = &mut layer.beta {
        tensor(v, &format!("{key}.bias"), beta);
    }
}

/// Shows the scale of a root-mean-square normalisation.
pub fn rms_norm<B: Backend>(v: &mut dyn ParamVisitor<B>, key: &str, layer: &mut RmsNorm<B>) {
    tensor(v, &format!("{key}.weight"), &mut layer.gamma);
}

/// Shows a group normalisation, where it has scale and shift.
pub fn group_norm<B: Backend>(v: &mut dyn ParamVisitor<B>, key: &str, layer: &mut GroupNorm<B>) {
    if let (Some(gamma), Some(beta)) = (&mut layer.gamma, &mut layer.beta) {
        tensor(v, &format!("{key}.weight"), gamma);
        tensor(v, &format!("{key}.bias"), beta);
    }
}

/// Shows an instance normalisation, where it has scale and shift.
pub fn instance_norm<B: Backend>(
    v: &mut dyn ParamVisitor<B>,
    key: &str,
    layer: &mut InstanceNorm<B>,
) {
    if let (Some(gamma), Some(beta)) = (&mut layer.gamma, &mut layer.beta) {
        tensor(v, &format!("{key}.weight"), gamma);
        tensor(v, &format!("{key}.bias"), beta);
    }
}

/// Shows a batch normalisation with its running statistics.
pub fn batch_norm<B: Backend>(v: &mut dyn ParamVisitor<B>, key: &str, layer: &mut BatchNorm<B>) {
    tensor(v, &format!("{key}.weight"), &mut layer.gamma);
    tensor(v, &format!("{key}.bias"), &mut layer.beta);
    running(v, &format!("{key}.running_mean"), &mut layer.running_mean);
    running(v, &format!("{key}.running_var"), &mut layer.running_var);
}

fn running<B: Backend>(
    v: &mut dyn ParamVisitor<B>,
    key: &str,
    state: &mut RunningState<Tensor<B, 1>>,
) {
    let present = state.value_sync();
    if let Some(data) = v.exchange(key, &present.dims(), &|| present.to_data()) {
        *state = RunningState::new(Tensor::from_data(data, &v.device()));
    }
}

/// Moves a normalisation's running statistics and scale into the convolution before it and leaves
/// the normalisation as a plain shift. The function stays the same; what changes is how far a
/// training step moves it: channels of near-zero variance otherwise multiply every step by up to
/// `eps^-1/2`.
pub fn fold<B: Backend>(conv: &mut Conv2d<B>, norm: &mut BatchNorm<B>) {
    let (scale, shift) = crate::exec::running_affine(norm);
    let (channels, device) = (scale.dims()[0], scale.device());
    let weight = conv.weight.val() * scale.reshape([channels, 1, 1, 1]);
    set(&mut conv.weight, weight.detach());
    set(&mut norm.gamma, Tensor::ones([channels], &device));
    set(&mut norm.beta, shift.detach());
    norm.running_mean = RunningState::new(Tensor::zeros([channels], &device));
    norm.running_var = RunningState::new(Tensor::full([channels], 1.0 - norm.epsilon, &device));
}

struct Loader<'a, B: Backend> {
    dict: &'a StateDict,
    device: &'a B::Device,
    used: std::collections::BTreeSet<String>,
    problem: Option<WeightsError>,
}

impl<'a, B: Backend> Loader<'a, B> {
    fn new(dict: &'a StateDict, device: &'a B::Device) -> Self {
        Self {
            dict,
            device,
            used: std::collections::BTreeSet::new(),
            problem: None,
        }
    }

    fn finish(self) -> Result<(), WeightsError> {
        if let Some(problem) = self.problem {
            return Err(problem);
        }
        match self
            .dict
            .keys()
            .find(|key| !self.used.contains(*key) && !key.ends_with("num_batches_tracked"))
        {
            Some(key) => Err(WeightsError::Extra { key: key.clone() }),
            None => Ok(()),
        }
    }
}

impl<B: Backend> ParamVisitor<B> for Loader<'_, B> {
    fn exchange(
        &mut self,
        key: &str,
        shape: &[usize],
        _read: &dyn Fn() -> TensorData,
    ) -> Option<TensorData> {
        if self.problem.is_some() {
            return None;
        }
        match self.dict.get_shaped(key, shape) {
            Ok(data) => {
                self.used.insert(key.to_owned());
                Some(data)
            }
            Err(problem) => {
                self.problem = Some(problem);
                None
            }
        }
    }

    fn built(&mut self, key: &str, shape: &[usize], make: &dyn Fn() -> Vec<f32>) {
        let Some((found, values)) = self.dict.get(key) else {
            // The values are known without the file; later versions of some leave them out.
            return;
        };
        self.used.insert(key.to_owned());
        if self.problem.is_none() && (found != shape || values != make()) {
            self.problem = Some(WeightsError::Constant {
                key: key.to_owned(),
            });
        }
    }

    fn device(&self) -> B::Device {
        self.device.clone()
    }
}

#[derive(Default)]
struct Saver {
    dict: StateDict,
}

impl<B: Backend> ParamVisitor<B> for Saver {
    fn exchange(
        &mut self,
        key: &str,
        shape: &[usize],
        read: &dyn Fn() -> TensorData,
    ) -> Option<TensorData> {
        let values = read().iter::<f32>().collect();
        self.dict.insert(key, shape.to_vec(), values);
        None
    }

    fn built(&mut self, key: &str, shape: &[usize], make: &dyn Fn() -> Vec<f32>) {
        self.dict.insert(key, shape.to_vec(), make());
    }

    fn device(&self) -> B::Device {
        B::Device::default()
    }
}
