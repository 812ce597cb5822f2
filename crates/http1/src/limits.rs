//! What a connection may use.

use std::time::Duration;

/// What a connection may use, and all of them together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Time for a request's head, from its first byte (of the first request: from the connection).
    pub head: Duration,
    /// Time for a request's body.
    pub body: Duration,
    /// Time that a kept connection may wait for the next request.
    pub idle: Duration,
    /// Time that a client may take nothing of what is sent to it.
    pub write_stall: Duration,
    /// After a refusal, what the client still sends is read and dropped for so long: a reset would overtake the answer.
    pub linger: Duration,
    /// Bytes of a head, at most; more is answered with 431.
    pub head_bytes_max: usize,
    /// Bytes of a body, at most; more is answered with 413.
    pub body_bytes_max: usize,
    /// Bytes that all connections together may hold of requests that are not answered and of answers that are not sent,
    /// beside the [`free`](crate::Budget::FREE_BYTES) ones of each; what would exceed it is answered with 503.
    pub held_bytes_max: usize,
    /// Connections that are served. Those beyond are [guests](Limits::GUESTS_MAX).
    pub connections_max: usize,
    /// Time for the head of a guest's request, and as long for its body.
    pub guest_head: Duration,
    /// Bytes that the kernel buffers for a client that reads slowly; the system's choice where absent.
    pub send_buffer_bytes: Option<usize>,
}

impl Limits {
    /// Connections beyond the limit that are still listened to: they may ask whether the server is well, are told 503
    /// otherwise, and end after one answer. With more, the oldest of them ends.
    pub const GUESTS_MAX: usize = 64;
    /// Bytes that a client may send ahead while its answer is on its way; the rest waits in its socket.
    pub const AHEAD_MAX: usize = 64 << 10;
    /// Files that a server opens beside its connections.
    pub const OTHER_FILES: usize = 64;
    /// Bytes of a head, at most, unless the limits say otherwise.
    pub const HEAD_BYTES_MAX: usize = 64 << 10;
    /// Bytes that all connections together may hold, unless the limits say otherwise.
    pub const HELD_BYTES_MAX: usize = 256 << 20;
    /// Connections that are served, unless the limits say otherwise.
    pub const CONNECTIONS_MAX: usize = 16_384;

    /// With no more connections than `files` that may be open allow.
    #[must_use]
    pub fn within_files(self, files: usize) -> Self {
        let room = files.saturating_sub(Self::OTHER_FILES + Self::GUESTS_MAX);
        Limits {
            connections_max: self.connections_max.min(room.max(1)),
            ..self
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            head: Duration::from_secs(10),
            body: Duration::from_secs(30),
            idle: Duration::from_secs(75),
            write_stall: Duration::from_secs(30),
            linger: Duration::from_secs(2),
            head_bytes_max: Self::HEAD_BYTES_MAX,
            body_bytes_max: 2_000_000,
            held_bytes_max: Self::HELD_BYTES_MAX,
            connections_max: Self::CONNECTIONS_MAX,
            guest_head: Duration::from_secs(1),
            send_buffer_bytes: None,
        }
    }
}
