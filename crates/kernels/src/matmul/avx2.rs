//! Dot products of bytes by AVX2. Products of two bytes are added in 16 bits first, which an 8-bit code would overflow:
//! it is taken apart into two halves of four bits, whose sums fit. And of 32-bit numbers, eight at a time.

use super::{QuantizedTile, TILE, by_rows};
use crate::lanes::{LANES, Lanes};
use crate::matrix::Panels;
use crate::quantized::{BLOCK, Bits};
use std::arch::x86_64::{
    __m256, __m256i, _mm_loadu_si128, _mm256_add_epi32, _mm256_and_si256, _mm256_cvtepi32_ps,
    _mm256_cvtph_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_loadu_si256, _mm256_madd_epi16,
    _mm256_maddubs_epi16, _mm256_mul_ps, _mm256_set1_epi8, _mm256_set1_epi16, _mm256_set1_epi32,
    _mm256_set1_ps, _mm256_setzero_ps, _mm256_slli_epi32, _mm256_srli_epi16, _mm256_storeu_ps,
};

/// `rows` rows times a panel. The processor has AVX2, FMA and F16C.
pub(super) fn tile(tile: &QuantizedTile<'_>, rows: usize) -> [Lanes; TILE] {
    assert!(tile.panel.len() == tile.blocks * tile.panels.block_bytes());
    assert!(tile.codes.len() >= rows * tile.blocks * BLOCK);
    assert!(tile.scales.len() >= rows * tile.blocks && tile.sums.len() >= rows * tile.blocks);
    let mut out = [[0.0; LANES]; TILE];
    for half in 0..2 {
        let mut first = 0;
        while first < rows {
            let few = (rows - first).min(4);
            // SAFETY: this instruction set is only chosen where the processor has it; the lengths were checked above.
            unsafe { by_rows!(few, blocks(tile, half, first, &mut out)) }
            first += few;
        }
    }
    out
}

/// Eight outputs of the panel, the first or the second half, for `ROWS` rows from `first` on.
///
/// # Safety
///
/// The tile holds `first + ROWS` rows of `blocks` blocks.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn blocks<const ROWS: usize>(
    tile: &QuantizedTile<'_>,
    half: usize,
    first: usize,
    out: &mut [Lanes; TILE],
) {
    let four = tile.panels.bits == Bits::Four;
    let code_bytes = Panels::code_bytes(tile.panels.bits);
    let block_bytes = tile.panels.block_bytes();
    let inputs = tile.blocks * BLOCK;
    let low = _mm256_set1_epi8(15);
    let mut sums = [_mm256_setzero_ps(); ROWS];
    for block in 0..tile.blocks {
        // SAFETY: `block` is within the panel.
        let at = unsafe { tile.panel.as_ptr().add(block * block_bytes) };
        let halves = |offset: usize| -> __m256 {
            // SAFETY: 16 halves lie there, of which these are eight.
            unsafe { _mm256_cvtph_ps(_mm_loadu_si128(at.add(offset + half * 16).cast())) }
        };
        let mut dots = [_mm256_set1_epi32(0); ROWS];
        if let Some(zero) = tile.panels.zero {
            for (row, dot) in dots.iter_mut().enumerate() {
                let sum = tile.sums[(first + row) * tile.blocks + block];
                *dot = _mm256_set1_epi32(-i32::from(zero) * sum);
            }
        }
        for vector in 0..if four { 4 } else { 8 } {
            // SAFETY: the vector lies within the block's codes.
            let weights: __m256i =
                unsafe { _mm256_loadu_si256(at.add(vector * 64 + half * 32).cast()) };
            let even = _mm256_and_si256(weights, low);
            let odd = _mm256_and_si256(_mm256_srli_epi16::<4>(weights), low);
            for (row, dot) in dots.iter_mut().enumerate() {
                let offset = (first + row) * inputs + block * BLOCK;
                // SAFETY: codes of all rows; four at a time.
                let codes = |group: usize| unsafe {
                    let at = tile.codes.as_ptr().add(offset + group * 4);
                    _mm256_set1_epi32(at.cast::<i32>().read_unaligned())
                };
                *dot = if four {
                    let pair = _mm256_add_epi32(
                        dot_nibbles(even, codes(2 * vector)),
                        dot_nibbles(odd, codes(2 * vector + 1)),
                    );
                    _mm256_add_epi32(*dot, pair)
                } else {
                    let codes = codes(vector);
                    let high = _mm256_slli_epi32::<4>(dot_nibbles(odd, codes));
                    _mm256_add_epi32(*dot, _mm256_add_epi32(dot_nibbles(even, codes), high))
                };
            }
        }
        let scales = halves(code_bytes);
        for row in 0..ROWS {
            let index = (first + row) * tile.blocks + block;
            let scale = tile.scales[index];
            let dot = _mm256_mul_ps(_mm256_cvtepi32_ps(dots[row]), _mm256_set1_ps(scale));
            sums[row] = _mm256_fmadd_ps(dot, scales, sums[row]);
            if tile.panels.zero.is_none() {
                let sum = _mm256_set1_ps(scale * tile.sums[index] as f32);
                sums[row] = _mm256_fmadd_ps(halves(code_bytes + 2 * LANES), sum, sums[row]);
            }
        }
    }
    for row in 0..ROWS {
        let out = &mut out[first + row][half * 8..][..8];
        // SAFETY: eight values.
        unsafe { _mm256_storeu_ps(out.as_mut_ptr(), sums[row]) };
    }
}

