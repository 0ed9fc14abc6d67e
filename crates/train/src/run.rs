//! The training loop: steps, validation, checkpoints, log.
//!
//! Everything that the next step depends on is in the checkpoint (weights, average, optimiser state,
//! step number); the pictures of a step follow from the seed and its number. A killed run continues
//! as if it had not been.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use burn::module::AutodiffModule;
use burn::optim::{AdamWConfig, GradientsParams, Optimizer};
use burn::record::{BinBytesRecorder, FullPrecisionSettings, Recorder};
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{Tensor, TensorData};
use realscope_delivery::{self as delivery, Subsampling};
use realscope_nn::efficientnet_lite::{EfficientNetLite, EfficientNetLiteConfig};
use realscope_nn::npr::{Npr, NprConfig};
use realscope_nn::{BatchNormMode, Eager, Parameters, StateDict};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::batch::{self, Arm, Sampler, Twin};
use crate::manifest::{self, Item};
use crate::metrics;
use crate::recipe::{Network, Recipe};
use crate::synth::Maker;
use crate::{TrainError, io_error};

/// A network that yields one logit per picture and can be trained.
pub trait Detector<B: Backend>: Parameters<B> {
    /// Network with random weights.
    fn fresh(network: Network, device: &B::Device) -> Self;
    /// Logits `[n, 1]` of normalised pictures.
    fn logits(&self, x: &mut Eager, input: Tensor<B, 4>) -> Tensor<B, 2>;
    /// Features `[n, width]` that the classifier reads.
    fn features(&self, x: &mut Eager, input: Tensor<B, 4>) -> Tensor<B, 2>;
    /// Folds batch normalisations ahead of fine-tuning with frozen statistics.
    fn fold(&mut self);
    /// Whether a tensor belongs to the classifier that is fitted on features.
    fn is_classifier(key: &str) -> bool;
    /// Whether a tensor of the published checkpoint has no place here or is replaced for the new task.
    fn is_replaced(&self, key: &str) -> bool {
        let _ = self;
        Self::is_classifier(key)
    }
}

impl<B: Backend> Detector<B> for EfficientNetLite<B> {
    fn fresh(network: Network, device: &B::Device) -> Self {
        match network {
            Network::EfficientnetLite0Trunk => EfficientNetLiteConfig::lite0_trunk(),
            _ => EfficientNetLiteConfig::lite0_detector(),
        }
        .init(device)
    }
    fn logits(&self, x: &mut Eager, input: Tensor<B, 4>) -> Tensor<B, 2> {
        self.forward(x, input)
    }
    fn features(&self, x: &mut Eager, input: Tensor<B, 4>) -> Tensor<B, 2> {
        EfficientNetLite::features(self, x, input)
    }
    fn fold(&mut self) {
        EfficientNetLite::fold(self);
    }
    fn is_classifier(key: &str) -> bool {
        key.starts_with("_fc.")
    }
    fn is_replaced(&self, key: &str) -> bool {
        let beyond = key
            .strip_prefix("_blocks.")
            .and_then(|rest| rest.split('.').next()?.parse::<usize>().ok())
            .is_some_and(|block| block >= self.depth());
        let head = ["_conv_head.", "_bn1."].iter().any(|p| key.starts_with(p));
        Self::is_classifier(key) || beyond || (head && self.depth() < 16)
    }
}

impl<B: Backend> Detector<B> for Npr<B> {
    fn fresh(_: Network, device: &B::Device) -> Self {
        NprConfig::published().init(device)
    }
    fn logits(&self, x: &mut Eager, input: Tensor<B, 4>) -> Tensor<B, 2> {
        self.forward(x, input)
    }
    fn features(&self, x: &mut Eager, input: Tensor<B, 4>) -> Tensor<B, 2> {
        Npr::features(self, x, input)
    }
    fn fold(&mut self) {
        Npr::fold(self);
    }
    fn is_classifier(key: &str) -> bool {
        key.starts_with("fc1.")
    }
}

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

/// One line of the log.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Validation {
    /// Steps done.
    pub step: usize,
    /// Mean loss since the last validation.
    pub loss: f64,
    /// AUC by arm, over all validation pictures and over each match set.
    pub auc: BTreeMap<String, Option<f64>>,
    /// Seconds since this process began.
    pub seconds: f64,
}

/// Where a run ended.
#[derive(Debug)]
pub struct Finished {
    /// The averaged weights in the network's published layout.
    pub weights: PathBuf,
    /// The last validation.
    pub validation: Validation,
}

