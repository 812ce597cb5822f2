use crate::builder::{Setting, burst, closed, closed_loop, every, failure, ms, open_loop, stream};
use proptest::prelude::*;
use stats::{PointSummary, Verdict, summarize, summarize_saved};
use trace::{EventKind, Outcome, Record, RunId, SavedRun, Slo, TimeoutKind, Usage};

fn only_point(setting: &Setting) -> PointSummary {
    setting.summarize().points.remove(0)
}

fn close(actual: f64, expected: f64) {
    assert!(
        (actual - expected).abs() < 1e-9 * expected.abs().max(1.0),
        "{actual} for {expected}"
    );
}

#[test]
fn a_burst_of_three_has_the_first_seeds_numbers() {
    // Released at 1.000, 1.002 and 1.004 s, done at 2, 3 and 5 s with 10, 20 and 30 tokens.
    let records = vec![
        stream(0, 1_000, &every(1_100, 100, 10)),
        stream(1, 1_002, &every(1_100, 100, 20)),
        stream(2, 1_004, &every(2_100, 100, 30)),
    ];
    let point = only_point(&Setting::new(burst(3), records));
    let mean = |value: Option<stats::MeanStd>| value.expect("a value").mean;
    close(mean(point.timings.batch_total_seconds), 4.0);
    close(mean(point.timings.fastest_seconds), 1.0);
    close(mean(point.timings.slowest_seconds), 4.0);
    close(mean(point.timings.spread_seconds), 3.0);
    close(mean(point.throughput.batch_tokens_per_second), 60.0 / 4.0);
    let rates = [10.0 / 1.0, 20.0 / 1.998, 30.0 / 3.996];
    close(
        mean(point.throughput.request_tokens_per_second),
        rates.iter().sum::<f64>() / 3.0,
    );
    let output = point.tokens.output_per_request.expect("counted");
    close(output.mean, 20.0);
    close(output.std, 10.0);
    close(mean(point.tokens.input_per_request), 100.0);
    assert_eq!(
        (point.tokens.input_total, point.tokens.output_total),
        (Some(300), Some(60))
    );
}

#[test]
fn each_batch_of_a_burst_counts_from_its_own_start() {
    let records = vec![
        stream(0, 0, &[100]),
        stream(1, 0, &[300]),
        stream(2, 300, &[350]),
        stream(3, 300, &[500]),
    ];
    let timings = only_point(&Setting::new(burst(2), records)).timings;
    close(timings.fastest_seconds.expect("a value").mean, 0.05);
    close(timings.slowest_seconds.expect("a value").mean, 0.3);
    close(timings.batch_total_seconds.expect("a value").mean, 0.5);
}

#[test]
fn durations_spread_over_runs_and_requests_are_pooled() {
    let second = |mut record: Record| {
        record.run.run = 1;
        record
    };
    let records = vec![stream(0, 0, &[1_000]), second(stream(1, 5_000, &[8_000]))];
    let point = only_point(&Setting::new(burst(1), records));
    assert_eq!(point.runs, 2);
    let total = point.timings.batch_total_seconds.expect("two runs");
    close(total.mean, 2.0);
    close(total.std, 2.0f64.sqrt());
    assert_eq!(point.latency.e2e.expect("two requests").n, 2);
    assert_eq!(point.throughput.batch_tokens_per_second_interval, None);
}

#[test]
fn a_straggler_lowers_the_throughput_of_the_run_but_not_of_the_window() {
    // Five slots, four rounds of a second each at 20 tokens/s per slot; then one request alone
    // for sixteen seconds more at 20 tokens/s.
    let mut records: Vec<Record> = (0..20)
        .map(|n| stream(n, n / 5 * 1_000, &every(n / 5 * 1_000 + 50, 50, 20)))
        .collect();
    records[19] = stream(19, 3_000, &every(3_050, 50, 20 * 17));
    let point = only_point(&Setting::new(closed(5), records));
    let whole = point
        .throughput
        .output_tokens_per_second
        .expect("tokens")
        .mean;
    close(whole, f64::from(19 * 20 + 340) / 20.0);
    let steady = point.steady_state.expect("a window");
    close(steady.seconds, 4.0);
    close(steady.share, 0.2);
    close(steady.output_tokens_per_second.expect("tokens").mean, 100.0);
    assert_eq!(steady.e2e.expect("requests").n, 20);
}

