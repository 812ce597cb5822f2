//! Why the numbers of a gateway benchmark may not be what they seem.

use super::added_lines::estimate;
use super::phases::{Arm, Phase};
use super::results::Results;
use super::usage::Usage;
use super::way::{Kind, Side};
use stats::{Grade, Reason, Told};
use trace::{Outcome, Record, ResponseFacts, RunFacts};

/// More of a processor than this, and the client or the mock may be what is measured.
const SHARE_MAX: f64 = 0.7;

/// Everything that is to be said of them.
pub(super) fn reasons(results: &Results, facts: &[RunFacts], records: &[Record]) -> Vec<Reason> {
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
    reasons.extend(attempts(records));
    reasons.extend(connections(facts));
    for (phase, usage) in &results.usage {
        reasons.extend(
            bound(*phase, usage)
                .map(|(grade, sentence)| reason(grade, "instrument_bound", sentence)),
        );
    }
    reasons
}

/// Answers to which the gateway says that it came in several attempts.
fn attempts(records: &[Record]) -> Vec<Reason> {
    let told = |times: fn(&ResponseFacts) -> Option<u32>| {
        let of = |record: &Record| times(record.response.as_deref()?).filter(|times| *times > 0);
        let times: Vec<u32> = records.iter().filter_map(of).collect();
        let all: u64 = times.iter().map(|times| u64::from(*times)).sum();
        (!times.is_empty()).then_some((times.len(), all))
    };
    let retried = told(|response| response.retries).map(|(requests, times)| {
        let sentence = format!(
            "The gateway says that it tried {requests} of {} requests again, {times} times in all: what it adds to them is \
             the time of several attempts",
            records.len()
        );
        Reason::new(Grade::Suspect, "gateway_retries", None, sentence)
    });
    let fell_back = told(|response| response.fallbacks).map(|(requests, _)| {
        let sentence = format!(
            "The gateway says that it gave {requests} of {} requests to another model than the one asked for: what it adds \
             is compared with another model's answers",
            records.len()
        );
        Reason::new(Grade::Suspect, "gateway_fallbacks", None, sentence)
    });
    retried.into_iter().chain(fell_back).collect()
}

/// A side that closes connections after an answer: true of the gateway, but not of what it does with a request.
fn connections(facts: &[RunFacts]) -> Vec<Reason> {
    let sides = [
        (
            "gateway",
            [
                Phase::ThroughClosed,
                Phase::ThroughStreams,
                Phase::Rate(Side::Through),
            ],
            Arm::Through,
        ),
        (
            "provider",
            [
                Phase::DirectClosed,
                Phase::DirectStreams,
                Phase::Rate(Side::Direct),
            ],
            Arm::Direct,
        ),
    ];
    let closes = sides.into_iter().filter(|(_, phases, arm)| {
        let turns = [Kind::Whole, Kind::Stream].map(|kind| Phase::Turn(kind, *arm));
        let is_of = |point| {
            phases
                .iter()
                .chain(&turns)
                .any(|phase| phase.point() == point)
        };
        let mut of_side = facts.iter().filter(|facts| is_of(facts.run.point));
        of_side.any(|facts| facts.reuse_ended)
    });
    let fact = closes.map(|(who, ..)| {
        let sentence = format!(
            "The {who} closes connections right after an answer, so that each request opens one: that is part of what was \
             measured. --no-keep-alive does the same on both ways"
        );
        Reason::new(Grade::Valid, "reuse_ended", None, sentence)
    });
    fact.collect()
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

#[cfg(test)]
mod tests {
    use super::{attempts, connections};
    use crate::experiment::gateway::phases::{Arm, Phase};
    use crate::experiment::gateway::way::Kind;
    use stats::{Grade, Reason};
    use trace::{Nanos, Record, ResponseFacts, RunFacts, RunId, StampSource};

    fn codes(reasons: &[Reason]) -> Vec<(&str, Grade)> {
        let codes = reasons
            .iter()
            .map(|reason| (reason.code.as_str(), reason.grade));
        codes.collect()
    }

    fn record() -> Record {
        Record::begun(RunId::default(), 0, Nanos(0))
    }

    #[test]
    fn attempts_that_the_gateway_tells_of_are_counted() {
        let told = |retries, fallbacks| Record {
            response: Some(Box::new(ResponseFacts {
                retries,
                fallbacks,
                ..ResponseFacts::default()
            })),
            ..record()
        };
        assert_eq!(attempts(&[told(Some(0), Some(0)), told(None, None)]), []);
        assert_eq!(attempts(&[record()]), []);
        let several = attempts(&[told(Some(2), Some(0)), told(Some(1), Some(1))]);
        let expected = [
            ("gateway_retries", Grade::Suspect),
            ("gateway_fallbacks", Grade::Suspect),
        ];
        assert_eq!(codes(&several), expected);
        assert!(
            several[0]
                .sentence
                .contains("2 of 2 requests again, 3 times")
        );
        assert!(several[1].sentence.contains("1 of 2 requests to another"));
    }

    #[test]
    fn who_closes_its_connections_is_a_fact_about_that_side() {
        let facts = |phase: Phase, reuse_ended| RunFacts {
            reuse_ended,
            ..RunFacts::new(
                phase.run(0, false),
                Nanos::ZERO,
                Nanos(1),
                1,
                StampSource::User,
            )
        };
        let through = Phase::Turn(Kind::Whole, Arm::Through);
        assert_eq!(connections(&[facts(through, false)]), []);
        let gateway = connections(&[facts(Phase::DirectClosed, false), facts(through, true)]);
        assert_eq!(codes(&gateway), [("reuse_ended", Grade::Valid)]);
        assert!(gateway[0].sentence.starts_with("The gateway closes"));
        let provider = connections(&[facts(Phase::DirectStreams, true)]);
        assert!(provider[0].sentence.starts_with("The provider closes"));
    }
}
