//! The program as a person or a script meets it: what is typed, what is printed, the exit code, the
//! files.

mod address;
mod bad_input;
mod chat;
mod config_file;
mod data_sets;
mod embedding;
mod evidence;
mod gate;
mod help;
mod hub;
mod listener;
mod mock_provider;
mod questions;
mod records;
mod scheduler;
mod secret;
mod shell;
mod variants;
mod workload;
