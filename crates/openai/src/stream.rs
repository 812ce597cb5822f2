use crate::chunk::{Chunk, ChunkChoice};
use crate::chunk_template::ChunkTemplate;
use crate::error::excerpt;
use crate::response::{MESSAGE_CHARS_MAX, error_message, message_of};
use crate::responses_event::ResponseEvent;
use crate::{AnswerFacts, EventKind, SseDecoder, SseEvent, StreamError, StreamEvent, Usage};
use std::borrow::Cow;

/// Turns the bytes of a streamed response into events, each with the stamp of the read that
/// completed it. `S` is whatever the reader knows of a read: its time, its number.
#[derive(Clone, Debug)]
pub struct StreamDecoder<S: Copy> {
    sse: SseDecoder,
    content: StreamContent<S>,
    /// Stamp of the last push.
    stamp: Option<S>,
    error: Option<StreamError>,
}

/// What a stream was, once it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamEnd<S> {
    /// The events that were not taken before.
    pub events: Vec<StreamEvent<S>>,
    /// The last token counts that came.
    pub usage: Option<Usage>,
    /// Why choice 0 ended.
    pub finish_reason: Option<String>,
    /// Whether `[DONE]` came, or the last event of `/responses`.
    pub done: bool,
    /// Whether the stream is all there: it had `[DONE]`, or a finish reason for every choice, and
    /// no error. A stream that ends without being whole was truncated.
    pub whole: bool,
    /// Stamp of the last event that carried generated text.
    pub last_token: Option<S>,
    /// Why it could not be read to its end.
    pub error: Option<StreamError>,
    /// What it said beside its events.
    pub facts: AnswerFacts,
}

impl<S: Copy> StreamDecoder<S> {
    /// A decoder of the response to a request for `n` choices.
    pub fn new(n: u32) -> Self {
        let content = StreamContent {
            n,
            events: Vec::new(),
            events_read: 0,
            usage: None,
            finish_reason: None,
            choices_finished: 0,
            done: false,
            last_token: None,
            tokens_counted: (n == 1).then_some(0),
            template: None,
            facts: AnswerFacts::default(),
        };
        Self {
            sse: SseDecoder::new(),
            content,
            stamp: None,
            error: None,
        }
    }

    /// Reads the next bytes of the body, which arrived at `stamp`. What follows `[DONE]` is
    /// ignored. After an error every further push returns the same error.
    pub fn push(&mut self, bytes: &[u8], stamp: S) -> Result<(), StreamError> {
        if let Some(error) = &self.error {
            return Err(error.clone());
        }
        if self.content.done {
            return Ok(());
        }
        self.stamp = Some(stamp);
        match self
            .sse
            .push(bytes, &mut |event| self.content.read_event(event, stamp))
        {
            Ok(()) | Err(Halt::Done) => Ok(()),
            Err(Halt::Failed(error)) => {
                self.error = Some(error.clone());
                Err(error)
            }
        }
    }

    /// Whether `[DONE]` came.
    pub const fn is_done(&self) -> bool {
        self.content.done
    }

    /// Stamp of the last event that carried generated text.
    pub const fn last_token(&self) -> Option<S> {
        self.content.last_token
    }

    /// Takes the events collected so far.
    pub fn take_events(&mut self) -> Vec<StreamEvent<S>> {
        std::mem::take(&mut self.content.events)
    }

    /// Ends the body. An event whose last empty line is missing counts where it is a whole chunk
    /// or `[DONE]`; otherwise it was cut off, and is no error of its own.
    pub fn finish(self) -> StreamEnd<S> {
        let Self {
            sse,
            mut content,
            stamp,
            mut error,
        } = self;
        if let (None, false, Some(stamp)) = (&error, content.done, stamp)
            && let Err(Halt::Failed(server @ StreamError::Server { .. })) =
                sse.finish(&mut |event| content.read_event(event, stamp))
        {
            error = Some(server);
        }
        let finished = content.choices_finished >= content.n;
        StreamEnd {
            events: content.events,
            usage: content.usage,
            finish_reason: content.finish_reason,
            done: content.done,
            whole: (content.done || finished) && error.is_none(),
            last_token: content.last_token,
            error,
            facts: content.facts,
        }
    }
}

/// Why reading stops within a push.
enum Halt {
    Done,
    Failed(StreamError),
}

impl From<StreamError> for Halt {
    fn from(error: StreamError) -> Self {
        Self::Failed(error)
    }
}

/// What a stream carried so far.
#[derive(Clone, Debug)]
struct StreamContent<S> {
    n: u32,
    events: Vec<StreamEvent<S>>,
    /// Server-sent events with data, of any content.
    events_read: u64,
    usage: Option<Usage>,
    finish_reason: Option<String>,
    choices_finished: u32,
    done: bool,
    last_token: Option<S>,
    /// `completion_tokens` at the last token event; absent once a token event came without it,
    /// or where it cannot be said whose tokens they are.
    tokens_counted: Option<u64>,
    template: Option<ChunkTemplate>,
    facts: AnswerFacts,
}

