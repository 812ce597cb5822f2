//! What a server is started with.

use engine::SchedulerConfig;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// What a server is started with.
#[derive(Clone)]
pub struct ServeConfig {
    /// Where to listen; port 0 takes a free one.
    pub address: SocketAddr,
    /// What clients call the model.
    pub model_name: String,
    /// Where given, requests need it as `Authorization: Bearer …`.
    pub api_key: Option<String>,
    /// Limits of the scheduler.
    pub scheduler: SchedulerConfig,
    /// Time that running requests have to end in after [`shutdown`](crate::ServeHandle::shutdown).
    pub drain: Duration,
    /// Threads that speak HTTP, at least 1.
    pub http_threads: usize,
    /// Pieces of text that wait for a slow reader, at most; with more its request is aborted.
    pub pieces_waiting_max: usize,
    /// Choices of a request, at most; never more than run at once.
    pub n_max: usize,
    /// Limits of HTTP.
    pub http: http1::Limits,
}

impl Default for ServeConfig {
    fn default() -> Self {
        ServeConfig {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 8000)),
            model_name: "model".to_owned(),
            api_key: None,
            scheduler: SchedulerConfig {
                blocks: 1024,
                sequences_max: 64,
                step_tokens_max: 2048,
                queue_max: 1024,
                context_tokens: 2048,
                prefix_cache: true,
            },
            drain: Duration::from_secs(30),
            http_threads: 2,
            pieces_waiting_max: 1024,
            n_max: 128,
            http: http1::Limits::default(),
        }
    }
}

impl fmt::Debug for ServeConfig {
    /// Without the key.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ServeConfig")
            .field("address", &self.address)
            .field("model_name", &self.model_name)
            .field("scheduler", &self.scheduler)
            .field("drain", &self.drain)
            .finish_non_exhaustive()
    }
}
