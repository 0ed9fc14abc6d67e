//! Rounding of weights: each matrix becomes whole multiples of a quantisation step, chosen so that what the layer computes
//! on real inputs changes least, and stored with an entropy coder.
//!
//! Rounding is that of GPTQ (Frantar, Ashkboos, Hoefler and Alistarh, ICLR 2023, arXiv 2210.17323): inputs are
//! taken in turn, and the error made on one is put right by those not yet rounded, weighted with the inverse of
//! the second moments `XᵀX` of the layer's inputs. GPTQ rounds to a fixed number of bits; here the step alone is
//! fixed and the multiples are entropy-coded, which for normally distributed weights comes within 0.25 bit
//! of the rate-distortion bound (Gish and Pierce, IEEE Trans. Inf. Theory 14, 1968), and outliers cost a longer
//! code in place of a clipped value. Layers are rounded in the order of the forward pass, each on
//! what the rounded ones ahead of it yield.
//!
//! With one step, what rounding costs differs between inputs: the error made on input `i` counts with `1/Uᵢᵢ²`, where
//! `UᵀU` is the inverse of the second moments, that is with what the inputs rounded later do not tell of input
//! `i`. Least distortion at a given rate wants like shares from all (reverse water-filling; Cover and Thomas, *Elements of
//! Information Theory*, 2nd ed., 10.3.3), so a step that grows as `Uᵢᵢ`. [`Rounding::rows`] is the power that
//! it grows with, and rows of large moments are then rounded first.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use burn::module::{Module, ModuleMapper, Param, ParamId};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use faer::linalg::matmul::matmul;
use faer::linalg::triangular_inverse::invert_lower_triangular;
use faer::{Accum, Mat, MatRef, Par, Side};
use rayon::prelude::*;
use realscope_engine::packed::row_factor;
use realscope_nn::exec::Eager;
use serde::{Deserialize, Serialize};

use crate::error::TrainError;

/// How the matrices of a network are rounded.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rounding {
    /// Entropy of the multiples, bits a weight.
    pub bits: f64,
    /// Training pictures that inputs come from.
    pub pictures: usize,
    /// Share of the mean second moment added to each: keeps the inverse bounded.
    pub damping: f64,
    /// Power of the conditional deviation by which the steps of rows (inputs) differ: 0 is one step for a matrix, 1
    /// what reverse water-filling asks for where moments are known exactly.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub rows: f64,
    /// Weight of a picture's first token (the class token, which the head reads by itself) in the second moments; the
    /// others have 1.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub class_token: f64,
}

fn is_zero(v: &f64) -> bool {
    *v == 0.0
}

fn one() -> f64 {
    1.0
}

fn is_one(v: &f64) -> bool {
    *v == 1.0
}

impl Rounding {
    /// # Errors
    /// [`TrainError::Recipe`] when a setting is out of range.
    pub fn check(&self) -> Result<(), TrainError> {
        if (0.5..=6.0).contains(&self.bits)
            && self.pictures > 0
            && (1e-6..=1.0).contains(&self.damping)
            && (0.0..=1.0).contains(&self.rows)
            && (1.0..=1e4).contains(&self.class_token)
        {
            Ok(())
        } else {
            Err(TrainError::Recipe(
                "`rounding`: `bits` must be 0.5 to 6, `pictures` at least 1, `damping` 1e-6 to 1, `rows` 0 to 1, \
                 `class_token` 1 to 10000"
                    .into(),
            ))
        }
    }
}

/// Largest multiple; more does not fit into the 8 bits that an engine computes with.
const MOST: f32 = 127.0;
/// Matrices with fewer weights keep their values, as [`realscope_engine::packed::pack`] does.
const LARGE: usize = 65_536;

