//! Plans: what is refused, what is repeated, and what differs.

use proptest::prelude::*;
use std::collections::HashSet;
use std::sync::Arc;
use trace::{Arrival, Message, Nanos, Pacing, Plan, Prompt, Role, RunId, Stop};
use workload::{
    ChatSource, Content, DatasetRow, PromptSource, REQUESTS_MAX, Traffic, WorkloadConfig,
    WorkloadError, arrival_for, build_plan, describe, workload_hash,
};

const FIRST_RUN: RunId = RunId {
    point: 0,
    run: 0,
    warmup: false,
};

fn config(pacing: Pacing, requests: usize) -> WorkloadConfig {
    WorkloadConfig {
        source: math(),
        pacing,
        stop: Stop::AllRequests,
        requests,
        max_tokens: Some(100),
        seed: 42,
    }
}

fn math() -> PromptSource {
    chat(ChatSource::Content(Content::Math), None)
}

/// Those texts, with a system message.
fn rows(texts: impl IntoIterator<Item = String>, system: Option<&str>) -> PromptSource {
    let row = |text: String| DatasetRow::question(text.into(), None);
    let rows = texts.into_iter().map(row).collect();
    chat(ChatSource::Rows(rows), system)
}

fn chat(source: ChatSource, system: Option<&str>) -> PromptSource {
    let traffic = Traffic::simple(42, source, system.map(Into::into), None);
    PromptSource::Chat(traffic.unwrap().into())
}

fn hash(config: &WorkloadConfig) -> String {
    let source = config.source.fingerprint().unwrap();
    workload_hash(&[&first_plan(config)], &source)
}

fn open(rate: f64, burstiness: f64) -> Pacing {
    Pacing::Open {
        arrival: arrival_for(rate, burstiness).unwrap(),
        max_concurrency: None,
    }
}

fn first_plan(config: &WorkloadConfig) -> Plan {
    build_plan(config, FIRST_RUN, 0).unwrap()
}

fn refusal(config: &WorkloadConfig) -> String {
    build_plan(config, FIRST_RUN, 0).unwrap_err().to_string()
}

#[test]
fn input_41_rate_reaches_no_plan_unchecked() {
    let pacing = Pacing::Open {
        arrival: Arrival::Poisson { rate: f64::NAN },
        max_concurrency: None,
    };
    assert_eq!(
        refusal(&config(pacing, 1)),
        "`--request-rate` must be above 0 requests per second and finite, got `NaN`; leave it out \
         for bursts or a closed loop."
    );
    let pacing = Pacing::Open {
        arrival: Arrival::Gamma {
            rate: 1.0,
            shape: -2.0,
        },
        max_concurrency: None,
    };
    assert_eq!(
        refusal(&config(pacing, 1)),
        "`--burstiness` must be above 0, got `-2`; leave it out (or give 1) for Poisson arrivals, \
         give `inf` for equal gaps."
    );
}

#[test]
fn input_42_concurrency_0() {
    assert_eq!(
        refusal(&config(Pacing::Closed { concurrency: 0 }, 1)),
        "`--max-concurrency` must be at least 1 request in flight, got `0`; give 1 to send one request \
         after the other."
    );
    let pacing = Pacing::Open {
        arrival: Arrival::Constant { rate: 1.0 },
        max_concurrency: Some(0),
    };
    assert!(refusal(&config(pacing, 1)).starts_with("`--max-concurrency` must be at least 1"));
    assert_eq!(
        refusal(&config(Pacing::Burst { size: 0 }, 1)),
        "`--batch-sizes` must be positive integers, got `0`; leave it out for 1,2,4,8."
    );
}

#[test]
fn input_43_duration_0() {
    let mut config = config(Pacing::Closed { concurrency: 1 }, 1);
    config.stop = Stop::Deadline { after: Nanos::ZERO };
    assert_eq!(
        refusal(&config),
        "`--duration` must be above 0 seconds, got `0`; leave it out to stop after the last \
         planned request."
    );
}

