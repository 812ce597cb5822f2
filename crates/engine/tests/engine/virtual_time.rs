//! The same scheduler under a virtual clock: exact numbers.

use engine::{
    Arrival, CostModel, DriveMode, DrivenRequest, Engine, EngineEvent, EngineRequest, Refusal,
    SamplingParams, SchedulerConfig, StepCost, drive, virtual_clock,
};
use trace::Nanos;

/// 1 ms a step, 10 µs a prefill token, 100 µs a decoding sequence, 1 ns a position attended to.
const COST: StepCost = StepCost {
    step: Nanos::from_millis(1),
    prefill_token: Nanos(10_000),
    decode_sequence: Nanos(100_000),
    attended_token_picos: 1000,
};

fn engine(step_tokens_max: usize) -> Engine<CostModel> {
    let config = SchedulerConfig {
        blocks: 1000,
        sequences_max: 8,
        step_tokens_max,
        queue_max: 100,
        context_tokens: 1000,
        prefix_cache: false,
    };
    Engine::new(CostModel::new(COST, 1000, 1000), config)
}

fn arrival(due: u64) -> Arrival {
    Arrival {
        due: Nanos(due),
        request: request(10, 3),
    }
}

fn request(prompt: usize, tokens_max: usize) -> EngineRequest {
    EngineRequest {
        prompt: vec![0; prompt],
        params: SamplingParams {
            tokens_max,
            ..SamplingParams::default()
        },
    }
}

fn run(arrivals: Vec<Arrival>, mode: DriveMode) -> Vec<DrivenRequest> {
    drive(
        &mut engine(512),
        arrivals,
        mode,
        virtual_clock,
        |_, _, _| {},
    )
    .unwrap()
}

fn stamps(driven: &[DrivenRequest]) -> Vec<(u64, u64, u64)> {
    let stamp = |at: Option<Nanos>| at.unwrap().0;
    driven
        .iter()
        .map(|one| (one.submitted.0, stamp(one.first), stamp(one.finished)))
        .collect()
}

#[test]
fn one_request_costs_what_its_steps_cost() {
    let driven = run(vec![arrival(0)], DriveMode::Online);
    // 10 tokens attend to 1 + 2 + … + 10 = 55 positions, then one each to 11 and 12.
    let first = 1_100_055;
    assert_eq!(stamps(&driven), [(0, first, first + 1_100_011 + 1_100_012)]);
    assert_eq!(driven[0].tokens, 3);
}

#[test]
fn offline_shares_steps_and_naive_does_not() {
    let arrivals = vec![arrival(0), arrival(0)];
    let alone = 1_100_055 + 1_100_011 + 1_100_012;
    let naive = run(arrivals.clone(), DriveMode::Naive);
    assert_eq!(
        stamps(&naive),
        [(0, 1_100_055, alone), (alone, alone + 1_100_055, 2 * alone)]
    );
    let both = 1_200_110 + 1_200_022 + 1_200_024;
    let offline = run(arrivals, DriveMode::Offline);
    assert_eq!(
        stamps(&offline),
        [(0, 1_200_110, both), (0, 1_200_110, both)]
    );
}

#[test]
fn online_requests_come_when_they_are_due_and_join_those_that_run() {
    let driven = run(
        vec![arrival(0), arrival(500_000), arrival(10_000_000)],
        DriveMode::Online,
    );
    let first = 1_100_055;
    let second = first + 1_200_066;
    let third = second + 1_200_023;
    let fourth = third + 1_100_012;
    let later = 10_000_000;
    let expected = [
        (0, first, third),
        (first, second, fourth),
        (
            later,
            later + 1_100_055,
            later + 1_100_055 + 1_100_011 + 1_100_012,
        ),
    ];
    assert_eq!(stamps(&driven), expected);
    assert_eq!(
        driven[1].due,
        Nanos(500_000),
        "the wait for the step counts"
    );
}

#[test]
fn offline_does_not_wait_for_due_times_and_naive_does() {
    let arrivals = vec![arrival(0), arrival(50_000_000)];
    assert_eq!(
        run(arrivals.clone(), DriveMode::Offline)[1].submitted,
        Nanos::ZERO
    );
    assert_eq!(
        run(arrivals, DriveMode::Naive)[1].submitted,
        Nanos(50_000_000)
    );
}

#[test]
fn a_cut_prompt_costs_the_same_tokens_in_more_steps() {
    let mut engine = engine(4);
    let arrivals = vec![Arrival {
        due: Nanos::ZERO,
        request: request(10, 1),
    }];
    let driven = drive(
        &mut engine,
        arrivals,
        DriveMode::Online,
        virtual_clock,
        |_, _, _| {},
    )
    .unwrap();
    assert_eq!(driven[0].finished, Some(Nanos(3_000_000 + 100_000 + 55)));
}

#[test]
fn what_is_refused_is_reported_and_the_rest_goes_on() {
    let mut empty = arrival(0);
    empty.request.prompt.clear();
    let driven = run(vec![empty, arrival(0)], DriveMode::Online);
    assert_eq!(driven[0].refusal, Some(Refusal::EmptyPrompt));
    assert_eq!(driven[0].finished, None);
    assert!(driven[1].finished.is_some());
}

#[test]
fn every_event_is_handed_on_with_its_request_and_time() {
    let mut seen = Vec::new();
    let mut several = arrival(0);
    several.request.params.n = 2;
    let driven = drive(
        &mut engine(512),
        vec![arrival(0), several],
        DriveMode::Offline,
        virtual_clock,
        |index, event: &EngineEvent, left| {
            seen.push((index, matches!(event, EngineEvent::Finished { .. }), left));
        },
    )
    .unwrap();
    assert_eq!(
        seen.iter()
            .filter(|(index, ended, _)| *index == 1 && *ended)
            .count(),
        2
    );
    assert_eq!(
        seen.last().map(|last| Some(last.2)),
        Some(driven[1].finished)
    );
    assert_eq!(driven[1].tokens, 6);
}