#[derive(Serialize, Deserialize)]
struct State {
    recipe: String,
    step: usize,
    loss_sum: f64,
    loss_count: usize,
}

/// Trains `recipe` with pictures below `root`, keeping its files in `out`.
///
/// # Errors
/// [`TrainError`]; the files of the last checkpoint stay and the run can be continued.
pub fn train<B: AutodiffBackend>(
    recipe: &Recipe,
    root: &Path,
    out: &Path,
    device: &B::Device,
    log: &mut dyn FnMut(Event<'_>),
) -> Result<Finished, TrainError> {
    match recipe.network {
        Network::EfficientnetLite0 | Network::EfficientnetLite0Trunk => {
            run::<B, EfficientNetLite<B>>(recipe, root, out, device, log)
        }
        Network::Npr => run::<B, Npr<B>>(recipe, root, out, device, log),
    }
}

fn run<B, N>(
    recipe: &Recipe,
    root: &Path,
    out: &Path,
    device: &B::Device,
    log: &mut dyn FnMut(Event<'_>),
) -> Result<Finished, TrainError>
where
    B: AutodiffBackend,
    N: Detector<B> + AutodiffModule<B>,
    N::InnerModule: Detector<B::InnerBackend>,
{
    std::fs::create_dir_all(out).map_err(io_error(out))?;
    B::seed(device, recipe.seed);
    let split = manifest::read(root, &recipe.data, recipe.view)?;
    let sampler = Sampler::new(root, recipe, &split)?;
    let twins = validation_twins(recipe, &split.validation)?;
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
            let fitted = fit_classifier::<B, N>(&model, recipe, probe, &sampler, device)?;
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
        average = model.state_dict();
    }

    let begun = std::time::Instant::now();
    let mode = if recipe.batch_statistics {
        BatchNormMode::Batch
    } else {
        BatchNormMode::Running
    };
    let first = state.step;
    // Weights, scores and log of the average as it is; the loss is that since the last validation.
    let validated = |average: &StateDict,
                     state: &mut State,
                     log: &mut dyn FnMut(Event<'_>)|
     -> Result<Validation, TrainError> {
        let mut averaged = N::fresh(recipe.network, device);
        averaged.load(average, device)?;
        let scores = validate::<B, N>(&averaged, recipe, root, &split.validation, device)?;
        let mut auc = summarise(&scores, &split.validation);
        auc.extend(validate_twins::<B, N>(
            &averaged, recipe, root, &twins, device,
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
            let n = batch.labels.len();
            let side = recipe.input as usize;
            let pixels = Tensor::<B, 4>::from_data(
                TensorData::new(batch.pixels, [n, 3, side, side]),
                device,
            );
            let smooth = recipe.optim.label_smoothing;
            let targets: Vec<f32> = batch
                .labels
                .iter()
                .map(|y| y * (1.0 - smooth) + 0.5 * smooth)
                .collect();
            let targets = Tensor::<B, 2>::from_data(TensorData::new(targets, [n, 1]), device);
            let mut forward = Eager::new(mode);
            if recipe.freeze_depthwise {
                forward = forward.freezing_grouped();
            }
            let logits = model.logits(&mut forward, pixels);
            // softplus(z) - y z, the cross-entropy of sigmoid(z), stable for large z.
            let loss = (logits.clone().clamp_min(0.0) - logits.clone() * targets
                + (logits.abs().neg().exp().add_scalar(1.0)).log())
            .mean();
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

/// Fits the classifier on the features of randomly delivered training pictures.
fn fit_classifier<B, N>(
    model: &N,
    recipe: &Recipe,
    probe: &crate::recipe::Probe,
    sampler: &Sampler,
    device: &B::Device,
) -> Result<crate::probe::Linear, TrainError>
where
    B: AutodiffBackend,
    N: Detector<B> + AutodiffModule<B>,
    N::InnerModule: Detector<B::InnerBackend>,
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
    Ok(crate::probe::fit(
        &rows,
        width,
        &labels,
        probe.ridge,
        probe.iterations,
    ))
}

fn learning_rate(recipe: &Recipe, step: usize) -> f64 {
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

/// Logits of every validation picture by arm, in the order of `items`.
type Scores = BTreeMap<Arm, Vec<f32>>;

fn validate<B, N>(
    model: &N,
    recipe: &Recipe,
    root: &Path,
    items: &[Item],
    device: &B::Device,
) -> Result<Scores, TrainError>
where
    B: AutodiffBackend,
    N: Detector<B> + AutodiffModule<B>,
    N::InnerModule: Detector<B::InnerBackend>,
{
    let model = model.valid();
    let side = recipe.input as usize;
    let mut scores = Scores::new();
    for arm in [Arm::Q95, Arm::WebScaled] {
        let mut logits = Vec::with_capacity(items.len());
        for chunk in items.chunks(16) {
            let mut pixels = Vec::with_capacity(chunk.len() * 3 * side * side);
            for item in chunk {
                let path = root.join(&item.path);
                let picture = batch::open(&path)?;
                let delivered = arm
                    .deliver(&picture, recipe.view, recipe.input)
                    .map_err(|e| batch::picture_error(&path, &e))?;
                batch::normalise(&delivered, recipe.network, &mut pixels);
            }
            let input = Tensor::<B::InnerBackend, 4>::from_data(
                TensorData::new(pixels, [chunk.len(), 3, side, side]),
                device,
            );
            let out = model.logits(&mut Eager::new(BatchNormMode::Running), input);
            logits.extend(out.into_data().iter::<f32>());
        }
        scores.insert(arm, logits);
    }
    Ok(scores)
}

/// Pairs of each maker that validate.
const TWINS: usize = 48;

/// Pairs of held-out authentic pictures, by every maker that there is, whether it trains or not.
fn validation_twins(recipe: &Recipe, items: &[Item]) -> Result<Vec<Twin>, TrainError> {
    let Some(folder) = &recipe.data.pairs else {
        return Ok(Vec::new());
    };
    let mut by_maker: BTreeMap<Maker, Vec<Twin>> = BTreeMap::new();
    for twin in Twin::of(items, folder)? {
        by_maker.entry(twin.pair.maker).or_default().push(twin);
    }
    Ok(by_maker
        .into_values()
        .flat_map(|twins| {
            let stride = twins.len().div_ceil(TWINS).max(1);
            twins.into_iter().step_by(stride).collect::<Vec<_>>()
        })
        .collect())
}

/// AUC of re-made against authentic windows, by arm and maker; both with the authentic one's history.
fn validate_twins<B, N>(
    model: &N,
    recipe: &Recipe,
    root: &Path,
    twins: &[Twin],
    device: &B::Device,
) -> Result<BTreeMap<String, Option<f64>>, TrainError>
where
    B: AutodiffBackend,
    N: Detector<B> + AutodiffModule<B>,
    N::InnerModule: Detector<B::InnerBackend>,
{
    let model = model.valid();
    let side = recipe.input as usize;
    let mut out = BTreeMap::new();
    for arm in [Arm::Q95, Arm::WebScaled] {
        let mut rows: BTreeMap<Maker, Vec<(f32, u8)>> = BTreeMap::new();
        for chunk in twins.chunks(8) {
            let mut pixels = Vec::with_capacity(2 * chunk.len() * 3 * side * side);
            for twin in chunk {
                let fault = |e| batch::picture_error(&twin.path(), &e);
                let [real, fake] = twin.open(root)?;
                let fake = delivery::through_jpeg(&fake, twin.quality(), Subsampling::S420)
                    .map_err(fault)?;
                for picture in [real, fake] {
                    let delivered = arm
                        .deliver(&picture, recipe.view, recipe.input)
                        .map_err(fault)?;
                    batch::normalise(&delivered, recipe.network, &mut pixels);
                }
            }
            let input = Tensor::<B::InnerBackend, 4>::from_data(
                TensorData::new(pixels, [2 * chunk.len(), 3, side, side]),
                device,
            );
            let logits = model.logits(&mut Eager::new(BatchNormMode::Running), input);
            for (i, logit) in logits.into_data().iter::<f32>().enumerate() {
                let rows = rows.entry(chunk[i / 2].pair.maker).or_default();
                rows.push((logit, (i % 2) as u8));
            }
        }
        for (maker, rows) in rows {
            let key = format!("{}/pairs-{}", arm.name(), maker.name());
            out.insert(key, metrics::auc(&rows));
        }
    }
    Ok(out)
}

fn summarise(scores: &Scores, items: &[Item]) -> BTreeMap<String, Option<f64>> {
    let mut out = BTreeMap::new();
    for (arm, logits) in scores {
        let mut sets: BTreeMap<&str, Vec<(f32, u8)>> = BTreeMap::new();
        for (item, logit) in items.iter().zip(logits) {
            sets.entry("all").or_default().push((*logit, item.label));
            if !item.match_set.is_empty() {
                sets.entry(&item.match_set)
                    .or_default()
                    .push((*logit, item.label));
            }
        }
        for (set, rows) in sets {
            out.insert(format!("{}/{set}", arm.name()), metrics::auc(&rows));
        }
    }
    out
}

fn recipe_identity(recipe: &Recipe) -> String {
    let text = serde_json::to_string(recipe).unwrap_or_default();
    Sha256::digest(text.as_bytes())
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}

struct Files {
    model: PathBuf,
    average: PathBuf,
    optimizer: PathBuf,
    state: PathBuf,
    log: PathBuf,
    scores: PathBuf,
}

impl Files {
    fn new(out: &Path) -> Self {
        Self {
            model: out.join("model.safetensors"),
            average: out.join("weights.safetensors"),
            optimizer: out.join("optimizer.bin"),
            state: out.join("state.json"),
            log: out.join("log.jsonl"),
            scores: out.join("validation.csv"),
        }
    }

    fn read_state(&self) -> Result<State, TrainError> {
        let text = std::fs::read_to_string(&self.state).map_err(io_error(&self.state))?;
        serde_json::from_str(&text).map_err(|e| self.fault(&self.state, &e))
    }

    fn fault(&self, path: &Path, e: &dyn std::fmt::Display) -> TrainError {
        TrainError::Checkpoint {
            path: path.to_owned(),
            reason: e.to_string(),
        }
    }

    /// Writes every file beside its name and renames last, the state file at the very end, so that
    /// a kill between two writes leaves the former checkpoint whole.
    fn save(
        &self,
        model: &StateDict,
        average: &StateDict,
        state: &State,
        optimizer: impl FnOnce() -> Result<Vec<u8>, TrainError>,
    ) -> Result<(), TrainError> {
        let encode = |dict: &StateDict| {
            dict.to_safetensors()
                .map_err(|e| self.fault(&self.model, &e))
        };
        let state = serde_json::to_vec(state).map_err(|e| self.fault(&self.state, &e))?;
        let files = [
            (&self.model, encode(model)?),
            (&self.average, encode(average)?),
            (&self.optimizer, optimizer()?),
            (&self.state, state),
        ];
        let fresh = |path: &Path| path.with_extension("new");
        for (path, bytes) in &files {
            let path = fresh(path);
            std::fs::write(&path, bytes).map_err(io_error(&path))?;
        }
        for (path, _) in &files {
            std::fs::rename(fresh(path), path).map_err(io_error(path))?;
        }
        Ok(())
    }

    fn append_log(&self, validation: &Validation) -> Result<(), TrainError> {
        let line = serde_json::to_string(validation).map_err(|e| self.fault(&self.log, &e))?;
        let mut file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)
            .map_err(io_error(&self.log))?;
        writeln!(file, "{line}").map_err(io_error(&self.log))
    }

    /// The last validation of the log, if there is one. Half a line that a kill left is cut off.
    fn last_validation(&self) -> Result<Option<Validation>, TrainError> {
        if !self.log.is_file() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(&self.log).map_err(io_error(&self.log))?;
        let whole = &text[..text.rfind('\n').map_or(0, |end| end + 1)];
        if whole.len() < text.len() {
            std::fs::write(&self.log, whole).map_err(io_error(&self.log))?;
        }
        let line = whole.lines().last();
        line.map(|line| serde_json::from_str(line).map_err(|e| self.fault(&self.log, &e)))
            .transpose()
    }

    fn write_scores(&self, scores: &Scores, items: &[Item]) -> Result<(), TrainError> {
        let mut writer =
            csv::Writer::from_path(&self.scores).map_err(|e| self.fault(&self.scores, &e))?;
        writer
            .write_record(["arm", "path", "label", "group", "match_set", "logit"])
            .map_err(|e| self.fault(&self.scores, &e))?;
        for (arm, logits) in scores {
            for (item, logit) in items.iter().zip(logits) {
                writer
                    .write_record([
                        arm.name(),
                        &item.path,
                        &item.label.to_string(),
                        &item.group,
                        &item.match_set,
                        &logit.to_string(),
                    ])
                    .map_err(|e| self.fault(&self.scores, &e))?;
            }
        }
        writer.flush().map_err(io_error(&self.scores))
    }
}
