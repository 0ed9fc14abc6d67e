//! `genconvit-ed`: ConvNeXt on a face beside what an autoencoder makes of it, network A of GenConViT (Deressa et al.,
//! Applied Sciences 2025, arXiv 2307.07036).
//!
//! Faces are found by the program's own finder, where the authors use dlib's. A video's score is the mean logit of its
//! frames, where the authors take the mean of probabilities. The licence of the published weights is for their owner to
//! tell, so each user obtains them. Uncalibrated, their verdict is at most `uncertain`.

use std::sync::Arc;

use realscope_engine::{Choice, Threads};

use crate::card::Card;
use crate::entry::{self, Entry, Weights};
use crate::{Answer, Detector, DetectorError, Sample};

#[cfg(feature = "import")]
mod convert;

/// Stable id.
pub const ID: &str = "genconvit-ed";

/// The catalog's entry.
pub static ENTRY: Entry = Entry {
    id: ID,
    card: || Card::parse(ID, include_str!("card.toml")),
    weights: &[Weights::Import {
        hint: "get genconvit_ed_inference.pth from huggingface.co/Deressa/GenConViT, then \
               realscope models import genconvit-ed genconvit_ed_inference.pth",
        #[cfg(feature = "import")]
        convert: Some(convert::convert),
        #[cfg(not(feature = "import"))]
        convert: None,
    }],
    load,
};

/// Runs each sample on one thread: the engine's sums of this network differ in their last bits with the number.
struct OnOneThread {
    network: Arc<dyn Detector>,
    thread: Threads,
}

impl Detector for OnOneThread {
    fn card(&self) -> &Card {
        self.network.card()
    }

    fn infer(&self, samples: &[Sample], _: &Threads) -> Result<Vec<Answer>, DetectorError> {
        self.network.infer(samples, &self.thread)
    }
}

fn load(card: Card, onnx: &[u8], choice: Choice) -> Result<Arc<dyn Detector>, DetectorError> {
    Ok(Arc::new(OnOneThread {
        network: entry::network(card, onnx, choice)?,
        thread: Threads::of(1),
    }))
}
