//! Records to a summary.

use crate::classes::Objectives;
use crate::judge::{FaultTally, Judge};
use crate::point::summarize_point;
use crate::run::Run;
use crate::{Grade, PointSummary, Reason, Summary, Verdict};
use std::borrow::Cow;
use std::collections::BTreeMap;
use trace::{Record, RunFacts, RunHeader, RunId, SavedRun};

/// Every number of an invocation, from what was known before (`header`), after each run (`facts`)
/// and of each request (`records`, in any order).
///
/// Warm-up runs enter nothing, nor do records of a point that the header does not name. A point that
/// was never measured, because the invocation was stopped before, is left out.
pub fn summarize(header: &RunHeader, facts: &[RunFacts], records: &[Record]) -> Summary {
    let judge = Judge::new(header);
    let (changed, faults) = judged(judge, header, records);
    let mut runs: BTreeMap<RunId, Run> = BTreeMap::new();
    let empty = || Run {
        records: Vec::new(),
        facts: None,
    };
    for (record, changed) in records.iter().zip(&changed) {
        if record.run.warmup {
            continue;
        }
        let run = runs.entry(record.run).or_insert_with(empty);
        run.records.push(changed.as_deref().unwrap_or(record));
    }
    for facts in facts.iter().filter(|facts| !facts.run.warmup) {
        runs.entry(facts.run).or_insert_with(empty).facts = Some(facts);
    }
    let mut by_point: Vec<Vec<Run>> = header.points.iter().map(|_| Vec::new()).collect();
    for (id, mut run) in runs {
        run.records
            .sort_unstable_by_key(|record| (record.issued, record.id));
        if let Some(runs) = by_point.get_mut(id.point as usize) {
            runs.push(run);
        }
    }
    let objectives = Objectives::new(header.slo, &header.classes);
    let points: Vec<PointSummary> = header
        .points
        .iter()
        .zip(by_point.iter().zip(&faults))
        .filter(|(_, (runs, _))| !runs.is_empty())
        .map(|(point, (runs, faults))| summarize_point(point, header, objectives, runs, faults))
        .collect();
    Summary {
        schema_version: header.schema_version,
        metadata: header.metadata.clone(),
        subject: header.subject(),
        verdict: overall(&points),
        points,
        assertions: Vec::new(),
        precision: Vec::new(),
        certificate: None,
    }
}

/// Each record as numbers may be made of it, where that is otherwise than it came, and what single answers of each point
/// have wrong with them.
fn judged(
    judge: Judge<'_>,
    header: &RunHeader,
    records: &[Record],
) -> (Vec<Option<Box<Record>>>, Vec<FaultTally>) {
    let mut faults: Vec<FaultTally> = Vec::new();
    faults.resize_with(header.points.len(), FaultTally::default);
    let told = |record: &&Record| {
        let usage = record.usage.unwrap_or_default();
        record.outcome.is_complete() && usage.prompt_tokens.is_some()
    };
    // What the server knew before the first request of all is the same for every point.
    if let Some(first) = records
        .iter()
        .filter(told)
        .min_by_key(|record| record.issued)
    {
        for tally in &mut faults {
            tally.cache.look(first);
        }
    }
    let changed = records.iter().map(|record| {
        if record.run.warmup {
            return None;
        }
        let settled = judge.settle(record);
        if let Some(tally) = faults.get_mut(record.run.point as usize) {
            tally.add(judge, record, &settled);
        }
        match settled {
            Cow::Borrowed(_) => None,
            Cow::Owned(record) => Some(Box::new(record)),
        }
    });
    (changed.collect(), faults)
}

/// Every number of a run read back from its file.
pub fn summarize_saved(run: &SavedRun) -> Summary {
    summarize(&run.header, &run.facts, &run.records)
}

/// The points' reasons together.
fn overall(points: &[PointSummary]) -> Verdict {
    if points.is_empty() {
        let nothing =
            "No run was measured, so there are no numbers; let at least one run go to its end.";
        let reason = Reason::new(Grade::Invalid, "nothing_measured", None, nothing);
        return Verdict::of(vec![reason]);
    }
    Verdict::of(
        points
            .iter()
            .flat_map(|point| point.verdict.all().cloned())
            .collect(),
    )
}
