use super::settle::gives_up;
use super::{Fault, Judge};
use proptest::prelude::*;
use trace::{
    Asked, Event, EventKind, Nanos, Outcome, Record, ResponseFacts, RunHeader, RunId, TextFacts,
    ToolUse, Usage,
};

fn header(asked: Option<Asked>) -> RunHeader {
    RunHeader {
        schema_version: trace::SCHEMA_VERSION,
        invocation: 1,
        metadata: serde_json::Map::new(),
        points: Vec::new(),
        slo: None,
        classes: Vec::new(),
        asked,
        subject: None,
    }
}

fn one() -> Asked {
    Asked {
        models: vec!["m".into()],
        choices: 1,
        ..Asked::default()
    }
}

const fn words(count: u64) -> TextFacts {
    TextFacts {
        bytes: 5 * count,
        characters: 5 * count,
        ascii: 5 * count,
        words: count,
    }
}

/// A complete stream of so many words, an event each, with that count of its tokens.
fn answer(events: u64, told: u64) -> Record {
    let event = |at| Event {
        kind: EventKind::Content,
        arrived: Nanos(at),
        read: Nanos(at),
        read_index: 0,
        text_bytes: 5,
        tokens: None,
        choice: 0,
    };
    Record {
        stream: true,
        outcome: Outcome::Complete,
        events: (1..=events).map(event).collect(),
        max_tokens: Some(100),
        usage: Some(Usage {
            prompt_tokens: Some(20),
            completion_tokens: Some(told),
            ..Usage::default()
        }),
        finish_reason: Some("stop".into()),
        prompt_text: Some(words(15)),
        response: Some(Box::new(ResponseFacts {
            choices: 1,
            text: words(events),
            ..ResponseFacts::default()
        })),
        ..Record::begun(RunId::default(), 7, Nanos(0))
    }
}

fn settled(record: &Record, asked: Asked) -> (Record, Vec<Fault>) {
    let header = header(Some(asked));
    let judge = Judge::new(&header);
    (judge.settle(record).into_owned(), judge.faults(record))
}

fn told(record: &Record) -> Option<u64> {
    record.usage.unwrap().completion_tokens
}

fn facts(record: &mut Record) -> &mut ResponseFacts {
    record.response.as_mut().unwrap()
}

#[test]
fn an_ordinary_answer_is_left_as_it_came() {
    let record = answer(10, 10);
    let header = header(Some(one()));
    let judge = Judge::new(&header);
    assert!(matches!(
        judge.settle(&record),
        std::borrow::Cow::Borrowed(_)
    ));
    assert_eq!(judge.faults(&record), []);
}

#[test]
fn a_finish_reason_of_giving_up_is_no_success_and_the_others_are() {
    for reason in [
        "abort",
        "error",
        "cancelled",
        "FinishReason.ABORT",
        "insufficient_system_resource",
    ] {
        let mut record = answer(10, 10);
        record.finish_reason = Some(reason.into());
        let (settled, _) = settled(&record, one());
        assert_eq!(settled.outcome, Outcome::Aborted, "{reason}");
        assert!(settled.detail.unwrap().contains(reason));
        // The second choice was given up.
        let mut record = answer(10, 10);
        facts(&mut record).choices = 2;
        facts(&mut record).other_finish_reasons = vec![reason.into()];
        let two = Asked {
            choices: 2,
            ..one()
        };
        assert_eq!(self::settled(&record, two).0.outcome, Outcome::Aborted);
    }
    for reason in ["stop", "length", "content_filter", "a word of its own"] {
        assert!(!gives_up(reason), "{reason}");
    }
}

#[test]
fn fewer_choices_than_asked_are_no_whole_answer() {
    let two = Asked {
        choices: 2,
        ..one()
    };
    let (settled, _) = settled(&answer(10, 10), two);
    assert_eq!(settled.outcome, Outcome::Truncated);
    assert_eq!(settled.detail.unwrap(), "1 of 2 choices came");
}

#[test]
fn a_count_above_the_limit_that_no_events_bear_out_is_counted_by_events() {
    let (bad, faults) = settled(&answer(10, 100_000), one());
    assert_eq!((told(&bad), faults), (None, vec![Fault::ImpossibleOutput]));
    let (huge, _) = settled(&answer(10, u64::MAX), one());
    assert_eq!(told(&huge), None);
    // One more is the token that ends a sequence.
    let mut long = answer(10, 101);
    facts(&mut long).text = words(40);
    assert_eq!(told(&settled(&long, one()).0), Some(101));
    long.usage.as_mut().unwrap().completion_tokens = Some(102);
    assert_eq!(told(&settled(&long, one()).0), None);
    // The server did not know the limit, and really went on.
    let (on, faults) = settled(&answer(150, 150), one());
    assert_eq!((told(&on), faults), (Some(150), vec![Fault::BeyondLimit]));
    // In a few events, whose text is long enough.
    let mut lumps = answer(10, 150);
    facts(&mut lumps).text = words(100);
    let (lumps, faults) = settled(&lumps, one());
    assert_eq!(
        (told(&lumps), faults),
        (Some(150), vec![Fault::BeyondLimit])
    );
}

