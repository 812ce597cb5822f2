//! What is measured: each experiment is the whole way from its arguments to its exit code.

mod again;
mod api_path;
mod ask;
mod asked;
mod calibrate;
mod capacity;
mod chat;
mod company;
mod continuous;
mod embedding;
mod gateway;
mod interruption;
mod metadata;
mod plans;
mod recount;
mod runs;
mod scheduler;
mod server;
mod versus;

pub(crate) use ask::{Asking, outcome_in_words};
pub(crate) use calibrate::calibrate;
pub(crate) use chat::chat;
pub(crate) use embedding::embedding;
pub(crate) use gateway::gateway;
pub(crate) use scheduler::scheduler;
