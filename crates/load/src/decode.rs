//! Packets to records, off the receiving path.

use crate::Clock;
use crate::events::events;
use crate::head::Head;
use crate::packet::{EndCause, Ending, Packet, Pieces, Said};
use crate::progress::Progress;
use crate::stamps::ReadStamp;
use crate::template::Reading;
use openai::{
    Answer, AnswerFacts, BodyForm, PooledReply, PoolingTask, StreamDecoder, StreamError, TextCounts,
};
use std::collections::HashMap;
use trace::{
    Event, EventKind, LeftOut, Nanos, Outcome, Record, ResponseFacts, TextFacts, Usage, Vectors,
};

/// Decodes the responses of a run as they come in.
pub(crate) struct Decoder {
    clock: Clock,
    reading: Reading,
    open: HashMap<u64, Body>,
    on_record: Box<dyn FnMut(Record) + Send>,
}

/// A response body so far.
struct Body {
    stream: StreamDecoder<ReadStamp>,
    failed: bool,
    /// When `[DONE]` came.
    done: Option<ReadStamp>,
    /// When every choice had its finish reason.
    finished: Option<ReadStamp>,
    /// Tokens came after that: who gives a reason with every event says nothing of the end.
    went_on: bool,
    choices: u32,
    /// Absent as long as too little came to tell.
    form: Option<BodyForm>,
    /// A body that is not a stream is decoded whole, and one that may be is kept until that is known.
    whole: Pieces,
    /// A stream is kept where its text is wanted.
    kept: Option<Vec<u8>>,
}

/// Of an error, or of a body that is no stream though one was asked for, this much tells enough.
pub(crate) const EXCERPT_BYTES_MAX: usize = 64 * 1024;

/// Characters of a header that are shown.
const HEADER_CHARS_MAX: usize = 500;

/// A body that ends this soon after its last event has not stayed open.
const STAYED_OPEN_MIN: Nanos = Nanos::from_millis(1);

impl Body {
    fn new(choices: u32, keeps: bool) -> Self {
        Body {
            stream: StreamDecoder::new(choices),
            failed: false,
            done: None,
            finished: None,
            went_on: false,
            choices,
            form: None,
            whole: Pieces::default(),
            kept: keeps.then(Vec::new),
        }
    }

    fn push(&mut self, pieces: &Pieces, progress: Option<&Progress>) {
        self.read(pieces, progress);
        // Also what does not tell yet what it is: pings are no token.
        if let Some(progress) = progress {
            progress.note_decoded(pieces.len());
        }
    }

    fn read(&mut self, pieces: &Pieces, progress: Option<&Progress>) {
        if let Some(kept) = &mut self.kept {
            kept.extend_from_slice(pieces.bytes());
        }
        if self.is_stream() {
            self.decode(pieces, progress);
            return;
        }
        for (bytes, stamp) in pieces.iter() {
            self.whole.push(bytes, stamp);
        }
        if self.form.is_none() {
            self.form = BodyForm::of(self.whole.bytes());
        }
        if self.form == Some(BodyForm::Lines) {
            self.stream = StreamDecoder::of_lines(self.choices);
        }
        if self.is_stream() {
            let begins = std::mem::take(&mut self.whole);
            self.decode(&begins, progress);
        } else if let Some(progress) = progress
            && self.form.is_some()
            && self.whole.len() > EXCERPT_BYTES_MAX
        {
            progress.note_worthless();
        }
    }

    /// What came tells nothing, and its label says that it is a stream.
    fn read_as_events(&mut self) {
        self.form = Some(BodyForm::Events);
        let begins = std::mem::take(&mut self.whole);
        self.decode(&begins, None);
    }

    /// Whether it is a stream, under whatever label.
    const fn is_stream(&self) -> bool {
        matches!(self.form, Some(BodyForm::Events | BodyForm::Lines))
    }