#[test]
fn a_count_above_the_bytes_of_the_text_is_impossible_unless_something_has_no_text() {
    let (bad, faults) = settled(&answer(10, 52), one());
    assert_eq!((told(&bad), faults), (None, vec![Fault::ImpossibleOutput]));
    assert_eq!(told(&settled(&answer(10, 51), one()).0), Some(51));
    let mut hidden = answer(10, 90);
    hidden.usage.as_mut().unwrap().reasoning_tokens = Some(60);
    assert_eq!(told(&settled(&hidden, one()).0), Some(90));
    let without_end = Asked {
        ignore_eos: true,
        ..one()
    };
    assert_eq!(told(&settled(&answer(10, 90), without_end).0), Some(90));
    let with_tools = Asked {
        tools: ToolUse::Offered,
        ..one()
    };
    assert_eq!(told(&settled(&answer(10, 90), with_tools).0), Some(90));
}

#[test]
fn a_count_of_zero_beside_text_is_none() {
    let (bad, faults) = settled(&answer(10, 0), one());
    assert_eq!((told(&bad), faults), (None, vec![Fault::ImpossibleOutput]));
    let mut empty = answer(0, 0);
    facts(&mut empty).text = TextFacts::default();
    assert_eq!(settled(&empty, one()).1, []);
}

#[test]
fn impossible_counts_with_every_event_are_dropped_too() {
    let mut record = answer(10, 1);
    record.usage = None;
    for event in &mut record.events {
        event.tokens = Some(1_000_000);
    }
    let (bad, faults) = settled(&record, one());
    assert_eq!(faults, [Fault::ImpossibleOutput]);
    assert!(bad.events.iter().all(|event| event.tokens.is_none()));
}

#[test]
fn fewer_tokens_than_events_are_kept_with_a_fault() {
    let (kept, faults) = settled(&answer(10, 5), one());
    assert_eq!(
        (told(&kept), faults),
        (Some(5), vec![Fault::FewerThanEvents])
    );
}

#[test]
fn reasoning_that_only_the_total_has_is_counted_and_no_impossible_count() {
    let mut record = answer(10, 10);
    let usage = record.usage.as_mut().unwrap();
    usage.reasoning_tokens = Some(200);
    usage.total_tokens = Some(230);
    let (settled, faults) = settled(&record, one());
    assert_eq!((told(&settled), faults), (Some(210), vec![]));
    // Where reasoning does not explain it, the count stays and the difference is said.
    record.usage.as_mut().unwrap().reasoning_tokens = None;
    let (same, faults) = self::settled(&record, one());
    assert_eq!((told(&same), faults), (Some(10), vec![Fault::TotalDiffers]));
}

#[test]
fn reasoning_that_streams_and_only_the_total_counts_is_no_fewer_tokens_than_events() {
    let mut record = answer(210, 10);
    let usage = record.usage.as_mut().unwrap();
    usage.reasoning_tokens = Some(200);
    usage.total_tokens = Some(230);
    for event in &mut record.events[..200] {
        event.kind = EventKind::Reasoning;
    }
    let (settled, faults) = settled(&record, one());
    assert_eq!((told(&settled), faults), (Some(210), vec![]));
}

#[test]
fn reasoning_that_is_told_and_not_shown_is_not_counted_in_characters() {
    let mut record = answer(90, 280);
    record.max_tokens = Some(1000);
    record.usage.as_mut().unwrap().reasoning_tokens = Some(190);
    facts(&mut record).text = TextFacts {
        bytes: 400,
        characters: 400,
        ascii: 400,
        words: 80,
    };
    let asked = Asked {
        ignore_eos: true,
        ..one()
    };
    assert_eq!(settled(&record, asked.clone()).1, []);
    record.usage.as_mut().unwrap().reasoning_tokens = None;
    assert_eq!(settled(&record, asked).1, [Fault::OutputInCharacters]);
}

#[test]
fn events_bear_out_a_count_above_the_limit_where_words_do_not() {
    let mut record = answer(150, 150);
    facts(&mut record).text.words = 20;
    facts(&mut record).text.characters = 160;
    facts(&mut record).text.bytes = 160;
    let (kept, faults) = settled(&record, one());
    assert_eq!(told(&kept), Some(150));
    assert!(faults.contains(&Fault::BeyondLimit), "{faults:?}");
    assert!(!faults.contains(&Fault::ImpossibleOutput), "{faults:?}");
}

