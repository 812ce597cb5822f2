//! Dot products of bytes by AVX-512 VNNI: unsigned codes of weights times signed codes of activations. And of 32-bit
//! numbers, sixteen at a time.

use super::{QuantizedTile, TILE, by_rows};
use crate::lanes::{LANES, Lanes};
use crate::matrix::Panels;
use crate::quantized::{BLOCK, Bits};
use std::arch::x86_64::{
    __m512i, _mm256_loadu_si256, _mm512_and_si512, _mm512_cvtepi32_ps, _mm512_cvtph_ps,
    _mm512_dpbusd_epi32, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_loadu_si512, _mm512_mul_ps,
    _mm512_set1_epi8, _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_ps, _mm512_setzero_si512,
    _mm512_srli_epi16, _mm512_storeu_ps,
};

/// `rows` rows times a panel. The processor has AVX-512 VNNI.
pub(super) fn tile(tile: &QuantizedTile<'_>, rows: usize) -> [Lanes; TILE] {
    assert!(tile.panel.len() == tile.blocks * tile.panels.block_bytes());
    assert!(tile.codes.len() >= rows * tile.blocks * BLOCK);
    assert!(tile.scales.len() >= rows * tile.blocks && tile.sums.len() >= rows * tile.blocks);
    let mut out = [[0.0; 16]; TILE];
    // SAFETY: this instruction set is only chosen where the processor has it; the lengths were checked above.
    unsafe {
        match tile.panels.bits {
            Bits::Four => by_rows!(rows, four(tile, &mut out)),
            Bits::Eight => by_rows!(rows, eight(tile, &mut out)),
        }
    }
    out
}

/// # Safety
///
/// The tile holds `ROWS` rows of `blocks` blocks.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn four<const ROWS: usize>(tile: &QuantizedTile<'_>, out: &mut [Lanes; TILE]) {
    // SAFETY: the caller's promise.
    unsafe { blocks::<ROWS, true>(tile, out) }
}

/// # Safety
///
/// The tile holds `ROWS` rows of `blocks` blocks.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn eight<const ROWS: usize>(tile: &QuantizedTile<'_>, out: &mut [Lanes; TILE]) {
    // SAFETY: the caller's promise.
    unsafe { blocks::<ROWS, false>(tile, out) }
}

