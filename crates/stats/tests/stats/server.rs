//! What the server says of itself, beside what was received.

use crate::builder::{Setting, closed_loop, ms};
use stats::{Grade, Interval, ServerView};
use trace::{Bucket, ServerSample};

/// 80 requests of 20 tokens with first tokens after 60 ms, and what a server said of as many: it began at
/// 1,000 tokens, made `tokens` more, and saw first tokens as `below` says, by bounds of 20, 40, 80 and 160 ms.
fn watched(tokens: f64, below: [f64; 4]) -> Setting {
    let sample = |at, tokens: f64, count: f64, below: [f64; 4]| ServerSample {
        at: ms(at),
        running: Some(if at == 1_000 { 4.0 } else { 0.0 }),
        generation_tokens: Some(1_000.0 + tokens),
        ttft_seconds: Some(7.0 + 0.055 * count),
        ttft_count: Some(100.0 + count),
        ttft_buckets: [0.02, 0.04, 0.08, 0.16]
            .into_iter()
            .zip(below)
            .map(|(up_to, more)| Bucket {
                up_to,
                count: 100.0 + more,
            })
            .collect(),
        ..ServerSample::default()
    };
    closed_loop(4, 20).facts(|facts| {
        facts.server = vec![
            sample(0, 0.0, 0.0, [0.0; 4]),
            sample(5_000, tokens, below[3], below),
        ];
        let within = vec![sample(1_000, 100.0, 5.0, [0.0; 4]); 5];
        facts.server.splice(1..1, within);
    })
}

fn view(setting: &Setting) -> ServerView {
    setting.summarize().points.remove(0).server.unwrap()
}

#[test]
fn its_counts_grow_from_the_first_look_to_the_last() {
    let view = view(&watched(1_600.0, [0.0, 30.0, 79.0, 80.0]));
    // Of so coarse a sample there is a most, and no mean.
    assert_eq!((view.samples, view.running_max), (7, Some(4.0)));
    assert_eq!(view.generation_tokens, Some(1_600.0));
    assert_eq!(view.ttft_count, Some(80.0));
    assert!((view.ttft_mean_ms.unwrap() - 55.0).abs() < 1e-9);
    let bounds = |low, high| Some(Interval { low, high });
    assert_eq!(view.ttft_p50_ms, bounds(40.0, 80.0));
    // Of 80 there is none.
    assert_eq!(view.ttft_p99_ms, None);
    let mut more = watched(1_600.0, [0.0, 30.0, 199.0, 200.0]);
    more.facts[0].server[6].ttft_count = Some(300.0);
    // The 198th of 200, as the percentile lies between that and the next.
    let p99 = self::view(&more).ttft_p99_ms;
    assert_eq!(p99, bounds(40.0, 80.0));
}

#[test]
fn what_lies_beyond_the_last_bound_has_no_bracket() {
    let mut setting = watched(1_600.0, [0.0, 30.0, 79.0, 80.0]);
    for sample in &mut setting.facts[0].server {
        sample.ttft_buckets.truncate(2);
    }
    let view = view(&setting);
    assert_eq!((view.ttft_p50_ms, view.ttft_p99_ms), (None, None));
}

#[test]
fn a_server_that_made_more_than_was_received_was_shared() {
    let codes = |tokens| watched(tokens, [0.0, 0.0, 80.0, 80.0]).codes();
    assert!(codes(1_600.0).is_empty());
    assert!(codes(1_679.0).is_empty());
    assert_eq!(codes(1_690.0), ["server_shared"]);
}

#[test]
fn a_first_token_that_comes_several_times_later_than_the_servers_own_was_held_back() {
    // Ours take 60 ms.
    let at = |mean: f64, below| {
        let mut setting = watched(1_600.0, below);
        setting.facts[0].server[6].ttft_seconds = Some(7.0 + mean * 80.0);
        setting
    };
    let early = at(0.015, [80.0; 4]);
    let verdict = early.summarize().verdict;
    assert_eq!(early.codes(), ["after_the_server"]);
    let sentence = &verdict.reasons[0].sentence;
    assert!(
        sentence.contains("held back") && sentence.contains("at most 20.0 ms"),
        "{sentence}"
    );
    // A network, or a bucket that is no finer, explains that.
    assert!(at(0.055, [0.0, 79.0, 80.0, 80.0]).codes().is_empty());
    // Others used it too: whose first tokens those are nobody knows.
    let mut shared = early;
    shared.facts[0].server[6].ttft_count = Some(300.0);
    assert!(!shared.codes().contains(&"after_the_server".to_owned()));
}

#[test]
fn a_first_token_that_comes_here_before_the_server_makes_it_is_none() {
    // Ours take 60 ms.
    let late = watched(1_600.0, [0.0, 0.0, 30.0, 80.0]);
    let verdict = late.summarize().verdict;
    assert_eq!(verdict.reasons[0].code, "before_the_server");
    assert_eq!(verdict.grade, Grade::Suspect);
    assert!(verdict.reasons[0].sentence.contains("at least 80.0 ms"));
    assert!(watched(1_600.0, [0.0, 0.0, 80.0, 80.0]).codes().is_empty());
    // The slowest alone is slow, here and there: no contradiction.
    let mut outlier = watched(1_600.0, [0.0, 0.0, 79.0, 79.0]);
    outlier.facts[0].server[6].ttft_count = Some(180.0);
    assert!(outlier.codes().is_empty());
    // Others used it too, and their first tokens are in the histogram.
    let mut shared = late.clone();
    shared.facts[0].server[6].ttft_count = Some(181.0);
    assert!(shared.codes().is_empty());
}
