//! A plan and a connector to records: pacing, HTTP client, stamps, watchdog.
//!
//! One thread receives: it stamps, and parses nothing but HTTP's own framing, with code of our own
//! (`response.rs`, `channel.rs`): the stamp of a read must stay with its bytes, and at 1,000 streams
//! what a general client does beside that made reads late. A second thread
//! decodes what was received into [`trace::Record`]s. In open loop a third one keeps the due times.

mod ahead;
mod capture;
mod channel;
mod client;
mod clock;
mod connector;
mod deadline;
mod decode;
mod error;
mod events;
mod exchange;
#[doc(hidden)]
pub mod fuzzing;
mod gate;
mod get;
mod head;
mod headers;
mod heard;
mod in_flight;
mod limits;
mod outbox;
mod pacer;
mod packet;
mod pool;
mod progress;
mod response;
mod scrape;
mod session;
mod shared;
mod speaker;
mod stamps;
mod target;
mod tcp;
mod template;
mod tls;
mod watch;

pub use ahead::PromptMaker;
pub use client::{Client, ClientOptions, RunSpan};
pub use clock::Clock;
pub use connector::{ClockStamped, Connector, TcpConnector, TcpIo};
pub use deadline::Deadlines;
pub use error::LoadError;
pub use get::{Answer, get, post};
pub use headers::request_headers;
pub use heard::HeardAnswer;
pub use http::HeaderMap;
pub use limits::{allow_as_many_as, allow_connections, leave_time_to_receiving};
pub use scrape::Scraper;
pub use stamps::{ReadStamp, Stamps};
pub use target::Target;
pub use template::Template;
pub use tls::TlsOptions;
pub use watch::Watch;
