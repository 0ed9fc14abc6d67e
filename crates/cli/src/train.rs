//! `realscope train`.

use std::path::PathBuf;
use std::process::ExitCode;

use realscope_detectors::Models;
use realscope_detectors::catalog::Availability;
use realscope_detectors::models::ImportError;
use realscope_train::calibrate::own;
use realscope_train::recipe::NetworkRecipe;
use realscope_train::semantic::{self, Brought, SemanticRecipe};
use realscope_train::video::{self, VideoRecipe};
use realscope_train::{run, ship};

use crate::args::{CalibrateArgs, EngineChoice, TrainArgs};
use crate::models::{engine_kind, model_failure};
use crate::{Failure, config};

#[cfg(feature = "tch")]
pub(crate) type Backend = burn::backend::Autodiff<burn::backend::LibTorch<f32>>;
#[cfg(all(feature = "cuda", not(feature = "tch")))]
pub(crate) type Backend = burn::backend::Autodiff<burn::backend::Cuda<f32, i32>>;
#[cfg(not(any(feature = "tch", feature = "cuda")))]
pub(crate) type Backend = burn::backend::Autodiff<realscope_nn::Cpu>;

/// Trains a recipe.
pub fn run(args: &TrainArgs) -> Result<ExitCode, Failure> {
    let fail = |e: realscope_train::TrainError| Failure::new(2, e.to_string());
    let text = std::fs::read_to_string(&args.recipe)
        .map_err(|e| Failure::new(2, format!("{}: {e}", args.recipe.display())))?;
    let bar = indicatif::ProgressBar::new_spinner();
    let mut log = |line: &str| {
        if bar.is_hidden() {
            eprintln!("{line}");
        } else {
            bar.println(line);
        }
    };
    if VideoRecipe::is_one(&text) {
        let recipe = VideoRecipe::read(&args.recipe).map_err(fail)?;
        let card = video::train(&recipe, &args.data, &args.id, &args.out, &mut log);
        let card = card.map_err(fail)?;
        let calibration = match recipe.faces {
            Some(_) => card.faces.as_ref().map(|f| &f.calibration),
            None => card.video.as_ref(),
        };
        report(calibration, args);
        return Ok(ExitCode::SUCCESS);
    }
    if SemanticRecipe::is_one(&text) {
        let mut recipe = SemanticRecipe::read(&args.recipe).map_err(fail)?;
        if let Some(id) = &args.encoder {
            recipe.encoder = id.into();
        }
        let brought = brought(&recipe)?;
        let card = semantic::train(
            &recipe,
            brought.as_ref(),
            &args.data,
            &args.id,
            &args.out,
            &mut log,
        )
        .map_err(fail)?;
        report(card.calibration.as_ref(), args);
        return Ok(ExitCode::SUCCESS);
    }
    let recipe = NetworkRecipe::read(&args.recipe).map_err(fail)?;
    let weights = if args.calibrate_only {
        args.out.join("weights.safetensors")
    } else {
        train(args, &recipe).map_err(fail)?
    };
    let card = ship::ship(
        &recipe,
        &args.data,
        &weights,
        &args.id,
        args.max_windows,
        &args.out,
    )
    .map_err(fail)?;
    report(card.calibration.as_ref(), args);
    Ok(ExitCode::SUCCESS)
}

/// The installed encoder that a recipe names, if it names one.
fn brought(recipe: &SemanticRecipe) -> Result<Option<Brought>, Failure> {
    let named = recipe
        .encoder
        .to_str()
        .filter(|_| recipe.shipped().is_none());
    let home = Models::at(&config::load()?.home);
    match named {
        Some(id) if home.listed(id).is_ok() => {
            home.deployed(id).map(Some).map_err(|e| model_failure(&e))
        }
        _ => Ok(None),
    }
}

