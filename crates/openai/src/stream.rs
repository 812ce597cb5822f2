//! Bytes of a stream to its events.

use crate::answer_so_far::AnswerSoFar;
use crate::choice::{Choice, Holder};
use crate::chunk::Chunk;
use crate::chunk_template::ChunkTemplate;
use crate::error::{excerpt, url_hint};
use crate::error_words::{MESSAGE_CHARS_MAX, error_message};
use crate::responses_event::ResponseEvent;
use crate::tape::Tape;
use crate::value::{Document, Value};
use crate::{AnswerFacts, EventKind, SseDecoder, SseEvent, StreamError, StreamEvent, Usage};

/// Events of one stream that are kept. An event is kept in 48 bytes, so that all of them take no more than the longest
/// stream; the shortest chunk with a text has 50 bytes, so that no honest stream of that length has as many.
pub const STREAM_EVENTS_MAX: usize = 1 << 22;

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
    /// The token counts that came; a later count of nothing wipes none.
    pub usage: Option<Usage>,
    /// Why the first choice ended.
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
            answer: AnswerSoFar::default(),
            has_deltas: false,
            done: false,
            last_token: None,
            tokens_counted: Some(0),
            counts_events: n == 1,
            template: None,
            tape: Tape::default(),
        };
        Self {
            sse: SseDecoder::new(),
            content,
            stamp: None,
            error: None,
        }
    }

    /// One of a response whose lines are a chunk each, without the fields of server-sent events.
    pub fn of_lines(n: u32) -> Self {
        Self {
            sse: SseDecoder::of_lines(),
            ..Self::new(n)
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

    /// Whether every choice has its finish reason.
    pub const fn is_finished(&self) -> bool {
        self.content.is_finished()
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
        let finished = content.is_finished();
        let gathered = content.answer.finish();
        StreamEnd {
            events: content.events,
            usage: gathered.usage,
            finish_reason: gathered.finish_reason,
            done: content.done,
            whole: (content.done || finished) && error.is_none(),
            last_token: content.last_token,
            error,
            facts: gathered.facts,
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
    answer: AnswerSoFar,
    /// A choice came with a `delta`: whatever it holds beside it is not the next piece.
    has_deltas: bool,
    done: bool,
    last_token: Option<S>,
    /// `completion_tokens` at the last token event; absent where that had none, or where it cannot be said
    /// whose tokens they are.
    tokens_counted: Option<u64>,
    /// Whether counts in chunks are those of one choice.
    counts_events: bool,
    template: Option<ChunkTemplate>,
    tape: Tape,
}

impl<S> StreamContent<S> {
    const fn is_finished(&self) -> bool {
        self.answer.finished() >= self.n as usize
    }
}

impl<S: Copy> StreamContent<S> {
    fn read_event(&mut self, event: SseEvent<'_>, stamp: S) -> Result<(), Halt> {
        let number = self.events_read;
        self.events_read += 1;
        if event.name.is_empty()
            && let Some(template) = &self.template
            && let Some(text) = template.between(event.data)
            && self.answer.add_bytes(template.text_place, text).is_some()
        {
            let (kind, choice) = (template.kind, template.choice);
            self.push_token_event(kind, choice, text.len(), None, stamp)?;
            return Ok(());
        }
        if event.data.trim_ascii() == b"[DONE]" {
            self.push_event(EventKind::Done, stamp)?;
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
        let malformed = |reason: String| StreamError::MalformedEvent {
            event: number,
            offset: event.offset,
            reason,
            excerpt: excerpt(data, MESSAGE_CHARS_MAX),
            hint: url_hint(data),
        };
        // Lent for the chunk, whose values stand on it.
        let mut tape = std::mem::take(&mut self.tape);
        let outcome = match Document::read(&mut tape, data) {
            Ok(document) if document.root().is_object() => {
                let chunk = Chunk::of(&document.root());
                self.read_object(&event, &chunk, data, stamp)
            }
            Ok(document) => {
                let kind = document.root().kind_words();
                Err(malformed(format!("expected an object, got {kind}")).into())
            }
            Err(fault) => Err(malformed(fault.to_string()).into()),
        };
        tape.forget_much();
        self.tape = tape;
        outcome
    }

    fn read_object(
        &mut self,
        event: &SseEvent<'_>,
        chunk: &Chunk<'_, '_>,
        data: &str,
        stamp: S,
    ) -> Result<(), Halt> {
        if let Some(message) = chunk.server_error() {
            return Err(StreamError::Server { message }.into());
        }
        self.answer.note_model(chunk.model);
        if let Some(response) = ResponseEvent::of(event.name, chunk) {
            return self.read_response_event(&response, stamp);
        }
        if let Some(template) = self.read_chunk(chunk, data, stamp)? {
            self.template = Some(template);
        }
        Ok(())
    }

    /// An event of `/responses`, whose last one stands for `[DONE]`.
    fn read_response_event(
        &mut self,
        event: &ResponseEvent<'_, '_, '_>,
        stamp: S,
    ) -> Result<(), Halt> {
        let message = event.message(&mut self.answer.odd);
        self.answer.add_message(0, &message);
        if message.kind().is_token() {
            self.push_token_event(message.kind(), 0, message.bytes(), None, stamp)?;
            return Ok(());
        }
        let response = event.response();
        self.answer.note_model(response.model());
        if !event.is_last() {
            self.push_event(EventKind::Empty, stamp)?;
            return Ok(());
        }
        if let Some(message) = event.failure() {
            return Err(StreamError::Server { message }.into());
        }
        // Of a server that sends no pieces this is when the text comes.
        let whole = response.message(&mut self.answer.odd);
        if !self.answer.has_text() && whole.kind().is_token() {
            self.answer.add_message(0, &whole);
            self.push_token_event(whole.kind(), 0, whole.bytes(), None, stamp)?;
        }
        event.add_usage(&mut self.answer);
        let reason = event.finish_reason(self.answer.calls() > 0 || !whole.calls.is_empty());
        self.answer.finish_choice(0, &reason);
        self.push_event(EventKind::Usage, stamp)?;
        self.push_event(EventKind::Done, stamp)?;
        self.done = true;
        Err(Halt::Done)
    }

    /// Reads a chunk, and learns its like where all that it adds to the stream is one text in one choice. A
    /// finish reason may stand beside it: its like would only say the same again.
    fn read_chunk(
        &mut self,
        chunk: &Chunk<'_, '_>,
        data: &str,
        stamp: S,
    ) -> Result<Option<ChunkTemplate>, StreamError> {
        let counted = chunk.add_usage(&mut self.answer.usage, &mut self.answer.odd);
        let holder = self.holder(chunk);
        let (mut choices, mut has_text, mut template) = (0, false, None);
        for (place, value) in chunk.choices(&mut self.answer.odd) {
            choices += 1;
            let choice = Choice::read(&value, place, holder, &mut self.answer.odd);
            let counted = self.answer.add_choice(&choice).or(counted);
            let kind = choice.message.kind();
            if kind.is_token() {
                has_text = true;
                let text_bytes = choice.message.bytes();
                self.push_token_event(kind, choice.index, text_bytes, counted, stamp)?;
            }
            template = choice
                .message
                .sole_text()
                .filter(|_| choice.usage.is_none())
                .map(|text| {
                    let text_place = self.answer.text_place(choice.index, kind);
                    (text, kind, choice.index, text_place)
                });
        }
        if !has_text {
            let usage_alone = choices == 0 && chunk.has_usage();
            let kind = if usage_alone {
                EventKind::Usage
            } else {
                EventKind::Empty
            };
            self.push_event(kind, stamp)?;
        }
        let alone = template.filter(|_| choices == 1 && !chunk.has_usage());
        Ok(alone.map(|(text, kind, choice, text_place)| {
            let known = self.template.take();
            ChunkTemplate::learn(known, data, text, kind, choice, text_place)
        }))
    }

    /// What the text of a chunk's choices is in.
    fn holder(&mut self, chunk: &Chunk<'_, '_>) -> Holder {
        let mut choices = chunk.choices.iter().flat_map(Value::items_or_itself);
        self.has_deltas = self.has_deltas || choices.any(|choice| Choice::has_delta(&choice));
        Holder::in_stream(self.has_deltas)
    }

    /// `completion_tokens` is the server's count after this event.
    fn push_token_event(
        &mut self,
        kind: EventKind,
        choice: u32,
        text_bytes: usize,
        completion_tokens: Option<u64>,
        stamp: S,
    ) -> Result<(), StreamError> {
        // A count of none beside text is no count.
        let counted = completion_tokens.filter(|&tokens| tokens > 0 && self.counts_events);
        let tokens = counted
            .zip(self.tokens_counted)
            .and_then(|(after, before)| u32::try_from(after.checked_sub(before)?).ok());
        self.tokens_counted = counted;
        let text_bytes = u32::try_from(text_bytes).unwrap_or(u32::MAX);
        self.keep(StreamEvent {
            kind,
            stamp,
            text_bytes,
            tokens,
            choice,
        })?;
        self.last_token = Some(stamp);
        Ok(())
    }

    fn push_event(&mut self, kind: EventKind, stamp: S) -> Result<(), StreamError> {
        self.keep(StreamEvent {
            kind,
            stamp,
            text_bytes: 0,
            tokens: None,
            choice: 0,
        })
    }

    /// Of a stream with too many events none are kept: many requests may be answered so.
    fn keep(&mut self, event: StreamEvent<S>) -> Result<(), StreamError> {
        if self.events.len() >= STREAM_EVENTS_MAX {
            self.events = Vec::new();
            let limit = STREAM_EVENTS_MAX;
            return Err(StreamError::TooManyEvents { limit });
        }
        self.events.push(event);
        Ok(())
    }
}
