//! Fixture files.

use std::path::Path;

use realscope_nn::StateDict;
use serde::Deserialize;
use serde_json::Value;

use crate::rule;

/// An input by rule.
#[derive(Clone, Debug, Deserialize)]
pub struct InputSpec {
    /// Name; also the text of the rule, after `input:`.
    pub name: String,
    /// Sizes.
    pub shape: Vec<usize>,
    /// `unit`, `byte` or `normalized`.
    #[serde(default)]
    pub kind: String,
}

/// Expected values of an output or a tap.
#[derive(Clone, Debug, Deserialize)]
pub struct Expected {
    /// Name of an output; position within a module's result for a tap.
    #[serde(default)]
    pub name: String,
    /// Module that a tap belongs to.
    #[serde(default)]
    pub module: Option<String>,
    /// Whether taps of other positions within its module's result are listed, too.
    #[serde(skip)]
    pub several: bool,
    /// Sizes.
    pub shape: Vec<usize>,
    /// Mean over the whole tensor.
    pub mean: f64,
    /// Population standard deviation.
    pub std: f64,
    /// Largest absolute value.
    pub max_abs: f64,
    /// Flat row-major index and value.
    pub samples: Vec<(usize, f64)>,
}

/// A key of the state dict.
#[derive(Clone, Debug, Deserialize)]
pub struct TensorSpec {
    /// Key.
    pub key: String,
    /// Sizes.
    pub shape: Vec<usize>,
    /// Rule.
    pub rule: String,
    /// Values of a kept tensor.
    #[serde(default)]
    pub values: Option<Value>,
    /// Key whose tensor an alias shares.
    #[serde(default)]
    pub of: Option<String>,
}

/// A fixture file.
#[derive(Clone, Debug, Deserialize)]
pub struct Fixture {
    /// Name.
    pub name: String,
    /// `network`, `data`, `loss` or `metric`.
    #[serde(default)]
    pub kind: String,
    /// Number of parameters.
    #[serde(default)]
    pub parameters: u64,
    /// Inputs.
    #[serde(default)]
    pub inputs: Vec<InputSpec>,
    /// Expected outputs.
    #[serde(default)]
    pub outputs: Vec<Expected>,
    /// Expected inner values.
    #[serde(default)]
    pub taps: Vec<Expected>,
    /// State dict.
    #[serde(default)]
    pub tensors: Vec<TensorSpec>,
    /// Cases of other kinds.
    #[serde(default)]
    pub cases: Vec<Value>,
}

/// Appends the numbers within `value`, however deep they stand.
pub(crate) fn flatten(value: &Value, out: &mut Vec<f32>) {
    match value {
        Value::Array(items) => items.iter().for_each(|v| flatten(v, out)),
        other => out.extend(other.as_f64().map(|v| v as f32)),
    }
}

impl Fixture {
    /// Reads a file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|e| e.to_string())?;
        let mut fixture: Self = serde_json::from_str(&text).map_err(|e| e.to_string())?;
        let modules: Vec<Option<String>> = fixture.taps.iter().map(|t| t.module.clone()).collect();
        for tap in &mut fixture.taps {
            tap.several = modules.iter().filter(|m| **m == tap.module).count() > 1;
        }
        Ok(fixture)
    }

    /// Keys and sizes of kept tensors too large to be listed, which a network makes itself.
    #[must_use]
    pub fn built(&self) -> Vec<(String, Vec<usize>)> {
        let kept = self.tensors.iter().filter(|t| t.rule == "keep");
        kept.filter(|t| t.values.is_none())
            .map(|t| (t.key.clone(), t.shape.clone()))
            .collect()
    }

    /// The state dict that the file describes, without the tensors of [`Fixture::built`].
    ///
    /// # Errors
    /// The key that cannot be made.
    pub fn state_dict(&self) -> Result<StateDict, String> {
        let mut dict = StateDict::default();
        for t in &self.tensors {
            let count: usize = t.shape.iter().product();
            let values = match t.rule.as_str() {
                "keep" => {
                    let Some(listed) = &t.values else {
                        continue;
                    };
                    let mut values = Vec::new();
                    flatten(listed, &mut values);
                    if values.len() != count {
                        return Err(format!("`{}` is not listed whole", t.key));
                    }
                    values
                }
                "alias" => {
                    let of = t.of.as_deref().unwrap_or_default();
                    let source = self
                        .tensors
                        .iter()
                        .find(|s| s.key == of)
                        .ok_or_else(|| format!("`{}` is an alias of nothing", t.key))?;
                    rule::weight(&source.key, &source.rule, &source.shape)
                        .ok_or_else(|| format!("`{}` has no rule", source.key))?
                }
                rule => rule::weight(&t.key, rule, &t.shape)
                    .ok_or_else(|| format!("`{}` has the unknown rule `{rule}`", t.key))?,
            };
            dict.insert(&t.key, t.shape.clone(), values);
        }
        Ok(dict)
    }

    /// Values of an input.
    ///
    /// # Errors
    /// When its kind has no rule.
    pub fn input(&self, spec: &InputSpec) -> Result<Vec<f32>, String> {
        rule::input(&spec.name, &spec.kind, spec.shape.iter().product())
            .ok_or_else(|| format!("input `{}` has the unknown kind `{}`", spec.name, spec.kind))
    }
}

impl Expected {
    /// What the value is called in an implementation's results: an output by its name, what a module yields by the
    /// module's; where a module yields several values, a tap of such a one ends in `:` and its position.
    #[must_use]
    pub fn key(&self) -> String {
        match &self.module {
            None => self.name.clone(),
            Some(module) if self.several => format!("{module}:{}", self.name),
            Some(module) => module.clone(),
        }
    }

    /// Largest difference to `values`, relative to `max_abs`, over samples, mean, deviation and
    /// largest value; an error when the sizes differ.
    ///
    /// # Errors
    /// The difference in words.
    pub fn compare(&self, shape: &[usize], values: &[f32]) -> Result<f64, String> {
        if shape != self.shape.as_slice() {
            return Err(format!(
                "`{}` has shape {shape:?}, expected {:?}",
                self.key(),
                self.shape
            ));
        }
        let n = values.len().max(1) as f64;
        let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
        let var = values
            .iter()
            .map(|v| (f64::from(*v) - mean).powi(2))
            .sum::<f64>()
            / n;
        let max = values
            .iter()
            .fold(0.0_f64, |m, v| m.max(f64::from(v.abs())));
        if values.iter().any(|v| !v.is_finite()) {
            return Err(format!("`{}` holds a value that is not finite", self.key()));
        }
        let scale = self.max_abs.max(f64::MIN_POSITIVE);
        let mut worst = (mean - self.mean)
            .abs()
            .max((var.sqrt() - self.std).abs())
            .max((max - self.max_abs).abs())
            / scale;
        for (index, expected) in &self.samples {
            let found = values
                .get(*index)
                .ok_or_else(|| format!("`{}` has no element {index}", self.key()))?;
            worst = worst.max((f64::from(*found) - expected).abs() / scale);
        }
        Ok(worst)
    }
}
