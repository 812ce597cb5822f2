//! What chat requests are: classes in proportions, where the prompts of each come from, and how long
//! they are.
//!
//! A plan holds numbers alone: class, lengths and card of each request, which follow from its
//! position. The text of a card is made by [`Traffic::prompt`] whenever it is wanted.

mod deck;
mod later_turn;
mod prompt;
mod turns;

use crate::fingerprint::hex;
use crate::{
    BlockCache, Content, DatasetRow, LengthScenario, Mix, PrefixGroups, PromptTokenizer,
    SessionConfig, Trace, Variants, WorkloadError,
};
use deck::Deck;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::ops::Range;
use std::sync::Arc;
use trace::{Nanos, PlannedRequest, PlannedTokens, Prompt};

/// The chat requests of an invocation.
#[derive(Debug)]
pub struct Traffic {
    seed: u64,
    classes: Vec<TrafficClass>,
    mix: Option<Mix>,
    tokenizer: Option<Arc<dyn PromptTokenizer>>,
    /// Of one turn each, where absent.
    sessions: Option<SessionConfig>,
    /// Of how many answers a tool is offered to, and brings its result.
    tool_rounds: u32,
    /// System prompts that requests share, in turn; empty where they share none.
    prefixes: Vec<Arc<str>>,
    /// How many there are, and how long they are.
    prefix_groups: Option<PrefixGroups>,
    /// The fewest tokens of a prompt of each class: one more than what it cannot do without.
    shortest: Vec<u32>,
    variants: Variants,
    blocks: BlockCache,
}

/// A class of requests.
#[derive(Clone, Debug)]
pub struct TrafficClass {
    /// Where its prompts come from.
    pub source: ChatSource,
    /// The message before every prompt that brings none of its own.
    pub system: Option<Arc<str>>,
    /// How long prompts and answers are, where that is not the source's. A prompt whose drawn length
    /// has no room for what every prompt needs (chat template, system message) is as short as
    /// there can be.
    pub lengths: Option<LengthScenario>,
    /// The limit on answers for which neither `lengths` nor the source has one.
    pub max_tokens: Option<u32>,
}

/// Where the prompts of a class come from.
#[derive(Clone, Debug)]
pub enum ChatSource {
    /// Built-in texts: card `n` is text `n` of the seed's series.
    Content(Content),
    /// A data set: every row once in random order, then every row again in a new order, and so on.
    Rows(Arc<[DatasetRow]>),
    /// A data set as it lies: the first row first, in every run again.
    Replay(Arc<[DatasetRow]>),
    /// Recorded traffic, request by request; lengths and due times are the trace's.
    Trace(Arc<Trace>),
}

impl ChatSource {
    fn rows(&self) -> Option<&Arc<[DatasetRow]>> {
        match self {
            Self::Rows(rows) | Self::Replay(rows) => Some(rows),
            Self::Content(_) | Self::Trace(_) => None,
        }
    }
}

impl Traffic {
    /// Checks that every class has prompts, and a tokenizer where lengths are to be exact. `mix` has
    /// as many classes as `classes`, in their order; without it there is one.
    ///
    /// # Panics
    ///
    /// Where `mix` has another number of classes.
    pub fn new(
        seed: u64,
        classes: Vec<TrafficClass>,
        mix: Option<Mix>,
        tokenizer: Option<Arc<dyn PromptTokenizer>>,
    ) -> Result<Self, WorkloadError> {
        let expected = mix.as_ref().map_or(1, |mix| mix.classes().len());
        assert_eq!(classes.len(), expected, "a class for each of the mix");
        for class in &classes {
            if class.source.rows().is_some_and(|rows| rows.is_empty()) {
                return Err(WorkloadError::EmptyDataSet);
            }
            if class.needs_tokenizer() && tokenizer.is_none() {
                return Err(WorkloadError::NoTokenizer);
            }
        }
        let mut traffic = Self {
            seed,
            shortest: Vec::with_capacity(classes.len()),
            classes,
            mix,
            tokenizer,
            sessions: None,
            tool_rounds: 0,
            prefixes: Vec::new(),
            prefix_groups: None,
            variants: Variants::default(),
            blocks: BlockCache::default(),
        };
        traffic.measure_shortest()?;
        Ok(traffic)
    }

