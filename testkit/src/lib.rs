//! Fakes and builders shared by tests; nothing ships from here.
//!
//! [`ScriptedServer`] answers over in-memory pipes, at times that a test chose, on the runtime's
//! own clock. With that clock paused nothing takes time but what the script says takes time, so
//! that a test can ask for equality where others ask for tolerance.
//!
//! [`queues`] simulates whole runs in numbers alone, for the statistics.

mod killed;
pub mod manners;
mod plan;
pub mod queues;
mod relay;
mod reply;
mod run;
mod server;
mod slow;

pub use killed::{Format, Kill, Killing, Left, Moment, Whole};
pub use plan::{burst, closed, open, until};
pub use relay::{Relay, RelayOptions};
pub use reply::{End, LAST_CHUNK, Reply, chunk, content, finish, response, stream_head};
pub use run::{INVOCATION, Run, Setup, client_options, run_plan, run_plans};
pub use server::{Connecting, Pipes, ScriptedServer, Seen};
pub use slow::slow_tests;
