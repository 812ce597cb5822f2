//! Length scenarios and mixes: how they are written, refused and drawn.

use proptest::prelude::*;
use workload::{Bounds, LengthScenario, Lengths, Mix, Spread, TOKENS_MAX};

fn scenario(text: &str) -> LengthScenario {
    text.parse().unwrap()
}

fn refusal(text: &str) -> String {
    let error = text.parse::<LengthScenario>().unwrap_err().to_string();
    let (what, way_out) = error.split_once(". Write D(100,50), ").unwrap();
    assert_eq!(
        way_out,
        "N(480,240)/(300,150), U(50,150)/(20,80) or L(480,240)/(300,150)."
    );
    what.to_owned()
}

#[test]
fn scenarios_are_read_as_genai_bench_writes_them() {
    assert_eq!(
        scenario("D(100,50)"),
        LengthScenario::Deterministic {
            lengths: Lengths {
                input_tokens: 100,
                output_tokens: 50
            }
        }
    );
    let input = Spread {
        mean: 480,
        std: 240,
    };
    let output = Spread { mean: 300, std: 0 };
    let normal = LengthScenario::Normal { input, output };
    assert_eq!(scenario("N(480,240)/(300,0)"), normal);
    assert_eq!(scenario(" n ( 480 , 240 ) / ( 300 , 0 ) "), normal);
    assert_eq!(
        scenario("L(480,240)/(300,0)"),
        LengthScenario::LogNormal { input, output }
    );
    let bounds = |min, max| Bounds { min, max };
    assert_eq!(
        scenario("U(50,150)/(20,80)"),
        LengthScenario::Uniform {
            input: bounds(50, 150),
            output: bounds(20, 80)
        }
    );
    assert_eq!(scenario("U(150,80)"), scenario("U(1,150)/(1,80)"));
}

#[test]
fn what_is_no_scenario_is_refused_at_its_place() {
    for (text, expected) in [
        (
            "",
            "`` is not a length scenario: at its end there must be D, N, U or L",
        ),
        (
            "X(1,2)",
            "`X(1,2)` is not a length scenario: at character 1 there must be D, N, U or L",
        ),
        (
            "D(100;50)",
            "`D(100;50)` is not a length scenario: at character 6 there must be `,`",
        ),
        (
            "D(100,50",
            "`D(100,50` is not a length scenario: at its end there must be `)`",
        ),
        (
            "D(1,2)/(3,4)",
            "`D(1,2)/(3,4)` is not a length scenario: at character 7 there must be the end",
        ),
        (
            "N(480,240)",
            "`N(480,240)` is not a length scenario: at its end there must be `/`",
        ),
        (
            "D(0,50)",
            "`D(0,50)` is not a length scenario: at character 3 there must be a whole number from 1 to \
             10000000",
        ),
        (
            "D(1,-5)",
            "`D(1,-5)` is not a length scenario: at character 5 there must be a whole number from 1 to \
             10000000",
        ),
        (
            "N(1,99999999999)/(1,1)",
            "`N(1,99999999999)/(1,1)` is not a length scenario: at character 5 there must be a whole \
             number from 0 to 10000000",
        ),
        (
            "U(50,20)/(1,2)",
            "`U(50,20)/(1,2)` is not a length scenario: at character 6 there must be a whole number \
             from 50 to 10000000",
        ),
        (
            "é\x1b(1,2)",
            "`é\u{fffd}(1,2)` is not a length scenario: at character 1 there must be D, N, U or L",
        ),
    ] {
        assert_eq!(refusal(text), expected);
    }
}

/// Mean and standard deviation of the input lengths.
fn moments(text: &str) -> (f64, f64) {
    const COUNT: usize = 100_000;
    let drawn: Vec<f64> = scenario(text)
        .lengths(7)
        .take(COUNT)
        .map(|lengths| f64::from(lengths.input_tokens))
        .collect();
    let mean = drawn.iter().sum::<f64>() / COUNT as f64;
    let variance = drawn.iter().map(|one| (one - mean).powi(2)).sum::<f64>() / COUNT as f64;
    (mean, variance.sqrt())
}

#[test]
fn drawn_lengths_have_the_mean_and_deviation_that_were_asked_for() {
    for (text, mean, std) in [
        ("D(100,50)", 100.0, 0.0),
        ("N(1000,200)/(1,1)", 1000.0, 200.0),
        ("L(1000,200)/(1,1)", 1000.0, 200.0),
        ("L(500,700)/(1,1)", 500.0, 700.0),
        // Of the integers from a to b: ((b - a + 1)^2 - 1) / 12 is the variance.
        ("U(51,150)/(1,1)", 100.5, 28.87),
        ("U(150,1)", 75.5, 43.3),
    ] {
        let drawn = moments(text);
        assert!((drawn.0 - mean).abs() <= 0.01 * mean, "{text}: {drawn:?}");
        assert!((drawn.1 - std).abs() <= 0.05 * std, "{text}: {drawn:?}");
    }
}

