//! Each reason that lies in the load, the client or the connection: a setting that gives it, and the nearest one
//! that does not.

use crate::builder::{
    Setting, burst, closed, closed_loop, every, failure, gives, is_valid, ms, open, open_loop,
    stream,
};
use stats::Grade;
use trace::{Arrival, Nanos, Outcome, Pacing, Record, StampSource, WatchedSecond};

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
fn seconds_in_which_the_machine_disturbed_the_client() {
    let disturbed = |late: u32, of: u32| {
        closed_loop(4, 20).facts(|facts| {
            let second = |number| WatchedSecond {
                number,
                canary_late_max: Some(ms(if number < late { 11 } else { 9 })),
                ..WatchedSecond::default()
            };
            facts.instrument.seconds = (0..of).map(second).collect();
        })
    };
    is_valid(&disturbed(0, 60));
    is_valid(&disturbed(1, 50));
    gives(&disturbed(2, 99), Grade::Suspect, "disturbed_seconds");
    gives(&disturbed(1, 10), Grade::Suspect, "disturbed_seconds");
    // A hiccup in a short run, and two.
    is_valid(&disturbed(1, 9));
    gives(&disturbed(2, 9), Grade::Suspect, "disturbed_seconds");
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
