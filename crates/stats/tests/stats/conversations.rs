//! Conversations: each turn for itself, and a concurrency that counts them.

use crate::builder::{Setting, closed, every, ms, open, stream};
use stats::Grade;
use trace::{Outcome, Record, Turn};

/// Conversations of three turns, one in each of `slots` after the other, whose users think for two
/// seconds: most of the time nothing is in flight. Later turns take longer.
fn held(slots: u64, conversations: u64) -> Vec<Record> {
    let conversation = |n: u64| {
        let begun = n / slots * 4_565;
        (0..3_u32).map(move |number| {
            let issued = begun + u64::from(number) * 2_200;
            let first = issued + 50 + 10 * u64::from(number);
            let mut record = stream(3 * n + u64::from(number), issued, &every(first, 5, 20));
            record.turn = Some(Turn {
                session: 3 * n,
                number,
            });
            record
        })
    };
    (0..conversations).flat_map(conversation).collect()
}

#[test]
fn every_turn_has_its_numbers_and_conversations_have_theirs() {
    let summary = Setting::new(closed(4), held(4, 40)).summarize();
    let held = summary.points[0].conversations.as_ref().expect("turns");
    assert_eq!((held.count, held.turns_cut), (40, 0));
    assert!((held.turns_per_conversation.mean - 3.0).abs() < 1e-9);
    // From the first release to the end of the third answer.
    let seconds = held.seconds.as_ref().expect("whole ones").p50.value;
    assert!((seconds - (4.4 + 0.07 + 0.095)).abs() < 1e-9, "{seconds}");
    let ttft: Vec<f64> = held
        .turns
        .iter()
        .map(|turn| turn.ttft.as_ref().expect("tokens").p50.value)
        .collect();
    assert_eq!(ttft, [50.0, 60.0, 70.0]);
    assert!(
        held.turns
            .iter()
            .all(|turn| (turn.issued, turn.complete) == (40, 40))
    );
}

#[test]
fn a_closed_loop_counts_conversations_and_not_what_is_in_flight_while_users_think() {
    let point = Setting::new(closed(4), held(4, 40))
        .summarize()
        .points
        .remove(0);
    assert_eq!(point.concurrency.peak, 4);
    assert_eq!(point.concurrency.littles_law, None);
    assert!(point.concurrency.achieved.expect("time") > 3.9);
    assert_eq!(point.verdict.grade, Grade::Valid, "{:?}", point.verdict);
}

#[test]
fn an_open_loop_asks_for_conversations_at_its_rate() {
    // Ten a second, whose follow-ups come in between.
    let records = (0..300_u64).flat_map(|n| {
        (0..2_u32).map(move |number| {
            let issued = n * 100 + u64::from(number) * 333;
            let mut record = stream(
                2 * n + u64::from(number),
                issued,
                &every(issued + 50, 5, 20),
            );
            record.turn = Some(Turn {
                session: 2 * n,
                number,
            });
            // A follow-up leaves when its prompt is made.
            record.due = ms(issued - 2 * u64::from(number));
            record
        })
    });
    let point = Setting::new(open(10.0), records.collect())
        .summarize()
        .points
        .remove(0);
    let issued = point.concurrency.issued_rate.expect("an open loop");
    assert!((issued - 10.0).abs() < 1e-9, "{issued}");
    assert_eq!(point.latency.issue_lag.expect("arrivals").n, 300);
    assert_eq!(point.verdict.grade, Grade::Valid, "{:?}", point.verdict);
}

#[test]
fn turns_that_were_never_sent_are_a_reason_and_no_lost_records() {
    let mut records = held(4, 40);
    records[1].outcome = Outcome::Truncated;
    records.remove(2);
    let cut = Setting::new(closed(4), records).facts(|facts| {
        facts.planned = 120;
        facts.turns_cut = 1;
    });
    let point = cut.summarize().points.remove(0);
    let codes: Vec<_> = point
        .verdict
        .reasons
        .iter()
        .map(|reason| reason.code.as_str())
        .collect();
    assert!(codes.contains(&"conversations_cut_short"), "{codes:?}");
    assert_eq!(point.verdict.grade, Grade::Suspect, "{:?}", point.verdict);
    let held = point.conversations.expect("turns");
    assert_eq!(
        (held.turns[2].issued, held.seconds.expect("others").n),
        (39, 39)
    );
}

#[test]
fn prompts_that_share_their_beginnings_are_meant_to_be_cached() {
    let shares = |setting: Setting, value: serde_json::Value| {
        let mut setting = setting.each(|record| {
            if let Some(usage) = &mut record.usage {
                usage.cached_tokens = Some(80);
            }
        });
        setting
            .header
            .metadata
            .insert("conversations".to_owned(), value);
        setting.codes()
    };
    let plain = || crate::builder::closed_loop(4, 30);
    let named = serde_json::json!({ "prefix_groups": "8x256" });
    assert!(!shares(plain(), named).contains(&"cache_hits".to_owned()));
    assert!(shares(plain(), serde_json::Value::Null).contains(&"cache_hits".to_owned()));
}
