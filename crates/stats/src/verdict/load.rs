//! Was what was asked offered to the server?

use super::bound::Bound;
use super::consequence::by_consequence;
use super::{Doubt, Evidence, Finding, Grade, invalid, percent, suspect};
use crate::run::RunMetrics;
use trace::Pacing;

/// A rate off by more than this is another rate: a server near saturation answers one per cent
/// more load with far more than one per cent more latency.
const RATE_ERROR_MAX: f64 = 0.01;

/// A release that is this late is late in absolute terms, however slow the server.
const ISSUE_LAG_MS_MAX: f64 = 5.0;

/// Unless it is small against what is measured from that release.
const ISSUE_LAG_SHARE_MAX: f64 = 0.05;

/// Below this part of the asked concurrency, held while requests were left to hold it with, the
/// server was measured at another concurrency. Handing on a slot costs microseconds, so that even
/// millisecond responses stay above.
const HELD_SHARE_MIN: f64 = 0.95;

/// Little's law is exact for the same requests over the same time: only stamps that contradict each other are apart.
const LITTLES_LAW_ERROR_MAX: f64 = 0.10;

impl Evidence<'_> {
    pub(super) fn judge_load(&self) -> Vec<Doubt> {
        let rule = match self.summary.point.pacing {
            Pacing::Burst { .. } => self.burst(),
            Pacing::Closed { concurrency } => self.concurrency(concurrency).map(|found| Doubt {
                bounds: self.missing(concurrency).into_iter().collect(),
                ..Doubt::from(found)
            }),
            Pacing::Open {
                max_concurrency, ..
            } => self.schedule(max_concurrency).map(|found| Doubt {
                bounds: self.lag_off().into_iter().collect(),
                ..Doubt::from(found)
            }),
        };
        let always = [
            self.interrupted(),
            self.all_released(),
            self.turns_cut(),
            self.littles_law(),
        ];
        let always = always.into_iter().flatten().map(Doubt::from);
        rule.into_iter().chain(always).collect()
    }

    /// The rate, by what was missing of the concurrency.
    fn missing(&self, asked: u32) -> Option<Bound> {
        let held = self.measured.iter().filter_map(|run| run.held_concurrency);
        self.rate_off_by(1.0 - held.reduce(f64::min)? / f64::from(asked))
    }

    /// What is measured from a release, by how late that was.
    fn lag_off(&self) -> Option<Bound> {
        let latency = &self.summary.latency;
        let ttft = latency.ttft.as_ref().map(|ttft| ("ttft.p50", ttft.p50));
        let e2e = || Some(("e2e.p50", latency.e2e.as_ref()?.p50));
        let (name, quantile) = ttft.or_else(e2e)?;
        Bound::of_quantile(name, self.issue_lag().0, quantile)
    }

    fn was_interrupted(&self) -> bool {
        self.summary.reliability.cancelled > 0 || self.facts.iter().any(|facts| facts.interrupted)
    }

    fn interrupted(&self) -> Finding {
        let r = &self.summary.reliability;
        if !self.was_interrupted() {
            return None;
        }
        suspect(
            "interrupted",
            format!(
                "The run was stopped before it was over, after {} requests, {} of them cancelled; \
                 let it go to its end for numbers that others can compare.",
                r.issued, r.cancelled
            ),
        )
    }

    /// Later turns, whose prompts are longer, are missing from the numbers.
    fn turns_cut(&self) -> Finding {
        let conversations = self.summary.conversations.as_ref()?;
        let cut = conversations.turns_cut;
        if cut == 0 {
            return None;
        }
        suspect(
            "conversations_cut_short",
            format!(
                "{cut} {} never sent, because the answer before was not whole: the numbers of later \
                 turns are those of the conversations that went well; see the failures.",
                if cut == 1 { "turn was" } else { "turns were" }
            ),
        )
    }

    fn all_released(&self) -> Finding {
        let r = &self.summary.reliability;
        let cut = self.summary.conversations.as_ref();
        let cut = cut.map_or(0, |conversations| conversations.turns_cut);
        let missing = r.planned.saturating_sub(r.issued + cut);
        if self.was_interrupted() || missing as f64 <= RATE_ERROR_MAX * r.planned as f64 {
            return None;
        }
        invalid(
            "load_not_delivered",
            format!(
                "Only {} of {} planned requests have a record, more than {} are missing; check \
                 that the server still runs and that the records are whole, then run again.",
                r.issued,
                r.planned,
                percent(RATE_ERROR_MAX)
            ),
        )
    }

    /// Compares with the due times as they were drawn, not with the rate asked: a Poisson draw of
    /// a thousand requests is off by three per cent by itself.
    fn schedule(&self, max_concurrency: Option<u32>) -> Finding {
        let late = |run: &RunMetrics| (run.issued_seconds - run.due_seconds).abs();
        let off = self
            .measured
            .iter()
            .filter(|run| run.due_seconds > 0.0 && late(run) * 1e3 > ISSUE_LAG_MS_MAX)
            .map(|run| late(run) / run.due_seconds)
            .fold(0.0, f64::max);
        let (lag, lag_max) = self.issue_lag();
        let what = if off > RATE_ERROR_MAX {
            format!(
                "the rate was off by {} (limit {})",
                percent(off),
                percent(RATE_ERROR_MAX)
            )
        } else if lag > lag_max {
            format!(
                "1 % of requests were released {lag:.2} ms late or more (limit {lag_max:.2} ms)"
            )
        } else {
            return None;
        };
        if let Some(cap) = max_concurrency.filter(|&cap| self.summary.concurrency.peak >= cap) {
            return suspect(
                "concurrency_capped",
                format!(
                    "The planned arrivals were held back by the limit of {cap} requests in \
                     flight: {what}; read the latencies from due, or raise the limit."
                ),
            );
        }
        let pacer = self
            .facts
            .iter()
            .filter_map(|facts| facts.instrument.pacer_late_p99)
            .max();
        let pacer = pacer.map_or_else(String::new, |late| {
            format!(" The pacer itself was {:.2} ms late at p99.", late.millis())
        });
        invalid(
            "load_not_delivered",
            format!(
                "The planned load was not delivered: {what}.{pacer} Lower the rate, or give the \
                 client a processor of its own."
            ),
        )
    }

    /// p99 of the issue lag, and how much of it is too much, in milliseconds.
    fn issue_lag(&self) -> (f64, f64) {
        let latency = &self.summary.latency;
        let measured_from_release = latency.ttft.as_ref().or(latency.e2e.as_ref());
        let lag_max = measured_from_release
            .map_or(0.0, |latency| latency.p50.value * ISSUE_LAG_SHARE_MAX)
            .max(ISSUE_LAG_MS_MAX);
        let lag = latency.issue_lag.as_ref().map_or(0.0, |lag| lag.p99.value);
        (lag, lag_max)
    }

    /// A batch whose first answers are there before its last request has left is no batch.
    fn burst(&self) -> Option<Doubt> {
        let (lag, lag_max) = self.issue_lag();
        if lag <= lag_max {
            return None;
        }
        let sentence = format!(
            "The batches did not leave at once: 1 % of requests were released {lag:.2} ms after their batch began or \
             later (limit {lag_max:.2} ms)."
        );
        Some(by_consequence(
            "burst_spread",
            (
                sentence,
                "Read the latencies from due, or ask for smaller batches.",
            ),
            self.lag_off().into_iter().collect(),
            (Grade::Suspect, Grade::Suspect),
        ))
    }

    fn concurrency(&self, asked: u32) -> Finding {
        let enough = || {
            self.measured
                .iter()
                .filter(|run| run.begun >= u64::from(asked))
        };
        let most = self.measured.iter().map(|run| run.begun).max()?;
        let Some(peak) = enough().map(|run| run.peak).min() else {
            return suspect(
                "too_few_requests",
                format!(
                    "A run released {most} requests at most, which cannot hold a concurrency of \
                     {asked}; ask for at least {asked} requests."
                ),
            );
        };
        if peak < asked {
            return invalid(
                "concurrency_not_reached",
                format!(
                    "At most {peak} of {asked} asked requests were in flight at once; the client \
                     could not start them fast enough, or responses were too short: lower the \
                     concurrency or ask for more tokens."
                ),
            );
        }
        let held = enough()
            .filter_map(|run| run.held_concurrency)
            .reduce(f64::min)?;
        let enough_held = HELD_SHARE_MIN * f64::from(asked);
        if held >= enough_held {
            return None;
        }
        let busy = enough().filter_map(|run| run.busy_slots);
        if busy
            .reduce(f64::min)
            .is_some_and(|busy| busy >= enough_held)
        {
            return invalid(
                "bodies_left_open",
                format!(
                    "While requests were left, {held:.1} of {asked} asked were in flight on average (limit {}): the server, \
                     or something in front of it, keeps bodies open after their last event, and the next request waits for \
                     the end. Mend that, or compare the latencies and not the rates.",
                    percent(HELD_SHARE_MIN)
                ),
            );
        }
        invalid(
            "concurrency_not_reached",
            format!(
                "While requests were left, {held:.1} of {asked} asked were in flight on average \
                 (limit {}); lower the concurrency, ask for more tokens per request, or give the \
                 client a processor of its own.",
                percent(HELD_SHARE_MIN)
            ),
        )
    }

    /// Failed requests are in flight too, but have no latency: with them the law says nothing.
    fn littles_law(&self) -> Finding {
        let concurrency = &self.summary.concurrency;
        let (law, achieved) = concurrency.littles_law.zip(concurrency.achieved)?;
        let all_answered = self.summary.reliability.complete == self.summary.reliability.issued;
        let error = (law / achieved - 1.0).abs();
        if !all_answered || !error.is_finite() || error <= LITTLES_LAW_ERROR_MAX {
            return None;
        }
        suspect(
            "littles_law",
            format!(
                "Rate times the time in flight is {law:.2} requests, but {achieved:.2} were: {} apart (limit {}). Both \
                 are of the same requests, so that stamps of these records contradict each other.",
                percent(error),
                percent(LITTLES_LAW_ERROR_MAX)
            ),
        )
    }
}
