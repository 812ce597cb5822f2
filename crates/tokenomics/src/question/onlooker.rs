//! Whether a run of a search for a capacity has shown enough before its end.

use crate::measurement::Enough;
use stats::{CapacitySearch, Probe};
use std::sync::{Mutex, MutexGuard, PoisonError};
use trace::{Record, RunHeader};

/// Watches a run at a rate for having shown enough.
pub(super) struct Onlooker {
    search: CapacitySearch,
    rate: f64,
    seen: Mutex<Seen>,
}

struct Seen {
    /// Requests at which it is still to be looked at, once each.
    looks: Vec<usize>,
    /// What was enough.
    found: Option<Probe>,
}

impl Onlooker {
    pub(super) fn new(search: CapacitySearch, rate: f64, requests: usize) -> Self {
        let looks = CapacitySearch::early_looks(requests);
        Self {
            search,
            rate,
            seen: Mutex::new(Seen {
                looks: looks.into(),
                found: None,
            }),
        }
    }

    /// What the search may go on with instead of the whole run.
    pub(super) fn found(&self) -> Option<Probe> {
        self.seen().found
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Enough for Onlooker {
    fn to_look_at(&self, records: &[Record]) -> Option<Vec<Record>> {
        let mut seen = self.seen();
        let due = |back: usize| seen.looks.iter().filter(|&&look| look <= back).count();
        if due(records.len()) == 0 {
            return None;
        }
        let back = all_back(records);
        let due = due(back.len());
        let count = *seen.looks[..due].last()?;
        seen.looks.drain(..due);
        Some(back[..count].iter().map(|&record| record.clone()).collect())
    }

    fn is_enough(&self, header: &RunHeader, records: &[Record]) -> bool {
        let summary = stats::summarize(header, &[], records);
        let probe = summary.points.first();
        let probe = probe.map(|point| Probe::of(self.rate, point));
        let found = probe.filter(|probe| self.search.is_enough(*probe));
        self.seen().found = found;
        found.is_some()
    }
}

/// The records of a measured run up to the first request that is still on its way: later ones that are back already are the
/// fast ones.
fn all_back(records: &[Record]) -> Vec<&Record> {
    let (warmups, mut measured): (Vec<&Record>, Vec<&Record>) =
        records.iter().partition(|record| record.run.warmup);
    measured.sort_unstable_by_key(|record| record.id);
    let back = (warmups.len() as u64..).zip(measured);
    let back = back.take_while(|(id, record)| record.id == *id);
    back.map(|(_, record)| record).collect()
}

#[cfg(test)]
mod tests {
    use super::{Onlooker, all_back};
    use crate::measurement::Enough;
    use stats::{CapacityConfig, CapacitySearch};
    use trace::{Nanos, Record, RunId};

    fn record(id: u64, warmup: bool) -> Record {
        let run = RunId {
            point: 0,
            run: 0,
            warmup,
        };
        Record::begun(run, id, Nanos(id))
    }

    #[test]
    fn what_is_back_behind_a_request_that_is_still_on_its_way_is_not_looked_at() {
        let warmups = [record(1, true), record(0, true)];
        let measured = [5, 2, 3, 6].map(|id| record(id, false));
        let records = [&warmups[..], &measured].concat();
        let back: Vec<u64> = all_back(&records).iter().map(|one| one.id).collect();
        assert_eq!(back, [2, 3]);
    }

    #[test]
    fn a_run_is_looked_at_once_at_each_part_of_it() {
        let search = CapacitySearch::new(CapacityConfig {
            first_rate: 1.0,
            highest_rate: 10.0,
            attain: 0.9,
            resolution: 0.2,
            probes_max: 9,
        });
        let onlooker = Onlooker::new(search, 1.0, 1_600);
        let back = |count: u64| (0..count).map(|id| record(id, false)).collect::<Vec<_>>();
        let looked = |count| {
            onlooker
                .to_look_at(&back(count))
                .map(|records| records.len())
        };
        let seen = [99, 150, 150, 900, 901, 1_600].map(looked);
        assert_eq!(seen, [None, Some(100), None, Some(800), None, None]);
    }
}
