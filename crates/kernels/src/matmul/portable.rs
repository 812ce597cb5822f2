//! Dot products of bytes in plain Rust.

use super::{QuantizedTile, TILE};
use crate::lanes::{LANES, Lanes};
use crate::matrix::Panels;
use crate::quantized::{BLOCK, Bits, to_f32};

/// `rows` rows times a panel.
pub(super) fn tile(tile: &QuantizedTile<'_>, rows: usize) -> [Lanes; TILE] {
    let code_bytes = Panels::code_bytes(tile.panels.bits);
    let mut out = [[0.0; LANES]; TILE];
    for (block, bytes) in tile
        .panel
        .chunks_exact(tile.panels.block_bytes())
        .enumerate()
    {
        let half = |at: usize| to_f32(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
        let scales: Lanes = std::array::from_fn(|lane| half(code_bytes + 2 * lane));
        for row in 0..rows {
            let index = row * tile.blocks + block;
            let codes = &tile.codes[index * BLOCK..][..BLOCK];
            let start = tile
                .panels
                .zero
                .map_or(0, |zero| -i32::from(zero) * tile.sums[index]);
            let mut dots = [start; LANES];
            match tile.panels.bits {
                Bits::Four => dot_four(bytes, codes, &mut dots),
                Bits::Eight => dot_eight(bytes, codes, &mut dots),
            }
            for lane in 0..LANES {
                out[row][lane] += dots[lane] as f32 * tile.scales[index] * scales[lane];
            }
            if tile.panels.zero.is_none() {
                let sum = tile.scales[index] * tile.sums[index] as f32;
                for (lane, out) in out[row].iter_mut().enumerate() {
                    *out += half(code_bytes + 2 * LANES + 2 * lane) * sum;
                }
            }
        }
    }
    out
}

fn dot_eight(bytes: &[u8], codes: &[i8], dots: &mut [i32; LANES]) {
    for (group, weights) in bytes.chunks_exact(64).take(8).enumerate() {
        for (dot, weights) in dots.iter_mut().zip(weights.chunks_exact(4)) {
            for within in 0..4 {
                *dot += i32::from(weights[within]) * i32::from(codes[group * 4 + within]);
            }
        }
    }
}

fn dot_four(bytes: &[u8], codes: &[i8], dots: &mut [i32; LANES]) {
    for (pair, weights) in bytes.chunks_exact(64).take(4).enumerate() {
        for (dot, weights) in dots.iter_mut().zip(weights.chunks_exact(4)) {
            for within in 0..4 {
                let (even, odd) = (weights[within] & 15, weights[within] >> 4);
                *dot += i32::from(even) * i32::from(codes[pair * 8 + within]);
                *dot += i32::from(odd) * i32::from(codes[pair * 8 + 4 + within]);
            }
        }
    }
}
