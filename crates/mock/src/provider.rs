//! The configuration that holds now, and the counters.

use crate::answer::{Answer, Outcome};
use crate::circumstances::Circumstances;
use crate::exchange::Exchange;
use crate::metrics::{self, Gauges};
use crate::request::Request;
use crate::stats::Lateness;
use crate::vectors::Vectors;
use crate::{MockConfig, MockStats, Phase, route};
use std::time::Duration;

/// What is served, and what was: the configuration that holds now, and the counters.
pub(crate) struct Provider<'a> {
    config: &'a MockConfig,
    /// What holds later, in order.
    phases: &'a [Phase],
    vectors: Vectors,
    pub(crate) gauges: Gauges,
    pub(crate) stats: MockStats,
    pub(crate) lateness: Lateness,
}

impl<'a> Provider<'a> {
    pub(crate) fn new(config: &'a MockConfig, phases: &'a [Phase]) -> Self {
        Self {
            config,
            phases,
            vectors: Vectors::default(),
            gauges: Gauges::default(),
            stats: MockStats::default(),
            lateness: Lateness::new(),
        }
    }

    pub(crate) fn config(&self) -> &'a MockConfig {
        self.config
    }

    /// Goes on to the phase that has begun, where there is one.
    pub(crate) fn keep_phase(&mut self, since_start: Duration) {
        while let Some((next, later)) = self.phases.split_first()
            && next.from <= since_start
        {
            self.config = &next.config;
            self.phases = later;
        }
    }

    pub(crate) fn answer(&mut self, request: &Request<'_>, circumstances: Circumstances) -> Answer {
        if request.path() == route::METRICS {
            return route::metrics(request, || {
                let model = &self.config.model;
                metrics::text(model, self.gauges, &self.stats, &self.lateness)
            });
        }
        route::answer(self.config, &mut self.vectors, request, circumstances)
    }

    /// Service of an exchange began.
    pub(crate) fn begin(&mut self, exchange: &Exchange) {
        self.gauges.running += u32::from(exchange.is_served());
        self.stats.prompt_tokens += exchange.account().prompt_tokens;
        if exchange.is_stream() {
            self.gauges.streams += 1;
            self.stats.streams += 1;
            self.stats.concurrent_streams_peak = self
                .stats
                .concurrent_streams_peak
                .max(u64::from(self.gauges.streams));
        }
    }

    /// An exchange ended, begun or not.
    pub(crate) fn end(&mut self, exchange: &Exchange) {
        if !exchange.is_served() {
            return;
        }
        if exchange.is_started() {
            self.gauges.running -= 1;
            self.gauges.streams -= u32::from(exchange.is_stream());
        } else {
            self.gauges.waiting -= 1;
        }
        let (account, stats) = (exchange.account(), &mut self.stats);
        match account.outcome {
            Outcome::Refused => stats.refused += 1,
            Outcome::Fault => stats.faults += 1,
            Outcome::Complete if !exchange.is_played() => stats.aborted += 1,
            Outcome::Complete => {
                stats.complete += 1;
                let ended = if account.limited {
                    &mut stats.limited
                } else {
                    &mut stats.stopped
                };
                *ended += u64::from(account.choices);
            }
        }
    }

    pub(crate) fn into_stats(self) -> MockStats {
        MockStats {
            lateness: self.lateness.summary(),
            ..self.stats
        }
    }
}