    /// Finds the fewest tokens that prompts of each class can have.
    fn measure_shortest(&mut self) -> Result<(), WorkloadError> {
        let shortest = self.classes.iter().map(|class| match &self.tokenizer {
            Some(tokenizer) if class.needs_tokenizer() => {
                class.shortest(&**tokenizer, &self.prefixes, self.prefix_tokens())
            }
            _ => Ok(1),
        });
        self.shortest = shortest.collect::<Result<_, _>>()?;
        Ok(())
    }

    /// The traffic of one class of that source, with the source's own lengths.
    pub fn simple(
        seed: u64,
        source: ChatSource,
        system: Option<Arc<str>>,
        max_tokens: Option<u32>,
    ) -> Result<Self, WorkloadError> {
        let class = TrafficClass {
            source,
            system,
            lengths: None,
            max_tokens,
        };
        Self::new(seed, vec![class], None, None)
    }

    /// The same kind of requests, drawn from another seed.
    ///
    /// # Errors
    /// What requests share cannot be made of the tokenizer's tokens.
    pub fn with_seed(&self, seed: u64) -> Result<Self, WorkloadError> {
        let traffic = Self {
            seed,
            classes: self.classes.clone(),
            mix: self.mix.clone(),
            tokenizer: self.tokenizer.clone(),
            sessions: self.sessions,
            tool_rounds: self.tool_rounds,
            prefixes: Vec::new(),
            prefix_groups: None,
            shortest: self.shortest.clone(),
            variants: self.variants.clone(),
            blocks: BlockCache::default(),
        };
        match self.prefix_groups {
            None => Ok(traffic),
            Some(groups) => traffic.with_prefixes(groups),
        }
    }

    /// The seed that all of it is drawn from.
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// Tokens of what a request shares with others.
    pub(crate) fn prefix_tokens(&self) -> u32 {
        self.prefix_groups.map_or(0, PrefixGroups::tokens)
    }

    /// The same, with requests that differ from each other in more than their prompts.
    #[must_use]
    pub fn with_variants(mut self, variants: Variants) -> Self {
        self.variants = variants;
        self
    }

    /// The classes, in the order of [`PlannedRequest::class`].
    pub fn classes(&self) -> &[TrafficClass] {
        &self.classes
    }

    /// What counts tokens, where there is something.
    pub fn tokenizer(&self) -> Option<&Arc<dyn PromptTokenizer>> {
        self.tokenizer.as_ref()
    }

    /// The trace that is replayed, which decides when requests are due.
    pub fn trace(&self) -> Option<&Arc<Trace>> {
        match &self.classes[0].source {
            ChatSource::Trace(trace) => Some(trace),
            _ => None,
        }
    }

    /// The requests at those positions of the endless series, at those due times. Ids count from 0.
    pub(crate) fn requests(&self, positions: Range<usize>, dues: &[Nanos]) -> Vec<PlannedRequest> {
        let mut deck = Deck::new(self);
        (0..)
            .zip(positions)
            .zip(dues)
            .map(|((id, position), &due)| deck.request(id, position as u64, due))
            .collect()
    }

    /// The prompt of a planned request: what it is, where the plan holds it, and otherwise made from
    /// its card.
    pub fn prompt(&self, planned: &PlannedRequest) -> Result<Prompt, WorkloadError> {
        let prompt = match planned.prompt {
            Prompt::Card { number } => self.make(number, planned)?,
            _ => planned.prompt.clone(),
        };
        match (self.variants.images, planned.images) {
            (Some(images), Some(number)) => {
                Ok(prompt.with_images(&images.urls(self.seed, number)?))
            }
            _ => Ok(prompt),
        }
    }

    /// Names of the models that requests ask for otherwise than the rest.
    pub fn models(&self) -> Vec<String> {
        self.variants.models()
    }

    /// What rows of data sets bring for the bodies of their requests, and what requests are dealt beside it.
    pub fn bodies(&self) -> impl Iterator<Item = &Map<String, Value>> {
        let rows = self.classes.iter().filter_map(|class| class.source.rows());
        let rows = rows.flat_map(|rows| rows.iter());
        let of_rows = rows.filter_map(|row| row.body.as_deref());
        of_rows.chain(self.variants.bodies())
    }

