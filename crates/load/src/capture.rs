//! What is known of a request while it is under way.

use crate::channel::Channel;
use crate::connector::Connector;
use crate::deadline::span;
use crate::decode::EXCERPT_BYTES_MAX;
use crate::head::Head;
use crate::packet::{EndCause, Ending, Packet, Pieces};
use crate::progress::Progress;
use crate::shared::Shared;
use crate::stamps::ReadStamp;
use crate::template::Outgoing;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use trace::Nanos;

/// Bytes of a stream, with the stamps of their reads, that are handed over for decoding together.
const HAND_OVER_BYTES: usize = 4 * 1024;
const HAND_OVER_WEIGHT: usize = 16 * 1024;

/// More body than this ends a response: no stream that a benchmark asks for is longer.
const STREAM_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// A body that is not a stream is kept whole until it is decoded.
const WHOLE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// More reads than this, each with its stamp, no whole answer takes that is not sent byte by byte.
const WHOLE_READS_MAX: usize = 1 << 20;

/// How long the end of the body may come after `[DONE]`.
const AFTER_DONE: Nanos = Nanos::from_millis(1000);

/// How long `[DONE]`, and token counts before it, may come after the last finish reason.
const AFTER_FINISH: Nanos = Nanos::from_millis(2000);

/// How often a stream is handed over for decoding though little has come, because only the decoding can say that
/// it is over; twice within a stall, so that every token is known of before its stall has passed.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const LOOK_EVERY_MIN: Duration = Duration::from_millis(10);

/// What is known of a request so far. Dropping it, however that comes about, ends the request:
/// where nothing else was said, as cancelled.
pub(crate) struct Capture<C: Connector> {
    pub(crate) shared: Rc<Shared<C>>,
    ending: Option<Box<Ending>>,
    progress: Arc<Progress>,
    /// How long the body may be, and what a longer one is; known with the head.
    limit: (u64, EndCause),
}

impl<C: Connector> Capture<C> {
    pub(crate) fn begin(shared: Rc<Shared<C>>, outgoing: &mut Outgoing) -> Self {
        let issued = shared.clock.now();
        let keeps = outgoing.listener.is_some();
        let ending = Ending {
            run: outgoing.run,
            id: outgoing.id,
            due: outgoing.due.unwrap_or(issued),
            inputs: outgoing.inputs,
            planned_tokens: outgoing.planned_tokens,
            prompt_text: outgoing.prompt_text,
            max_tokens: outgoing.max_tokens,
            class: outgoing.class,
            turn: outgoing.turn,
            issued,
            reissued: None,
            connected: None,
            sent: None,
            first_byte: None,
            done: moment(issued),
            stream: shared.stream,
            head: None,
            pieces: Pieces::default(),
            body_bytes: 0,
            cause: EndCause::Cancelled,
            listener: outgoing.listener.take(),
        };
        Capture {
            shared,
            ending: Some(Box::new(ending)),
            progress: Arc::new(Progress::keeping(keeps)),
            // The head comes with the first read, which is no longer than that.
            limit: too_long(WHOLE_BYTES_MAX),
        }
    }

    /// It goes out on a connection that is ready already.
    pub(crate) fn note_reused(&mut self) {
        let ending = self.ending();
        ending.connected = Some(ending.issued);
    }

    /// It goes out once more: nothing of it was answered.
    pub(crate) fn note_reissued(&mut self) {
        let now = self.shared.clock.now();
        let ending = self.ending();
        ending.reissued = Some(now);
        ending.connected = None;
    }

    /// Its connection is ready.
    pub(crate) fn note_connected(&mut self) {
        let now = self.shared.clock.now();
        self.ending().connected = Some(now);
    }

    /// When the request was sent off that shall be answered.
    pub(crate) fn began(&self) -> Nanos {
        let ending = self.ending.as_ref().expect("taken only when dropped");
        ending.reissued.unwrap_or(ending.issued)
    }

    /// Keeps the head, once it is whole.
    pub(crate) fn note_head(&mut self, head: &Head) {
        let ending = self.ending();
        if ending.head.is_none() {
            let stream = ending.stream;
            ending.head = Some(head.clone());
            self.limit = limit(head, stream);
        }
    }

    pub(crate) fn has_head(&mut self) -> bool {
        self.ending().head.is_some()
    }

    fn ending(&mut self) -> &mut Ending {
        self.ending.as_mut().expect("taken only when dropped")
    }

