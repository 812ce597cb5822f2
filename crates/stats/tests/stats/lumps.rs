//! Streams whose tokens come in lumps: what is said of the time per token is near the truth, or nothing is.

use crate::builder::{every, ms, stream, token};
use proptest::prelude::*;
use stats::RequestMetrics;
use trace::{Event, EventKind, Nanos, Record, Usage};

/// So far off an answer may be, as a factor: what is no nearer is to be absent.
const FACTOR_MAX: f64 = 1.4;

/// Where the tokens of each event are not known, and their number is told from text.
const FACTOR_UNKNOWN_MAX: f64 = 1.7;

fn measure(record: &Record) -> RequestMetrics {
    RequestMetrics::from_record(record).expect("a complete record")
}

#[allow(clippy::unnecessary_wraps, reason = "as a record has it")]
fn usage(completion_tokens: u64) -> Option<Usage> {
    Some(Usage {
        completion_tokens: Some(completion_tokens),
        ..Usage::default()
    })
}

/// Events of which so many come in each read, at these times in milliseconds.
fn in_reads(reads: &[(u64, usize)]) -> Record {
    let mut record = stream(0, 0, &[]);
    for (index, &(at, events)) in (0..).zip(reads) {
        record
            .events
            .extend((0..events).map(|_| token(ms(at), index)));
    }
    record.done = record
        .events
        .last()
        .map_or(record.done, |event| event.arrived);
    record.usage = usage(record.events.len() as u64);
    record
}

fn near(actual: Option<f64>, expected: f64, off: f64) {
    let actual = actual.expect("a time per token");
    assert!((actual - expected).abs() <= off, "{actual} for {expected}");
}

#[test]
fn what_came_after_the_first_read_gives_the_time_per_token() {
    // A token every 20 ms, eight in each write.
    let eight = in_reads(&[(50, 8), (210, 8), (370, 8), (530, 8)]);
    let metrics = measure(&eight);
    near(metrics.tpot_ms, 20.0, 1e-9);
    near(metrics.decode_tokens_per_second, 50.0, 1e-9);
    assert_eq!(metrics.itl_ms, Some(vec![20.0; 3]));
    assert_eq!(metrics.first_tokens, Some(8.0));
    // A last one that was not full when it was sent says nothing of the pace.
    near(
        measure(&in_reads(&[(50, 8), (210, 8), (370, 8), (530, 3)])).tpot_ms,
        20.0,
        1e-9,
    );
    // A first read that differs from the others.
    near(
        measure(&in_reads(&[
            (400, 31),
            (420, 1),
            (440, 1),
            (460, 1),
            (480, 1),
        ]))
        .tpot_ms,
        20.0,
        1e-9,
    );
}

#[test]
fn a_lump_that_came_in_several_reads_is_one() {
    let mut burst = stream(0, 0, &[]);
    let lumps = [50_000, 210_000, 370_000, 530_000];
    let times = lumps.iter().flat_map(|at| (0..8).map(move |n| at + 40 * n));
    let events = (0..)
        .zip(times)
        .map(|(read, at): (u32, u64)| token(Nanos(at * 1_000), read));
    burst.events = events.collect();
    burst.usage = usage(32);
    near(measure(&burst).tpot_ms, 20.0, 0.1);
    assert_eq!(measure(&burst).first_tokens, Some(8.0));
}

#[test]
fn a_time_per_token_that_nobody_can_tell_is_absent() {
    // One gap; a buffer emptied in two reads; a large answer in pieces of the network's size.
    for reads in [
        &[(50, 8), (210, 8)][..],
        &[(700, 31), (701, 1)],
        &[(700, 28), (701, 2), (702, 2)],
        &[(900, 200), (901, 200), (902, 200), (903, 200)],
    ] {
        let metrics = measure(&in_reads(reads));
        assert_eq!(
            (metrics.tpot_ms, metrics.decode_tokens_per_second),
            (None, None),
            "{reads:?}"
        );
    }
}

