//! A server to be started: what `launch` and `--launch` say, made sense of.

use super::words::words;
use crate::args::{LaunchArgs, LaunchLine};
use crate::failure::Failure;
use clap::Parser;
use load::Target;
use process::ChildSpec;
use process::preset::ServerSettings;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What to start, and how to know that it is ready.
#[derive(Clone, Debug)]
pub(crate) struct LaunchConfig {
    pub(crate) spec: ChildSpec,
    pub(crate) target: Target,
    /// The name that requests give.
    pub(crate) model: String,
    pub(crate) port: u16,
    /// How long it may take to answer its first request.
    pub(crate) timeout: Duration,
    pub(crate) log: PathBuf,
}

impl LaunchConfig {
    /// What `--launch` says, or a `flag` like it, such as `vllm --model /models/llama --tp 2`, on the next free port where that is `taken`.
    pub(super) fn of_line(flag: &str, line: &str, taken: &[u16]) -> Result<Self, Failure> {
        let words = words(flag, line)?;
        let parsed = LaunchLine::try_parse_from(words);
        let args = parsed.map_err(|error| {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default();
            let first = first.trim_start_matches("error: ");
            Failure::usage(format!(
                "{flag} `{line}`: {first}; see `tokenomics launch --help`"
            ))
        })?;
        if args.args.dry_run {
            return Err(Self::dry_run());
        }
        let mut args = args.args;
        if taken.contains(&args.port) {
            let free = |port: &u16| {
                !taken.contains(port) && TcpListener::bind((args.host.as_str(), *port)).is_ok()
            };
            args.port = (args.port..=u16::MAX).find(free).ok_or_else(|| {
                Failure::usage(format!(
                    "{flag} `{line}`: no port is free from --port on; choose a lower one"
                ))
            })?;
        }
        Self::resolve(&args)
    }

    /// What is started cannot be shown and not started.
    pub(super) fn dry_run() -> Failure {
        Failure::usage(
            "--dry-run starts nothing; `tokenomics launch … --dry-run` shows what --launch would start",
        )
    }

    /// Makes sense of the verb's flags.
    pub(crate) fn resolve(args: &LaunchArgs) -> Result<Self, Failure> {
        for (flag, value) in [("--tp", args.tp), ("--pp", args.pp)] {
            if value == 0 {
                return Err(Failure::usage(format!(
                    "{flag} must be at least 1, got `0`"
                )));
            }
        }
        let command = match &args.command {
            Some(command) => Some(words("--command", command)?),
            None => None,
        };
        let lora = |text: &String| match text.split_once('=') {
            Some((name, path)) if !name.is_empty() && !path.is_empty() => {
                Ok((name.to_owned(), path.to_owned()))
            }
            _ => Err(Failure::usage(format!(
                "--lora must be NAME=PATH, got `{text}`"
            ))),
        };
        let server = args.server.preset();
        let model = args.name.clone().unwrap_or_else(|| last_part(&args.model));
        let settings = ServerSettings {
            model: args.model.clone(),
            name: model.clone(),
            host: args.host.clone(),
            port: args.port,
            command,
            tensor_parallel: args.tp,
            pipeline_parallel: args.pp,
            device: args.device.clone(),
            speculative: args
                .speculative_model
                .clone()
                .map(|model| (model, args.num_speculative_tokens)),
            loras: args.lora.iter().map(lora).collect::<Result<_, _>>()?,
            more: args.more.clone(),
        };
        let own = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("tokenomics"));
        let spec = server
            .spec(&settings, &own.to_string_lossy())
            .map_err(Failure::usage)?;
        if !(0.1..=86_400.0).contains(&args.start_timeout) {
            return Err(Failure::usage(format!(
                "--start-timeout must be between 0.1 and 86400 seconds, got `{}`",
                args.start_timeout
            )));
        }
        let moment = jiff::Zoned::now().strftime("%Y%m%d-%H%M%S").to_string();
        let log = format!("launch-{}-{}-{moment}.log", server.name(), args.port);
        let url = format!("http://{}:{}/v1", reachable(&args.host), args.port);
        Ok(Self {
            spec,
            target: Target::parse(&url).map_err(Failure::usage)?,
            model,
            port: args.port,
            timeout: Duration::from_secs_f64(args.start_timeout),
            log: args
                .log
                .clone()
                .unwrap_or_else(|| Path::new("results").join(log)),
        })
    }
}

/// `0.0.0.0` listens everywhere and is nowhere.
fn reachable(host: &str) -> &str {
    match host {
        "0.0.0.0" => "127.0.0.1",
        "::" => "[::1]",
        host => host,
    }
}

/// The last part of a path or an id.
fn last_part(model: &str) -> String {
    let last = model.trim_end_matches('/').rsplit('/').next();
    last.unwrap_or(model).trim_end_matches(".gguf").to_owned()
}
