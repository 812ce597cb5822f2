//! Continuous batching over paged blocks.

mod commit;
mod schedule;

use crate::block_pool::BlockPool;
use crate::gauges::{Gauges, StepFacts};
use crate::sequence::{Common, NO_SLOT, Sequence, SlotList, State};
use crate::slab::Slab;
use crate::{
    BLOCK_TOKENS, EngineEvent, EngineRequest, Refusal, RequestId, SamplingParams, SchedulerConfig,
    StepPlan, TokenId,
};
use std::collections::HashMap;
use std::ops::Range;
use trace::Nanos;

/// Continuous batching over paged blocks: decides what each step computes.
///
/// Each sequence catches up on the tokens that it has and whose keys and values are not computed yet, within a budget
/// of tokens for each step; a prompt and a decode step differ only in how many those are. Running sequences come
/// first, in the order of their admission, then the queue, first come first served. When blocks run out, the sequence
/// that was admitted last gives its blocks back, goes to the front of the queue, and is computed again later.
///
/// - The order of submission is kept: whoever runs was submitted before whoever waits, so nobody is ever passed.
/// - At most the last running sequence has more than one token to catch up on, and there are never more running
///   choices than tokens in the budget. So each step brings every running sequence forward.
/// - No request is taken that would not fit alone, so the oldest running sequence is never preempted. So each request
///   ends.
///
/// The cost of a step grows with the sequences in it, not with those that wait or have finished.
#[derive(Debug)]
pub struct Scheduler {
    config: SchedulerConfig,
    pool: BlockPool,
    sequences: Slab<Sequence>,
    running: SlotList,
    waiting: SlotList,
    /// The choices that the running sequences stand for.
    running_choices: usize,
    /// The slots of each request's choices, [`NO_SLOT`] where a choice is finished or not yet a sequence of its own.
    requests: HashMap<RequestId, Vec<u32>>,
    requests_taken: u64,
    plan: StepPlan,
    in_flight: Vec<InFlight>,
    /// Events of scheduling, which leave with the next commit.
    preempted: Vec<EngineEvent>,
    blocked: Option<Blocked>,
    counters: Counters,
    facts: StepFacts,
}

/// What [`Gauges`] counts.
#[derive(Debug, Default)]
struct Counters {
    prefix_queried_tokens: u64,
    prefix_hit_tokens: u64,
    preemptions: u64,
    admissions: u64,
    queue_time: Nanos,
    prompt_tokens: u64,
    generated_tokens: u64,
}

/// Whose chunk it is, in the order of [`StepPlan::chunks`]: a slot can be left before its step is committed.
#[derive(Debug)]
struct InFlight {
    slot: u32,
    /// Choices that sample from its row; 0 without logits.
    samples: u32,
    request: RequestId,
    end: usize,
}

/// Why the first of the queue was not admitted, so that it is not looked at again before that can have changed.
#[derive(Debug)]
struct Blocked {
    slot: u32,
    /// Available blocks that let it in.
    needed: usize,
    /// Blocks of its prefix that were known, and registrations at that time. Looking again costs a lookup for each
    /// known block, so as many new ones have to be there first.
    hits: usize,
    registrations: u64,
}

/// What is needed to sample from one row of logits.
#[derive(Clone, Debug)]
pub struct Sampling<'a> {
    /// How.
    pub params: &'a SamplingParams,
    /// The tokens that would end the sequence.
    pub stops: &'a [TokenId],
    /// The choices that take a token from this row.
    pub choices: Range<usize>,
    /// What was generated so far.
    pub generated: &'a [TokenId],
}

impl Scheduler {
    /// An empty scheduler. Limits of 0 count as 1, except `blocks` and `queue_max`.
    ///
    /// # Panics
    /// With more blocks than a [`crate::BlockId`] can name.
    pub fn new(config: SchedulerConfig) -> Self {
        Scheduler {
            pool: BlockPool::new(config.blocks, config.prefix_cache),
            config: SchedulerConfig {
                sequences_max: config.sequences_max.max(1),
                step_tokens_max: config.step_tokens_max.max(1),
                ..config
            },
            sequences: Slab::new(),
            running: SlotList::new(),
            waiting: SlotList::new(),
            running_choices: 0,
            requests: HashMap::new(),
            requests_taken: 0,
            plan: StepPlan::default(),
            in_flight: Vec::new(),
            preempted: Vec::new(),
            blocked: None,
            counters: Counters::default(),
            facts: StepFacts::default(),
        }
    }

