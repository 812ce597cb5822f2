//! One request from its release to its end: stamps are taken here, nothing is parsed.

use crate::channel::{Channel, ChannelError};
use crate::client::Shared;
use crate::connector::Connector;
use crate::deadline::span;
use crate::head::Head;
use crate::packet::{EndCause, Ending, Packet, Pieces, Progress};
use crate::stamps::{ReadStamp, Stamps};
use crate::template::Outgoing;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::time::{Instant, Sleep, timeout};
use trace::{Nanos, TimeoutKind};

/// Bytes of a stream that are handed over for decoding together.
const HAND_OVER_BYTES: usize = 4 * 1024;

/// More body than this ends a response: no stream that a benchmark asks for is longer.
const STREAM_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// A body that is not a stream is kept whole until it is decoded.
const WHOLE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Of an error or of something else than was asked for, this much tells enough.
const EXCERPT_BYTES_MAX: u64 = 64 * 1024;

/// How long the end of the body may come after `[DONE]`.
const AFTER_DONE: Nanos = Nanos::from_millis(1000);

/// How long the decoding may take to say whether a token came before a deadline.
const DECODING_GRACE: Nanos = Nanos::from_millis(2000);

/// What is known of a request so far. Dropping it, however that comes about, ends the request:
/// where nothing else was said, as cancelled.
struct Capture<C: Connector> {
    shared: Rc<Shared<C>>,
    ending: Option<Box<Ending>>,
    progress: Arc<Progress>,
    /// When `[DONE]` came.
    done: Option<Nanos>,
    /// How long the body may be, and what a longer one is; known with the head.
    limit: (u64, EndCause),
}

impl<C: Connector> Capture<C> {
    fn begin(shared: Rc<Shared<C>>, outgoing: &mut Outgoing) -> Self {
        let issued = shared.clock.now();
        let nothing = ReadStamp {
            arrived: issued,
            read: issued,
            index: 0,
        };
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
            connected: None,
            sent: None,
            first_byte: None,
            done: nothing,
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
            done: None,
            // The head comes with the first read, which is no longer than that.
            limit: too_long(WHOLE_BYTES_MAX),
        }
    }

    /// Keeps the head, once it is whole.
    fn note_head(&mut self, head: &Head) {
        let ending = self.ending();
        if ending.head.is_none() {
            let stream = ending.stream;
            ending.head = Some(head.clone());
            self.limit = limit(head, stream);
        }
    }

    fn ending(&mut self) -> &mut Ending {
        self.ending.as_mut().expect("taken only when dropped")
    }

    /// Keeps a piece of the body; says so where the rest need not be received.
    fn push(&mut self, bytes: &[u8], stamp: ReadStamp) -> Option<EndCause> {
        let ending = self.ending();
        ending.body_bytes += bytes.len() as u64;
        ending.pieces.push(bytes, stamp);
        let (body_bytes, stream) = (ending.body_bytes, ending.stream);
        let (limit, cause) = &self.limit;
        if body_bytes > *limit {
            return Some(cause.clone());
        }
        if stream && bytes.trim_ascii_end().ends_with(b"[DONE]") {
            self.done = Some(stamp.read);
        }
        let ending = self.ending();
        if ending.pieces.len() >= HAND_OVER_BYTES {
            self.hand_over();
        }
        self.progress.is_worthless().then_some(EndCause::Refused)
    }

    /// Which deadline has passed, or when the next one will.
    fn judge(&mut self) -> Result<Nanos, TimeoutKind> {
        let now = self.shared.clock.now();
        if let Some(done) = self.done {
            // Nothing more is to come; who waits for the body's end holds up the next request.
            let end = done + AFTER_DONE;
            return if now >= end {
                Err(TimeoutKind::Total)
            } else {
                Ok(end)
            };
        }
        let last_token = self.progress.last_token();
        let deadlines = self.shared.deadlines;
        let ending = self.ending();
        deadlines.judge(ending.stream, ending.issued, last_token, now)
    }

    /// When to look at the deadlines again: by the next of them, and before a stall that a token
    /// which comes meanwhile would begin.
    fn look_again_by(&self, next: Nanos) -> Nanos {
        if !self.shared.stream {
            return next;
        }
        next.min(self.shared.clock.now() + span(self.shared.deadlines.stall))
    }

    /// Gives everything to the decoding at once; whether a token may be among it that the decoding
    /// has not come to yet.
    fn hand_over_now(&mut self) -> bool {
        self.hand_over();
        self.shared.outbox.flush();
        !self.shared.clock.is_virtual() && self.ending().body_bytes > 0
    }

    /// Gives what was received so far to the decoding, where it can be decoded as it comes.
    fn hand_over(&mut self) {
        let progress = Arc::clone(&self.progress);
        let ending = self.ending();
        if !ending.stream || !ending.head.as_ref().is_some_and(Head::is_event_stream) {
            return;
        }
        let packet = Packet::Body {
            id: ending.id,
            pieces: std::mem::take(&mut ending.pieces),
            progress,
        };
        self.shared.outbox.push(packet);
    }

    /// Notes how it ended, with what the byte stream's stamps say.
    fn end(&mut self, stamps: Option<&Stamps>, cause: EndCause) {
        let now = self.shared.clock.now();
        let ending = self.ending();
        let moment = ReadStamp {
            arrived: now,
            read: now,
            index: 0,
        };
        ending.done = match (stamps, &cause) {
            (Some(stamps), EndCause::Whole) => stamps.latest_read().unwrap_or(moment),
            (Some(stamps), EndCause::Broken(_)) => stamps.ended().unwrap_or(moment),
            _ => moment,
        };
        if let Some(stamps) = stamps {
            ending.sent = stamps.wrote();
            ending.first_byte = stamps.first_read().map(|stamp| stamp.arrived);
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
            let now = self.shared.clock.now();
            ending.done = ReadStamp {
                arrived: now,
                read: now,
                index: 0,
            };
        }
        self.shared.outbox.push(Packet::End(ending));
    }
}

