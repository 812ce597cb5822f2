//! A client of one server: its idle connections, and the one run loop of every load shape.

use crate::ahead::{Ahead, PromptMaker, planned_requests, prepare};
use crate::connector::Connector;
use crate::deadline::Deadlines;
use crate::exchange::{self, exchange};
use crate::gate::Gate;
use crate::headers::request_head;
use crate::heard::{Heard, HeardAnswer};
use crate::in_flight::InFlight;
use crate::outbox::{DecodingThread, Outbox};
use crate::pool::Pool;
use crate::session::{Conversation, Turns};
use crate::shared::Shared;
use crate::speaker::Speaker;
use crate::template::{Outgoing, Reading, Template};
use crate::{Clock, LoadError};
use http::{HeaderMap, Uri};
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use trace::{Nanos, Pacing, Plan, PlannedRequest, Record, RunId, StampSource, Stop};

/// Connections that are opened at once before a run: a burst of a thousand would overflow the
/// listen queue of many a server.
const OPENING_AT_ONCE: usize = 64;

/// How often packets that wait for company are handed over all the same.
const HAND_OVER_EVERY: Duration = Duration::from_millis(20);

/// Everything that stays the same over the runs of one invocation.
pub struct ClientOptions {
    /// The path of the endpoint, with the base URL's.
    pub path: String,
    /// Headers of every request, checked; keys among them are marked sensitive.
    pub headers: HeaderMap,
    /// Renders the body of each request.
    pub template: Template,
    /// Makes the prompts that plans only name; without it they must hold them.
    pub prompts: Option<PromptMaker>,
    /// Of so many requests of each measured run the answer's text is kept, where they ask for one choice and
    /// stand alone: see [`RunSpan::answers`].
    pub answers_kept: u32,
    /// Tells the requests of this invocation from those of others: see [`trace::request_id`].
    pub invocation: u64,
    /// How long each part of a request may take.
    pub deadlines: Deadlines,
    /// The source of every stamp.
    pub clock: Clock,
    /// Whether a connection serves one request after the other, where the server lets it.
    pub keep_alive: bool,
}

/// Sends the requests of plans to one server, and turns what comes back into records.
pub struct Client<C: Connector> {
    shared: Rc<Shared<C>>,
    speaker: Arc<Speaker>,
    answers_kept: u32,
    _decoding: DecodingThread,
}

/// When a run began and ended, and how much of it there was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunSpan {
    /// The release of the first request.
    pub start: Nanos,
    /// The end of the last one.
    pub end: Nanos,
    /// Requests that were to be released.
    pub planned: u64,
    /// Turns of conversations that were never sent, because the turn before had no whole answer.
    pub turns_cut: u64,
    /// From here on record ids are free.
    pub next_id: u64,
    /// It was stopped before it was over.
    pub interrupted: bool,
    /// The server took no connections any more, and a closed loop, which would only have knocked
    /// ever faster, was ended.
    pub lost: bool,
    /// The server was seen closing connections right after an answer, and none is used again since.
    pub reuse_ended: bool,
    /// What the first answers said, as far as it can be counted again.
    pub answers: Vec<HeardAnswer>,
    /// How late the pacer gave each word of an open loop, in nanoseconds, in no order.
    pub pacer_late: Vec<u64>,
}

impl<C: Connector> Drop for Client<C> {
    /// The decoding thread is joined next, and ends only when nobody can send to it any more.
    fn drop(&mut self) {
        self.shared.outbox.close();
    }
}

