//! Random draws for one request.

use crate::Timing;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Draws for one request: the same for the same seed and number.
pub(crate) struct Dice {
    seed: u64,
    sequence: u64,
    /// Made when the first is drawn: most requests of a mock with constant timing draw none.
    random: Option<ChaCha8Rng>,
}

impl Dice {
    pub(crate) fn new(seed: u64, sequence: u64) -> Self {
        Self {
            seed,
            sequence,
            random: None,
        }
    }

    /// A span in nanoseconds.
    pub(crate) fn span(&mut self, timing: Timing) -> u64 {
        match timing.constant() {
            Some(span) => span,
            None => timing.draw(self.random()),
        }
    }

    /// A number from 0 up to 1.
    pub(crate) fn part(&mut self) -> f64 {
        self.random().random()
    }

    fn random(&mut self) -> &mut ChaCha8Rng {
        self.random.get_or_insert_with(|| {
            let mut random = ChaCha8Rng::seed_from_u64(self.seed);
            random.set_stream(self.sequence);
            random
        })
    }
}
