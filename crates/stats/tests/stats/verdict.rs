//! Each reason that lies in the load, the client or the connection: a setting that gives it, and the nearest one
//! that does not.

use crate::builder::{
    Setting, burst, closed, closed_loop, every, failure, gives, is_valid, ms, notes, open,
    open_loop, stream,
};
use stats::Grade;
use trace::{Arrival, Beside, Nanos, Outcome, Pacing, Record, StampSource, WatchedSecond};

fn micros(micros: u64) -> Nanos {
    Nanos(micros * 1_000)
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
fn a_body_that_stays_open_after_its_answer_is_not_the_clients_fault() {
    let open = |rest: u64, released: bool| {
        let request = |n: u64| {
            let issued = n / 4 * (250 + rest);
            stream(n, issued, &every(issued + 60, 10, 20))
        };
        let setting = Setting::new(closed(4), (0..80).map(request).collect());
        setting.each(|record| record.released = released.then(|| record.done + ms(rest)))
    };
    gives(&open(100, true), Grade::Invalid, "bodies_left_open");
    gives(&open(100, false), Grade::Invalid, "concurrency_not_reached");
    is_valid(&open(12, true));
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
fn littles_law_counts_the_time_in_which_a_slot_is_held() {
    // Streams stay open after their last token, and half of them are empty.
    let lingering = closed_loop(4, 20).each(|record| {
        let last = record.events.last().expect("tokens").arrived;
        let tail = if record.id % 2 == 0 { 150 } else { 250 };
        record
            .events
            .retain(|event| event.arrived <= last - ms(tail));
    });
    assert!(!lingering.codes().contains(&"littles_law".to_owned()));
    let concurrency = lingering.summarize().points.remove(0).concurrency;
    assert_eq!(concurrency.littles_law, concurrency.achieved);
    let on_schedule = open_loop(80).each(|record| record.done = record.done + ms(40));
    is_valid(&on_schedule);
}

#[test]
fn littles_law_that_does_not_hold() {
    // Last tokens that came after the end contradict it.
    let contradictory =
        |early: u64| closed_loop(4, 20).each(|record| record.done = record.done - ms(early));
    assert!(
        !contradictory(20)
            .codes()
            .contains(&"littles_law".to_owned())
    );
    gives(&contradictory(40), Grade::Suspect, "littles_law");
}

#[test]
fn lag_that_the_kernels_stamps_keep_out_of_the_latencies_is_judged_by_the_rate() {
    let lagging = |micros: u64| {
        lagging(
            closed_loop(4, 20),
            Nanos(micros * 1_000),
            StampSource::Kernel,
        )
    };
    is_valid(&lagging(990));
    // A tenth of a gap, and 0.4 % of a request of 250 ms.
    notes(&lagging(1_010), "client_starved");
    notes(&lagging(4_900), "client_starved");
    gives(&lagging(5_100), Grade::Suspect, "client_starved");
    gives(&lagging(51_000), Grade::Invalid, "client_starved");
    // No follow-up waits for the client in a burst.
    let single = |lag| {
        let records = (0..8).map(|n| stream(n, 0, &[60])).collect();
        let setting = Setting::new(burst(8), records);
        self::lagging(setting, micros(lag), StampSource::Kernel)
    };
    notes(&single(6_100), "client_starved");
}

#[test]
fn lag_that_user_space_stamps_is_judged_by_each_latency() {
    let lagging =
        |micros: u64| lagging(closed_loop(4, 20), Nanos(micros * 1_000), StampSource::User);
    is_valid(&lagging(990));
    gives(&lagging(1_010), Grade::Suspect, "client_starved");
    // Gaps alone make nothing invalid; a fifth of the time to first token does.
    gives(&lagging(2_010), Grade::Suspect, "client_starved");
    gives(&lagging(12_100), Grade::Invalid, "client_starved");
    // No stream: a tenth of the whole.
    let whole = |lag| {
        closed_loop(4, 20).each(|record| {
            record.stream = false;
            record.events.clear();
            record.done_read = record.done + micros(lag);
        })
    };
    is_valid(&whole(24_000));
    let user = whole(26_000).facts(|facts| facts.stamps = StampSource::User);
    gives(&user, Grade::Suspect, "client_starved");
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
fn rare_lag_matters_to_user_space_stamps_and_hardly_to_the_kernels() {
    is_valid(&rarely_late(micros(5_900), StampSource::User));
    gives(
        &rarely_late(micros(6_100), StampSource::User),
        Grade::Suspect,
        "client_starved",
    );
    is_valid(&rarely_late(micros(990), StampSource::Kernel));
    notes(
        &rarely_late(micros(1_010), StampSource::Kernel),
        "client_lag",
    );
    notes(
        &rarely_late(micros(6_100), StampSource::Kernel),
        "client_lag",
    );
}

/// Each request leaves so long after its beginning.
fn sent_late(setting: Setting, late: Nanos) -> Setting {
    setting.each(|record| record.sent = Some(record.issued + late))
}

#[test]
fn a_late_canary_is_judged_by_what_left_late() {
    let canary = |late: Nanos, stamps| {
        closed_loop(4, 20).facts(|facts| {
            facts.instrument.canary_late_p99 = Some(late);
            facts.stamps = stamps;
        })
    };
    is_valid(&canary(micros(5_900), StampSource::Kernel));
    let late = || canary(micros(6_100), StampSource::Kernel);
    notes(&late(), "timer_late");
    // 2 % of a time to first token of 60 ms, and a fifth.
    notes(&sent_late(late(), micros(1_190)), "timer_late");
    gives(
        &sent_late(late(), micros(1_210)),
        Grade::Suspect,
        "timer_late",
    );
    gives(
        &sent_late(late(), micros(12_100)),
        Grade::Invalid,
        "timer_late",
    );
    // Without the kernel's stamps what arrives is stamped as late as that.
    is_valid(&canary(micros(1_900), StampSource::User));
    gives(
        &canary(micros(2_100), StampSource::User),
        Grade::Suspect,
        "timer_late",
    );
    gives(
        &canary(micros(13_000), StampSource::User),
        Grade::Invalid,
        "timer_late",
    );
}

#[test]
fn events_that_waited_together_for_a_late_client_are_in_the_longest_gaps() {
    let late = |pairs| {
        let setting = coalesced(pairs, ms(4));
        let verdict = setting.summarize().verdict;
        let all = verdict.reasons.into_iter().chain(verdict.facts);
        let bounds = all.flat_map(|reason| reason.bounds);
        let mut numbers = bounds.map(|bound| bound.number);
        (
            verdict.grade,
            numbers.any(|number| number == "chunk_gap.p99"),
        )
    };
    assert_eq!(late(0), (Grade::Valid, false));
    assert_eq!(late(1), (Grade::Suspect, true));
}

#[test]
fn what_a_reason_says_of_an_error_is_in_the_summary() {
    let late = sent_late(
        lagging(closed_loop(4, 20), ms(6), StampSource::Kernel),
        micros(600),
    );
    let verdict = late.summarize().verdict;
    let reason = &verdict.reasons[0];
    let bound = |number: &str| reason.bounds.iter().find(|bound| bound.number == number);
    let rate = bound("output_tokens_per_second").expect("a rate");
    assert!(
        (rate.relative - 6.6 / 249.4).abs() < 1e-9 && rate.unit == "/s",
        "{rate:?}"
    );
    let ttft = bound("ttft.p50").expect("a latency");
    assert!(
        (ttft.absolute - 0.6).abs() < 1e-9 && (ttft.relative - 0.01).abs() < 1e-9,
        "{ttft:?}"
    );
    assert!(
        reason
            .sentence
            .contains("output_tokens_per_second can be off by"),
        "{}",
        reason.sentence
    );
}

#[test]
fn others_that_take_a_tenth_of_the_processors_are_a_reason_whatever_they_did() {
    // Two processors for five seconds.
    let beside = |others: u64, server: Option<u64>| {
        closed_loop(4, 20).facts(|facts| {
            facts.instrument.beside = Some(Beside {
                watched: ms(5_000),
                processors: 2,
                others: ms(others),
                server: server.map(ms),
            });
        })
    };
    is_valid(&beside(990, Some(9_000)));
    gives(&beside(1_010, Some(0)), Grade::Suspect, "processors_shared");
    gives(&beside(1_010, None), Grade::Suspect, "processors_shared");
    gives(&beside(5_100, None), Grade::Invalid, "processors_shared");
    // Ticks of a moment are noise.
    let moment = closed_loop(4, 20).facts(|facts| {
        facts.instrument.beside = Some(Beside {
            watched: ms(200),
            processors: 2,
            others: ms(90),
            server: None,
        });
    });
    is_valid(&moment);
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
    notes(&joined([1, 50, 50]), "timer_late");
}

#[test]
fn stolen_throttled_and_used_up_processors() {
    // The run takes five seconds.
    let long = || closed_loop(4, 20);
    is_valid(&long().facts(|facts| facts.instrument.steal = Some(ms(100))));
    let stolen = long().facts(|facts| facts.instrument.steal = Some(ms(110)));
    gives(&stolen, Grade::Suspect, "cpu_stolen");
    let much = long().facts(|facts| facts.instrument.steal = Some(ms(1_010)));
    gives(&much, Grade::Invalid, "cpu_stolen");
    is_valid(&long().facts(|facts| facts.instrument.throttled = Some(ms(50))));
    let throttled = long().facts(|facts| facts.instrument.throttled = Some(ms(51)));
    notes(&throttled, "cpu_throttled");
    let throttled = long().facts(|facts| facts.instrument.throttled = Some(ms(110)));
    gives(&throttled, Grade::Suspect, "cpu_throttled");
    is_valid(&long().facts(|facts| facts.instrument.receiver_cpu = Some(ms(4_700))));
    let saturated = long().facts(|facts| facts.instrument.receiver_cpu = Some(ms(4_750)));
    gives(&saturated, Grade::Invalid, "receiver_saturated");
}

/// Of a run of five seconds, these were disturbed in that way.
fn with_seconds(numbers: &[u32], of: u32, disturb: fn(&mut WatchedSecond)) -> Setting {
    closed_loop(4, 20).facts(|facts| {
        let second = |number| {
            let mut second = WatchedSecond {
                number,
                canary_late_max: Some(ms(9)),
                ..WatchedSecond::default()
            };
            if numbers.contains(&number) {
                disturb(&mut second);
            }
            second
        };
        facts.instrument.began = Some(Nanos(0));
        facts.instrument.seconds = (0..of).map(second).collect();
    })
}

#[test]
fn seconds_in_which_the_machine_disturbed_the_client_are_judged_by_what_came_in_them() {
    let late = |second: &mut WatchedSecond| second.canary_late_max = Some(ms(11));
    is_valid(&with_seconds(&[], 60, late));
    is_valid(&with_seconds(&[0], 50, late));
    // A hiccup in a short run, and two.
    is_valid(&with_seconds(&[0], 40, late));
    notes(&with_seconds(&[0, 1], 9, late), "disturbed_seconds");
    // What came in them took longer.
    let slow = with_seconds(&[0, 1], 9, late).each(|record| {
        if record.issued < ms(500) {
            let last = record.events.last_mut().expect("tokens");
            last.arrived = last.arrived + ms(10);
            last.read = last.arrived;
            record.done = last.arrived;
        }
    });
    gives(&slow, Grade::Suspect, "disturbed_seconds");
    // Where all were disturbed, what was lost cannot be compared, and what was only late is measured.
    let all: Vec<u32> = (0..6).collect();
    notes(&with_seconds(&all, 6, late), "disturbed_seconds");
    let lost = with_seconds(&all, 6, |second| second.queue_drops = Some(1));
    gives(&lost, Grade::Suspect, "disturbed_seconds");
}

#[test]
fn one_tick_stolen_from_a_short_run_is_noise() {
    let short = |steal| {
        let records = (0..8).map(|n| stream(n, 0, &every(60, 10, 20))).collect();
        Setting::new(burst(8), records).facts(|facts| facts.instrument.steal = Some(ms(steal)))
    };
    is_valid(&short(10));
    gives(&short(20), Grade::Suspect, "cpu_stolen");
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

/// The first `pairs` of events after the first one of each stream come in one read.
fn coalesced(pairs: usize, lag: Nanos) -> Setting {
    let merge = |record: &mut Record| {
        for n in (0..pairs).map(|pair| 2 * pair + 1) {
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
    // One token, and then four every 40 ms.
    let comb = |read_gap: u64| {
        let request = |id| {
            let tokens: Vec<u64> = (3..44).map(|n| 60 + n / 4 * read_gap).collect();
            stream(id, 0, &tokens)
        };
        Setting::new(burst(8), (0..8).map(request).collect())
    };
    gives(&comb(41), Grade::Suspect, "delayed_ack_comb");
    is_valid(&comb(50));
    let steps = (0..8).map(|id| stream(id, 0, &every(60, 40, 20))).collect();
    is_valid(&Setting::new(burst(8), steps));
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