    fn decode(&mut self, pieces: &Pieces, progress: Option<&Progress>) {
        for (bytes, stamp) in pieces.iter() {
            // The stream keeps its error until it is settled.
            self.failed |= self.stream.push(bytes, stamp).is_err();
            self.note_ends(stamp);
            if self.failed {
                break;
            }
        }
        if let Some(progress) = progress {
            if let Some(stamp) = self.stream.last_token() {
                progress.note_token(stamp.arrived);
            }
            progress.note_ends(self.done, self.finished());
            if self.failed {
                progress.note_worthless();
            }
        }
    }

    /// Notes what the stream says of its end, after what came with `stamp`.
    fn note_ends(&mut self, stamp: ReadStamp) {
        if self.stream.is_done() {
            self.done.get_or_insert(stamp);
        }
        if self.stream.is_finished() {
            let finished = *self.finished.get_or_insert(stamp);
            let last_token = self.stream.last_token();
            self.went_on |= last_token.is_some_and(|token| token.index > finished.index);
        }
    }

    /// When the stream said that it is over, though without `[DONE]`.
    fn finished(&self) -> Option<ReadStamp> {
        self.finished.filter(|_| !self.went_on)
    }
}

impl Decoder {
    /// Decodes responses of that kind, and calls `on_record` with every record.
    pub(crate) fn new(
        clock: Clock,
        reading: Reading,
        on_record: Box<dyn FnMut(Record) + Send>,
    ) -> Self {
        Decoder {
            clock,
            reading,
            open: HashMap::new(),
            on_record,
        }
    }

    pub(crate) fn decode(&mut self, packet: Packet) {
        match packet {
            Packet::Body {
                id,
                pieces,
                progress,
            } => {
                let choices = self.choices();
                let new = || Body::new(choices, progress.keeps());
                let body = self.open.entry(id).or_insert_with(new);
                body.push(&pieces, Some(&progress));
            }
            Packet::End(mut ending) => {
                let listener = ending.listener.take();
                let known = self.open.remove(&ending.id);
                let body = known.unwrap_or_else(|| Body::new(self.choices(), listener.is_some()));
                let (record, answer) = self.record(&ending, body);
                if let Some(listener) = listener {
                    // Nobody waits any more where the run was stopped.
                    let _ = listener.send(said_in(&record, answer));
                }
                (self.on_record)(record);
            }
        }
    }

    const fn choices(&self) -> u32 {
        match self.reading {
            Reading::Generation { choices } => choices,
            Reading::Pooling(_) => 1,
        }
    }

    /// With what it said, where somebody listens and it is whole.
    fn record(&self, ending: &Ending, mut body: Body) -> (Record, Option<Answer>) {
        let may_stream = ending.head.as_ref().is_some_and(Head::is_success);
        if !may_stream || matches!(self.reading, Reading::Pooling(_)) {
            body.form = Some(BodyForm::Whole);
        }
        body.push(&ending.pieces, None);
        let is_labelled = ending
            .head
            .as_ref()
            .is_some_and(Head::is_labelled_event_stream);
        if is_labelled && body.form.is_none() && !openai::is_object(body.whole.bytes()) {
            body.read_as_events();
        }
        let mut record = Record {
            due: ending.due,
            reissued: ending.reissued,
            connected: ending.connected,
            sent: ending.sent,
            first_byte: ending.first_byte,
            done: ending.done.arrived,
            done_read: ending.done.read,
            stream: ending.stream,
            planned_tokens: ending.planned_tokens,
            prompt_text: ending.prompt_text,
            max_tokens: ending.max_tokens,
            class: ending.class,
            turn: ending.turn,
            status: ending.head.as_ref().map(|head| head.status),
            retry_after_seconds: ending
                .head
                .as_ref()
                .and_then(|head| head.retry_after_seconds),
            gateway_overhead: ending.head.as_ref().and_then(|head| head.gateway_overhead),
            body_bytes: ending.body_bytes,
            ..Record::begun(ending.run, ending.id, ending.issued)
        };
        let (kept, is_stream) = (body.kept.take(), body.is_stream());
        let (outcome, detail) = if is_stream {
            settle_stream(&mut record, body, &ending.cause, ending.head.as_ref())
        } else {
            self.settle_whole(&mut record, body.whole.bytes(), ending)
        };
        record.outcome = outcome;
        record.detail = detail;
        let ended = ending.done.arrived;
        record.released = (ended >= record.done + STAYED_OPEN_MIN).then_some(ended);
        let kept = kept.filter(|_| outcome.is_complete());
        let answer = kept.map(|kept| {
            if is_stream {
                Answer::of_stream(&kept)
            } else {
                Answer::of_completion(&kept)
            }
        });
        (record, answer)
    }

