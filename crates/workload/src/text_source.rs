//! Where the texts for embedding servers come from: built-in ones of so many words or tokens, or a data set.

use crate::seed::lap;
use crate::texts::{TextLength, estimated_tokens, text};
use crate::{PromptTokenizer, TokenBudget, WorkloadError, prose};
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use trace::{Nanos, PlannedRequest, PlannedTokens, Prompt};

/// The texts of a series.
#[derive(Clone, Debug)]
pub enum TextSource {
    /// Built-in prose, each text of so many words.
    Length(TextLength),
    /// Built-in prose, each text of exactly so many tokens with those that the server puts around it.
    Tokens(u32),
    /// The texts of a data set: every one once in random order, then every one again in a new order.
    Rows(Arc<[Arc<str>]>),
}

/// Requests to be turned into vectors, or compared with a query.
#[derive(Clone, Debug)]
pub struct Texts {
    source: TextSource,
    per_request: u32,
    query: bool,
    tokenizer: Option<Arc<dyn PromptTokenizer>>,
}

/// The orders in which the rows of a data set are dealt, one for each lap.
type Orders = HashMap<u64, Vec<u32>>;

impl Texts {
    /// `per_request` texts of `source` in each request, and a query where one is asked for. Lengths in tokens need
    /// `tokenizer`; with it, all texts are counted.
    ///
    /// # Errors
    /// A data set without texts; lengths in tokens without a tokenizer.
    pub fn new(
        source: TextSource,
        per_request: u32,
        query: bool,
        tokenizer: Option<Arc<dyn PromptTokenizer>>,
    ) -> Result<Self, WorkloadError> {
        match &source {
            TextSource::Rows(rows) if rows.is_empty() => Err(WorkloadError::EmptyDataSet),
            TextSource::Tokens(_) if tokenizer.is_none() => Err(WorkloadError::NoTokenizer),
            _ => Ok(Self {
                source,
                per_request,
                query,
                tokenizer,
            }),
        }
    }

    /// The requests at those positions, due at those times: request `n` holds the texts from `n · per_request` on.
    pub(crate) fn requests(
        &self,
        positions: Range<usize>,
        dues: &[Nanos],
        seed: u64,
    ) -> Result<Vec<PlannedRequest>, WorkloadError> {
        let mut orders = Orders::new();
        (0..)
            .zip(positions)
            .zip(dues)
            .map(|((id, position), &due)| {
                let prompt = self.prompt(position as u64, seed, &mut orders)?;
                Ok(PlannedRequest {
                    due,
                    input_tokens: Some(self.count(&prompt)?),
                    ..PlannedRequest::new(id, prompt)
                })
            })
            .collect()
    }

    fn prompt(
        &self,
        position: u64,
        seed: u64,
        orders: &mut Orders,
    ) -> Result<Prompt, WorkloadError> {
        let count = u64::from(self.per_request);
        let first = position * count;
        let texts: Result<Arc<[Arc<str>]>, WorkloadError> = (first..first + count)
            .map(|number| self.text(number, seed, orders))
            .collect();
        Ok(Prompt::Texts {
            // Its stream is the texts' of another seed.
            query: self
                .query
                .then(|| text(TextLength::Short, seed ^ 1, position).into()),
            texts: texts?,
        })
    }

    fn text(&self, number: u64, seed: u64, orders: &mut Orders) -> Result<Arc<str>, WorkloadError> {
        match (&self.source, &self.tokenizer) {
            (TextSource::Length(length), _) => Ok(text(*length, seed, number).into()),
            (TextSource::Rows(rows), _) => {
                let of_lap = rows.len() as u64;
                let order = orders
                    .entry(number / of_lap)
                    .or_insert_with_key(|&number| lap(rows.len(), seed, number));
                let place = usize::try_from(number % of_lap).unwrap_or(usize::MAX);
                Ok(Arc::clone(&rows[order[place] as usize]))
            }
            (TextSource::Tokens(_), None) => Err(WorkloadError::NoTokenizer),
            (TextSource::Tokens(tokens), Some(tokenizer)) => {
                let total = |text: &str| tokenizer.prompt_tokens(&alone(text));
                let budget = TokenBudget {
                    tokenizer: &**tokenizer,
                    total: &total,
                    tokens: *tokens as usize,
                };
                Ok(budget.fill("", prose::pieces(seed, number))?.into())
            }
        }
    }