#[test]
fn an_ordinary_stream_is_measured_from_its_first_token_to_its_last() {
    let ordinary = stream(0, 0, &every(50, 10, 20));
    assert_eq!(measure(&ordinary).tpot_ms, Some(190.0 / 19.0));
    assert_eq!(measure(&ordinary).first_tokens, Some(1.0));
    // What shares a read later on changes nothing.
    let mut later = ordinary;
    later.events[7] = Event {
        read_index: later.events[8].read_index,
        arrived: later.events[8].arrived,
        ..later.events[7]
    };
    assert_eq!(measure(&later).tpot_ms, Some(190.0 / 19.0));
    let itl = measure(&later).itl_ms.expect("known tokens");
    assert_eq!(itl, vec![10.0; 18]);
}

/// As vLLM sends a call that it is told to make: the tool's name when it is complete, and then a token each. The
/// times and bytes are those of a recording; the mean gap of the last eight, which hold one token, is 90.9 ms.
fn required_tool() -> Record {
    let events = [
        (1_898, 11),
        (2_312, 1),
        (2_496, 6),
        (2_591, 2),
        (2_692, 4),
        (2_794, 1),
        (2_869, 3),
        (2_960, 1),
        (3_067, 5),
        (3_146, 2),
        (3_223, 2),
    ];
    let mut record = stream(0, 0, &events.map(|(at, _)| at));
    for (event, (_, bytes)) in record.events.iter_mut().zip(events) {
        event.kind = EventKind::ToolCall;
        event.text_bytes = bytes;
    }
    record.usage = usage(40);
    record
}

#[test]
fn tokens_that_were_held_back_with_a_tools_name_are_in_no_gap() {
    near(measure(&required_tool()).tpot_ms, 727.0 / 8.0, 1e-9);
    // Where the rest had no time to be made, the later events hold several each.
    let mut several = required_tool();
    several.usage = usage(80);
    assert_eq!(measure(&several).tpot_ms, None);
}

#[test]
fn thoughts_that_are_counted_and_not_shown_are_in_no_gap() {
    let mut record = stream(0, 0, &every(3_050, 10, 40));
    record.usage = Some(Usage {
        completion_tokens: Some(340),
        reasoning_tokens: Some(300),
        ..Usage::default()
    });
    near(measure(&record).tpot_ms, 10.0, 1e-9);
    assert_eq!(measure(&record).output_tokens, Some(340));
}

#[test]
fn speculative_steps_of_several_tokens_are_counted_by_their_text() {
    let mut record = stream(0, 0, &every(50, 30, 41));
    for (number, event) in record.events.iter_mut().enumerate() {
        // The first step gives one token, later ones 2 to 4.
        event.text_bytes = if number == 0 {
            4
        } else {
            8 + 4 * u32::try_from(number % 3).unwrap()
        };
    }
    record.usage = usage(121);
    near(measure(&record).tpot_ms, 10.0, 0.1);
}

/// Tokens with the moment at which each was made, and its bytes.
type Tokens = Vec<(u64, u32)>;

/// How tokens become events.
#[derive(Clone, Copy, Debug)]
enum Events {
    Single,
    Of(usize),
    Random(usize),
    FirstThenSingle(usize),
}

/// How events become reads.
#[derive(Clone, Copy, Debug)]
enum Reads {
    Each,
    Of(usize),
    FirstThenEach(usize),
    /// What is there when a timer ends, in milliseconds.
    Timer(u64),
}

fn tokens(count: std::ops::Range<usize>) -> impl Strategy<Value = Tokens> {
    let one = (700u64..1_300, 1u32..8);
    let steady = any::<bool>();
    (
        5u64..60,
        1u64..60,
        steady,
        prop::collection::vec(one, count),
    )
        .prop_map(|(pace_ms, prefill, steady, drawn)| {
            let mut at = prefill * pace_ms * 1_000_000;
            let token = |(part, bytes): (u64, u32)| {
                at += pace_ms * if steady { 1_000 } else { part } * 1_000;
                (at, bytes)
            };
            drawn.into_iter().map(token).collect()
        })
}

fn events() -> impl Strategy<Value = Events> {
    prop_oneof![
        Just(Events::Single),
        (2usize..9).prop_map(Events::Of),
        (2usize..6).prop_map(Events::Random),
        (2usize..60).prop_map(Events::FirstThenSingle),
    ]
}

