//! Scheduler, model and sampler, one step at a time.

use crate::{
    EngineEvent, EngineRequest, Gauges, Logits, Model, ModelError, Refusal, RequestId, Sample,
    Sampler, Scheduler, SchedulerConfig, StepFacts, StepOutput,
};
use trace::Nanos;

/// Scheduler, model and sampler: requests in, events out, one step at a time.
#[derive(Debug)]
pub struct Engine<M> {
    model: M,
    scheduler: Scheduler,
    sampler: Sampler,
    logits: Logits,
    output: StepOutput,
}

impl<M: Model> Engine<M> {
    /// An engine without requests. Blocks and context are at most what the model has.
    pub fn new(model: M, config: SchedulerConfig) -> Self {
        let config = SchedulerConfig {
            blocks: config.blocks.min(model.blocks()),
            context_tokens: config.context_tokens.min(model.context_tokens()),
            ..config
        };
        Engine {
            model,
            scheduler: Scheduler::new(config),
            sampler: Sampler::default(),
            logits: Logits::default(),
            output: StepOutput::default(),
        }
    }

    /// Puts a request at the end of the queue, or says why it is not taken. `now` is on the clock of [`Self::step`].
    pub fn submit(&mut self, request: EngineRequest, now: Nanos) -> Result<RequestId, Refusal> {
        self.scheduler.submit(request, now)
    }

    /// Takes a request back; no event follows. False where there is no such request, or no longer.
    pub fn abort(&mut self, request: RequestId) -> bool {
        self.scheduler.abort(request)
    }

    /// One step: schedule, compute, sample, commit. Events are appended. `Ok(false)`: there was nothing to do.
    ///
    /// Where the model fails, each sequence of the step ends with [`crate::FinishReason::Abort`], which the events
    /// say; the engine can go on with the others.
    pub fn step(&mut self, now: Nanos, events: &mut Vec<EngineEvent>) -> Result<bool, ModelError> {
        let plan = self.scheduler.schedule(now);
        if plan.chunks.is_empty() {
            return Ok(false);
        }
        if let Err(error) = self.model.forward(plan, &mut self.logits) {
            self.scheduler.fail_step(events);
            return Err(error);
        }
        self.output.samples.clear();
        for (row, (slot, sampling)) in self.scheduler.samplings().enumerate() {
            let Some(sampling) = sampling else { continue };
            let row = self.logits.row_mut(row);
            for choice in sampling.choices.clone() {
                let (token, logprobs) = self.sampler.sample(row, &sampling, choice);
                self.output.samples.push(Sample {
                    slot,
                    choice,
                    token,
                    logprobs,
                });
            }
        }
        self.scheduler.commit(&self.output, events);
        Ok(true)
    }

    /// Prompt tokens that came from the prefix cache when a request was first admitted; `None` before, and for one that
    /// is finished.
    pub fn cached_tokens(&self, request: RequestId) -> Option<usize> {
        self.scheduler.cached_tokens(request)
    }

    /// Whether any request is not finished.
    pub fn has_work(&self) -> bool {
        self.scheduler.has_work()
    }

    /// State and counters.
    pub fn gauges(&self) -> Gauges {
        self.scheduler.gauges()
    }

    /// What the last step did.
    pub fn last_step(&self) -> StepFacts {
        self.scheduler.last_step()
    }

    /// Forgets all cached prefixes; running sequences keep their blocks.
    pub fn reset_prefix_cache(&mut self) {
        self.scheduler.reset_prefix_cache();
    }

    /// What computes.
    pub fn model(&self) -> &M {
        &self.model
    }

    /// What computes, to be changed between steps: a virtual clock is moved on while nothing is to be done.
    pub fn model_mut(&mut self) -> &mut M {
        &mut self.model
    }

    /// What decides.
    pub fn scheduler(&self) -> &Scheduler {
        &self.scheduler
    }
}
