//! How the arrival stamps fared: the client's own lag, and reads that held several tokens.

use crate::{Distribution, Disturbed, Receipt};
use trace::{Event, Nanos, Record, RunFacts, StampSource};

/// What complete responses tell about their receipt.
#[derive(Default)]
pub(crate) struct ReceiptTally {
    /// User-space stamp − arrival stamp, in milliseconds, of each read that a latency rests on:
    /// those that held a token event, or the last one of a response that is no stream.
    lag_ms: Vec<f64>,
    token_events: u64,
    coalesced: u64,
    width_ms: f64,
    wide_reads: u64,
}

impl ReceiptTally {
    /// Adds one complete response.
    pub(crate) fn add(&mut self, record: &Record) {
        if !record.stream {
            self.lag_ms.push((record.done_read - record.done).millis());
        }
        let mut previous_read = record.first_byte;
        for read in record.events.chunk_by(|a, b| a.read_index == b.read_index) {
            self.add_read(read, previous_read);
            previous_read = read.last().map(|event| event.arrived);
        }
    }

    /// Tokens of different choices belong together in one read; of one choice they are coalesced.
    fn add_read(&mut self, read: &[Event], previous_read: Option<Nanos>) {
        let mut choices = Vec::new();
        let (mut tokens, mut coalesced) = (0, 0);
        for event in read.iter().filter(|event| event.kind.is_token()) {
            tokens += 1;
            if choices.contains(&event.choice) {
                coalesced += 1;
            } else {
                choices.push(event.choice);
            }
        }
        if tokens == 0 {
            return;
        }
        self.token_events += tokens;
        self.coalesced += coalesced;
        self.lag_ms.push((read[0].read - read[0].arrived).millis());
        // The first byte may belong to this very read: then nothing is known of the one before.
        if coalesced > 0
            && let Some(previous) = previous_read.filter(|&at| at < read[0].arrived)
        {
            self.width_ms += (read[0].arrived - previous).millis();
            self.wide_reads += 1;
        }
    }

    /// With the facts of the runs that left some.
    pub(crate) fn finish(self, facts: &[&RunFacts]) -> Receipt {
        let stamps = worst_stamps(facts);
        // User-space stamps that equal the arrival say only that the kernel's were not to be had.
        let measured = matches!(stamps, Some(StampSource::Kernel | StampSource::Virtual))
            || self.lag_ms.iter().any(|&lag| lag > 0.0);
        let share = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
        Receipt {
            stamps,
            client_lag: measured.then(|| Distribution::of(self.lag_ms)).flatten(),
            coalesced_share: share(self.coalesced, self.token_events),
            coalesced_width: (self.wide_reads > 0).then(|| self.width_ms / self.wide_reads as f64),
            client_cpu_share: share_of_wall(facts, |facts| facts.instrument.cpu),
            disturbed: Disturbed::of(facts),
        }
    }
}

/// The least exact source among the runs.
fn worst_stamps(facts: &[&RunFacts]) -> Option<StampSource> {
    facts
        .iter()
        .map(|facts| facts.stamps)
        .max_by_key(|stamps| match stamps {
            StampSource::Virtual => 0,
            StampSource::Kernel => 1,
            StampSource::User => 2,
        })
}

/// A CPU time ÷ the time it was watched for, over the runs in which it was measured.
pub(crate) fn share_of_wall(
    facts: &[&RunFacts],
    time: impl Fn(&RunFacts) -> Option<Nanos>,
) -> Option<f64> {
    let (mut spent, mut wall) = (0.0, 0.0);
    for facts in facts {
        if let Some(time) = time(facts) {
            spent += time.seconds();
            let watched = facts.instrument.watched;
            wall += watched.unwrap_or(facts.end - facts.start).seconds();
        }
    }
    (wall > 0.0).then(|| spent / wall)
}
