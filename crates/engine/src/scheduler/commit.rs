//! What becomes of a step that was computed.

use super::{InFlight, Scheduler};
use crate::gauges::StepFacts;
use crate::sequence::{NO_SLOT, Sequence};
use crate::{EngineEvent, FinishReason, Sample, StepOutput, TokenId, TokenLogprobs};

impl Scheduler {
    /// Takes what a step brought: the tokens of its chunks are computed, and `output` continues them. Events are
    /// appended: first who was preempted when the step was scheduled, then tokens and ends.
    ///
    /// A sequence whose samples are missing ends with [`FinishReason::Abort`]; what was aborted since needs none.
    pub fn commit(&mut self, output: &StepOutput, events: &mut Vec<EngineEvent>) {
        events.append(&mut self.preempted);
        let mut in_flight = std::mem::take(&mut self.in_flight);
        let mut samples = output.samples.as_slice();
        let mut facts = StepFacts {
            sequences: in_flight.len(),
            ..StepFacts::default()
        };
        for chunk in &in_flight {
            let is_own = |sample: &&Sample| sample.slot == chunk.slot;
            let count = samples
                .iter()
                .take(chunk.samples as usize)
                .take_while(is_own)
                .count();
            let (own, rest) = samples.split_at(count);
            samples = rest;
            self.commit_chunk(chunk, own, &mut facts, events);
        }
        in_flight.clear();
        self.in_flight = in_flight;
        self.plan.clear();
        self.counters.generated_tokens += facts.tokens_sampled as u64;
        self.facts = facts;
        debug_assert_eq!(
            self.pool.free() + self.pool.cached() + self.pool.owned(),
            self.pool.total()
        );
    }

    #[inline]
    fn commit_chunk(
        &mut self,
        chunk: &InFlight,
        samples: &[Sample],
        facts: &mut StepFacts,
        events: &mut Vec<EngineEvent>,
    ) {
        let slot = chunk.slot;
        let Some(sequence) = self.sequences.get_mut(slot) else {
            return;
        };
        if sequence.request != chunk.request {
            return;
        }
        let computed = chunk.end - sequence.computed;
        if computed == 1 && sequence.tokens.len() > sequence.common.prompt_tokens {
            facts.tokens_decoded += 1;
        } else {
            facts.tokens_prefilled += computed;
        }
        sequence.computed = chunk.end;
        sequence.register_full_blocks(&mut self.pool);
        if chunk.samples == 0 {
            return;
        }
        facts.tokens_sampled += samples.len();
        if samples.len() < chunk.samples as usize {
            self.end_all(slot, events);
        } else if let [sample] = samples {
            self.accept(slot, sample.token, sample.logprobs.clone(), events);
        } else {
            self.fork(slot, samples, events);
        }
    }

    /// After their shared prefill the choices part: each gets its first token and shares all blocks.
    fn fork(&mut self, slot: u32, samples: &[Sample], events: &mut Vec<EngineEvent>) {
        let sequence = &mut self.sequences[slot];
        sequence.tail_shared = !sequence.computed.is_multiple_of(crate::BLOCK_TOKENS);
        sequence.choices = 1;
        let request = sequence.request;
        let mut slots = vec![slot];
        for (choice, _) in (1..).zip(&samples[1..]) {
            let fork = self.sequences[slot].fork(choice, &mut self.pool);
            let previous = slots[slots.len() - 1];
            let fork = self.sequences.insert(fork);
            self.running
                .insert_after(&mut self.sequences, fork, previous);
            slots.push(fork);
        }
        if let Some(known) = self.requests.get_mut(&request) {
            known.copy_from_slice(&slots);
        }
        for (slot, sample) in slots.into_iter().zip(samples) {
            self.accept(slot, sample.token, sample.logprobs.clone(), events);
        }
    }

    /// Appends a token, and ends the sequence where that was its last.
    #[inline]
    fn accept(
        &mut self,
        slot: u32,
        token: TokenId,
        logprobs: Option<Box<TokenLogprobs>>,
        events: &mut Vec<EngineEvent>,
    ) {
        let sequence = &mut self.sequences[slot];
        sequence.tokens.push(token);
        events.push(EngineEvent::Token {
            request: sequence.request,
            choice: sequence.choice as usize,
            token,
            logprobs,
        });
        if let Some(reason) = finish_reason(sequence, token) {
            self.finish(slot, reason, events);
        }
    }

    /// Ends one choice: its blocks and its slot are free.
    fn finish(&mut self, slot: u32, reason: FinishReason, events: &mut Vec<EngineEvent>) {
        let Sequence {
            request,
            choice,
            cached_tokens,
            ..
        } = self.sequences[slot];
        events.push(EngineEvent::Finished {
            request,
            choice: choice as usize,
            reason,
            cached_tokens: cached_tokens.unwrap_or(0),
        });
        if let Some(slots) = self.requests.get_mut(&request) {
            slots[choice as usize] = NO_SLOT;
            if slots.iter().all(|&slot| slot == NO_SLOT) {
                self.requests.remove(&request);
            }
        }
        self.remove(slot);
    }

    /// The model failed: every sequence of the step ends with [`FinishReason::Abort`], and its blocks are free.
    pub fn fail_step(&mut self, events: &mut Vec<EngineEvent>) {
        events.append(&mut self.preempted);
        for chunk in std::mem::take(&mut self.in_flight) {
            if self.current(&chunk).is_some() {
                self.end_all(chunk.slot, events);
            }
        }
        self.plan.clear();
        self.facts = StepFacts::default();
    }

    /// Ends all choices that a sequence stands for.
    fn end_all(&mut self, slot: u32, events: &mut Vec<EngineEvent>) {
        let sequence = &self.sequences[slot];
        let (request, choice) = (sequence.request, sequence.choice);
        let cached_tokens = sequence.cached_tokens.unwrap_or(0);
        for other in choice + 1..choice + sequence.choices {
            events.push(EngineEvent::Finished {
                request,
                choice: other as usize,
                reason: FinishReason::Abort,
                cached_tokens,
            });
        }
        self.finish(slot, FinishReason::Abort, events);
    }
}

/// Why `token`, the last one, ends the sequence, if it does. A stop token ends it for that reason even where it is
/// also the last one allowed.
#[inline]
fn finish_reason(sequence: &Sequence, token: TokenId) -> Option<FinishReason> {
    let common = &*sequence.common;
    let length = sequence.tokens.len();
    let generated = length - common.prompt_tokens;
    if generated > common.params.tokens_min && common.stops.contains(&token) {
        return Some(FinishReason::Stop);
    }
    (length >= common.tokens_max).then_some(FinishReason::Length)
}