impl<S: Copy> StreamContent<S> {
    fn read_event(&mut self, event: SseEvent<'_>, stamp: S) -> Result<(), Halt> {
        let number = self.events_read;
        self.events_read += 1;
        if event.name.is_empty()
            && let Some(template) = &self.template
            && let Some(text) = template.text(event.data)
        {
            let (kind, choice) = (template.kind, template.choice);
            self.push_token_event(kind, choice, text.len(), None, stamp);
            return Ok(());
        }
        if event.data.trim_ascii() == b"[DONE]" {
            self.push_event(EventKind::Done, stamp);
            self.done = true;
            return Err(Halt::Done);
        }
        if event.name == b"ping" || event.data.trim_ascii().is_empty() {
            return Ok(());
        }
        let data = std::str::from_utf8(event.data).map_err(|error| StreamError::InvalidUtf8 {
            event: number,
            offset: event.offset,
            valid_bytes: error.valid_up_to(),
        })?;
        if event.name == b"error" {
            let message = error_message(event.data).unwrap_or_default();
            return Err(StreamError::Server { message }.into());
        }
        let malformed = |error: serde_json::Error| StreamError::MalformedEvent {
            event: number,
            offset: event.offset,
            reason: error.to_string(),
            excerpt: excerpt(data, MESSAGE_CHARS_MAX),
        };
        if ResponseEvent::is_one(event.name, data) {
            return self
                .read_response_event(&ResponseEvent::parse(data).map_err(malformed)?, stamp);
        }
        let chunk = Chunk::parse(data).map_err(malformed)?;
        if let Some(message) = chunk.server_error() {
            return Err(StreamError::Server { message }.into());
        }
        self.read_chunk(&chunk, stamp);
        if let Some(template) = template_of(data, &chunk) {
            self.template = Some(template);
        }
        Ok(())
    }

    /// An event of `/responses`, whose last one stands for `[DONE]`.
    fn read_response_event(&mut self, event: &ResponseEvent<'_>, stamp: S) -> Result<(), Halt> {
        let (kind, text_bytes) = event.text();
        if kind.is_token() {
            self.push_token_event(kind, 0, text_bytes, None, stamp);
            return Ok(());
        }
        let Some(response) = event.ended() else {
            self.push_event(EventKind::Empty, stamp);
            return Ok(());
        };
        if response.has_failed() {
            let message = response.error.as_ref().map(message_of).unwrap_or_default();
            return Err(StreamError::Server { message }.into());
        }
        self.usage = response.usage.or(self.usage);
        self.finish_reason = Some(excerpt(response.finish_reason(), MESSAGE_CHARS_MAX));
        self.choices_finished += 1;
        self.push_event(EventKind::Usage, stamp);
        self.push_event(EventKind::Done, stamp);
        self.done = true;
        Err(Halt::Done)
    }

    fn read_chunk(&mut self, chunk: &Chunk<'_>, stamp: S) {
        let mut has_text = false;
        for choice in chunk.choices.iter() {
            let kind = choice.kind();
            if kind.is_token() {
                has_text = true;
                let completion_tokens = chunk.usage.and_then(|usage| usage.completion_tokens);
                let text_bytes = choice.text_bytes();
                self.push_token_event(kind, choice.index, text_bytes, completion_tokens, stamp);
            }
            if !choice.finish_reason.is_empty() {
                self.choices_finished += 1;
                if choice.index == 0 {
                    self.finish_reason = Some(excerpt(&choice.finish_reason, MESSAGE_CHARS_MAX));
                }
            }
        }
        if !has_text {
            let usage_alone = chunk.choices.first.is_none() && chunk.usage.is_some();
            self.push_event(
                if usage_alone {
                    EventKind::Usage
                } else {
                    EventKind::Empty
                },
                stamp,
            );
        }
        if chunk.usage.is_some() {
            self.usage = chunk.usage;
        }
    }

    /// `completion_tokens` is the server's count after this event.
    fn push_token_event(
        &mut self,
        kind: EventKind,
        choice: u32,
        text_bytes: usize,
        completion_tokens: Option<u64>,
        stamp: S,
    ) {
        let tokens = match (self.tokens_counted, completion_tokens) {
            (Some(before), Some(after)) => after
                .checked_sub(before)
                .and_then(|tokens| u32::try_from(tokens).ok()),
            _ => None,
        };
        self.tokens_counted = tokens.and(completion_tokens);
        let text_bytes = u32::try_from(text_bytes).unwrap_or(u32::MAX);
        self.events.push(StreamEvent {
            kind,
            stamp,
            text_bytes,
            tokens,
            choice,
        });
        self.last_token = Some(stamp);
    }

    fn push_event(&mut self, kind: EventKind, stamp: S) {
        self.events.push(StreamEvent {
            kind,
            stamp,
            text_bytes: 0,
            tokens: None,
            choice: 0,
        });
    }
}

/// A template where all that the chunk adds to the stream is one text in one choice. A finish
/// reason may stand beside it: its like would only say the same again.
fn template_of(data: &str, chunk: &Chunk<'_>) -> Option<ChunkTemplate> {
    let choice = chunk.choices.first.as_ref()?;
    if !chunk.choices.more.is_empty() || chunk.usage.is_some() {
        return None;
    }
    let kind = choice.kind();
    let text = sole_text(choice, kind)?;
    Some(ChunkTemplate::learn(data, text, kind, choice.index))
}

/// The text that is all the choice has, where it stands in the data as it is.
fn sole_text<'a>(choice: &ChunkChoice<'a>, kind: EventKind) -> Option<&'a str> {
    let text = match kind {
        EventKind::Content => choice.content(),
        EventKind::Reasoning => choice.delta.reasoning(),
        _ => return None,
    };
    match text.0 {
        Cow::Borrowed(text) if text.len() == choice.text_bytes() => Some(text),
        _ => None,
    }
}
