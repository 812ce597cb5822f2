//! One request from its release to its end: stamps are taken here, nothing is parsed.

use crate::capture::Capture;
use crate::channel::{Channel, ChannelError};
use crate::connector::Connector;
use crate::packet::EndCause;
use crate::shared::Shared;
use crate::template::Outgoing;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use tokio::time::{Instant, Sleep, timeout};
use trace::{Nanos, TimeoutKind};

/// A reused connection that ends later than this after the sending, beside the time that it took to be opened,
/// was not closed while it was idle: the server had the request.
const CLOSED_WHILE_IDLE: Nanos = Nanos::from_millis(10);

/// How long the decoding may take to say whether a token came before a deadline, and how often it is asked.
const DECODING_GRACE: Nanos = Nanos::from_millis(2000);
const DECODING_ASKED_EVERY: Nanos = Nanos::from_millis(5);

/// Sends one request, on an idle connection where there is one, and receives all of its response.
/// The connection is kept for the next request if it can serve one.
///
/// An idle connection may have been closed while the request was on its way. The server has not seen
/// the request then, and it is sent once more, on a new one. No answer is ever asked for again.
pub(crate) async fn exchange<C: Connector>(shared: Rc<Shared<C>>, mut outgoing: Outgoing) {
    let idle = shared.pool.take(shared.clock.now());
    let mut capture = Capture::begin(Rc::clone(&shared), &mut outgoing);
    if let Some((mut channel, since)) = idle {
        capture.note_reused();
        let cause = transfer(&mut channel, &outgoing.bytes, &mut capture).await;
        if !was_closed_while_idle(&channel, &cause, &capture) {
            if channel.has_served() && channel.first_byte().is_some() {
                shared.pool.note_served_again();
            }
            return finish(capture, channel, cause);
        }
        shared.pool.note_closed(&channel, since, capture.began());
        capture.note_reissued();
    }
    match connect(&shared).await {
        Ok(mut channel) => {
            capture.note_connected();
            let cause = transfer(&mut channel, &outgoing.bytes, &mut capture).await;
            finish(capture, channel, cause);
        }
        Err(cause) => capture.end(None, cause),
    }
}

/// Whether the server had closed the connection before the request reached it: the end of it came within the
/// time of a way there and back, which is what opening it took.
fn was_closed_while_idle<C: Connector>(
    channel: &Channel<C>,
    cause: &EndCause,
    capture: &Capture<C>,
) -> bool {
    let stamps = channel.stamps();
    let sent = stamps.wrote().unwrap_or(capture.began());
    let ended = stamps.ended().map(|stamp| stamp.arrived);
    let ended = ended.unwrap_or_else(|| capture.shared.clock.now());
    matches!(cause, EndCause::ClosedBeforeAnswer(_))
        && channel.has_served()
        && ended - sent <= channel.took_to_open() + CLOSED_WHILE_IDLE
}

/// Ends the request, and keeps its connection if that can serve another one.
fn finish<C: Connector>(mut capture: Capture<C>, mut channel: Channel<C>, cause: EndCause) {
    let reusable = cause == EndCause::Whole && channel.finish();
    capture.end(Some(&channel), cause);
    let shared = Rc::clone(&capture.shared);
    drop(capture);
    if reusable {
        shared.pool.give_back(channel, shared.clock.now());
    }
}

/// Opens a connection that takes a request.
pub(crate) async fn connect<C: Connector>(shared: &Shared<C>) -> Result<Channel<C>, EndCause> {
    let begun = shared.clock.now();
    let opened = timeout(shared.deadlines.connect, Channel::open(&shared.connector)).await;
    shared.note_connecting(matches!(opened, Ok(Ok(_))));
    match opened {
        Ok(Ok(channel)) => Ok(channel.opened_within(shared.clock.now() - begun)),
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
        Err(cause) => return cause,
        Ok(outcome) => outcome.err(),
    };
    let received = receive(channel, capture, watch).await;
    match refused {
        Some(error) if !capture.has_head() => broken(channel, error),
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
                }
                Poll::Ready(Err(error)) => return Poll::Ready(broken(channel, error)),
                // It was bytes that woke the task: the timer knows the task from before.
                Poll::Pending if advanced && watched && !watch.timer.is_elapsed() => {
                    return Poll::Pending;
                }
                Poll::Pending => {
                    watched = true;
                    return watch.as_mut().poll(cx, capture);
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
        // So many bytes are to be decoded before a deadline counts as passed, and until when that may take.
        undecided: Option<(u64, Nanos)>,
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
            undecided: None,
        }
    }

    /// Ready with why receiving is over.
    fn poll<C: Connector>(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        capture: &mut Capture<C>,
    ) -> Poll<EndCause> {
        let mut me = self.project();
        loop {
            ready!(me.timer.as_mut().poll(cx));
            capture.hand_over();
            // What is judged next is what the decoding knows.
            capture.shared.outbox.flush();
            let next = match capture.judge() {
                Ok(next) => {
                    *me.undecided = None;
                    capture.look_again_by(next)
                }
                Err(cause) => match ask_again(&cause, capture, me.undecided) {
                    Some(next) => next,
                    None => return Poll::Ready(cause),
                },
            };
            let wait = capture.shared.span_until(next);
            me.timer.as_mut().reset(Instant::now() + wait);
        }
    }
}

/// When to judge a deadline again, where the token that it waits for may be in bytes that the decoding has not
/// come to yet.
fn ask_again<C: Connector>(
    cause: &EndCause,
    capture: &mut Capture<C>,
    undecided: &mut Option<(u64, Nanos)>,
) -> Option<Nanos> {
    if !matches!(
        cause,
        EndCause::Timeout(TimeoutKind::FirstToken | TimeoutKind::Stall)
    ) {
        return None;
    }
    let now = capture.shared.clock.now();
    let (bytes, until) =
        *undecided.get_or_insert((capture.bytes_to_decode(), now + DECODING_GRACE));
    if capture.decoded_bytes() >= bytes || now >= until {
        return None;
    }
    Some(now + DECODING_ASKED_EVERY)
}

fn broken<C: Connector>(channel: &Channel<C>, error: ChannelError) -> EndCause {
    match error {
        ChannelError::Malformed(why) => EndCause::Malformed(why),
        ChannelError::Closed(why) if channel.first_byte().is_none() => {
            EndCause::ClosedBeforeAnswer(why)
        }
        ChannelError::Closed(why) => EndCause::Broken(why),
    }
}
