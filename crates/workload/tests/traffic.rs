//! Traffic: lengths met, classes in their proportions, rows in their order, traces as recorded.

mod toy;

use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::Arc;
use toy::Greedy;
use trace::{Arrival, Nanos, Pacing, Plan, Prompt, RunId, Stop};
use workload::{
    AdapterSpread, Adapters, ChatSource, Content, DatasetFormat, DatasetReader, DatasetRow, Format,
    Mix, NoiseImages, PromptSource, PromptTokenizer, Tokenizer, TraceFormat, Traffic, TrafficClass,
    Variants, WorkloadConfig, WorkloadError, build_plan, parse_dataset, parse_trace,
};

/// A template of five tokens a message, around a toy tokenizer.
#[derive(Debug)]
struct Counting(Greedy);

impl Tokenizer for Counting {
    fn encode(&self, text: &str) -> Result<Vec<u32>, String> {
        self.0.encode(text)
    }
    fn decode(&self, tokens: &[u32]) -> Result<String, String> {
        self.0.decode(tokens)
    }
}

impl PromptTokenizer for Counting {
    fn prompt_tokens(&self, prompt: &Prompt) -> Result<usize, String> {
        prompt
            .parts()
            .map(|text| Ok(5 + self.0.encode(text)?.len()))
            .sum()
    }
}

fn tokenizer() -> Arc<dyn PromptTokenizer> {
    Arc::new(Counting(Greedy::new(7, 600, false, false)))
}

fn class(source: ChatSource, lengths: Option<&str>) -> TrafficClass {
    TrafficClass {
        source,
        system: None,
        lengths: lengths.map(|text| text.parse().unwrap()),
        max_tokens: None,
    }
}

fn rows(count: usize) -> Arc<[DatasetRow]> {
    let row = |number| DatasetRow {
        max_tokens: (number == 2).then_some(9),
        ..DatasetRow::question(
            format!("Row {number}. It has a sentence, and then another one.").into(),
            None,
        )
    };
    (0..count).map(row).collect()
}

fn plan(traffic: &Arc<Traffic>, pacing: Pacing, requests: usize, dealt: usize) -> Plan {
    let config = WorkloadConfig {
        source: PromptSource::Chat(Arc::clone(traffic)),
        pacing,
        stop: Stop::AllRequests,
        requests,
        max_tokens: Some(77),
        seed: 3,
    };
    build_plan(&config, RunId::default(), dealt).unwrap()
}

const CLOSED: Pacing = Pacing::Closed { concurrency: 2 };

fn user_texts(traffic: &Traffic, plan: &Plan) -> Vec<String> {
    let text = |planned| {
        let prompt = traffic.prompt(planned).unwrap();
        prompt.parts().last().unwrap().to_owned()
    };
    plan.requests.iter().map(text).collect()
}

#[test]
fn every_prompt_has_the_tokens_that_its_plan_says_whatever_it_is_made_from() {
    let tokenizer = tokenizer();
    for source in [
        ChatSource::Content(Content::Math),
        ChatSource::Content(Content::Code),
        ChatSource::Content(Content::Prose),
        ChatSource::Rows(rows(5)),
        ChatSource::Replay(rows(5)),
    ] {
        let class = class(source, Some("U(20,300)/(1,50)"));
        let traffic = Traffic::new(3, vec![class], None, Some(Arc::clone(&tokenizer))).unwrap();
        let traffic = Arc::new(traffic);
        let plan = plan(&traffic, CLOSED, 40, 0);
        for planned in &plan.requests {
            let asked = planned.input_tokens.unwrap();
            let prompt = traffic.prompt(planned).unwrap();
            assert!(asked.exact);
            assert_eq!(tokenizer.prompt_tokens(&prompt), Ok(asked.count as usize));
            assert!(planned.max_tokens.is_some_and(|limit| limit <= 50));
        }
    }
}

