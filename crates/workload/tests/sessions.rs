//! Conversations: how many turns, how long their users think, what they say, and what they share.

mod toy;

use proptest::prelude::*;
use std::collections::HashSet;
use std::sync::Arc;
use toy::BytePairs;
use trace::{Nanos, Pacing, PlannedRequest, Prompt, Role, RunId, Stop};
use workload::{
    ChatSource, Content, DatasetRow, DatasetTurn, PrefixGroups, PromptSource, PromptTokenizer,
    SessionConfig, ThinkTime, TokenBudget, Tokenizer, Traffic, TrafficClass, TurnCount,
    WorkloadConfig, WorkloadError, build_plan,
};

/// Counts texts as the toy does, and five more for each message.
#[derive(Debug)]
struct Counting(BytePairs);

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
        let parts = prompt.parts();
        parts.map(|text| Ok(5 + self.0.encode(text)?.len())).sum()
    }
}

const SECOND: Nanos = Nanos(1_000_000_000);

fn config(min: u32, max: u32, think: ThinkTime) -> SessionConfig {
    SessionConfig {
        turns: TurnCount::Between { min, max },
        think,
    }
}

fn class(source: ChatSource, lengths: Option<&str>) -> TrafficClass {
    TrafficClass {
        source,
        system: None,
        lengths: lengths.map(|text| text.parse().unwrap()),
        max_tokens: Some(64),
    }
}

fn traffic(class: TrafficClass) -> Traffic {
    let counter = Counting(BytePairs::new(2, 100, true));
    Traffic::new(7, vec![class], None, Some(Arc::new(counter))).unwrap()
}

/// The requests of a closed loop, and their traffic.
fn plan(traffic: Traffic, requests: usize) -> (Arc<Traffic>, Vec<PlannedRequest>) {
    let traffic = Arc::new(traffic);
    let config = WorkloadConfig {
        source: PromptSource::Chat(Arc::clone(&traffic)),
        pacing: Pacing::Closed { concurrency: 2 },
        stop: Stop::AllRequests,
        requests,
        max_tokens: None,
        seed: 7,
    };
    let plan = build_plan(&config, RunId::default(), 0).unwrap();
    assert_eq!(
        plan.exchanges(),
        plan.requests
            .iter()
            .map(|one| 1 + one.turns.len() as u64)
            .sum::<u64>()
    );
    (traffic, plan.requests)
}

/// What the user says in each turn.
fn said(traffic: &Traffic, request: &PlannedRequest) -> Vec<String> {
    let follow_ups = request.turns.iter().map(|turn| PlannedRequest {
        prompt: turn.prompt.clone(),
        input_tokens: turn.input_tokens,
        ..request.clone()
    });
    let text = |planned: PlannedRequest| {
        let prompt = traffic.prompt(&planned).unwrap();
        prompt.parts().last().unwrap().to_owned()
    };
    std::iter::once(request.clone())
        .chain(follow_ups)
        .map(text)
        .collect()
}

#[test]
fn think_times_have_the_mean_that_was_asked_for() {
    let log_normal = ThinkTime::LogNormal {
        mean: SECOND,
        std: SECOND,
    };
    for think in [ThinkTime::Exponential { mean: SECOND }, log_normal] {
        let config = config(101, 101, think);
        let thinks: Vec<f64> = (0..300)
            .flat_map(|id| config.thinks(42, id, 1))
            .map(Nanos::seconds)
            .collect();
        assert_eq!(thinks.len(), 300 * 100);
        let mean = thinks.iter().sum::<f64>() / thinks.len() as f64;
        let square = thinks
            .iter()
            .map(|think| (think - mean).powi(2))
            .sum::<f64>();
        let std = (square / thinks.len() as f64).sqrt();
        assert!((mean - 1.0).abs() < 0.03, "{mean}");
        assert!((std - 1.0).abs() < 0.1, "{std}");
    }
}

#[test]
fn turns_of_built_in_texts_all_differ_and_have_their_lengths() {
    let think = ThinkTime::Constant { span: SECOND };
    for lengths in [None, Some("U(40,60)/(5,9)")] {
        let one = traffic(class(ChatSource::Content(Content::Math), lengths));
        let (traffic, requests) = plan(one.in_sessions(config(2, 4, think)).unwrap(), 30);
        let mut texts = HashSet::new();
        let counter = BytePairs::new(2, 100, true);
        for request in &requests {
            assert!((1..=3).contains(&request.turns.len()));
            assert!(request.turns.iter().all(|turn| turn.think == SECOND));
            let said = said(&traffic, request);
            for (turn, text) in request.turns.iter().zip(&said[1..]) {
                let count = counter.encode(text).unwrap().len();
                if let Some(tokens) = turn.input_tokens {
                    assert!((40..=60).contains(&count));
                    assert_eq!(tokens.count as usize, count);
                    assert!((5..=9).contains(&turn.max_tokens.unwrap()));
                } else {
                    assert_eq!((lengths, turn.max_tokens), (None, Some(64)));
                }
            }
            texts.extend(said);
        }
        let turns: usize = requests.iter().map(|request| 1 + request.turns.len()).sum();
        assert_eq!(texts.len(), turns);
        let counts: HashSet<_> = requests.iter().map(|request| request.turns.len()).collect();
        assert_eq!(counts.len(), 3, "2, 3 and 4 turns all happen");
    }
}

