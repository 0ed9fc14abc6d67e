//! Scanning: from bytes or frames to a verdict that says why.
//!
//! Owns: the [`Scanner`] (decoding in killable worker processes, a bounded queue in front of the detector, scoring
//! under re-deliveries), the verdict and its words, the [`record`] and its reports.
//! Refuses: a verdict on what cannot be decoded; an accusation from metadata.
//!
//! Open first: [`scanner::Scanner`], then [`verdict`]; for videos [`timeline`]; for signed reports [`custody`].

pub mod audit;
pub mod cameras;
pub mod cancel;
pub mod confine;
pub mod contradictions;
pub mod custody;
pub mod fetch;
pub mod lane;
pub mod map;
pub mod provenance;
pub mod record;
pub mod report;
pub mod scanner;
pub mod timeline;
pub mod verdict;
pub mod worker;

pub use cancel::Cancel;
pub use lane::{Decoding, Launch};
pub use record::Record;
pub use scanner::{Options, ScanError, Scanner, Source};
