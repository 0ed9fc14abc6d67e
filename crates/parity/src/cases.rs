//! Registration of computations without weights: one line each in [`CASES`], and how a case of their fixtures is computed.

use burn::tensor::{Tensor, TensorData};
use realscope_nn::d3::evenness;
use realscope_nn::demamba::zones::{Order, sequences, snake};
use realscope_nn::{BatchNormMode, Cpu, Eager, restrav};
use realscope_signal::trajectory::{self, Step};
use serde_json::Value;

use crate::fixture::{InputSpec, flatten};
use crate::rule;

/// Largest difference of one case, relative to the largest number of the list that it stands in.
pub type Check = fn(&Value) -> Result<f64, String>;

/// Every computation that can be checked, by the name of its fixture.
pub const CASES: &[(&str, Check)] = &[
    ("d3-score", d3_score),
    ("demamba-zone-scan", demamba_zone_scan),
    ("restrav-features", restrav_features),
];

/// Features of the frames of one video.
type Frames = Vec<Vec<f32>>;

/// The videos of a case: spelled out under `name` or by the rule.
fn videos(case: &Value, name: &str) -> Result<Vec<Frames>, String> {
    let rows = |values: &[f32], width: usize| -> Frames {
        let rows = values.chunks(width.max(1));
        rows.map(<[f32]>::to_vec).collect()
    };
    if let Some(listed) = case[name].as_array() {
        let mut values = Vec::new();
        flatten(&case[name], &mut values);
        return Ok(vec![rows(&values, values.len() / listed.len().max(1))]);
    }
    if case.get("embeddings_by").is_some() {
        return Ok(vec![spiral()?]);
    }
    let spec: InputSpec =
        serde_json::from_value(case["input"].clone()).map_err(|e| e.to_string())?;
    let &[count, frames, width] = spec.shape.as_slice() else {
        return Err("the input is not of rank 3".into());
    };
    let values = rule::input(&spec.name, &spec.kind, count * frames * width)
        .ok_or_else(|| format!("unknown kind `{}`", spec.kind))?;
    let videos = values.chunks(frames * width);
    Ok(videos.map(|v| rows(v, width)).collect())
}

/// `Z[k] = sum over j = 0..k of w[j] steps[j]`, `w[j] = 0.2 + 1.8 j / 23`, 24 steps of width 64 by the rule.
fn spiral() -> Result<Frames, String> {
    let (frames, width) = (24, 64);
    let steps = rule::input("steps", "normalized", frames * width).ok_or("no such kind")?;
    let mut place = vec![0.0; width];
    let walk = steps.chunks(width).enumerate().map(|(j, step)| {
        let weight = 0.2 + 1.8 * j as f64 / 23.0;
        for (p, s) in place.iter_mut().zip(step) {
            *p += weight * f64::from(*s);
        }
        place.iter().map(|p| *p as f32).collect()
    });
    Ok(walk.collect())
}

/// Largest difference between `found` and the numbers in `expected`, relative to the largest of these.
fn differ(found: &[f64], expected: &[f64]) -> Result<f64, String> {
    if found.len() != expected.len() {
        let (found, expected) = (found.len(), expected.len());
        return Err(format!("{found} numbers in place of {expected}"));
    }
    let scale = expected
        .iter()
        .fold(f64::MIN_POSITIVE, |m, v| m.max(v.abs()));
    let gaps = found
        .iter()
        .zip(expected)
        .map(|(f, e)| (f - e).abs() / scale);
    Ok(gaps.fold(0.0, f64::max))
}

fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        other => other.as_f64().into_iter().collect(),
    }
}

