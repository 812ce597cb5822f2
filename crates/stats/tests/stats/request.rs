use crate::builder::{every, failure, ms, stream, token};
use proptest::prelude::*;
use stats::{RequestMetrics, TokenSource};
use trace::{Event, EventKind, Nanos, Outcome, Record, Usage};

fn measure(record: &Record) -> RequestMetrics {
    RequestMetrics::from_record(record).expect("a complete record")
}

fn close(actual: Option<f64>, expected: f64) {
    let actual = actual.expect("a value");
    assert!((actual - expected).abs() < 1e-9, "{actual} for {expected}");
}

fn usage(completion_tokens: u64) -> Usage {
    Usage {
        completion_tokens: Some(completion_tokens),
        ..Usage::default()
    }
}

#[test]
fn the_timeline_gives_every_latency_of_the_table() {
    let record = Record {
        due: ms(5),
        connected: Some(ms(13)),
        done: ms(135),
        ..stream(0, 10, &every(60, 10, 8))
    };
    let metrics = measure(&record);
    assert_eq!(metrics.issue_lag, ms(5));
    assert_eq!(metrics.connect, Some(ms(3)));
    assert_eq!(metrics.ttft, Some(ms(50)));
    assert_eq!(metrics.ttft_from_due, Some(ms(55)));
    assert_eq!(metrics.e2e, Some(ms(120)));
    assert_eq!(metrics.e2e_from_due, Some(ms(125)));
    assert_eq!(metrics.stream_end, Some(ms(125)));
    assert_eq!(metrics.chunk_gaps, vec![ms(10); 7]);
    assert_eq!(metrics.itl_ms, Some(vec![10.0; 7]));
    close(metrics.tpot_ms, 10.0);
    close(metrics.decode_tokens_per_second, 100.0);
    close(metrics.request_tokens_per_second, 8.0 / 0.12);
    assert_eq!(
        (metrics.input_tokens, metrics.output_tokens),
        (Some(100), Some(8))
    );
    assert_eq!(metrics.output_source, TokenSource::Usage);
}

#[test]
fn a_kept_alive_connection_took_no_time_to_connect() {
    assert_eq!(measure(&stream(0, 10, &[20, 30])).connect, None);
}

#[test]
fn what_failed_was_truncated_or_cancelled_has_no_latency() {
    for outcome in Outcome::ALL
        .into_iter()
        .filter(|outcome| !outcome.is_complete())
    {
        let record = Record {
            outcome,
            ..stream(0, 0, &[10, 20])
        };
        assert_eq!(RequestMetrics::from_record(&record), None);
    }
    assert_eq!(
        RequestMetrics::from_record(&failure(0, 0, 9, Outcome::Http)),
        None
    );
}

#[test]
fn role_empty_usage_and_done_events_are_never_tokens() {
    let mut record = stream(0, 0, &[50, 60]);
    let bare = |kind, at| Event {
        kind,
        ..token(ms(at), 9)
    };
    record.events.insert(0, bare(EventKind::Empty, 1));
    record
        .events
        .extend([bare(EventKind::Usage, 70), bare(EventKind::Done, 71)]);
    let metrics = measure(&record);
    assert_eq!((metrics.ttft, metrics.e2e), (Some(ms(50)), Some(ms(60))));
    assert_eq!(metrics.token_events, 2);
}

#[test]
fn the_first_output_comes_after_the_reasoning() {
    let mut record = stream(0, 0, &[50, 60, 70]);
    record.events[0].kind = EventKind::Reasoning;
    record.events[1].kind = EventKind::ToolCall;
    let metrics = measure(&record);
    assert_eq!((metrics.ttft, metrics.ttfo), (Some(ms(50)), Some(ms(60))));
}

#[test]
fn tokens_known_per_event_divide_each_gap() {
    let mut record = stream(0, 0, &[50, 90, 110]);
    for (event, tokens) in record.events.iter_mut().zip([2, 4, 1]) {
        event.tokens = Some(tokens);
    }
    record.usage = Some(usage(7));
    let metrics = measure(&record);
    assert_eq!(metrics.itl_ms, Some(vec![10.0, 20.0]));
    close(metrics.tpot_ms, 60.0 / 5.0);
}

#[test]
fn tokens_of_an_event_without_text_arrive_with_the_next_text() {
    let mut record = stream(0, 0, &[50, 60, 70]);
    for event in &mut record.events {
        event.tokens = Some(1);
    }
    record.events[1].kind = EventKind::Empty;
    let metrics = measure(&record);
    assert_eq!(metrics.itl_ms, Some(vec![10.0]));
}

#[test]
fn a_last_token_without_text_still_means_one_token_per_event() {
    let record = Record {
        usage: Some(usage(4)),
        ..stream(0, 0, &[50, 60, 70])
    };
    assert_eq!(measure(&record).itl_ms, Some(vec![10.0, 10.0]));
}

