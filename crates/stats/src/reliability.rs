//! How requests ended.

use crate::{FailureCount, Reliability};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use trace::{Outcome, Record};

/// The words by which Linux, macOS and Rust report that descriptors or local ports ran out
/// (`EMFILE`, `ENFILE`, `EADDRNOTAVAIL`).
const EXHAUSTION_WORDS: [&str; 4] = [
    "too many open files",
    "no file descriptors available",
    "address not available",
    "assign requested address",
];

/// Outcomes, counted.
#[derive(Default)]
pub(crate) struct OutcomeTally<'a> {
    issued: u64,
    complete: u64,
    cancelled: u64,
    complete_without_tokens: u64,
    reissued: u64,
    /// By outcome and, for HTTP, status.
    failures: BTreeMap<(Outcome, Option<u16>), Failures<'a>>,
    exhausted: u64,
}

/// Failures of one kind.
#[derive(Default)]
struct Failures<'a> {
    count: u64,
    example: Option<&'a str>,
}

impl<'a> OutcomeTally<'a> {
    /// Adds one request.
    pub(crate) fn add(&mut self, record: &'a Record) {
        self.issued += 1;
        self.reissued += u64::from(record.reissued.is_some());
        match record.outcome {
            Outcome::Complete => {
                self.complete += 1;
                let tokens = record.events.iter().any(|event| event.kind.is_token());
                self.complete_without_tokens += u64::from(record.stream && !tokens);
            }
            Outcome::Cancelled => self.cancelled += 1,
            failure => self.add_failure(failure, record),
        }
    }

    fn add_failure(&mut self, outcome: Outcome, record: &'a Record) {
        let status = record.status.filter(|_| outcome == Outcome::Http);
        let detail = record.detail.as_deref();
        let failures = self.failures.entry((outcome, status)).or_default();
        failures.count += 1;
        failures.example = failures.example.or(detail);
        self.exhausted += u64::from(outcome == Outcome::Connect && detail.is_some_and(exhausts));
    }

    /// Requests that found no file descriptor or local port left.
    pub(crate) fn exhausted(&self) -> u64 {
        self.exhausted
    }

    /// With the number of requests the plans held.
    pub(crate) fn finish(self, planned: u64) -> Reliability {
        let mut failures: Vec<FailureCount> = self
            .failures
            .into_iter()
            .map(|((outcome, status), failures)| FailureCount {
                kind: match status {
                    Some(status) => format!("{}_{status}", outcome.name()),
                    None => outcome.name().to_owned(),
                },
                count: failures.count,
                example: failures.example.map(str::to_owned),
            })
            .collect();
        failures.sort_by_key(|failure| Reverse(failure.count));
        let failed = failures.iter().map(|failure| failure.count).sum();
        debug_assert_eq!(self.issued, self.complete + failed + self.cancelled);
        Reliability {
            planned,
            issued: self.issued,
            complete: self.complete,
            failed,
            cancelled: self.cancelled,
            success_rate: (self.issued > 0).then(|| self.complete as f64 / self.issued as f64),
            failures,
            complete_without_tokens: self.complete_without_tokens,
            reissued: self.reissued,
            reuse_ended: false,
        }
    }
}

fn exhausts(detail: &str) -> bool {
    let detail = detail.to_ascii_lowercase();
    EXHAUSTION_WORDS.iter().any(|words| detail.contains(words))
}