#[test]
fn a_data_set_is_dealt_in_random_order_and_replayed_in_its_own() {
    let shuffled = class(ChatSource::Rows(rows(30)), None);
    let shuffled = Arc::new(Traffic::new(3, vec![shuffled], None, None).unwrap());
    let first = user_texts(&shuffled, &plan(&shuffled, CLOSED, 30, 0));
    let second = user_texts(&shuffled, &plan(&shuffled, CLOSED, 30, 30));
    assert_ne!(first, second);
    assert_eq!(
        HashSet::<String>::from_iter(first),
        HashSet::from_iter(second)
    );

    let replay = class(ChatSource::Replay(rows(3)), None);
    let replay = Arc::new(Traffic::new(3, vec![replay], None, None).unwrap());
    for dealt in [0, 5] {
        let plan = plan(&replay, CLOSED, 5, dealt);
        let texts = user_texts(&replay, &plan);
        let order: Vec<&str> = texts.iter().map(|text| &text[..5]).collect();
        assert_eq!(order, ["Row 0", "Row 1", "Row 2", "Row 0", "Row 1"]);
        let limits: Vec<_> = plan.requests.iter().map(|row| row.max_tokens).collect();
        assert_eq!(limits[1..3], [Some(77), Some(9)]);
    }
}

#[test]
fn classes_keep_their_lengths_whatever_the_other_classes_are() {
    let mix: Mix = "a=3,b=1".parse().unwrap();
    let classes = vec![
        class(ChatSource::Content(Content::Prose), Some("D(40,5)")),
        class(ChatSource::Content(Content::Code), Some("D(60,6)")),
    ];
    let traffic = Arc::new(Traffic::new(3, classes, Some(mix), Some(tokenizer())).unwrap());
    let plan = plan(&traffic, CLOSED, 2_000, 0);
    let second: Vec<_> = plan.requests.iter().filter(|row| row.class == 1).collect();
    assert!((400..600).contains(&second.len()), "{}", second.len());
    assert!(second.iter().all(|row| row.max_tokens == Some(6)));
    assert!(
        second
            .iter()
            .all(|row| row.input_tokens.unwrap().count == 60)
    );
}

#[test]
fn a_trace_gives_its_due_times_lengths_and_shared_beginnings() {
    let file = br#"{"timestamp": 0, "input_length": 600, "output_length": 5, "hash_ids": [1, 2]}
{"timestamp": 1500, "input_length": 700, "output_length": 7, "hash_ids": [1, 3]}
{"timestamp": 4000, "input_length": 30, "output_length": 1, "hash_ids": [9]}
"#;
    let recorded = parse_trace(file, TraceFormat::Mooncake).unwrap();
    let source = ChatSource::Trace(Arc::new(recorded));
    let tokenizer = tokenizer();
    let class = class(source, None);
    let traffic = Traffic::new(3, vec![class], None, Some(Arc::clone(&tokenizer))).unwrap();
    let traffic = Arc::new(traffic);
    let pacing = Pacing::Open {
        arrival: Arrival::Replay { rate: 0.75 },
        max_concurrency: None,
    };
    let plan = plan(&traffic, pacing, usize::MAX, 0);
    let dues: Vec<Nanos> = plan.requests.iter().map(|row| row.due).collect();
    assert_eq!(dues, [0, 1_500, 4_000].map(Nanos::from_millis));
    let limits: Vec<_> = plan.requests.iter().map(|row| row.max_tokens).collect();
    assert_eq!(limits, [Some(5), Some(7), Some(1)]);
    let texts = user_texts(&traffic, &plan);
    let tokens: Vec<Vec<u32>> = texts
        .iter()
        .map(|text| tokenizer.encode(text).unwrap())
        .collect();
    assert_eq!(tokens[0][..512], tokens[1][..512]);
    assert_ne!(tokens[0], tokens[1]);
    assert_ne!(tokens[0][..10], tokens[2][..10]);
    assert_eq!(
        tokens.iter().map(|row| row.len() + 5).collect::<Vec<_>>(),
        [600, 700, 30]
    );
}

