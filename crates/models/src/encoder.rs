//! Encoders: networks that turn a text into a vector.

mod config;
mod network;

pub use config::{EncoderConfig, Matryoshka, Pooling};
pub(crate) use network::{EncoderLayer, EncoderNetwork, LayerNorm};

use engine::{Encoder, ModelError, TextBatch};
use kernels::Kernels;
use network::Buffers;

/// An encoder on the CPU, with its threads.
pub struct CpuEncoder {
    kernels: Kernels,
    network: EncoderNetwork,
    buffers: Buffers,
}

impl CpuEncoder {
    pub(crate) fn new(kernels: Kernels, network: EncoderNetwork) -> Self {
        CpuEncoder {
            kernels,
            network,
            buffers: Buffers::default(),
        }
    }

    /// Its shape, and how a text's rows become one vector.
    pub fn config(&self) -> &EncoderConfig {
        &self.network.config
    }

    /// A batch from elsewhere may not fit this model.
    fn check(&self, batch: &TextBatch) -> Result<(), ModelError> {
        let config = &self.network.config;
        let beyond = |token: &&u32| **token as usize >= config.vocab;
        if let Some(token) = batch.tokens.iter().find(beyond) {
            return Err(ModelError(format!(
                "token {token} is beyond the vocabulary of {}",
                config.vocab
            )));
        }
        let lengths = 1..=config.text_tokens_max;
        if let Some(length) = batch
            .lengths
            .iter()
            .find(|length| !lengths.contains(length))
        {
            return Err(ModelError(format!(
                "a text of {length} tokens is not between 1 and {}",
                config.text_tokens_max
            )));
        }
        let said: usize = batch.lengths.iter().sum();
        if said != batch.tokens.len() {
            return Err(ModelError(format!(
                "the texts have {said} tokens together, and there are {}",
                batch.tokens.len()
            )));
        }
        Ok(())
    }
}

impl Encoder for CpuEncoder {
    fn vocab_size(&self) -> usize {
        self.network.config.vocab
    }

    fn text_tokens_max(&self) -> usize {
        self.network.config.text_tokens_max
    }

    fn dimensions(&self) -> usize {
        self.network.config.hidden
    }

    fn encode(&mut self, batch: &TextBatch, vectors: &mut Vec<f32>) -> Result<(), ModelError> {
        self.check(batch)?;
        vectors.clear();
        vectors.resize(batch.lengths.len() * self.network.config.hidden, 0.0);
        self.network
            .forward(&self.kernels, batch, &mut self.buffers, vectors);
        Ok(())
    }
}
