use std::collections::HashSet;
use std::fmt;
use trace::{Nanos, Pacing, Plan, Prompt, Role};

/// What a dry run tells of the plans it would send.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkloadDescription {
    /// In all plans together.
    pub requests: usize,
    /// How many of their prompts differ: fewer than `requests` means that some are sent again.
    pub distinct_prompts: usize,
    /// Words of the users' messages, over all requests; absent where there is no request.
    pub words: Option<WordCounts>,
    /// From the start of each open plan to its last due time, added up; absent where none is open.
    pub arrivals: Option<Nanos>,
}

/// Words (runs of characters that are not white space) per prompt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WordCounts {
    /// Arithmetic mean.
    pub mean: f64,
    /// The shortest prompt.
    pub min: usize,
    /// The longest prompt.
    pub max: usize,
}

/// Describes the plans of an invocation, taken together.
pub fn describe(plans: &[&Plan]) -> WorkloadDescription {
    let requests = || plans.iter().flat_map(|plan| &plan.requests);
    let words: Vec<usize> = requests()
        .map(|request| words_of_user(&request.prompt))
        .collect();
    let distinct: HashSet<_> = requests()
        .map(|request| request.prompt.parts().collect::<Vec<_>>())
        .collect();
    WorkloadDescription {
        requests: words.len(),
        distinct_prompts: distinct.len(),
        words: word_counts(&words),
        arrivals: plans
            .iter()
            .filter(|plan| matches!(plan.pacing, Pacing::Open { .. }))
            .filter_map(|plan| plan.requests.last())
            .map(|last| last.due)
            .reduce(|sum, due| sum + due),
    }
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

fn word_counts(words: &[usize]) -> Option<WordCounts> {
    Some(WordCounts {
        mean: words.iter().sum::<usize>() as f64 / words.len() as f64,
        min: *words.iter().min()?,
        max: *words.iter().max()?,
    })
}

impl fmt::Display for WorkloadDescription {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{} requests with {} distinct prompts",
            self.requests, self.distinct_prompts
        )?;
        if let Some(words) = self.words {
            write!(
                formatter,
                " of {:.1} words on average (min {}, max {})",
                words.mean, words.min, words.max
            )?;
        }
        if let Some(arrivals) = self.arrivals {
            write!(formatter, ", arriving over {:.1} s", arrivals.seconds())?;
        }
        Ok(())
    }
}