fn report(calibration: Option<&realscope_detectors::Calibration>, args: &TrainArgs) {
    if let Some(c) = calibration {
        outln!(
            "matched validation AUC {:.3} (95% interval {:.3} to {:.3}), decision threshold {:.2}, generated from {}",
            c.matched_auc,
            c.matched_auc_low,
            c.matched_auc_high,
            c.decision_threshold,
            c.generated_threshold
                .map_or("never".into(), |t| format!("{t:.3}"))
        );
    }
    outln!("{}", args.out.join(format!("{}.onnx", args.id)).display());
}

/// Trains with a progress bar and returns the averaged weights.
fn train(args: &TrainArgs, recipe: &NetworkRecipe) -> Result<PathBuf, realscope_train::TrainError> {
    let bar = indicatif::ProgressBar::new(recipe.optim.steps as u64).with_style(
        indicatif::ProgressStyle::with_template("{wide_bar} {pos}/{len} {msg} ETA {eta}")
            .unwrap_or_else(|_| indicatif::ProgressStyle::default_bar()),
    );
    let mut log = |event: run::Event<'_>| match event {
        run::Event::Note(text) => bar.println(text),
        run::Event::Step { step, loss } => {
            bar.set_position(step as u64);
            bar.set_message(format!("loss {loss:.3}"));
        }
    };
    let device = Default::default();
    let finished = run::train::<Backend>(recipe, &args.data, &args.out, &device, &mut log)?;
    bar.finish();
    Ok(finished.weights)
}

/// Calibrates an installed detector on the caller's pictures.
pub fn calibrate(args: &CalibrateArgs) -> Result<ExitCode, Failure> {
    let home = Models::at(&config::load()?.home);
    let engine = engine_kind(args.engine.unwrap_or(EngineChoice::Auto))?;
    let refused = |e: ImportError| Failure::new(5, e.to_string());
    let listed = home.listed(&args.detector).map_err(|e| model_failure(&e))?;
    if listed.availability != Availability::Installed {
        return Err(refused(ImportError::NotInstalled(listed.card.id)));
    }
    let detector = home
        .get(&args.detector, engine)
        .map_err(|e| model_failure(&e))?;
    let own = own::calibrate(detector.as_ref(), &args.manifest, &mut |line| {
        eprintln!("{line}");
    })
    .map_err(|e| Failure::new(3, e.to_string()))?;
    for (path, reason) in &own.left_out {
        eprintln!("left out: {}: {reason}", path.display());
    }
    let card = home
        .calibrate(&listed.card.id, own.calibration)
        .map_err(refused)?;
    let [authentic, generated] = own.pictures;
    let [authentic_groups, generated_groups] = own.groups;
    outln!(
        "{}: {authentic} authentic files of {authentic_groups} groups, {generated} generated ones of \
         {generated_groups}",
        card.id
    );
    let Some(c) = &card.calibration else {
        return Ok(ExitCode::SUCCESS);
    };
    outln!("decision threshold {:.2}", c.decision_threshold);
    match c.generated_threshold {
        Some(t) => outln!("`generated` from {t:.3}"),
        None => outln!("these files carry no verdict `generated`: at most `uncertain`"),
    }
    for p in &c.operating_points {
        outln!(
            "{:<6} at {:.0}% false positives: threshold {:.3}, false positives {:.3} ({:.3} to {:.3}), recall {:.3} \
             ({:.3} to {:.3})",
            p.tier.name(),
            100.0 * p.max_fpr,
            p.threshold,
            p.fpr,
            p.fpr_ci95[0],
            p.fpr_ci95[1],
            p.recall,
            p.recall_ci95[0],
            p.recall_ci95[1]
        );
    }
    for k in &c.kinds {
        outln!(
            "{:<14} {} pictures of {} groups: {:.3} accused ({:.3} to {:.3})",
            k.content,
            k.pictures,
            k.groups,
            k.accused,
            k.accused_ci95[0],
            k.accused_ci95[1]
        );
    }
    Ok(ExitCode::SUCCESS)
}
