//! The state of a scheduler in numbers.

use trace::Nanos;

/// The state of a scheduler, and what it has counted since it was made. Reading them costs nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gauges {
    /// Sequences that hold blocks. Choices that still share their prefill are one.
    pub running: usize,
    /// Sequences in the queue: new requests, and preempted ones.
    pub waiting: usize,
    /// Blocks without contents.
    pub blocks_free: usize,
    /// Blocks with contents that nobody holds; they are given away when no free ones are left.
    pub blocks_cached: usize,
    /// Blocks that running sequences hold.
    pub blocks_owned: usize,
    /// All blocks: free, cached and owned.
    pub blocks_total: usize,
    /// Counter: prompt tokens that the prefix cache was asked for, at first admissions.
    pub prefix_queried_tokens: u64,
    /// Counter: prompt tokens that it had.
    pub prefix_hit_tokens: u64,
    /// Counter: sequences that lost their blocks to an older one.
    pub preemptions: u64,
    /// Counter: requests that were admitted, once each.
    pub admissions: u64,
    /// Counter: the time that admitted requests had waited, from submission to first admission, summed.
    pub queue_time: Nanos,
    /// Counter: tokens of the prompts of admitted requests.
    pub prompt_tokens: u64,
    /// Counter: tokens that were sampled.
    pub generated_tokens: u64,
}

/// What the last step did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StepFacts {
    /// Sequences that took part.
    pub sequences: usize,
    /// Tokens of prompts, and of preempted sequences that are computed again.
    pub tokens_prefilled: usize,
    /// Tokens of sequences that had only their latest one to compute.
    pub tokens_decoded: usize,
    /// Tokens that were sampled.
    pub tokens_sampled: usize,
}
