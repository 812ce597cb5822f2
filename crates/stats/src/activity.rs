//! Requests in flight over the time of one run.

use std::collections::BTreeMap;
use trace::{Nanos, Pacing, Record};

/// When requests began and ended, each in ascending order. Failed ones were in flight too.
pub(crate) struct Activity {
    issued: Vec<Nanos>,
    done: Vec<Nanos>,
    /// The last release of what goes on with no conversation.
    last_begun: Nanos,
}

/// Where the number in flight crossed a level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Crossings {
    /// It was first at the level.
    pub(crate) reached: Nanos,
    /// It last fell below the level.
    pub(crate) left: Nanos,
}

impl Activity {
    /// Of the requests of one run, each from its release to its `end`; `None` where there are none. A closed loop holds
    /// conversations: one is in flight from its first request to the end of its last answer, thoughts included.
    pub(crate) fn of(
        pacing: Pacing,
        records: &[&Record],
        end: fn(&Record) -> Nanos,
    ) -> Option<Self> {
        // A request that ended before it began would be in flight a negative number of times.
        let (mut issued, mut done): (Vec<Nanos>, Vec<Nanos>) = match pacing {
            Pacing::Closed { .. } => conversation_spans(records, end).into_iter().unzip(),
            Pacing::Burst { .. } | Pacing::Open { .. } => records
                .iter()
                .map(|record| (record.issued, end(record).max(record.issued)))
                .unzip(),
        };
        issued.sort_unstable();
        done.sort_unstable();
        let begun = records.iter().filter(|record| record.begins());
        let last = begun.map(|record| record.issued).max();
        Some(Self {
            last_begun: last.or(issued.last().copied())?,
            issued,
            done,
        })
    }

    /// The release of the first request.
    pub(crate) fn start(&self) -> Nanos {
        self.issued[0]
    }

    /// The last release of a request that goes on with no conversation.
    pub(crate) fn last_issued(&self) -> Nanos {
        self.last_begun
    }

    /// The end of the last request.
    pub(crate) fn end(&self) -> Nanos {
        self.done[self.done.len() - 1]
    }

    /// Time-averaged requests in flight between two moments; `None` where they are one.
    pub(crate) fn average(&self, from: Nanos, to: Nanos) -> Option<f64> {
        // The sum of each request's time within the window, taken apart into ends and beginnings.
        let within = |at: &Nanos| ((*at).clamp(from, to) - from).seconds();
        let busy: f64 =
            self.done.iter().map(within).sum::<f64>() - self.issued.iter().map(within).sum::<f64>();
        (to > from).then(|| busy / (to - from).seconds())
    }

    /// The most requests in flight at any moment.
    pub(crate) fn peak(&self) -> u32 {
        let mut peak = 0;
        self.sweep(|_, _, after| peak = peak.max(after));
        u32::try_from(peak).unwrap_or(u32::MAX)
    }

    /// Where the number in flight first reached `level` and last left it; `None` if it never did.
    pub(crate) fn crossings(&self, level: usize) -> Option<Crossings> {
        let level = i64::try_from(level.max(1)).unwrap_or(i64::MAX);
        let (mut reached, mut left) = (None, None);
        self.sweep(|at, before, after| {
            if after >= level {
                reached = reached.or(Some(at));
            } else if before >= level {
                left = Some(at);
            }
        });
        reached
            .zip(left)
            .map(|(reached, left)| Crossings { reached, left })
    }

    /// Visits every change: its moment, and the number in flight before and after. At equal
    /// moments ends come first, so that a slot handed on at once is not counted twice.
    fn sweep(&self, mut visit: impl FnMut(Nanos, i64, i64)) {
        let (mut issued, mut done) = (self.issued.iter().peekable(), self.done.iter().peekable());
        let mut active = 0;
        while let Some(&&end) = done.peek() {
            let (at, after) = if let Some(&begin) = issued.next_if(|&&begin| begin < end) {
                (begin, active + 1)
            } else {
                done.next();
                (end, active - 1)
            };
            visit(at, active, after);
            active = after;
        }
    }
}

/// When each conversation began and ended; requests that stand alone are conversations of one turn.
fn conversation_spans(records: &[&Record], end: fn(&Record) -> Nanos) -> Vec<(Nanos, Nanos)> {
    let mut held: BTreeMap<u64, (Nanos, Nanos)> = BTreeMap::new();
    for record in records {
        let key = record.turn.map_or(record.id, |turn| turn.session);
        let done = end(record).max(record.issued);
        let span = held.entry(key).or_insert((record.issued, done));
        *span = (span.0.min(record.issued), span.1.max(done));
    }
    held.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::{Activity, Crossings};
    use trace::Nanos;

    fn activity(spans: &[(u64, u64)]) -> Activity {
        let mut issued: Vec<Nanos> = spans.iter().map(|span| Nanos(span.0)).collect();
        let mut done: Vec<Nanos> = spans.iter().map(|span| Nanos(span.1)).collect();
        issued.sort_unstable();
        done.sort_unstable();
        Activity {
            last_begun: Nanos(0),
            issued,
            done,
        }
    }

    #[test]
    fn a_slot_handed_on_at_once_is_not_counted_twice() {
        assert_eq!(activity(&[(0, 10), (10, 20), (20, 30)]).peak(), 1);
        assert_eq!(activity(&[(0, 10), (9, 20), (20, 30)]).peak(), 2);
    }

    #[test]
    fn the_average_weighs_by_time_and_by_window() {
        let two = activity(&[(0, 10), (0, 30)]);
        assert_eq!(two.average(Nanos(0), Nanos(40)), Some(1.0));
        assert_eq!(two.average(Nanos(0), Nanos(10)), Some(2.0));
        assert_eq!(two.average(Nanos(10), Nanos(30)), Some(1.0));
        assert_eq!(two.average(Nanos(10), Nanos(10)), None);
    }

    #[test]
    fn crossings_are_the_first_reach_and_the_last_leave() {
        let run = activity(&[(0, 20), (5, 10), (12, 18), (15, 40)]);
        let crossings = Crossings {
            reached: Nanos(5),
            left: Nanos(20),
        };
        assert_eq!(run.crossings(2), Some(crossings));
        assert_eq!(run.crossings(4), None);
    }
}
