//! `y = x · Wᵀ`, for any number of rows at once: each panel of weights is read once for all of them.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod float;
mod portable;

use crate::activations::Activations;
use crate::kernels::Shared;
use crate::lanes::{LANES, Lanes};
use crate::matrix::{Packed, Panels};
use crate::quantized::BLOCK;
use crate::{Isa, Kernels, Matrix};

/// Rows of activations that share one unpacking of the weights: as many accumulators as registers allow.
pub(crate) const TILE: usize = 8;

/// Multiplications that are worth a hand-over between threads.
const WORTH: usize = 16_384;

/// Bytes of activations that stay in a processor's second cache while all panels pass by.
const BLOCK_BYTES: usize = 512 << 10;

/// A panel of quantised weights and what it is multiplied with: `rows` rows, at most [`TILE`].
#[derive(Clone, Copy)]
pub(crate) struct QuantizedTile<'a> {
    pub(crate) panels: &'a Panels,
    /// One panel: `blocks` blocks.
    pub(crate) panel: &'a [u8],
    pub(crate) blocks: usize,
    /// From the tile's first row on.
    pub(crate) codes: &'a [i8],
    pub(crate) scales: &'a [f32],
    pub(crate) sums: &'a [i32],
}

impl Kernels {
    /// `y[rows × outputs] = x[rows × inputs] · Wᵀ + bias[outputs]`.
    pub fn matmul(&self, x: &[f32], rows: usize, w: &Matrix, bias: Option<&[f32]>, y: &mut [f32]) {
        self.multiply(x, rows, w, bias, y, false);
    }

    /// The same, added to `y`.
    pub fn matmul_add(
        &self,
        x: &[f32],
        rows: usize,
        w: &Matrix,
        bias: Option<&[f32]>,
        y: &mut [f32],
    ) {
        self.multiply(x, rows, w, bias, y, true);
    }

    fn multiply(
        &self,
        x: &[f32],
        rows: usize,
        w: &Matrix,
        bias: Option<&[f32]>,
        y: &mut [f32],
        add: bool,
    ) {
        let (inputs, outputs) = (w.inputs(), w.outputs());
        assert!(x.len() == rows * inputs, "x has rows × inputs values");
        assert!(y.len() == rows * outputs, "y has rows × outputs values");
        assert!(
            bias.is_none_or(|bias| bias.len() == outputs),
            "one bias an output"
        );
        if rows == 0 || inputs == 0 {
            return;
        }
        let mut activations = self.activations.borrow_mut();
        match w.packed {
            Packed::Quantized(_) => activations.quantize(self, x, inputs),
            Packed::F32(_) => activations.interleave(self, x, inputs),
        }
        let activations = &*activations;
        let isa = self.isa();
        let y = Shared::new(y);
        let panels = outputs.div_ceil(LANES);
        let block = w.packed.block_rows(inputs).min(rows);
        let tasks = panels * rows.div_ceil(block);
        let grain = self.grain(tasks, WORTH.div_ceil(block * inputs * LANES));
        self.for_each(tasks, grain, |range| {
            for task in range {
                let (panel, begin) = (task % panels, task / panels * block);
                let end = rows.min(begin + block);
                let width = LANES.min(outputs - panel * LANES);
                for first in (begin..end).step_by(TILE) {
                    let tile = TILE.min(end - first);
                    let sums = match &w.packed {
                        Packed::F32(values) => {
                            let panel = &values[panel * LANES * inputs..][..LANES * inputs];
                            let x = &activations.interleaved[first * inputs..][..tile * inputs];
                            floats(isa, panel, x, tile)
                        }
                        Packed::Quantized(panels) => {
                            quantized(isa, panels, panel, inputs, activations, first, tile)
                        }
                    };
                    for (row, sums) in sums.iter().enumerate().take(tile) {
                        let at = (first + row) * outputs + panel * LANES;
                        // SAFETY: columns of different panels do not overlap, nor do rows.
                        let y = unsafe { y.slice(at, width) };
                        for (lane, y) in y.iter_mut().enumerate() {
                            let bias = bias.map_or(0.0, |bias| bias[panel * LANES + lane]);
                            let sum = sums[lane] + bias;
                            *y = if add { *y + sum } else { sum };
                        }
                    }
                }
            }
        });
    }
}

impl Packed {
    /// Rows of activations that are multiplied with every panel before the next ones: whole tiles.
    fn block_rows(&self, inputs: usize) -> usize {
        let bytes = match self {
            Packed::F32(_) => size_of::<f32>(),
            Packed::Quantized(_) => size_of::<i8>(),
        };
        (BLOCK_BYTES / (inputs * bytes) / TILE).max(1) * TILE
    }
}

/// `rows` rows of `x`, at most [`TILE`], interleaved as `[inputs][rows]`, times a panel `[inputs][16]`.
pub(crate) fn floats(isa: Isa, panel: &[f32], x: &[f32], rows: usize) -> [Lanes; TILE] {
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512Vnni => avx512::float_tile(panel, x, rows),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => avx2::float_tile(panel, x, rows),
        _ => float::tile(panel, x, rows),
    }
}

fn quantized(
    isa: Isa,
    panels: &Panels,
    panel: usize,
    inputs: usize,
    activations: &Activations,
    first: usize,
    rows: usize,
) -> [Lanes; TILE] {
    let blocks = inputs / BLOCK;
    let panel_bytes = blocks * panels.block_bytes();
    let tile = QuantizedTile {
        panels,
        panel: &panels.bytes[panel * panel_bytes..][..panel_bytes],
        blocks,
        codes: &activations.codes[first * inputs..][..rows * inputs],
        scales: &activations.scales[first * blocks..][..rows * blocks],
        sums: &activations.sums[first * blocks..][..rows * blocks],
    };
    match isa {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512Vnni => avx512::tile(&tile, rows),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => avx2::tile(&tile, rows),
        _ => portable::tile(&tile, rows),
    }
}

/// Calls `$f::<ROWS>(…)` for a number of rows that is known only at run time.
macro_rules! by_rows {
    ($rows:expr, $f:ident ($($argument:expr),*)) => {
        match $rows {
            1 => $f::<1>($($argument),*),
            2 => $f::<2>($($argument),*),
            3 => $f::<3>($($argument),*),
            4 => $f::<4>($($argument),*),
            5 => $f::<5>($($argument),*),
            6 => $f::<6>($($argument),*),
            7 => $f::<7>($($argument),*),
            _ => $f::<8>($($argument),*),
        }
    };
}
pub(crate) use by_rows;