/// Rounds every large linear layer that `pass` uses and returns the module with the rounded weights.
///
/// `pass` is one forward pass over the calibration inputs.
///
/// # Errors
/// [`TrainError::Recipe`] when the second moments of a layer's inputs cannot be factorised.
pub fn round<B: Backend, M: Module<B>>(
    module: M,
    how: &Rounding,
    pass: impl FnOnce(&M, &mut Eager),
) -> Result<M, TrainError> {
    how.check()?;
    let done: Rc<RefCell<BTreeMap<ParamId, TensorData>>> = Rc::default();
    let fault: Rc<RefCell<Option<TrainError>>> = Rc::default();
    let (store, failed, settings) = (Rc::clone(&done), Rc::clone(&fault), how.clone());
    let mut eager = Eager::rewriting(Box::new(move |id, inputs, weight| {
        if let Some(ready) = store.borrow().get(&id) {
            return ready.clone();
        }
        let [rows, columns] = [weight.shape[0], weight.shape[1]];
        if rows * columns < LARGE || failed.borrow().is_some() {
            return weight;
        }
        let mut x: Vec<f32> = inputs.iter().collect();
        if let [_, tokens, width] = inputs.shape[..] {
            let root = settings.class_token.sqrt() as f32;
            for picture in x.chunks_exact_mut(tokens * width) {
                picture[..width].iter_mut().for_each(|v| *v *= root);
            }
        }
        let w: Vec<f32> = weight.iter().collect();
        match round_matrix(&w, [rows, columns], &x, &settings) {
            Ok(rounded) => {
                let fresh = TensorData::new(rounded, [rows, columns]);
                store.borrow_mut().insert(id, fresh.clone());
                fresh
            }
            Err(e) => {
                *failed.borrow_mut() = Some(e);
                weight
            }
        }
    }));
    pass(&module, &mut eager);
    if let Some(e) = fault.borrow_mut().take() {
        return Err(e);
    }
    let fresh = done.borrow().clone();
    Ok(module.map(&mut Replace(fresh)))
}

struct Replace(BTreeMap<ParamId, TensorData>);

impl<B: Backend> ModuleMapper<B> for Replace {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        match self.0.get(&param.id) {
            Some(data) => {
                let fresh = Tensor::from_data(data.clone(), &param.val().device());
                Param::initialized(param.id, fresh)
            }
            None => param,
        }
    }
}

/// Entropy in bits of the weights' nearest multiples of `step`.
fn entropy(weights: &[f32], step: f32) -> f64 {
    let zero = || [0_u32; 2 * MOST as usize + 1];
    let counts = weights
        .par_chunks(1 << 16)
        .map(|part| {
            let mut counts = zero();
            for w in part {
                counts[(multiple(*w, step) + MOST) as usize] += 1;
            }
            counts
        })
        .reduce(zero, |mut a, b| {
            a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
            a
        });
    let n = weights.len() as f64;
    counts
        .iter()
        .filter(|c| **c > 0)
        .map(|c| f64::from(*c) / n)
        .map(|p| -p * p.log2())
        .sum()
}

fn multiple(w: f32, step: f32) -> f32 {
    (w / step).round().clamp(-MOST, MOST)
}

/// The step at which the nearest multiples have an entropy of `bits`.
fn step_for(weights: &[f32], bits: f64) -> f32 {
    let deviation = (weights.iter().map(|w| f64::from(*w).powi(2)).sum::<f64>()
        / weights.len().max(1) as f64)
        .sqrt()
        .max(1e-12);
    let (mut low, mut high) = (deviation * 1e-3, deviation * 30.0);
    for _ in 0..30 {
        let middle = (low * high).sqrt();
        if entropy(weights, middle as f32) > bits {
            low = middle;
        } else {
            high = middle;
        }
    }
    high as f32
}

/// Outputs that are rounded together.
const CHUNK: usize = 64;

/// `weights` `[inputs, outputs]` as multiples of a step (one for each row with [`Rounding::rows`]), for inputs `x`
/// `[n, inputs]`.
fn round_matrix(
    weights: &[f32],
    [inputs, outputs]: [usize; 2],
    x: &[f32],
    how: &Rounding,
) -> Result<Vec<f32>, TrainError> {
    let moments = moments(x, inputs);
    let mut order: Vec<usize> = (0..inputs).collect();
    if how.rows > 0.0 {
        order.sort_by(|a, b| moments[(*b, *b)].total_cmp(&moments[(*a, *a)]));
    }
    let factor = inverse_factor(&moments, &order, how.damping)?;
    let row = |i: usize| &weights[i * outputs..(i + 1) * outputs];
    let (steps, ordered) = if how.rows > 0.0 {
        let shares = shares(&factor, how.rows);
        let ordered: Vec<f32> = order.iter().flat_map(|i| row(*i)).copied().collect();
        let even: Vec<f32> = ordered
            .chunks_exact(outputs)
            .zip(&shares)
            .flat_map(|(row, share)| row.iter().map(move |w| w / share))
            .collect();
        let step = step_for(&even, how.bits);
        (shares.iter().map(|s| step * s).collect(), ordered)
    } else {
        let step = step_for(weights, how.bits);
        (vec![step; inputs], weights.to_vec())
    };
    let rounded = round_rows(&ordered, outputs, &steps, &factor);
    let mut out = vec![0.0; inputs * outputs];
    for (i, row) in order.iter().zip(rounded.chunks_exact(outputs)) {
        out[i * outputs..(i + 1) * outputs].copy_from_slice(row);
    }
    Ok(out)
}

