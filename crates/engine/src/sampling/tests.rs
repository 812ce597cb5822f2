use super::{Sampler, random};
use crate::{Sampling, SamplingParams, TokenId};
use proptest::prelude::*;

fn sampling<'a>(params: &'a SamplingParams, generated: &'a [TokenId]) -> Sampling<'a> {
    Sampling {
        params,
        stops: &[],
        choices: 0..1,
        generated,
    }
}

fn greedy() -> SamplingParams {
    SamplingParams {
        temperature: 0.0,
        ..SamplingParams::default()
    }
}

fn take(row: &[f32], params: &SamplingParams, generated: &[TokenId]) -> TokenId {
    let mut row = row.to_vec();
    Sampler::default()
        .sample(&mut row, &sampling(params, generated), 0)
        .0
}

/// How often each token is drawn in 4,000 positions, as a share.
fn shares(row: &[f32], params: &SamplingParams) -> Vec<f64> {
    let mut sampler = Sampler::default();
    let mut row = row.to_vec();
    let mut counts = vec![0.0; row.len()];
    let generated = vec![0; 4000];
    for position in 0..4000 {
        let (token, _) = sampler.sample(&mut row, &sampling(params, &generated[..position]), 0);
        counts[token as usize] += 1.0 / 4000.0;
    }
    counts
}

#[test]
fn greedy_takes_the_lowest_id_among_equals_and_no_number_never() {
    assert_eq!(take(&[1.0, 3.0, 3.0], &greedy(), &[]), 1);
    assert_eq!(take(&[f32::NAN, 1.0, f32::NAN], &greedy(), &[]), 1);
    assert_eq!(take(&[f32::NAN, f32::NAN], &greedy(), &[]), 0);
}

#[test]
fn what_is_no_number_is_never_drawn() {
    let row = [f32::NAN, 0.0, f32::NEG_INFINITY, 0.0];
    for params in [
        SamplingParams::default(),
        SamplingParams {
            top_k: 3,
            ..SamplingParams::default()
        },
        SamplingParams {
            top_p: 0.99,
            ..SamplingParams::default()
        },
        SamplingParams {
            min_p: 0.01,
            ..SamplingParams::default()
        },
    ] {
        let shares = shares(&row, &params);
        assert!(shares[0] + shares[2] == 0.0, "{params:?}: {shares:?}");
    }
}

#[test]
fn tokens_are_drawn_by_their_probability() {
    let probabilities = [0.5_f32, 0.3, 0.15, 0.05];
    let row = probabilities.map(f32::ln);
    let shares = shares(&row, &SamplingParams::default());
    for (share, probability) in shares.iter().zip(probabilities) {
        // Four standard deviations of a share in 4,000 draws.
        let bound = 4.0 * (f64::from(probability) / 4000.0).sqrt();
        assert!((share - f64::from(probability)).abs() < bound, "{shares:?}");
    }
}

#[test]
fn a_low_temperature_favours_what_is_probable() {
    let row = [1.0, 0.0];
    let cold = SamplingParams {
        temperature: 0.25,
        ..SamplingParams::default()
    };
    let share = shares(&row, &cold)[0];
    // 1 / (1 + e^-4)
    assert!((share - 0.982).abs() < 0.01, "{share}");
}

#[test]
fn cuts_keep_what_they_say() {
    let row = [0.4_f32, 0.3, 0.2, 0.1].map(f32::ln);
    let kept = |params: &SamplingParams| -> Vec<bool> {
        shares(&row, params)
            .iter()
            .map(|&share| share > 0.0)
            .collect()
    };
    let all = SamplingParams::default();
    assert_eq!(
        kept(&SamplingParams {
            top_k: 2,
            ..all.clone()
        }),
        [true, true, false, false]
    );
    assert_eq!(
        kept(&SamplingParams {
            top_p: 0.65,
            ..all.clone()
        }),
        [true, true, false, false]
    );
    assert_eq!(
        kept(&SamplingParams {
            top_p: 0.75,
            ..all.clone()
        }),
        [true, true, true, false]
    );
    assert_eq!(
        kept(&SamplingParams {
            top_p: 1e-6,
            ..all.clone()
        }),
        [true, false, false, false]
    );
    assert_eq!(
        kept(&SamplingParams {
            min_p: 0.45,
            ..all.clone()
        }),
        [true, true, true, false]
    );
    // Of the three that top_k keeps, 0.4 / 0.9 is less than 0.5 and 0.7 / 0.9 is more.
    let both = SamplingParams {
        top_k: 3,
        top_p: 0.5,
        ..all
    };
    assert_eq!(kept(&both), [true, true, false, false]);
}

#[test]
fn among_equals_at_the_cut_the_lowest_ids_stay() {
    let params = SamplingParams {
        top_k: 2,
        ..SamplingParams::default()
    };
    let shares = shares(&[0.0; 200], &params);
    assert!(shares[0] > 0.0 && shares[1] > 0.0);
    assert_eq!(shares.iter().filter(|&&share| share > 0.0).count(), 2);
}