#[test]
fn lengths_without_a_tokenizer_are_refused_with_the_way_out() {
    let class = class(ChatSource::Content(Content::Math), Some("D(10,10)"));
    let refused = Traffic::new(0, vec![class], None, None).unwrap_err();
    assert_eq!(refused, WorkloadError::NoTokenizer);
    assert!(refused.to_string().contains("--tokenizer"));
}

#[test]
fn the_fingerprint_tells_one_traffic_from_another() {
    let traffic = |seed, source, lengths| {
        let class = class(source, lengths);
        let traffic = Traffic::new(seed, vec![class], None, Some(tokenizer())).unwrap();
        traffic.fingerprint().unwrap()
    };
    let math = || ChatSource::Content(Content::Math);
    let all = [
        traffic(1, math(), None),
        traffic(2, math(), None),
        traffic(1, math(), Some("D(10,10)")),
        traffic(1, ChatSource::Content(Content::Code), None),
        traffic(1, ChatSource::Rows(rows(3)), None),
        traffic(1, ChatSource::Rows(rows(4)), None),
        traffic(1, ChatSource::Replay(rows(4)), None),
    ];
    assert_eq!(HashSet::<&String>::from_iter(&all).len(), all.len());
    assert_eq!(all[0], traffic(1, math(), None));
}

/// Seconds belong in a benchmark; this bound is several times what a small machine takes, and holds
/// for optimised builds only.
#[test]
#[allow(clippy::disallowed_types, reason = "the one test that is about time")]
fn a_million_requests_are_planned_in_seconds_and_without_texts() {
    const COUNT: usize = 1_000_000;
    let begin = std::time::Instant::now();
    let mix: Mix = "chat=0.7,summarise=0.2,code=0.1".parse().unwrap();
    let prose = |lengths| class(ChatSource::Content(Content::Prose), Some(lengths));
    let classes = vec![
        prose("L(800,900)/(200,150)"),
        prose("N(3000,500)/(200,50)"),
        class(
            ChatSource::Content(Content::Code),
            Some("U(100,900)/(50,400)"),
        ),
    ];
    let traffic = Arc::new(Traffic::new(3, classes, Some(mix), Some(tokenizer())).unwrap());
    let pacing = Pacing::Open {
        arrival: Arrival::Ramp {
            from: 10.0,
            to: 500.0,
            duration: Nanos::from_seconds(600.0),
            gaps: trace::Gaps::Exponential,
        },
        max_concurrency: None,
    };
    let plan = plan(&traffic, pacing, COUNT, 0);
    let elapsed = begin.elapsed();
    assert!(plan.requests.is_sorted_by_key(|row| row.due));
    assert!(size_of::<trace::PlannedRequest>() * COUNT <= 200_000_000);
    assert!(
        plan.requests
            .iter()
            .all(|row| matches!(row.prompt, Prompt::Card { .. }))
    );
    assert!(
        cfg!(debug_assertions) || elapsed.as_secs() < 5,
        "{elapsed:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_a_request_is_follows_from_its_position(seed: u64, begin in 0_usize..500, count in 1_usize..40) {
        let mix: Mix = "a=1,b=1".parse().unwrap();
        let classes = || vec![
            class(ChatSource::Rows(rows(7)), None),
            class(ChatSource::Content(Content::Math), Some("U(30,90)/(5,9)")),
        ];
        let traffic = Traffic::new(seed, classes(), Some(mix), Some(tokenizer())).unwrap();
        let traffic = Arc::new(traffic);
        let whole = plan(&traffic, CLOSED, begin + count, 0);
        let part = plan(&traffic, CLOSED, count, begin);
        for (one, other) in whole.requests[begin..].iter().zip(&part.requests) {
            prop_assert_eq!(&one.prompt, &other.prompt);
            prop_assert_eq!(one.class, other.class);
            prop_assert_eq!(one.max_tokens, other.max_tokens);
        }
    }
}