impl<C: Connector + 'static> Client<C> {
    /// Prepares a client. `on_record` is called with every record, on a thread of its own unless
    /// the clock is virtual.
    ///
    /// # Errors
    /// The path or the host cannot be sent, or the decoding thread cannot be started.
    pub fn new(
        connector: C,
        options: ClientOptions,
        on_record: Box<dyn FnMut(Record) + Send>,
    ) -> Result<Self, LoadError> {
        let uri = options.path.parse::<Uri>();
        let uri = uri.map_err(|_| LoadError::BadUrl {
            url: options.path.clone(),
            why: "its path cannot be sent",
        })?;
        let mut head = request_head("POST", uri.path(), &options.headers);
        if !options.keep_alive {
            head.extend_from_slice(b"connection: close\r\n");
        }
        let reading = options.template.reading();
        let (outbox, decoding) = Outbox::open(options.clock, reading, on_record)?;
        let shared = Shared {
            connector,
            clock: options.clock,
            stream: options.template.stream(),
            deadlines: options.deadlines,
            outbox,
            pool: Pool::new(options.keep_alive),
            refused_in_a_row: Cell::new(0),
        };
        Ok(Client {
            shared: Rc::new(shared),
            speaker: Arc::new(Speaker {
                head,
                invocation: options.invocation,
                template: options.template,
                prompts: options.prompts,
            }),
            answers_kept: match reading {
                Reading::Generation { choices: 1 } => options.answers_kept,
                _ => 0,
            },
            _decoding: decoding,
        })
    }

    /// Who takes the arrival stamps.
    pub fn stamp_source(&self) -> StampSource {
        self.shared.connector.stamp_source()
    }

    /// Opens connections until `count` are idle, so that a run does not measure their set-up.
    /// Stops early where the server accepts no more: requests then connect for themselves, and
    /// their records say how that went. Must be called within a [`tokio::task::LocalSet`].
    ///
    /// # Errors
    /// Not even one connection could be opened; the words are the system's.
    pub async fn prepare(&self, count: usize) -> Result<(), String> {
        let reuses = self.shared.pool.reuses();
        // Where none is kept, one is opened all the same, to see that there is a server.
        let missing = if reuses {
            count.saturating_sub(self.shared.pool.count())
        } else {
            1
        };
        let mut opening = JoinSet::new();
        let mut refused = None;
        let mut left = missing;
        loop {
            while left > 0 && opening.len() < OPENING_AT_ONCE {
                let shared = Rc::clone(&self.shared);
                opening.spawn_local(async move { exchange::connect(&shared).await });
                left -= 1;
            }
            match opening.join_next().await {
                Some(Ok(Ok(channel))) if reuses => {
                    let now = self.shared.clock.now();
                    self.shared.pool.give_back(channel, now);
                }
                Some(Ok(Err(cause))) => {
                    refused.get_or_insert(cause);
                    left = 0;
                }
                Some(Ok(Ok(_)) | Err(_)) => {}
                None => break,
            }
        }
        match refused {
            Some(cause) if self.shared.pool.count() == 0 => Err(cause.words()),
            _ => Ok(()),
        }
    }

    /// Runs a plan to its end, or until `stop` says so: then nothing more is released, and what is
    /// in flight is cancelled. Must be called within a [`tokio::task::LocalSet`].
    ///
    /// `first_id` is the record id of the plan's first request.
    ///
    /// # Errors
    /// The pacing thread, or the one that makes prompts, cannot be started; a prompt cannot be made.
    pub async fn run(
        &self,
        plan: &Plan,
        run: RunId,
        first_id: u64,
        mut stop: watch::Receiver<bool>,
    ) -> Result<RunSpan, LoadError> {
        let clock = self.shared.clock;
        let mut ahead = Ahead::start(
            clock,
            plan,
            &self.speaker.template,
            self.speaker.prompts.as_ref(),
        )?;
        ahead.take_lead().await;
        let hand_over = self.hand_over_regularly();
        let start = clock.now();
        let mut gate = Gate::open(clock, start, plan)?;
        let mut in_flight = InFlight::default();
        let turns = Rc::new(Turns::default());
        let mut heard = Heard::of(run, self.answers_kept);
        let deadline = plan.stop.deadline().map(|after| start + after);
        let mut released = 0_u64;
        let mut ids = first_id..;
        let mut interrupted = false;
        let mut lost = false;
        let mut unmade = None;
        self.shared.refused_in_a_row.set(0);
        for planned in planned_requests(plan) {
            let prepared = match ahead.next(planned).await {
                Ok(prepared) => prepared,
                Err(why) => {
                    unmade = Some(why);
                    break;
                }
            };
            let id = ids.start;
            let bytes = self.speaker.with_head(&prepared.body, id);
            let admitted = tokio::select! {
                biased;
                () = stopped(&mut stop) => { interrupted = true; false }
                admitted = gate.admit(planned, &mut in_flight) => admitted,
            };
            lost = refused_limit(plan.pacing)
                .is_some_and(|limit| self.shared.refused_in_a_row.get() >= limit);
            if !admitted || lost {
                break;
            }
            let outgoing = Outgoing {
                bytes,
                run,
                id,
                due: gate.due(planned),
                inputs: prepared.inputs,
                planned_tokens: planned.input_tokens,
                prompt_text: Some(prepared.text),
                max_tokens: self.speaker.template.limit(planned, planned.max_tokens),
                class: planned.class,
                turn: None,
                listener: heard.listener(planned),
            };
            let shared = Rc::clone(&self.shared);
            if planned.turns.is_empty() {
                in_flight.spawn(exchange(shared, outgoing));
            } else {
                let conversation = Conversation {
                    shared,
                    speaker: Arc::clone(&self.speaker),
                    turns: Rc::clone(&turns),
                    planned: planned.clone(),
                    messages: prepared.messages,
                    deadline,
                };
                in_flight.spawn(conversation.hold(outgoing));
            }
            released += 1;
            ids.start += planned.exchanges();
        }
        if !interrupted {
            tokio::select! {
                biased;
                () = stopped(&mut stop) => interrupted = true,
                () = in_flight.until_fewer_than(1) => {}
            }
        }
        in_flight.cancel().await;
        let end = clock.now();
        hand_over.abort();
        self.shared.outbox.settle();
        if let Some(why) = unmade.or_else(|| turns.unmade.take()) {
            return Err(why);
        }
        Ok(RunSpan {
            start,
            end,
            planned: planned(plan, released, &turns),
            turns_cut: turns.cut.get(),
            next_id: ids.start.max(first_id + plan.exchanges()),
            interrupted,
            lost,
            reuse_ended: self.reuse_ended(),
            answers: heard.finish(),
            pacer_late: gate.close(),
        })
    }

    /// Sends one request that stands alone, now, and returns when its answer is over. There is nothing around it: no pacing,
    /// and no waiting for the decoding, as after every [`run`](Self::run). For whom compares microseconds of single
    /// requests, because a thread that works between two of them keeps a processor awake, and the next request does not
    /// find what it would find otherwise. Records come later, at [`settle`](Self::settle) at the latest. Dropping what this
    /// returns cancels the request.
    ///
    /// # Errors
    /// The prompt cannot be made.
    pub async fn ask(
        &self,
        planned: &PlannedRequest,
        run: RunId,
        id: u64,
    ) -> Result<(), LoadError> {
        let Speaker {
            template, prompts, ..
        } = &*self.speaker;
        let prepared = prepare(template, prompts.as_ref(), planned);
        let prepared = prepared.map_err(|why| LoadError::Prompt {
            id: planned.id,
            why,
        })?;
        let outgoing = Outgoing {
            bytes: self.speaker.with_head(&prepared.body, id),
            run,
            id,
            due: None,
            inputs: prepared.inputs,
            planned_tokens: planned.input_tokens,
            prompt_text: Some(prepared.text),
            max_tokens: template.limit(planned, planned.max_tokens),
            class: planned.class,
            turn: None,
            listener: None,
        };
        exchange(Rc::clone(&self.shared), outgoing).await;
        Ok(())
    }

    /// Waits until every record of what has been asked is there.
    pub fn settle(&self) {
        self.shared.outbox.settle();
    }

    /// Whether the server was seen closing connections right after an answer, and none is used again since.
    pub fn reuse_ended(&self) -> bool {
        self.shared.pool.is_given_up()
    }

    /// When a request would be issued that is asked now.
    pub fn now(&self) -> Nanos {
        self.shared.clock.now()
    }

    fn hand_over_regularly(&self) -> tokio::task::AbortHandle {
        // Weak, so that the outbox ends with the client and not with this task.
        let shared = Rc::downgrade(&self.shared);
        let task = tokio::task::spawn_local(async move {
            while let Some(shared) = shared.upgrade() {
                shared.outbox.flush();
                drop(shared);
                tokio::time::sleep(HAND_OVER_EVERY).await;
            }
        });
        task.abort_handle()
    }
}

/// Requests that were to be sent, of a run that released so many by itself.
fn planned(plan: &Plan, released: u64, turns: &Turns) -> u64 {
    match plan.stop {
        Stop::AllRequests => plan.exchanges() - turns.unwanted.get(),
        _ => released + turns.sent.get() + turns.cut.get(),
    }
}

/// So many connections that fail one after the other end a closed loop: each slot had several.
/// Bursts and open loops knock no faster than planned.
fn refused_limit(pacing: Pacing) -> Option<u64> {
    match pacing {
        Pacing::Closed { concurrency } => Some(16.max(4 * u64::from(concurrency))),
        Pacing::Burst { .. } | Pacing::Open { .. } => None,
    }
}

/// Comes when the user wants to stop; never, where nobody can say so any more.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}
