//! The server as its clients see it.

#![allow(clippy::float_cmp, reason = "counts, which are exact")]
#![allow(clippy::large_stack_arrays, reason = "bodies of tests")]

mod api;
mod bad_input;
mod embedding;
mod faults;
mod streaming;
mod support;
