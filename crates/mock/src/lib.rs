//! The mock provider: an OpenAI-compatible server whose timing is scripted and whose log is the
//! truth.
//!
//! It answers chat and text completions, tool calls, embeddings, scores and rankings with invented
//! contents at known times, stamps the clock just
//! before every write of a token event, and plays the faults a client must survive. One thread runs
//! it, an epoll loop over non-blocking sockets: a general runtime's timers are milliseconds late on
//! a small machine, and what an instrument is calibrated against must not be. It needs Linux
//! (`epoll`, `timerfd`, `SO_TIMESTAMPING`).
//!
//! The way of a request: the `http1` crate finds it in the bytes, `route` and `work` say what to answer, `script`
//! says which bytes leave when, `exchange` writes them, `service` keeps connections and deadlines, and
//! `event_loop` turns. The first three are pure; vectors that were rendered once are kept, which
//! changes no answer.

mod answer;
mod circumstances;
mod clock;
mod completion;
mod config;
mod connection;
mod connections;
mod deadlines;
mod dice;
mod distort;
mod error;
mod event_loop;
mod exchange;
mod fault;
mod fault_choice;
mod frames;
mod gaps;
mod keys;
mod metrics;
mod paced;
mod pooling;
mod provider;
mod replay;
mod request;
mod route;
mod script;
mod server;
mod service;
mod stamps;
mod stats;
mod step;
mod timing;
mod truth;
mod vectors;
mod work;

pub use http1::Limits as HttpLimits;

pub use config::{MockConfig, Phase, RoleChunk};
pub use error::MockError;
pub use fault::{Dialect, Fault};
pub use replay::RecordedTimings;
pub use server::{MockHandle, MockServer, StopSignal, spawn};
pub use stats::{LatenessSummary, MockStats};
pub use timing::Timing;
pub use truth::{TruthRecord, read_truth};
