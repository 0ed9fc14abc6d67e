//! The Mamba block (Gu and Dao, "Mamba: Linear-Time Sequence Modeling with Selective State Spaces", COLM 2024,
//! arXiv 2312.00752) of DeMamba (Chen et al., "DeMamba: AI-Generated Video Detection on Million-Scale GenVideo
//! Benchmark", arXiv 2405.19707).
//!
//! [`detector`] has the networks that use it, [`zones`] the order in which it sees a clip.
//!
//! Keys are those of the published code, and so are two departures from what the paper describes, without which no
//! trained file gives its numbers: the second branch reverses the channels where the sequence is meant, and
//! `conv1d_b` takes no part, both branches share `conv1d`.

pub mod detector;
pub mod zones;

use burn::module::{Module, Param};
use burn::nn::conv::{Conv1d, Conv1dConfig};
use burn::nn::{Linear, LinearConfig, PaddingConfig1d, RmsNorm, RmsNormConfig};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::exec::Exec;
use crate::params::{self, ParamVisitor, Parameters};

const EPS: f64 = 1e-5;

/// Sizes of a Mamba block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MambaConfig {
    /// Width of a token.
    pub width: usize,
    /// Width of the scan over that of a token.
    pub expand: usize,
    /// Numbers of the state for each channel.
    pub state: usize,
    /// Tokens that the convolution sees.
    pub kernel: usize,
}

impl MambaConfig {
    /// DeMamba's block on tokens of `width` (768 in the published detectors).
    #[must_use]
    pub fn demamba(width: usize) -> Self {
        Self {
            width,
            expand: 2,
            state: 16,
            kernel: 4,
        }
    }

    /// Width of the projection that the step sizes are made from.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.width.div_ceil(16)
    }

    /// Block with random weights.
    pub fn init<B: Backend>(&self, device: &B::Device) -> MambaBlock<B> {
        let inner = self.expand * self.width;
        let linear = |inputs, outputs, bias| {
            LinearConfig::new(inputs, outputs)
                .with_bias(bias)
                .init(device)
        };
        let conv = || {
            Conv1dConfig::new(inner, inner, self.kernel)
                .with_groups(inner)
                .with_padding(PaddingConfig1d::Explicit(self.kernel - 1, self.kernel - 1))
                .init(device)
        };
        let branch = || Branch {
            // The state's numbers decay at the rates 1, 2, 3, ... (section 3.6 of Mamba's paper).
            a_log: Param::from_tensor(
                Tensor::arange(1..self.state as i64 + 1, device)
                    .float()
                    .log()
                    .reshape([1, self.state])
                    .repeat_dim(0, inner),
            ),
            d: Param::from_tensor(Tensor::ones([inner], device)),
            x_proj: linear(inner, self.rank() + 2 * self.state, false),
            dt_proj: linear(self.rank(), inner, true),
        };
        MambaBlock {
            norm: RmsNormConfig::new(self.width)
                .with_epsilon(EPS)
                .init(device),
            in_proj: linear(self.width, 2 * inner, false),
            conv1d: conv(),
            branch: branch(),
            conv1d_b: conv(),
            branch_b: branch(),
            out_proj: linear(inner, self.width, false),
        }
    }
}

/// One selective state space.
#[derive(Module, Debug)]
struct Branch<B: Backend> {
    /// Logarithm of the negated rates, `[inner, state]`.
    a_log: Param<Tensor<B, 2>>,
    /// Share of the input that goes past the state, `[inner]`.
    d: Param<Tensor<B, 1>>,
    x_proj: Linear<B>,
    dt_proj: Linear<B>,
}

