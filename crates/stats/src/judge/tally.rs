//! Faults of a point's answers, counted, each with the requests that show it.

use super::cache::CacheTally;
use super::counts::prompt_lengths;
use super::fault::Fault;
use super::linear_fit::LinearFit;
use super::model_names::{self, ModelNames};
use super::settle::{Judge, finish_reasons};
use crate::Answers;
use std::collections::BTreeMap;
use trace::Record;

/// Requests that a reason names.
const NAMED: usize = 3;

/// Characters of what a server sent that a reason shows.
const SHOWN_CHARS: usize = 120;

/// What a point's complete answers came to, beside their text.
#[derive(Debug, Default)]
pub(crate) struct FaultTally {
    /// Complete answers.
    judged: u64,
    /// Whether records have the facts of answers at all.
    has_facts: bool,
    found: BTreeMap<Fault, Found>,
    /// Why choices ended, and how often.
    pub(crate) finish_reasons: BTreeMap<String, u64>,
    /// The names of those who answered.
    pub(crate) models: ModelNames,
    /// What prompts say of how their tokens are counted.
    pub(crate) prompts: PromptCounting,
    /// Requests that a gateway tried again, in all.
    pub(crate) retries: u64,
    /// Requests that a gateway gave to another model, in all.
    pub(crate) fallbacks: u64,
    /// Answers of which a call was expected.
    pub(crate) calls_due: u64,
    /// Whether each of them was told to.
    pub(crate) tools_required: bool,
    /// What came from the server's cache.
    pub(crate) cache: CacheTally,
}

/// A fault's answers.
#[derive(Debug, Default)]
struct Found {
    count: u64,
    requests: Vec<u64>,
    /// The first of them that sent something to show, and what.
    shown: Option<(u64, String)>,
}

/// So many of so many answers have a fault.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Share {
    pub(crate) count: u64,
    pub(crate) of: u64,
}

impl Share {
    pub(crate) fn value(self) -> f64 {
        self.count as f64 / self.of.max(1) as f64
    }
}

impl FaultTally {
    /// Adds an answer: as it came, and as numbers may be made of it.
    pub(crate) fn add(&mut self, judge: Judge<'_>, record: &Record, settled: &Record) {
        if let Some(response) = record.response.as_deref() {
            self.has_facts = true;
            for reason in finish_reasons(record, response) {
                let reason = model_names::key(&self.finish_reasons, reason).to_owned();
                *self.finish_reasons.entry(reason).or_default() += 1;
            }
        }
        if !settled.outcome.is_complete() {
            return;
        }
        self.judged += 1;
        self.tools_required = judge.requires_tools();
        self.cache.add(settled);
        if let Some((characters, tokens)) = prompt_lengths(record) {
            self.prompts.add(characters, tokens, record.id);
        }
        for fault in judge.faults(record) {
            let found = self.found.entry(fault).or_default();
            found.count += 1;
            if found.requests.len() < NAMED {
                found.requests.push(record.id);
            }
            if found.shown.is_none() {
                found.shown = shown(fault, record).map(|shown| (record.id, shown));
            }
        }
        self.calls_due += u64::from(judge.expects_tool(record));
        let Some(response) = record.response.as_deref() else {
            return;
        };
        if let Some(model) = &response.model {
            self.models.add(model, record.id);
        }
        self.retries += u64::from(response.retries.unwrap_or(0));
        self.fallbacks += u64::from(response.fallbacks.unwrap_or(0));
    }

    /// What answers said of themselves, `None` where nothing is known of it. `estimated` of them are counted by events.
    pub(crate) fn finish(&self, asked: &[String], estimated: u64) -> Option<Answers> {
        let models = self.models.counts().into_iter();
        self.has_facts.then(|| Answers {
            finish_reasons: self.finish_reasons.clone(),
            models: models
                .map(|(name, count)| (name.to_owned(), count))
                .collect(),
            models_asked: asked.to_vec(),
            counted_by_events: estimated,
            gateway_retries: self.retries,
            gateway_fallbacks: self.fallbacks,
            has_prefix_cache: self.cache.says_something(),
        })
    }

    /// How many of the complete answers have it; `None` where none has.
    pub(crate) fn share(&self, fault: Fault) -> Option<Share> {
        let found = self.found.get(&fault)?;
        Some(Share {
            count: found.count,
            of: self.judged,
        })
    }

    /// `Requests 3, 17 and 40; the first said {"prompt_tokens":-1}.`
    pub(crate) fn witnesses(&self, fault: Fault) -> String {
        let Some(found) = self.found.get(&fault) else {
            return String::new();
        };
        let named = named(&found.requests);
        match &found.shown {
            Some((request, shown)) if found.requests.first() == Some(request) => {
                format!("{named}; the first said {shown}.")
            }
            Some((request, shown)) => format!("{named}; request {request} said {shown}."),
            None => format!("{named}."),
        }
    }
}

/// `Requests 3, 17 and 40`.
pub(crate) fn named(requests: &[u64]) -> String {
    let numbers: Vec<String> = requests.iter().map(u64::to_string).collect();
    match numbers.as_slice() {
        [] => String::new(),
        [only] => format!("Request {only}"),
        [first @ .., last] => format!("Requests {} and {last}", first.join(", ")),
    }
}