#[test]
fn the_lengths_of_a_seed_are_the_same_in_every_version() {
    let drawn: Vec<(u32, u32)> = scenario("U(50,150)/(20,80)")
        .lengths(42)
        .take(3)
        .map(|lengths| (lengths.input_tokens, lengths.output_tokens))
        .collect();
    assert_eq!(drawn, [(148, 49), (72, 64), (140, 44)]);
}

fn spread() -> impl Strategy<Value = Spread> {
    (1..=TOKENS_MAX, 0..=TOKENS_MAX).prop_map(|(mean, std)| Spread { mean, std })
}

fn bounds() -> impl Strategy<Value = Bounds> {
    (1..=TOKENS_MAX, 1..=TOKENS_MAX).prop_map(|(one, other)| Bounds {
        min: one.min(other),
        max: one.max(other),
    })
}

fn any_scenario() -> impl Strategy<Value = LengthScenario> {
    prop_oneof![
        (1..=TOKENS_MAX, 1..=TOKENS_MAX).prop_map(|(input_tokens, output_tokens)| {
            LengthScenario::Deterministic {
                lengths: Lengths {
                    input_tokens,
                    output_tokens,
                },
            }
        }),
        (spread(), spread()).prop_map(|(input, output)| LengthScenario::Normal { input, output }),
        (spread(), spread())
            .prop_map(|(input, output)| LengthScenario::LogNormal { input, output }),
        (bounds(), bounds()).prop_map(|(input, output)| LengthScenario::Uniform { input, output }),
    ]
}

proptest! {
    #[test]
    fn a_scenario_is_written_as_it_is_read(scenario in any_scenario()) {
        prop_assert_eq!(scenario.to_string().parse::<LengthScenario>(), Ok(scenario));
    }

    #[test]
    fn lengths_are_in_range_and_follow_the_seed(scenario in any_scenario(), seed: u64) {
        let drawn: Vec<Lengths> = scenario.lengths(seed).take(50).collect();
        for lengths in &drawn {
            prop_assert!((1..=TOKENS_MAX).contains(&lengths.input_tokens));
            prop_assert!((1..=TOKENS_MAX).contains(&lengths.output_tokens));
        }
        prop_assert_eq!(drawn, scenario.lengths(seed).take(50).collect::<Vec<_>>());
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[DNUL(),/0-9 é]{0,24}|.*") {
        let _ = text.parse::<LengthScenario>();
        let _ = text.parse::<Mix>();
    }

    #[test]
    fn any_text_that_is_read_can_be_drawn_from(text in "[DNUL]\\([1-9],[1-9]\\)(/\\([1-9],[1-9]\\))?") {
        if let Ok(scenario) = text.parse::<LengthScenario>() {
            prop_assert!(scenario.lengths(0).next().is_some());
        }
    }

    #[test]
    fn classes_come_in_their_shares(weights in prop::collection::vec(0.01..100.0_f64, 1..6), seed: u64) {
        let text: Vec<String> = weights
            .iter()
            .enumerate()
            .map(|(number, weight)| format!("c{number}={weight}"))
            .collect();
        let mix: Mix = text.join(",").parse().unwrap();
        let total: f64 = mix.classes().iter().map(|class| class.share).sum();
        prop_assert!((total - 1.0).abs() < 1e-9);
        let mut counts = vec![0_u32; weights.len()];
        for class in mix.draws(seed).take(20_000) {
            counts[class] += 1;
        }
        for (count, class) in counts.iter().zip(mix.classes()) {
            let expected = 20_000.0 * class.share;
            // Seven standard deviations of a binomial count.
            prop_assert!((f64::from(*count) - expected).abs() <= 7.0 * expected.sqrt() + 1.0);
        }
    }
}

#[test]
fn weights_count_by_their_proportions() {
    let mix: Mix = "chat=7, summarise = 2,code=1".parse().unwrap();
    assert_eq!(mix.to_string(), "chat=0.7,summarise=0.2,code=0.1");
}

#[test]
fn a_mix_that_makes_no_sense_is_refused() {
    let refusal = |text: &str| {
        let error = text.parse::<Mix>().unwrap_err().to_string();
        error.split_once(". Write names").unwrap().0.to_owned()
    };
    for (text, reason) in [
        ("", "`` has no `=` between a name and a weight"),
        ("chat", "`chat` has no `=` between a name and a weight"),
        ("chat=1,", "`` has no `=` between a name and a weight"),
        (
            "=1",
            "the name in `=1` must be letters, digits, `-`, `_` and `.`",
        ),
        (
            "a b=1",
            "the name in `a b=1` must be letters, digits, `-`, `_` and `.`",
        ),
        ("a=0", "the weight in `a=0` must be a number above 0"),
        ("a=NaN", "the weight in `a=NaN` must be a number above 0"),
        ("a=inf", "the weight in `a=inf` must be a number above 0"),
        ("a=1,a=2", "`a` is there twice"),
        (
            "a=1e308,b=1e308",
            "the weights add up to inf, of which that of `a` is no share",
        ),
    ] {
        assert_eq!(
            refusal(text),
            format!("`{text}` is not a mix of classes: {reason}")
        );
    }
}
