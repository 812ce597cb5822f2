//! What is measured otherwise than a server by its requests: each experiment is the whole way from its arguments to its
//! exit code.

mod gateway;
mod scheduler;

pub(crate) use gateway::gateway;
pub(crate) use scheduler::scheduler;
