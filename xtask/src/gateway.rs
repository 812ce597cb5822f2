//! What `tokenomics gateway` says, held against what is known: a relay whose delay is known, its own repetitions, and a
//! plain client on a socket.

mod delays;
mod plain;
mod plain_client;
mod repeats;
mod reported;

pub(crate) use delays::{RelayArgs, relay};

use crate::pinned::{Awake, on_cpu, tokenomics};
use anyhow::Result;
use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(Debug, Args)]
pub(crate) struct GatewayArgs {
    /// Which measurements
    #[arg(value_enum, default_values = ["delays", "repeats", "plain"])]
    what: Vec<What>,
    /// Delays that a relay adds, in microseconds
    #[arg(long, value_delimiter = ',', default_value = "0,100")]
    delays: Vec<u64>,
    /// Interleaved rounds
    #[arg(long, default_value_t = 50)]
    rounds: usize,
    /// Rounds of the plain client, whose other half is a measurement of ours
    #[arg(long, default_value_t = 10)]
    plain_rounds: usize,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Starts of each measurement [default: the program's]
    #[arg(long)]
    starts: Option<u32>,
    /// Relay: client and mock on one processor, the relay on the other
    #[arg(long)]
    pinned: bool,
    /// Keep the processors awake, so that what a hop takes does not depend on how long everybody slept
    #[arg(long)]
    awake: bool,
    /// The program, in place of a release build of this tree
    #[arg(long)]
    program: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// A relay that adds a known delay: how often the interval holds it
    Delays,
    /// nginx, pinned, again and again: how often an interval holds the mean of all
    Repeats,
    /// The client's figure beside that of a plain client on a socket, by turns
    Plain,
}

/// Prints what was asked for.
pub(crate) fn run(args: &GatewayArgs) -> Result<()> {
    let program = match &args.program {
        Some(program) => program.clone(),
        None => tokenomics()?,
    };
    let _awake = args.awake.then(Awake::hold).transpose()?;
    for what in &args.what {
        match what {
            What::Delays => delays::run(args, &program)?,
            What::Repeats => repeats::run(args, &program)?,
            What::Plain => plain::run(args, &program)?,
        }
    }
    Ok(())
}

/// The program, on that processor if it is pinned.
fn on(cpu: &str, program: &Path, pinned: bool) -> Command {
    if pinned {
        on_cpu(cpu, program)
    } else {
        Command::new(program)
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    stats::sort(&mut values);
    stats::quantile(&values, 0.5).unwrap_or(f64::NAN)
}

fn mean(values: impl IntoIterator<Item = f64>) -> f64 {
    let values: Vec<f64> = values.into_iter().collect();
    values.iter().sum::<f64>() / values.len() as f64
}
