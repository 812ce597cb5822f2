//! Models of random weights: built in, so that everything runs without a file.

use crate::config::{Architecture, ModelConfig, Rope};
use crate::encoder::{EncoderConfig, Pooling};
use kernels::Pairing;

/// A Llama of a few hundred thousand parameters; starts in milliseconds.
pub(crate) fn tiny() -> ModelConfig {
    let head_dim = 16;
    let frequency = |pair: u8| 10_000f32.powf(-2.0 * f32::from(pair) / f32::from(head_dim));
    ModelConfig {
        architecture: Architecture::Llama,
        vocab: 260,
        hidden: 64,
        layers: 4,
        heads: 4,
        kv_heads: 2,
        head_dim: usize::from(head_dim),
        intermediate: 192,
        context_tokens: 4096,
        norm_eps: 1e-5,
        rope: Some(Rope {
            inverse_frequencies: (0..head_dim / 2).map(frequency).collect(),
            pairing: Pairing::Half,
        }),
        eos: vec![256],
        tied: None,
    }
}

/// GPT-2's smallest shape, 124 million parameters.
pub(crate) fn gpt2() -> ModelConfig {
    ModelConfig {
        architecture: Architecture::Gpt2,
        vocab: 50_257,
        hidden: 768,
        layers: 12,
        heads: 12,
        kv_heads: 12,
        head_dim: 64,
        intermediate: 3072,
        context_tokens: 1024,
        norm_eps: 1e-5,
        rope: None,
        eos: vec![256],
        tied: None,
    }
}

/// A BERT of half a million parameters; starts in milliseconds.
pub(crate) fn tiny_bert() -> EncoderConfig {
    EncoderConfig {
        vocab: 260,
        hidden: 128,
        layers: 2,
        heads: 4,
        intermediate: 512,
        positions: 2048,
        token_types: 2,
        norm_eps: 1e-12,
        text_tokens_max: 2048,
        pooling: Pooling::Mean,
        normalize: true,
        matryoshka: None,
    }
}

/// Reproducible numbers: `SplitMix64` (Steele, Lea and Flood, 2014), because 124 million of them must come fast.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform, with mean 0 and that standard deviation.
    pub(crate) fn fill(&mut self, count: usize, deviation: f32) -> Vec<f32> {
        let half_width = deviation * 3f32.sqrt();
        let one = |bits: u64| {
            #[allow(clippy::cast_precision_loss, reason = "24 bits fit")]
            let unit = (bits >> 40) as f32 / (1u32 << 23) as f32 - 1.0;
            unit * half_width
        };
        (0..count).map(|_| one(self.next())).collect()
    }
}