    fn settle_whole(&self, record: &mut Record, body: &[u8], ending: &Ending) -> Settled {
        let Some(head) = &ending.head else {
            return settle_cause(&ending.cause).unwrap_or((
                Outcome::Truncated,
                Some("the connection closed before a response began".into()),
            ));
        };
        if !(200..300).contains(&head.status) {
            let words = match &head.location {
                Some(location) => Some(format!(
                    "redirects to {}, which is not followed",
                    openai::excerpt(location, HEADER_CHARS_MAX)
                )),
                None => openai::error_message(body),
            };
            return (Outcome::Http, words);
        }
        if let Some(encoding) = &head.content_encoding {
            return (
                Outcome::Protocol,
                Some(format!(
                    "the body is compressed ({}) though nobody asked for it",
                    openai::excerpt(encoding, HEADER_CHARS_MAX)
                )),
            );
        }
        if let Some(settled) = settle_cause(&ending.cause) {
            return settled;
        }
        let begun = self.clock.now();
        let settled = match self.reading {
            Reading::Generation { .. } => settle_completion(record, body, head),
            Reading::Pooling(task) => settle_pooling(record, body, task, ending.inputs),
        };
        if let Some(vectors) = &mut record.vectors {
            vectors.decoding = self.clock.now() - begun;
        }
        settled
    }
}

/// What a request came to, of its record and what it said.
fn said_in(record: &Record, answer: Option<Answer>) -> Said {
    Said {
        answer,
        text_tokens: text_tokens(record),
        done: record.done,
    }
}

/// The server's count of generated tokens, where it does not say that some are of another text.
fn text_tokens(record: &Record) -> Option<u64> {
    let usage = record.usage?;
    let has_other = usage.reasoning_tokens.is_some_and(|tokens| tokens > 0);
    usage.completion_tokens.filter(|_| !has_other)
}

type Settled = (Outcome, Option<String>);

/// What the end of receiving says by itself; `None` where the body has the last word.
fn settle_cause(cause: &EndCause) -> Option<Settled> {
    Some(match cause {
        EndCause::Whole | EndCause::LeftOpen | EndCause::Refused => return None,
        EndCause::ConnectFailed(why) => (Outcome::Connect, Some(why.clone())),
        EndCause::ClosedBeforeAnswer(why) => (Outcome::ClosedBeforeAnswer, Some(why.clone())),
        EndCause::Broken(why) => (Outcome::Truncated, Some(why.clone())),
        EndCause::Malformed(why) => (Outcome::Protocol, Some(why.clone())),
        EndCause::Timeout(which) => (Outcome::Timeout(*which), None),
        EndCause::TooLong { limit } => (
            Outcome::Protocol,
            Some(format!("the response went on past {limit} bytes")),
        ),
        EndCause::TooManyReads { limit } => (
            Outcome::Protocol,
            Some(format!(
                "the response took more than {limit} reads, as if it came byte by byte"
            )),
        ),
        EndCause::Cancelled => (Outcome::Cancelled, None),
    })
}

