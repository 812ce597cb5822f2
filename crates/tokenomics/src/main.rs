//! `tokenomics`: measures how fast large language models are served, with numbers that can be
//! believed.
//!
//! `Args → Config → Plan → Records → Summary → Report`; this crate is the only one that prints,
//! exits, reads the environment, or decides where files go.

mod args;
mod asking;
mod builtin;
mod calibrating;
mod child;
mod comparing;
mod config;
mod environment;
mod experiment;
mod failure;
mod input;
mod interrupt;
mod launching;
mod limits;
mod measurement;
mod mocking;
mod model;
mod output;
mod plotting;
mod prompts;
mod question;
mod records;
mod serving;
mod tokenizer;
mod verb;

use crate::args::{Args, Verb};
use crate::config::Config;
use crate::environment::of_process;
use crate::failure::{Exit, Failure};
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        // One of a library on a file of others becomes an error that names the file.
        if !models::is_contained() {
            output::say(&verb::apology(panic));
        }
    }));
    match run() {
        Ok(exit) => exit.into(),
        Err(failure) => {
            output::say(&format!("error: {failure}"));
            failure.exit.into()
        }
    }
}

fn run() -> Result<Exit, Failure> {
    let typed = args::with_dashes(std::env::args_os());
    let typed = args::with_config_file(typed, input::read_text)?;
    let (typed, phases) = args::with_scenario(typed, input::read_text)?;
    let parsed =
        Args::try_parse_from(&typed).or_else(|error| match args::explained(&error, &typed) {
            Some(failure) => Err(failure),
            // Help and versions are such errors too.
            None => error.exit(),
        })?;
    match parsed.verb {
        Verb::Chat(args) => question::answer(&Config::chat(&args, &of_process)?),
        Verb::Embedding(args) => question::answer(&Config::embedding(&args, &of_process)?),
        Verb::Gateway(args) => experiment::gateway(*args),
        Verb::Launch(args) => launching::launch(&args),
        Verb::Guard(args) => verb::guard(args),
        Verb::Scheduler(args) => experiment::scheduler(*args),
        Verb::Serve(args) => serving::serve(&args),
        Verb::Mock(args) => mocking::mock(&args, phases),
        Verb::Plot(args) => plotting::plot(&args),
        Verb::Report(args) => verb::report(&args),
        Verb::Compare(args) => comparing::compare(&args),
        Verb::Calibrate(args) => calibrating::calibrate(&args),
        Verb::Completions { shell } => verb::completions(shell),
        Verb::Man { directory } => verb::man(&directory),
    }
}