#[test]
fn a_plan_has_a_request_and_fits_in_memory() {
    let mut config = config(Pacing::Burst { size: 1 }, 0);
    assert_eq!(
        refusal(&config),
        "a run needs at least 1 request, got `0`; raise `--num-prompts` or leave it out."
    );
    let too_many = "a run may plan at most 1000000 requests, and this one plans more; lower \
                    `--num-prompts`, `--request-rate` or `--duration`.";
    config.requests = REQUESTS_MAX + 1;
    assert_eq!(refusal(&config), too_many);
    config.pacing = open(1e9, 1.0);
    config.stop = Stop::Deadline {
        after: Nanos(u64::MAX),
    };
    assert_eq!(refusal(&config), too_many);
}

#[test]
fn a_limit_of_no_tokens_is_refused() {
    let mut config = config(Pacing::Burst { size: 1 }, 1);
    config.max_tokens = Some(0);
    assert_eq!(
        refusal(&config),
        "`--max-tokens` must be at least 1, got `0`; give at least 1 token."
    );
}

#[test]
fn an_open_plan_with_a_deadline_holds_what_arrives_before_it() {
    let mut config = config(open(5.0, f64::INFINITY), 0);
    config.stop = Stop::Deadline {
        after: Nanos::from_millis(2_000),
    };
    let plan = first_plan(&config);
    assert_eq!(plan.requests.len(), 10);
    assert_eq!(plan.requests[9].due, Nanos::from_millis(1_800));

    config.pacing = open(1e-9, 1.0);
    assert_eq!(
        refusal(&config),
        "no request arrives within 2 s at 0.000000001 requests per second; raise `--request-rate` \
         or `--duration`."
    );
}

#[test]
fn runs_share_no_prompt_while_the_rows_last() {
    let mut config = config(Pacing::Burst { size: 8 }, 8);
    config.source = rows((0..64).map(|row| format!("row {row}")), None);
    let mut dealt = 0;
    let mut users = HashSet::new();
    for point in 0..2 {
        for (run, warmup) in [(0, true), (0, false), (1, false), (2, false)] {
            let plan = build_plan(&config, RunId { point, run, warmup }, dealt).unwrap();
            dealt += plan.requests.len();
            users.extend(plan.requests.into_iter().map(|request| {
                let prompt = config.source.prompt(&request).unwrap();
                prompt.parts().last().unwrap().to_owned()
            }));
        }
    }
    assert_eq!(users.len(), 64);
}

#[test]
fn each_run_draws_arrivals_of_its_own() {
    let config = config(open(10.0, 1.0), 20);
    let second_run = RunId {
        run: 1,
        ..FIRST_RUN
    };
    let dues = |run| -> Vec<Nanos> {
        let plan = build_plan(&config, run, 0).unwrap();
        plan.requests.iter().map(|request| request.due).collect()
    };
    assert_ne!(dues(FIRST_RUN), dues(second_run));
}

/// A changed template, name, shuffle or generator changes this hash: earlier runs can then no longer
/// be repeated, which the change log has to say.
#[test]
fn plans_are_the_same_on_every_machine_and_in_every_version() {
    let generated = config(open(3.0, f64::INFINITY), 200);
    let rows = WorkloadConfig {
        source: rows((0..30).map(|row| format!("row {row}")), None),
        ..generated.clone()
    };
    insta::assert_snapshot!(hash(&generated), @"4c31c6bf86754a34acdb90123649be72707ef4381eeb577df50447dd46f4285b");
    insta::assert_snapshot!(hash(&rows), @"cd1085efd1dc57485ce6108072532044dd2185d5067c84b4235cf810570b2b99");
}

