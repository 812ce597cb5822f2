//! A network on the CPU, with its cache and its threads.

use crate::network::{Buffers, Network, Rows};
use engine::{Logits, Model, ModelError, StepPlan};
use kernels::{Kernels, KvCache, KvChunk};

/// A network on the CPU, with its cache and its threads.
pub struct CpuModel {
    pub(crate) kernels: Kernels,
    pub(crate) network: Network,
    pub(crate) cache: KvCache,
    pub(crate) context_tokens: usize,
    pub(crate) buffers: Buffers,
    pub(crate) wanted: Vec<usize>,
}

impl Model for CpuModel {
    fn vocab_size(&self) -> usize {
        self.network.config.vocab
    }

    fn context_tokens(&self) -> usize {
        self.context_tokens
    }

    fn blocks(&self) -> usize {
        self.cache.blocks()
    }

    fn forward(&mut self, plan: &StepPlan, logits: &mut Logits) -> Result<(), ModelError> {
        self.check(plan)?;
        for copy in &plan.copies {
            self.cache.copy_block(copy.from, copy.to);
        }
        let chunks = plan.chunks.iter().map(|chunk| KvChunk {
            blocks: &plan.blocks[chunk.blocks.clone()],
            start: chunk.start,
            rows: chunk.tokens.clone(),
        });
        let chunks: Vec<KvChunk<'_>> = chunks.collect();
        self.wanted.clear();
        let with_logits = plan.chunks.iter().filter(|chunk| chunk.logits);
        self.wanted
            .extend(with_logits.map(|chunk| chunk.tokens.end - 1));
        let rows = Rows {
            tokens: &plan.tokens,
            chunks: &chunks,
            wanted: &self.wanted,
        };
        logits.resize(self.wanted.len(), self.network.config.vocab);
        self.network.forward(
            &self.kernels,
            &rows,
            &mut self.cache,
            &mut self.buffers,
            logits.values_mut(),
        );
        Ok(())
    }
}

impl CpuModel {
    /// A plan from elsewhere may not fit this model.
    fn check(&self, plan: &StepPlan) -> Result<(), ModelError> {
        let vocab = self.network.config.vocab;
        if let Some(token) = plan.tokens.iter().find(|token| **token as usize >= vocab) {
            return Err(ModelError(format!(
                "token {token} is beyond the vocabulary of {vocab}"
            )));
        }
        let blocks = self.cache.blocks();
        let copies = plan.copies.iter().flat_map(|copy| [&copy.from, &copy.to]);
        if let Some(block) = plan
            .blocks
            .iter()
            .chain(copies)
            .find(|block| **block as usize >= blocks)
        {
            return Err(ModelError(format!(
                "block {block} is beyond the cache of {blocks}"
            )));
        }
        for chunk in &plan.chunks {
            let end = chunk.start + chunk.tokens.len();
            if chunk.tokens.is_empty() || end > self.context_tokens {
                return Err(ModelError(format!(
                    "positions {} to {end} are not within the context of {}",
                    chunk.start, self.context_tokens
                )));
            }
        }
        Ok(())
    }
}