/// Sends one request, on an idle connection where there is one, and receives all of its response.
/// The connection is kept for the next request if it can serve one.
pub(crate) async fn exchange<C: Connector>(shared: Rc<Shared<C>>, mut outgoing: Outgoing) {
    let idle = shared.take_idle();
    let mut capture = Capture::begin(Rc::clone(&shared), &mut outgoing);
    let mut channel = match idle {
        Some(channel) => {
            let ending = capture.ending();
            ending.connected = Some(ending.issued);
            channel
        }
        None => match connect(&shared).await {
            Ok(channel) => {
                capture.ending().connected = Some(shared.clock.now());
                channel
            }
            Err(cause) => return capture.end(None, cause),
        },
    };
    let cause = transfer(&mut channel, &outgoing.bytes, &mut capture).await;
    let reusable = cause == EndCause::Whole && channel.finish();
    capture.end(Some(channel.stamps()), cause);
    drop(capture);
    if reusable {
        shared.give_back(channel);
    }
}

/// Opens a connection that takes a request.
pub(crate) async fn connect<C: Connector>(shared: &Shared<C>) -> Result<Channel<C>, EndCause> {
    let opened = timeout(shared.deadlines.connect, Channel::open(&shared.connector)).await;
    shared.note_connecting(matches!(opened, Ok(Ok(_))));
    match opened {
        Ok(Ok(channel)) => Ok(channel),
        Ok(Err(why)) => Err(EndCause::ConnectFailed(why)),
        Err(_) => Err(EndCause::Timeout(TimeoutKind::Connect)),
    }
}

/// Request out, response in.
async fn transfer<C: Connector>(
    channel: &mut Channel<C>,
    request: &[u8],
    capture: &mut Capture<C>,
) -> EndCause {
    let mut watch = pin!(Watch::new(capture));
    let sent = {
        let mut send = pin!(channel.send(request));
        std::future::poll_fn(|cx| match send.as_mut().poll(cx) {
            Poll::Ready(outcome) => Poll::Ready(Ok(outcome)),
            Poll::Pending => watch.as_mut().poll(cx, capture).map(Err),
        })
        .await
    };
    // A server that stopped reading may have said why.
    let refused = match sent {
        Err(kind) => return EndCause::Timeout(kind),
        Ok(outcome) => outcome.err(),
    };
    let received = receive(channel, capture, watch).await;
    match refused {
        Some(error) if capture.ending().head.is_none() => broken(channel, error),
        _ => received,
    }
}