/// The signal's score; for distances also the one that a network computes beside its features.
fn d3_score(case: &Value) -> Result<f64, String> {
    let videos = videos(case, "features")?;
    let step = match case["loss_type"].as_str() {
        Some("l2") => Step::Distance,
        Some("cos") => Step::Cosine,
        _ => return Err("unknown `loss_type`".into()),
    };
    let scores = videos.iter().map(|v| trajectory::d3(v, step));
    let scores: Option<Vec<f64>> = scores.collect();
    let scores = scores.ok_or("too few frames")?;
    let mut worst = differ(&scores, &numbers(&case["score"]))?;
    if step == Step::Distance {
        let dims = [videos.len(), videos[0].len(), videos[0][0].len()];
        let data = TensorData::new(videos.concat().concat(), dims);
        let features = Tensor::<Cpu, 3>::from_data(data, &Default::default());
        let found = evenness::<Cpu, _>(&mut Eager::new(BatchNormMode::Running), features);
        for (found, key) in [
            (found.mean, "mean_second_difference"),
            (found.score, "score"),
        ] {
            let found: Vec<f64> = found.into_data().iter::<f64>().collect();
            worst = worst.max(differ(&found, &numbers(&case[key]))?);
        }
    }
    Ok(worst)
}

/// The 21 numbers by their kinds, also those that a network computes beside its features, and all distances and angles.
fn restrav_features(case: &Value) -> Result<f64, String> {
    let videos = videos(case, "embeddings")?;
    let (mut distances, mut angles, mut features) = (Vec::new(), Vec::new(), Vec::new());
    let dims = [videos.len(), videos[0].len(), videos[0][0].len()];
    let data = TensorData::new(videos.concat().concat(), dims);
    let frames = Tensor::<Cpu, 3>::from_data(data, &Default::default());
    let network = restrav::trajectory::<Cpu, _>(&mut Eager::new(BatchNormMode::Running), frames);
    let network: Vec<f64> = network.into_data().iter::<f64>().collect();
    for video in &videos {
        let path = trajectory::path(video);
        distances.extend(path.distances);
        angles.extend(path.angles);
        features.extend(trajectory::restrav(video).ok_or("too few frames")?);
    }
    let mut worst = differ(&distances, &numbers(&case["distances"]))?;
    worst = worst.max(differ(&angles, &numbers(&case["angles_degrees"]))?);
    let expected = numbers(&case["features"]);
    // Distances and angles with their means and extremes; variances apart, each with its own size.
    for kind in [0..7, 7..13, 13..16, 16..17, 17..20, 20..21] {
        let of_kind = |all: &[f64]| -> Vec<f64> {
            let rows = all.chunks(21).filter_map(|row| row.get(kind.clone()));
            rows.flatten().copied().collect()
        };
        for found in [&features, &network] {
            worst = worst.max(differ(&of_kind(found), &of_kind(&expected))?);
        }
    }
    Ok(worst)
}

fn demamba_zone_scan(case: &Value) -> Result<f64, String> {
    let whole = |value: &Value| -> Result<usize, String> {
        let number = value
            .as_u64()
            .ok_or_else(|| format!("{value} is no count"))?;
        usize::try_from(number).map_err(|e| e.to_string())
    };
    let compare = |what: &str, found: Vec<usize>, expected: &Value| {
        let found: Vec<f64> = found.into_iter().map(|v| v as f64).collect();
        if found == numbers(expected) {
            Ok(())
        } else {
            Err(format!("another order: {what}"))
        }
    };
    if let Some(side) = case.get("create_reorder_index") {
        compare("zone", snake(whole(side)?), &case["expected"])?;
        return Ok(0.0);
    }
    let side = whole(&case["fusing_ratio"])?;
    compare("zone", snake(side), &case["snake_order_in_zone"])?;
    let (frames, grid) = (whole(&case["frames"])?, whole(&case["grid"][0])?);
    for (order, key) in [(Order::Published, "released"), (Order::Paper, "intended")] {
        let found = sequences(frames, grid, side, order);
        let length = whole(&case["length"])?;
        if found.len() != whole(&case["sequences"])? || found.iter().any(|s| s.len() != length) {
            return Err(format!("other sequences: {key}"));
        }
        compare(key, found.concat(), &case[key])?;
    }
    Ok(0.0)
}
