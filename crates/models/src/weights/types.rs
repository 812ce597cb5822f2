//! How numbers lie in files.

use super::TensorData;
use half::{bf16, f16};
use kernels::{BLOCK, Bits, Offset, Quantized};

/// The types of tensors that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TensorType {
    F32,
    F16,
    Bf16,
    /// A scale and 32 signed bytes.
    Q8_0,
    /// A scale and 32 codes of four bits around 8.
    Q4_0,
    /// A scale, a minimum and 32 codes of four bits.
    Q4_1,
}

impl TensorType {
    /// By its number in a GGUF file.
    pub(crate) const fn of_gguf(number: u32) -> Option<Self> {
        Some(match number {
            0 => Self::F32,
            1 => Self::F16,
            2 => Self::Q4_0,
            3 => Self::Q4_1,
            8 => Self::Q8_0,
            30 => Self::Bf16,
            _ => return None,
        })
    }

    /// By its name in a safetensors file.
    pub(crate) fn of_safetensors(name: &str) -> Option<Self> {
        Some(match name {
            "F32" => Self::F32,
            "F16" => Self::F16,
            "BF16" => Self::Bf16,
            _ => return None,
        })
    }

    /// Numbers that are stored together, and the bytes that they take.
    const fn block(self) -> (usize, usize) {
        match self {
            Self::F32 => (1, 4),
            Self::F16 | Self::Bf16 => (1, 2),
            Self::Q8_0 => (BLOCK, 2 + BLOCK),
            Self::Q4_0 => (BLOCK, 2 + BLOCK / 2),
            Self::Q4_1 => (BLOCK, 4 + BLOCK / 2),
        }
    }

    /// Whether numbers share a scale.
    pub(crate) const fn is_quantised(self) -> bool {
        self.block().0 > 1
    }

    /// Bytes of a tensor of that shape; `None` where it cannot be: too many, or rows that are no whole blocks.
    pub(crate) fn bytes(self, shape: &[usize]) -> Option<usize> {
        let (numbers, bytes) = self.block();
        let inputs = shape.last().copied().unwrap_or(1);
        if inputs % numbers != 0 {
            return None;
        }
        let count = shape
            .iter()
            .try_fold(1usize, |count, size| count.checked_mul(*size))?;
        (count / numbers).checked_mul(bytes)
    }

    /// The numbers of a tensor. `bytes` has the length that [`Self::bytes`] says.
    pub(crate) fn decode(self, bytes: &[u8], shape: &[usize]) -> Result<TensorData, String> {
        let halves = |of: fn(u16) -> f32| {
            let pairs = bytes.as_chunks::<2>().0.iter();
            pairs.map(|pair| of(u16::from_le_bytes(*pair))).collect()
        };
        Ok(match self {
            Self::F32 => {
                let values = bytes.as_chunks::<4>().0.iter();
                TensorData::F32(values.map(|value| f32::from_le_bytes(*value)).collect())
            }
            Self::F16 => TensorData::F32(halves(|bits| f16::from_bits(bits).to_f32())),
            Self::Bf16 => TensorData::F32(halves(|bits| bf16::from_bits(bits).to_f32())),
            Self::Q8_0 | Self::Q4_0 | Self::Q4_1 => {
                let [outputs, inputs] = *shape else {
                    return Err(format!(
                        "is quantised and has {} dimensions; 2 can be read",
                        shape.len()
                    ));
                };
                TensorData::Quantized(self.blocks(bytes, outputs, inputs))
            }
        })
    }

    fn blocks(self, bytes: &[u8], outputs: usize, inputs: usize) -> Quantized {
        let (_, block_bytes) = self.block();
        let mut codes = Vec::with_capacity(outputs * inputs);
        let mut scales = Vec::with_capacity(outputs * inputs / BLOCK);
        let mut mins = Vec::new();
        for block in bytes.chunks_exact(block_bytes) {
            let half = |at: usize| u16::from_le_bytes([block[at], block[at + 1]]);
            scales.push(half(0));
            match self {
                // A signed byte with its top bit turned over is the same number plus 128.
                Self::Q8_0 => codes.extend(block[2..].iter().map(|byte| byte ^ 0x80)),
                Self::Q4_0 => nibbles(&block[2..], &mut codes),
                _ => {
                    mins.push(half(2));
                    nibbles(&block[4..], &mut codes);
                }
            }
        }
        let (bits, offset) = match self {
            Self::Q8_0 => (Bits::Eight, Offset::Zero(128)),
            Self::Q4_0 => (Bits::Four, Offset::Zero(8)),
            _ => (Bits::Four, Offset::Mins(mins)),
        };
        Quantized {
            outputs,
            inputs,
            bits,
            codes,
            scales,
            offset,
        }
    }
}

/// The low halves of 16 bytes are a block's first 16 codes, the high halves the others.
fn nibbles(bytes: &[u8], codes: &mut Vec<u8>) {
    codes.extend(bytes.iter().map(|byte| byte & 15));
    codes.extend(bytes.iter().map(|byte| byte >> 4));
}