/// Farthest that a row's step lies from the matrix's, in eighths of an octave.
const FARTHEST: f64 = 24.0;

/// Step of each row as share of the matrix's: eighths of an octave, one on (geometric) average.
fn shares(factor: &[f32], power: f64) -> Vec<f32> {
    let inputs = factor.len().isqrt();
    let octaves: Vec<f64> = (0..inputs)
        .map(|i| power * f64::from(factor[i * inputs + i]).log2())
        .collect();
    let mean = octaves.iter().sum::<f64>() / inputs.max(1) as f64;
    octaves
        .iter()
        .map(|o| row_factor((8.0 * (o - mean)).clamp(-FARTHEST, FARTHEST).round() as i8))
        .collect()
}

/// Rows `weights` `[inputs, outputs]` as multiples of their steps; `factor` is the inverse's, in the order of the rows.
fn round_rows(weights: &[f32], outputs: usize, steps: &[f32], factor: &[f32]) -> Vec<f32> {
    let inputs = steps.len();
    let starts: Vec<usize> = (0..outputs).step_by(CHUNK).collect();
    let chunks: Vec<Vec<f32>> = starts
        .par_iter()
        .map(|start| {
            let width = CHUNK.min(outputs - start);
            let mut rest: Vec<f32> = (0..inputs)
                .flat_map(|i| &weights[i * outputs + start..][..width])
                .copied()
                .collect();
            for i in 0..inputs {
                let row = &factor[i * inputs..(i + 1) * inputs];
                let (done, later) = rest.split_at_mut((i + 1) * width);
                let errors: Vec<f32> = done[i * width..]
                    .iter_mut()
                    .map(|w| {
                        let rounded = multiple(*w, steps[i]) * steps[i];
                        let error = (*w - rounded) / row[i];
                        *w = rounded;
                        error
                    })
                    .collect();
                for (target, share) in later.chunks_exact_mut(width).zip(&row[i + 1..]) {
                    for (t, e) in target.iter_mut().zip(&errors) {
                        *t -= share * e;
                    }
                }
            }
            rest
        })
        .collect();
    let mut out = vec![0.0; inputs * outputs];
    for (start, chunk) in starts.iter().zip(&chunks) {
        let width = CHUNK.min(outputs - start);
        for (i, row) in chunk.chunks_exact(width).enumerate() {
            out[i * outputs + start..][..width].copy_from_slice(row);
        }
    }
    out
}

/// `XᵀX` of inputs `x` `[n, inputs]`.
fn moments(x: &[f32], inputs: usize) -> Mat<f32> {
    let rows = MatRef::from_row_major_slice(x, x.len() / inputs, inputs);
    let mut moments = Mat::<f32>::zeros(inputs, inputs);
    matmul(
        moments.as_mut(),
        Accum::Replace,
        rows.transpose(),
        rows,
        1.0,
        Par::rayon(0),
    );
    moments
}