#[test]
fn more_reasoning_than_was_generated_is_left_out() {
    let mut record = answer(10, 10);
    record.usage.as_mut().unwrap().reasoning_tokens = Some(11);
    let (settled, faults) = settled(&record, one());
    assert_eq!(settled.usage.unwrap().reasoning_tokens, None);
    assert_eq!(
        (told(&settled), faults),
        (Some(10), vec![Fault::ImpossiblePart])
    );
}

#[test]
fn counts_of_prompts_that_cannot_be_enter_nothing() {
    for prompt in [0, u64::MAX] {
        let mut record = answer(10, 10);
        record.usage.as_mut().unwrap().prompt_tokens = Some(prompt);
        let (settled, faults) = settled(&record, one());
        assert_eq!(settled.usage.unwrap().prompt_tokens, None);
        assert_eq!(faults, [Fault::ImpossibleInput]);
        assert_eq!(told(&settled), Some(10));
    }
    let mut record = answer(10, 10);
    record.usage.as_mut().unwrap().cached_tokens = Some(21);
    let (settled, faults) = settled(&record, one());
    assert_eq!(settled.usage.unwrap().cached_tokens, None);
    assert_eq!(faults, [Fault::ImpossiblePart]);
}

#[test]
fn characters_are_told_from_tokens_where_the_text_is_latin() {
    let mut whole = answer(10, 200);
    whole.events.clear();
    whole.stream = false;
    whole.max_tokens = None;
    facts(&mut whole).text = words(40);
    assert_eq!(settled(&whole, one()).1, [Fault::OutputInCharacters]);
    let mut call = whole.clone();
    facts(&mut call).tool_calls = 1;
    assert_eq!(settled(&call, one()).1, []);
    whole.usage.as_mut().unwrap().completion_tokens = Some(52);
    assert_eq!(settled(&whole, one()).1, []);
    // A Chinese model's tokens are its characters.
    whole.usage.as_mut().unwrap().completion_tokens = Some(100);
    facts(&mut whole).text = TextFacts {
        bytes: 300,
        characters: 100,
        ascii: 0,
        words: 100,
    };
    assert_eq!(settled(&whole, one()).1, []);
}

#[test]
fn a_call_is_missed_only_where_it_is_due() {
    let faults = |tools, called: u32| {
        let mut record = answer(10, 10);
        facts(&mut record).tool_calls = called;
        settled(&record, Asked { tools, ..one() }).1
    };
    assert_eq!(faults(ToolUse::Required, 0), [Fault::NoToolCalled]);
    assert_eq!(faults(ToolUse::Loop, 0), [Fault::NoToolCalled]);
    assert_eq!(faults(ToolUse::Required, 1), []);
    assert_eq!(faults(ToolUse::Offered, 0), []);
}

#[test]
fn what_a_gateway_says_of_itself_is_a_fault_where_it_did_something() {
    let mut record = answer(10, 10);
    facts(&mut record).retries = Some(0);
    facts(&mut record).fallbacks = Some(0);
    assert_eq!(settled(&record, one()).1, []);
    facts(&mut record).retries = Some(2);
    facts(&mut record).fallbacks = Some(1);
    assert_eq!(settled(&record, one()).1, [Fault::Retried, Fault::FellBack]);
}

#[test]
fn records_from_before_are_believed_as_before() {
    let mut record = answer(10, 100_000);
    record.response = None;
    record.prompt_text = None;
    record.finish_reason = Some("abort".into());
    let header = header(None);
    let judge = Judge::new(&header);
    assert!(matches!(
        judge.settle(&record),
        std::borrow::Cow::Borrowed(_)
    ));
    assert_eq!(judge.faults(&record), []);
}

proptest! {
    /// Whatever a server tells, what is left can be.
    #[test]
    fn no_impossible_count_is_left(
        events in 0_u64..50,
        count in any::<Option<u64>>(),
        prompt in any::<Option<u64>>(),
        parts in any::<(Option<u64>, Option<u64>, Option<u64>)>(),
    ) {
        let mut record = answer(events, 0);
        record.usage = Some(Usage {
            prompt_tokens: prompt,
            completion_tokens: count,
            cached_tokens: parts.0,
            reasoning_tokens: parts.1,
            total_tokens: parts.2,
        });
        let (settled, _) = settled(&record, one());
        let usage = settled.usage.unwrap();
        let most = 101_u64.saturating_add(parts.1.unwrap_or(0));
        prop_assert!(usage.completion_tokens.is_none_or(|count| count <= most));
        prop_assert!(usage.prompt_tokens.is_none_or(|prompt| prompt > 0 && prompt < 2_000_000));
        prop_assert!(usage.cached_tokens <= usage.prompt_tokens.or(Some(u64::MAX)));
    }
}
