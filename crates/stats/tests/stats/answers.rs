//! Each reason that lies in what came back: a setting that gives it, and the nearest one that does not.

use crate::builder::{Setting, closed_loop, gives, is_valid, open_loop};
use stats::{Grade, TokenSource};
use trace::{AskedAgain, Nanos, PlannedTokens, Record, Recounted, ServerSample, Usage, Vectors};

#[test]
fn answers_that_end_early_though_they_were_to_go_on() {
    let stopped = |count: u64, asked: bool| {
        let mut setting = open_loop(200).each(|record| {
            let reason = if record.id < count { "stop" } else { "length" };
            record.finish_reason = Some(reason.to_owned());
        });
        let metadata = &mut setting.header.metadata;
        metadata.insert("ignore_eos".to_owned(), asked.into());
        setting
    };
    is_valid(&stopped(2, true));
    gives(&stopped(3, true), Grade::Suspect, "early_stops");
    is_valid(&stopped(200, false));
}

#[test]
fn answers_that_are_cut_short_of_what_was_asked_for() {
    let limited = |limit: u32, reason: &str, asked: bool| {
        let mut setting = closed_loop(4, 20).each(|record| {
            record.max_tokens = Some(limit);
            record.finish_reason = Some(reason.to_owned());
        });
        let metadata = &mut setting.header.metadata;
        metadata.insert("ignore_eos".to_owned(), asked.into());
        setting
    };
    // The builder's answers have 20 tokens.
    is_valid(&limited(20, "length", true));
    gives(
        &limited(21, "length", true),
        Grade::Suspect,
        "short_answers",
    );
    let mut two = limited(20, "length", true);
    two.header.metadata.insert("n".to_owned(), 2.into());
    gives(&two, Grade::Suspect, "short_answers");
    is_valid(&limited(21, "stop", false));
    assert_eq!(limited(21, "stop", true).codes(), ["early_stops"]);
}

#[test]
fn answers_that_the_server_counts_otherwise_than_the_models_tokenizer() {
    let counted = |answers, by_server, by_tokenizer| {
        closed_loop(4, 20).facts(|facts| {
            facts.recounted = Some(Recounted {
                answers,
                by_server,
                by_tokenizer,
            });
        })
    };
    is_valid(&counted(32, 640, 640));
    // An end token each, and a tenth of texts that are cut otherwise than they were generated.
    is_valid(&counted(32, 640 + 32 + 64, 640));
    gives(
        &counted(32, 640 + 32 + 65, 640),
        Grade::Suspect,
        "output_counts_differ",
    );
    // A server that counts the pieces in which it sends.
    gives(
        &counted(32, 320, 640),
        Grade::Suspect,
        "output_counts_differ",
    );
    is_valid(&counted(2, 20, 199));
    // What follows an end token may be no text, so that more tokens than it has are no fault.
    let going_on = |by_server| {
        let mut setting = counted(32, by_server, 640);
        let ignore_eos = serde_json::Value::Bool(true);
        setting
            .header
            .metadata
            .insert("ignore_eos".to_owned(), ignore_eos);
        setting.each(|record| record.finish_reason = Some("length".to_owned()))
    };
    is_valid(&going_on(1280));
    gives(&going_on(320), Grade::Suspect, "output_counts_differ");
    let twice = counted(32, 640, 640);
    let mut second = twice.facts[0].clone();
    second.run.run = 1;
    let mut records = twice.records.clone();
    for record in &mut records {
        record.run.run = 1;
    }
    let both = Setting {
        facts: [twice.facts, vec![second]].concat(),
        records: [twice.records, records].concat(),
        ..twice
    };
    let tokens = both.summarize().points.remove(0).tokens;
    assert_eq!(tokens.recounted.unwrap().by_server, 1280);
}

#[test]
fn first_tokens_that_were_held_back_and_came_together() {
    let held = |count: u64| {
        open_loop(20).each(|record| {
            if record.id < count {
                let (first, after) = record.events.split_at_mut(10);
                let (last, index) = (first[9].arrived, first[9].read_index);
                for event in first {
                    (event.arrived, event.read, event.read_index) = (last, last, index);
                }
                assert!(after.len() > 5);
            }
        })
    };
    assert!(
        !held(2)
            .codes()
            .contains(&"first_tokens_together".to_owned())
    );
    gives(&held(3), Grade::Suspect, "first_tokens_together");
}

