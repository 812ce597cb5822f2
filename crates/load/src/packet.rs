//! What the receiving thread hands to the decoding one: bytes and stamps, nothing parsed.

use crate::head::Head;
use crate::progress::Progress;
use crate::stamps::ReadStamp;
use openai::Answer;
use std::sync::Arc;
use tokio::sync::oneshot;
use trace::{Nanos, PlannedTokens, RunId, TextFacts, TimeoutKind, Turn};

/// Bytes of one response body, with the stamp of the read that completed each piece.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    bytes: Vec<u8>,
    marks: Vec<(usize, ReadStamp)>,
}

impl Pieces {
    pub(crate) fn push(&mut self, bytes: &[u8], stamp: ReadStamp) {
        self.bytes.extend_from_slice(bytes);
        match self.marks.last_mut() {
            Some((end, last)) if last.index == stamp.index => *end = self.bytes.len(),
            _ => self.marks.push((self.bytes.len(), stamp)),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Reads that brought them.
    pub(crate) fn reads(&self) -> usize {
        self.marks.len()
    }

    /// Bytes of memory: where a read brings one byte, its stamp is most of it.
    pub(crate) fn weight(&self) -> usize {
        self.bytes.len() + self.marks.len() * size_of::<(usize, ReadStamp)>()
    }

    /// All bytes, without their stamps.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], ReadStamp)> {
        let mut start = 0;
        self.marks.iter().map(move |&(end, stamp)| {
            let piece = &self.bytes[start..end];
            start = end;
            (piece, stamp)
        })
    }
}

/// One hand-over.
#[derive(Debug)]
pub(crate) enum Packet {
    /// Part of a body that goes on.
    Body {
        id: u64,
        pieces: Pieces,
        progress: Arc<Progress>,
    },
    /// The rest of it, and how it ended.
    End(Box<Ending>),
}

impl Packet {
    /// Bytes of memory that its body takes.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Packet::Body { pieces, .. } => pieces.weight(),
            Packet::End(ending) => ending.pieces.weight(),
        }
    }
}

/// Everything known of a request when it is over.
#[derive(Debug)]
pub(crate) struct Ending {
    pub(crate) run: RunId,
    pub(crate) id: u64,
    pub(crate) due: Nanos,
    /// Texts that were to be answered.
    pub(crate) inputs: u32,
    pub(crate) planned_tokens: Option<PlannedTokens>,
    pub(crate) prompt_text: Option<TextFacts>,
    pub(crate) max_tokens: Option<u32>,
    pub(crate) class: u32,
    pub(crate) turn: Option<Turn>,
    pub(crate) issued: Nanos,
    /// When it was sent once more, on a new connection.
    pub(crate) reissued: Option<Nanos>,
    pub(crate) connected: Option<Nanos>,
    pub(crate) sent: Option<Nanos>,
    pub(crate) first_byte: Option<Nanos>,
    /// The end of the body, or the moment of failure.
    pub(crate) done: ReadStamp,
    pub(crate) stream: bool,
    pub(crate) head: Option<Head>,
    pub(crate) pieces: Pieces,
    pub(crate) body_bytes: u64,
    pub(crate) cause: EndCause,
    /// Who waits for what it says.
    pub(crate) listener: Option<Listener>,
}

/// Gets what an answer said.
pub(crate) type Listener = oneshot::Sender<Said>;

/// What a request came to, for who listens.
#[derive(Debug)]
pub(crate) struct Said {
    /// `None` where the response was not whole.
    pub(crate) answer: Option<Answer>,
    /// Its tokens by the server's count; `None` where some of them are not of the text.
    pub(crate) text_tokens: Option<u64>,
    /// The end of the response.
    pub(crate) done: Nanos,
}

/// Why receiving ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum EndCause {
    /// The body is whole as far as HTTP can tell.
    Whole,
    /// No connection.
    ConnectFailed(String),
    /// The connection broke, or closed, before a byte of an answer came.
    ClosedBeforeAnswer(String),
    /// The connection broke, or closed, before the body was whole.
    Broken(String),
    /// The stream said that it is over, and its body stayed open.
    LeftOpen,
    /// Not HTTP.
    Malformed(String),
    /// A deadline passed.
    Timeout(TimeoutKind),
    /// The decoder found something that makes the rest worthless.
    Refused,
    /// More bytes than a response may have.
    TooLong { limit: u64 },
    /// More reads than a whole response may take.
    TooManyReads { limit: usize },
    /// We stopped it.
    Cancelled,
}

impl EndCause {
    /// Why no connection could be opened, for a person.
    pub(crate) fn words(self) -> String {
        match self {
            EndCause::ConnectFailed(why) => why,
            _ => "connecting timed out".to_owned(),
        }
    }
}
