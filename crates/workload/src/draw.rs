//! The random choices of one text.

use crate::seed::stream;
use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha12Rng;

const NAMES: [&str; 48] = [
    "Abena", "Akira", "Alma", "Amir", "Anouk", "Bela", "Bruno", "Carmen", "Chidi", "Dara",
    "Dmitri", "Elena", "Emeka", "Farah", "Felix", "Greta", "Hana", "Hugo", "Imani", "Ines", "Ivan",
    "Jana", "Jonas", "Kaito", "Kiran", "Lars", "Leila", "Lucia", "Malik", "Mei", "Milan", "Nadia",
    "Nikhil", "Olga", "Omar", "Paula", "Petra", "Quinn", "Rafael", "Rosa", "Samir", "Sofia",
    "Tariq", "Tomas", "Uma", "Vera", "Yusuf", "Zoe",
];

/// The random choices of one text.
pub(crate) struct Draw(ChaCha12Rng);

impl Draw {
    pub(crate) fn new(seed: u64, number: u64) -> Self {
        Self(stream(seed, number))
    }

    /// An integer from `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        self.0.random_range(low..=high)
    }

    pub(crate) fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        *choices
            .choose(&mut self.0)
            .expect("a list written out in the source")
    }

    /// `N` different ones, in random order.
    pub(crate) fn distinct<T: Copy, const N: usize>(&mut self, choices: &[T]) -> [T; N] {
        choices
            .sample_array(&mut self.0)
            .expect("a list written out in the source, longer than N")
    }

    pub(crate) fn name(&mut self) -> &'static str {
        self.one_of(&NAMES)
    }

    pub(crate) fn names<const N: usize>(&mut self) -> [&'static str; N] {
        self.distinct(&NAMES)
    }
}
