//! Random numbers that repeat on every machine.

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest as _, Sha256};

/// A generator for one picture: the same for the same `seed` and `path`.
pub(super) fn of(seed: u64, path: &str) -> ChaCha8Rng {
    let digest = Sha256::digest(format!("{seed}/{path}"));
    let mut key = [0; 32];
    key.copy_from_slice(&digest);
    ChaCha8Rng::from_seed(key)
}
