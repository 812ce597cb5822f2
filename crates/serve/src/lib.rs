//! An OpenAI-compatible HTTP server over the engine.
//!
//! ```text
//! connections (http threads)                        engine thread
//!   head, body → request → tokens ── Submission ──→ Engine::step → events
//!   frames ← deltas ←──── bounded channel ────────── detokenise, stop strings
//! ```
//!
//! The engine thread owns the engine, and everything that a running request needs there. A client
//! that goes away drops its answer, which aborts the request: blocks, queue place and
//! detokenizer are free within one step. A client that reads too slowly fills its own channel, and
//! only its own request is aborted.

mod admission;
mod answer;
mod app;
mod choice;
mod codec;
mod completion;
mod config;
mod engine_thread;
mod error;
mod handle;
mod histogram;
mod http;
mod live;
mod metrics;
mod prepare;
mod stop;
mod stream;
mod tokenize;

pub use codec::TextCodec;
pub use config::{HttpLimits, ServeConfig};
pub use error::ServeError;
pub use handle::{ServeHandle, spawn, spawn_model};
