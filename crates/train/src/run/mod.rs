//! The training loop: steps, validation, checkpoints, log.
//!
//! Everything that the next step depends on is in the checkpoint (weights, average, optimiser state,
//! step number); the pictures of a step follow from the seed and its number. A killed run continues
//! as if it had not been.

mod checkpoint;
mod validation;

use std::path::{Path, PathBuf};
use std::sync::mpsc;

use burn::module::AutodiffModule;
use burn::optim::{AdamWConfig, GradientsParams, Optimizer};
use burn::record::{BinBytesRecorder, FullPrecisionSettings, Recorder};
use burn::tensor::backend::AutodiffBackend;
use burn::tensor::{Tensor, TensorData};
use realscope_metric::logistic::{self, Convex, Linear, Samples};
use realscope_nn::efficientnet_lite::EfficientNetLite;
use realscope_nn::npr::Npr;
use realscope_nn::{BatchNormMode, Eager, StateDict};
use sha2::{Digest, Sha256};

use self::checkpoint::{Files, State};
pub use self::validation::Validation;
use crate::backbone::{Backbone, Trainable};
use crate::batch::{Batch, Sampler};
use crate::error::{TrainError, io_error};
use crate::recipe::{NetworkRecipe, Probe};

/// What a run tells while it goes on.
pub enum Event<'a> {
    /// A sentence.
    Note(&'a str),
    /// A step was taken.
    Step {
        /// Steps done.
        step: usize,
        /// Mean loss since the last validation.
        loss: f64,
    },
}

/// Where a run ended.
#[derive(Debug)]
pub struct Finished {
    /// The averaged weights in the network's published layout.
    pub weights: PathBuf,
    /// The last validation.
    pub validation: Validation,
}

