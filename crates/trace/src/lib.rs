//! The vocabulary: what is planned, what came back, and nothing derived from it.
//!
//! Every other crate speaks these types. They are plain data: no clock, no socket, no file, no thread.

mod arrival;
mod facts;
mod nanos;
mod plan;
mod prompt;
mod record;
mod response;
mod subject;

pub use arrival::{Arrival, Gaps};
pub use facts::{
    AskedAgain, Beside, Bucket, ClassInfo, Instrument, PointInfo, Recounted, RunFacts, RunHeader,
    SavedRun, ServerSample, Slo, StampSource, WatchedSecond,
};
pub use nanos::Nanos;
pub use plan::{FollowUp, Pacing, Plan, PlannedRequest, PlannedTokens, Stop};
pub use prompt::{Message, Prompt, Role};
pub use record::{
    Event, EventKind, Outcome, Record, RunId, TimeoutKind, Turn, Usage, Vectors, request_id,
};
pub use response::{Asked, LeftOut, ResponseFacts, TextFacts, ToolUse};
pub use subject::Subject;

/// Version of the serialised forms of [`Plan`], [`Record`] and [`RunHeader`].
///
/// It rises when a reader of the previous version would misread a file.
/// Version 2 added what an answer said beside its events ([`ResponseFacts`]), what was asked ([`Asked`]) and when a
/// request was sent again; a reader of version 1 would take an answer that was given up for a whole one.
pub const SCHEMA_VERSION: u32 = 2;
