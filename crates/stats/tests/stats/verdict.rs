//! Each reason: a setting that gives it, and the nearest one that does not.

use crate::builder::{
    Setting, burst, closed, closed_loop, every, failure, ms, open, open_loop, stream,
};
use stats::{Grade, TokenSource};
use trace::{
    Arrival, AskedAgain, Nanos, Outcome, Pacing, PlannedTokens, Record, Recounted, ServerSample,
    StampSource, Usage, Vectors,
};

fn micros(micros: u64) -> Nanos {
    Nanos(micros * 1_000)
}

#[track_caller]
fn gives(setting: &Setting, grade: Grade, code: &str) {
    let verdict = setting.summarize().verdict;
    let reason = verdict.reasons.iter().find(|reason| reason.code == code);
    let reason = reason.unwrap_or_else(|| panic!("no {code} in {:?}", verdict.reasons));
    assert_eq!((reason.grade, reason.point.as_deref()), (grade, Some("8")));
    assert!(verdict.grade >= grade);
    let sentence = &reason.sentence;
    assert!(
        sentence.ends_with('.') && sentence.contains(|c: char| c.is_ascii_digit()),
        "{sentence}"
    );
    assert!(!sentence.contains("  "), "{sentence}");
}

#[track_caller]
fn is_valid(setting: &Setting) {
    let verdict = setting.summarize().verdict;
    assert_eq!((verdict.grade, verdict.reasons), (Grade::Valid, Vec::new()));
}

/// Every read comes so long after its bytes.
fn lagging(setting: Setting, lag: Nanos, stamps: StampSource) -> Setting {
    setting
        .events(|event| event.read = event.arrived + lag)
        .facts(|facts| facts.stamps = stamps)
}

#[test]
fn a_run_without_a_fault_is_valid() {
    is_valid(&closed_loop(4, 20));
    is_valid(&open_loop(80));
    is_valid(&Setting::new(
        burst(8),
        (0..8).map(|n| stream(n, 0, &every(60, 10, 20))).collect(),
    ));
}

#[test]
fn nothing_succeeded() {
    let refused = (0..8).map(|n| failure(n, 0, 5, Outcome::Connect)).collect();
    gives(
        &Setting::new(burst(8), refused),
        Grade::Invalid,
        "nothing_succeeded",
    );
    let silent = Setting::new(burst(8), Vec::new()).codes();
    assert_eq!(silent, ["nothing_succeeded"]);
}

#[test]
fn failures_are_suspect_and_most_failed_is_invalid() {
    let with = |failures: u64| {
        let mut records: Vec<Record> = (0..10).map(|n| stream(n, 0, &every(60, 10, 20))).collect();
        records.extend((10..10 + failures).map(|n| failure(n, 0, 20, Outcome::Truncated)));
        Setting::new(burst(10), records)
    };
    is_valid(&with(0));
    gives(&with(1), Grade::Suspect, "failures");
    gives(&with(10), Grade::Suspect, "failures");
    gives(&with(11), Grade::Invalid, "most_failed");
}

#[test]
fn requests_that_the_plan_held_and_nobody_released() {
    let planned = |planned| closed_loop(4, 25).facts(|facts| facts.planned = planned);
    is_valid(&planned(101));
    gives(&planned(102), Grade::Invalid, "load_not_delivered");
    let stopped = planned(102).facts(|facts| facts.interrupted = true);
    assert_eq!(stopped.codes(), ["interrupted"]);
}

#[test]
fn an_interrupted_run_is_suspect() {
    let stopped = closed_loop(4, 20).facts(|facts| facts.interrupted = true);
    gives(&stopped, Grade::Suspect, "interrupted");
    let mut cancelled = closed_loop(4, 20);
    cancelled.records[79].outcome = Outcome::Cancelled;
    gives(&cancelled, Grade::Suspect, "interrupted");
}

/// Due at moments drawn nowhere near the mean rate asked, and released at `stretch` times those.
fn uneven(stretch: f64) -> Setting {
    let records = (0..80u64).map(|n| {
        let due = n * n * 2;
        let issued = Nanos::from_seconds(ms(due).seconds() * stretch);
        let shift = issued - ms(due);
        let mut record = stream(n, due, &every(due + 600, 100, 20));
        record.issued = issued;
        record.connected = Some(issued);
        record.done = record.done + shift;
        for event in &mut record.events {
            event.arrived = event.arrived + shift;
            event.read = event.arrived;
        }
        record
    });
    Setting::new(open(10.0), records.collect())
}

