//! The token events of a response, choice by choice.

use trace::{Event, EventKind, Nanos, Record};

/// The token events of one choice: where `n` > 1, each choice is a stream of tokens of its own.
pub(crate) struct TokenStream {
    /// Arrival of each token event; never empty.
    pub(crate) arrived: Vec<Nanos>,
    /// Tokens that each of them brought, where the server said so with every one.
    pub(crate) tokens: Option<Vec<u64>>,
    /// Events of each token event: itself, and those without text since the token event before. A server
    /// may send a token that completes no character as an event of its own.
    pub(crate) with_silent: Vec<u64>,
    /// Events without text after the last token event.
    pub(crate) trailing: u64,
    /// Which read completed each token event.
    pub(crate) reads: Vec<u32>,
    /// Bytes of text in each token event.
    pub(crate) bytes: Vec<u64>,
    /// Some of it are tools' names or arguments, of which tokens go missing that are no text of either.
    pub(crate) calls_tools: bool,
}

/// What is known of the tokens in each event.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum TokensPerEvent {
    /// The server said so with every event.
    Known,
    /// Established for the stream: its usage equals its token events, save for one end-of-sequence
    /// token without text per choice.
    One,
    /// Established too: its usage equals its token events and the events without text between them, as of a
    /// server that sends a token which completes no character as an event of its own.
    Silent,
    /// Only the mean is known.
    Mean(f64),
}

impl TokensPerEvent {
    /// The tokens of each token event, where they are not one each or a mean.
    pub(crate) fn counts(self, stream: &TokenStream) -> Option<&[u64]> {
        match self {
            Self::Known => stream.tokens.as_deref(),
            Self::Silent => Some(&stream.with_silent),
            Self::One | Self::Mean(_) => None,
        }
    }
}

impl TokenStream {
    /// The streams of `record`, by choice; empty where no event carried generated text.
    pub(crate) fn of(record: &Record) -> Vec<Self> {
        let mut events: Vec<&Event> = record.events.iter().collect();
        events.sort_by_key(|event| event.choice);
        events
            .chunk_by(|earlier, later| earlier.choice == later.choice)
            .filter_map(Self::of_choice)
            .collect()
    }

    /// Tokens counted on an event without text (a character still incomplete) arrive with the
    /// text that follows.
    fn of_choice(events: &[&Event]) -> Option<Self> {
        let mut arrived = Vec::with_capacity(events.len());
        let mut tokens = Vec::new();
        let mut all_known = true;
        let mut held_back = 0;
        let mut with_silent = Vec::with_capacity(events.len());
        let mut silent = 0;
        let tokens_of = || events.iter().filter(|event| event.kind.is_token());
        for event in events {
            held_back += event.tokens.map_or(0, u64::from);
            if event.kind.is_token() {
                all_known &= event.tokens.is_some() && held_back > 0;
                arrived.push(event.arrived);
                if all_known {
                    tokens.push(held_back);
                }
                held_back = 0;
                // Before the first token comes the role, which is none.
                with_silent.push(if arrived.len() > 1 { silent + 1 } else { 1 });
                silent = 0;
            } else if event.kind == EventKind::Empty {
                silent += 1;
            }
        }
        (!arrived.is_empty()).then(|| Self {
            arrived,
            tokens: all_known.then_some(tokens),
            with_silent,
            trailing: silent,
            reads: tokens_of().map(|event| event.read_index).collect(),
            bytes: tokens_of().map(|event| event.text_bytes.into()).collect(),
            calls_tools: tokens_of().any(|event| event.kind == EventKind::ToolCall),
        })
    }

    /// Token events.
    pub(crate) fn events(&self) -> u64 {
        self.arrived.len() as u64
    }

    /// Token events, and those without text between them.
    pub(crate) fn events_between(&self) -> u64 {
        self.with_silent.iter().sum()
    }

    /// Gaps between consecutive token events.
    pub(crate) fn gaps(&self) -> impl Iterator<Item = Nanos> {
        self.arrived.windows(2).map(|pair| pair[1] - pair[0])
    }

    /// From the first token event to the last.
    pub(crate) fn span(&self) -> Nanos {
        self.arrived[self.arrived.len() - 1] - self.arrived[0]
    }
}