/// # Safety
///
/// The tile holds `ROWS` rows of `blocks` blocks.
#[inline]
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn blocks<const ROWS: usize, const FOUR: bool>(
    tile: &QuantizedTile<'_>,
    out: &mut [Lanes; TILE],
) {
    let code_bytes = Panels::code_bytes(if FOUR { Bits::Four } else { Bits::Eight });
    let block_bytes = tile.panels.block_bytes();
    let inputs = tile.blocks * BLOCK;
    let low = _mm512_set1_epi8(15);
    let mut sums = [_mm512_setzero_ps(); ROWS];
    for block in 0..tile.blocks {
        // SAFETY: `block` is within the panel, and all offsets within a block.
        let at = unsafe { tile.panel.as_ptr().add(block * block_bytes) };
        let mut dots = [_mm512_setzero_si512(); ROWS];
        if let Some(zero) = tile.panels.zero {
            for (row, dot) in dots.iter_mut().enumerate() {
                // SAFETY: `ROWS × blocks` sums.
                let sum = unsafe { *tile.sums.get_unchecked(row * tile.blocks + block) };
                *dot = _mm512_set1_epi32(-i32::from(zero) * sum);
            }
        }
        // SAFETY: codes of `ROWS` rows of `inputs`; four at a time.
        let four_codes = |row: usize, group: usize| unsafe {
            let at = tile
                .codes
                .as_ptr()
                .add(row * inputs + block * BLOCK + group * 4);
            _mm512_set1_epi32(at.cast::<i32>().read_unaligned())
        };
        let vector = |index: usize| -> __m512i {
            // SAFETY: the vector lies within the block's codes.
            unsafe { _mm512_loadu_si512(at.add(index * 64).cast()) }
        };
        if FOUR {
            for pair in 0..4 {
                let both = vector(pair);
                let even = _mm512_and_si512(both, low);
                let odd = _mm512_and_si512(_mm512_srli_epi16::<4>(both), low);
                for (row, dot) in dots.iter_mut().enumerate() {
                    *dot = _mm512_dpbusd_epi32(*dot, even, four_codes(row, 2 * pair));
                    *dot = _mm512_dpbusd_epi32(*dot, odd, four_codes(row, 2 * pair + 1));
                }
            }
        } else {
            for group in 0..8 {
                let weights = vector(group);
                for (row, dot) in dots.iter_mut().enumerate() {
                    *dot = _mm512_dpbusd_epi32(*dot, weights, four_codes(row, group));
                }
            }
        }
        // SAFETY: 16 halves follow the codes.
        let scales = _mm512_cvtph_ps(unsafe { _mm256_loadu_si256(at.add(code_bytes).cast()) });
        for row in 0..ROWS {
            // SAFETY: `ROWS × blocks` scales.
            let scale =
                _mm512_set1_ps(unsafe { *tile.scales.get_unchecked(row * tile.blocks + block) });
            let dot = _mm512_mul_ps(_mm512_cvtepi32_ps(dots[row]), scale);
            sums[row] = _mm512_fmadd_ps(dot, scales, sums[row]);
        }
        if tile.panels.zero.is_none() {
            // SAFETY: 16 more halves follow where there is no zero.
            let least =
                _mm512_cvtph_ps(unsafe { _mm256_loadu_si256(at.add(code_bytes + 32).cast()) });
            for (row, total) in sums.iter_mut().enumerate() {
                let index = row * tile.blocks + block;
                // SAFETY: `ROWS × blocks` scales and sums.
                let (scale, sum) = unsafe {
                    (
                        *tile.scales.get_unchecked(index),
                        *tile.sums.get_unchecked(index),
                    )
                };
                *total = _mm512_fmadd_ps(least, _mm512_set1_ps(scale * sum as f32), *total);
            }
        }
    }
    for (out, sum) in out.iter_mut().zip(sums) {
        // SAFETY: sixteen values.
        unsafe { _mm512_storeu_ps(out.as_mut_ptr(), sum) };
    }
}

/// `rows` rows of `x`, interleaved as `[inputs][rows]`, times a panel `[inputs][16]`. The processor has AVX-512.
pub(super) fn float_tile(panel: &[f32], x: &[f32], rows: usize) -> [Lanes; TILE] {
    assert!(panel.len().is_multiple_of(LANES) && x.len() == panel.len() / LANES * rows);
    let mut out = [[0.0; LANES]; TILE];
    // SAFETY: this instruction set is only chosen where the processor has it; the lengths were checked above.
    unsafe { by_rows!(rows, floats(panel, x, &mut out)) }
    out
}

/// # Safety
///
/// `x` holds `ROWS` values for each sixteen weights of `panel`.
#[target_feature(enable = "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn floats<const ROWS: usize>(panel: &[f32], x: &[f32], out: &mut [Lanes; TILE]) {
    let mut sums = [_mm512_setzero_ps(); ROWS];
    for (input, weights) in panel.as_chunks::<LANES>().0.iter().enumerate() {
        // SAFETY: sixteen weights.
        let weights = unsafe { _mm512_loadu_ps(weights.as_ptr()) };
        for (row, sum) in sums.iter_mut().enumerate() {
            // SAFETY: `ROWS` values for each input.
            let x = unsafe { *x.get_unchecked(input * ROWS + row) };
            *sum = _mm512_fmadd_ps(weights, _mm512_set1_ps(x), *sum);
        }
    }
    for (sum, out) in sums.iter().zip(out) {
        // SAFETY: sixteen values.
        unsafe { _mm512_storeu_ps(out.as_mut_ptr(), *sum) };
    }
}
