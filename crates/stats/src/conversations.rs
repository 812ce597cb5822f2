//! Conversations of several turns: each turn for itself, and each conversation as a whole.

use crate::latency::LatencyPool;
use crate::run::Run;
use crate::tokens::TokenTally;
use crate::traffic::Traffic;
use crate::{Conversations, MeanStd, RequestMetrics, Series, TurnSummary};
use std::collections::BTreeMap;
use trace::{Pacing, Record};

/// The numbers of conversations; `None` where every request stands alone.
pub(crate) fn summarize_conversations(
    pacing: Pacing,
    runs: &[Run],
    cut: u64,
    traffic: &Traffic,
) -> Option<Conversations> {
    let mut tally = Tally::default();
    for (run_index, run) in runs.iter().enumerate() {
        let mut held: BTreeMap<u64, Vec<&Record>> = BTreeMap::new();
        for (index, record) in run.records.iter().enumerate() {
            if let Some(turn) = record.turn {
                let found = traffic.found(run_index, index);
                tally.turn(pacing, turn.number, record, found);
                held.entry(turn.session).or_default().push(record);
            }
        }
        for records in held.values() {
            tally.conversation(records);
        }
    }
    tally.finish(cut, traffic)
}

#[derive(Default)]
struct Tally {
    turns: BTreeMap<u32, TurnTally>,
    lengths: Vec<f64>,
    seconds: Series,
}

struct TurnTally {
    issued: u64,
    complete: u64,
    latencies: LatencyPool,
    tokens: TokenTally,
}

impl TurnTally {
    fn new() -> Self {
        Self {
            issued: 0,
            complete: 0,
            latencies: LatencyPool::in_order(),
            tokens: TokenTally::default(),
        }
    }
}

impl Tally {
    fn turn(&mut self, pacing: Pacing, number: u32, record: &Record, found: u32) {
        let turn = self.turns.entry(number).or_insert_with(TurnTally::new);
        turn.issued += 1;
        let mut metrics = RequestMetrics::from_record(record);
        turn.latencies.begin(found);
        turn.latencies.add(pacing, record, metrics.as_mut());
        if let Some(metrics) = metrics {
            turn.complete += 1;
            turn.tokens.add(&metrics);
        }
    }

    /// One of which every answer is whole has a duration.
    fn conversation(&mut self, records: &[&Record]) {
        self.lengths.push(records.len() as f64);
        let begin = records.iter().map(|record| record.issued).min();
        let end = records.iter().map(|record| record.done).max();
        let whole = records.iter().all(|record| record.outcome.is_complete());
        if let (Some(begin), Some(end), true) = (begin, end, whole) {
            self.seconds.push((end - begin).seconds());
            self.seconds.close();
        }
    }

    fn finish(self, cut: u64, traffic: &Traffic) -> Option<Conversations> {
        let turns = self.turns.into_iter().map(|(number, turn)| {
            let (latency, _) = turn.latencies.finish(traffic);
            TurnSummary {
                number: number + 1,
                issued: turn.issued,
                complete: turn.complete,
                tokens: turn.tokens.finish(),
                ttft: latency.ttft,
                tpot: latency.tpot,
                e2e: latency.e2e,
            }
        });
        Some(Conversations {
            count: self.lengths.len() as u64,
            turns_per_conversation: MeanStd::of(&self.lengths)?,
            seconds: self.seconds.describe(),
            turns_cut: cut,
            turns: turns.collect(),
        })
    }
}