#[test]
fn the_hash_is_that_of_the_documented_bytes() {
    let message = |role, text| Message::new(role, text);
    let messages = [message(Role::System, "Be it"), message(Role::User, "héllo")];
    let mut plan = first_plan(&config(Pacing::Burst { size: 1 }, 1));
    plan.requests[0].prompt = Prompt::Chat {
        messages: messages.into(),
    };
    // Put together by hand from the definition, and hashed with another implementation.
    assert_eq!(
        workload_hash(&[&plan], "made of it"),
        "879deb61e28eb1361754467be4e2da6827aadee9fb0494e76a9cd87297280b65"
    );
}

#[test]
fn the_hash_covers_prompts_limits_and_due_times_in_order() {
    let plan = first_plan(&config(open(3.0, 1.0), 2));
    let mut hashes = HashSet::from([workload_hash(&[], ""), workload_hash(&[&plan], "")]);
    hashes.insert(workload_hash(&[&plan, &plan], ""));
    let edits: [fn(&mut Plan); 7] = [
        |plan| plan.requests[1].class = 1,
        |plan| plan.requests[0].changes = Some(Arc::default()),
        |plan| plan.requests[1].due = Nanos::ZERO,
        |plan| plan.requests[0].max_tokens = None,
        |plan| plan.requests[0].prompt = Prompt::user("other"),
        |plan| plan.requests[0].prompt = Prompt::user(""),
        |plan| plan.requests.reverse(),
    ];
    for edit in edits {
        let mut edited = plan.clone();
        edit(&mut edited);
        hashes.insert(workload_hash(&[&edited], ""));
    }
    assert_eq!(hashes.len(), 10);
}

#[test]
fn a_description_counts_over_all_plans() {
    let mut config = config(open(2.0, f64::INFINITY), 3);
    let texts = ["one two three".to_owned(), "one".to_owned()];
    config.source = rows(texts, Some("a system message"));
    let plan = first_plan(&config);
    let described = |plans: &[&Plan]| describe(plans, &config.source).unwrap();
    assert_eq!(
        described(&[&plan, &plan]).to_string(),
        format!(
            "6 requests with 2 distinct prompts of {:.1} words on average (min 1, max 3), arriving \
             over 2.0 s",
            described(&[&plan]).words.unwrap().mean
        )
    );
    assert_eq!(
        described(&[]).to_string(),
        "0 requests with 0 distinct prompts"
    );
}

#[test]
fn a_closed_plan_has_no_arrivals() {
    let plan = first_plan(&config(Pacing::Closed { concurrency: 2 }, 4));
    assert_eq!(describe(&[&plan], &math()).unwrap().arrivals, None);
    assert!(
        plan.requests
            .iter()
            .all(|request| request.due == Nanos::ZERO)
    );
}

#[test]
fn a_source_without_rows_is_refused() {
    let refused = Traffic::simple(0, ChatSource::Rows([].into()), None, None);
    assert_eq!(refused.unwrap_err(), WorkloadError::EmptyDataSet);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn same_seed_same_bytes(
        seed: u64, point: u32, run: u32, warmup: bool, requests in 1_usize..40,
        dealt in 0_usize..1_000, closed: bool,
    ) {
        let pacing = if closed { Pacing::Closed { concurrency: 3 } } else { open(5.0, 2.0) };
        let of_seed = |seed| {
            let content = ChatSource::Content(Content::Code);
            let traffic = Traffic::simple(seed, content, None, None).unwrap();
            let source = PromptSource::Chat(traffic.into());
            WorkloadConfig { seed, source, ..config(pacing, requests) }
        };
        let config = of_seed(seed);
        let run = RunId { point, run, warmup };
        let build = |config| build_plan(config, run, dealt).unwrap();
        let bytes = |plan: &Plan| serde_json::to_vec(plan).unwrap();

        let plan = build(&config);
        prop_assert_eq!(bytes(&plan), bytes(&build(&config)));
        prop_assert_ne!(hash(&config), hash(&of_seed(!seed)));
        let ids: Vec<u64> = plan.requests.iter().map(|request| request.id).collect();
        prop_assert_eq!(ids, (0..requests as u64).collect::<Vec<_>>());
        prop_assert!(plan.requests.is_sorted_by_key(|request| request.due));
    }
}
