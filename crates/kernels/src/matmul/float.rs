//! 32-bit weights in plain Rust: sixteen outputs at a time, for a few rows at once.

use super::{TILE, by_rows};
use crate::lanes::{LANES, Lanes, fma_lanes};

/// `rows` rows of `x`, interleaved as `[inputs][rows]`, times a panel `[inputs][16]`.
pub(super) fn tile(panel: &[f32], x: &[f32], rows: usize) -> [Lanes; TILE] {
    let mut out = [[0.0; LANES]; TILE];
    by_rows!(rows, some_rows(panel, x, &mut out));
    out
}

fn some_rows<const ROWS: usize>(panel: &[f32], x: &[f32], out: &mut [Lanes; TILE]) {
    let (weights, x) = (panel.as_chunks::<LANES>().0, x.as_chunks::<ROWS>().0);
    for (weights, x) in weights.iter().zip(x) {
        for (row, x) in x.iter().enumerate() {
            fma_lanes::<false>(weights, *x, &mut out[row]);
        }
    }
}