#[test]
fn an_open_loop_is_steady_after_one_latency_and_until_the_last_arrival() {
    // Ten per second for ten seconds, 250 ms each.
    let steady = only_point(&open_loop(101)).steady_state.expect("a window");
    close(steady.seconds, 9.75);
    close(
        steady.output_tokens_per_second.expect("tokens").mean,
        1_950.0 / 9.75,
    );
    // Issued at 300 ms to 10 s.
    assert_eq!(steady.e2e.expect("requests").n, 98);
}

#[test]
fn a_burst_is_steady_while_four_fifths_of_it_are_left() {
    let records = (0..5)
        .map(|n| stream(n, 0, &every(100, 100, (n + 1) * 4)))
        .collect();
    let steady = only_point(&Setting::new(burst(5), records))
        .steady_state
        .expect("a window");
    // The second to finish, at 800 ms, leaves three.
    close(steady.seconds, 0.8);
    close(
        steady.output_tokens_per_second.expect("tokens").mean,
        f64::from(4 + 4 * 8) / 0.8,
    );
}

#[test]
fn too_short_a_window_is_none() {
    let records = (0..4)
        .map(|n| stream(n, 0, &[100, 100 + 100 * n]))
        .collect();
    assert_eq!(
        only_point(&Setting::new(closed(4), records)).steady_state,
        None
    );
}

#[test]
fn failed_requests_stay_in_the_denominators_and_their_tokens_out_of_every_count() {
    let truncated = Record {
        outcome: Outcome::Truncated,
        ..stream(2, 0, &every(50, 10, 90))
    };
    let refused = Record {
        status: Some(429),
        detail: Some("slow down".to_owned()),
        ..failure(3, 0, 5, Outcome::Http)
    };
    let other = Record {
        id: 4,
        detail: Some("later words".to_owned()),
        ..refused.clone()
    };
    let records = vec![
        stream(0, 0, &every(500, 10, 51)),
        stream(1, 0, &every(500, 10, 51)),
        truncated,
        refused,
        other,
        failure(5, 0, 9, Outcome::Cancelled),
    ];
    let mut setting = Setting::new(burst(6), records);
    setting.header.slo = Some(Slo {
        e2e_ms: Some(2_000.0),
        ..Slo::default()
    });
    let point = only_point(&setting);
    let r = &point.reliability;
    assert_eq!((r.issued, r.complete, r.failed, r.cancelled), (6, 2, 3, 1));
    close(r.success_rate.expect("some issued"), 2.0 / 6.0);
    assert_eq!(
        (r.failures[0].kind.as_str(), r.failures[0].count),
        ("http_429", 2)
    );
    assert_eq!(r.failures[0].example.as_deref(), Some("slow down"));
    assert_eq!(r.failures[1].kind, "truncated");
    close(point.goodput.expect("an objective").share, 2.0 / 6.0);
    assert_eq!(point.tokens.output_total, Some(102));
    close(
        point
            .throughput
            .output_tokens_per_second
            .expect("tokens")
            .mean,
        102.0,
    );
    close(
        point.throughput.requests_per_second.expect("requests").mean,
        2.0,
    );
    assert_eq!(point.latency.ttft.expect("two").n, 2);
}

#[test]
fn goodput_counts_who_met_every_objective() {
    let mut setting = closed_loop(2, 2);
    setting.records.push(stream(9, 500, &[560]));
    let share = |slo: Slo| {
        let mut setting = setting.clone();
        setting.header.slo = Some(slo);
        only_point(&setting).goodput.map(|goodput| goodput.share)
    };
    let slo = |ttft, tpot, e2e| Slo {
        ttft_ms: ttft,
        tpot_ms: tpot,
        e2e_ms: e2e,
    };
    assert_eq!(share(slo(Some(60.0), Some(10.0), Some(250.0))), Some(1.0));
    assert_eq!(share(slo(Some(59.9), None, None)), Some(0.0));
    // A single token has no time between tokens that could be too long.
    assert_eq!(share(slo(None, Some(9.0), None)), Some(0.2));
    assert_eq!(share(slo(None, None, Some(100.0))), Some(0.2));
    assert_eq!(share(Slo::default()), None);
}

#[test]
fn what_was_not_measured_meets_no_objective() {
    let whole = |record: &mut Record| {
        record.stream = false;
        record.events.clear();
    };
    let mut setting = closed_loop(2, 2).each(whole);
    setting.header.slo = Some(Slo {
        tpot_ms: Some(1e6),
        ..Slo::default()
    });
    close(
        only_point(&setting).goodput.expect("an objective").share,
        0.0,
    );
}

