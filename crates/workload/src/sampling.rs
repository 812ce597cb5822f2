//! Which prompts a run sends.

use crate::seed::stream;
use crate::{TextLength, WorkloadError, math, texts};
use rand::seq::SliceRandom;
use std::ops::Range;
use std::sync::Arc;
use trace::Prompt;

/// Where prompts come from: an endless deck, shuffled by a seed and dealt from the top.
///
/// Runs that are dealt different ranges of one deck share no prompt before the source runs out,
/// so that a server's prefix cache never meets a prompt again by accident.
#[derive(Clone, Debug, PartialEq)]
pub enum PromptSource {
    /// The built-in maths problems of [`math`]: card `n` is the problem drawn from stream `n`.
    Generated,
    /// Texts to be turned into vectors or scores: card `n` holds the texts from `n · per_request` on.
    Texts {
        /// How long each is.
        length: TextLength,
        /// Texts in each request.
        per_request: u32,
        /// Whether they are compared with a query.
        query: bool,
    },
    /// A data set: every row once in random order, then every row again in a new order, and so on.
    Rows {
        /// The users' messages; at least one.
        rows: Vec<Arc<str>>,
        /// The system message that goes with each.
        system: Option<Arc<str>>,
    },
}

impl PromptSource {
    /// The cards of that range of positions in the deck of that seed.
    pub fn prompts(
        &self,
        positions: Range<usize>,
        seed: u64,
    ) -> Result<Vec<Prompt>, WorkloadError> {
        match self {
            Self::Generated => {
                let system: Arc<str> = math::SYSTEM_PROMPT.into();
                Ok(positions
                    .map(|position| {
                        let problem = math::problem(seed, position as u64);
                        Prompt::chat(Some(Arc::clone(&system)), problem)
                    })
                    .collect())
            }
            Self::Texts {
                length,
                per_request,
                query,
            } => Ok(positions
                .map(|position| {
                    texts::request(*length, *per_request, *query, seed, position as u64)
                })
                .collect()),
            Self::Rows { rows, .. } if rows.is_empty() => Err(WorkloadError::EmptyDataSet),
            Self::Rows { rows, system } => Ok(deal(rows, positions, seed)
                .map(|user| Prompt::chat(system.clone(), user))
                .collect()),
        }
    }
}

/// Lap `n` through the rows is shuffled with stream `n`, so that a deal may start in any lap.
fn deal(rows: &[Arc<str>], positions: Range<usize>, seed: u64) -> impl Iterator<Item = Arc<str>> {
    let first_lap = positions.start / rows.len();
    (first_lap..)
        .flat_map(move |lap| {
            let mut order: Vec<usize> = (0..rows.len()).collect();
            order.shuffle(&mut stream(seed, lap as u64));
            order
        })
        .skip(positions.start % rows.len())
        .take(positions.len())
        .map(|row| Arc::clone(&rows[row]))
}

#[cfg(test)]
mod tests {
    use super::PromptSource;
    use crate::WorkloadError;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn numbered(count: usize) -> PromptSource {
        PromptSource::Rows {
            rows: (0..count).map(|row| format!("row {row}").into()).collect(),
            system: None,
        }
    }

    fn texts(source: &PromptSource, positions: std::ops::Range<usize>, seed: u64) -> Vec<String> {
        let prompts = source.prompts(positions, seed).unwrap();
        prompts
            .iter()
            .map(|prompt| prompt.parts().last().unwrap().to_owned())
            .collect()
    }

    #[test]
    fn a_source_without_rows_is_refused() {
        assert_eq!(
            numbered(0).prompts(0..1, 0),
            Err(WorkloadError::EmptyDataSet)
        );
    }

    #[test]
    fn rows_are_shuffled_by_the_seed_and_again_on_each_lap() {
        let source = numbered(50);
        let first = texts(&source, 0..50, 7);
        assert_ne!(first, texts(&source, 0..50, 8));
        assert_ne!(first, texts(&source, 50..100, 7));
        assert_eq!(first, texts(&source, 0..50, 7));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn every_lap_holds_every_row_once(rows in 1_usize..40, lap in 0_usize..5, seed: u64) {
            let dealt = texts(&numbered(rows), lap * rows..(lap + 1) * rows, seed);
            prop_assert_eq!(dealt.into_iter().collect::<HashSet<_>>().len(), rows);
        }

        #[test]
        fn runs_deal_on_where_the_last_one_stopped(
            rows in 1_usize..30, first in 0_usize..50, second in 0_usize..50, seed: u64,
        ) {
            for source in [numbered(rows), PromptSource::Generated] {
                let mut parts = texts(&source, 0..first, seed);
                parts.extend(texts(&source, first..first + second, seed));
                prop_assert_eq!(parts, texts(&source, 0..first + second, seed));
            }
        }
    }
}
