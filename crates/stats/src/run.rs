//! The numbers of one run.

use crate::RequestMetrics;
use crate::activity::Activity;
use crate::bursts::{batch_size, batches};
use crate::steady::SteadyRun;
use trace::{Nanos, Pacing, Record, RunFacts};

/// One measured run: its records in the order of release, and what it left beside them.
pub(crate) struct Run<'a> {
    /// Ascending by `issued`.
    pub(crate) records: Vec<&'a Record>,
    /// Absent where the run was killed.
    pub(crate) facts: Option<&'a RunFacts>,
}

/// What one run measured.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RunMetrics {
    /// Requests released.
    pub(crate) issued: u64,
    /// Of those, what goes on with no conversation.
    pub(crate) begun: u64,
    /// Whole responses.
    pub(crate) complete: u64,
    /// The first request's release to the last one's end.
    pub(crate) wall_seconds: f64,
    /// The first request's release to the last token event (not streaming: body) of a whole
    /// response; what throughput is divided by. Absent where nothing was answered.
    pub(crate) span_seconds: Option<f64>,
    /// The first whole response: in a burst from its batch's start, otherwise from its release.
    pub(crate) fastest_seconds: Option<f64>,
    /// The last, or slowest, one.
    pub(crate) slowest_seconds: Option<f64>,
    /// Of whole responses; absent where there were none.
    pub(crate) output_tokens: Option<f64>,
    /// Of whole responses; absent where there were none.
    pub(crate) input_tokens: Option<f64>,
    /// Vectors or scores of whole responses; absent where none were asked for.
    pub(crate) answers: Option<f64>,
    /// Mean time from the release of an answered request to its end, or to its last token if that is said to have come
    /// later.
    pub(crate) held_seconds: Option<f64>,
    /// The most requests in flight.
    pub(crate) peak: u32,
    /// Time-averaged requests in flight.
    pub(crate) concurrency: Option<f64>,
    /// The same from when the asked concurrency was first reached to the last release: while
    /// there were requests left to hold it with. Closed loop only.
    pub(crate) held_concurrency: Option<f64>,
    /// The same, counted to when the next request could be sent; absent where that is no later.
    pub(crate) busy_slots: Option<f64>,
    /// From the first release to the last, as it was.
    pub(crate) issued_seconds: f64,
    /// From the first release to the last, as the plan has it.
    pub(crate) due_seconds: f64,
    /// Where the load was at its target.
    pub(crate) steady: Option<SteadyRun>,
}

impl RunMetrics {
    /// The time of throughput; of a run without any answer, the whole run.
    pub(crate) fn seconds(&self) -> f64 {
        self.span_seconds.unwrap_or(self.wall_seconds)
    }

    /// Measures `records`, in the order of release and with their `metrics` beside them; `None`
    /// where there are none.
    pub(crate) fn of(
        pacing: Pacing,
        records: &[&Record],
        metrics: &[Option<RequestMetrics>],
    ) -> Option<Self> {
        debug_assert_eq!(records.len(), metrics.len());
        debug_assert!(records.is_sorted_by_key(|record| record.issued));
        let activity = Activity::of(pacing, records, |record| record.done)?;
        let start = activity.start();
        let whole = || metrics.iter().flatten();
        let durations = || durations(pacing, records);
        let finished = |(record, metrics): (&&Record, &Option<RequestMetrics>)| {
            Some(record.began() + metrics.as_ref()?.e2e?)
        };
        let begun = || records.iter().filter(|record| record.begins());
        let due = || begun().map(|record| record.due);
        let (due_first, due_last) = (due().min().unwrap_or(start), due().max().unwrap_or(start));
        Some(Self {
            issued: records.len() as u64,
            begun: begun().count() as u64,
            complete: whole().count() as u64,
            wall_seconds: (activity.end() - start).seconds(),
            span_seconds: records
                .iter()
                .zip(metrics)
                .filter_map(finished)
                .max()
                .map(|last| (last - start).seconds())
                .filter(|&seconds| seconds > 0.0),
            fastest_seconds: durations().min().map(Nanos::seconds),
            slowest_seconds: durations().max().map(Nanos::seconds),
            output_tokens: total(whole().filter_map(|metrics| metrics.output_tokens)),
            input_tokens: total(whole().filter_map(|metrics| metrics.input_tokens)),
            answers: total(whole().filter_map(|metrics| Some(metrics.vectors?.count.into()))),
            held_seconds: mean(records.iter().zip(metrics).filter_map(|(record, metrics)| {
                let e2e = metrics.as_ref()?.e2e.unwrap_or_default();
                Some((record.done - record.issued).max(e2e).seconds())
            })),
            peak: activity.peak(),
            concurrency: activity.average(start, activity.end()),
            held_concurrency: held_concurrency(pacing, &activity),
            busy_slots: slots_busy(pacing, records),
            issued_seconds: (activity.last_issued() - start).seconds(),
            due_seconds: (due_last - due_first).seconds(),
            steady: SteadyRun::find(pacing, records, metrics, &activity),
        })
    }