    /// Puts a request at the end of the queue, or says why it is not taken. `n` and `tokens_max` of 0 count as 1.
    pub fn submit(&mut self, request: EngineRequest, now: Nanos) -> Result<RequestId, Refusal> {
        let EngineRequest { prompt, mut params } = request;
        params.n = params.n.max(1);
        params.tokens_max = params.tokens_max.max(1);
        self.check(prompt.len(), &params)?;
        let mut stops = params.stop_tokens.clone();
        if !params.ignore_eos {
            stops.extend_from_slice(&params.eos_tokens);
        }
        let common = Common {
            stops,
            prompt_tokens: prompt.len(),
            tokens_max: prompt.len() + params.tokens_max,
            submitted: now,
            params,
        };
        self.requests_taken += 1;
        let request = RequestId(self.requests_taken);
        let choices = common.params.n;
        let slot = self
            .sequences
            .insert(Sequence::new(request, prompt, common));
        let mut slots = vec![NO_SLOT; choices];
        slots[0] = slot;
        self.requests.insert(request, slots);
        self.waiting.push_back(&mut self.sequences, slot);
        Ok(request)
    }

    fn check(&self, prompt: usize, params: &SamplingParams) -> Result<(), Refusal> {
        let context = self.config.context_tokens;
        if prompt == 0 {
            return Err(Refusal::EmptyPrompt);
        }
        if prompt
            .checked_add(params.tokens_max)
            .is_none_or(|length| length > context)
        {
            return Err(Refusal::ContextExceeded {
                prompt,
                tokens_max: params.tokens_max,
                context,
            });
        }
        // The last token is never computed, so it needs no place.
        let needed = (prompt + params.tokens_max - 1).div_ceil(BLOCK_TOKENS);
        if needed > self.config.blocks {
            return Err(Refusal::NeverFits {
                needed,
                blocks: self.config.blocks,
            });
        }
        if params.n > self.choices_max() {
            return Err(Refusal::TooManyChoices {
                choices: params.n,
                choices_max: self.choices_max(),
            });
        }
        if self.waiting.length >= self.config.queue_max {
            return Err(Refusal::QueueFull {
                waiting: self.waiting.length,
            });
        }
        Ok(())
    }

    /// Choices that can run at once: each gets a token in each step.
    fn choices_max(&self) -> usize {
        self.config.sequences_max.min(self.config.step_tokens_max)
    }

    /// Takes a request back: all its choices are gone and their blocks given back when this returns; no event
    /// follows. False where there is no such request, or no longer.
    pub fn abort(&mut self, request: RequestId) -> bool {
        let Some(slots) = self.requests.remove(&request) else {
            return false;
        };
        for slot in slots.into_iter().filter(|&slot| slot != NO_SLOT) {
            self.remove(slot);
        }
        self.preempted.retain(
            |event| !matches!(event, EngineEvent::Preempted { request: id, .. } if *id == request),
        );
        true
    }

    /// Takes a sequence out of its list and its slot, and gives its blocks back.
    fn remove(&mut self, slot: u32) {
        let sequence = &mut self.sequences[slot];
        sequence.release(&mut self.pool);
        match sequence.state {
            State::Waiting => self.waiting.remove(&mut self.sequences, slot),
            State::Running => {
                self.running_choices -= sequence.choices as usize;
                self.running.remove(&mut self.sequences, slot);
            }
        }
        self.sequences.remove(slot);
        self.blocked = None;
    }

    /// Prompt tokens that came from the prefix cache when a request was first admitted; `None` before, and for one that
    /// is finished.
    pub fn cached_tokens(&self, request: RequestId) -> Option<usize> {
        let slots = self.requests.get(&request)?;
        let slot = slots.iter().find(|slot| **slot != NO_SLOT)?;
        self.sequences[*slot].cached_tokens
    }

    /// Whether any request is not finished.
    pub fn has_work(&self) -> bool {
        self.running.length + self.waiting.length > 0
    }

    /// The plan of the step under way; empty between steps.
    pub fn plan(&self) -> &StepPlan {
        &self.plan
    }

