//! Records to a summary.

use crate::classes::Objectives;
use crate::point::summarize_point;
use crate::run::Run;
use crate::{Grade, PointSummary, Reason, Summary, Verdict};
use std::collections::BTreeMap;
use trace::{Record, RunFacts, RunHeader, RunId, SavedRun};

/// Every number of an invocation, from what was known before (`header`), after each run (`facts`)
/// and of each request (`records`, in any order).
///
/// Warm-up runs enter nothing, nor do records of a point that the header does not name. A point that
/// was never measured, because the invocation was stopped before, is left out.
pub fn summarize(header: &RunHeader, facts: &[RunFacts], records: &[Record]) -> Summary {
    let mut runs: BTreeMap<RunId, Run> = BTreeMap::new();
    let empty = || Run {
        records: Vec::new(),
        facts: None,
    };
    for record in records.iter().filter(|record| !record.run.warmup) {
        runs.entry(record.run)
            .or_insert_with(empty)
            .records
            .push(record);
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
        .zip(&by_point)
        .filter(|(_, runs)| !runs.is_empty())
        .map(|(point, runs)| summarize_point(point, header, objectives, runs))
        .collect();
    Summary {
        schema_version: header.schema_version,
        metadata: header.metadata.clone(),
        verdict: overall(&points),
        points,
        assertions: Vec::new(),
        precision: Vec::new(),
        certificate: None,
    }
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
