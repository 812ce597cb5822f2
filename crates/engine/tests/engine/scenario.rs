//! A load on an engine, played step by step; every invariant is asked for after every step.

use crate::toy::{Toy, alone};
use engine::{
    Engine, EngineEvent, EngineRequest, FinishReason, Gauges, Refusal, RequestId, SchedulerConfig,
    TokenId,
};
use std::collections::HashMap;
use trace::Nanos;

/// A request, when it comes, and when it is taken back.
#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    pub(crate) request: EngineRequest,
    pub(crate) comes: usize,
    pub(crate) aborted: Option<usize>,
}

/// What is played.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) config: SchedulerConfig,
    pub(crate) visitors: Vec<Visitor>,
    /// Steps in which the cached prefixes are forgotten.
    pub(crate) resets: Vec<usize>,
}

/// What happened to one choice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) tokens: Vec<TokenId>,
    pub(crate) reason: Option<FinishReason>,
    pub(crate) preemptions: usize,
}

/// What came of it.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Played {
    /// With the step in which they left.
    pub(crate) events: Vec<(usize, EngineEvent)>,
    /// Of each visitor that was taken.
    pub(crate) ids: HashMap<usize, RequestId>,
    pub(crate) said: HashMap<(RequestId, usize), Said>,
    pub(crate) aborted: Vec<RequestId>,
    pub(crate) gauges: Gauges,
}

impl Scenario {
    /// Plays it to the end.
    pub(crate) fn play(&self) -> Played {
        let config = self.config;
        let toy = Toy::new(config.blocks, config.step_tokens_max, config.sequences_max);
        let mut engine = Engine::new(toy, config);
        let mut played = Played::default();
        let last = self
            .visitors
            .iter()
            .map(|visitor| visitor.comes)
            .max()
            .unwrap_or(0);
        let mut quiet = 0;
        let mut step = 0;
        while step <= last || engine.has_work() {
            let aborted = played.aborted.len();
            self.visit(step, &mut engine, &mut played);
            let mut events = Vec::new();
            let worked = engine.step(Nanos(step as u64), &mut events).unwrap();
            engine.scheduler().assert_consistent();
            let progress = events
                .iter()
                .any(|event| matches!(event, EngineEvent::Token { .. }));
            // What was computed of a prompt that is taken back brings no token.
            let taken_back = played.aborted.len() > aborted;
            quiet = if progress || taken_back || !worked {
                0
            } else {
                quiet + 1
            };
            let prefill = config.context_tokens.div_ceil(config.step_tokens_max);
            assert!(quiet <= prefill + 1, "no token in {quiet} steps");
            for event in events {
                played.take(step, event);
            }
            step += 1;
        }
        played.gauges = engine.gauges();
        played
    }

    fn visit(&self, step: usize, engine: &mut Engine<Toy>, played: &mut Played) {
        if self.resets.contains(&step) {
            engine.reset_prefix_cache();
            engine.scheduler().assert_consistent();
        }
        for (index, visitor) in self.visitors.iter().enumerate() {
            if visitor.comes == step {
                match engine.submit(visitor.request.clone(), Nanos(step as u64)) {
                    Ok(id) => {
                        let newest = played.ids.values().max();
                        assert!(newest.is_none_or(|&newest| id > newest), "ids increase");
                        played.ids.insert(index, id);
                    }
                    Err(refusal) => self.check_refusal(&visitor.request, &refusal),
                }
            }
            if visitor.aborted == Some(step)
                && let Some(&id) = played.ids.get(&index)
            {
                if engine.abort(id) {
                    played.aborted.push(id);
                }
                assert!(!engine.abort(id), "an abort is done once");
                engine.scheduler().assert_consistent();
            }
        }
    }

    fn check_refusal(&self, request: &EngineRequest, refusal: &Refusal) {
        let length = request.prompt.len() + request.params.tokens_max;
        match refusal {
            Refusal::EmptyPrompt => assert!(request.prompt.is_empty()),
            Refusal::ContextExceeded { .. } => assert!(length > self.config.context_tokens),
            Refusal::NeverFits { .. } => {
                assert!(length - 1 > self.config.blocks * engine::BLOCK_TOKENS);
            }
            Refusal::TooManyChoices { .. } => {
                let config = &self.config;
                assert!(request.params.n > config.sequences_max.min(config.step_tokens_max));
            }
            Refusal::QueueFull { waiting } => assert_eq!(*waiting, self.config.queue_max),
        }
    }
}

impl Played {
    fn take(&mut self, step: usize, event: EngineEvent) {
        let (EngineEvent::Token {
            request, choice, ..
        }
        | EngineEvent::Finished {
            request, choice, ..
        }
        | EngineEvent::Preempted { request, choice }) = event;
        assert!(!self.aborted.contains(&request), "nothing follows an abort");
        let said = self.said.entry((request, choice)).or_default();
        assert_eq!(said.reason, None, "nothing follows the end");
        match &event {
            EngineEvent::Token { token, .. } => said.tokens.push(*token),
            EngineEvent::Finished { reason, .. } => said.reason = Some(*reason),
            EngineEvent::Preempted { .. } => said.preemptions += 1,
        }
        self.events.push((step, event));
    }

    /// Panics unless every choice has said what it says alone, and everything is given back.
    pub(crate) fn check(&self, scenario: &Scenario) {
        for (&visitor, id) in &self.ids {
            let request = &scenario.visitors[visitor].request;
            let aborted = self.aborted.contains(id);
            for choice in 0..request.params.n {
                let (tokens, reason) = alone(request, choice);
                let said = self.said.get(&(*id, choice)).cloned().unwrap_or_default();
                if aborted {
                    assert!(
                        tokens.starts_with(&said.tokens),
                        "request {visitor}, choice {choice}"
                    );
                } else {
                    assert_eq!(said.tokens, tokens, "request {visitor}, choice {choice}");
                    assert_eq!(
                        said.reason,
                        Some(reason),
                        "request {visitor}, choice {choice}"
                    );
                }
            }
        }
        let gauges = self.gauges;
        assert_eq!(
            (gauges.running, gauges.waiting, gauges.blocks_owned),
            (0, 0, 0)
        );
        assert_eq!(
            gauges.blocks_free + gauges.blocks_cached,
            gauges.blocks_total
        );
        let tokens: usize = self.said.values().map(|said| said.tokens.len()).sum();
        assert_eq!(gauges.generated_tokens, tokens as u64);
    }

    /// The place of a request's first token among all events.
    pub(crate) fn first_token(&self, of: RequestId) -> Option<usize> {
        self.events.iter().position(
            |(_, event)| matches!(event, EngineEvent::Token { request, .. } if *request == of),
        )
    }

    pub(crate) fn was_preempted(&self, of: RequestId) -> bool {
        self.said
            .iter()
            .any(|((request, _), said)| *request == of && said.preemptions > 0)
    }
}