impl<B: Backend> Branch<B> {
    /// `[n, length, inner]` of the same: `y_t = C_t s_t + D x_t` with the state
    /// `s_t = exp(dt_t A) s_(t-1) + dt_t B_t x_t`, where `dt`, `B` and `C` depend on `x` (equations 1 to 4 and
    /// algorithm 2 of Mamba's paper). `suffix` ends the names of taps.
    ///
    /// Tokens are taken one after another: sequences are short (8 to 32), and sums over logarithms, which need no
    /// order, overflow where a rate is high.
    fn forward<X: Exec<B>>(&self, x: &mut X, input: X::V<3>, suffix: &str) -> X::V<3> {
        let [n, length, inner] = x.dims(&input);
        let [_, state] = self.a_log.dims();
        let rank = self.dt_proj.weight.dims()[0];
        let h = x.linear(&self.x_proj, input.clone());
        x.tap(&format!("mixer.x_proj{suffix}"), &h);
        let dt = x.narrow(h.clone(), 2, 0, rank);
        let dt = x.linear(&self.dt_proj, dt);
        x.tap(&format!("mixer.dt_proj{suffix}"), &dt);
        let dt = x.softplus(dt);
        let b = x.narrow(h.clone(), 2, rank, state);
        let b = x.reshape(b, [n, length, 1, state]);
        let c = x.narrow(h, 2, rank + state, state);
        let c = x.reshape(c, [n, length, state, 1]);
        let rates = x.tensor(self.a_log.val().exp().neg().reshape([1, 1, inner, state]));
        let scaled = x.mul(dt.clone(), input.clone());
        let scaled = x.reshape(scaled, [n, length, inner, 1]);
        let fresh = x.mul(scaled, b);
        let dt = x.reshape(dt, [n, length, inner, 1]);
        let decay = x.mul(dt, rates);
        let decay = x.exp(decay);
        let mut states: Vec<X::V<4>> = Vec::with_capacity(length);
        for t in 0..length {
            let mut s = x.narrow(fresh.clone(), 1, t, 1);
            if let Some(before) = states.last().cloned() {
                let kept = x.narrow(decay.clone(), 1, t, 1);
                let kept = x.mul(kept, before);
                s = x.add(kept, s);
            }
            states.push(s);
        }
        let states = x.cat(states, 1);
        let y = x.matmul(states, c);
        let y = x.reshape(y, [n, length, inner]);
        let d = x.along(&self.d, 2);
        let past = x.mul(input, d);
        x.add(y, past)
    }
}

/// Normalisation and mixer with a residual around both.
#[derive(Module, Debug)]
pub struct MambaBlock<B: Backend> {
    norm: RmsNorm<B>,
    in_proj: Linear<B>,
    conv1d: Conv1d<B>,
    branch: Branch<B>,
    /// Takes no part, see the module.
    conv1d_b: Conv1d<B>,
    branch_b: Branch<B>,
    out_proj: Linear<B>,
}

impl<B: Backend> MambaBlock<B> {
    /// Tokens `[n, length, width]` of the same.
    pub fn forward<X: Exec<B>>(&self, x: &mut X, input: X::V<3>) -> X::V<3> {
        let [_, length, _] = x.dims(&input);
        let h = x.rms_norm(&self.norm, input.clone());
        x.tap("norm", &h);
        let h = x.linear(&self.in_proj, h);
        x.tap("mixer.in_proj", &h);
        let [_, _, double] = x.dims(&h);
        let inner = double / 2;
        let gate = x.narrow(h.clone(), 2, inner, inner);
        let h = x.narrow(h, 2, 0, inner);
        let h = x.permute(h, [0, 2, 1]);
        let h = x.conv1d(&self.conv1d, h);
        x.tap("mixer.conv1d", &h);
        // Padded on both sides: the first outputs are those that see no later token.
        let h = x.narrow(h, 2, 0, length);
        let h = x.permute(h, [0, 2, 1]);
        let h = x.silu(h);
        x.tap("ssm_in", &h);
        let y = self.branch.forward(x, h.clone(), "");
        let h = x.flip(h, 2);
        let h = self.branch_b.forward(x, h, "_b");
        let h = x.flip(h, 2);
        let h = x.add(y, h);
        x.tap("ssm_out", &h);
        let gate = x.silu(gate);
        let h = x.mul(h, gate);
        let h = x.linear(&self.out_proj, h);
        x.tap("mixer.out_proj", &h);
        x.add(input, h)
    }
}

impl<B: Backend> Parameters<B> for MambaBlock<B> {
    fn walk(&mut self, v: &mut dyn ParamVisitor<B>) {
        params::tensor(v, "mixer.A_log", &mut self.branch.a_log);
        params::tensor(v, "mixer.D", &mut self.branch.d);
        params::tensor(v, "mixer.A_b_log", &mut self.branch_b.a_log);
        params::tensor(v, "mixer.D_b", &mut self.branch_b.d);
        params::linear(v, "mixer.in_proj", &mut self.in_proj);
        params::conv1d(v, "mixer.conv1d", &mut self.conv1d);
        params::linear(v, "mixer.x_proj", &mut self.branch.x_proj);
        params::linear(v, "mixer.dt_proj", &mut self.branch.dt_proj);
        params::linear(v, "mixer.out_proj", &mut self.out_proj);
        params::conv1d(v, "mixer.conv1d_b", &mut self.conv1d_b);
        params::linear(v, "mixer.x_proj_b", &mut self.branch_b.x_proj);
        params::linear(v, "mixer.dt_proj_b", &mut self.branch_b.dt_proj);
        params::rms_norm(v, "norm", &mut self.norm);
    }
}
