//! The most probable tokens of a row.

use super::arithmetic::{maximum, pick, weight};
use crate::TokenId;
use std::cmp::Ordering;

/// Logits whose maximum is one vote on where the most probable ones begin.
const GROUP: usize = 64;

/// How many of the most probable tokens are tried for `top_p` first. Trained models are sure enough for that to be
/// plenty.
const FIRST_TRY: usize = 256;

/// A token that may be chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Candidate {
    pub(super) token: TokenId,
    pub(super) logit: f32,
}

impl Candidate {
    /// Most probable first, then lowest id first.
    #[allow(
        clippy::trivially_copy_pass_by_ref,
        reason = "sorting hands out references"
    )]
    fn order(&self, other: &Candidate) -> Ordering {
        other
            .logit
            .total_cmp(&self.logit)
            .then(self.token.cmp(&other.token))
    }
}

/// The tokens that are left to draw from.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    kept: Vec<Candidate>,
    maxima: Vec<f32>,
}

impl Candidates {
    pub(super) fn iter(&self) -> impl Iterator<Item = Candidate> {
        self.kept.iter().copied()
    }

    /// The `count` most probable tokens, most probable first.
    ///
    /// The `count`-th largest of the maxima of groups bounds the `count`-th largest logit from below, so that few
    /// logits are left to select from, and only those are sorted.
    pub(super) fn top(&mut self, row: &[f32], count: usize) {
        self.kept.clear();
        if count == 0 {
            return;
        }
        self.maxima.clear();
        self.maxima.extend(row.chunks(GROUP).map(maximum));
        if count < self.maxima.len() {
            let (_, bound, _) = self
                .maxima
                .select_nth_unstable_by(count - 1, |a, b| b.total_cmp(a));
            let bound = *bound;
            self.at_least(row, bound);
        } else {
            self.all(row);
        }
        if count < self.kept.len() {
            self.kept
                .select_nth_unstable_by(count - 1, Candidate::order);
            self.kept.truncate(count);
        }
        self.kept.sort_unstable_by(Candidate::order);
    }

    /// The fewest of the most probable tokens whose weights sum to `mass`.
    pub(super) fn top_p(&mut self, row: &[f32], highest: f32, temperature: f32, mass: f64) {
        self.top(row, FIRST_TRY.min(row.len()));
        if self.keep_top_p(highest, temperature, mass) || self.kept.len() == row.len() {
            return;
        }
        self.all(row);
        let last = self.last_of_mass(highest, temperature, mass);
        self.kept.clear();
        let all = row
            .iter()
            .zip(0..)
            .map(|(&logit, token)| Candidate { token, logit });
        self.kept
            .extend(all.filter(|candidate| candidate.order(&last).is_le()));
    }

    /// The least probable of the fewest tokens whose weights sum to `mass`: a binary search that orders only the half
    /// in which it goes on, so that all halves together are as long as the whole twice.
    fn last_of_mass(&mut self, highest: f32, temperature: f32, mass: f64) -> Candidate {
        let mut part = self.kept.as_mut_slice();
        let mut left = mass;
        while part.len() > 1 {
            let middle = part.len() / 2;
            part.select_nth_unstable_by(middle, Candidate::order);
            let (upper, lower) = part.split_at_mut(middle);
            let sum: f64 = upper
                .chunks(GROUP)
                .map(|group| {
                    let weights = group
                        .iter()
                        .map(|one| weight(one.logit, highest, temperature));
                    f64::from(weights.sum::<f32>())
                })
                .sum();
            if sum >= left {
                part = upper;
            } else {
                left -= sum;
                part = lower;
            }
        }
        part[0]
    }

    /// Keeps the fewest of the sorted tokens whose weights sum to `mass`. False where all together weigh less.
    pub(super) fn keep_top_p(&mut self, highest: f32, temperature: f32, mass: f64) -> bool {
        let mut sum = 0.0;
        for (index, candidate) in self.kept.iter().enumerate() {
            sum += f64::from(weight(candidate.logit, highest, temperature));
            if sum >= mass {
                self.kept.truncate(index + 1);
                return true;
            }
        }
        false
    }

    /// All tokens with at least this logit, in the order of their ids.
    pub(super) fn at_least(&mut self, row: &[f32], lowest: f32) {
        self.kept.clear();
        for (group, first) in row.chunks(GROUP).zip((0..).step_by(GROUP)) {
            if maximum(group) >= lowest {
                let candidates = group
                    .iter()
                    .zip(first..)
                    .map(|(&logit, token)| Candidate { token, logit });
                self.kept
                    .extend(candidates.filter(|candidate| candidate.logit >= lowest));
            }
        }
    }

    /// Keeps the tokens with at least this logit.
    pub(super) fn keep_at_least(&mut self, lowest: f32) {
        self.kept.retain(|candidate| candidate.logit >= lowest);
    }

    /// All tokens; those whose logit is no number are impossible.
    fn all(&mut self, row: &[f32]) {
        self.kept.clear();
        let possible = |logit: f32| {
            if logit.is_nan() {
                f32::NEG_INFINITY
            } else {
                logit
            }
        };
        let candidates = row.iter().zip(0..).map(|(&logit, token)| Candidate {
            token,
            logit: possible(logit),
        });
        self.kept.extend(candidates);
    }

    /// The sum of all weights.
    pub(super) fn sum(&self, highest: f32, temperature: f32) -> f64 {
        let weights = self
            .kept
            .iter()
            .map(|candidate| weight(candidate.logit, highest, temperature));
        weights.map(f64::from).sum()
    }

    /// One of them, by its weight. They are lined up by id, so that two of nearly the same probability do not change
    /// places when it was computed a little differently.
    pub(super) fn draw(
        &mut self,
        highest: f32,
        temperature: f32,
        random: f64,
        weights: &mut Vec<f32>,
    ) -> Option<TokenId> {
        self.kept.sort_unstable_by_key(|candidate| candidate.token);
        weights.clear();
        weights.extend(
            self.kept
                .iter()
                .map(|candidate| weight(candidate.logit, highest, temperature)),
        );
        Some(self.kept.get(pick(weights, random))?.token)
    }
}