/// What the server sent that shows the fault, cut; keys were taken out of it when it was recorded.
fn shown(fault: Fault, record: &Record) -> Option<String> {
    let response = record.response.as_deref();
    let usage = || response?.usage_excerpt.clone();
    let text = match fault {
        Fault::ImpossibleOutput
        | Fault::BeyondLimit
        | Fault::FewerThanEvents
        | Fault::ImpossibleInput
        | Fault::ImpossiblePart
        | Fault::TotalDiffers
        | Fault::OutputInCharacters => usage()?,
        Fault::LeftOut => {
            let odd = response?.left_out.first()?;
            format!("{}: {}", odd.field, odd.value)
        }
        Fault::NoToolCalled => {
            let reason = record.finish_reason.as_deref()?;
            format!("finish_reason `{reason}`")
        }
        Fault::Retried => format!("{} attempted retries", response?.retries?),
        Fault::FellBack => format!("{} attempted fallbacks", response?.fallbacks?),
    };
    let mut cut: String = text.chars().take(SHOWN_CHARS).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    Some(cut)
}

/// How the server's counts of prompts grow with their characters.
///
/// A template, or a system prompt that the server adds, is in every count; what a character more costs is not.
#[derive(Debug, Default)]
pub(crate) struct PromptCounting {
    n: u64,
    fit: LinearFit,
    shortest: Option<u64>,
    longest: u64,
    /// Counts that are the number of characters, within the mark at each end.
    equal: u64,
    requests: Vec<u64>,
    example: Option<(u64, u64)>,
}

impl PromptCounting {
    fn add(&mut self, characters: u64, tokens: u64, request: u64) {
        self.n += 1;
        self.fit.add(characters as f64, tokens as f64);
        self.shortest = Some(
            self.shortest
                .map_or(characters, |least| least.min(characters)),
        );
        self.longest = self.longest.max(characters);
        self.equal += u64::from(characters.abs_diff(tokens) <= EQUAL_OFF_MAX);
        if self.requests.len() < NAMED {
            self.requests.push(request);
        }
        self.example = self.example.or(Some((characters, tokens)));
    }

    /// A sentence's part, where prompts are counted in characters or something as small: which requests, and what one
    /// of them shows.
    pub(crate) fn in_characters(&self) -> Option<String> {
        let differ = self.longest - self.shortest? >= LENGTHS_DIFFER_MIN;
        let all_equal = self.equal as f64 >= EQUAL_SHARE_MIN * self.n as f64;
        let told = match self.fit.line().filter(|_| differ) {
            Some(line) => line.slope >= TOKENS_PER_CHARACTER_MAX && line.r_squared >= SURE_MIN,
            // All are of one length, which a template may make equal by chance where they are short.
            None => all_equal && self.longest >= EQUAL_LENGTH_MIN,
        };
        if !told {
            return None;
        }
        let (characters, tokens) = self.example?;
        Some(format!(
            "{}; the first has {characters} characters and {tokens} tokens by the server.",
            named(&self.requests)
        ))
    }
}

/// A mark at each end.
const EQUAL_OFF_MAX: u64 = 2;

const EQUAL_SHARE_MIN: f64 = 0.9;

/// Short texts of one length may meet a template's length by chance.
const EQUAL_LENGTH_MIN: u64 = 100;

/// Lengths that differ by less tell nothing.
const LENGTHS_DIFFER_MIN: u64 = 16;

/// English has a quarter, code a third, digits and symbols at random one half.
const TOKENS_PER_CHARACTER_MAX: f64 = 0.75;

/// Texts of one kind have nearly one slope.
const SURE_MIN: f64 = 0.9;

#[cfg(test)]
mod tests {
    use super::{PromptCounting, named};

    #[test]
    fn requests_are_named_as_in_a_sentence() {
        assert_eq!(named(&[3]), "Request 3");
        assert_eq!(named(&[3, 4]), "Requests 3 and 4");
        assert_eq!(named(&[3, 4, 9]), "Requests 3, 4 and 9");
    }

    fn counting(prompts: &[(u64, u64)]) -> PromptCounting {
        let mut counting = PromptCounting::default();
        for (request, &(characters, tokens)) in prompts.iter().enumerate() {
            counting.add(characters, tokens, request as u64);
        }
        counting
    }

    #[test]
    fn a_server_that_counts_characters_is_found_and_a_template_is_not_mistaken_for_one() {
        let lengths = [40, 80, 120, 200, 333];
        let by = |of: fn(u64) -> u64| counting(&lengths.map(|length| (length, of(length))));
        assert!(by(|length| length).in_characters().is_some());
        assert!(by(|length| length + 60).in_characters().is_some());
        assert!(by(|length| length / 4).in_characters().is_none());
        // A system prompt of the server's own: short prompts have as many tokens as characters.
        assert!(by(|length| length / 4 + 40).in_characters().is_none());
        assert!(by(|length| length / 2).in_characters().is_none());
        assert!(counting(&[(40, 40); 5]).in_characters().is_none());
        assert!(counting(&[(300, 301); 5]).in_characters().is_some());
    }
}