    /// The whole run; absent where nothing was answered: refusals take no batch's time.
    pub(crate) fn batch_total_seconds(&self) -> Option<f64> {
        (self.complete > 0).then_some(self.wall_seconds)
    }

    /// Slowest − fastest.
    pub(crate) fn spread_seconds(&self) -> Option<f64> {
        Some(self.slowest_seconds? - self.fastest_seconds?)
    }

    /// Output tokens / the whole run.
    pub(crate) fn batch_tokens_per_second(&self) -> Option<f64> {
        per_second(self.output_tokens, self.batch_total_seconds())
    }

    /// Vectors or scores / the whole run.
    pub(crate) fn batch_answers_per_second(&self) -> Option<f64> {
        per_second(self.answers, self.batch_total_seconds())
    }

    /// Prompt tokens / the whole run.
    pub(crate) fn batch_input_tokens_per_second(&self) -> Option<f64> {
        per_second(self.input_tokens, self.batch_total_seconds())
    }

    /// Output tokens / (last token event − first issued).
    pub(crate) fn output_tokens_per_second(&self) -> Option<f64> {
        per_second(self.output_tokens, self.span_seconds)
    }

    /// Prompt tokens / (last token event − first issued).
    pub(crate) fn input_tokens_per_second(&self) -> Option<f64> {
        per_second(self.input_tokens, self.span_seconds)
    }

    /// Whole responses / (last token event − first issued).
    pub(crate) fn requests_per_second(&self) -> Option<f64> {
        per_second(Some(self.complete as f64), self.span_seconds)
    }

    /// Answers per second of the whole run × the mean time that they were in flight, to the end of their streams: the
    /// concurrency, if both are right (Little, 1961). Conversations hold their place while their users think, and the
    /// law says nothing of them.
    pub(crate) fn littles_law(&self) -> Option<f64> {
        if self.begun < self.issued {
            return None;
        }
        per_second(Some(self.complete as f64), Some(self.wall_seconds))
            .zip(self.held_seconds)
            .map(|(rate, held)| rate * held)
    }
}

/// How long each whole response took to its end. A burst counts from its batch's start, as a
/// caller who waits for the batch sees it; elsewhere each request is a batch of its own.
fn durations(pacing: Pacing, records: &[&Record]) -> impl Iterator<Item = Nanos> {
    batches(batch_size(pacing), records).flat_map(|batch| {
        let start = batch[0].issued;
        let whole = batch.iter().filter(|record| record.outcome.is_complete());
        whole.map(move |record| record.done - start)
    })
}

fn held_concurrency(pacing: Pacing, activity: &Activity) -> Option<f64> {
    let Pacing::Closed { concurrency } = pacing else {
        return None;
    };
    let reached = activity.crossings(concurrency as usize)?.reached;
    activity.average(reached, activity.last_issued())
}

/// The same with the time that a request's place was taken though its answer was over; `None` where none was.
fn slots_busy(pacing: Pacing, records: &[&Record]) -> Option<f64> {
    let some = records.iter().any(|record| record.released.is_some());
    let freed = |record: &Record| record.released.unwrap_or(record.done);
    let activity = some
        .then(|| Activity::of(pacing, records, freed))
        .flatten()?;
    held_concurrency(pacing, &activity)
}

fn per_second(count: Option<f64>, seconds: Option<f64>) -> Option<f64> {
    Some(count? / seconds.filter(|&seconds| seconds > 0.0)?)
}

/// `None` also where every count is 0, as an embedding server's of generated tokens is: what was
/// not produced has no rate.
fn total(counts: impl Iterator<Item = u64>) -> Option<f64> {
    let sum: f64 = counts.map(|count| count as f64).sum();
    (sum > 0.0).then_some(sum)
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, n) = values.fold((0.0, 0.0), |(sum, n), value| (sum + value, n + 1.0));
    (n > 0.0).then(|| sum / n)
}
