//! An OpenAI-compatible HTTP server over the engine.
//!
//! ```text
//! connections (http threads)                        engine thread
//!   head, body → request → tokens ── Submission ──→ Engine::step → events
//!   frames ← deltas ←──── bounded channel ────────── detokenise, stop strings
//! ```
//!
//! An encoder has an engine thread of its own kind: texts come, and vectors go.
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
mod compare;
mod completion;
mod config;
mod embedding;
mod encoder_thread;
mod engine_thread;
mod error;
mod handle;
mod histogram;
mod http;
mod live;
mod metrics;
mod order;
mod prepare;
mod start;
mod stop;
mod stream;
mod task;
mod tokenize;
mod vector_answer;

pub use codec::TextCodec;
pub use config::ServeConfig;
pub use error::ServeError;
pub use handle::ServeHandle;
pub use http1::Limits as HttpLimits;
pub use start::{spawn, spawn_encoder, spawn_loaded, spawn_model};
