//! Weights, packed for the matmul that they serve.

use crate::Kernels;
use crate::lanes::LANES;
use crate::quantized::{BLOCK, Bits, Offset, Quantized, to_f32};

/// Weights of one linear layer, `[outputs × inputs]`, packed once for the matmul that they serve.
///
/// Sixteen outputs make a panel, which lies in memory in the order in which it is read: 32-bit weights as
/// `[inputs][16]`; quantised ones block by block, each as its codes, 16 scales and, where there are any, 16 minima.
pub struct Matrix {
    outputs: usize,
    inputs: usize,
    pub(crate) packed: Packed,
}

pub(crate) enum Packed {
    F32(Vec<f32>),
    Quantized(Panels),
}

/// Quantised panels.
pub(crate) struct Panels {
    pub(crate) bits: Bits,
    /// Absent where each block has minima of its own.
    pub(crate) zero: Option<u8>,
    pub(crate) bytes: Vec<u8>,
}

impl Panels {
    /// Bytes of the codes of a block of 32 inputs and 16 outputs.
    pub(crate) const fn code_bytes(bits: Bits) -> usize {
        match bits {
            Bits::Four => BLOCK * LANES / 2,
            Bits::Eight => BLOCK * LANES,
        }
    }

    /// Bytes of a block with its scales and minima.
    pub(crate) const fn block_bytes(&self) -> usize {
        let factors = if self.zero.is_some() { 1 } else { 2 };
        Self::code_bytes(self.bits) + factors * 2 * LANES
    }

    /// Where the code of `input` (0 to 31) for `output` (0 to 15) lies in a block: the byte, and the shift in it.
    ///
    /// Four inputs of one output lie side by side, as a dot product of bytes takes them; 16 outputs make a vector. Of
    /// four-bit codes two such vectors share their bytes: the first in the low halves.
    const fn place(bits: Bits, input: usize, output: usize) -> (usize, u32) {
        let (group, within) = (input / 4, input % 4);
        match bits {
            Bits::Eight => (group * 64 + output * 4 + within, 0),
            Bits::Four => (
                group / 2 * 64 + output * 4 + within,
                if group % 2 == 0 { 0 } else { 4 },
            ),
        }
    }

    fn half(&self, at: usize) -> f32 {
        to_f32(u16::from_le_bytes([self.bytes[at], self.bytes[at + 1]]))
    }
}

impl Matrix {
    /// Packs 32-bit weights, row-major `[outputs × inputs]`.
    pub fn from_f32(_kernels: &Kernels, rows: &[f32], outputs: usize, inputs: usize) -> Self {
        assert_eq!(rows.len(), outputs * inputs, "outputs × inputs weights");
        let mut packed = vec![0.0; outputs.div_ceil(LANES) * LANES * inputs];
        for (output, row) in rows.chunks_exact(inputs.max(1)).enumerate() {
            let panel = output / LANES * LANES * inputs;
            for (input, weight) in row.iter().enumerate() {
                packed[panel + input * LANES + output % LANES] = *weight;
            }
        }
        Matrix {
            outputs,
            inputs,
            packed: Packed::F32(packed),
        }
    }

    /// Quantises and packs; kept in 32 bits where `inputs` is no multiple of 32.
    pub fn quantize(
        kernels: &Kernels,
        rows: &[f32],
        outputs: usize,
        inputs: usize,
        bits: Bits,
    ) -> Self {
        match Quantized::quantize(rows, outputs, inputs, bits) {
            Some(quantized) => Self::from_quantized(kernels, &quantized),
            None => Self::from_f32(kernels, rows, outputs, inputs),
        }
    }

    /// Packs quantised weights.
    pub fn from_quantized(_kernels: &Kernels, from: &Quantized) -> Self {
        assert!(
            from.is_whole(),
            "as many codes, scales and minima as the shape asks for"
        );
        let zero = match from.offset {
            Offset::Zero(zero) => Some(zero),
            Offset::Mins(_) => None,
        };
        let mut panels = Panels {
            bits: from.bits,
            zero,
            bytes: Vec::new(),
        };
        let blocks = from.inputs / BLOCK;
        let block_bytes = panels.block_bytes();
        let code_bytes = Panels::code_bytes(from.bits);
        let mut bytes = vec![0; from.outputs.div_ceil(LANES) * blocks * block_bytes];
        for output in 0..from.outputs {
            let lane = output % LANES;
            for block in 0..blocks {
                let at = (output / LANES * blocks + block) * block_bytes;
                let place = &mut bytes[at..at + block_bytes];
                let index = output * blocks + block;
                for (input, code) in from.codes[index * BLOCK..][..BLOCK].iter().enumerate() {
                    let (byte, shift) = Panels::place(from.bits, input, lane);
                    place[byte] |= code << shift;
                }
                place[code_bytes + 2 * lane..][..2]
                    .copy_from_slice(&from.scales[index].to_le_bytes());
                if let Offset::Mins(mins) = &from.offset {
                    place[code_bytes + 2 * LANES + 2 * lane..][..2]
                        .copy_from_slice(&mins[index].to_le_bytes());
                }
            }
        }
        panels.bytes = bytes;
        Matrix {
            outputs: from.outputs,
            inputs: from.inputs,
            packed: Packed::Quantized(panels),
        }
    }

    /// Rows.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Columns.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Memory that it takes.
    pub fn bytes(&self) -> usize {
        match &self.packed {
            Packed::F32(values) => size_of_val(values.as_slice()),
            Packed::Quantized(panels) => panels.bytes.len(),
        }
    }

    /// One row back in 32 bits, into `out[inputs]`: what an embedding looks up.
    pub fn row(&self, index: usize, out: &mut [f32]) {
        assert!(index < self.outputs, "a row of the matrix");
        let (panel, lane) = (index / LANES, index % LANES);
        match &self.packed {
            Packed::F32(values) => {
                let panel = &values[panel * LANES * self.inputs..][..LANES * self.inputs];
                for (out, weights) in out.iter_mut().zip(panel.chunks_exact(LANES)) {
                    *out = weights[lane];
                }
            }
            Packed::Quantized(panels) => {
                let blocks = self.inputs / BLOCK;
                let code_bytes = Panels::code_bytes(panels.bits);
                let mask = if panels.bits == Bits::Four { 15 } else { 255 };
                for (block, out) in out.chunks_exact_mut(BLOCK).enumerate() {
                    let at = (panel * blocks + block) * panels.block_bytes();
                    let scale = panels.half(at + code_bytes + 2 * lane);
                    let min = match panels.zero {
                        Some(zero) => -f32::from(zero) * scale,
                        None => panels.half(at + code_bytes + 2 * LANES + 2 * lane),
                    };
                    for (input, out) in out.iter_mut().enumerate() {
                        let (byte, shift) = Panels::place(panels.bits, input, lane);
                        let code = panels.bytes[at + byte] >> shift & mask;
                        *out = scale * f32::from(code) + min;
                    }
                }
            }
        }
    }
}
