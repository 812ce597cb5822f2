//! Two measurements of one server are rarely told apart, and a slower one is found with as many
//! requests as the comparison itself asks for.

use crate::builder::{Setting, burst, closed, closed_loop, ms, stream, token};
use crate::simulated::autoregressive;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use stats::{
    Block, CompareOptions, Comparison, Judgement, Summary, compare, compare_blocks, obstacles,
};
use trace::{Nanos, Pacing, Record, RunFacts, RunId};

const MIN_EFFECT: f64 = 0.03;

/// Requests in flight.
const SLOTS: usize = 4;

const TOKENS: u32 = 6;

/// A server whose answers take times of a tenth around their mean, each like the one before.
fn server(n: usize, slower: f64, seed: u64) -> Summary {
    run(n, slower, seed).summarize()
}

fn run(n: usize, slower: f64, seed: u64) -> Setting {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let states: Vec<f64> = autoregressive(2 * n, 0.3, &mut rng).collect();
    let mut free = [Nanos::default(); SLOTS];
    let records = (0..n).map(|id| {
        let slot = free.iter_mut().min().expect("slots");
        let record = answer(id, *slot, slower, [states[2 * id], states[2 * id + 1]]);
        *slot = record.done;
        record
    });
    let records = records.collect();
    Setting::new(closed(4), records)
}

fn answer(id: usize, issued: Nanos, slower: f64, states: [f64; 2]) -> Record {
    let [first, gap] = [60.0, 12.0]
        .into_iter()
        .zip(states)
        .map(|(mean, state): (f64, f64)| {
            Nanos::from_seconds(mean * slower * (0.1 * state).exp() / 1e3)
        })
        .collect::<Vec<_>>()[..]
    else {
        unreachable!("two times")
    };
    let mut record = stream(id as u64, 0, &vec![0; TOKENS as usize]);
    let at = |index: u32| (0..index).fold(issued + first, |at, _| at + gap);
    record.events = (0..TOKENS).map(|index| token(at(index), index)).collect();
    (record.due, record.issued) = (issued, issued);
    (record.connected, record.sent) = (Some(issued), Some(issued));
    record.first_byte = Some(at(0));
    (record.done, record.done_read) = (at(TOKENS - 1), at(TOKENS - 1));
    record
}

fn compared(base: &Summary, new: &Summary) -> Comparison {
    let options = CompareOptions {
        metrics: None,
        min_effect: MIN_EFFECT,
        together: 1,
    };
    compare(base, new, &options)
}

/// Of so many pairs, those that came to that.
fn count(pairs: u64, of: Judgement, pair: impl Fn(u64) -> (Summary, Summary)) -> u64 {
    let came = |seed: &u64| {
        let (base, new) = pair(*seed);
        compared(&base, &new).judgement == of
    };
    (0..pairs).filter(came).count() as u64
}

#[test]
fn one_server_is_called_worse_than_itself_in_at_most_five_of_a_hundred() {
    for n in [64, 400] {
        let worse = count(100, Judgement::Worse, |seed| {
            (server(n, 1.0, 2 * seed), server(n, 1.0, 2 * seed + 1))
        });
        assert!(worse <= 5, "{worse} of 100 with {n} requests");
    }
}

#[test]
fn a_server_slower_by_a_twentieth_is_found_with_the_requests_that_are_asked_for() {
    let first = compared(&server(200, 1.0, 1_000), &server(200, 1.05, 1_001));
    let needed = first
        .requests_needed
        .expect("200 are too few to tell everything");
    assert!((400..20_000).contains(&needed), "{needed}");
    let n = usize::try_from(needed).expect("a small number");
    let found = count(100, Judgement::Worse, |seed| {
        (server(n, 1.0, 5 * seed + 3), server(n, 1.05, 5 * seed + 4))
    });
    assert!(found >= 95, "{found} of 100 with {n} requests");
    let same = count(20, Judgement::Same, |seed| {
        (server(n, 1.0, 7 * seed + 3), server(n, 1.0, 7 * seed + 4))
    });
    assert!(same >= 18, "{same} of 20 with {n} requests");
    let better = count(20, Judgement::Better, |seed| {
        (server(n, 1.05, 9 * seed + 3), server(n, 1.0, 9 * seed + 4))
    });
    assert!(better >= 18, "{better} of 20 with {n} requests");
}

