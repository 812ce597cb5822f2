//! Sessions, and a plan of a million requests.

mod toy;

use proptest::prelude::*;
use std::collections::HashSet;
use toy::BytePairs;
use trace::Nanos;
use workload::{PrefixGroups, Session, SessionConfig, ThinkTime, TokenBudget, Tokenizer};

fn config(turns_min: u32, turns_max: u32, think: ThinkTime) -> SessionConfig {
    SessionConfig {
        turns_min,
        turns_max,
        think,
        lengths: "U(10,50)/(100,200)".parse().unwrap(),
        prefix: Some("3x2000".parse().unwrap()),
    }
}

const SECOND: Nanos = Nanos(1_000_000_000);

fn session(config: &SessionConfig, id: u64) -> Session {
    config.session(42, id).unwrap()
}

#[test]
fn a_context_grows_by_what_was_said() {
    let fixed = SessionConfig {
        lengths: "D(10,100)".parse().unwrap(),
        ..config(3, 3, ThinkTime::Constant { span: SECOND })
    };
    let session = session(&fixed, 5);
    assert_eq!((session.group, session.prefix_tokens), (Some(2), 2_000));
    let contexts: Vec<Option<u64>> = (0..4).map(|turn| session.context_tokens(turn)).collect();
    assert_eq!(contexts, [Some(2_010), Some(2_120), Some(2_230), None]);
    let thinks: Vec<Nanos> = session.turns.iter().map(|turn| turn.think).collect();
    assert_eq!(thinks, [Nanos::ZERO, SECOND, SECOND]);
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
            .flat_map(|id| session(&config, id).turns.split_off(1))
            .map(|turn| turn.think.seconds())
            .collect();
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
fn what_no_session_can_be_is_refused() {
    let think = ThinkTime::Constant { span: Nanos::ZERO };
    for (min, max) in [(0, 3), (4, 3), (1, 10_001)] {
        let error = config(min, max, think).session(0, 0).unwrap_err();
        assert_eq!(
            error.to_string(),
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
    let error = config(1, 1, never).session(0, 0).unwrap_err().to_string();
    assert!(error.starts_with("the mean of log-normal think times must be above 0 seconds"));
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
    fn sessions_follow_from_their_seed_and_number(
        seed: u64, id: u64, min in 1_u32..5, more in 0_u32..5, mean in 0_u64..100_000_000_000,
    ) {
        let config = config(min, min + more, ThinkTime::Exponential { mean: Nanos(mean) });
        let session = config.session(seed, id).unwrap();
        prop_assert_eq!(&session, &config.session(seed, id).unwrap());
        prop_assert_ne!(&session.turns, &config.session(seed, id ^ 1).unwrap().turns);
        let turns = u32::try_from(session.turns.len()).unwrap();
        prop_assert!((min..=min + more).contains(&turns));
        prop_assert!(session.group.is_some_and(|group| u64::from(group) == id % 3));
        prop_assert_eq!(session.turns[0].think, Nanos::ZERO);
        for turn in &session.turns {
            prop_assert!((10..=50).contains(&turn.lengths.input_tokens));
            prop_assert!((100..=200).contains(&turn.lengths.output_tokens));
        }
    }
}