#[test]
fn streams_that_come_in_one_piece() {
    // All tokens of the first so many requests in one event, 190 ms after the first would have come.
    let buffered = |count: u64| {
        open_loop(20).each(|record| {
            if record.id < count {
                record.events.drain(..record.events.len() - 1);
            }
        })
    };
    is_valid(&buffered(2));
    gives(&buffered(3), Grade::Suspect, "one_burst_streams");
    // A short answer may come at once.
    let short = |record: &mut Record| {
        record.events.drain(..record.events.len() - 1);
        record.usage = Some(Usage {
            completion_tokens: Some(4),
            ..Usage::default()
        });
    };
    is_valid(&open_loop(20).each(short));
}

#[test]
fn complete_streams_without_a_token() {
    let mut setting = closed_loop(4, 20);
    setting.records[7].events.clear();
    gives(&setting, Grade::Suspect, "complete_without_tokens");
    let whole = |record: &mut Record| {
        record.stream = false;
        record.events.clear();
    };
    is_valid(&closed_loop(4, 20).each(whole));
}

#[test]
fn estimated_token_counts() {
    let mut setting = closed_loop(4, 20);
    setting.records[7].usage = None;
    gives(&setting, Grade::Suspect, "tokens_estimated");
    is_valid(&closed_loop(4, 20).events(|event| event.tokens = Some(1)));
}

#[test]
fn prompts_that_the_server_knew() {
    let cached = |tokens| {
        closed_loop(4, 20).each(|record| {
            record.usage = Some(Usage {
                cached_tokens: Some(tokens),
                ..record.usage.expect("the builder gives one")
            });
        })
    };
    is_valid(&cached(20));
    gives(&cached(21), Grade::Suspect, "cache_hits");
    // As vLLM, which tells it only where it counts for itself.
    let counted = |hits, count| {
        closed_loop(4, 20).facts(|facts| {
            let look = |hits, count| ServerSample {
                ttft_count: Some(count),
                prefix_queries: Some(100.0 * hits),
                prefix_hits: Some(hits * hits),
                ..ServerSample::default()
            };
            facts.server = vec![look(0.0, 0.0), look(hits, count)];
        })
    };
    is_valid(&counted(20.0, 80.0));
    gives(&counted(21.0, 80.0), Grade::Suspect, "cache_hits");
    // They are those of others, too.
    is_valid(&counted(21.0, 90.0));
}

/// Requests that are answered with a vector of four numbers each.
fn embeddings() -> Setting {
    closed_loop(4, 20).each(|record| {
        record.stream = false;
        record.events.clear();
        record.vectors = Some(Vectors {
            count: 1,
            dimensions: Some(4),
            decoding: Nanos(30_000),
        });
    })
}

#[test]
fn a_text_with_two_vectors() {
    let asked = |second: [f32; 2]| {
        embeddings().facts(|facts| facts.asked_again = AskedAgain::of(&[0.6, 0.8], &second))
    };
    is_valid(&embeddings());
    is_valid(&asked([0.6, 0.8]));
    is_valid(&asked([0.61, 0.79]));
    gives(&asked([0.64, 0.76]), Grade::Suspect, "vectors_differ");
    let point = asked([0.64, 0.76]).summarize().points.remove(0);
    let again = point.pooling.unwrap().asked_again.unwrap();
    assert_eq!((again.differing, again.dimensions), (2, 2));
}

#[test]
fn vectors_of_several_sizes() {
    let other = embeddings().each(|record| {
        if record.id == 7
            && let Some(vectors) = &mut record.vectors
        {
            vectors.dimensions = Some(8);
        }
    });
    gives(&other, Grade::Invalid, "vector_sizes");
}

#[test]
fn texts_whose_tokens_are_a_guess_and_texts_that_the_server_counts_otherwise() {
    let planned = |count, exact, told: bool| {
        embeddings().each(|record| {
            record.planned_tokens = Some(PlannedTokens { count, exact });
            record.usage = record.usage.filter(|_| told);
        })
    };
    let source = |setting: &Setting| setting.summarize().points.remove(0).pooling.unwrap();
    gives(
        &planned(90, false, false),
        Grade::Suspect,
        "input_tokens_estimated",
    );
    let counted = planned(90, true, false);
    is_valid(&counted);
    assert_eq!(source(&counted).token_source, TokenSource::Tokenizer);
    let total = source(&counted).tokens_per_batch.unwrap().mean;
    assert!((total - 80.0 * 90.0).abs() < 1e-9, "{total}");
    // The builder's server counts 100.
    is_valid(&planned(100, true, true));
    assert_eq!(
        source(&planned(90, true, true)).token_source,
        TokenSource::Usage
    );
    gives(
        &planned(90, true, true),
        Grade::Suspect,
        "prompt_lengths_differ",
    );
}
