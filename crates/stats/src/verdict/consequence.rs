//! What a client that did not get its processor in time did to the numbers, as far as that can be measured.
//!
//! Lateness has few ways into a number. Between the stamp `issued` and the last byte of the request it is in every
//! latency, and is measured there. Where the kernel stamps what arrives, it is in no latency on the way back; in user
//! space it is. In a closed loop, a slot that waits for the client is a request that was not made: what was missing
//! of the asked concurrency is missing of the rate.

use super::bound::{Bound, worst};
use super::{Doubt, Evidence, Grade};
use crate::quantile::{quantile, sort};
use crate::{Interval, MeanStd};
use trace::{Instrument, Nanos, Pacing, StampSource};

/// Fewer coalesced events are in no p99.
const COALESCED_SHARE_MIN: f64 = 0.01;

/// Milliseconds: on average, at the median and at the 99th percentile.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Lateness {
    pub(crate) mean: f64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

impl Lateness {
    /// Of a sample; `None` of an empty one.
    pub(crate) fn of(mut sample: Vec<f64>) -> Option<Self> {
        sort(&mut sample);
        Some(Self {
            mean: MeanStd::of(&sample)?.mean,
            p50: quantile(&sample, 0.5)?,
            p99: quantile(&sample, 0.99)?,
        })
    }
}

impl Evidence<'_> {
    /// How far each number can be off that the client's own lateness reaches; empty where nothing was measured that it
    /// could.
    pub(super) fn consequences(&self) -> Vec<Bound> {
        let sent = self.sending.or_else(|| self.timers()).unwrap_or_default();
        let received = self.received();
        let latency = &self.summary.latency;
        let mut bounds = Vec::new();
        for (name, described) in [("ttft", &latency.ttft), ("e2e", &latency.e2e)] {
            let Some(described) = described else { continue };
            let late = [
                ("p50", sent.p50 + received.p50, described.p50),
                ("p99", sent.p99 + received.p99, described.p99),
            ];
            bounds.extend(late.into_iter().filter_map(|(q, late, quantile)| {
                Bound::of_quantile(&format!("{name}.{q}"), late, quantile)
            }));
        }
        if let Some(gap) = latency.chunk_gap.as_ref().filter(|_| received.p50 > 0.0) {
            bounds.extend(Bound::of_quantile("chunk_gap.p50", received.p50, gap.p50));
        }
        bounds.extend(self.gaps_off());
        bounds.extend(self.rate_off());
        bounds
    }

    /// Events that waited together in a socket share the stamp of the last of them: where one in a hundred did, the
    /// longest gaps are made of those.
    fn gaps_off(&self) -> Option<Bound> {
        let receipt = &self.summary.receipt;
        receipt
            .coalesced_share
            .filter(|&share| share >= COALESCED_SHARE_MIN)?;
        let gap = self.summary.latency.chunk_gap.as_ref()?;
        Bound::of_quantile("chunk_gap.p99", receipt.coalesced_width?, gap.p99)
    }

    /// How late what arrives is stamped.
    fn received(&self) -> Lateness {
        let receipt = &self.summary.receipt;
        if receipt.stamps != Some(StampSource::User) {
            return Lateness::default();
        }
        let lag = receipt.client_lag.as_ref().map(|lag| Lateness {
            mean: lag.mean,
            p50: lag.p50.value,
            p99: lag.p99.value,
        });
        lag.or_else(|| self.timers()).unwrap_or_default()
    }

    /// How late timers woke: the median over runs.
    fn timers(&self) -> Option<Lateness> {
        let over_runs = |late: fn(&Instrument) -> Option<Nanos>| {
            let late = self
                .facts
                .iter()
                .filter_map(|facts| late(&facts.instrument));
            let mut late: Vec<f64> = late.map(Nanos::millis).collect();
            sort(&mut late);
            quantile(&late, 0.5)
        };
        let p99 = over_runs(|instrument| instrument.canary_late_p99)?;
        let p50 = over_runs(|instrument| instrument.canary_late_p50).unwrap_or(0.0);
        // As if every second one were as late as the worst.
        let mean = f64::midpoint(p50, p99);
        Some(Lateness { mean, p50, p99 })
    }

    /// Of a closed loop: what was missing of the concurrency while requests were left, or the lag of a read against
    /// the time that an answer takes; and how long requests waited to be sent.
    fn rate_off(&self) -> Option<Bound> {
        let Pacing::Closed { concurrency } = self.summary.point.pacing else {
            return None;
        };
        let held = self.measured.iter().filter_map(|run| run.held_concurrency);
        let missing = held.map(|held| f64::from(concurrency) / held - 1.0);
        // What is in the latencies that should not be.
        let late = self.sending.map_or(0.0, |sending| sending.mean) + self.received().mean;
        let e2e = self.summary.latency.e2e.as_ref()?.mean;
        let answer = (e2e - late).max(late);
        let receipt = &self.summary.receipt;
        let apart = receipt.stamps != Some(StampSource::User);
        let lag = receipt.client_lag.as_ref().filter(|_| apart);
        let lagging = lag.map(|lag| lag.mean / answer);
        let idle = missing.chain(lagging).reduce(f64::max)?;
        self.rate_off_by(idle.max(0.0) + late / answer)
    }

    /// The rate that is read first, off by a part of it.
    pub(super) fn rate_off_by(&self, part: f64) -> Option<Bound> {
        let rates = &self.summary.throughput;
        let steady = self.summary.steady_state.as_ref();
        let known = [
            (
                "output_tokens_per_second",
                rates.output_tokens_per_second,
                steady.and_then(|steady| steady.output_tokens_per_second_interval),
            ),
            (
                "requests_per_second",
                rates.requests_per_second,
                steady.and_then(|steady| steady.requests_per_second_interval),
            ),
        ];
        let rate = |(name, rate, interval): (_, Option<MeanStd>, Option<Interval>)| {
            let rate = rate?.mean;
            Bound::new(name, "/s", part * rate, (rate, interval))
        };
        known.into_iter().find_map(rate)
    }

    /// Where a part of the time was taken from everything: latencies are longer by as much, and rates lower.
    pub(super) fn all_off_by(&self, part: f64) -> Vec<Bound> {
        let latency = &self.summary.latency;
        let longest = latency.e2e.as_ref().map(|e2e| ("e2e.p50", e2e.p50));
        let quantile = longest
            .and_then(|(name, quantile)| Bound::of_quantile(name, part * quantile.value, quantile));
        quantile.into_iter().chain(self.rate_off_by(part)).collect()
    }
}

/// A reason that weighs as much as the error that it may have caused; `unknown` where that cannot be told. The
/// sentence goes on with the number that is most beyond its limit, and with `advice` where it is beyond it.
pub(super) fn by_consequence(
    code: &'static str,
    (sentence, advice): (String, &str),
    bounds: Vec<Bound>,
    (unknown, most): (Grade, Grade),
) -> Doubt {
    let grade = bounds.iter().map(grade).max();
    let grade = grade.map_or(unknown, |grade| grade.min(most));
    let words = worst(&bounds).map_or_else(String::new, |bound| format!(" {}.", bound.words()));
    let advice = match grade {
        Grade::Valid => String::new(),
        _ => format!(" {advice}"),
    };
    Doubt {
        grade,
        code,
        sentence: format!("{sentence}{words}{advice}"),
        bounds,
    }
}

/// Gaps alone do not make a measurement useless, whose other numbers stand.
fn grade(bound: &Bound) -> Grade {
    let gaps = bound.number.starts_with("chunk_gap");
    bound
        .grade()
        .min(if gaps { Grade::Suspect } else { Grade::Invalid })
}