#[test]
fn concurrency_is_averaged_over_time_and_agrees_with_littles_law() {
    let concurrency = only_point(&closed_loop(4, 10)).concurrency;
    assert_eq!((concurrency.asked, concurrency.peak), (Some(4), 4));
    close(concurrency.achieved.expect("a run"), 4.0);
    close(concurrency.littles_law.expect("a run"), 4.0);
    assert_eq!(
        (concurrency.asked_rate, concurrency.issued_rate),
        (None, None)
    );
}

#[test]
fn an_open_loop_reports_the_rate_at_which_it_released() {
    let concurrency = only_point(&open_loop(11)).concurrency;
    assert_eq!(
        (concurrency.asked, concurrency.asked_rate),
        (None, Some(10.0))
    );
    close(concurrency.issued_rate.expect("requests"), 10.0);
}

#[test]
fn latencies_from_due_belong_to_schedules() {
    let late = |record: &mut Record| record.due = record.due - ms(2);
    let latency = only_point(&closed_loop(2, 4).each(late)).latency;
    assert!(latency.ttft_from_due.is_none() && latency.issue_lag.is_none());
    let latency = only_point(&open_loop(20).each(late)).latency;
    close(latency.issue_lag.expect("a schedule").p50.value, 2.0);
    close(latency.ttft_from_due.expect("a schedule").p50.value, 62.0);
}

#[test]
fn first_output_is_shown_where_it_differs_from_the_first_token() {
    assert_eq!(only_point(&closed_loop(2, 4)).latency.ttfo, None);
    let reasons = |record: &mut Record| record.events[0].kind = EventKind::Reasoning;
    let latency = only_point(&closed_loop(2, 4).each(reasons)).latency;
    close(latency.ttfo.expect("reasoning").p50.value, 70.0);
}

#[test]
fn coalesced_events_are_counted_with_the_gap_before_their_read() {
    let coalesce = |record: &mut Record| {
        // Twenty events in ten reads, stamped by the second of each pair.
        for n in 0..20 {
            record.events[n].read_index /= 2;
            record.events[n].arrived = record.events[n | 1].arrived;
            record.events[n].read = record.events[n].arrived + ms(1);
        }
    };
    let receipt = only_point(&closed_loop(2, 4).each(coalesce)).receipt;
    close(receipt.coalesced_share.expect("events"), 0.5);
    // The first read came 10 ms after the first byte, the others 20 ms after each other.
    close(receipt.coalesced_width.expect("events"), 19.0);
    let lag = receipt.client_lag.expect("stamps");
    assert_eq!(lag.n, 8 * 10);
    close(lag.p50.value, 1.0);
}

#[test]
fn lag_that_nobody_stamped_is_absent() {
    let user = closed_loop(2, 4).facts(|facts| facts.stamps = trace::StampSource::User);
    assert_eq!(only_point(&user).receipt.client_lag, None);
    let simulated = closed_loop(2, 4).facts(|facts| facts.stamps = trace::StampSource::Virtual);
    let lag = only_point(&simulated).receipt.client_lag.expect("a clock");
    close(lag.max, 0.0);
}

#[test]
fn a_response_that_is_no_stream_shows_the_lag_of_its_last_read() {
    let whole = |record: &mut Record| {
        record.stream = false;
        record.events.clear();
        record.done_read = record.done + ms(3);
    };
    let receipt = only_point(&closed_loop(2, 4).each(whole)).receipt;
    close(receipt.client_lag.expect("stamps").p50.value, 3.0);
    assert_eq!(receipt.coalesced_share, None);
}

#[test]
fn warm_up_runs_enter_no_number() {
    let mut setting = closed_loop(2, 4);
    let plain = setting.summarize();
    let warmup = RunId {
        warmup: true,
        ..RunId::default()
    };
    let mut cold = failure(99, 0, 9_000, Outcome::Timeout(TimeoutKind::Total));
    cold.run = warmup;
    setting.records.insert(0, cold);
    let mut facts = setting.facts[0].clone();
    facts.run = warmup;
    facts.interrupted = true;
    setting.facts.push(facts);
    assert_eq!(setting.summarize(), plain);
}

#[test]
fn the_order_of_records_changes_nothing_and_a_saved_run_reads_the_same() {
    let setting = closed_loop(3, 5);
    let mut saved = SavedRun {
        header: setting.header.clone(),
        facts: setting.facts.clone(),
        records: setting.records.clone(),
    };
    saved.records.reverse();
    assert_eq!(summarize_saved(&saved), setting.summarize());
}

