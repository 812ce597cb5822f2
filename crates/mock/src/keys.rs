//! What the event loop's wake-ups are told apart by.

// Keys of what is no connection; those of connections are below 2^63.
pub(crate) const LISTENER: u64 = u64::MAX;
pub(crate) const STOP: u64 = u64::MAX - 1;
pub(crate) const TIMER: u64 = u64::MAX - 2;
pub(crate) const FREEZE: u64 = u64::MAX - 3;
/// The smallest of them.
pub(crate) const FIRST_RESERVED: u64 = FREEZE;
