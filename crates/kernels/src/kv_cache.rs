//! Keys and values in blocks.

use crate::Isa;
use crate::half_precision::{narrow, widen};
use crate::lanes::LANES;

/// Numbers of the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KvType {
    /// 32-bit floating point.
    F32,
    /// 16-bit floating point: half the memory to read.
    F16,
}

/// Tokens of a block: as many as there are lanes, so that a block's scores are one vector.
pub(crate) const TOKENS: usize = LANES;

/// Keys and values of every layer, in blocks of 16 tokens.
///
/// For each layer, block and KV head: the keys as `[head_dim][16 tokens]`, then the values as `[16 tokens][head_dim]`.
pub struct KvCache {
    layers: usize,
    blocks: usize,
    pub(crate) kv_heads: usize,
    pub(crate) head_dim: usize,
    pub(crate) values: Values,
}

pub(crate) enum Values {
    F32(Vec<f32>),
    F16(Vec<u16>),
}

impl KvCache {
    /// All zeros. `head_dim` is a multiple of 8.
    pub fn new(
        layers: usize,
        blocks: usize,
        kv_heads: usize,
        head_dim: usize,
        kind: KvType,
    ) -> Self {
        let numbers = layers * blocks * kv_heads * 2 * head_dim * TOKENS;
        let values = match kind {
            KvType::F32 => Values::F32(vec![0.0; numbers]),
            KvType::F16 => Values::F16(vec![0; numbers]),
        };
        KvCache {
            layers,
            blocks,
            kv_heads,
            head_dim,
            values,
        }
    }

    /// Memory of a block in all layers.
    pub const fn block_bytes(
        layers: usize,
        kv_heads: usize,
        head_dim: usize,
        kind: KvType,
    ) -> usize {
        let number = match kind {
            KvType::F32 => 4,
            KvType::F16 => 2,
        };
        layers * kv_heads * 2 * head_dim * TOKENS * number
    }

    /// Blocks that exist.
    pub fn blocks(&self) -> usize {
        self.blocks
    }

    /// Numbers of a block of one layer.
    const fn block_numbers(&self) -> usize {
        self.kv_heads * 2 * self.head_dim * TOKENS
    }

    /// Where the keys of a KV head begin in a block; its values follow them.
    pub(crate) fn place(&self, layer: usize, block: u32, kv_head: usize) -> usize {
        let block = block as usize;
        assert!(
            layer < self.layers && block < self.blocks,
            "a block of the cache"
        );
        (layer * self.blocks + block) * self.block_numbers() + kv_head * 2 * self.head_dim * TOKENS
    }

    /// Copies a block in all layers.
    pub fn copy_block(&mut self, from: u32, to: u32) {
        let numbers = self.block_numbers();
        for layer in 0..self.layers {
            let (from, to) = (self.place(layer, from, 0), self.place(layer, to, 0));
            match &mut self.values {
                Values::F32(values) => values.copy_within(from..from + numbers, to),
                Values::F16(values) => values.copy_within(from..from + numbers, to),
            }
        }
    }

    /// The keys of a block as `[head_dim][16]`, or its values as `[16][head_dim]`, in 32 bits: where they lie, or in
    /// `scratch`.
    pub(crate) fn read<'a>(&'a self, isa: Isa, at: usize, scratch: &'a mut [f32]) -> &'a [f32] {
        let numbers = self.head_dim * TOKENS;
        match &self.values {
            Values::F32(values) => &values[at..at + numbers],
            Values::F16(values) => {
                widen(isa, &values[at..at + numbers], scratch);
                scratch
            }
        }
    }

    /// Puts the key and the value of one position and KV head into their block.
    pub(crate) fn write(&mut self, at: usize, token: usize, key: &[f32], value: &[f32]) {
        let values_at = at + self.head_dim * TOKENS + token * self.head_dim;
        match &mut self.values {
            Values::F32(numbers) => {
                for (dim, key) in key.iter().enumerate() {
                    numbers[at + dim * TOKENS + token] = *key;
                }
                numbers[values_at..][..value.len()].copy_from_slice(value);
            }
            Values::F16(numbers) => {
                for (dim, key) in key.iter().enumerate() {
                    numbers[at + dim * TOKENS + token] = narrow(*key);
                }
                for (number, value) in numbers[values_at..].iter_mut().zip(value) {
                    *number = narrow(*value);
                }
            }
        }
    }
}
