//! System prompts that many sessions share.

use crate::printable::printable;
use crate::seed::purpose_seed;
use crate::{TOKENS_MAX, TokenBudget, WorkloadError, prose};
use std::fmt;
use std::str::FromStr;

/// So many different system prompts, of so many tokens each.
///
/// [`str::parse`] reads `4x2000`: four system prompts of 2,000 tokens. Requests take them in turn, so
/// that each prompt has its equal share at any time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrefixGroups {
    groups: u32,
    tokens: u32,
}

impl PrefixGroups {
    /// How many different system prompts there are, at least 1.
    pub const fn groups(self) -> u32 {
        self.groups
    }

    /// The tokens of each, at least 1.
    pub const fn tokens(self) -> u32 {
        self.tokens
    }

    /// The system prompt of a group. `budget` tells how it is counted, and its `tokens` are those of
    /// the whole that `total` counts: [`PrefixGroups::tokens`], and what else is in it.
    pub fn text(
        self,
        group: u32,
        seed: u64,
        budget: &TokenBudget<'_>,
    ) -> Result<String, WorkloadError> {
        let pieces = prose::pieces(purpose_seed(seed, "prefixes"), u64::from(group));
        budget.fill("", pieces)
    }
}

impl FromStr for PrefixGroups {
    type Err = WorkloadError;

    fn from_str(text: &str) -> Result<Self, WorkloadError> {
        let number = |text: &str| {
            let number: u32 = text.trim().parse().ok()?;
            (1..=TOKENS_MAX).contains(&number).then_some(number)
        };
        let halves = text.split_once(['x', 'X']);
        halves
            .and_then(|(groups, tokens)| {
                Some(Self {
                    groups: number(groups)?,
                    tokens: number(tokens)?,
                })
            })
            .ok_or_else(|| WorkloadError::PrefixGroups {
                text: printable(text),
                limit: TOKENS_MAX,
            })
    }
}

impl fmt::Display for PrefixGroups {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}x{}", self.groups, self.tokens)
    }
}