/// Trains `recipe` with pictures below `root`, keeping its files in `out`.
///
/// # Errors
/// [`TrainError`]; the files of the last checkpoint stay and the run can be continued.
pub fn train<B: AutodiffBackend>(
    recipe: &NetworkRecipe,
    root: &Path,
    out: &Path,
    device: &B::Device,
    log: &mut dyn FnMut(Event<'_>),
) -> Result<Finished, TrainError> {
    match recipe.network {
        Backbone::EfficientnetLite0 | Backbone::EfficientnetLite0Trunk => {
            run::<B, EfficientNetLite<B>>(recipe, root, out, device, log)
        }
        Backbone::Npr => run::<B, Npr<B>>(recipe, root, out, device, log),
    }
}

fn run<B, N>(
    recipe: &NetworkRecipe,
    root: &Path,
    out: &Path,
    device: &B::Device,
    log: &mut dyn FnMut(Event<'_>),
) -> Result<Finished, TrainError>
where
    B: AutodiffBackend,
    N: Trainable<B> + AutodiffModule<B>,
    N::InnerModule: Trainable<B::InnerBackend>,
{
    std::fs::create_dir_all(out).map_err(io_error(out))?;
    B::seed(device, recipe.seed);
    let split = recipe.data.split(root, recipe.view)?;
    let sampler = Sampler::new(root, recipe, &split)?;
    let pairs = validation::held_out_pairs(recipe, &split.validation)?;
    log(Event::Note(&format!(
        "{} training and {} validation pictures, {} pairs",
        split.train.len(),
        split.validation.len(),
        sampler.pairs()
    )));
    let mut model = N::fresh(recipe.network, device);
    let mut optimizer = AdamWConfig::new()
        .with_epsilon(recipe.optim.epsilon)
        .with_weight_decay(recipe.optim.weight_decay)
        .init::<B, N>();
    let identity = recipe_identity(recipe);
    let files = Files::new(out);
    let mut state = State {
        recipe: identity.clone(),
        step: 0,
        loss_sum: 0.0,
        loss_count: 0,
    };
    let mut average: StateDict;
    let mut last = None;
    if files.state.is_file() {
        state = files.read_state()?;
        if state.recipe != identity {
            return Err(TrainError::Checkpoint {
                path: files.state,
                reason: "was written by another recipe".into(),
            });
        }
        model.load(&StateDict::read(&files.model)?, device)?;
        average = StateDict::read(&files.average)?;
        let bytes = std::fs::read(&files.optimizer).map_err(io_error(&files.optimizer))?;
        let record = BinBytesRecorder::<FullPrecisionSettings>::default()
            .load(bytes, device)
            .map_err(|e| TrainError::Checkpoint {
                path: files.optimizer.clone(),
                reason: e.to_string(),
            })?;
        optimizer = optimizer.load_record(record);
        last = files.last_validation()?.filter(|v| v.step == state.step);
        if last.is_some() {
            (state.loss_sum, state.loss_count) = (0.0, 0);
        }
        log(Event::Note(&format!(
            "continuing after step {}",
            state.step
        )));
    } else {
        model = begin::<B, N>(model, recipe, &sampler, device, log)?;
        average = model.state_dict();
    }

    let begun = std::time::Instant::now();
    let first = state.step;
    // Weights, scores and log of the average as it is; the loss is that since the last validation.
    let validated = |average: &StateDict,
                     state: &mut State,
                     log: &mut dyn FnMut(Event<'_>)|
     -> Result<Validation, TrainError> {
        let mut averaged = N::fresh(recipe.network, device);
        averaged.load(average, device)?;
        let scores =
            validation::validate::<B, N>(&averaged, recipe, root, &split.validation, device)?;
        let mut auc = validation::summarise(&scores, &split.validation);
        auc.extend(validation::validate_pairs::<B, N>(
            &averaged, recipe, root, &pairs, device,
        )?);
        let validation = Validation {
            step: state.step,
            loss: state.loss_sum / state.loss_count.max(1) as f64,
            auc,
            seconds: begun.elapsed().as_secs_f64(),
        };
        (state.loss_sum, state.loss_count) = (0.0, 0);
        files.write_scores(&scores, &split.validation)?;
        files.append_log(&validation)?;
        log(Event::Note(&format!("validation {:?}", validation.auc)));
        Ok(validation)
    };
    if recipe.optim.steps == 0 {
        let bytes = average
            .to_safetensors()
            .map_err(|e| files.fault(&files.average, &e))?;
        std::fs::write(&files.average, bytes).map_err(io_error(&files.average))?;
    }
    // A run that was killed while it validated has the checkpoint of that step, and no line in the log.
    if last.is_none() && (state.step > 0 || recipe.optim.steps == 0) {
        last = Some(validated(&average, &mut state, log)?);
    }
    std::thread::scope(|scope| {
        let (send, receive) = mpsc::sync_channel(2);
        let sampler = &sampler;
        let steps = recipe.optim.steps;
        scope.spawn(move || {
            for step in first..steps {
                if send.send(sampler.batch(step)).is_err() {
                    break;
                }
            }
        });
        while state.step < recipe.optim.steps {
            let batch = receive
                .recv()
                .map_err(|e| TrainError::Recipe(format!("the loader ended: {e}")))??;
            let loss = loss::<B, N>(&model, recipe, batch, device);
            let value = f64::from(
                loss.clone()
                    .into_data()
                    .iter::<f32>()
                    .next()
                    .unwrap_or(f32::NAN),
            );
            if !value.is_finite() {
                return Err(TrainError::Diverged { step: state.step });
            }
            let gradients = GradientsParams::from_grads(loss.backward(), &model);
            model = optimizer.step(learning_rate(recipe, state.step), model, gradients);
            state.step += 1;
            state.loss_sum += value;
            state.loss_count += 1;
            // The average starts short so that early checkpoints do not show the random classifier.
            let decay = recipe
                .optim
                .ema
                .min((1.0 + state.step as f32) / (10.0 + state.step as f32));
            average = blend(&average, &model.state_dict(), decay);
            log(Event::Step {
                step: state.step,
                loss: state.loss_sum / state.loss_count as f64,
            });
            if state.step.is_multiple_of(recipe.optim.every) || state.step == recipe.optim.steps {
                files.save(&model.state_dict(), &average, &state, || {
                    BinBytesRecorder::<FullPrecisionSettings>::default()
                        .record(optimizer.to_record(), ())
                        .map_err(|e| TrainError::Checkpoint {
                            path: files.optimizer.clone(),
                            reason: e.to_string(),
                        })
                })?;
                last = Some(validated(&average, &mut state, log)?);
            }
        }
        Ok(())
    })?;
    let validation = last.ok_or_else(|| files.fault(&files.log, &"no validation"))?;
    Ok(Finished {
        weights: files.average,
        validation,
    })
}

/// The weights of the first step: published ones where the recipe names them, the classifier fitted where it asks.
fn begin<B, N>(
    mut model: N,
    recipe: &NetworkRecipe,
    sampler: &Sampler,
    device: &B::Device,
    log: &mut dyn FnMut(Event<'_>),
) -> Result<N, TrainError>
where
    B: AutodiffBackend,
    N: Trainable<B> + AutodiffModule<B>,
    N::InnerModule: Trainable<B::InnerBackend>,
{
    if let Some(init) = &recipe.init {
        let mut dict = StateDict::read(init)?;
        if recipe.replace_classifier {
            let fresh = model.state_dict();
            dict = dict.renamed(|k| (!model.is_replaced(k)).then(|| k.to_owned()));
            for key in fresh.keys().filter(|k| model.is_replaced(k)) {
                if let Some((shape, values)) = fresh.get(key) {
                    dict.insert(key, shape.to_vec(), values.to_vec());
                }
            }
        }
        model.load(&dict, device)?;
        if !recipe.batch_statistics {
            model.fold();
        }
    }
    if let Some(probe) = &recipe.probe {
        let fitted = fit_classifier::<B, N>(&model, recipe, probe, sampler, device)?;
        let mut dict = model.state_dict();
        for key in dict.clone().keys().filter(|k| N::is_classifier(k)) {
            if key.ends_with("weight") {
                dict.insert(key, vec![1, fitted.weight.len()], fitted.weight.clone());
            } else {
                dict.insert(key, vec![1], vec![fitted.bias]);
            }
        }
        model.load(&dict, device)?;
        log(Event::Note("the classifier is fitted"));
    }
    Ok(model)
}

/// Mean cross-entropy of a batch.
fn loss<B, N>(model: &N, recipe: &NetworkRecipe, batch: Batch, device: &B::Device) -> Tensor<B, 1>
where
    B: AutodiffBackend,
    N: Trainable<B>,
{
    let (n, side) = (batch.labels.len(), recipe.input as usize);
    let pixels =
        Tensor::<B, 4>::from_data(TensorData::new(batch.pixels, [n, 3, side, side]), device);
    let smooth = recipe.optim.label_smoothing;
    let targets: Vec<f32> = batch
        .labels
        .iter()
        .map(|y| y * (1.0 - smooth) + 0.5 * smooth)
        .collect();
    let targets = Tensor::<B, 2>::from_data(TensorData::new(targets, [n, 1]), device);
    let mut forward = Eager::new(match recipe.batch_statistics {
        true => BatchNormMode::Batch,
        false => BatchNormMode::Running,
    });
    if recipe.freeze_depthwise {
        forward = forward.freezing_grouped();
    }
    let logits = model.logits(&mut forward, pixels);
    // softplus(z) - y z, the cross-entropy of sigmoid(z), stable for large z.
    (logits.clone().clamp_min(0.0) - logits.clone() * targets
        + (logits.abs().neg().exp().add_scalar(1.0)).log())
    .mean()
}

/// Fits the classifier on the features of randomly delivered training pictures.
fn fit_classifier<B, N>(
    model: &N,
    recipe: &NetworkRecipe,
    probe: &Probe,
    sampler: &Sampler,
    device: &B::Device,
) -> Result<Linear, TrainError>
where
    B: AutodiffBackend,
    N: Trainable<B> + AutodiffModule<B>,
    N::InnerModule: Trainable<B::InnerBackend>,
{
    let frozen = model.valid();
    let side = recipe.input as usize;
    let (mut rows, mut labels, mut width) = (Vec::new(), Vec::new(), 0);
    for step in 0..probe.batches {
        // Other pictures and deliveries than those of the steps that follow.
        let batch = sampler.batch(usize::MAX - step)?;
        let n = batch.labels.len();
        let input = Tensor::<B::InnerBackend, 4>::from_data(
            TensorData::new(batch.pixels, [n, 3, side, side]),
            device,
        );
        let features = frozen.features(&mut Eager::new(BatchNormMode::Running), input);
        width = features.dims()[1];
        rows.extend(features.into_data().iter::<f32>());
        labels.extend(batch.labels);
    }
    let samples = Samples {
        rows,
        width,
        weights: &vec![1.0; labels.len()],
        labels: &labels,
    };
    let how = Convex {
        ridge: probe.ridge,
        iterations: probe.iterations,
    };
    Ok(logistic::fit(samples, &how))
}

fn learning_rate(recipe: &NetworkRecipe, step: usize) -> f64 {
    let o = &recipe.optim;
    if step < o.warmup {
        return o.learning_rate * (step + 1) as f64 / o.warmup as f64;
    }
    let progress = (step - o.warmup) as f64 / o.steps.saturating_sub(o.warmup).max(1) as f64;
    let cosine = (1.0 + (std::f64::consts::PI * progress).cos()) / 2.0;
    o.final_learning_rate + (o.learning_rate - o.final_learning_rate) * cosine
}

fn blend(average: &StateDict, current: &StateDict, decay: f32) -> StateDict {
    let mut out = StateDict::default();
    for key in current.keys() {
        let Some((shape, now)) = current.get(key) else {
            continue;
        };
        let values = match average.get(key) {
            Some((_, old)) => old
                .iter()
                .zip(now)
                .map(|(a, b)| decay * a + (1.0 - decay) * b)
                .collect(),
            None => now.to_vec(),
        };
        out.insert(key, shape.to_vec(), values);
    }
    out
}

fn recipe_identity(recipe: &NetworkRecipe) -> String {
    let text = serde_json::to_string(recipe).unwrap_or_default();
    Sha256::digest(text.as_bytes())
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}
