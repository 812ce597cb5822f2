//! Holds each answer against what was asked, against the server's counts, and against itself.
//!
//! What a record says is kept as it came. A [`Judge`] says how far it can be believed: an answer that the server gave
//! up is no success, and a count that cannot be enters no number. Everything here is computed from facts that records
//! have from version 2 on; older records, which lack them, are believed as before.

mod cache;
mod counts;
mod fault;
mod linear_fit;
mod model_names;
mod settle;
mod tally;

pub(crate) use self::fault::Fault;
pub(crate) use self::model_names::NamesFault;
pub use self::settle::Judge;
pub(crate) use self::tally::{FaultTally, Share, named};

#[cfg(test)]
mod tests;
