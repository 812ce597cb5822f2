//! Runs and records, built from milliseconds.

use stats::{Grade, Summary, summarize};
use trace::{
    Arrival, Event, EventKind, Nanos, Outcome, Pacing, PointInfo, Record, RunFacts, RunHeader,
    RunId, StampSource, Usage,
};

pub(crate) fn ms(millis: u64) -> Nanos {
    Nanos::from_millis(millis)
}

/// A complete stream: issued, then a token event at each of `tokens`, then `[DONE]` at the last.
pub(crate) fn stream(id: u64, issued: u64, tokens: &[u64]) -> Record {
    let done = ms(tokens.last().copied().unwrap_or(issued));
    let events = (0..)
        .zip(tokens)
        .map(|(read, &at)| token(ms(at), read))
        .collect();
    Record {
        connected: Some(ms(issued)),
        sent: Some(ms(issued)),
        first_byte: tokens.first().map(|&at| ms(at)),
        done,
        done_read: done,
        stream: true,
        events,
        usage: Some(Usage {
            prompt_tokens: Some(100),
            completion_tokens: Some(tokens.len() as u64),
            ..Usage::default()
        }),
        finish_reason: Some("stop".to_owned()),
        outcome: Outcome::Complete,
        status: Some(200),
        ..Record::begun(RunId::default(), id, ms(issued))
    }
}

/// A content event that arrived and was read at `at`.
pub(crate) fn token(at: Nanos, read_index: u32) -> Event {
    Event {
        kind: EventKind::Content,
        arrived: at,
        read: at,
        read_index,
        text_bytes: 4,
        tokens: None,
        choice: 0,
    }
}

/// `count` token times, `gap` apart, from `first` on.
pub(crate) fn every(first: u64, gap: u64, count: u64) -> Vec<u64> {
    (0..count).map(|n| first + n * gap).collect()
}

/// A request that failed, in flight from `issued` to `done`.
pub(crate) fn failure(id: u64, issued: u64, done: u64, outcome: Outcome) -> Record {
    Record {
        done: ms(done),
        done_read: ms(done),
        outcome,
        usage: None,
        status: None,
        ..stream(id, issued, &[])
    }
}

/// A run with its facts: `records` in any order, at one point.
#[derive(Clone)]
pub(crate) struct Setting {
    pub(crate) header: RunHeader,
    pub(crate) facts: Vec<RunFacts>,
    pub(crate) records: Vec<Record>,
}

impl Setting {
    pub(crate) fn new(pacing: Pacing, records: Vec<Record>) -> Self {
        let end = records
            .iter()
            .map(|record| record.done)
            .max()
            .unwrap_or_default();
        let header = RunHeader {
            schema_version: trace::SCHEMA_VERSION,
            invocation: 7,
            metadata: serde_json::Map::new(),
            points: vec![PointInfo {
                key: "8".to_owned(),
                pacing,
            }],
            slo: None,
            classes: Vec::new(),
            asked: None,
            subject: None,
        };
        let start = records.iter().map(|record| record.issued).min();
        let facts = RunFacts::new(
            RunId::default(),
            start.unwrap_or_default(),
            end,
            records.len() as u64,
            StampSource::Kernel,
        );
        Self {
            header,
            facts: vec![facts],
            records,
        }
    }

    /// The same with changed facts.
    pub(crate) fn facts(mut self, change: impl FnOnce(&mut RunFacts)) -> Self {
        change(&mut self.facts[0]);
        self
    }

    /// The same with every record changed.
    pub(crate) fn each(mut self, change: impl FnMut(&mut Record)) -> Self {
        self.records.iter_mut().for_each(change);
        self
    }

    /// The same with every event changed.
    pub(crate) fn events(self, change: impl Fn(&mut Event)) -> Self {
        self.each(|record| record.events.iter_mut().for_each(&change))
    }

    pub(crate) fn summarize(&self) -> Summary {
        summarize(&self.header, &self.facts, &self.records)
    }

    /// The codes of its verdict.
    pub(crate) fn codes(&self) -> Vec<String> {
        let verdict = self.summarize().verdict;
        verdict
            .reasons
            .into_iter()
            .map(|reason| reason.code)
            .collect()
    }
}

pub(crate) fn burst(size: u32) -> Pacing {
    Pacing::Burst { size }
}

pub(crate) fn closed(concurrency: u32) -> Pacing {
    Pacing::Closed { concurrency }
}

pub(crate) fn open(rate: f64) -> Pacing {
    Pacing::Open {
        arrival: Arrival::Constant { rate },
        max_concurrency: None,
    }
}

/// A closed loop without a fault: `slots` in flight for `rounds`, each request 20 tokens 10 ms
/// apart after a first token at 60 ms, so 250 ms.
pub(crate) fn closed_loop(slots: u64, rounds: u64) -> Setting {
    let request = |n: u64| {
        let issued = n / slots * 250;
        stream(n, issued, &every(issued + 60, 10, 20))
    };
    let concurrency = u32::try_from(slots).expect("a small number");
    Setting::new(
        closed(concurrency),
        (0..slots * rounds).map(request).collect(),
    )
}

/// An open loop without a fault: the same requests, one every 100 ms.
pub(crate) fn open_loop(count: u64) -> Setting {
    let request = |n: u64| stream(n, n * 100, &every(n * 100 + 60, 10, 20));
    Setting::new(open(10.0), (0..count).map(request).collect())
}

/// The verdict on it has that reason, with that grade, in a whole sentence.
#[track_caller]
pub(crate) fn gives(setting: &Setting, grade: Grade, code: &str) {
    let verdict = setting.summarize().verdict;
    let reason = verdict.reasons.iter().find(|reason| reason.code == code);
    let reason = reason.unwrap_or_else(|| panic!("no {code} in {:?}", verdict.reasons));
    assert_eq!((reason.grade, reason.point.as_deref()), (grade, Some("8")));
    assert!(verdict.grade >= grade);
    let sentence = &reason.sentence;
    assert!(
        sentence.ends_with('.') && sentence.contains(|c: char| c.is_ascii_digit()),
        "{sentence}"
    );
    assert!(!sentence.contains("  "), "{sentence}");
}

/// It is worth a word, and changes the numbers by too little to speak against them.
#[track_caller]
pub(crate) fn notes(setting: &Setting, code: &str) {
    let verdict = setting.summarize().verdict;
    assert_eq!((verdict.grade, verdict.reasons), (Grade::Valid, Vec::new()));
    let fact = verdict.facts.iter().find(|fact| fact.code == code);
    let fact = fact.unwrap_or_else(|| panic!("no {code} in {:?}", verdict.facts));
    assert!(
        !fact.bounds.is_empty() && fact.sentence.contains("can be off by"),
        "{fact:?}"
    );
}

/// Nothing speaks against it.
#[track_caller]
pub(crate) fn is_valid(setting: &Setting) {
    let verdict = setting.summarize().verdict;
    assert_eq!((verdict.grade, verdict.reasons), (Grade::Valid, Vec::new()));
}