#[test]
fn every_number_that_decides_tells_the_worse_from_the_better_by_itself() {
    let (base, slow) = (server(3_000, 1.0, 11), server(3_000, 1.1, 12));
    for name in [
        "ttft.p50",
        "tpot.p50",
        "e2e.p50",
        "steady.output_tokens_per_second",
    ] {
        let options = CompareOptions {
            metrics: Some(vec![name.parse().expect("a metric")]),
            min_effect: MIN_EFFECT,
            together: 1,
        };
        let judged = |base, new| compare(base, new, &options).judgement;
        assert_eq!(judged(&base, &slow), Judgement::Worse, "{name}");
        assert_eq!(judged(&slow, &base), Judgement::Better, "{name}");
    }
}

/// Ten blocks by turns on a machine whose speed changes by a tenth from block to block.
fn by_turns(slower: f64, seed: u64) -> Comparison {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let machine: Vec<f64> = autoregressive(10, 0.5, &mut rng).collect();
    let blocks: Vec<Block> = (0..10)
        .zip(machine)
        .map(|(number, state)| {
            let machine = (0.1 * state).exp();
            let seed = 1_000 * seed + 2 * number;
            Block {
                base: server(100, machine, seed),
                new: server(100, machine * slower, seed + 1),
            }
        })
        .collect();
    let options = CompareOptions {
        metrics: None,
        min_effect: MIN_EFFECT,
        together: 1,
    };
    let first = &blocks[0];
    compare_blocks(&first.base, &first.new, &blocks, &options)
}

#[test]
fn blocks_by_turns_see_through_what_the_machine_does_to_both() {
    let worse = |slower: f64| -> usize {
        let came = |seed: &u64| by_turns(slower, *seed).judgement == Judgement::Worse;
        (0..100).filter(came).count()
    };
    let (same, slower) = (worse(1.0), worse(1.05));
    assert!(same <= 5, "{same} of 100 of one server");
    assert!(slower >= 95, "{slower} of 100 of a slower one");
}

#[test]
fn the_interval_of_blocks_holds_the_true_ratio() {
    let held = (0..200).filter(|seed| {
        let compared = by_turns(1.05, 500 + seed);
        let ttft = &compared.points[0].metrics[0];
        ttft.interval
            .is_some_and(|interval| interval.low <= 1.05 && 1.05 <= interval.high)
    });
    // Five of them hold together in 95 of 100 comparisons, so each in 99.
    let held = held.count();
    assert!(held >= 194, "{held} of 200");
}

/// Batches in runs of their own: eight answers each, with what a whole batch shares.
fn batches(runs: u32, seed: u64) -> Summary {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let own: Vec<f64> = autoregressive(runs as usize, 0.0, &mut rng).collect();
    let each: Vec<f64> = autoregressive(16 * runs as usize, 0.0, &mut rng).collect();
    let mut setting = Setting::new(burst(8), Vec::new());
    setting.facts.clear();
    for run in 0..runs {
        let id = RunId {
            run,
            ..RunId::default()
        };
        let start = ms(u64::from(run) * 1_000);
        for request in 0..8_usize {
            let at = 8 * run as usize + request;
            let shared = own[run as usize];
            let states = [shared + each[2 * at], shared + each[2 * at + 1]];
            let mut record = answer(at, start, 1.0, states);
            record.run = id;
            setting.records.push(record);
        }
        setting.facts.push(RunFacts {
            run: id,
            start,
            end: start + ms(900),
            planned: 8,
            ..closed_loop(1, 1).facts[0].clone()
        });
    }
    setting.summarize()
}

#[test]
fn batches_that_share_a_fate_are_not_told_apart() {
    for runs in [3, 10] {
        let worse = count(100, Judgement::Worse, |seed| {
            (batches(runs, 2 * seed), batches(runs, 2 * seed + 1))
        });
        assert!(worse <= 5, "{worse} of 100 with {runs} runs");
    }
}

