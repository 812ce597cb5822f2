//! The server as its clients see it.

mod api;
mod bad_input;
mod faults;
mod streaming;
mod support;
