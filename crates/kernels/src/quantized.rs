//! Blocks of integers that share a scale.

use half::f16;

/// Inputs that share a scale.
pub const BLOCK: usize = 32;

/// Bits of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bits {
    /// Codes 0 to 15.
    Four,
    /// Codes 0 to 255.
    Eight,
}

/// What a code of 0 means.
#[derive(Clone, Debug, PartialEq)]
pub enum Offset {
    /// `min = −zero · scale` in every block: symmetric types (`Q4_0` has 8, `Q8_0` has 128).
    Zero(u8),
    /// f16 bits, one a block, `[outputs × inputs / 32]` (`Q4_1`).
    Mins(Vec<u16>),
}

/// A block-quantised matrix in a neutral form: `weight = scale · code + min`, blocks of 32 along the inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantized {
    /// Rows.
    pub outputs: usize,
    /// Columns, a multiple of 32.
    pub inputs: usize,
    /// Of each code.
    pub bits: Bits,
    /// One a weight, row-major.
    pub codes: Vec<u8>,
    /// f16 bits, one a block, row-major.
    pub scales: Vec<u16>,
    /// What a code of 0 means.
    pub offset: Offset,
}

pub(crate) fn to_f32(bits: u16) -> f32 {
    f16::from_bits(bits).to_f32()
}

impl Quantized {
    /// Quantises `rows`, `[outputs × inputs]`: 8 bits around zero, or 4 bits between the least and the greatest of a
    /// block. `None` where `inputs` is no multiple of 32.
    pub fn quantize(rows: &[f32], outputs: usize, inputs: usize, bits: Bits) -> Option<Self> {
        if inputs == 0 || !inputs.is_multiple_of(BLOCK) || rows.len() != outputs * inputs {
            return None;
        }
        let mut codes = Vec::with_capacity(rows.len());
        let mut scales = Vec::with_capacity(rows.len() / BLOCK);
        let mut mins = Vec::new();
        for block in rows.chunks_exact(BLOCK) {
            let (scale, min) = match bits {
                Bits::Eight => {
                    let most = block.iter().fold(0.0f32, |most, w| most.max(w.abs()));
                    let scale = f16::from_f32(most / 127.0);
                    (scale, -128.0 * scale.to_f32())
                }
                Bits::Four => {
                    let least = block.iter().copied().fold(f32::INFINITY, f32::min);
                    let most = block.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                    let min = f16::from_f32(least);
                    mins.push(min.to_bits());
                    (f16::from_f32((most - least) / 15.0), min.to_f32())
                }
            };
            scales.push(scale.to_bits());
            let scale = scale.to_f32();
            let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
            let top = if bits == Bits::Four { 15.0 } else { 255.0 };
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "clamped to a code's range"
            )]
            codes.extend(
                block
                    .iter()
                    .map(|w| ((w - min) * inverse).round().clamp(0.0, top) as u8),
            );
        }
        let offset = match bits {
            Bits::Four => Offset::Mins(mins),
            Bits::Eight => Offset::Zero(128),
        };
        Some(Quantized {
            outputs,
            inputs,
            bits,
            codes,
            scales,
            offset,
        })
    }

    /// One matrix of the rows of all `parts`; `None` where they differ in inputs, bits or offset.
    pub fn concat(parts: &[&Quantized]) -> Option<Self> {
        let (first, rest) = parts.split_first()?;
        let mut all = (*first).clone();
        for part in rest {
            if part.inputs != all.inputs || part.bits != all.bits {
                return None;
            }
            match (&mut all.offset, &part.offset) {
                (Offset::Zero(zero), Offset::Zero(other)) if zero == other => {}
                (Offset::Mins(mins), Offset::Mins(more)) => mins.extend_from_slice(more),
                _ => return None,
            }
            all.outputs += part.outputs;
            all.codes.extend_from_slice(&part.codes);
            all.scales.extend_from_slice(&part.scales);
        }
        Some(all)
    }

    /// All weights, row-major.
    pub fn dequantize(&self) -> Vec<f32> {
        let blocks = self.codes.chunks_exact(BLOCK).zip(&self.scales).enumerate();
        let mut weights = Vec::with_capacity(self.codes.len());
        for (index, (codes, &scale)) in blocks {
            let scale = to_f32(scale);
            let min = match &self.offset {
                Offset::Zero(zero) => -f32::from(*zero) * scale,
                Offset::Mins(mins) => to_f32(mins[index]),
            };
            weights.extend(codes.iter().map(|&code| scale * f32::from(code) + min));
        }
        weights
    }

    /// Whether the lengths of its parts agree.
    pub(crate) fn is_whole(&self) -> bool {
        let blocks = self.outputs * self.inputs / BLOCK;
        let mins = match &self.offset {
            Offset::Zero(_) => blocks,
            Offset::Mins(mins) => mins.len(),
        };
        self.inputs.is_multiple_of(BLOCK)
            && self.codes.len() == self.outputs * self.inputs
            && self.scales.len() == blocks
            && mins == blocks
    }
}