#[test]
fn a_drawn_length_without_room_for_the_template_becomes_the_shortest_there_can_be() {
    let math = || ChatSource::Content(Content::Math);
    let drawn = class(math(), Some("U(1,12)/(1,4)"));
    let traffic = Traffic::new(3, vec![drawn], None, Some(tokenizer())).unwrap();
    let source = PromptSource::Chat(traffic.into());
    let config = WorkloadConfig {
        source: source.clone(),
        pacing: Pacing::Closed { concurrency: 1 },
        stop: Stop::AllRequests,
        requests: 50,
        max_tokens: None,
        seed: 3,
    };
    let plan = build_plan(&config, RunId::default(), 0).unwrap();
    let lengths = plan
        .requests
        .iter()
        .map(|planned| planned.input_tokens.unwrap().count);
    assert_eq!(lengths.min(), Some(6));
    for planned in &plan.requests {
        let tokens = tokenizer()
            .prompt_tokens(&source.prompt(planned).unwrap())
            .unwrap();
        assert_eq!(tokens, planned.input_tokens.unwrap().count as usize);
    }
    // What was asked for in so many words is not changed.
    let asked = class(math(), Some("D(5,4)"));
    let refused = Traffic::new(3, vec![asked], None, Some(tokenizer())).unwrap_err();
    assert_eq!(
        refused,
        WorkloadError::TokenBudgetTaken {
            budget: 5,
            taken: 5
        }
    );
}

#[test]
fn a_row_of_a_batch_is_sent_with_the_fields_that_it_has() {
    let file = include_bytes!("data/openai-batch.jsonl");
    let reader = DatasetReader::Named(DatasetFormat::OpenAiBatch);
    let rows = parse_dataset(file, Format::JsonLines, &reader)
        .unwrap()
        .rows;
    let source = ChatSource::Replay(rows.into());
    let traffic = Traffic::simple(1, source, None, Some(50)).unwrap();
    let traffic = Arc::new(traffic);
    let plan = plan(&traffic, Pacing::Closed { concurrency: 1 }, 2, 5);
    let lines = file.split(|&byte| byte == b'\n');
    for (request, line) in plan.requests.iter().zip(lines) {
        let row: Value = serde_json::from_slice(line).unwrap();
        let mut expected = row["body"].as_object().unwrap().clone();
        for of_the_run in [
            "model",
            "stream",
            "stream_options",
            "max_tokens",
            "max_completion_tokens",
        ] {
            expected.remove(of_the_run);
        }
        assert_eq!(request.changes.as_deref(), Some(&expected));
        assert!(expected.contains_key("messages"));
    }
    assert_eq!(plan.requests[1].max_tokens, Some(5));
}

#[test]
fn every_request_has_its_own_images_and_adapter_and_the_next_dealt_body() {
    let traffic = Traffic::simple(3, ChatSource::Content(Content::Math), None, Some(8)).unwrap();
    let names = ["a", "b", "c"].map(Arc::from).to_vec();
    let variants = Variants {
        adapters: Some(Adapters::new(names, AdapterSpread::AllUnique, None).unwrap()),
        images: Some(NoiseImages::new(2, "4x4".parse().unwrap()).unwrap()),
        bodies: [json!({"top_p": 0.1}), json!({"top_p": 0.2})]
            .map(|body| Arc::new(body.as_object().unwrap().clone()))
            .into(),
    };
    let bare = traffic.fingerprint().unwrap();
    let traffic = Arc::new(traffic.with_variants(variants));
    assert_ne!(traffic.fingerprint().unwrap(), bare);
    let mut seen = HashSet::new();
    for (dealt, models) in [(0, ["a", "b", "c", "a"]), (4, ["b", "c", "a", "b"])] {
        let plan = plan(&traffic, Pacing::Closed { concurrency: 1 }, 4, dealt);
        for ((request, model), top_p) in plan.requests.iter().zip(models).zip([0.1, 0.2, 0.1, 0.2])
        {
            let expected = json!({"model": model, "top_p": top_p});
            assert_eq!(request.changes.as_deref(), expected.as_object());
            let Prompt::Chat { messages } = traffic.prompt(request).unwrap() else {
                panic!("a chat")
            };
            let last = messages.last().unwrap();
            assert_eq!(last.images.len(), 2);
            assert!(last.images.iter().all(|image| seen.insert(image.clone())));
        }
    }
}
