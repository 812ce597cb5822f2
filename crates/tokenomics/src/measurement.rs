//! A measurement of a server: what is sent, to whom, and what came back.
//!
//! [`Session::open`] finds the server once; [`Session::run`] measures it as often as a question needs. Chats and
//! embeddings differ in what [`task::Kind`] says and in nothing else.

mod again;
mod api_path;
mod asked;
mod company;
mod enough;
mod generation;
mod interruption;
mod metadata;
mod plan;
mod pooling;
mod recount;
mod runs;
mod server;
mod session;
mod task;
mod words;

pub(crate) use self::enough::Enough;
pub(crate) use self::interruption::Interruption;
pub(crate) use self::plan::{Planned, dry_run};
pub(crate) use self::runs::End;
pub(crate) use self::session::{Measured, Session};
