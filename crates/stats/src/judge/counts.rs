//! Token counts against the text, the events and the limit.

use super::fault::Fault;
use trace::{Asked, EventKind, Record, TextFacts, ToolUse, Usage};

/// What a template, a tool's description or a system prompt of the server's own may add to a prompt, in tokens, is not
/// known. Beyond this nothing explains a count.
const PROMPT_ADDED_MAX: u64 = 1_000_000;

/// Shorter texts may well have as many tokens as characters.
const CHARACTERS_MIN: u64 = 20;

/// Where more of the text is not ASCII, characters may well be tokens: a Chinese BERT counts them so.
const ASCII_SHARE_MIN: f64 = 0.9;

/// A server that counts characters may add a mark at each end.
const CHARACTERS_OFF_MAX: f64 = 0.02;

/// English has 1.3 tokens a word and 4 characters a token. A text of three tokens a word, each shorter than two
/// characters, is none that was counted in tokens.
const TOKENS_PER_WORD_MAX: u64 = 3;
const CHARACTERS_PER_TOKEN_MIN: u64 = 2;

/// A text has two tokens a word at least as often as not; a word has four letters, where scripts have words.
const TOKENS_PER_WORD_SURE: u64 = 2;
const CHARACTERS_PER_WORD: u64 = 4;

/// A stream that brings a token with each event has this part of its tokens as events, or more.
const EVENTS_SHARE_MIN: f64 = 0.9;

/// Counts as they may enter numbers.
pub(super) struct Believable {
    pub(super) usage: Usage,
    /// What the server said with each event is as impossible as the total.
    pub(super) events_lie: bool,
}

/// The counts without what cannot be; `None` where they stand as they came.
pub(super) fn believable(record: &Record, asked: Option<&Asked>) -> Option<Believable> {
    let told = record.usage.or_else(|| {
        let counted = record.events.iter().any(|event| event.tokens.is_some());
        counted.then(Usage::default)
    })?;
    let mut usage = told;
    let output = Output::of(record, asked);
    let lies = output.as_ref().is_some_and(Output::is_impossible);
    if lies {
        usage.completion_tokens = None;
    } else if let (Some(output), Some(count)) = (&output, usage.completion_tokens) {
        usage.completion_tokens = Some(count.saturating_add(output.reasoning_left_out));
    }
    if impossible_input(record) {
        usage.prompt_tokens = None;
    }
    if too_many_cached(record) {
        usage.cached_tokens = None;
    }
    if too_much_reasoning(record, output.as_ref()) {
        usage.reasoning_tokens = None;
    }
    (usage != told || lies).then_some(Believable {
        usage,
        events_lie: lies,
    })
}

/// What does not fit in the counts of an answer with facts.
pub(super) fn faults(record: &Record, asked: Option<&Asked>) -> Vec<Fault> {
    let mut faults = input_faults(record);
    let Some(output) = Output::of(record, asked) else {
        return faults;
    };
    let mut note = |found: bool, fault| faults.extend(found.then_some(fault));
    note(output.is_impossible(), Fault::ImpossibleOutput);
    note(
        output.is_beyond_limit() && !output.is_impossible(),
        Fault::BeyondLimit,
    );
    note(output.is_below_events(), Fault::FewerThanEvents);
    note(
        output.is_in_characters() && !output.is_impossible(),
        Fault::OutputInCharacters,
    );
    note(
        too_much_reasoning(record, Some(&output)),
        Fault::ImpossiblePart,
    );
    note(total_differs(record, &output), Fault::TotalDiffers);
    faults
}

/// What does not fit in the count of the prompt.
pub(super) fn input_faults(record: &Record) -> Vec<Fault> {
    let mut faults = Vec::new();
    if impossible_input(record) {
        faults.push(Fault::ImpossibleInput);
    }
    if too_many_cached(record) {
        faults.push(Fault::ImpossiblePart);
    }
    faults
}

/// The count of generated tokens, and what it is held against.
struct Output {
    /// As it was told: in total, else the sum of what came with the events.
    told: u64,
    /// Those of them that the text can have: reasoning may be told and not shown.
    shown: u64,
    /// Reasoning that the total has and `told` has not.
    reasoning_left_out: u64,
    /// What the limits of all choices together allow.
    limit: Option<u64>,
    text: TextFacts,
    /// Events with text.
    events: u64,
    /// The most that the text and everything that has none can be in tokens; absent where an answer may hold more than
    /// its text.
    most: Option<u64>,
    choices: u64,
    tool_calls: u64,
    streamed: bool,
}

impl Output {
    /// `None` where nothing was counted, or nothing is known to hold it against.
    fn of(record: &Record, asked: Option<&Asked>) -> Option<Self> {
        let response = record.response.as_deref()?;
        let usage = record.usage.unwrap_or_default();
        let counted = || {
            let counts = record.events.iter().filter_map(|event| event.tokens);
            let mut counts = counts.map(u64::from).peekable();
            counts.peek().is_some().then(|| counts.sum())
        };
        let told = usage.completion_tokens.or_else(counted)?;
        let count =
            |is: fn(EventKind) -> bool| record.events.iter().filter(|event| is(event.kind)).count();
        let silent = count(|kind| kind == EventKind::Empty) as u64;
        let events = count(EventKind::is_token) as u64;
        let choices = u64::from(
            asked
                .map_or(1, |asked| asked.choices)
                .max(response.choices)
                .max(1),
        );
        let unbounded = asked.is_none_or(|asked| asked.ignore_eos || asked.tools != ToolUse::None);
        let reasoning = usage.reasoning_tokens.unwrap_or(0);
        let shows_reasoning = count(|kind| kind == EventKind::Reasoning) > 0;
        Some(Self {
            told,
            shown: if shows_reasoning {
                told
            } else {
                told.saturating_sub(reasoning)
            },
            reasoning_left_out: reasoning_left_out(&usage),
            limit: record
                .max_tokens
                .map(|limit| choices.saturating_mul(u64::from(limit) + 1)),
            text: response.text,
            events,
            most: (!unbounded).then(|| {
                let parts = [response.text.bytes, silent, reasoning, choices];
                parts.into_iter().fold(0, u64::saturating_add)
            }),
            choices,
            tool_calls: response.tool_calls.into(),
            streamed: !record.events.is_empty(),
        })
    }

