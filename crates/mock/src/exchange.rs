//! One request being answered.

use crate::answer::{Account, Answer};
use crate::clock;

use crate::script::{End, Script};
use crate::stamps::Arrival;
use crate::stats::{Lateness, MockStats};
use crate::truth::TruthRecord;
use http1::Share;
use std::io::{ErrorKind, Write as _};
use std::net::TcpStream;

/// Content events whose stamps get room beforehand; a longer stream makes more as it goes.
const STAMPS_AHEAD: usize = 256;

/// One request being answered.
pub(crate) struct Exchange {
    script: Script,
    /// The write that is next, and how much of it the socket has taken.
    index: u64,
    offset: usize,
    /// Deadlines count from here; none while it waits for its turn.
    start: Option<u64>,
    served: bool,
    stream: bool,
    account: Account,
    /// Its last write was done.
    played: bool,
    /// What the truth log will say, where there is one.
    truth: Option<TruthRecord>,
    /// Of what all connections may hold: the script's.
    _share: Share,
}

/// What an exchange waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// This point in time.
    Until(u64),
    /// Room in the socket.
    Blocked,
    /// Nothing: the script was played.
    Played(End),
    /// Nothing: the client is gone.
    Gone,
}

/// What a turn of writing may use up, and what it adds to.
pub(crate) struct Turn<'a> {
    /// Writes left.
    pub(crate) writes: u32,
    pub(crate) stats: &'a mut MockStats,
    pub(crate) lateness: &'a mut Lateness,
}

impl Exchange {
    /// `request_id` is given where there is a truth log for it; `share` is that of the script.
    pub(crate) fn new(
        answer: Answer,
        arrival: Arrival,
        request_id: Option<String>,
        share: Share,
    ) -> Self {
        let truth = request_id.map(|request_id| TruthRecord {
            request_id,
            received: arrival.kernel,
            received_user: arrival.user,
            stream: answer.stream,
            role_written: None,
            writes: Vec::with_capacity(if answer.stream { STAMPS_AHEAD } else { 0 }),
            done: 0,
        });
        Self {
            script: answer.script,
            index: 0,
            offset: 0,
            start: None,
            served: answer.served,
            stream: answer.stream,
            account: answer.account,
            played: false,
            truth,
            _share: share,
        }
    }

    /// Service begins: deadlines count from `at`.
    pub(crate) fn start(&mut self, at: u64) {
        self.start = Some(at);
    }

    pub(crate) fn is_started(&self) -> bool {
        self.start.is_some()
    }

    /// Whether it is one of a model's work.
    pub(crate) fn is_served(&self) -> bool {
        self.served
    }

    /// The client was sent nothing, and will be sent something.
    pub(crate) fn is_before_first_write(&self) -> bool {
        (self.index, self.offset) == (0, 0) && self.script.step(0).is_some()
    }

    /// Nothing more will be written, whatever the client waits for.
    pub(crate) fn hangs(&self) -> bool {
        self.script.end == End::Hang && self.script.step(self.index).is_none()
    }

    pub(crate) fn account(&self) -> Account {
        self.account
    }

    pub(crate) fn is_played(&self) -> bool {
        self.played
    }

    pub(crate) fn is_stream(&self) -> bool {
        self.stream
    }

    /// Writes what is due (after the start only), until nothing is, or the turn's writes are used
    /// up.
    pub(crate) fn advance(&mut self, mut socket: &TcpStream, turn: &mut Turn<'_>) -> Progress {
        let start = self
            .start
            .expect("an exchange that waits for its turn has no deadline");
        loop {
            let Some(step) = self.script.step(self.index) else {
                self.played = true;
                return Progress::Played(self.script.end);
            };
            let due = start.saturating_add(step.at);
            let now = clock::monotonic();
            if due > now || turn.writes == 0 {
                return Progress::Until(due.max(now));
            }
            turn.writes -= 1;
            match socket.write(&step.bytes[self.offset..]) {
                Ok(written) if self.offset + written == step.bytes.len() => {
                    turn.stats.sent_bytes += written as u64;
                    if step.at > 0 {
                        turn.lateness.record(now - due);
                    }
                    turn.stats.events += u64::from(step.marks.events);
                    turn.stats.tokens += u64::from(step.marks.tokens);
                    if let Some(truth) = &mut self.truth {
                        truth.wrote(step.marks, now);
                    }
                    self.index += 1;
                    self.offset = 0;
                }
                Ok(written) => {
                    turn.stats.sent_bytes += written as u64;
                    self.offset += written;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Progress::Blocked,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Progress::Gone,
            }
        }
    }

    /// The end, whichever it was.
    pub(crate) fn into_truth(self) -> Option<TruthRecord> {
        self.truth.map(|truth| TruthRecord {
            done: clock::monotonic(),
            ..truth
        })
    }
}
