//! What a dry run tells of the plans that it would send.

use crate::{PromptSource, WorkloadError};
use std::collections::HashSet;
use std::fmt;
use trace::{Nanos, Pacing, Plan, PlannedRequest, Prompt, Role};

/// What a dry run tells of the plans it would send.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkloadDescription {
    /// In all plans together.
    pub requests: usize,
    /// How many of their prompts differ: fewer than `requests` means that some are sent again.
    pub distinct_prompts: usize,
    /// Words of the users' messages; absent where there is no request, or tokens are known. Of
    /// prompts that are made later, the first 500 are looked at.
    pub words: Option<Counts>,
    /// Tokens of whole prompts and the limits of their answers, where lengths are exact.
    pub tokens: Option<(Counts, Counts)>,
    /// From the start of each open plan to its last due time, added up; absent where none is open.
    pub arrivals: Option<Nanos>,
}

/// Words (runs of characters that are not white space), or tokens, per request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Counts {
    /// Arithmetic mean.
    pub mean: f64,
    /// The fewest.
    pub min: usize,
    /// The most.
    pub max: usize,
}

/// Prompts that are made for a description.
const SAMPLE: usize = 500;

/// Describes the plans of an invocation, taken together; `source` is what they were made from.
pub fn describe(
    plans: &[&Plan],
    source: &PromptSource,
) -> Result<WorkloadDescription, WorkloadError> {
    let requests = || plans.iter().flat_map(|plan| &plan.requests);
    let distinct: HashSet<_> = requests()
        .map(|request| {
            let card = match request.prompt {
                Prompt::Card { number } => {
                    let tokens = request.input_tokens.map(|tokens| tokens.count);
                    Some((request.class, number, tokens))
                }
                _ => None,
            };
            (card, request.prompt.parts().collect::<Vec<_>>())
        })
        .collect();
    let exact = |request: &PlannedRequest| {
        let input = request.input_tokens.filter(|tokens| tokens.exact)?;
        Some((input.count as usize, request.max_tokens? as usize))
    };
    let exact: Option<Vec<_>> = requests().map(exact).collect();
    let tokens = exact.and_then(|exact| {
        let (input, output): (Vec<_>, Vec<_>) = exact.into_iter().unzip();
        Some((counts(&input)?, counts(&output)?))
    });
    let words = if tokens.is_none() {
        let made = requests()
            .take(SAMPLE)
            .map(|request| source.prompt(request));
        let words: Result<Vec<usize>, _> = made.map(|prompt| Ok(words_of_user(&prompt?))).collect();
        counts(&words?)
    } else {
        None
    };
    Ok(WorkloadDescription {
        requests: requests().count(),
        distinct_prompts: distinct.len(),
        words,
        tokens,
        arrivals: plans
            .iter()
            .filter(|plan| matches!(plan.pacing, Pacing::Open { .. }))
            .filter_map(|plan| plan.requests.last())
            .map(|last| last.due)
            .reduce(|sum, due| sum + due),
    })
}

/// Of what differs from request to request: a system message or a query stands before many.
fn words_of_user(prompt: &Prompt) -> usize {
    let before = match prompt {
        Prompt::Chat { messages } => messages
            .iter()
            .take_while(|message| message.role == Role::System)
            .count(),
        Prompt::Texts { query, .. } => usize::from(query.is_some()),
        Prompt::Card { .. } => 0,
    };
    let texts = prompt.parts().skip(before);
    texts.map(|text| text.split_whitespace().count()).sum()
}

fn counts(values: &[usize]) -> Option<Counts> {
    Some(Counts {
        mean: values.iter().sum::<usize>() as f64 / values.len() as f64,
        min: *values.iter().min()?,
        max: *values.iter().max()?,
    })
}

impl fmt::Display for WorkloadDescription {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} requests with {} distinct prompts",
            self.requests, self.distinct_prompts
        )?;
        let of = |counts: Counts, unit: &str| {
            let Counts { mean, min, max } = counts;
            format!("{mean:.1} {unit} on average (min {min}, max {max})")
        };
        if let Some(words) = self.words {
            write!(formatter, " of {}", of(words, "words"))?;
        }
        if let Some((input, output)) = self.tokens {
            write!(
                formatter,
                " of {}, answers of at most {}",
                of(input, "tokens"),
                of(output, "tokens")
            )?;
        }
        if let Some(arrivals) = self.arrivals {
            write!(formatter, ", arriving over {:.1} s", arrivals.seconds())?;
        }
        Ok(())
    }
}
