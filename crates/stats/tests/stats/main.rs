//! Records in, numbers and verdicts out.

mod builder;
mod request;
mod summary;
mod verdict;
