//! The program as a person or a script meets it: what is typed, what is printed, the exit code, the
//! files.

mod bad_input;
mod chat;
mod config_file;
mod embedding;
mod gate;
mod help;
mod hub;
mod mock_provider;
mod records;
mod scheduler;
mod secret;
mod shell;
mod workload;
