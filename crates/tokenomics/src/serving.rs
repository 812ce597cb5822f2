//! `tokenomics serve`: the built-in engine as a server, until it is told to stop.

use crate::args::ServeArgs;
use crate::config::{Secret, key};
use crate::failure::{Exit, Failure};
use crate::interrupt::wait_for_stop;
use crate::model;
use crate::output::say;
use models::LoadedModel;
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
    let facts = words(&model);
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
    say(&format!(
        "Serving {name} at http://{}/v1; ctrl-C stops it.",
        server.addr()
    ));
    wait_for_stop()?;
    say("Stopping: requests that run may end. Press ctrl-C again to end at once.");
    server.shutdown();
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

/// What was loaded, in a line.
fn words(model: &LoadedModel) -> String {
    let facts = &model.facts;
    format!(
        "{}: {:.1} M parameters in {}, {:.1} MB; {} with {} threads.",
        model.name,
        facts.parameters as f64 / 1e6,
        facts.dtype,
        facts.weight_bytes as f64 / 1e6,
        facts.isa,
        facts.threads,
    )
}