#[test]
fn a_rate_is_compared_with_the_due_times_as_drawn() {
    assert!(
        !uneven(1.0)
            .codes()
            .contains(&"load_not_delivered".to_owned())
    );
    gives(&uneven(1.02), Grade::Invalid, "load_not_delivered");
    // Too early is off too, though nothing is late.
    gives(&uneven(0.98), Grade::Invalid, "load_not_delivered");
}

#[test]
fn release_may_be_late_by_5_ms_or_by_a_twentieth_of_the_latency() {
    let late = |lag: Nanos| {
        open_loop(80).each(|record| record.due = Nanos(record.due.0.saturating_sub(lag.0)))
    };
    is_valid(&late(micros(4_900)));
    gives(&late(micros(5_100)), Grade::Invalid, "load_not_delivered");
    // A first token after 200 ms allows 10 ms.
    let slow = (0..80).map(|n| stream(n, 100 + n * 100, &every(300 + n * 100, 10, 20)));
    let slow = Setting::new(open(10.0), slow.collect());
    is_valid(
        &slow
            .clone()
            .each(|record| record.due = record.issued - ms(9)),
    );
    let too_late = slow.each(|record| record.due = record.issued - ms(11));
    gives(&too_late, Grade::Invalid, "load_not_delivered");
}

#[test]
fn arrivals_held_back_by_the_users_own_limit_are_suspect() {
    let mut setting = open_loop(80).each(|record| record.due = record.due - ms(50));
    setting.header.points[0].pacing = Pacing::Open {
        arrival: Arrival::Constant { rate: 10.0 },
        max_concurrency: Some(3),
    };
    assert_eq!(setting.codes(), ["concurrency_capped"]);
    gives(&setting, Grade::Suspect, "concurrency_capped");
}

#[test]
fn a_concurrency_that_was_never_reached() {
    let mut setting = closed_loop(4, 20);
    setting.header.points[0].pacing = closed(5);
    gives(&setting, Grade::Invalid, "concurrency_not_reached");
    is_valid(&closed_loop(5, 20));
}

#[test]
fn a_concurrency_that_was_not_held_while_requests_were_left() {
    // Each slot rests between its requests of 250 ms.
    let resting = |rest: u64| {
        let request = |n: u64| {
            let issued = n / 4 * (250 + rest);
            stream(n, issued, &every(issued + 60, 10, 20))
        };
        Setting::new(closed(4), (0..80).map(request).collect())
    };
    is_valid(&resting(12));
    gives(&resting(15), Grade::Invalid, "concurrency_not_reached");
}

#[test]
fn the_tail_of_a_closed_loop_is_no_failure_to_hold_the_concurrency() {
    let mut setting = closed_loop(4, 20);
    setting.records[79] = stream(79, 4_750, &every(4_810, 10, 2_000));
    is_valid(&setting);
}

#[test]
fn fewer_requests_than_the_concurrency_asked() {
    let mut setting = closed_loop(4, 2);
    setting.header.points[0].pacing = closed(9);
    gives(&setting, Grade::Suspect, "too_few_requests");
    setting.header.points[0].pacing = closed(8);
    assert_eq!(setting.codes(), ["concurrency_not_reached"]);
}

#[test]
fn littles_law_that_does_not_hold() {
    let lingering = |tail: u64| {
        let request = |n: u64| {
            let issued = n / 4 * 250;
            let mut record = stream(n, issued, &every(issued + 60, 10, 20 - tail / 10));
            record.done = ms(issued + 250);
            record
        };
        Setting::new(closed(4), (0..80).map(request).collect())
    };
    is_valid(&lingering(20));
    gives(&lingering(40), Grade::Suspect, "littles_law");
    // The law holds for any load.
    let on_schedule = open_loop(80).each(|record| record.done = record.done + ms(40));
    gives(&on_schedule, Grade::Suspect, "littles_law");
}

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
fn a_client_whose_typical_lag_is_a_tenth_of_what_it_measures() {
    for stamps in [StampSource::Kernel, StampSource::User] {
        is_valid(&lagging(closed_loop(4, 20), micros(990), stamps));
        let late = lagging(closed_loop(4, 20), micros(1_010), stamps);
        gives(&late, Grade::Invalid, "client_starved");
    }
    // No gaps: a tenth of the time to first token.
    let single = |lag| {
        let records = (0..8).map(|n| stream(n, 0, &[60])).collect();
        lagging(
            Setting::new(burst(8), records),
            micros(lag),
            StampSource::Kernel,
        )
    };
    is_valid(&single(5_900));
    gives(&single(6_100), Grade::Invalid, "client_starved");
    // No stream: a tenth of the whole.
    let whole = |lag| {
        closed_loop(4, 20).each(|record| {
            record.stream = false;
            record.events.clear();
            record.done_read = record.done + micros(lag);
        })
    };
    is_valid(&whole(24_000));
    gives(&whole(26_000), Grade::Invalid, "client_starved");
}

