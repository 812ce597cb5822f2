//! Single answers that do not fit: from which share on, with which grade, and who is named.

use super::builder::{Setting, closed_loop, gives, is_valid};
use stats::Grade;
use trace::{Asked, LeftOut, Outcome, Record, ResponseFacts, TextFacts, ToolUse};

fn words(count: u64) -> TextFacts {
    TextFacts {
        bytes: 4 * count,
        characters: 4 * count,
        ascii: 4 * count,
        words: count,
    }
}

/// 200 answers of 20 tokens, with the facts of version 2.
fn setting() -> Setting {
    let mut setting = closed_loop(4, 50).each(|record| {
        record.max_tokens = Some(20);
        record.prompt_text = Some(words(90));
        record.response = Some(Box::new(ResponseFacts {
            model: Some("m".into()),
            choices: 1,
            text: words(20),
            usage_excerpt: Some(r#"{"completion_tokens":20}"#.into()),
            ..ResponseFacts::default()
        }));
    });
    setting.header.asked = Some(Asked {
        models: vec!["m".into()],
        choices: 1,
        ..Asked::default()
    });
    setting
}

/// The first so many answers changed.
fn first(count: u64, change: impl Fn(&mut Record)) -> Setting {
    setting().each(|record| {
        if record.id < count {
            change(record);
        }
    })
}

fn count(record: &mut Record, tokens: u64) {
    record.usage.as_mut().unwrap().completion_tokens = Some(tokens);
}

fn facts(record: &mut Record) -> &mut ResponseFacts {
    record.response.as_mut().unwrap()
}

#[test]
fn answers_without_a_fault_are_valid() {
    is_valid(&setting());
}

#[test]
fn impossible_counts_are_counted_by_events_and_enter_no_rate() {
    let broken = |count| first(count, |record| self::count(record, 100_000));
    is_valid(&broken(2));
    gives(&broken(3), Grade::Suspect, "impossible_counts");
    gives(&broken(100), Grade::Suspect, "impossible_counts");
    gives(&broken(101), Grade::Invalid, "impossible_counts");
    let (right, wrong) = (setting().summarize(), broken(101).summarize());
    let rate = |summary: &stats::Summary| summary.points[0].throughput.output_tokens_per_second;
    assert_eq!(rate(&right), rate(&wrong));
    assert_eq!(right.points[0].latency.tpot, wrong.points[0].latency.tpot);
    // They have a reason of their own, and need no other.
    assert_eq!(broken(101).codes(), ["impossible_counts"]);
    let answers = wrong.points[0].answers.as_ref().unwrap();
    assert_eq!(answers.counted_by_events, 101);
}

#[test]
fn a_reason_names_three_requests_and_shows_what_they_sent() {
    let verdict = first(9, |record| count(record, 100_000))
        .summarize()
        .verdict;
    let sentence = &verdict.reasons[0].sentence;
    let witnesses = r#"Requests 0, 1 and 2; the first said {"completion_tokens":20}."#;
    assert!(sentence.ends_with(witnesses), "{sentence}");
    assert!(sentence.contains("9 of 200 answers (4.5 %, limit 1.0 %)"));
}

#[test]
fn what_a_server_sent_is_shown_cut_and_under_the_request_that_sent_it() {
    let long = format!("{{\"completion_tokens\":{}}}", "9".repeat(300));
    let setting = first(4, |record| {
        count(record, 20_000);
        // The first one's count came with its events.
        facts(record).usage_excerpt = (record.id > 0).then(|| long.clone());
    });
    let reasons = setting.summarize().verdict.reasons;
    let found = reasons
        .iter()
        .find(|reason| reason.code == "impossible_counts");
    let shown = format!("Requests 0, 1 and 2; request 1 said {}….", &long[..120]);
    let sentence = &found.unwrap().sentence;
    assert!(sentence.ends_with(&shown), "{sentence}");
}

#[test]
fn an_answer_that_was_given_up_is_a_failure() {
    let setting = first(3, |record| record.finish_reason = Some("abort".into()));
    gives(&setting, Grade::Suspect, "failures");
    let point = &setting.summarize().points[0];
    assert_eq!(
        (point.reliability.complete, point.reliability.failed),
        (197, 3)
    );
    assert_eq!(point.reliability.failures[0].kind, Outcome::Aborted.name());
    assert_eq!(point.latency.ttft.as_ref().unwrap().n, 197);
    let reasons = &point.answers.as_ref().unwrap().finish_reasons;
    assert_eq!((reasons["abort"], reasons["stop"]), (3, 197));
}

#[test]
fn fewer_choices_than_asked_fail() {
    let mut setting = setting();
    setting.header.asked.as_mut().unwrap().choices = 2;
    gives(&setting, Grade::Invalid, "nothing_succeeded");
}

#[test]
fn counts_that_do_not_fit_their_text_are_suspect_from_one_in_a_hundred_on() {
    for (code, change) in [
        (
            "limit_exceeded",
            (|record| record.max_tokens = Some(10)) as fn(&mut Record),
        ),
        ("fewer_tokens_than_events", |record| count(record, 12)),
        ("totals_differ", |record| {
            record.usage.as_mut().unwrap().total_tokens = Some(500);
        }),
        ("impossible_prompt_counts", |record| {
            record.usage.as_mut().unwrap().prompt_tokens = Some(0);
        }),
        ("impossible_parts", |record| {
            record.usage.as_mut().unwrap().cached_tokens = Some(101);
        }),
        ("odd_fields", |record| {
            facts(record).left_out = vec![LeftOut {
                field: "usage.prompt_tokens".into(),
                value: "-1".into(),
            }];
        }),
    ] {
        is_valid(&first(2, change));
        gives(&first(3, change), Grade::Suspect, code);
    }
}

#[test]
fn characters_in_place_of_tokens() {
    let in_characters = |record: &mut Record| {
        record.events.clear();
        record.stream = false;
        record.max_tokens = None;
        count(record, 80);
    };
    let whole = |record: &mut Record| {
        record.events.clear();
        record.stream = false;
    };
    is_valid(&setting().each(whole));
    let all = |count| first(count, in_characters).each(|record| record.stream = false);
    gives(&all(101), Grade::Suspect, "characters_counted");
    let by_length = setting().each(|record| {
        let length = 20 + record.id;
        record.prompt_text = Some(words(length));
        record.usage.as_mut().unwrap().prompt_tokens = Some(4 * length);
    });
    gives(&by_length, Grade::Suspect, "prompt_characters_counted");
    // Our own server counts what its model is given.
    let mut built_in = by_length;
    let metadata = &mut built_in.header.metadata;
    metadata.insert("built_in_server".to_owned(), true.into());
    is_valid(&built_in);
}

#[test]
fn tools_that_were_to_be_called() {
    let with = |tools, called: u64| {
        let mut setting = setting().each(|record| {
            facts(record).tool_calls = u32::from(record.id < called);
        });
        setting.header.asked.as_mut().unwrap().tools = tools;
        setting
    };
    is_valid(&with(ToolUse::Offered, 0));
    is_valid(&with(ToolUse::Required, 198));
    gives(
        &with(ToolUse::Required, 197),
        Grade::Suspect,
        "tools_not_called",
    );
    is_valid(&with(ToolUse::Loop, 180));
    gives(
        &with(ToolUse::Loop, 179),
        Grade::Suspect,
        "tools_not_called",
    );
    let sentence = with(ToolUse::Loop, 0).summarize().verdict.reasons[0]
        .sentence
        .clone();
    assert!(
        sentence.starts_with("0 of 200 answers called the tool"),
        "{sentence}"
    );
}

#[test]
fn other_models_than_the_one_asked_for() {
    let named =
        |count, name: &str| first(count, |record| facts(record).model = Some(name.to_owned()));
    gives(&named(1, "m-mini"), Grade::Suspect, "several_models");
    gives(&named(200, "another"), Grade::Suspect, "other_model");
    let alias = named(200, "m-2024-08-06");
    is_valid(&alias);
    let answers = alias.summarize().points[0].answers.clone().unwrap();
    assert_eq!(answers.models["m-2024-08-06"], 200);
}

#[test]
fn what_a_gateway_says_that_it_did() {
    let once = first(1, |record| facts(record).retries = Some(2));
    gives(&once, Grade::Suspect, "gateway_retries");
    let other = first(1, |record| facts(record).fallbacks = Some(1));
    gives(&other, Grade::Suspect, "gateway_fallbacks");
    is_valid(&first(200, |record| facts(record).retries = Some(0)));
}

#[test]
fn records_of_version_1_have_none_of_these_reasons() {
    let mut setting = first(200, |record| {
        count(record, 100_000);
        record.finish_reason = Some("abort".into());
        record.response = None;
        record.prompt_text = None;
    });
    setting.header.asked = None;
    // That the count leaves no time per token was said of them before.
    assert_eq!(setting.codes(), ["no_time_per_token"]);
    assert_eq!(setting.summarize().points[0].answers, None);
}
