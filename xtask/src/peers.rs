//! Real servers and gateways that nobody here wrote, measured, and what is reported beside their own truth.
//!
//! It takes minutes to install and is no part of the checks, which play recordings. Everything is installed into one
//! folder, by name and version, and only what is missing.

mod built_in;
mod cache;
mod child;
mod http;
mod infinity;
mod litellm;
mod llama_server;
mod measured;
mod metrics;
mod mock;
mod nginx;
mod recording;
mod table;
mod transformers;
mod vllm;

pub(crate) use child::{GuardArgs, guard};

use crate::pinned::tokenomics;
use anyhow::{Context, Result, ensure};
use cache::Cache;
use clap::{Args, ValueEnum};
use measured::Instrument;
use recording::Recorder;
use std::path::PathBuf;
use table::{HEAD, Table};

#[derive(Debug, Args)]
pub(crate) struct PeersArgs {
    /// Which of them [default: all]
    #[arg(value_enum, value_name = "NAME")]
    names: Vec<Peer>,
    /// Where they are installed, and keep their logs and results
    #[arg(long, value_name = "FOLDER", default_value = "target/peers")]
    dir: PathBuf,
    /// The tokenomics that measures [default: the release build, built if need be]
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
    /// Also keep one stream of each server in this folder, for crates/openai/tests/recordings
    #[arg(long, value_name = "FOLDER")]
    record: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Peer {
    /// llama.cpp's own server, built from source (about ten minutes, once)
    LlamaServer,
    /// vLLM on the processor (about 6 GB)
    Vllm,
    /// transformers serve
    Transformers,
    /// infinity-emb, a server of embeddings
    Infinity,
    /// `LiteLLM`'s proxy before mocks
    Litellm,
    /// nginx before a mock
    Nginx,
    /// The built-in engine with a real model
    BuiltIn,
}

/// What measures one of them.
type Measure = fn(&Instrument<'_>, &Recorder, &mut Table) -> Result<()>;

impl Peer {
    const fn measure(self) -> (&'static str, Measure) {
        match self {
            Peer::LlamaServer => ("llama-server", llama_server::run),
            Peer::Vllm => ("vLLM", vllm::run),
            Peer::Transformers => ("transformers serve", transformers::run),
            Peer::Infinity => ("infinity-emb", infinity::run),
            Peer::Litellm => ("LiteLLM", litellm::run),
            Peer::Nginx => ("nginx", nginx::run),
            Peer::BuiltIn => ("built-in engine", built_in::run),
        }
    }
}

/// Measures each by turns and prints the table; an error where a check does not hold.
pub(crate) fn run(args: &PeersArgs) -> Result<()> {
    let cache = Cache::new(&args.dir)?;
    let binary = match &args.binary {
        Some(path) => path
            .canonicalize()
            .with_context(|| format!("there is no program {}", path.display()))?,
        None => tokenomics()?,
    };
    let instrument = Instrument {
        binary,
        cache: &cache,
    };
    let recorder = Recorder {
        folder: args.record.clone(),
    };
    let all = Peer::value_variants();
    let asked = if args.names.is_empty() {
        all
    } else {
        &args.names
    };
    let (mut text, mut failures) = (HEAD.to_owned(), 0);
    for peer in asked {
        let (name, measure) = peer.measure();
        eprintln!("{name}:");
        let mut table = Table::new(name);
        if let Err(error) = measure(&instrument, &recorder, &mut table) {
            eprintln!("{error:#}");
            table.not_run(&error);
        }
        failures += table.failures();
        text += &table.markdown();
    }
    println!("{text}");
    ensure!(
        failures == 0,
        "{failures} checks do not hold; the table says which, and {} has logs and results",
        args.dir.display()
    );
    Ok(())
}