fn reads() -> impl Strategy<Value = Reads> {
    prop_oneof![
        Just(Reads::Each),
        (2usize..17).prop_map(Reads::Of),
        (2usize..40).prop_map(Reads::FirstThenEach),
        (20u64..400).prop_map(Reads::Timer),
    ]
}

/// How many of the next make one, by a draw of theirs.
fn sizes(count: usize, mut next: impl FnMut(usize) -> usize) -> Vec<usize> {
    let (mut sizes, mut left) = (Vec::new(), count);
    while left > 0 {
        let size = next(sizes.len()).clamp(1, left);
        sizes.push(size);
        left -= size;
    }
    sizes
}

fn cut(tokens: &Tokens, events: Events, reads: Reads) -> Record {
    let sizes_of_events = sizes(tokens.len(), |index| match events {
        Events::Single => 1,
        Events::Of(size) => size,
        Events::Random(most) => 1 + (tokens[index].1 as usize * 7 + index) % most,
        Events::FirstThenSingle(first) => {
            if index == 0 {
                first
            } else {
                1
            }
        }
    });
    let mut left = &tokens[..];
    let mut made: Tokens = Vec::new();
    for size in sizes_of_events {
        let (event, rest) = left.split_at(size);
        made.push((event[size - 1].0, event.iter().map(|token| token.1).sum()));
        left = rest;
    }
    let mut record = stream(0, 0, &[]);
    let period = |timer: u64, at: u64| at.div_ceil(timer * 1_000_000) * timer * 1_000_000;
    let in_read = sizes(made.len(), |index| match reads {
        Reads::Each | Reads::Timer(_) => 1,
        Reads::Of(size) => size,
        Reads::FirstThenEach(first) => {
            if index == 0 {
                first
            } else {
                1
            }
        }
    });
    let mut left = &made[..];
    for (index, size) in (0..).zip(in_read) {
        let (read, rest) = left.split_at(size);
        for &(at, text_bytes) in read {
            let (arrived, read_index) = match reads {
                Reads::Timer(timer) => (
                    period(timer, at),
                    u32::try_from(period(timer, at) / (timer * 1_000_000)).unwrap(),
                ),
                _ => (read[size - 1].0, index),
            };
            record.events.push(Event {
                text_bytes,
                ..token(Nanos(arrived), read_index)
            });
        }
        left = rest;
    }
    record.done = record.events.last().expect("events").arrived;
    record.usage = usage(tokens.len() as u64);
    record
}

fn truth_ms(tokens: &Tokens) -> f64 {
    let (first, last) = (tokens[0].0, tokens[tokens.len() - 1].0);
    (last - first) as f64 / 1e6 / (tokens.len() - 1) as f64
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn however_a_stream_is_cut_its_time_per_token_is_near_the_truth_or_absent(
        tokens in tokens(16..200),
        events in events(),
        reads in reads(),
        calls_a_tool in any::<bool>(),
    ) {
        let mut record = cut(&tokens, events, reads);
        for event in record.events.iter_mut().filter(|_| calls_a_tool) {
            event.kind = EventKind::ToolCall;
        }
        let truth = truth_ms(&tokens);
        if let Some(tpot) = measure(&record).tpot_ms {
            let factor = (tpot / truth).max(truth / tpot);
            let limit = match events {
                Events::Single => FACTOR_MAX,
                _ => FACTOR_UNKNOWN_MAX,
            };
            prop_assert!(
                factor <= limit,
                "{tpot} for {truth}: {events:?} {reads:?} {} tokens, {} events, tool: {calls_a_tool}",
                tokens.len(),
                record.events.len()
            );
        }
    }

    #[test]
    fn a_long_stream_of_one_token_an_event_has_a_time_per_token_however_it_is_read(
        tokens in tokens(150..200),
        reads in reads(),
    ) {
        // Fewer than three lumps tell nothing.
        let rare = |timer: u64| timer as f64 > 30.0 * truth_ms(&tokens);
        let reads = match reads {
            Reads::Timer(timer) if rare(timer) => Reads::Each,
            reads => reads,
        };
        let record = cut(&tokens, Events::Single, reads);
        prop_assert!(measure(&record).tpot_ms.is_some(), "{reads:?}");
    }
}