#[test]
fn recorded_conversations_say_what_their_users_said() {
    let row = |texts: &[&str]| {
        let turn = |text: &&str| DatasetTurn {
            user: (*text).into(),
            answer: None,
        };
        DatasetRow::of_turns(texts.iter().map(turn).collect())
    };
    let rows: Arc<[DatasetRow]> = [row(&["a", "b", "c"]), row(&["d"])].into();
    let think = ThinkTime::Constant { span: Nanos::ZERO };
    let of_rows = SessionConfig {
        turns: TurnCount::OfRows,
        think,
    };
    let replayed = || traffic(class(ChatSource::Replay(Arc::clone(&rows)), None));
    let (traffic, requests) = plan(replayed().in_sessions(of_rows).unwrap(), 2);
    assert_eq!(said(&traffic, &requests[0]), ["a", "b", "c"]);
    assert_eq!(said(&traffic, &requests[1]), ["d"]);
    // A row that has fewer goes on with what comes after it.
    let two = replayed().in_sessions(config(2, 2, think)).unwrap();
    let (traffic, requests) = plan(two, 2);
    assert_eq!(said(&traffic, &requests[0]), ["a", "b"]);
    assert_eq!(said(&traffic, &requests[1]), ["d", "a"]);
}

#[test]
fn what_is_shared_stands_before_prompts_that_keep_their_lengths() {
    let groups: PrefixGroups = "3x90".parse().unwrap();
    for lengths in [None, Some("D(40,5)")] {
        let one = traffic(class(ChatSource::Content(Content::Prose), lengths));
        let (traffic, requests) = plan(one.with_prefixes(groups).unwrap(), 9);
        let mut systems = HashSet::new();
        for request in &requests {
            let Prompt::Chat { messages } = traffic.prompt(request).unwrap() else {
                panic!("a chat");
            };
            assert_eq!(messages[0].role, Role::System);
            systems.insert((request.id % 3, messages[0].text.clone()));
            let tokens = request.input_tokens.map(|tokens| tokens.count);
            assert_eq!(tokens, lengths.map(|_| 130));
        }
        assert_eq!(
            systems.len(),
            3,
            "each group has its own, and always the same"
        );
    }
}

#[test]
fn a_tool_is_offered_and_its_results_wait() {
    let one = traffic(class(ChatSource::Content(Content::Math), None));
    let (_, requests) = plan(one.with_tool(2), 3);
    for request in &requests {
        assert!(request.changes.as_ref().unwrap().contains_key("tools"));
        assert_eq!(request.turns.len(), 2);
        for turn in &*request.turns {
            let Prompt::Chat { messages } = &turn.prompt else {
                panic!("a message");
            };
            assert_eq!(messages[0].role, Role::Tool);
            assert!(messages[0].text.len() > 20);
        }
    }
}

#[test]
fn what_no_session_can_be_is_refused() {
    let think = ThinkTime::Constant { span: Nanos::ZERO };
    let refused = |config: SessionConfig| -> String {
        let one = traffic(class(ChatSource::Content(Content::Math), None));
        one.in_sessions(config).unwrap_err().to_string()
    };
    for (min, max) in [(0, 3), (4, 3), (1, 10_001)] {
        assert_eq!(
            refused(config(min, max, think)),
            format!(
                "sessions must have from 1 to 10000 turns, the most not below the fewest, got {min} to \
                 {max}."
            )
        );
    }
    let never = ThinkTime::LogNormal {
        mean: Nanos::ZERO,
        std: SECOND,
    };
    let error = refused(config(1, 1, never));
    assert!(error.starts_with("the mean of log-normal think times must be above 0 seconds"));
    let turns = TurnCount::OfRows;
    let error = refused(SessionConfig { turns, think });
    assert!(
        error.contains("give a number of turns, such as 3"),
        "{error}"
    );
    let bare = Traffic::simple(7, ChatSource::Content(Content::Math), None, None).unwrap();
    let error = bare.with_prefixes("2x10".parse().unwrap()).unwrap_err();
    assert!(matches!(error, WorkloadError::NoTokenizer), "{error}");
    for text in [
        "",
        "4",
        "x",
        "0x10",
        "4x0",
        "4x99999999999",
        "4 by 5",
        "-1x3",
    ] {
        let error = text.parse::<PrefixGroups>().unwrap_err().to_string();
        assert_eq!(
            error,
            format!(
                "`{text}` is not a number of system prompts and their tokens; write both from 1 to \
                 10000000, with an x between them, such as 4x2000."
            )
        );
    }
    assert_eq!("4X20".parse::<PrefixGroups>().unwrap().to_string(), "4x20");
}

#[test]
fn the_system_prompts_of_groups_differ_and_have_their_tokens() {
    let tokenizer = BytePairs::new(2, 100, true);
    let total = |text: &str| Ok(tokenizer.encode(text)?.len());
    let groups: PrefixGroups = "5x90".parse().unwrap();
    let budget = TokenBudget {
        tokenizer: &tokenizer,
        total: &total,
        tokens: groups.tokens() as usize,
    };
    let texts: HashSet<String> = (0..groups.groups())
        .map(|group| groups.text(group, 1, &budget).unwrap())
        .collect();
    assert_eq!(texts.len(), 5);
    assert!(texts.iter().all(|text| total(text) == Ok(90)));
}

proptest! {
    #[test]
    fn conversations_follow_from_their_seed_and_number(
        seed: u64, id: u64, min in 1_u32..5, more in 0_u32..5, mean in 0_u64..100_000_000_000,
    ) {
        let config = config(min, min + more, ThinkTime::Exponential { mean: Nanos(mean) });
        let thinks = config.thinks(seed, id, 1);
        prop_assert_eq!(&thinks, &config.thinks(seed, id, 1));
        let turns = 1 + u32::try_from(thinks.len()).unwrap();
        prop_assert!((min..=min + more).contains(&turns));
    }
}