async fn receive<C: Connector>(
    channel: &mut Channel<C>,
    capture: &mut Capture<C>,
    mut watch: Pin<&mut Watch>,
) -> EndCause {
    let mut watched = false;
    std::future::poll_fn(|cx| {
        let mut advanced = false;
        loop {
            let mut over = None;
            let received = channel.poll_receive(cx, &mut |bytes, stamp| {
                over = over.take().or_else(|| capture.push(bytes, stamp));
            });
            if let Some(head) = channel.head() {
                capture.note_head(head);
            }
            match received {
                Poll::Ready(Ok(true)) => return Poll::Ready(over.unwrap_or(EndCause::Whole)),
                Poll::Ready(Ok(false)) => {
                    if let Some(cause) = over {
                        return Poll::Ready(cause);
                    }
                    advanced = true;
                    if capture.done.is_some() {
                        watch.as_mut().set(Watch::new(capture));
                        watched = false;
                    }
                }
                Poll::Ready(Err(error)) => return Poll::Ready(broken(channel, error)),
                // It was bytes that woke the task: the timer knows the task from before.
                Poll::Pending if advanced && watched && !watch.timer.is_elapsed() => {
                    return Poll::Pending;
                }
                Poll::Pending => {
                    watched = true;
                    return watch.as_mut().poll(cx, capture).map(EndCause::Timeout);
                }
            }
        }
    })
    .await
}

pin_project_lite::pin_project! {
    /// Watches the deadlines of one request with one timer, set to the earliest and looked at only
    /// when it fires: setting a timer anew for every event would cost more than the event.
    struct Watch {
        #[pin]
        timer: Sleep,
        grace_given: bool,
    }
}

impl Watch {
    fn new<C: Connector>(capture: &mut Capture<C>) -> Self {
        let first = capture
            .judge()
            .unwrap_or_else(|_| capture.shared.clock.now());
        let first = capture.look_again_by(first);
        Watch {
            timer: tokio::time::sleep(capture.shared.span_until(first)),
            grace_given: false,
        }
    }

    /// Ready with the deadline that passed.
    fn poll<C: Connector>(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        capture: &mut Capture<C>,
    ) -> Poll<TimeoutKind> {
        let mut me = self.project();
        loop {
            ready!(me.timer.as_mut().poll(cx));
            // There may be a token in bytes that the decoding has not seen yet.
            let undecided = capture.hand_over_now();
            let next = match capture.judge() {
                Ok(next) => {
                    *me.grace_given = false;
                    capture.look_again_by(next)
                }
                Err(TimeoutKind::FirstToken | TimeoutKind::Stall)
                    if undecided && !*me.grace_given =>
                {
                    *me.grace_given = true;
                    capture.shared.clock.now() + DECODING_GRACE
                }
                Err(kind) => return Poll::Ready(kind),
            };
            let wait = capture.shared.span_until(next);
            me.timer.as_mut().reset(Instant::now() + wait);
        }
    }
}

/// How long a body may be, and what a longer one is.
fn limit(head: &Head, stream: bool) -> (u64, EndCause) {
    match stream {
        true if head.is_event_stream() => too_long(STREAM_BYTES_MAX),
        false if head.is_success() => too_long(WHOLE_BYTES_MAX),
        _ => (EXCERPT_BYTES_MAX, EndCause::Refused),
    }
}

fn too_long(limit: u64) -> (u64, EndCause) {
    (limit, EndCause::TooLong { limit })
}

fn broken<C: Connector>(channel: &Channel<C>, error: ChannelError) -> EndCause {
    match error {
        ChannelError::Malformed(why) => EndCause::Malformed(why),
        ChannelError::Closed(_)
            if channel.has_served() && channel.stamps().first_read().is_none() =>
        {
            EndCause::Stale
        }
        ChannelError::Closed(why) => EndCause::Broken(why),
    }
}
