//! Was the instrument in the way?

use super::bound::Bound;
use super::consequence::by_consequence;
use super::{Doubt, Evidence, Finding, Grade, invalid, percent, suspect};
use crate::disturbed::is_robbed;
use crate::quantile::{quantile, sort};
use crate::receipt::share_of_wall;
use trace::{Nanos, StampSource};

/// A client that is late by more than this part of what it measures may measure itself: what that does to the numbers
/// is looked into.
const LAG_SHARE_MAX: f64 = 0.1;

/// Kernel stamps keep the client's lag out of every latency, so that below this, about what
/// waking a thread costs on a small virtual machine, the lag harms nothing.
const KERNEL_LAG_MS_MIN: f64 = 0.1;

/// An idle timer thread wakes within 0.1 ms; one that is this late at p99 was kept off the
/// processor for a whole slice of the scheduler.
const CANARY_MS_MAX: f64 = 2.0;

/// Of the run, an engine in this process may wait for a processor.
const WAITED_SHARE_MAX: f64 = 0.1;

/// Some slices of the scheduler's: less has happened to a run that is over in a moment.
const WAITED_MIN: Nanos = Nanos::from_millis(100);

/// With this part of the time taken away, one token in fifty is late for no fault of the server.
const STEAL_SHARE_MAX: f64 = 0.02;

/// The kernel counts stolen time in ticks of 10 ms on every processor: less than two is noise.
const STEAL_MIN: Nanos = Nanos::from_millis(20);

/// Throttling stops every thread for tens of milliseconds at a time: half as much is as bad.
const THROTTLED_SHARE_MAX: f64 = 0.01;

/// A receiving thread this busy has a queue before it, and its rate is the rate measured.
const SATURATION_SPAN_MIN: Nanos = Nanos::from_millis(100);
const RECEIVER_CPU_SHARE_MAX: f64 = 0.95;

/// One second in fifty is in no p95; with more of them a p99 is made in disturbed seconds.
const DISTURBED_SHARE_MAX: f64 = 0.02;

/// One is a hiccup, and in a run of less than a minute more than the share allows: it is for the rules for whole runs to
/// judge.
const DISTURBED_MIN: usize = 2;

/// Of the requests, so many outside of disturbed seconds say what those did.
const UNDISTURBED_MIN: f64 = 0.5;

/// Of the client's processors, others may take this part: with more, it is another machine that is measured.
const OTHERS_SHARE_MAX: f64 = 0.1;

/// With more than half of them gone, next to nothing is known.
const OTHERS_SHARE_USELESS: f64 = 0.5;

/// The kernel counts in ticks of 10 ms: less is noise.
const OTHERS_MIN: Nanos = Nanos::from_millis(100);