    /// What tells this traffic from any other, for [`crate::workload_hash`]: the seed and for each
    /// class everything that it is made from; of built-in texts the first few stand for all, and of
    /// a tokenizer the tokens of a text.
    pub fn fingerprint(&self) -> Result<String, WorkloadError> {
        const PROBE: &str = "Zwölf Boxkämpfer 1234567890 fn main() { let x = 'a'; }\n\tthe end";
        let tokens = self.tokenizer.as_ref().map(|known| known.encode(PROBE));
        let tokens = tokens.transpose().map_err(crate::exact::failed)?;
        let classes: Vec<_> = self
            .classes
            .iter()
            .map(|class| class.fingerprint(self.seed))
            .collect();
        let mix = self.mix.as_ref().map(ToString::to_string);
        let mut parts =
            json!({ "seed": self.seed, "mix": mix, "tokens": tokens, "classes": classes });
        if !self.prefixes.is_empty() {
            parts["prefixes"] = json!(self.prefixes);
        }
        if let Some(variants) = self.variants.fingerprint() {
            parts["variants"] = variants;
        }
        Ok(parts.to_string())
    }
}

impl TrafficClass {
    /// The message before its prompts, after what they share with others.
    fn system(&self, prefix: Option<&Arc<str>>) -> Option<Arc<str>> {
        match (prefix, &self.system) {
            (Some(prefix), Some(own)) => Some(format!("{prefix}\n\n{own}").into()),
            (prefix, own) => prefix.or(own.as_ref()).cloned(),
        }
    }

    /// Whether its prompts have lengths in tokens.
    pub const fn needs_tokenizer(&self) -> bool {
        self.lengths.is_some() || matches!(self.source, ChatSource::Trace(_))
    }

    /// The fewest tokens that its prompts can have. Where all of them are to have the same length, it
    /// must not be below that.
    fn shortest(
        &self,
        tokenizer: &dyn PromptTokenizer,
        prefixes: &[Arc<str>],
        prefix_tokens: u32,
    ) -> Result<u32, WorkloadError> {
        let shared = prefixes.iter().map(Some);
        let shared = shared.chain(prefixes.is_empty().then_some(None));
        let mut taken = 0;
        for prefix in shared {
            let empty = Prompt::chat(self.system(prefix), "");
            let tokens = tokenizer.prompt_tokens(&empty);
            taken = taken.max(tokens.map_err(crate::exact::failed)?);
        }
        match self.lengths {
            Some(LengthScenario::Deterministic { lengths })
                if (lengths.input_tokens + prefix_tokens) as usize <= taken =>
            {
                Err(WorkloadError::TokenBudgetTaken {
                    budget: (lengths.input_tokens + prefix_tokens) as usize,
                    taken,
                })
            }
            _ => Ok(u32::try_from(taken).unwrap_or(u32::MAX).saturating_add(1)),
        }
    }

    fn fingerprint(&self, seed: u64) -> serde_json::Value {
        let mut hash = Sha256::new();
        let mut add = |text: &str| {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text);
        };
        match &self.source {
            ChatSource::Content(content) => {
                (0..8).for_each(|number| add(&content.prompt(seed, number)));
            }
            ChatSource::Rows(rows) | ChatSource::Replay(rows) => {
                rows.iter().for_each(|row| add(&row.fingerprint()));
            }
            ChatSource::Trace(trace) => {
                add(&trace.block_tokens.to_string());
                trace.rows.iter().for_each(|row| add(&format!("{row:?}")));
            }
        }
        json!({
            "source": hex(&hash.finalize()),
            "in_order": matches!(self.source, ChatSource::Replay(_)),
            "system": self.system,
            "lengths": self.lengths.map(|lengths| lengths.to_string()),
            "max_tokens": self.max_tokens,
        })
    }
}

/// A number of tokens that a prompt has exactly.
const fn exactly(count: u32) -> PlannedTokens {
    PlannedTokens { count, exact: true }
}
