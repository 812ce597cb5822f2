//! Random loads: whatever is batched, cut, preempted, cached or taken back, each request says what it says alone.

use crate::scenario::{Scenario, Visitor};
use crate::toy::prompt;
use engine::{EngineRequest, SamplingParams, SchedulerConfig};
use proptest::prelude::*;

fn params() -> impl Strategy<Value = SamplingParams> {
    let shape = (
        1..4_usize,
        1..40_usize,
        0..6_usize,
        any::<bool>(),
        0..1000_u64,
    );
    let values = (
        prop_oneof![2 => Just(0.0_f32), 1 => 0.3..1.5_f32],
        prop_oneof![Just(0_usize), 2..8_usize],
        prop_oneof![Just(1.0_f32), 0.5..0.95_f32],
        prop_oneof![Just(0.0_f32), 0.1..1.0_f32],
        prop_oneof![3 => Just(vec![]), 1 => Just(vec![5])],
    );
    (shape, values).prop_map(
        |(
            (n, tokens_max, tokens_min, ignore_eos, seed),
            (temperature, top_k, top_p, penalty, stop_tokens),
        )| {
            SamplingParams {
                n,
                tokens_max,
                tokens_min,
                ignore_eos,
                seed,
                temperature,
                top_k,
                top_p,
                presence_penalty: penalty,
                frequency_penalty: penalty / 2.0,
                stop_tokens,
                eos_tokens: vec![3],
                ..SamplingParams::default()
            }
        },
    )
}

fn visitor() -> impl Strategy<Value = Visitor> {
    let aborted = prop_oneof![3 => Just(None), 1 => (0..60_usize).prop_map(Some)];
    (0..3_u32, 1..70_usize, params(), 0..30_usize, aborted).prop_map(
        |(family, length, params, comes, aborted)| Visitor {
            request: EngineRequest {
                prompt: prompt(family, length),
                params,
            },
            comes,
            aborted: aborted.map(|after| comes + after),
        },
    )
}

fn scenario() -> impl Strategy<Value = Scenario> {
    let config = (4..18_usize, 1..9_usize, 1..80_usize, any::<bool>());
    let visitors = proptest::collection::vec(visitor(), 1..12);
    let resets = proptest::collection::vec(0..60_usize, 0..2);
    (config, visitors, resets).prop_map(
        |((blocks, sequences_max, step_tokens_max, prefix_cache), visitors, resets)| Scenario {
            config: SchedulerConfig {
                blocks,
                sequences_max,
                step_tokens_max,
                queue_max: 100,
                context_tokens: 120,
                prefix_cache,
            },
            visitors,
            resets,
        },
    )
}

proptest! {
    #[test]
    fn each_request_says_what_it_says_alone(scenario in scenario()) {
        scenario.play().check(&scenario);
    }

    #[test]
    fn the_same_load_leaves_the_same_trace(scenario in scenario()) {
        prop_assert_eq!(scenario.play(), scenario.play());
    }

    #[test]
    fn nobody_is_passed_by_a_later_request_unless_preempted(scenario in scenario()) {
        let played = scenario.play();
        let mut order: Vec<_> = played.ids.values().copied().filter(|id| !played.aborted.contains(id)).collect();
        order.sort();
        for pair in order.windows(2) {
            let (earlier, later) = (played.first_token(pair[0]), played.first_token(pair[1]));
            prop_assert!(earlier < later || played.was_preempted(pair[0]));
        }
    }
}

/// A check that never fails checks nothing: the loads above do reach what they are about.
#[test]
fn random_loads_do_preempt_share_hit_and_abort() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let (mut preemptions, mut hits, mut aborts, mut stops) = (0, 0, 0, 0);
    for _ in 0..100 {
        let played = scenario().new_tree(&mut runner).unwrap().current().play();
        preemptions += played.gauges.preemptions;
        hits += played.gauges.prefix_hit_tokens;
        aborts += played.aborted.len();
        let stop = Some(engine::FinishReason::Stop);
        stops += played
            .said
            .values()
            .filter(|said| said.reason == stop)
            .count();
    }
    assert!(preemptions > 50, "{preemptions} preemptions");
    assert!(hits > 500, "{hits} tokens from the prefix cache");
    assert!(aborts > 20, "{aborts} aborts");
    assert!(stops > 20, "{stops} stop tokens");
}
