//! What happens to a picture on its way to a reader: cropping, resizing, encoding, perturbing.
//!
//! Owns: the one definition of each delivery. Training, evaluation and the stability check of a scan use
//! the same functions, so that `web` means the same everywhere. With the feature `arms`: the named arms
//! of an evaluation and the published sets of perturbations.
//! Refuses: files and their metadata (`realscope-media` reads them), and any delivery that was not asked
//! for; a size that an encoder cannot write is a [`DeliveryError`].
//!
//! Open first: `resize.rs` and `jpeg.rs` for what a scan does; `arm.rs` for what results are stated on.

mod error;
mod jpeg;
mod resize;

#[cfg(feature = "arms")]
pub mod arm;
#[cfg(feature = "arms")]
pub mod perturb;

pub use error::DeliveryError;
pub use jpeg::{Subsampling, encode_jpeg, through_jpeg};
pub use resize::{Filter, crop, limit_edge, resize};