    /// How long a request is, by the tokenizer where there is one. How servers put a query and a text together
    /// differs too much for a count.
    fn count(&self, prompt: &Prompt) -> Result<PlannedTokens, WorkloadError> {
        let Some(tokenizer) = self.tokenizer.as_ref().filter(|_| !self.query) else {
            return Ok(estimated_tokens(prompt));
        };
        let count = tokenizer.prompt_tokens(prompt);
        let count = count.map_err(|reason| WorkloadError::Tokenizer { reason })?;
        Ok(PlannedTokens {
            count: u32::try_from(count).unwrap_or(u32::MAX),
            exact: true,
        })
    }
}

/// One text in a request of its own.
fn alone(text: &str) -> Prompt {
    Prompt::Texts {
        query: None,
        texts: [text.into()].into(),
    }
}

#[cfg(test)]
mod tests {
    use super::{TextSource, Texts, alone};
    use crate::{PromptTokenizer, Tokenizer, WorkloadError};
    use std::collections::HashSet;
    use std::sync::Arc;
    use trace::{Nanos, PlannedRequest, Prompt};

    /// Each byte is a token, with one before a text and one after it.
    #[derive(Debug)]
    struct Bytes;

    impl Tokenizer for Bytes {
        fn encode(&self, text: &str) -> Result<Vec<u32>, String> {
            Ok(text.bytes().map(u32::from).collect())
        }

        fn decode(&self, tokens: &[u32]) -> Result<String, String> {
            let bytes = tokens.iter().map(|&token| u8::try_from(token).unwrap());
            Ok(String::from_utf8_lossy(&bytes.collect::<Vec<_>>()).into_owned())
        }
    }

    impl PromptTokenizer for Bytes {
        fn prompt_tokens(&self, prompt: &Prompt) -> Result<usize, String> {
            Ok(prompt.parts().map(|text| text.len() + 2).sum())
        }
    }

    fn planned(texts: &Texts, positions: std::ops::Range<usize>) -> Vec<PlannedRequest> {
        let dues = vec![Nanos::ZERO; positions.len()];
        texts.requests(positions, &dues, 5).unwrap()
    }

    fn rows(count: usize) -> TextSource {
        TextSource::Rows((0..count).map(|row| format!("row {row}").into()).collect())
    }

    #[test]
    fn every_text_has_the_tokens_that_were_asked_for_and_requests_their_sum() {
        let source = TextSource::Tokens(40);
        let texts = Texts::new(source, 3, false, Some(Arc::new(Bytes))).unwrap();
        let mut seen = HashSet::new();
        for request in planned(&texts, 0..50) {
            let tokens = request.input_tokens.unwrap();
            assert_eq!((tokens.count, tokens.exact), (120, true));
            for text in request.prompt.parts() {
                assert_eq!(Bytes.prompt_tokens(&alone(text)), Ok(40));
                seen.insert(text.to_owned());
            }
        }
        assert!(seen.len() > 145, "{}", seen.len());
    }

    #[test]
    fn a_data_set_is_dealt_whole_before_any_text_comes_again() {
        let texts = Texts::new(rows(12), 2, false, None).unwrap();
        let lap = |requests: Vec<PlannedRequest>| {
            let texts = requests.iter().flat_map(|request| request.prompt.parts());
            texts.map(str::to_owned).collect::<Vec<_>>()
        };
        let (first, second) = (lap(planned(&texts, 0..6)), lap(planned(&texts, 6..12)));
        assert_eq!(first.iter().collect::<HashSet<_>>().len(), 12);
        assert_eq!(second.iter().collect::<HashSet<_>>().len(), 12);
        assert_ne!(first, second);
        // What a request is does not depend on where a run begins.
        assert_eq!(lap(planned(&texts, 4..6)), first[8..]);
    }

    #[test]
    fn without_a_tokenizer_tokens_are_an_estimate_and_lengths_in_them_are_refused() {
        let texts = Texts::new(rows(3), 1, false, None).unwrap();
        assert!(!planned(&texts, 0..1)[0].input_tokens.unwrap().exact);
        let refused = Texts::new(TextSource::Tokens(40), 1, false, None);
        assert_eq!(refused.unwrap_err(), WorkloadError::NoTokenizer);
        let empty = Texts::new(rows(0), 1, false, None);
        assert_eq!(empty.unwrap_err(), WorkloadError::EmptyDataSet);
    }

    #[test]
    fn a_query_makes_the_tokens_of_a_pair_an_estimate() {
        let texts = Texts::new(rows(3), 2, true, Some(Arc::new(Bytes))).unwrap();
        let request = &planned(&texts, 0..1)[0];
        assert!(!request.input_tokens.unwrap().exact);
        assert_eq!(request.prompt.parts().count(), 3);
    }
}
