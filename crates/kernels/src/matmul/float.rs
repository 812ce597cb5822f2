//! 32-bit weights: sixteen outputs at a time, for a few rows at once.

use super::{TILE, by_rows};
use crate::Isa;
use crate::lanes::{LANES, Lanes, fma_lanes, for_isa};

/// `rows` rows of `x` times a panel `[inputs][16]`.
pub(super) fn tile(isa: Isa, panel: &[f32], x: &[f32], rows: usize) -> [Lanes; TILE] {
    let mut out = [[0.0; LANES]; TILE];
    let into = &mut out;
    for_isa!(isa, any_rows(panel: &[f32], x: &[f32], rows: usize, into: &mut [Lanes; TILE]));
    out
}

#[inline(always)]
fn any_rows<const FMA: bool>(panel: &[f32], x: &[f32], rows: usize, out: &mut [Lanes; TILE]) {
    if FMA {
        by_rows!(rows, with_fma(panel, x, out));
    } else {
        by_rows!(rows, without_fma(panel, x, out));
    }
}

#[inline(always)]
fn with_fma<const ROWS: usize>(panel: &[f32], x: &[f32], out: &mut [Lanes; TILE]) {
    some_rows::<true, ROWS>(panel, x, out);
}

#[inline(always)]
fn without_fma<const ROWS: usize>(panel: &[f32], x: &[f32], out: &mut [Lanes; TILE]) {
    some_rows::<false, ROWS>(panel, x, out);
}

#[inline(always)]
fn some_rows<const FMA: bool, const ROWS: usize>(
    panel: &[f32],
    x: &[f32],
    out: &mut [Lanes; TILE],
) {
    let inputs = panel.len() / LANES;
    let x: [&[f32]; ROWS] = std::array::from_fn(|row| &x[row * inputs..][..inputs]);
    let mut sums = [[0.0; LANES]; ROWS];
    for (input, weights) in panel.as_chunks::<LANES>().0.iter().enumerate() {
        for row in 0..ROWS {
            fma_lanes::<FMA>(weights, x[row][input], &mut sums[row]);
        }
    }
    out[..ROWS].copy_from_slice(&sums);
}