#[test]
fn a_small_machine_with_kernel_stamps_may_wake_in_its_own_time() {
    let fast = |lag, stamps| {
        let records = (0..8).map(|n| stream(n, 0, &every(60, 1, 200)));
        let halved = Setting::new(burst(8), records.collect())
            .events(|event| event.arrived = Nanos(event.arrived.0 / 2));
        lagging(halved, micros(lag), stamps)
    };
    is_valid(&fast(90, StampSource::Kernel));
    gives(
        &fast(90, StampSource::User),
        Grade::Invalid,
        "client_starved",
    );
    gives(
        &fast(110, StampSource::Kernel),
        Grade::Invalid,
        "client_starved",
    );
}

/// Two of a hundred reads are late.
fn rarely_late(lag: Nanos, stamps: StampSource) -> Setting {
    let mut setting = lagging(closed_loop(4, 20), Nanos(0), stamps);
    for event in setting
        .records
        .iter_mut()
        .flat_map(|record| record.events.iter_mut().take(1))
    {
        event.read = event.arrived + lag;
    }
    setting
}

#[test]
fn rare_lag_matters_to_user_space_stamps_by_the_first_token_and_to_the_kernels_by_the_gap() {
    is_valid(&rarely_late(micros(5_900), StampSource::User));
    gives(
        &rarely_late(micros(6_100), StampSource::User),
        Grade::Invalid,
        "client_starved",
    );
    is_valid(&rarely_late(micros(990), StampSource::Kernel));
    gives(
        &rarely_late(micros(1_010), StampSource::Kernel),
        Grade::Suspect,
        "client_lag",
    );
    assert_eq!(
        rarely_late(micros(6_100), StampSource::Kernel).codes(),
        ["client_lag"]
    );
}

#[test]
fn a_late_canary_says_that_the_client_was_starved() {
    let canary = |late: Nanos, stamps| {
        closed_loop(4, 20).facts(|facts| {
            facts.instrument.canary_late_p99 = Some(late);
            facts.stamps = stamps;
        })
    };
    // A tenth of the time to first token is 6 ms; of the gap, which user space stamps, 1 ms.
    is_valid(&canary(micros(5_900), StampSource::Kernel));
    gives(
        &canary(micros(6_100), StampSource::Kernel),
        Grade::Invalid,
        "timer_late",
    );
    is_valid(&canary(micros(1_900), StampSource::User));
    gives(
        &canary(micros(2_100), StampSource::User),
        Grade::Invalid,
        "timer_late",
    );
}

#[test]
fn one_short_run_with_a_hiccup_among_three_is_no_starvation() {
    let run = |run: u32, late: u64| {
        let mut setting = closed_loop(4, 20);
        setting.facts[0].run.run = run;
        setting.facts[0].instrument.canary_late_p99 = Some(ms(late));
        setting.each(|record| record.run.run = run)
    };
    let joined = |late: [u64; 3]| {
        let mut all = run(0, late[0]);
        for (number, late) in (1..).zip(&late[1..]) {
            let next = run(number, *late);
            all.records.extend(next.records);
            all.facts.extend(next.facts);
        }
        all
    };
    is_valid(&joined([1, 50, 1]));
    gives(&joined([1, 50, 50]), Grade::Invalid, "timer_late");
}

#[test]
fn stolen_throttled_and_used_up_processors() {
    // The run takes five seconds.
    let long = || closed_loop(4, 20);
    is_valid(&long().facts(|facts| facts.instrument.steal = Some(ms(100))));
    let stolen = long().facts(|facts| facts.instrument.steal = Some(ms(110)));
    gives(&stolen, Grade::Invalid, "cpu_stolen");
    is_valid(&long().facts(|facts| facts.instrument.throttled = Some(ms(50))));
    let throttled = long().facts(|facts| facts.instrument.throttled = Some(ms(51)));
    gives(&throttled, Grade::Invalid, "cpu_throttled");
    is_valid(&long().facts(|facts| facts.instrument.receiver_cpu = Some(ms(4_700))));
    let saturated = long().facts(|facts| facts.instrument.receiver_cpu = Some(ms(4_750)));
    gives(&saturated, Grade::Invalid, "receiver_saturated");
}

#[test]
fn one_tick_stolen_from_a_short_run_is_noise() {
    let short = |steal| {
        let records = (0..8).map(|n| stream(n, 0, &every(60, 10, 20))).collect();
        Setting::new(burst(8), records).facts(|facts| facts.instrument.steal = Some(ms(steal)))
    };
    is_valid(&short(10));
    gives(&short(20), Grade::Invalid, "cpu_stolen");
}