    fn is_beyond_limit(&self) -> bool {
        self.limit.is_some_and(|limit| self.told > limit)
    }

    /// As many events with text as there are said to be tokens.
    fn has_events_for_all(&self) -> bool {
        self.events as f64 >= EVENTS_SHARE_MIN * self.told as f64
    }

    /// The text is long enough for as many tokens: the limit was passed in truth.
    fn has_text_for_all(&self) -> bool {
        let words = self
            .text
            .words
            .max(self.text.characters / CHARACTERS_PER_WORD);
        words.saturating_mul(TOKENS_PER_WORD_SURE) >= self.told
    }

    fn is_impossible(&self) -> bool {
        let none = self.told == 0 && self.text.bytes > 0;
        let over = self.most.is_some_and(|most| self.told > most);
        let borne_out = self.has_events_for_all() || self.has_text_for_all();
        none || over || (self.is_beyond_limit() && !borne_out)
    }

    /// A call's name and arguments may come in events of their own.
    fn is_below_events(&self) -> bool {
        let spare = self.choices + 2 * self.tool_calls;
        let tokens = self.told.saturating_add(self.reasoning_left_out);
        self.told > 0 && tokens.saturating_add(spare) < self.events
    }

    fn is_in_characters(&self) -> bool {
        let by_event = self.streamed && self.has_events_for_all();
        // A call is signs and short words, of which many are a token each, and its end has no text.
        !by_event && self.tool_calls == 0 && in_characters(self.text, self.shown)
    }
}

/// xAI and others count reasoning beside `completion_tokens`, and in the total.
fn reasoning_left_out(usage: &Usage) -> u64 {
    let more = || {
        let parts = usage.prompt_tokens?.checked_add(usage.completion_tokens?)?;
        usage.total_tokens?.checked_sub(parts)
    };
    let reasoning = usage.reasoning_tokens.filter(|&tokens| tokens > 0);
    reasoning
        .zip(more())
        .filter(|(reasoning, more)| reasoning == more)
        .map_or(0, |(reasoning, _)| reasoning)
}

/// A total of 0 is none.
fn total_differs(record: &Record, output: &Output) -> bool {
    let usage = record.usage.unwrap_or_default();
    let parts = usage.prompt_tokens.zip(usage.completion_tokens);
    let total = usage.total_tokens.filter(|&total| total > 0);
    let (Some((prompt, completion)), Some(total)) = (parts, total) else {
        return false;
    };
    let sum = prompt
        .saturating_add(completion)
        .saturating_add(output.reasoning_left_out);
    sum != total && !output.is_impossible() && !impossible_input(record)
}

fn too_much_reasoning(record: &Record, output: Option<&Output>) -> bool {
    let usage = record.usage.unwrap_or_default();
    let left_out = output.map_or(0, |output| output.reasoning_left_out);
    let known = usage.reasoning_tokens.zip(usage.completion_tokens);
    output.is_some() && known.is_some_and(|(part, all)| part > all.saturating_add(left_out))
}

fn too_many_cached(record: &Record) -> bool {
    let usage = record.usage.unwrap_or_default();
    let known = usage.cached_tokens.zip(usage.prompt_tokens);
    record.prompt_text.is_some() && known.is_some_and(|(part, all)| part > all)
}

fn impossible_input(record: &Record) -> bool {
    let told = record.usage.and_then(|usage| usage.prompt_tokens);
    let Some((told, text)) = told.zip(record.prompt_text) else {
        return false;
    };
    text.bytes > 0 && (told == 0 || told > text.bytes.saturating_add(PROMPT_ADDED_MAX))
}

/// The characters of a prompt and its tokens by the server, where the one can be told from the other: not where a
/// tokenizer says that the count is right.
pub(super) fn prompt_lengths(record: &Record) -> Option<(u64, u64)> {
    let told = record.usage.and_then(|usage| usage.prompt_tokens)?;
    let text = record.prompt_text?;
    let planned = record.planned_tokens.filter(|planned| planned.exact);
    let agreed = planned.is_some_and(|planned| u64::from(planned.count) == told);
    (!agreed && is_latin(text) && !impossible_input(record)).then_some((text.characters, told))
}

/// Long enough, and of characters that are hardly ever tokens.
fn is_latin(text: TextFacts) -> bool {
    text.characters >= CHARACTERS_MIN
        && text.ascii as f64 >= ASCII_SHARE_MIN * text.characters as f64
}

/// Whether so many tokens of a text are its characters.
fn in_characters(text: TextFacts, tokens: u64) -> bool {
    if !is_latin(text) {
        return false;
    }
    let (characters, words) = (text.characters, text.words);
    let off = tokens.abs_diff(characters) as f64;
    let equal = off <= (CHARACTERS_OFF_MAX * characters as f64).max(2.0);
    let short = tokens.saturating_mul(CHARACTERS_PER_TOKEN_MIN) > characters;
    equal || (tokens > words.saturating_mul(TOKENS_PER_WORD_MAX) && short && tokens <= characters)
}