/// Upper triangular `U`, row by row, with `UᵀU` the inverse of the damped second moments of the inputs in this order.
///
/// With rows and columns in reverse order the moments have a Cholesky factor `L`, and `U` is its inverse in
/// reverse order.
fn inverse_factor(
    moments: &Mat<f32>,
    order: &[usize],
    damping: f64,
) -> Result<Vec<f32>, TrainError> {
    let inputs = order.len();
    let mean = (0..inputs).map(|i| f64::from(moments[(i, i)])).sum::<f64>() / inputs as f64;
    let last = inputs - 1;
    let reversed = Mat::<f64>::from_fn(inputs, inputs, |i, j| {
        let ridge = if i == j { damping * mean } else { 0.0 };
        f64::from(moments[(order[last - i], order[last - j])]) + ridge
    });
    let factor = reversed.llt(Side::Lower).map_err(|_| {
        TrainError::Recipe("`rounding`: the inputs of a layer are not finite or all zero".into())
    })?;
    let mut inverse = Mat::<f64>::zeros(inputs, inputs);
    invert_lower_triangular(inverse.as_mut(), factor.L(), Par::rayon(0));
    let mut out = vec![0.0; inputs * inputs];
    for i in 0..inputs {
        for j in i..inputs {
            out[i * inputs + j] = inverse[(last - i, last - j)] as f32;
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use burn::nn::{Linear, LinearConfig};
    use rand::{Rng as _, SeedableRng as _};
    use rand_chacha::ChaCha8Rng;
    use realscope_nn::Cpu;
    use realscope_nn::exec::Exec;

    use super::*;

    /// Inputs of which many are nearly the same mixture of few.
    fn inputs(n: usize, width: usize) -> Vec<f32> {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let mix: Vec<f32> = (0..8 * width)
            .map(|_| rng.random_range(-1.0..1.0))
            .collect();
        (0..n)
            .flat_map(|_| {
                let few: [f32; 8] = std::array::from_fn(|_| rng.random_range(-1.0..1.0));
                let noise: Vec<f32> = (0..width).map(|_| rng.random_range(-0.1..0.1)).collect();
                (0..width)
                    .map(|i| {
                        let sum: f32 = few
                            .iter()
                            .enumerate()
                            .map(|(k, f)| f * mix[k * width + i])
                            .sum();
                        sum + noise[i]
                    })
                    .collect::<Vec<f32>>()
            })
            .collect()
    }

    #[test]
    fn the_factor_inverts_the_moments() {
        let (n, width) = (200, 24);
        let x = inputs(n, width);
        let order: Vec<usize> = (0..width).collect();
        let u = inverse_factor(&moments(&x, width), &order, 1e-3).expect("factors");
        let at = |i: usize, j: usize| {
            let sum: f64 = (0..n)
                .map(|r| f64::from(x[r * width + i]) * f64::from(x[r * width + j]))
                .sum();
            sum
        };
        let ridge = 1e-3 * (0..width).map(|i| at(i, i)).sum::<f64>() / width as f64;
        for i in 0..width {
            for j in 0..width {
                let sum: f64 = (0..width)
                    .map(|k| {
                        let inverse: f64 = (0..width)
                            .map(|m| f64::from(u[m * width + i]) * f64::from(u[m * width + k]))
                            .sum();
                        inverse * (at(k, j) + if k == j { ridge } else { 0.0 })
                    })
                    .sum();
                let expected = if i == j { 1.0 } else { 0.0 };
                assert!((sum - expected).abs() < 1e-3, "{i} {j} {sum}");
            }
        }
        assert!(inverse_factor(&moments(&[f32::NAN; 8], 4), &order[..4], 0.01).is_err());
    }

    #[test]
    fn outputs_change_less_than_by_plain_rounding() {
        let device = Default::default();
        let layer: Linear<Cpu> = LinearConfig::new(256, 320).init(&device);
        // Weights are drawn at their first use; clones made before would draw their own.
        let _ = (layer.weight.val(), layer.bias.as_ref().map(Param::val));
        let x = Tensor::<Cpu, 2>::from_data(TensorData::new(inputs(600, 256), [600, 256]), &device);
        let how = Rounding {
            bits: 2.5,
            pictures: 1,
            damping: 0.01,
            rows: 0.0,
            class_token: 1.0,
        };
        let batch = x.clone();
        let rounded = round::<Cpu, _>(layer.clone(), &how, |layer, eager| {
            let _: Tensor<Cpu, 2> = eager.linear(layer, batch);
        })
        .expect("rounds");
        let values = |t: Tensor<Cpu, 2>| -> Vec<f32> { t.into_data().iter().collect() };
        let weights = values(layer.weight.val());
        let step = step_for(&weights, how.bits);
        assert!((entropy(&weights, step) - how.bits).abs() < 0.02);
        let plain: Vec<f32> = weights.iter().map(|w| multiple(*w, step) * step).collect();
        let fresh = values(rounded.weight.val());
        for w in &fresh {
            assert!((w / step - (w / step).round()).abs() < 1e-3);
        }
        let plain = Tensor::<Cpu, 2>::from_data(TensorData::new(plain, [256, 320]), &device);
        let error = |w: Tensor<Cpu, 2>| -> f32 {
            values(x.clone().matmul(w - layer.weight.val()))
                .iter()
                .map(|v| v * v)
                .sum()
        };
        let (with, without) = (error(rounded.weight.val()), error(plain));
        assert!(with < 0.5 * without, "{with} {without}");
        assert_eq!(
            rounded.bias.map(|b| b.val().into_data()),
            layer.bias.map(|b| b.val().into_data())
        );
    }

    /// Inputs of which some are told by the others and some vary a hundred times as much.
    #[test]
    fn steps_by_row_change_outputs_less_at_the_same_entropy() {
        let (n, width, outputs) = (900, 192, 384);
        let x: Vec<f32> = inputs(n, width)
            .iter()
            .enumerate()
            .map(|(i, v)| v * [0.1, 1.0, 10.0][i % width % 3])
            .collect();
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let weights: Vec<f32> = (0..width * outputs)
            .map(|_| (0..4).map(|_| rng.random_range(-0.1..0.1_f32)).sum())
            .collect();
        let error = |rows: f64| -> (f64, f64) {
            let how = Rounding {
                bits: 3.0,
                pictures: 1,
                damping: 0.003,
                rows,
                class_token: 1.0,
            };
            let rounded = round_matrix(&weights, [width, outputs], &x, &how).expect("rounds");
            let least = |row: &[f32]| {
                let sizes = row.iter().map(|w| w.abs()).filter(|w| *w > 0.0);
                sizes.fold(f32::INFINITY, f32::min)
            };
            let levels: Vec<f32> = rounded
                .chunks_exact(outputs)
                .flat_map(|row| row.iter().map(|w| w / least(row)).collect::<Vec<f32>>())
                .collect();
            let change: Vec<f32> = weights.iter().zip(&rounded).map(|(a, b)| a - b).collect();
            let mut sum = 0.0;
            for x in x.chunks_exact(width) {
                for o in 0..outputs {
                    let y: f32 = (0..width).map(|i| x[i] * change[i * outputs + o]).sum();
                    sum += f64::from(y).powi(2);
                }
            }
            (sum, entropy(&levels, 1.0))
        };
        let ((one, bits_of_one), (own, bits_of_own)) = (error(0.0), error(1.0));
        assert!(
            (bits_of_one - bits_of_own).abs() < 0.1,
            "{bits_of_one} {bits_of_own}"
        );
        assert!(own < 0.6 * one, "{own} {one}");
    }

    /// The first of many tokens lies along other directions than the rest.
    #[test]
    fn a_class_token_that_weighs_more_is_kept_better() {
        let device = Default::default();
        let layer: Linear<Cpu> = LinearConfig::new(256, 320).init(&device);
        let _ = (layer.weight.val(), layer.bias.as_ref().map(Param::val));
        let (pictures, tokens, width) = (60, 20, 256);
        let mut values = inputs(pictures * tokens, width);
        for picture in values.chunks_exact_mut(tokens * width) {
            picture[..width].rotate_left(width / 2);
        }
        let x = Tensor::<Cpu, 3>::from_data(
            TensorData::new(values, [pictures, tokens, width]),
            &device,
        );
        let error = |class_token: f64| -> f32 {
            let how = Rounding {
                bits: 2.0,
                pictures: 1,
                damping: 0.01,
                rows: 0.7,
                class_token,
            };
            let batch = x.clone();
            let rounded = round::<Cpu, _>(layer.clone(), &how, |layer, eager| {
                let _: Tensor<Cpu, 3> = eager.linear(layer, batch);
            })
            .expect("rounds");
            let first = x
                .clone()
                .slice([0..pictures, 0..1])
                .reshape([pictures, width]);
            let change = first.matmul(rounded.weight.val() - layer.weight.val());
            change.into_data().iter::<f32>().map(|v| v * v).sum()
        };
        let (with, without) = (error(20.0), error(1.0));
        assert!(with < 0.7 * without, "{with} {without}");
    }
}
