//! Rows of activations become what a matmul takes.

use crate::activations::Activations;
use crate::lanes::for_isa;
use crate::matmul::TILE;
use crate::quantized::BLOCK;
use crate::{Isa, Kernels, kernels::Shared};

impl Activations {
    /// Quantises `x`, `[rows × inputs]`, with `inputs` a multiple of 32.
    pub(crate) fn quantize(&mut self, kernels: &Kernels, x: &[f32], inputs: usize) {
        let rows = x.len() / inputs;
        let blocks = inputs / BLOCK;
        self.codes.resize(x.len(), 0);
        self.scales.resize(rows * blocks, 0.0);
        self.sums.resize(rows * blocks, 0);
        let codes = Shared::new(&mut self.codes);
        let scales = Shared::new(&mut self.scales);
        let sums = Shared::new(&mut self.sums);
        let isa = kernels.isa();
        kernels.for_each(rows, kernels.grain(rows, 4), |range| {
            for row in range {
                // SAFETY: each row is handed out once, and rows do not overlap.
                let (codes, scales, sums) = unsafe {
                    (
                        codes.slice(row * inputs, inputs),
                        scales.slice(row * blocks, blocks),
                        sums.slice(row * blocks, blocks),
                    )
                };
                quantize_row(isa, &x[row * inputs..][..inputs], codes, scales, sums);
            }
        });
    }
}

impl Activations {
    /// Interleaves `x`, `[rows × inputs]`, by tiles of [`TILE`] rows; the last one has those that are left.
    pub(crate) fn interleave(&mut self, kernels: &Kernels, x: &[f32], inputs: usize) {
        self.interleaved.resize(x.len(), 0.0);
        let tiles = x.len().div_ceil(TILE * inputs);
        let out = Shared::new(&mut self.interleaved);
        kernels.for_each(tiles, kernels.grain(tiles, 1), |range| {
            for tile in range {
                let first = tile * TILE * inputs;
                let x = &x[first..x.len().min(first + TILE * inputs)];
                // SAFETY: each tile is handed out once, and tiles do not overlap.
                let out = unsafe { out.slice(first, x.len()) };
                let rows = x.len() / inputs;
                for (row, x) in x.chunks_exact(inputs).enumerate() {
                    for (place, x) in out[row..].iter_mut().step_by(rows).zip(x) {
                        *place = *x;
                    }
                }
            }
        });
    }
}

pub(crate) fn quantize_row(
    isa: Isa,
    x: &[f32],
    codes: &mut [i8],
    scales: &mut [f32],
    sums: &mut [i32],
) {
    for_isa!(isa, row(x: &[f32], codes: &mut [i8], scales: &mut [f32], sums: &mut [i32]));
}

#[inline(always)]
fn row<const FMA: bool>(x: &[f32], codes: &mut [i8], scales: &mut [f32], sums: &mut [i32]) {
    for (index, (x, codes)) in x
        .chunks_exact(BLOCK)
        .zip(codes.chunks_exact_mut(BLOCK))
        .enumerate()
    {
        let mut most = [0.0f32; 8];
        for x in x.chunks_exact(8) {
            for lane in 0..8 {
                let size = x[lane].abs();
                most[lane] = if size > most[lane] { size } else { most[lane] };
            }
        }
        let most = most.iter().fold(0.0f32, |a, &b| a.max(b));
        let inverse = if most > 0.0 { 127.0 / most } else { 0.0 };
        let mut sum = 0;
        for (x, code) in x.iter().zip(codes) {
            let rounded = round(x * inverse);
            sum += rounded;
            #[allow(clippy::cast_possible_truncation, reason = "at most 127 in size")]
            {
                *code = rounded as i8;
            }
        }
        scales[index] = most / 127.0;
        sums[index] = sum;
    }
}

/// To the nearest integer, ties to even: in the low bits after adding 1.5·2²³. `f32::round` would be a call.
#[inline(always)]
fn round(x: f32) -> i32 {
    const SHIFT: f32 = 12_582_912.0;
    let bits = (x + SHIFT).to_bits().cast_signed();
    // A value that is not a number has no code; any will do, and none may overflow.
    (bits - SHIFT.to_bits().cast_signed()).clamp(-127, 127)
}
