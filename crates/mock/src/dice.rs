use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// A number from 0 up to 1 for one question about one request: the same for the same seed.
pub(crate) fn part(seed: u64, sequence: u64) -> f64 {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(sequence);
    random.random()
}