/// Sums of four products each: at most 15·127·2 in 16 bits.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn dot_nibbles(weights: __m256i, codes: __m256i) -> __m256i {
    _mm256_madd_epi16(_mm256_maddubs_epi16(weights, codes), _mm256_set1_epi16(1))
}

/// `rows` rows of `x`, interleaved as `[inputs][rows]`, times a panel `[inputs][16]`. The processor has AVX2 and FMA.
pub(super) fn float_tile(panel: &[f32], x: &[f32], rows: usize) -> [Lanes; TILE] {
    assert!(panel.len().is_multiple_of(LANES) && x.len() == panel.len() / LANES * rows);
    let mut out = [[0.0; LANES]; TILE];
    let mut first = 0;
    while first < rows {
        let few = (rows - first).min(4);
        // SAFETY: this instruction set is only chosen where the processor has it; the lengths were checked above.
        unsafe { by_rows!(few, floats(panel, x, rows, first, &mut out)) }
        first += few;
    }
    out
}

/// `ROWS` of `stride` rows, from `first` on.
///
/// # Safety
///
/// `x` holds `stride` values for each sixteen weights of `panel`, and `first + ROWS` is at most `stride`.
#[target_feature(enable = "avx2,fma,f16c")]
unsafe fn floats<const ROWS: usize>(
    panel: &[f32],
    x: &[f32],
    stride: usize,
    first: usize,
    out: &mut [Lanes; TILE],
) {
    let mut sums = [[_mm256_setzero_ps(); 2]; ROWS];
    for (input, weights) in panel.as_chunks::<LANES>().0.iter().enumerate() {
        // SAFETY: sixteen weights.
        let (low, high) = unsafe {
            let weights = weights.as_ptr();
            (_mm256_loadu_ps(weights), _mm256_loadu_ps(weights.add(8)))
        };
        for (row, [low_sum, high_sum]) in sums.iter_mut().enumerate() {
            // SAFETY: `stride` values for each input.
            let x = _mm256_set1_ps(unsafe { *x.get_unchecked(input * stride + first + row) });
            *low_sum = _mm256_fmadd_ps(low, x, *low_sum);
            *high_sum = _mm256_fmadd_ps(high, x, *high_sum);
        }
    }
    for ([low, high], out) in sums.iter().zip(&mut out[first..]) {
        // SAFETY: sixteen values.
        unsafe {
            _mm256_storeu_ps(out.as_mut_ptr(), *low);
            _mm256_storeu_ps(out.as_mut_ptr().add(8), *high);
        }
    }
}