#[test]
fn each_metric_has_a_ratio_and_those_that_decide_are_judged() {
    let found = compared(&server(800, 1.0, 1), &server(800, 1.2, 2));
    assert_eq!(found.judgement, Judgement::Worse);
    let point = &found.points[0];
    let by_name = |name: &str| {
        let metric = name.parse().unwrap();
        let mut all = point.metrics.iter();
        all.find(|compared| compared.metric == metric).expect(name)
    };
    let ttft = by_name("ttft.p50");
    let interval = ttft.interval.expect("enough requests");
    assert!(interval.low < 1.2 && 1.2 < interval.high, "{interval:?}");
    let rate = by_name("steady.output_tokens_per_second");
    assert_eq!(rate.judgement, Some(Judgement::Worse));
    assert!((rate.ratio.expect("both") - 1.0 / 1.2).abs() < 0.02);
    assert_eq!(by_name("success").judgement, Some(Judgement::Same));
    assert_eq!(by_name("ttft.p99").judgement, None);
}

#[test]
fn failures_make_a_server_worse() {
    let failing = run(800, 1.0, 2).each(|record| {
        if record.id % 10 == 0 {
            record.outcome = trace::Outcome::Timeout(trace::TimeoutKind::Total);
        }
    });
    let found = compared(&server(800, 1.0, 1), &failing.summarize());
    assert_eq!(found.judgement, Judgement::Worse);
}

#[test]
fn what_was_not_measured_cannot_be_told() {
    let options = |name: &str| CompareOptions {
        metrics: Some(vec![name.parse().unwrap()]),
        min_effect: MIN_EFFECT,
        together: 1,
    };
    let (base, new) = (server(100, 1.0, 1), server(100, 1.0, 2));
    for name in ["goodput", "ttft.p99"] {
        let found = compare(&base, &new, &options(name));
        assert_eq!(found.judgement, Judgement::CannotTell, "{name}");
        assert_eq!(found.requests_needed, Some(400));
    }
    let mut elsewhere = new.clone();
    elsewhere.points[0].point.key = "16".to_owned();
    let found = compared(&base, &elsewhere);
    assert_eq!(
        (found.judgement, found.points.len()),
        (Judgement::CannotTell, 0)
    );
}

#[test]
fn what_ought_not_to_be_compared_is_said() {
    let with = |fields: &[(&str, serde_json::Value)], pacing: Pacing, key: &str| {
        let mut setting = closed_loop(4, 20);
        setting.header.points[0].pacing = pacing;
        setting.header.points[0].key = key.to_owned();
        for (name, value) in fields {
            setting
                .header
                .metadata
                .insert((*name).to_owned(), value.clone());
        }
        setting.summarize()
    };
    let base = with(
        &[
            ("model", "a".into()),
            ("workload_sha256", "1".into()),
            ("max_tokens", 20.into()),
            ("seed", 0.into()),
            ("timestamp", "then".into()),
        ],
        closed(4),
        "4",
    );
    assert_eq!(obstacles(&base, &base), Vec::<String>::new());
    let mut new = with(
        &[
            ("model", "b".into()),
            ("workload_sha256", "2".into()),
            ("max_tokens", 30.into()),
            ("seed", 0.into()),
            ("timestamp", "now".into()),
        ],
        closed(8),
        "8",
    );
    let mut seeded = base.clone();
    seeded.metadata.insert("workload_sha256".into(), "3".into());
    seeded.metadata.insert("seed".into(), 1.into());
    assert_eq!(obstacles(&base, &seeded), Vec::<String>::new());
    new.verdict.grade = stats::Grade::Invalid;
    let found = obstacles(&base, &new);
    assert_eq!(
        found[0],
        "the models differ: a in the base, b in the new one"
    );
    assert_eq!(found[1], "the workloads differ: max_tokens is 20 and 30");
    assert!(found[2].starts_with("the new one is not a valid measurement"));
    assert_eq!(
        found[3],
        "the points differ: 4 in the base, 8 in the new one"
    );
}
