//! A client whose lateness is known, before a server whose times are known: no number is farther off than is said.

use crate::builder::{Setting, closed, every, ms, stream};
use proptest::prelude::*;
use stats::Bound;
use trace::{Nanos, StampSource};

/// First token, gap and tokens of every answer.
const TTFT_MS: u64 = 60;
const GAP_MS: u64 = 10;
const TOKENS: u64 = 20;
const ANSWER_MS: u64 = TTFT_MS + GAP_MS * (TOKENS - 1);

/// How late the client is with a request, in microseconds: in sending it, and in reading its answer.
type Late = (u64, u64);

/// So many slots, each of which goes on when it has read the answer before.
fn closed_loop(slots: u64, late: &[Late], stamps: StampSource) -> Setting {
    let mut records = Vec::new();
    for slot in 0..slots {
        let mut free = Nanos(0);
        for (round, &(sending, reading)) in (0..).zip(late) {
            let at = |millis: u64| free + Nanos(sending * 1_000) + ms(millis);
            let mut record = stream(round * slots + slot, 0, &every(TTFT_MS, GAP_MS, TOKENS));
            record.issued = free;
            record.due = free;
            record.connected = Some(free);
            record.sent = Some(at(0));
            let lag = Nanos(reading * 1_000);
            for event in &mut record.events {
                let arrived = at(0) + event.arrived;
                event.read = arrived + lag;
                // In user space it is stamped when it is read.
                event.arrived = match stamps {
                    StampSource::User => event.read,
                    _ => arrived,
                };
            }
            record.done = record.events.last().expect("tokens").arrived;
            record.done_read = at(ANSWER_MS) + lag;
            free = record.done_read;
            records.push(record);
        }
    }
    let concurrency = u32::try_from(slots).expect("few");
    let late_ms = |part: fn(&Late) -> u64| late.iter().map(part).max().unwrap_or(0);
    Setting::new(closed(concurrency), records).facts(|facts| {
        facts.stamps = stamps;
        // It is looked into, and timers were as late as the worst of all.
        let worst = Nanos(1_000 * late_ms(|late| late.0.max(late.1)));
        facts.instrument.canary_late_p50 = Some(worst);
        facts.instrument.canary_late_p99 = Some(worst.max(ms(50)));
    })
}

fn bounds(setting: &Setting) -> Vec<Bound> {
    let verdict = setting.summarize().verdict;
    let all = verdict.reasons.into_iter().chain(verdict.facts);
    let mut timers = all.filter(|reason| reason.code == "timer_late");
    timers.next().expect("late timers").bounds
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_number_is_farther_off_than_its_bound(
        slots in 1u64..5,
        late in prop::collection::vec((0u64..9_000, 0u64..9_000), 25..60),
        by_kernel in any::<bool>(),
    ) {
        let stamps = if by_kernel { StampSource::Kernel } else { StampSource::User };
        let setting = closed_loop(slots, &late, stamps);
        let point = setting.summarize().points.remove(0);
        let bounds = bounds(&setting);
        let bound = |number: &str| {
            let bound = bounds.iter().find(|bound| bound.number == number);
            bound.expect("a bound").absolute
        };
        let ttft = point.latency.ttft.expect("latencies");
        let e2e = point.latency.e2e.expect("latencies");
        for (number, value, truth) in [
            ("ttft.p50", ttft.p50.value, TTFT_MS),
            ("ttft.p99", ttft.p99.value, TTFT_MS),
            ("e2e.p50", e2e.p50.value, ANSWER_MS),
            ("e2e.p99", e2e.p99.value, ANSWER_MS),
        ] {
            let off = (value - truth as f64).abs();
            prop_assert!(off <= bound(number) + 1e-6, "{number}: {off} of {}", bound(number));
        }
        // Without lateness every slot gives an answer in that time, and the rate is that of all of them.
        let rate = point.throughput.output_tokens_per_second.expect("tokens").mean;
        let truth = (slots * TOKENS) as f64 / ms(ANSWER_MS).seconds();
        let off = (truth - rate).abs();
        let most = bound("output_tokens_per_second");
        prop_assert!(off <= most + 1e-6, "{off} tokens/s of {most}: {rate} for {truth}");
    }
}
