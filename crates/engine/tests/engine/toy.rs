//! A model that says what its blocks hold.

use engine::{
    BLOCK_TOKENS, Chunk, EngineEvent, EngineRequest, FinishReason, Logits, Model, ModelError,
    Sampler, Sampling, SamplingParams, StepPlan, TokenId,
};
use std::collections::HashMap;

/// Tokens that there are.
pub(crate) const VOCAB: usize = 24;

/// The next logits are a hash of all entries of the cache that the block table names, and each entry is a hash of
/// those before it. A wrong table, a missing copy, a stale block, a lost or repeated token: each changes the text.
#[derive(Debug)]
pub(crate) struct Toy {
    cache: Vec<[u64; BLOCK_TOKENS]>,
    step_tokens_max: usize,
    sequences_max: usize,
    /// Fails at these steps, counted from 0.
    pub(crate) failures: Vec<usize>,
    pub(crate) steps: usize,
    pub(crate) copies: usize,
}

impl Toy {
    pub(crate) fn new(blocks: usize, step_tokens_max: usize, sequences_max: usize) -> Self {
        Toy {
            // What nobody has written is garbage, different in each place.
            cache: (0..blocks as u64)
                .map(|block| [0xDEAD_0000 + block; BLOCK_TOKENS])
                .collect(),
            step_tokens_max,
            sequences_max,
            failures: Vec::new(),
            steps: 0,
            copies: 0,
        }
    }

    fn entry(&self, table: &[u32], position: usize) -> u64 {
        self.cache[table[position / BLOCK_TOKENS] as usize][position % BLOCK_TOKENS]
    }

    /// Panics on a plan that breaks a limit, or that writes where somebody else reads or writes.
    fn check(&self, plan: &StepPlan) {
        assert!(
            plan.tokens.len() <= self.step_tokens_max,
            "the token budget holds"
        );
        assert!(
            plan.chunks.len() <= self.sequences_max,
            "the limit of sequences holds"
        );
        let mut slots: Vec<u32> = plan.chunks.iter().map(|chunk| chunk.slot).collect();
        slots.sort_unstable();
        slots.dedup();
        assert_eq!(slots.len(), plan.chunks.len(), "a sequence takes part once");
        let mut readers: HashMap<u32, usize> = HashMap::new();
        for &block in &plan.blocks {
            *readers.entry(block).or_default() += 1;
        }
        for chunk in &plan.chunks {
            assert!(!chunk.tokens.is_empty());
            let table = &plan.blocks[chunk.blocks.clone()];
            let end = chunk.start + chunk.tokens.len();
            assert_eq!(
                table.len(),
                end.div_ceil(BLOCK_TOKENS),
                "the table covers the chunk's end"
            );
            for &written in &table[chunk.start / BLOCK_TOKENS..] {
                assert_eq!(
                    readers[&written], 1,
                    "a block that is written is shared with nobody"
                );
            }
        }
    }

    fn compute(&mut self, plan: &StepPlan, chunk: &Chunk) -> u64 {
        let table = &plan.blocks[chunk.blocks.clone()];
        let mut entries: Vec<u64> = (0..chunk.start)
            .map(|position| self.entry(table, position))
            .collect();
        for (&token, position) in plan.tokens[chunk.tokens.clone()].iter().zip(chunk.start..) {
            let entry = next_entry(&entries, token);
            self.cache[table[position / BLOCK_TOKENS] as usize][position % BLOCK_TOKENS] = entry;
            entries.push(entry);
        }
        entries[entries.len() - 1]
    }
}

impl Model for Toy {
    fn vocab_size(&self) -> usize {
        VOCAB
    }

    fn context_tokens(&self) -> usize {
        usize::MAX
    }

    fn blocks(&self) -> usize {
        self.cache.len()
    }

    fn forward(&mut self, plan: &StepPlan, logits: &mut Logits) -> Result<(), ModelError> {
        self.check(plan);
        self.steps += 1;
        if self.failures.contains(&(self.steps - 1)) {
            return Err(ModelError("the toy is broken".to_owned()));
        }
        self.copies += plan.copies.len();
        for copy in &plan.copies {
            self.cache[copy.to as usize] = self.cache[copy.from as usize];
        }
        logits.resize(plan.logits_rows(), VOCAB);
        let mut row = 0;
        for chunk in &plan.chunks {
            let last = self.compute(plan, chunk);
            if chunk.logits {
                logits.row_mut(row).copy_from_slice(&row_of(last));
                row += 1;
            }
        }
        Ok(())
    }
}

/// What the cache holds for `token` behind `entries`.
fn next_entry(entries: &[u64], token: TokenId) -> u64 {
    let before = entries.iter().fold(7, |hash, &entry| mix(hash ^ entry));
    mix(before ^ u64::from(token) ^ (entries.len() as u64) << 32)
}

/// The logits behind the last entry: in [-4, 4), so that greedy and drawn tokens differ.
fn row_of(entry: u64) -> [f32; VOCAB] {
    std::array::from_fn(|token| (mix(entry ^ token as u64) >> 56) as f32 / 32.0 - 4.0)
}

/// `SplitMix64` (Steele, Lea, Flood 2014).
fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// What a request says and why it ends, without any engine: token by token, over one growing list.
pub(crate) fn alone(request: &EngineRequest, choice: usize) -> (Vec<TokenId>, FinishReason) {
    let params = &request.params;
    let mut stops = params.stop_tokens.clone();
    if !params.ignore_eos {
        stops.extend(&params.eos_tokens);
    }
    let mut entries = Vec::new();
    for &token in &request.prompt {
        entries.push(next_entry(&entries, token));
    }
    let mut generated: Vec<TokenId> = Vec::new();
    let mut sampler = Sampler::default();
    loop {
        let sampling = Sampling {
            params,
            stops: &stops,
            choices: choice..choice + 1,
            generated: &generated,
        };
        let mut row = row_of(entries[entries.len() - 1]);
        let (token, _) = sampler.sample(&mut row, &sampling, choice);
        let early = generated.len() < params.tokens_min;
        generated.push(token);
        entries.push(next_entry(&entries, token));
        if stops.contains(&token) && !early {
            return (generated, FinishReason::Stop);
        }
        if generated.len() == params.tokens_max {
            return (generated, FinishReason::Length);
        }
    }
}

/// A prompt of `length` tokens that begins like those of the same `family`.
pub(crate) fn prompt(family: u32, length: usize) -> Vec<TokenId> {
    (0..length as u64)
        .map(|at| TokenId::try_from(mix(u64::from(family) << 32 | at) % VOCAB as u64).unwrap())
        .collect()
}

/// Greedy, to the end of `tokens_max`.
pub(crate) fn greedy(prompt: Vec<TokenId>, tokens_max: usize) -> EngineRequest {
    EngineRequest {
        prompt,
        params: SamplingParams {
            temperature: 0.0,
            tokens_max,
            ..SamplingParams::default()
        },
    }
}

/// The tokens of one choice in `events`.
pub(crate) fn text(events: &[EngineEvent], of: engine::RequestId, which: usize) -> Vec<TokenId> {
    let token = |event: &EngineEvent| match event {
        EngineEvent::Token {
            request,
            choice,
            token,
            ..
        } if *request == of && *choice == which => Some(*token),
        _ => None,
    };
    events.iter().filter_map(token).collect()
}
