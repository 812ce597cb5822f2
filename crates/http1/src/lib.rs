//! The server's side of HTTP/1.1 (RFC 9110 and 9112), as bytes in and bytes out: a [`Receiver`] finds requests in what a
//! client sends, an [`Envelope`] makes the bytes of an answer. Nothing here knows a socket or a clock, so that a server on
//! a runtime and one on an event loop of its own read and refuse the same, and a fuzzer reaches all of it.
//!
//! It is our own because its limits are the product: sizes, a [`Budget`] over all connections, and deadlines, which
//! [`Limits`] holds and whoever has the clock keeps.

mod body;
mod budget;
mod chunks;
mod envelope;
mod head;
mod limits;
mod receiver;
mod refusal;

pub use budget::{Budget, Share};
pub use chunks::{ChunkBuffer, LAST_CHUNK, push_chunk};
pub use envelope::{CONTINUE, Envelope};
pub use head::{Head, Method};
pub use limits::Limits;
pub use receiver::{Body, Receiver};
pub use refusal::Refusal;
