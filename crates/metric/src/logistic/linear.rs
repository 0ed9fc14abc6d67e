//! A linear classifier and what it is fitted on.

/// Weights `[features]` and bias of a linear classifier.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear {
    /// Weights on raw features.
    pub weight: Vec<f32>,
    /// Bias.
    pub bias: f32,
}

impl Linear {
    /// The logit of a row of raw features.
    #[must_use]
    pub fn logit(&self, row: &[f32]) -> f32 {
        self.bias + self.weight.iter().zip(row).map(|(w, v)| w * v).sum::<f32>()
    }
}

/// What is fitted.
#[derive(Clone, Debug)]
pub struct Samples<'a> {
    /// Features, row by row. A fit standardises them in place.
    pub rows: Vec<f32>,
    /// Features of a row.
    pub width: usize,
    /// Target of each row, 0 to 1.
    pub labels: &'a [f32],
    /// How much each row counts.
    pub weights: &'a [f32],
}

/// The logistic function.
pub(super) fn sigmoid(z: f64) -> f64 {
    1.0 / (1.0 + (-z).exp())
}
