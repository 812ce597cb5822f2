//! Finds requests in what a client sends.

use crate::body::Chunked;
use crate::budget::{Budget, Share};
use crate::head::{Framing, Head, end, parse};
use crate::limits::Limits;
use crate::refusal::Refusal;
use std::sync::Arc;

/// Finds the requests in what a client sends, wherever its bytes are cut: heads and bodies in turn.
///
/// It holds no more than one request and what was sent ahead, counts it on the [`Budget`] of all connections, and gives
/// memory back when a request was taken.
#[derive(Debug)]
pub struct Receiver {
    /// Bytes that came and are not used up.
    input: Vec<u8>,
    /// Bytes of it in which no head ends.
    looked_at: usize,
    /// The body to come.
    body: Option<Waiting>,
    share: Share,
    head_bytes_max: usize,
    body_bytes_max: usize,
}

#[derive(Debug)]
enum Waiting {
    Length(usize),
    Chunked(Chunked),
}

/// A request's whole body. Its bytes stay counted until it is dropped.
#[derive(Debug)]
pub struct Body {
    /// What was sent.
    pub bytes: Vec<u8>,
    /// Of the bytes, and what an answer is counted on next.
    pub share: Share,
}

impl Receiver {
    /// Of a new connection.
    pub fn new(limits: &Limits, budget: &Arc<Budget>) -> Self {
        Receiver {
            input: Vec::new(),
            looked_at: 0,
            body: None,
            share: Share::new(budget),
            head_bytes_max: limits.head_bytes_max,
            body_bytes_max: limits.body_bytes_max,
        }
    }

    /// Takes what was read.
    ///
    /// # Errors
    /// All connections together hold too much; then it takes nothing.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), Refusal> {
        let whole = self.input.len() + bytes.len();
        if whole > self.input.capacity() {
            // Doubling, but never beyond a body whose length is known.
            let ahead = match self.body {
                Some(Waiting::Length(length)) => length.max(whole),
                _ => usize::MAX,
            };
            let room = whole.next_power_of_two().max(512).min(ahead);
            if !self.share.set(room + self.decoded()) {
                return Err(Refusal::no_room(self.share.budget().most()));
            }
            self.input.reserve_exact(room - self.input.len());
        }
        self.input.extend_from_slice(bytes);
        Ok(())
    }

    /// A request's head, once it is whole; then its [`body`](Receiver::body) is next.
    ///
    /// # Errors
    /// It is no head, or too large.
    pub fn head(&mut self) -> Result<Option<Head>, Refusal> {
        // Empty lines before a request are passed over (RFC 9112, section 2.2), all that there are at once.
        let blank = |byte: &&u8| matches!(byte, b'\r' | b'\n');
        let blanks = self.input.iter().take_while(blank).count();
        if blanks > 0 {
            self.input.drain(..blanks);
            self.looked_at = 0;
        }
        loop {
            let Some(bytes) = end(&self.input, self.looked_at) else {
                self.looked_at = self.input.len();
                return if self.looked_at > self.head_bytes_max {
                    Err(Refusal::head_too_large(self.head_bytes_max))
                } else {
                    Ok(None)
                };
            };
            if bytes > self.head_bytes_max {
                return Err(Refusal::head_too_large(self.head_bytes_max));
            }
            let head = parse(&self.input[..bytes])?;
            self.input.drain(..bytes);
            self.looked_at = 0;
            let Some(head) = head else { continue };
            self.body = Some(match head.framing() {
                Framing::Length(length) => Waiting::Length(length),
                Framing::Chunked => Waiting::Chunked(Chunked::default()),
            });
            return Ok(Some(head));
        }
    }

    /// The body of the head that was taken, once it is whole.
    ///
    /// # Errors
    /// It is too large, or its chunks are none.
    pub fn body(&mut self) -> Result<Option<Body>, Refusal> {
        let bytes = match &mut self.body {
            None => return Ok(None),
            Some(Waiting::Length(length)) if *length > self.body_bytes_max => {
                return Err(Refusal::body_too_large(self.body_bytes_max));
            }
            Some(Waiting::Length(length)) if self.input.len() < *length => return Ok(None),
            Some(Waiting::Length(length)) => {
                let rest = self.input.split_off(*length);
                std::mem::replace(&mut self.input, rest)
            }
            Some(Waiting::Chunked(chunked)) => {
                let is_whole = chunked.take(&mut self.input, self.body_bytes_max)?;
                if !is_whole {
                    let held = self.input.capacity() + self.decoded();
                    return if self.share.set(held) {
                        Ok(None)
                    } else {
                        Err(Refusal::no_room(self.share.budget().most()))
                    };
                }
                std::mem::take(&mut chunked.body)
            }
        };
        self.body = None;
        // What was sent ahead is small: whoever reads stops before it is much.
        let ahead = Share::new(self.share.budget());
        let mut share = std::mem::replace(&mut self.share, ahead);
        let fits = share.set(bytes.capacity());
        if fits && self.share.set(self.input.capacity()) {
            Ok(Some(Body { bytes, share }))
        } else {
            Err(Refusal::no_room(share.budget().most()))
        }
    }

    /// Bytes that came and belong to no request that was taken.
    pub fn held(&self) -> usize {
        self.input.len()
    }

    /// Drops them; what follows is not understood any more.
    pub fn forget(&mut self) {
        self.input = Vec::new();
        self.body = None;
        self.looked_at = 0;
        // Less always fits.
        let _ = self.share.set(0);
    }

    /// Bytes of a body that were in chunks.
    fn decoded(&self) -> usize {
        match &self.body {
            Some(Waiting::Chunked(chunked)) => chunked.body.capacity(),
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests;
