//! The same scheduler under a virtual clock: exact numbers.

use engine::{
    CostModel, DriveMode, Engine, EngineEvent, EngineRequest, Host, ModelError, Refusal,
    SamplingParams, SchedulerConfig, StepCost, Submission, drive,
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

fn request(prompt: usize, tokens_max: usize) -> EngineRequest {
    EngineRequest {
        prompt: vec![0; prompt],
        params: SamplingParams {
            tokens_max,
            ..SamplingParams::default()
        },
    }
}

/// What became of a request.
#[derive(Debug, Default)]
struct Driven {
    submitted: Nanos,
    first: Option<Nanos>,
    finished: Option<Nanos>,
    tokens: usize,
    refusal: Option<Refusal>,
}

/// The virtual time of the model, and the stamps of each request.
struct Virtual {
    requests: Vec<EngineRequest>,
    driven: Vec<Driven>,
}

impl Host<CostModel> for Virtual {
    type Error = ModelError;

    fn now(&mut self, model: &mut CostModel) -> Nanos {
        model.elapsed()
    }

    fn wait_until(&mut self, model: &mut CostModel, due: Nanos) {
        model.wait_until(due);
    }

    fn request(&mut self, index: usize) -> Result<EngineRequest, ModelError> {
        Ok(self.requests[index].clone())
    }

    fn submitted(&mut self, submission: Submission) -> Result<(), ModelError> {
        assert_eq!(submission.index, self.driven.len());
        self.driven.push(Driven {
            submitted: submission.at,
            refusal: submission.refusal,
            ..Driven::default()
        });
        Ok(())
    }

    fn event(&mut self, index: usize, event: &EngineEvent, left: Nanos) {
        let driven = &mut self.driven[index];
        match event {
            EngineEvent::Token { .. } => {
                driven.first.get_or_insert(left);
                driven.tokens += 1;
            }
            EngineEvent::Finished { .. } => driven.finished = Some(left),
            EngineEvent::Preempted { .. } => {}
        }
    }
}

/// Drives each request at its time through `engine`.
fn run_on(
    engine: &mut Engine<CostModel>,
    arrivals: Vec<(u64, EngineRequest)>,
    mode: DriveMode,
) -> Vec<Driven> {
    let (due, requests): (Vec<Nanos>, Vec<EngineRequest>) = arrivals
        .into_iter()
        .map(|(due, request)| (Nanos(due), request))
        .unzip();
    let mut host = Virtual {
        requests,
        driven: Vec::new(),
    };
    drive(engine, &due, mode, &mut host).unwrap();
    host.driven
}

/// A request of ten tokens that asks for three, at each of those times.
fn run(due: &[u64], mode: DriveMode) -> Vec<Driven> {
    let arrivals = due.iter().map(|due| (*due, request(10, 3))).collect();
    run_on(&mut engine(512), arrivals, mode)
}

fn stamps(driven: &[Driven]) -> Vec<(u64, u64, u64)> {
    let stamp = |at: Option<Nanos>| at.unwrap().0;
    driven
        .iter()
        .map(|one| (one.submitted.0, stamp(one.first), stamp(one.finished)))
        .collect()
}

#[test]
fn one_request_costs_what_its_steps_cost() {
    let driven = run(&[0], DriveMode::Online);
    // 10 tokens attend to 1 + 2 + … + 10 = 55 positions, then one each to 11 and 12.
    let first = 1_100_055;
    assert_eq!(stamps(&driven), [(0, first, first + 1_100_011 + 1_100_012)]);
    assert_eq!(driven[0].tokens, 3);
}

#[test]
fn offline_shares_steps_and_naive_does_not() {
    let due = [0, 0];
    let alone = 1_100_055 + 1_100_011 + 1_100_012;
    let naive = run(&due, DriveMode::Naive);
    assert_eq!(
        stamps(&naive),
        [(0, 1_100_055, alone), (alone, alone + 1_100_055, 2 * alone)]
    );
    let both = 1_200_110 + 1_200_022 + 1_200_024;
    let offline = run(&due, DriveMode::Offline);
    assert_eq!(
        stamps(&offline),
        [(0, 1_200_110, both), (0, 1_200_110, both)]
    );
}

#[test]
fn online_requests_come_when_they_are_due_and_join_those_that_run() {
    let driven = run(&[0, 500_000, 10_000_000], DriveMode::Online);
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
}

#[test]
fn offline_does_not_wait_for_due_times_and_naive_does() {
    let due = [0, 50_000_000];
    assert_eq!(run(&due, DriveMode::Offline)[1].submitted, Nanos::ZERO);
    assert_eq!(run(&due, DriveMode::Naive)[1].submitted, Nanos(50_000_000));
}

#[test]
fn a_cut_prompt_costs_the_same_tokens_in_more_steps() {
    let driven = run_on(&mut engine(4), vec![(0, request(10, 1))], DriveMode::Online);
    assert_eq!(driven[0].finished, Some(Nanos(3_000_000 + 100_000 + 55)));
}

#[test]
fn what_is_refused_is_reported_and_the_rest_goes_on() {
    let arrivals = vec![(0, request(0, 3)), (0, request(10, 3))];
    let driven = run_on(&mut engine(512), arrivals, DriveMode::Online);
    assert_eq!(driven[0].refusal, Some(Refusal::EmptyPrompt));
    assert_eq!(driven[0].finished, None);
    assert!(driven[1].finished.is_some());
}

#[test]
fn every_choice_of_a_request_is_handed_on() {
    let mut several = request(10, 3);
    several.params.n = 2;
    let arrivals = vec![(0, request(10, 3)), (0, several)];
    let driven = run_on(&mut engine(512), arrivals, DriveMode::Offline);
    assert_eq!([driven[0].tokens, driven[1].tokens], [3, 6]);
    assert!(driven[1].finished >= driven[0].finished);
}
