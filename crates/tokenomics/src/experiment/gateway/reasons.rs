//! Why the numbers of a gateway benchmark may not be what they seem.

use super::added_lines::estimate;
use super::phases::Phase;
use super::results::Results;
use super::sides::Side;
use super::usage::Usage;
use stats::{Grade, Reason, Told};
use trace::{Outcome, Record};

/// More of a processor than this, and the client or the mock may be what is measured.
const SHARE_MAX: f64 = 0.7;

/// Everything that is to be said of them.
pub(super) fn reasons(results: &Results, records: &[Record]) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let reason = |grade, code: &str, sentence: String| Reason::new(grade, code, None, sentence);
    // What we stopped ourselves failed for no fault of theirs.
    let is_failure =
        |record: &&Record| !record.outcome.is_complete() && record.outcome != Outcome::Cancelled;
    let failed: Vec<&Record> = records.iter().filter(is_failure).collect();
    if let Some(first) = failed.first() {
        let words = first.detail.as_deref().unwrap_or("no words");
        reasons.push(reason(
            Grade::Invalid,
            "failures",
            format!(
                "{} of {} requests failed ({}: {words}): what answers wrongly answers at another speed",
                failed.len(),
                records.len(),
                first.outcome.name()
            ),
        ));
    }
    if let Some(whole) = &results.whole {
        let both = [("added", &whole.arrived), ("seen by a client", &whole.read)];
        if let Some((what, added)) = both.into_iter().find(|(_, added)| added.floor_matters()) {
            reasons.push(reason(
                Grade::Suspect,
                "floor_not_zero",
                format!(
                    "The two direct arms differ by {}, where nothing differs, beside {} that are {what}: something here \
                     depends on the order",
                    estimate(added.floor),
                    estimate(added.paired_median)
                ),
            ));
        }
        if whole.arrived.told == Told::Saves {
            reasons.push(reason(
                Grade::Suspect,
                "faster_through",
                "Answers come sooner through the gateway than directly: it may answer from a cache, or the provider \
                 treats the two differently"
                    .to_owned(),
            ));
        }
    }
    for (phase, usage) in &results.usage {
        reasons.extend(
            bound(*phase, usage)
                .map(|(grade, sentence)| reason(grade, "instrument_bound", sentence)),
        );
    }
    reasons
}

/// Where the client or the mock, and not the gateway, may have been what was measured.
fn bound(phase: Phase, usage: &Usage) -> Option<(Grade, String)> {
    let share = |used: std::time::Duration| used.as_secs_f64() / usage.wall.as_secs_f64().max(1e-9);
    let busiest = [("client", Some(usage.client)), ("mock", usage.mock)]
        .into_iter()
        .filter_map(|(who, used)| Some((who, share(used?))))
        .max_by(|a, b| a.1.total_cmp(&b.1))?;
    if busiest.1 <= SHARE_MAX {
        return None;
    }
    let (grade, what) = match phase {
        // Only the gateway's figures are claimed.
        Phase::DirectClosed | Phase::DirectStreams | Phase::Rate(Side::Direct) => return None,
        Phase::ThroughClosed | Phase::ThroughStreams => {
            (Grade::Suspect, "its capacity is at least what is shown")
        }
        Phase::Turn(..) | Phase::Rate(Side::Through) => {
            (Grade::Invalid, "what it adds cannot be told")
        }
    };
    Some((
        grade,
        format!(
            "{}: the {} used {:.0} % of a processor (limit {:.0} %), so it, and not the gateway, may have been the \
             bottleneck: {what}",
            phase.key(),
            busiest.0,
            busiest.1 * 100.0,
            SHARE_MAX * 100.0
        ),
    ))
}