fn settle_stream(
    record: &mut Record,
    body: Body,
    cause: &EndCause,
    head: Option<&Head>,
) -> Settled {
    let finished = body.finished().is_some();
    let mut end = body.stream.finish();
    let error = end.error.take();
    let whole = end.done
        || match cause {
            EndCause::Whole => end.whole,
            // All of it had come; that the body had no end of its own changes nothing of it.
            EndCause::LeftOpen | EndCause::Broken(_) | EndCause::Timeout(_) => finished,
            _ => false,
        };
    take_events(record, end, head);
    if whole && *cause != EndCause::Whole {
        end_with_last_event(record);
    }
    match error {
        Some(StreamError::Server { message }) => return (Outcome::ServerError, Some(message)),
        Some(error) => return (Outcome::Protocol, Some(error.to_string())),
        None if whole => return (Outcome::Complete, None),
        None => {}
    }
    settle_cause(cause).unwrap_or((
        Outcome::Truncated,
        Some("the stream ended before [DONE] and before a finish_reason".into()),
    ))
}

fn take_events(record: &mut Record, end: openai::StreamEnd<ReadStamp>, head: Option<&Head>) {
    record.finish_reason = end.finish_reason;
    record.usage = end.usage.map(usage);
    record.response = Some(response(end.facts, head));
    record.events = events(end.events);
    let is_done = |event: &&Event| event.kind == EventKind::Done;
    if let Some(done) = record.events.iter().find(is_done) {
        (record.done, record.done_read) = (done.arrived, done.read);
    }
}

/// How long a body stays open after its last event is no part of the answer.
fn end_with_last_event(record: &mut Record) {
    if let Some(last) = record.events.last() {
        (record.done, record.done_read) = (last.arrived, last.read);
    }
}

fn settle_completion(record: &mut Record, body: &[u8], head: &Head) -> Settled {
    match openai::Completion::parse(body) {
        Ok(_) if record.stream => (
            Outcome::Protocol,
            Some(format!(
                "a stream was asked for and one whole answer came back, with {} as its content type",
                openai::excerpt(
                    head.content_type.as_deref().unwrap_or("nothing"),
                    HEADER_CHARS_MAX
                )
            )),
        ),
        Ok(response) => {
            record.usage = response.usage.map(usage);
            record.finish_reason = response.finish_reason;
            record.response = Some(self::response(response.facts, Some(head)));
            (Outcome::Complete, None)
        }
        Err(StreamError::Server { message }) => (Outcome::ServerError, Some(message)),
        Err(error) => (Outcome::Protocol, Some(error.to_string())),
    }
}

fn settle_pooling(record: &mut Record, body: &[u8], task: PoolingTask, inputs: u32) -> Settled {
    match PooledReply::parse(body, task, inputs as usize) {
        Ok(reply) => {
            let size = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
            record.usage = reply.usage.map(usage);
            record.vectors = Some(Vectors {
                count: size(reply.vectors.len() + reply.scores.len()),
                dimensions: reply.dimensions().map(size),
                decoding: Nanos::ZERO,
            });
            (Outcome::Complete, None)
        }
        Err(StreamError::Server { message }) => (Outcome::ServerError, Some(message)),
        Err(error) => (Outcome::Protocol, Some(error.to_string())),
    }
}

fn usage(usage: openai::Usage) -> Usage {
    Usage {
        prompt_tokens: usage.prompt_tokens,
        completion_tokens: usage.completion_tokens,
        cached_tokens: usage.cached_tokens,
        reasoning_tokens: usage.reasoning_tokens,
        total_tokens: usage.total_tokens,
    }
}

/// What the answer said, and what a gateway said beside it.
fn response(facts: AnswerFacts, head: Option<&Head>) -> Box<ResponseFacts> {
    let left_out = facts.left_out.into_iter().map(|left_out| LeftOut {
        field: left_out.field,
        value: left_out.value,
    });
    Box::new(ResponseFacts {
        model: facts.model,
        choices: facts.choices,
        other_finish_reasons: facts.other_finish_reasons,
        text: counted(facts.text),
        tool_calls: facts.tool_calls,
        usage_excerpt: facts.usage_excerpt,
        left_out: left_out.collect(),
        retries: head.and_then(|head| head.retries),
        fallbacks: head.and_then(|head| head.fallbacks),
    })
}

pub(crate) const fn counted(counts: TextCounts) -> TextFacts {
    TextFacts {
        bytes: counts.bytes,
        characters: counts.characters,
        ascii: counts.ascii,
        words: counts.words,
    }
}
