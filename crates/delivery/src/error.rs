//! Why a picture could not be delivered.

/// Why a picture could not be delivered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeliveryError {
    /// A side is zero or too large for the format.
    #[error("cannot deliver a picture of {width} x {height}: {reason}")]
    Size {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// What the encoder or resizer said.
        reason: String,
    },
}

pub(crate) fn size_error(width: u32, height: u32, reason: impl ToString) -> DeliveryError {
    DeliveryError::Size {
        width,
        height,
        reason: reason.to_string(),
    }
}
