//! Developer commands. `cargo xtask bench accuracy` and `cargo xtask bench client` measure the
//! instrument itself, `evidence` its verdicts and comparisons, `coverage` its
//! intervals, `engine`, `embedding` and `scheduler` the built-in engine, `gateway` what is said of a known delay; on this
//! machine, now. `cargo xtask peers` measures real servers that nobody here wrote, `cargo xtask flags` reads other tools' help,
//! `cargo xtask kills` ends measurements with `SIGKILL` and reads what they left,
//! `cargo xtask fuzz` looks for bytes on which a reader of ours stumbles.

mod accuracy;
mod bare;
mod client;
mod coverage;
mod embedding;
mod engine;
mod evidence;
mod flags;
mod fuzz;
mod gateway;
mod kills;
mod mock;
mod peers;
mod pinned;
mod scheduler;

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
    /// Measure the instrument, or the engine
    Bench {
        #[command(subcommand)]
        bench: Bench,
    },
    /// Measure real servers and gateways, and hold what is reported against their own truth
    Peers(peers::PeersArgs),
    /// Starts a child and ends it with its parent: what `peers` starts
    #[command(hide = true)]
    Guard(peers::GuardArgs),
    /// Whether every flag of other tools' benchmarks is known or answered here
    Flags(flags::FlagsArgs),
    /// Kills measurements at every moment of their lives, and reads what they left
    Kills(kills::KillsArgs),
    /// Whether what reads foreign bytes holds on those that libFuzzer thinks of; needs nightly Rust and cargo-fuzz
    Fuzz(fuzz::FuzzArgs),
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
    /// The engine beside llama.cpp or torch, on the same weights, by turns
    Engine(engine::EngineArgs),
    /// Our encoder beside sentence-transformers and onnxruntime, on the same weights and texts, by turns
    Embedding(embedding::EmbeddingArgs),
    /// What the scheduler costs: 256 running sequences, a model that does nothing
    Scheduler {
        /// Requests that wait
        #[arg(long, value_delimiter = ',', default_value = "0,1000,10000,100000")]
        waiting: Vec<usize>,
    },
    /// The mock provider's speed and punctuality, beside a mock on aiohttp
    Mock(mock::MockArgs),
    /// What `gateway` says of a relay whose delay is known
    Gateway(gateway::GatewayArgs),
    /// What the tool claims of its gate, its verdict and its capacities, on real processes
    Evidence(evidence::EvidenceArgs),
    /// How often the intervals that are shown hold, over simulated runs whose truth is known
    Coverage(coverage::CoverageArgs),
    /// What comparisons of simulated servers find: nothing between two alike, and a slower one with as many requests as
    /// the first comparison asks for
    Comparisons(coverage::comparisons::ComparisonsArgs),
    /// The relay alone: what `gateway` measures
    #[command(hide = true)]
    Relay(gateway::RelayArgs),
    /// One measurement of the engine: what `engine` starts
    #[command(hide = true)]
    Ours(engine::OursArgs),
    /// Our encoder alone: what `embedding` starts
    #[command(hide = true)]
    OurEncoder(embedding::OursArgs),
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
    let bench = match Args::parse().command {
        Command::Bench { bench } => bench,
        Command::Peers(args) => return peers::run(&args),
        Command::Guard(args) => return peers::guard(&args),
        Command::Flags(args) => return flags::run(&args),
        Command::Kills(args) => return kills::run(&args),
        Command::Fuzz(args) => return fuzz::run(&args),
    };
    match bench {
        Bench::Accuracy { streams } => accuracy::run(&streams),
        Bench::Client { rounds } => client::run(rounds),
        Bench::Engine(args) => engine::run(&args),
        Bench::Embedding(args) => embedding::run(&args),
        Bench::OurEncoder(args) => embedding::ours(&args),
        Bench::Scheduler { waiting } => scheduler::run(&waiting),
        Bench::Mock(args) => mock::run(&args),
        Bench::Gateway(args) => gateway::run(&args),
        Bench::Evidence(args) => evidence::run(&args),
        Bench::Coverage(args) => coverage::run(&args),
        Bench::Comparisons(args) => {
            coverage::comparisons::run(&args);
            Ok(())
        }
        Bench::Relay(args) => gateway::relay(&args),
        Bench::Ours(args) => engine::ours(&args),
        Bench::Bare(args) => bare::run(&args),
    }
}
