//! Perturbations with exact parameters, and the published sets of them.
//!
//! Owns: the operations ([`Op`]), their effect on pixels ([`apply`]) and the named sets ([`set`]).
//! Each is deterministic: random ones draw from a seed and the picture's path. Refuses: H.264, which is
//! for videos.
//!
//! Open first: `op.rs` for the parameters, [`sets`] for what results are stated on. The pixels change in
//! `scale.rs`, `tone.rs`, `detail.rs`, `overlay.rs`, `paint.rs` and `codec.rs`.

mod apply;
mod codec;
mod detail;
mod op;
mod overlay;
mod paint;
mod random;
mod scale;
pub mod sets;
mod tone;

pub use apply::apply;
pub use op::Op;
pub use sets::{Perturbation, SETS, set};
