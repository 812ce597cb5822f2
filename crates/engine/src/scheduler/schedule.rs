//! What the next step computes.

use super::{Blocked, InFlight, Scheduler};
use crate::sequence::{NO_SLOT, State};
use crate::{BLOCK_TOKENS, BlockCopy, Chunk, EngineEvent, StepPlan};
use trace::Nanos;

impl Scheduler {
    /// Decides what the next step computes; empty where there is nothing to do.
    ///
    /// What comes back is to be computed, and then committed with [`Self::commit`] or given up with
    /// [`Self::fail_step`], before the next step is scheduled.
    pub fn schedule(&mut self, now: Nanos) -> &StepPlan {
        debug_assert!(
            self.in_flight.is_empty(),
            "the step before was not committed"
        );
        self.plan.clear();
        self.in_flight.clear();
        let mut budget = self.config.step_tokens_max;
        let preemptions = self.counters.preemptions;
        let mut slot = self.running.first;
        while slot != NO_SLOT && budget > 0 {
            let sequence = &self.sequences[slot];
            let end = sequence.tokens.len().min(sequence.computed + budget);
            if (sequence.tail_shared || !sequence.table.covers(end)) && !self.make_room(slot, end) {
                // It was the last one, and has lost its own blocks.
                break;
            }
            budget -= self.plan_chunk(slot, end);
            slot = self.sequences[slot].next;
        }
        // Who was just preempted must not take back what others lack.
        if preemptions == self.counters.preemptions {
            self.admit(now, budget);
        }
        &self.plan
    }

    /// Adds the tokens that are not computed yet, up to position `end`; how many those are.
    #[inline]
    fn plan_chunk(&mut self, slot: u32, end: usize) -> usize {
        let sequence = &self.sequences[slot];
        let plan = &mut self.plan;
        let (token, block) = (plan.tokens.len(), plan.blocks.len());
        plan.tokens
            .extend_from_slice(&sequence.tokens[sequence.computed..end]);
        plan.blocks.extend(sequence.table.ids(end));
        let logits = end == sequence.tokens.len();
        plan.chunks.push(Chunk {
            slot,
            start: sequence.computed,
            tokens: token..plan.tokens.len(),
            blocks: block..plan.blocks.len(),
            logits,
        });
        self.in_flight.push(InFlight {
            slot,
            samples: if logits { sequence.choices } else { 0 },
            request: sequence.request,
            end,
        });
        end - sequence.computed
    }

    /// Gives a running sequence blocks of its own for all positions before `end`, at the expense of those admitted
    /// later. False where it had to give up its own.
    fn make_room(&mut self, slot: u32, end: usize) -> bool {
        loop {
            let sequence = &mut self.sequences[slot];
            if sequence.tail_shared {
                let last = sequence
                    .table
                    .blocks
                    .last()
                    .expect("a shared block is in the table");
                sequence.tail_shared = self.pool.is_shared(last);
            }
            if !sequence.tail_shared && sequence.table.covers(end) {
                return true;
            }
            match self.pool.allocate() {
                Some(block) if sequence.tail_shared => {
                    let shared = sequence.table.blocks.pop().expect("it was just looked at");
                    self.plan.copies.push(BlockCopy {
                        from: shared.id(),
                        to: block.id(),
                    });
                    sequence.table.blocks.push(block);
                    sequence.tail_shared = false;
                    self.pool.release(shared);
                }
                Some(block) => sequence.table.blocks.push(block),
                None => {
                    let last = self.running.last;
                    self.preempt(last);
                    if last == slot {
                        return false;
                    }
                }
            }
        }
    }

    fn preempt(&mut self, slot: u32) {
        self.running.remove(&mut self.sequences, slot);
        let sequence = &mut self.sequences[slot];
        sequence.release(&mut self.pool);
        sequence.state = State::Waiting;
        self.running_choices -= sequence.choices as usize;
        self.counters.preemptions += 1;
        let (request, first) = (sequence.request, sequence.choice);
        self.preempted
            .extend(
                (first..first + sequence.choices).map(|choice| EngineEvent::Preempted {
                    request,
                    choice: choice as usize,
                }),
            );
        self.waiting.push_front(&mut self.sequences, slot);
    }

    /// Admits from the front of the queue what fits into the rest of the step.
    fn admit(&mut self, now: Nanos, mut budget: usize) {
        while budget > 0 && self.waiting.first != NO_SLOT {
            let slot = self.waiting.first;
            let choices = self.sequences[slot].choices as usize;
            if self.running_choices + choices > self.choices_max() || !self.take_blocks(slot) {
                return;
            }
            self.waiting.remove(&mut self.sequences, slot);
            self.running.push_back(&mut self.sequences, slot);
            self.running_choices += choices;
            self.count_admission(slot, now);
            let sequence = &self.sequences[slot];
            let end = sequence.tokens.len().min(sequence.computed + budget);
            budget -= self.plan_chunk(slot, end);
        }
    }

    /// Takes blocks for all tokens that the sequence has, known ones from the prefix cache. False, and nothing taken,
    /// where too few are available.
    ///
    /// Where others run, each running choice must be able to fill one more block after that: whoever is admitted only
    /// to be preempted at once computes for nothing.
    fn take_blocks(&mut self, slot: u32) -> bool {
        if self.is_still_blocked(slot) {
            return false;
        }
        let sequence = &mut self.sequences[slot];
        let tokens = sequence.tokens.len();
        // The logits of the last token are wanted, so it is computed, known or not.
        let known_max = (tokens - 1) / BLOCK_TOKENS;
        let hits = self.pool.find_prefix(&sequence.tokens, known_max);
        let headroom = match self.running_choices {
            0 => 0,
            running => running + sequence.choices as usize - 1,
        };
        let needed = tokens.div_ceil(BLOCK_TOKENS) - hits.held + headroom;
        if needed > self.pool.available() {
            self.blocked = Some(Blocked {
                slot,
                needed,
                hits: hits.blocks,
                registrations: self.pool.registrations(),
            });
            return false;
        }
        self.blocked = None;
        let blocks = &mut sequence.table.blocks;
        let node = self.pool.take_prefix(&sequence.tokens, hits.blocks, blocks);
        while blocks.len() * BLOCK_TOKENS < tokens {
            blocks.push(
                self.pool
                    .allocate()
                    .expect("as many are available as are needed"),
            );
        }
        sequence.computed = hits.blocks * BLOCK_TOKENS;
        sequence.registered = hits.blocks;
        sequence.node = Some(node);
        sequence.state = State::Running;
        true
    }

    fn is_still_blocked(&self, slot: u32) -> bool {
        self.blocked.as_ref().is_some_and(|blocked| {
            let new = self.pool.registrations() - blocked.registrations;
            blocked.slot == slot
                && self.running_choices > 0
                && self.pool.available() < blocked.needed
                && new <= blocked.hits as u64
        })
    }

    fn count_admission(&mut self, slot: u32, now: Nanos) {
        let sequence = &mut self.sequences[slot];
        if sequence.cached_tokens.is_some() {
            return;
        }
        sequence.cached_tokens = Some(sequence.computed);
        let prompt = sequence.common.prompt_tokens as u64;
        let counters = &mut self.counters;
        counters.admissions += 1;
        counters.queue_time = counters.queue_time + now.since(sequence.common.submitted);
        counters.prompt_tokens += prompt;
        if self.config.prefix_cache {
            counters.prefix_queried_tokens += prompt;
            counters.prefix_hit_tokens += sequence.computed as u64;
        }
    }
}
