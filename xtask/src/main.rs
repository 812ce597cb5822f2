//! Developer commands. `cargo xtask bench accuracy` and `cargo xtask bench client` measure the
//! instrument itself, on this machine, now.

mod accuracy;
mod bare;
mod client;
mod pinned;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Debug, Parser)]
#[command(about = "Developer commands of tokenomics")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure the instrument
    Bench {
        #[command(subcommand)]
        bench: Bench,
    },
}

#[derive(Debug, Subcommand)]
enum Bench {
    /// The error of time to first token and of single gaps, against the mock's truth log
    Accuracy {
        /// Streams held open
        #[arg(long, value_delimiter = ',', default_value = "1,16,64,256,1000")]
        streams: Vec<u32>,
    },
    /// Speed and memory of the client, against a bare socket reader in the same run
    Client {
        /// Interleaved rounds
        #[arg(long, default_value_t = 3)]
        rounds: u32,
    },
    /// The bare socket reader alone: what `client` compares with
    #[command(hide = true)]
    Bare(bare::BareArgs),
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> anyhow::Result<()> {
    let Command::Bench { bench } = Args::parse().command;
    match bench {
        Bench::Accuracy { streams } => accuracy::run(&streams),
        Bench::Client { rounds } => client::run(rounds),
        Bench::Bare(args) => bare::run(&args),
    }
}