    /// How to sample from the rows of the plan's chunks with logits, in their order. `None` for a request that was
    /// aborted since.
    pub fn samplings(&self) -> impl Iterator<Item = (u32, Option<Sampling<'_>>)> {
        let rows = self.in_flight.iter().filter(|chunk| chunk.samples > 0);
        rows.map(|chunk| (chunk.slot, self.current(chunk).map(Self::sampling)))
    }

    fn current(&self, chunk: &InFlight) -> Option<&Sequence> {
        let sequence = self.sequences.get(chunk.slot)?;
        (sequence.request == chunk.request).then_some(sequence)
    }

    fn sampling(sequence: &Sequence) -> Sampling<'_> {
        let choice = sequence.choice as usize;
        Sampling {
            params: &sequence.common.params,
            stops: &sequence.common.stops,
            choices: choice..choice + sequence.choices as usize,
            generated: sequence.generated(),
        }
    }

    /// State and counters.
    pub fn gauges(&self) -> Gauges {
        let Counters {
            prefix_queried_tokens,
            prefix_hit_tokens,
            preemptions,
            admissions,
            queue_time,
            prompt_tokens,
            generated_tokens,
        } = self.counters;
        Gauges {
            running: self.running.length,
            waiting: self.waiting.length,
            blocks_free: self.pool.free(),
            blocks_cached: self.pool.cached(),
            blocks_owned: self.pool.owned(),
            blocks_total: self.pool.total(),
            prefix_queried_tokens,
            prefix_hit_tokens,
            preemptions,
            admissions,
            queue_time,
            prompt_tokens,
            generated_tokens,
        }
    }

    /// What the last committed step did.
    pub fn last_step(&self) -> StepFacts {
        self.facts
    }

    /// The limits, as they are applied.
    pub fn config(&self) -> &SchedulerConfig {
        &self.config
    }

    /// Forgets all cached prefixes; running sequences keep their blocks.
    pub fn reset_prefix_cache(&mut self) {
        self.pool.reset_prefix_cache();
        self.blocked = None;
    }

    /// For tests: looks at everything.
    ///
    /// # Panics
    /// Where an invariant of blocks, reference counts, lists or limits is broken.
    pub fn assert_consistent(&self) {
        self.pool.assert_consistent(
            self.sequences
                .iter()
                .flat_map(|sequence| &sequence.table.blocks),
        );
        let mut choices = 0;
        let mut listed = 0;
        // Only the last one is preempted, and it goes to the front of the queue: so nobody is ever passed.
        let mut order = None;
        for (list, state) in [
            (&self.running, State::Running),
            (&self.waiting, State::Waiting),
        ] {
            let mut slot = list.first;
            let mut previous = NO_SLOT;
            while slot != NO_SLOT {
                let sequence = &self.sequences[slot];
                assert_eq!(
                    sequence.state, state,
                    "a sequence is in the list of its state"
                );
                assert_eq!(sequence.previous, previous);
                let place = Some((sequence.request, sequence.choice));
                assert!(order < place, "who came first is in front");
                order = place;
                let known = &self.requests[&sequence.request];
                assert_eq!(
                    known[sequence.choice as usize], slot,
                    "a request knows its sequences"
                );
                assert!(
                    sequence.computed < sequence.tokens.len(),
                    "there is always something to compute"
                );
                assert!(sequence.table.covers(sequence.computed));
                if state == State::Running {
                    choices += sequence.choices as usize;
                    let behind = sequence.tokens.len() - sequence.computed;
                    assert!(
                        behind == 1 || slot == list.last,
                        "only the last one may be far behind"
                    );
                } else {
                    assert_eq!(sequence.table.blocks.len(), 0, "who waits holds no blocks");
                }
                listed += 1;
                previous = slot;
                slot = sequence.next;
            }
            assert_eq!(list.last, previous);
        }
        assert_eq!(listed, self.running.length + self.waiting.length);
        assert_eq!(
            listed,
            self.sequences.iter().count(),
            "each sequence is in one list"
        );
        assert_eq!(choices, self.running_choices);
        assert!(choices <= self.choices_max());
        let slots = self
            .requests
            .values()
            .flatten()
            .filter(|&&slot| slot != NO_SLOT);
        assert_eq!(slots.count(), listed);
    }
}