impl Evidence<'_> {
    pub(super) fn judge_client(&self) -> Vec<Doubt> {
        let findings = [
            self.exhausted_sockets(),
            self.saturated(),
            self.facts_missing(),
        ];
        let lateness = [
            self.starved().or_else(|| self.stamped_late()),
            self.timer_late(),
            self.waited(),
            self.stolen(),
            self.throttled(),
            self.shared(),
            self.disturbed(),
        ];
        let findings = findings.into_iter().flatten().map(Doubt::from);
        findings.chain(lateness.into_iter().flatten()).collect()
    }

    fn exhausted_sockets(&self) -> Finding {
        if self.exhausted == 0 {
            return None;
        }
        let limit = self
            .facts
            .iter()
            .filter_map(|facts| facts.instrument.file_descriptor_limit);
        let limit = limit.min().map_or_else(String::new, |limit| {
            format!(" (at most {limit} files may be open at once)")
        });
        invalid(
            "out_of_sockets",
            format!(
                "{} requests found no file descriptor or local port left{limit}; raise `ulimit \
                 -n` or widen net.ipv4.ip_local_port_range, or lower the concurrency.",
                self.exhausted
            ),
        )
    }

    fn disturbed(&self) -> Option<Doubt> {
        let disturbed = self.summary.receipt.disturbed.as_ref()?;
        if disturbed.seconds.len() < DISTURBED_MIN || disturbed.share() <= DISTURBED_SHARE_MAX {
            return None;
        }
        let sentence = format!(
            "In {} of {} seconds ({}, limit {}) this machine kept the client from its work: timers woke late, the \
             receiving thread waited, or processor time was taken away.",
            disturbed.seconds.len(),
            disturbed.of,
            percent(disturbed.share()),
            percent(DISTURBED_SHARE_MAX)
        );
        let mut seconds = self
            .facts
            .iter()
            .flat_map(|facts| &facts.instrument.seconds);
        let bounds = match self.without_disturbed() {
            Some(compared) => self.consequences().into_iter().chain(compared).collect(),
            // What was taken or lost is in latencies that nothing can be compared with.
            None if seconds.any(is_robbed) => Vec::new(),
            None => self.consequences(),
        };
        let advice = "What came in them is in the tails; give the client a processor of its own.";
        let grades = (Grade::Suspect, Grade::Suspect);
        Some(by_consequence(
            "disturbed_seconds",
            (sentence, advice),
            bounds,
            grades,
        ))
    }

    /// How far percentiles are from those of the requests outside of disturbed seconds; `None` where those are fewer
    /// than half.
    fn without_disturbed(&self) -> Option<Vec<Bound>> {
        let (latency, others) = (&self.summary.latency, &self.undisturbed);
        let mut bounds = Vec::new();
        for (name, all, others) in [
            ("ttft", &latency.ttft, &others.ttft),
            ("tpot", &latency.tpot, &others.tpot),
            ("e2e", &latency.e2e, &others.e2e),
        ] {
            let Some(all) = all else { continue };
            if (others.len() as f64) < UNDISTURBED_MIN * all.n as f64 {
                return None;
            }
            for (q, rank, of_all) in [("p50", 0.5, all.p50), ("p99", 0.99, all.p99)] {
                let off = (of_all.value - quantile(others, rank)?).abs();
                bounds.extend(Bound::of_quantile(&format!("{name}.{q}"), off, of_all));
            }
        }
        Some(bounds)
    }

    fn median_ttft(&self) -> Option<f64> {
        self.summary
            .latency
            .ttft
            .as_ref()
            .map(|ttft| ttft.p50.value)
    }

    fn median_e2e(&self) -> Option<f64> {
        self.summary.latency.e2e.as_ref().map(|e2e| e2e.p50.value)
    }

    /// The finest thing that arrival stamps measure here, and its median in milliseconds.
    fn finest(&self) -> Option<(&'static str, f64)> {
        let gap = self.gaps.read_gap_ms.map(|gap| ("gap between reads", gap));
        gap.or_else(|| self.coarsest())
    }

    /// The latency of a whole request, or of its beginning where it has one.
    fn coarsest(&self) -> Option<(&'static str, f64)> {
        let ttft = self.median_ttft().map(|ttft| ("time to first token", ttft));
        ttft.or_else(|| Some(("end-to-end latency", self.median_e2e()?)))
    }

    fn starved(&self) -> Option<Doubt> {
        let receipt = &self.summary.receipt;
        let lag = receipt.client_lag.as_ref()?;
        let (name, median) = self.finest()?;
        let kernel = receipt.stamps == Some(StampSource::Kernel);
        let limit = (LAG_SHARE_MAX * median).max(if kernel { KERNEL_LAG_MS_MIN } else { 0.0 });
        if lag.p50.value > limit {
            return Some(self.read_late("median", lag.p50.value, name, median, limit));
        }
        let (name, median) = self.coarsest()?;
        let limit = LAG_SHARE_MAX * median;
        let late = receipt.stamps == Some(StampSource::User) && lag.p99.value > limit;
        late.then(|| self.read_late("p99", lag.p99.value, name, median, limit))
    }

    fn read_late(&self, which: &str, lag: f64, name: &str, median: f64, limit: f64) -> Doubt {
        let sentence = format!(
            "The client read its bytes late: {which} lag {lag:.2} ms where the median {name} is {median:.2} ms (limit \
             {limit:.2} ms).{}",
            self.who_stamps()
        );
        let advice =
            "Give it a processor of its own, lower the load, or measure from another machine.";
        by_consequence(
            "client_starved",
            (sentence, advice),
            self.consequences(),
            (Grade::Invalid, Grade::Invalid),
        )
    }

    /// Where lateness on receipt does not count.
    fn who_stamps(&self) -> &'static str {
        match self.summary.receipt.stamps {
            Some(StampSource::Kernel) => " The kernel's stamps keep this out of the latencies.",
            _ => "",
        }
    }

    fn stamped_late(&self) -> Option<Doubt> {
        let receipt = &self.summary.receipt;
        let lag = receipt.client_lag.as_ref()?.p99.value;
        let gap = self.gaps.read_gap_ms?;
        let limit = (LAG_SHARE_MAX * gap).max(KERNEL_LAG_MS_MIN);
        if receipt.stamps != Some(StampSource::Kernel) || lag <= limit {
            return None;
        }
        let sentence = format!(
            "1 % of reads came {lag:.2} ms after their bytes or later (limit {limit:.2} ms, a tenth of the median \
             gap).{}",
            self.who_stamps()
        );
        let advice = "The client was starved of its processor: give it one of its own.";
        Some(by_consequence(
            "client_lag",
            (sentence, advice),
            self.consequences(),
            (Grade::Suspect, Grade::Invalid),
        ))
    }

    /// Judged by the median over runs: a short run is late at p99 by a single hiccup.
    fn timer_late(&self) -> Option<Doubt> {
        let mut late: Vec<f64> = self
            .facts
            .iter()
            .filter_map(|facts| facts.instrument.canary_late_p99)
            .map(Nanos::millis)
            .collect();
        sort(&mut late);
        let late = quantile(&late, 0.5)?;
        // Gaps between tokens lie wholly between kernel stamps, where no timer of ours matters.
        let stamped_by_kernel = self.summary.receipt.stamps == Some(StampSource::Kernel);
        let gap = self.gaps.read_gap_ms.filter(|_| !stamped_by_kernel);
        let smallest = [self.median_ttft(), self.median_e2e(), gap]
            .into_iter()
            .flatten()
            .reduce(f64::min);
        let limit = CANARY_MS_MAX.max(smallest.map_or(0.0, |median| LAG_SHARE_MAX * median));
        if late <= limit {
            return None;
        }
        let sentence = format!(
            "A thread that only waits woke {late:.2} ms late at p99 (limit {limit:.2} ms): the client did not get the \
             processor when it needed it."
        );
        Some(by_consequence(
            "timer_late",
            (
                sentence,
                "Stop what else runs here, or measure from another machine.",
            ),
            self.consequences(),
            (Grade::Invalid, Grade::Invalid),
        ))
    }

    /// Where nothing watches the timers because the engine under test runs in this process: how long its first thread,
    /// which also takes the stamps, could have run and did not.
    fn waited(&self) -> Option<Doubt> {
        let mut facts = self.facts.iter();
        if facts.any(|facts| facts.instrument.canary_late_p99.is_some()) {
            return None;
        }
        let waits = self.facts.iter();
        let waits = waits.filter_map(|facts| facts.instrument.receiver_run_queue_wait);
        let waited = waits.fold(Nanos::ZERO, |sum, wait| sum + wait);
        let share = share_of_wall(self.facts, |facts| facts.instrument.receiver_run_queue_wait)?;
        if waited < WAITED_MIN || share <= WAITED_SHARE_MAX {
            return None;
        }
        let sentence = format!(
            "The engine waited for a processor for {} of the time (limit {}): other programs ran beside it. Stop them, \
             or give it fewer --threads.",
            percent(share),
            percent(WAITED_SHARE_MAX)
        );
        Some(Doubt {
            bounds: self.all_off_by(share),
            ..Doubt::from((Grade::Invalid, "engine_starved", sentence))
        })
    }

    fn stolen(&self) -> Option<Doubt> {
        let stolen = self.facts.iter().filter_map(|facts| facts.instrument.steal);
        let stolen = stolen.fold(Nanos::ZERO, |sum, steal| sum + steal);
        let share = share_of_wall(self.facts, |facts| facts.instrument.steal)?;
        if stolen < STEAL_MIN || share <= STEAL_SHARE_MAX {
            return None;
        }
        let sentence = format!(
            "The hypervisor took {} of the time from this machine's processors (limit {}).",
            percent(share),
            percent(STEAL_SHARE_MAX)
        );
        let advice = "Measure from one with processors of its own, or at another time.";
        Some(self.taken("cpu_stolen", sentence, advice, share))
    }

    fn throttled(&self) -> Option<Doubt> {
        let share = share_of_wall(self.facts, |facts| facts.instrument.throttled)?;
        if share <= THROTTLED_SHARE_MAX {
            return None;
        }
        let sentence = format!(
            "The client's control group was throttled for {} of the time (limit {}).",
            percent(share),
            percent(THROTTLED_SHARE_MAX)
        );
        Some(self.taken("cpu_throttled", sentence, "Raise its CPU quota.", share))
    }

    /// Time that was taken from all that runs here. It may all have been taken while requests were under way.
    fn taken(&self, code: &'static str, sentence: String, advice: &str, share: f64) -> Doubt {
        let busy = self.summary.concurrency.achieved.unwrap_or(1.0);
        let part = share / busy.clamp(f64::MIN_POSITIVE, 1.0);
        by_consequence(
            code,
            (sentence, advice),
            self.all_off_by(part),
            (Grade::Invalid, Grade::Invalid),
        )
    }

    /// Programs that are neither the client nor the server. Whatever they did to the numbers: what was measured is
    /// not what was asked for.
    fn shared(&self) -> Option<Doubt> {
        let known = || {
            self.facts
                .iter()
                .filter_map(|facts| facts.instrument.beside)
        };
        let others = known().fold(Nanos::ZERO, |sum, beside| sum + beside.others);
        let watched = known().map(|beside| beside.watched.seconds() * f64::from(beside.processors));
        let share = others.seconds() / watched.sum::<f64>();
        if others < OTHERS_MIN || !share.is_finite() || share <= OTHERS_SHARE_MAX {
            return None;
        }
        let by_the_server = known().any(|beside| beside.server.is_some());
        // A server that has lost a part of its processors takes as much longer.
        let (bounds, whose) = if by_the_server {
            // Where more than half was taken, no bound means anything.
            let known = (share <= OTHERS_SHARE_USELESS).then(|| share / (1.0 - share));
            let bounds = known.map(|part| self.all_off_by(part)).unwrap_or_default();
            (bounds, "the client and the server were")
        } else {
            (self.consequences(), "the client was")
        };
        let grade = if share > OTHERS_SHARE_USELESS {
            Grade::Invalid
        } else {
            Grade::Suspect
        };
        let words = super::bound::worst(&bounds).map(|bound| format!(" {}.", bound.words()));
        let sentence = format!(
            "Other programs took {} of this machine's processors (limit {}), and {whose} starved of them: the load \
             is not the one that was asked for.{} Stop what else runs here, or measure from another machine.",
            percent(share),
            percent(OTHERS_SHARE_MAX),
            words.unwrap_or_default()
        );
        Some(Doubt {
            bounds,
            ..Doubt::from((grade, "processors_shared", sentence))
        })
    }

    fn saturated(&self) -> Finding {
        let share = share_of_wall(self.facts, |facts| facts.instrument.receiver_cpu)?;
        let wall = self
            .facts
            .iter()
            .fold(Nanos::ZERO, |sum, facts| sum + (facts.end - facts.start));
        if share < RECEIVER_CPU_SHARE_MAX || wall < SATURATION_SPAN_MIN {
            return None;
        }
        invalid(
            "receiver_saturated",
            format!(
                "The receiving thread used {} of a processor (limit {}): the client was the \
                 bottleneck. Spread the load over several clients, or lower it.",
                percent(share),
                percent(RECEIVER_CPU_SHARE_MAX)
            ),
        )
    }

    fn facts_missing(&self) -> Finding {
        let missing = self.summary.runs as usize - self.facts.len();
        if missing == 0 {
            return None;
        }
        suspect(
            "facts_missing",
            format!(
                "{missing} of {} runs left no account of how the client fared, as a run does that \
                 was killed; what they planned and whether the client kept up is not known.",
                self.summary.runs
            ),
        )
    }
}
