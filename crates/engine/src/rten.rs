//! The engine in pure Rust, the default.

use rten_tensor::prelude::*;

use crate::{Engine, EngineError, EngineKind, Input, Network, Tensor, Threads, check, finite};

const NAME: &str = "rten";

/// A network that rten runs.
pub struct Rten {
    model: rten::Model,
    inputs: Vec<String>,
    outputs: Vec<String>,
}

fn load_error(reason: impl ToString) -> EngineError {
    EngineError::Load {
        engine: NAME,
        reason: reason.to_string(),
    }
}

fn run_error(reason: impl ToString) -> EngineError {
    EngineError::Run {
        engine: NAME,
        reason: reason.to_string(),
    }
}

impl Rten {
    /// Loads a network; for `prepack` see [`crate::Choice`].
    ///
    /// # Errors
    /// [`EngineError::Load`].
    pub fn load(network: Network, prepack: bool) -> Result<Self, EngineError> {
        let mut options = rten::ModelOptions::with_all_ops();
        options.prepack_weights(prepack);
        for (name, bytes) in network.beside {
            options.external_data(&name, bytes);
        }
        let model = options.load(network.file).map_err(load_error)?;
        let names = |ids: &[rten::NodeId]| -> Vec<String> {
            ids.iter()
                .map(|id| {
                    let info = model.node_info(*id);
                    info.and_then(|n| n.name().map(str::to_owned))
                        .unwrap_or_default()
                })
                .collect()
        };
        Ok(Self {
            inputs: names(model.input_ids()),
            outputs: names(model.output_ids()),
            model,
        })
    }
}

impl Engine for Rten {
    fn kind(&self) -> EngineKind {
        EngineKind::Rten
    }

    fn inputs(&self) -> &[String] {
        &self.inputs
    }

    fn outputs(&self) -> &[String] {
        &self.outputs
    }

    fn run(
        &self,
        inputs: &[Input<'_>],
        outputs: &[&str],
        threads: &Threads,
    ) -> Result<Vec<Tensor>, EngineError> {
        check(self, inputs, outputs)?;
        let id = |all: &[String], ids: &[rten::NodeId], name: &str| {
            all.iter().position(|n| n == name).map(|i| ids[i])
        };
        let mut values = Vec::with_capacity(inputs.len());
        for input in inputs {
            let id = id(&self.inputs, self.model.input_ids(), input.name)
                .ok_or_else(|| run_error("an input is gone"))?;
            let view = rten_tensor::TensorView::from_data(input.shape, input.values);
            values.push((id, view.into()));
        }
        let ids: Vec<rten::NodeId> = outputs
            .iter()
            .filter_map(|name| id(&self.outputs, self.model.output_ids(), name))
            .collect();
        let options = rten::RunOptions::default().with_thread_pool(threads.pool());
        let made = self
            .model
            .run(values, &ids, Some(options))
            .map_err(run_error)?;
        outputs
            .iter()
            .zip(made)
            .map(|(name, value)| {
                let tensor: rten_tensor::Tensor<f32> = value
                    .try_into()
                    .map_err(|_| run_error(format!("output `{name}` is not float")))?;
                finite(
                    NAME,
                    Tensor {
                        name: (*name).to_owned(),
                        shape: tensor.shape().to_vec(),
                        values: tensor.to_vec(),
                    },
                )
            })
            .collect()
    }
}