#[test]
fn a_token_that_completes_no_character_shares_the_gap_of_the_text_that_follows() {
    // As vLLM streams: a role, a text, two tokens of one character, a text, a token cut off at the end.
    let kinds = [
        (EventKind::Empty, 40),
        (EventKind::Content, 50),
        (EventKind::Empty, 60),
        (EventKind::Content, 70),
        (EventKind::Content, 80),
        (EventKind::Empty, 90),
    ];
    let mut record = stream(0, 0, &kinds.map(|(_, at)| at));
    for (event, (kind, _)) in record.events.iter_mut().zip(kinds) {
        event.kind = kind;
    }
    record.usage = Some(usage(5));
    let metrics = measure(&record);
    assert_eq!(metrics.itl_ms, Some(vec![10.0, 10.0]));
    assert_eq!(metrics.ttft, Some(ms(50)));
    // One such token in an answer that its limit ended.
    let kinds = [
        EventKind::Content,
        EventKind::Empty,
        EventKind::Content,
        EventKind::Content,
    ];
    let mut limited = stream(0, 0, &[50, 60, 70, 80]);
    for (event, kind) in limited.events.iter_mut().zip(kinds) {
        event.kind = kind;
    }
    assert_eq!(measure(&limited).itl_ms, Some(vec![10.0, 10.0]));
    // Of a server whose events without text are no tokens.
    record.usage = Some(usage(3));
    assert_eq!(measure(&record).itl_ms, Some(vec![20.0, 10.0]));
    // Of one whose events hold more than one.
    record.usage = Some(usage(9));
    assert_eq!(measure(&record).itl_ms, None);
}

#[test]
fn several_tokens_per_event_of_unknown_share_leave_no_itl() {
    let record = Record {
        usage: Some(usage(12)),
        ..stream(0, 0, &[50, 80, 110])
    };
    let metrics = measure(&record);
    assert_eq!(metrics.itl_ms, None);
    // Four tokens in each event: 60 ms for the eight after the first.
    close(metrics.tpot_ms, 7.5);
}

#[test]
fn without_usage_tokens_are_estimated_and_marked() {
    let record = Record {
        usage: None,
        ..stream(0, 0, &[50, 60, 70])
    };
    let metrics = measure(&record);
    assert_eq!(
        (metrics.output_tokens, metrics.output_source),
        (Some(3), TokenSource::Estimated)
    );
    assert_eq!((metrics.input_tokens, metrics.itl_ms), (None, None));
    close(metrics.tpot_ms, 10.0);
}

#[test]
fn a_single_token_event_has_no_time_between_tokens() {
    for completion_tokens in [1, 2, 40] {
        let record = Record {
            usage: Some(usage(completion_tokens)),
            ..stream(0, 0, &[50])
        };
        let metrics = measure(&record);
        assert_eq!(
            (metrics.tpot_ms, metrics.decode_tokens_per_second),
            (None, None)
        );
    }
}

#[test]
fn each_choice_is_a_stream_of_its_own() {
    let mut record = stream(0, 0, &[50, 51, 60, 61, 70, 71]);
    for (event, choice) in record.events.iter_mut().zip([0, 1].into_iter().cycle()) {
        event.choice = choice;
    }
    let metrics = measure(&record);
    assert_eq!(metrics.chunk_gaps, vec![ms(10); 4]);
    close(metrics.tpot_ms, 10.0);
    assert_eq!((metrics.ttft, metrics.e2e), (Some(ms(50)), Some(ms(71))));
}

#[test]
fn a_response_that_is_no_stream_ends_with_its_body() {
    let record = Record {
        stream: false,
        done: ms(80),
        usage: Some(usage(16)),
        ..stream(0, 0, &[])
    };
    let metrics = measure(&record);
    assert_eq!(
        (metrics.e2e, metrics.ttft, metrics.stream_end),
        (Some(ms(80)), None, None)
    );
    close(metrics.request_tokens_per_second, 200.0);
    assert_eq!(metrics.tpot_ms, None);
}

#[test]
fn a_stream_without_a_token_has_no_latency() {
    let metrics = measure(&stream(0, 0, &[]));
    assert_eq!(
        (metrics.ttft, metrics.e2e, metrics.tpot_ms),
        (None, None, None)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn first_token_and_gaps_add_up_to_the_last_token_exactly(
        due in 0u64..1_000_000_000,
        lag in 0u64..1_000_000_000,
        steps in prop::collection::vec(0u64..1_000_000_000, 1..80),
    ) {
        let issued = Nanos(due + lag);
        let mut record = Record { due: Nanos(due), issued, ..stream(0, 0, &[]) };
        let mut at = issued;
        for (read, step) in (0..).zip(&steps) {
            at = at + Nanos(*step);
            record.events.push(token(at, read));
        }
        let metrics = measure(&record);
        let sum = metrics.chunk_gaps.iter().fold(metrics.ttft.expect("tokens"), |sum, gap| sum + *gap);
        prop_assert_eq!(sum, at - issued);
        prop_assert_eq!(metrics.e2e, Some(at - issued));
        prop_assert!(metrics.ttft_from_due >= metrics.ttft);
        prop_assert!(metrics.e2e_from_due >= metrics.e2e);
    }
}