#[test]
fn descriptors_and_ports_that_ran_out() {
    let failing = |words: &str| {
        let mut setting = closed_loop(4, 20);
        setting.records[79].outcome = Outcome::Connect;
        setting.records[79].detail = Some(words.to_owned());
        setting.facts(|facts| facts.instrument.file_descriptor_limit = Some(1_024))
    };
    for words in [
        "Too many open files (os error 24)",
        "Cannot assign requested address (os error 99)",
        "address not available",
    ] {
        gives(&failing(words), Grade::Invalid, "out_of_sockets");
    }
    assert_eq!(
        failing("Connection refused (os error 111)").codes(),
        ["failures"]
    );
}

#[test]
fn a_run_that_left_no_facts_is_suspect() {
    let mut killed = closed_loop(4, 20);
    killed.facts.clear();
    gives(&killed, Grade::Suspect, "facts_missing");
    assert_eq!(killed.summarize().points[0].reliability.planned, 80);
}

#[test]
fn a_sample_that_carries_no_percentile() {
    let burst_of = |n: u32| {
        let records = (0..n.into())
            .map(|id| stream(id, 0, &every(60, 10, 20)))
            .collect();
        Setting::new(burst(n), records)
    };
    is_valid(&burst_of(6));
    gives(&burst_of(5), Grade::Suspect, "few_samples");
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

/// The first `pairs` of the ten pairs of events of each stream come in one read.
fn coalesced(pairs: usize, lag: Nanos) -> Setting {
    let merge = |record: &mut Record| {
        for n in (0..pairs).map(|pair| 2 * pair) {
            record.events[n].arrived = record.events[n + 1].arrived;
            record.events[n].read_index = record.events[n + 1].read_index;
        }
    };
    lagging(closed_loop(4, 20).each(merge), lag, StampSource::Kernel)
}

#[test]
fn coalesced_reads_name_who_merged_them() {
    let sentence = |setting: &Setting| {
        let reasons = setting.summarize().verdict.reasons;
        let reason = reasons
            .into_iter()
            .find(|reason| reason.code == "coalesced_reads");
        reason.expect("coalesced").sentence
    };
    is_valid(&coalesced(4, Nanos(0)));
    let by_server = coalesced(5, Nanos(0));
    gives(&by_server, Grade::Suspect, "coalesced_reads");
    assert!(sentence(&by_server).contains("the server or the network sends them together"));
    assert!(sentence(&coalesced(5, ms(9))).contains("The client was late itself"));
    let unknown = by_server.facts(|facts| facts.stamps = StampSource::User);
    assert!(sentence(&unknown).contains("cannot be told"));
}

#[test]
fn a_comb_of_40_ms_is_told_from_a_server_with_a_step_of_40_ms() {
    // Four tokens every 40 ms.
    let comb = |read_gap: u64| {
        let request = |id| {
            let tokens: Vec<u64> = (0..40).map(|n| 60 + n / 4 * read_gap).collect();
            stream(id, 0, &tokens)
        };
        Setting::new(burst(8), (0..8).map(request).collect())
    };
    gives(&comb(41), Grade::Suspect, "delayed_ack_comb");
    is_valid(&comb(50));
    let steps = (0..8).map(|id| stream(id, 0, &every(60, 40, 20))).collect();
    is_valid(&Setting::new(burst(8), steps));
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
    let counted = |hits| {
        closed_loop(4, 20).facts(|facts| {
            let look = |hits| ServerSample {
                prefix_queries: Some(100.0 * hits),
                prefix_hits: Some(hits * hits),
                ..ServerSample::default()
            };
            facts.server = vec![look(0.0), look(hits)];
        })
    };
    is_valid(&counted(20.0));
    gives(&counted(21.0), Grade::Suspect, "cache_hits");
}

/// Requests that are answered with a vector of four numbers each.
fn embeddings() -> Setting {
    closed_loop(4, 20).each(|record| {
        record.stream = false;
        record.events.clear();
        record.vectors = Some(Vectors {
            count: 1,
            dimensions: Some(4),
            decoding: micros(30),
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

/// One slot, whose requests take longer and longer: from 250 ms, by `step` every two.
fn slowing(count: u64, step: u64) -> Setting {
    let mut issued = 0;
    let request = |n: u64| {
        let record = stream(n, issued, &every(issued + 60 + n * step / 2, 10, 20));
        issued += 250 + n * step / 2;
        record
    };
    Setting::new(closed(1), (0..count).map(request).collect())
}

#[test]
fn latency_that_drifts_over_the_run() {
    gives(&slowing(60, 4), Grade::Suspect, "drift");
    // By less than 10 %.
    is_valid(&slowing(60, 1));
    // Too few to tell drift from chance.
    is_valid(&slowing(39, 4));
}
