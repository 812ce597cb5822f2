//! Chooses tokens from rows of logits.

mod arithmetic;
mod candidates;

use crate::{Sampling, SamplingParams, TokenId, TokenLogprob, TokenLogprobs};
use arithmetic::{argmax, exponentials, log_sum_exp, pick, sum_of_exponentials};
use candidates::{Candidate, Candidates};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Chooses tokens from rows of logits. It keeps nothing but memory for its next call.
///
/// 1. `logit_bias` is added, penalties are subtracted, and before `tokens_min` tokens the stop tokens are ruled out.
/// 2. Temperature 0 takes the most probable token, the lowest id among equals.
/// 3. Otherwise logits are divided by the temperature; of the most probable tokens `top_k` are kept; of those the
///    fewest whose probabilities, relative to all that were kept, sum to `top_p`; of those the ones at least `min_p`
///    times as probable as the most probable one. One of the rest is drawn by its probability.
///
/// The random number for a token depends on the seed, the choice and the position in the answer, and on nothing else:
/// not on who shares a step, nor on what was computed twice. A logit that is no number counts as impossible.
#[derive(Debug, Default)]
pub struct Sampler {
    /// What was changed in a row, to be put back.
    changes: Vec<(TokenId, f32)>,
    /// One bit for each token: generated already.
    seen: Vec<u64>,
    candidates: Candidates,
    weights: Vec<f32>,
}

impl Sampler {
    /// The next token of `choice`, and its log-probabilities in the raw distribution where they are asked for. The row
    /// is the same afterwards.
    ///
    /// # Panics
    /// On an empty row.
    pub fn sample(
        &mut self,
        row: &mut [f32],
        sampling: &Sampling<'_>,
        choice: usize,
    ) -> (TokenId, Option<Box<TokenLogprobs>>) {
        assert!(!row.is_empty(), "a vocabulary has at least one token");
        self.adjust(row, sampling);
        let params = sampling.params;
        let token = if params.temperature > 0.0 && row.len() > 1 {
            self.draw(
                row,
                params,
                random(params.seed, choice, sampling.generated.len()),
            )
        } else {
            argmax(row)
        };
        for (token, logit) in self.changes.drain(..).rev() {
            row[token as usize] = logit;
        }
        let logprobs = params.logprobs.map(|top| self.logprobs(row, token, top));
        (token, logprobs.map(Box::new))
    }

    /// Biases, penalties and what is ruled out.
    fn adjust(&mut self, row: &mut [f32], sampling: &Sampling<'_>) {
        let Sampling {
            params,
            stops,
            generated,
            ..
        } = sampling;
        for &(token, bias) in &params.logit_bias {
            self.change(row, token, |logit| logit + bias);
        }
        if params.presence_penalty != 0.0 || params.frequency_penalty != 0.0 {
            self.penalise(row, params, generated);
        }
        if generated.len() < params.tokens_min {
            for &token in *stops {
                self.change(row, token, |_| f32::NEG_INFINITY);
            }
        }
    }

    fn change(&mut self, row: &mut [f32], token: TokenId, change: impl Fn(f32) -> f32) {
        if let Some(logit) = row.get_mut(token as usize) {
            self.changes.push((token, *logit));
            *logit = change(*logit);
        }
    }

    fn penalise(&mut self, row: &mut [f32], params: &SamplingParams, generated: &[TokenId]) {
        self.seen.resize(row.len().div_ceil(64), 0);
        for &token in generated {
            let Some(word) = self.seen.get_mut(token as usize / 64) else {
                continue;
            };
            let first = *word >> (token % 64) & 1 == 0;
            *word |= 1 << (token % 64);
            let presence = if first { params.presence_penalty } else { 0.0 };
            self.change(row, token, |logit| {
                logit - params.frequency_penalty - presence
            });
        }
        for &token in generated {
            if let Some(word) = self.seen.get_mut(token as usize / 64) {
                *word = 0;
            }
        }
    }

    /// Draws with `random` in [0, 1).
    fn draw(&mut self, row: &[f32], params: &SamplingParams, random: f64) -> TokenId {
        let best = argmax(row);
        let highest = row[best as usize];
        if !highest.is_finite() {
            // Nothing is possible, or something is certain.
            return best;
        }
        let temperature = params.temperature;
        let top_k = match params.top_k {
            0 => row.len(),
            top_k => top_k.min(row.len()),
        };
        if top_k < row.len() {
            self.candidates.top(row, top_k);
            if params.top_p < 1.0 {
                let total = self.candidates.sum(highest, temperature);
                self.candidates
                    .keep_top_p(highest, temperature, f64::from(params.top_p) * total);
            }
        } else if params.top_p < 1.0 {
            let total = sum_of_exponentials(row, highest, temperature);
            self.candidates
                .top_p(row, highest, temperature, f64::from(params.top_p) * total);
        } else if params.min_p > 0.0 {
            self.candidates.at_least(row, lowest_logit(highest, params));
        } else {
            exponentials(row, highest, temperature, &mut self.weights);
            let index = pick(&self.weights, random);
            return TokenId::try_from(index).unwrap_or(best);
        }
        if params.min_p > 0.0 {
            self.candidates.keep_at_least(lowest_logit(highest, params));
        }
        self.candidates
            .draw(highest, temperature, random, &mut self.weights)
            .unwrap_or(best)
    }

    fn logprobs(&mut self, row: &[f32], token: TokenId, top: usize) -> TokenLogprobs {
        let total = log_sum_exp(row);
        let logprob = |Candidate { token, logit }: Candidate| TokenLogprob {
            token,
            logprob: logit - total,
        };
        self.candidates.top(row, top.min(row.len()));
        TokenLogprobs {
            chosen: logprob(Candidate {
                token,
                logit: row[token as usize],
            }),
            top: self.candidates.iter().map(logprob).collect(),
        }
    }
}

/// The logit of a token `min_p` times as probable as the most probable one.
fn lowest_logit(highest: f32, params: &SamplingParams) -> f32 {
    highest + params.temperature * params.min_p.ln()
}

/// The random number in [0, 1) of one position of one choice: `ChaCha8` is addressed by key, stream and word, so that
/// nothing has to be remembered.
fn random(seed: u64, choice: usize, position: usize) -> f64 {
    /// 2^-53, the distance of the numbers that 53 bits can name.
    const STEP: f64 = 1.0 / (1_u64 << 53) as f64;
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    let mut random = ChaCha8Rng::from_seed(key);
    random.set_stream(choice as u64);
    random.set_word_pos(2 * position as u128);
    (random.next_u64() >> 11) as f64 * STEP
}

#[cfg(test)]
mod tests;