#[test]
fn an_embedding_server_that_generates_0_tokens_has_no_output_rate() {
    let embed = |record: &mut Record| {
        record.stream = false;
        record.events.clear();
        record.usage = record.usage.map(|usage| Usage {
            completion_tokens: Some(0),
            ..usage
        });
    };
    let throughput = only_point(&closed_loop(2, 4).each(embed)).throughput;
    assert_eq!(throughput.batch_tokens_per_second, None);
    assert_eq!(throughput.output_tokens_per_second, None);
    assert_eq!(throughput.request_tokens_per_second, None);
    close(
        throughput.input_tokens_per_second.expect("prompts").mean,
        800.0,
    );
}

/// Every number anywhere in `value`.
fn numbers(value: &serde_json::Value) -> Vec<f64> {
    match value {
        serde_json::Value::Number(number) => number.as_f64().into_iter().collect(),
        serde_json::Value::Array(values) => values.iter().flat_map(numbers).collect(),
        serde_json::Value::Object(fields) => fields.values().flat_map(numbers).collect(),
        _ => Vec::new(),
    }
}

fn assert_all_absent(point: &PointSummary) {
    let parts = [
        serde_json::to_value(&point.timings),
        serde_json::to_value(&point.throughput),
        serde_json::to_value(&point.latency),
        serde_json::to_value(&point.tokens),
        serde_json::to_value(&point.steady_state),
        serde_json::to_value(point.receipt.coalesced_share),
        serde_json::to_value(point.concurrency.littles_law),
    ];
    for part in parts {
        let part = part.expect("plain data");
        assert_eq!(numbers(&part), Vec::<f64>::new(), "{part}");
    }
}

#[test]
fn nothing_in_gives_absent_numbers() {
    let empty = only_point(&Setting::new(closed(4), Vec::new()));
    assert_all_absent(&empty);
    assert_eq!(empty.reliability.success_rate, None);
    assert_eq!(empty.concurrency.achieved, None);
    let records = (0..8)
        .map(|n| failure(n, n, n + 1, Outcome::Connect))
        .collect();
    let refused = only_point(&Setting::new(closed(4), records));
    assert_all_absent(&refused);
    assert_eq!(refused.reliability.success_rate, Some(0.0));
}

#[test]
fn no_points_are_no_valid_measurement() {
    let mut header = closed_loop(1, 1).header;
    header.points.clear();
    let summary = summarize(&header, &[], &[]);
    assert_eq!(summary.verdict.reasons[0].code, "nothing_measured");
}

#[test]
fn a_point_that_was_never_run_is_left_out() {
    let mut setting = closed_loop(2, 20);
    setting.header.points.push(setting.header.points[0].clone());
    assert_eq!(setting.summarize().points.len(), 1);
}

#[test]
fn the_worst_point_decides_the_verdict() {
    let mut setting = closed_loop(2, 20);
    setting.header.points.push(setting.header.points[0].clone());
    let mut refused = failure(90, 0, 1, Outcome::Connect);
    refused.run.point = 1;
    setting.records.push(refused);
    let summary = setting.summarize();
    assert_eq!(summary.points[0].verdict, Verdict::of(Vec::new()));
    assert_eq!(summary.verdict, summary.points[1].verdict);
    assert_eq!(summary.verdict.grade, stats::Grade::Invalid);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whatever_comes_back_adds_up_and_every_number_is_finite(
        requests in prop::collection::vec(
            (0u64..500, 0usize..12, prop::collection::vec(0u64..90, 0..6), any::<bool>(), 0u64..9),
            0..40,
        ),
        pacing in prop::sample::select(vec![burst(4), closed(3), crate::builder::open(50.0)]),
    ) {
        let records: Vec<Record> = (0..)
            .zip(requests)
            .map(|(id, (issued, outcome, gaps, streamed, completion_tokens))| {
                let mut at = issued;
                let tokens: Vec<u64> = gaps.iter().map(|gap| { at += gap; at }).collect();
                Record {
                    outcome: Outcome::ALL[outcome],
                    stream: streamed,
                    usage: Some(Usage { completion_tokens: Some(completion_tokens), ..Usage::default() }),
                    ..stream(id, issued, &tokens)
                }
            })
            .collect();
        let summary = Setting::new(pacing, records).summarize();
        let r = &summary.points[0].reliability;
        prop_assert_eq!(r.issued, r.complete + r.failed + r.cancelled);
        let shown = format!("{summary:?}");
        prop_assert!(!shown.contains("NaN") && !shown.contains("inf"), "{}", shown);
    }
}