#[test]
fn biases_and_penalties_move_the_choice() {
    let row = [2.0, 1.5, 0.0];
    let bias = SamplingParams {
        logit_bias: vec![(2, 5.0), (9, 100.0)],
        ..greedy()
    };
    assert_eq!(take(&row, &bias, &[]), 2);
    let ban = SamplingParams {
        logit_bias: vec![(0, -100.0)],
        ..greedy()
    };
    assert_eq!(take(&row, &ban, &[]), 1);
    let presence = SamplingParams {
        presence_penalty: 0.6,
        ..greedy()
    };
    assert_eq!(take(&row, &presence, &[]), 0);
    assert_eq!(take(&row, &presence, &[0]), 1);
    assert_eq!(
        take(&row, &presence, &[0, 0, 0, 1]),
        0,
        "presence counts once"
    );
    let frequency = SamplingParams {
        frequency_penalty: 0.3,
        ..greedy()
    };
    assert_eq!(take(&row, &frequency, &[0]), 0);
    assert_eq!(
        take(&row, &frequency, &[0, 0]),
        1,
        "frequency counts each time"
    );
    assert_eq!(
        take(&row, &frequency, &[0, 0, 7, u32::MAX]),
        1,
        "unknown tokens are no index"
    );
}

#[test]
fn what_would_end_an_answer_too_early_is_not_sampled() {
    let params = SamplingParams {
        tokens_min: 2,
        ..greedy()
    };
    let take = |generated| {
        let sampling = Sampling {
            stops: &[1, 77],
            ..sampling(&params, generated)
        };
        Sampler::default()
            .sample(&mut [0.0, 9.0, 1.0], &sampling, 0)
            .0
    };
    assert_eq!(take(&[5]), 2);
    assert_eq!(take(&[5, 5]), 1);
}

#[test]
fn log_probabilities_are_those_of_the_raw_distribution() {
    let params = SamplingParams {
        logprobs: Some(2),
        logit_bias: vec![(0, -100.0)],
        ..greedy()
    };
    let mut row = [0.5_f32, 0.3, 0.2].map(f32::ln);
    let before = row;
    let (token, logprobs) = Sampler::default().sample(&mut row, &sampling(&params, &[]), 0);
    let logprobs = logprobs.unwrap();
    assert_eq!(
        row.map(f32::to_bits),
        before.map(f32::to_bits),
        "the row is given back as it was"
    );
    assert_eq!((token, logprobs.chosen.token), (1, 1));
    assert!((logprobs.chosen.logprob - 0.3_f32.ln()).abs() < 1e-6);
    let top: Vec<TokenId> = logprobs.top.iter().map(|top| top.token).collect();
    assert_eq!(top, [0, 1]);
    assert!((logprobs.top[0].logprob - 0.5_f32.ln()).abs() < 1e-6);
}

#[test]
fn random_numbers_belong_to_seed_choice_and_position() {
    let all: Vec<f64> = (0..4)
        .flat_map(|seed| {
            (0..4).flat_map(move |choice| (0..40).map(move |at| random(seed, choice, at)))
        })
        .collect();
    let mut different = all.clone();
    different.sort_by(f64::total_cmp);
    different.dedup();
    assert_eq!(different.len(), all.len());
    assert!(all.iter().all(|random| (0.0..1.0).contains(random)));
    assert_eq!(
        random(3, 2, 17).to_bits(),
        all[3 * 160 + 2 * 40 + 17].to_bits()
    );
}

/// The tokens that the cuts leave, by sorting everything.
fn kept_by_sorting(row: &[f32], params: &SamplingParams) -> Vec<TokenId> {
    let mut all: Vec<(f64, TokenId)> = row.iter().map(|&logit| f64::from(logit)).zip(0..).collect();
    all.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    if params.top_k > 0 {
        all.truncate(params.top_k);
    }
    let highest = all[0].0;
    let weight = |logit: f64| ((logit - highest) / f64::from(params.temperature)).exp();
    let total: f64 = all.iter().map(|&(logit, _)| weight(logit)).sum();
    if params.top_p < 1.0 {
        let mut sum = 0.0;
        let needed = all.iter().position(|&(logit, _)| {
            sum += weight(logit);
            sum >= f64::from(params.top_p) * total
        });
        all.truncate(needed.map_or(all.len(), |last| last + 1));
    }
    all.retain(|&(logit, _)| params.min_p == 0.0 || weight(logit) >= f64::from(params.min_p));
    all.into_iter().map(|(_, token)| token).collect()
}

proptest! {
    #[test]
    fn selection_without_sorting_keeps_what_sorting_keeps(
        row in proptest::collection::vec(-6.0..6.0_f32, 1..2500),
        top_k in prop_oneof![Just(0_usize), 1..600_usize],
        top_p in prop_oneof![Just(1.0_f32), 0.05..0.999_f32],
        min_p in prop_oneof![Just(0.0_f32), 0.001..0.9_f32],
        temperature in 0.3..3.0_f32,
        seed: u64,
    ) {
        let params = SamplingParams { temperature, top_k, top_p, min_p, seed, ..SamplingParams::default() };
        let expected = kept_by_sorting(&row, &params);
        let mut sampler = Sampler::default();
        let mut copy = row.clone();
        let mut drawn = Vec::new();
        let generated = [0; 8];
        for position in 0..8 {
            drawn.push(sampler.sample(&mut copy, &sampling(&params, &generated[..position]), 0).0);
        }
        // Rounding may move the end of a cut by one token.
        let mut wider = expected.clone();
        let ranks = kept_by_sorting(&row, &SamplingParams { temperature, ..SamplingParams::default() });
        wider.extend(ranks.get(expected.len()));
        for token in drawn {
            prop_assert!(wider.contains(&token), "{token} is not among {wider:?}");
        }
        let only_cuts = (1..row.len()).contains(&params.top_k) || params.top_p < 1.0 || params.min_p > 0.0;
        if only_cuts && row.len() > 1 {
            let kept = sampler.candidates.iter().count();
            prop_assert!(kept.abs_diff(expected.len()) <= 1, "{kept} instead of {}", expected.len());
        }
        prop_assert_eq!(copy, row);
    }
}
