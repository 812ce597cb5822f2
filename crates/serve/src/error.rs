//! Why a server could not be started.

use std::io;
use std::net::SocketAddr;
use thiserror::Error;

/// Why a server could not be started.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The address is taken, or is none of this machine.
    #[error("cannot listen on {address}: {source}; choose another host or port")]
    Listen {
        /// Where it should have listened.
        address: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
    /// No thread or runtime could be made.
    #[error("cannot start the server's threads: {0}")]
    Threads(io::Error),
    /// The model or the scheduler cannot serve anything.
    #[error("{field} must be at least {least}, got {value}")]
    Limit {
        /// Which.
        field: &'static str,
        /// What it is.
        value: usize,
        /// What it must be.
        least: usize,
    },
}
