//! A hub that never leaves this process, and what is fetched from it.

mod resolve;
mod server;
