//! What an answer depends on beside request and configuration.

use std::time::Duration;

/// What an answer depends on beside the request and the configuration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circumstances {
    /// Of the request, in the server's life.
    pub(crate) sequence: u64,
    /// Requests that came before it on its connection.
    pub(crate) earlier_on_connection: u64,
    /// Unix time, in seconds.
    pub(crate) created: u64,
    /// Requests that are being answered beside it.
    pub(crate) serving: u32,
    /// Since the mock began to serve.
    pub(crate) since_start: Duration,
}
