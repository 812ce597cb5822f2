//! `tokenomics serve`: the built-in engine as a server, until it is told to stop.

use crate::args::ServeArgs;
use crate::config::{Secret, key};
use crate::failure::{Exit, Failure};
use crate::interrupt::wait_for_stop;
use crate::model;
use crate::output::say;
use serve::ServeConfig;
use std::net::SocketAddr;
use std::time::Duration;

/// Serves until ctrl-C or SIGTERM, then lets running requests end.
pub(crate) fn serve(args: &ServeArgs) -> Result<Exit, Failure> {
    let drain = drain(args.drain_seconds)?;
    let key = key(args.api_key.as_deref(), args.api_key_file.as_deref())?;
    let environment = |name: &str| std::env::var(name).ok();
    let model = model::load(&args.engine, &environment)?;
    let scheduler =
        model::scheduler_config(&args.engine, &model, args.max_num_seqs, args.max_queue)?;
    let name = args.served_model_name.clone().unwrap_or(model.name.clone());
    let facts = model::words(&model);
    let limits = format!(
        "Context of {} tokens, KV cache of {} tokens ({:.0} MB), {} sequences at once, {} waiting.",
        scheduler.context_tokens,
        scheduler.blocks * engine::BLOCK_TOKENS,
        (scheduler.blocks * model.facts.kv_block_bytes) as f64 / 1e6,
        scheduler.sequences_max,
        scheduler.queue_max,
    );
    load::allow_connections(args.max_num_seqs as u64 + args.max_queue as u64, 1)
        .map_err(Failure::failed)?;
    let config = ServeConfig {
        address: SocketAddr::new(args.host, args.port),
        model_name: name.clone(),
        api_key: key.as_ref().map(|key| Secret::expose(key).to_owned()),
        scheduler,
        drain,
        ..ServeConfig::default()
    };
    let server = serve::spawn(config, model).map_err(Failure::failed)?;
    say(&facts);
    say(&limits);
    say(&format!(
        "Serving {name} at http://{}/v1; ctrl-C stops it.",
        server.addr()
    ));
    wait_for_stop()?;
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
