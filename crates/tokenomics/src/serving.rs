//! `tokenomics serve`: the built-in engine as a server, until it is told to stop.

use crate::args::ServeArgs;
use crate::config::{Secret, key};
use crate::failure::{Exit, Failure};
use crate::interrupt::StopSignals;
use crate::limits;
use crate::model;
use crate::output::say;
use engine::{Encoder, SchedulerConfig};
use models::Loaded;
use serve::{HttpLimits, ServeConfig};
use std::net::SocketAddr;
use std::time::Duration;

/// Serves until ctrl-C or SIGTERM, then lets running requests end.
pub(crate) fn serve(args: &ServeArgs) -> Result<Exit, Failure> {
    limits::SEQUENCES.check(args.max_num_seqs as u64)?;
    limits::QUEUE.check(args.max_queue as u64)?;
    let drain = drain(args.drain_seconds)?;
    let key = key(args.api_key.as_deref(), args.api_key_file.as_deref())?;
    let environment = |name: &str| std::env::var(name).ok();
    let loaded = model::load_any(&args.engine, &environment)?;
    let (own_name, facts, scheduler, limits) = match &loaded {
        Loaded::Generator(model) => {
            let scheduler =
                model::scheduler_config(&args.engine, model, args.max_num_seqs, args.max_queue)?;
            let limits = generator_words(&scheduler, model.facts.kv_block_bytes);
            (&model.name, &model.facts, scheduler, limits)
        }
        Loaded::Encoder(model) => {
            let scheduler =
                model::encoder_config(&args.engine, model, args.max_num_seqs, args.max_queue)?;
            let limits = encoder_words(&scheduler, model.encoder.dimensions());
            (&model.name, &model.facts, scheduler, limits)
        }
    };
    let facts = model::words(own_name, facts);
    let name = args.served_model_name.as_ref().unwrap_or(own_name).clone();
    let most = args.max_num_seqs + args.max_queue;
    load::allow_connections(most as u64, 1).map_err(Failure::failed)?;
    let config = ServeConfig {
        address: SocketAddr::new(args.host, args.port),
        model_name: name.clone(),
        api_key: key.as_ref().map(|key| Secret::expose(key).to_owned()),
        scheduler,
        drain,
        http: within_files(HttpLimits {
            connections_max: HttpLimits::CONNECTIONS_MAX.max(most),
            ..HttpLimits::default()
        }),
        ..ServeConfig::default()
    };
    let signals = StopSignals::listen()?;
    let server = serve::spawn_loaded(config, loaded).map_err(Failure::failed)?;
    say(&facts);
    say(&limits);
    say(&format!(
        "Serving {name} at http://{}/v1; ctrl-C stops it.",
        server.addr()
    ));
    signals.wait()?;
    say(&format!(
        "Stopping: waiting up to {} s for requests that run. Press ctrl-C again to end at once.",
        args.drain_seconds
    ));
    let cut = server.shutdown();
    if cut > 0 {
        say(&format!(
            "{cut} requests did not end within --drain-seconds {} and were cut off.",
            args.drain_seconds
        ));
    }
    Ok(Exit::Done)
}

fn generator_words(scheduler: &SchedulerConfig, kv_block_bytes: usize) -> String {
    format!(
        "Context of {} tokens, KV cache of {} tokens ({:.0} MB), {} sequences at once, {} waiting.",
        scheduler.context_tokens,
        scheduler.blocks * engine::BLOCK_TOKENS,
        (scheduler.blocks * kv_block_bytes) as f64 / 1e6,
        scheduler.sequences_max,
        scheduler.queue_max,
    )
}

fn encoder_words(scheduler: &SchedulerConfig, dimensions: usize) -> String {
    format!(
        "Vectors of {dimensions} numbers, of texts of up to {} tokens; {} texts and {} tokens at once, {} texts waiting.",
        scheduler.context_tokens,
        scheduler.sequences_max,
        scheduler.step_tokens_max,
        scheduler.queue_max,
    )
}

fn drain(seconds: f64) -> Result<Duration, Failure> {
    /// A day.
    const LIMIT: f64 = 86_400.0;
    if (0.0..=LIMIT).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err(Failure::usage(format!(
            "--drain-seconds must be between 0 and {LIMIT}, got `{seconds}`"
        )))
    }
}

/// With as many connections as this process may have files, after raising that number where it can be.
pub(crate) fn within_files(limits: HttpLimits) -> HttpLimits {
    let wanted = limits.connections_max + HttpLimits::GUESTS_MAX;
    let files = load::allow_as_many_as(wanted as u64);
    limits.within_files(usize::try_from(files).unwrap_or(usize::MAX))
}