    /// Keeps a piece of the body; says so where the rest need not be received.
    pub(crate) fn push(&mut self, bytes: &[u8], stamp: ReadStamp) -> Option<EndCause> {
        let ending = self.ending();
        ending.body_bytes += bytes.len() as u64;
        ending.pieces.push(bytes, stamp);
        let body_bytes = ending.body_bytes;
        let (limit, cause) = &self.limit;
        if body_bytes > *limit {
            return Some(cause.clone());
        }
        let pieces = &self.ending().pieces;
        if pieces.reads() > WHOLE_READS_MAX {
            return Some(EndCause::TooManyReads {
                limit: WHOLE_READS_MAX,
            });
        }
        if pieces.len() >= HAND_OVER_BYTES || pieces.weight() >= HAND_OVER_WEIGHT {
            self.hand_over();
        }
        self.progress.is_worthless().then_some(EndCause::Refused)
    }

    /// Why receiving is over, or when that will have to be seen next.
    pub(crate) fn judge(&mut self) -> Result<Nanos, EndCause> {
        if self.progress.is_worthless() {
            return Err(EndCause::Refused);
        }
        let now = self.shared.clock.now();
        let began = self.began();
        let deadlines = self.shared.deadlines;
        // Nothing more is to come; who waits for the body's end holds up the next request.
        let over = match (self.progress.done(), self.progress.finished()) {
            (Some(done), _) => Some(done + AFTER_DONE),
            (None, Some(finished)) => {
                let stall = finished + span(deadlines.stall).min(AFTER_FINISH);
                Some(stall.min(began + span(deadlines.total)))
            }
            (None, None) => None,
        };
        match over {
            Some(over) if now >= over => Err(EndCause::LeftOpen),
            Some(over) => Ok(over),
            None => deadlines
                .judge(self.shared.stream, began, self.progress.last_token(), now)
                .map_err(EndCause::Timeout),
        }
    }

    /// When to look next, by what the decoding knows now.
    pub(crate) fn look_again_by(&self, next: Nanos) -> Nanos {
        if !self.shared.stream {
            return next;
        }
        let stall = self.shared.deadlines.stall / 2;
        let every = stall.clamp(LOOK_EVERY_MIN, LOOK_EVERY);
        next.min(self.shared.clock.now() + span(every))
    }

    /// Bytes that came, where they are decoded while the request goes on.
    pub(crate) fn bytes_to_decode(&mut self) -> u64 {
        if self.is_decoded_as_it_comes() {
            self.ending().body_bytes
        } else {
            0
        }
    }

    /// Bytes of them that the decoding has come to.
    pub(crate) fn decoded_bytes(&self) -> u64 {
        self.progress.decoded_bytes()
    }

    fn is_decoded_as_it_comes(&mut self) -> bool {
        let ending = self.ending();
        ending.stream && ending.head.as_ref().is_some_and(Head::is_success)
    }

    /// Gives what was received so far to the decoding, where it can be decoded as it comes.
    pub(crate) fn hand_over(&mut self) {
        if !self.is_decoded_as_it_comes() || self.ending().pieces.len() == 0 {
            return;
        }
        let progress = Arc::clone(&self.progress);
        let ending = self.ending();
        let packet = Packet::Body {
            id: ending.id,
            pieces: std::mem::take(&mut ending.pieces),
            progress,
        };
        self.shared.outbox.push(packet);
    }

    /// Notes how it ended, with what the connection's stamps say.
    pub(crate) fn end(&mut self, channel: Option<&Channel<C>>, cause: EndCause) {
        let now = moment(self.shared.clock.now());
        let ending = self.ending();
        let stamps = channel.map(Channel::stamps);
        ending.done = match (stamps, &cause) {
            (Some(stamps), EndCause::Whole) => stamps.latest_read().unwrap_or(now),
            (Some(stamps), EndCause::Broken(_) | EndCause::ClosedBeforeAnswer(_)) => {
                stamps.ended().unwrap_or(now)
            }
            _ => now,
        };
        if let Some(channel) = channel {
            ending.sent = channel.stamps().wrote();
            ending.first_byte = channel.first_byte().map(|stamp| stamp.arrived);
        }
        ending.cause = cause;
    }
}

impl<C: Connector> Drop for Capture<C> {
    fn drop(&mut self) {
        let Some(mut ending) = self.ending.take() else {
            return;
        };
        if ending.cause == EndCause::Cancelled {
            ending.done = moment(self.shared.clock.now());
        }
        self.shared.outbox.push(Packet::End(ending));
    }
}

fn moment(at: Nanos) -> ReadStamp {
    ReadStamp {
        arrived: at,
        read: at,
        index: 0,
    }
}

/// How long a body may be, and what a longer one is.
fn limit(head: &Head, stream: bool) -> (u64, EndCause) {
    match (head.is_success(), stream) {
        (true, true) => too_long(STREAM_BYTES_MAX),
        (true, false) => too_long(WHOLE_BYTES_MAX),
        (false, _) => (EXCERPT_BYTES_MAX as u64, EndCause::Refused),
    }
}

fn too_long(limit: u64) -> (u64, EndCause) {
    (limit, EndCause::TooLong { limit })
}
