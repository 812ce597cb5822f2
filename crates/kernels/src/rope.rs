//! Rotary position embedding (Su et al., 2021).

use crate::Kernels;

/// Which two values of a head turn together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pairing {
    /// `i` and `i + head_dim / 2`: Hugging Face's layout.
    Half,
    /// `2i` and `2i + 1`: the paper's, and that of GGUF files of the Llama family.
    Adjacent,
}

/// Sines and cosines of every position.
pub struct RopeTable {
    pairing: Pairing,
    half: usize,
    /// `[positions][head_dim / 2]`, cosine and sine.
    turns: Vec<(f32, f32)>,
}

impl RopeTable {
    /// For `positions` positions; `inverse_frequencies` has one for each pair of a head.
    pub fn new(inverse_frequencies: &[f32], positions: usize, pairing: Pairing) -> Self {
        #[allow(clippy::cast_possible_truncation, reason = "a table of 32-bit numbers")]
        let turn = |position: usize, frequency: &f32| {
            // In 32 bits, as the networks were trained.
            let angle = f64::from(position as f32 * frequency);
            (angle.cos() as f32, angle.sin() as f32)
        };
        let turns = (0..positions).flat_map(|position| {
            let of_position = move |frequency| turn(position, frequency);
            inverse_frequencies.iter().map(of_position)
        });
        RopeTable {
            pairing,
            half: inverse_frequencies.len(),
            turns: turns.collect(),
        }
    }
}

impl Kernels {
    /// Turns, in place, `heads` heads from column `offset` on of each `width`-wide row, by `positions[row]`.
    pub fn rope(
        &self,
        x: &mut [f32],
        width: usize,
        offset: usize,
        heads: usize,
        positions: &[u32],
        table: &RopeTable,
    ) {
        let half = table.half;
        assert!(
            offset + heads * 2 * half <= width,
            "the heads lie within the row"
        );
        assert_eq!(positions.len() * width, x.len(), "one position a row");
        self.rows(x, width, |row, x| {
            let turns = &table.turns[positions[row] as usize * half..][..half];
            for head in x[offset..][..heads * 2 * half].chunks_exact_mut(2 * half) {
                match table.pairing {
                    Pairing::Half => {
                        let (first, second) = head.split_at_mut(half);
                        for ((a, b), (cos, sin)) in first.iter_mut().zip(second).zip(turns) {
                            (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
                        }
                    }
                    Pairing::Adjacent => {
                        for (pair, (cos, sin)) in head.as_chunks_mut::<2>().0.iter_mut().zip(turns)
                        {
                            let [a, b] = *pair;
                            *pair = [a * cos - b * sin, b * cos + a * sin];
                        }
                    }
                }
            }
        });
    }
}
