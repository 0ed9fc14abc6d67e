//! Logistic regression: the one implementation that training, calibration and checks of data sets share.
//!
//! The loss is the weighted mean of the cross-entropy, and half of `ridge` times the squared weights where there is
//! one; the bias is free. Three ways to its minimum:
//! - [`fit`]: all the way, on standardised features, for many features;
//! - [`early`]: a few passes of AdamW, where stopping early is the regulariser;
//! - [`line()`]: Newton's method for a single feature, to the last digit.
//!
//! All start from zero and give the same result in every run, whatever the number of threads.

mod convex;
mod early;
mod line;
mod linear;
mod rows;

pub use convex::{Convex, fit};
pub use early::{Early, early};
pub use line::{Line, line};
pub use linear::{Linear, Samples};
