//! What was typed, made sense of: checked values, files read, the environment asked.

mod arrivals;
mod classes;
mod credentials;
mod generation;
mod input;
pub(crate) mod json_size;
mod launch;
pub(crate) mod limits;
mod load;
mod objectives;
mod pooling;
mod question;
mod request;
mod secrets;
mod server;
mod texts;
mod traffic;
mod variants;
mod words;

pub(crate) use self::credentials::{Secret, key, secrets};
pub(crate) use self::generation::GenerationConfig;
pub(crate) use self::input::{memory_left, read, read_bounded, read_text};
pub(crate) use self::launch::LaunchConfig;
pub(crate) use self::load::{Load, Point, Until, list};
pub(crate) use self::pooling::PoolingConfig;
pub(crate) use self::question::{CapacityQuestion, Question, VersusQuestion};
pub(crate) use self::request::{Fields, RequestConfig};
pub(crate) use self::secrets::Secrets;
pub(crate) use self::server::{ServerChoice, ServerConfig, USUAL_API_BASE};
pub(crate) use self::traffic::TrafficConfig;
pub(crate) use self::words::words;

use crate::args::{ChatArgs, EmbeddingArgs, ExchangeArgs, ExportFormat, OutputFormat};
use crate::args::{RecordsFormat, ResultArgs};
use crate::environment::Environment;
use crate::failure::Failure;
use ::load::Deadlines;
use stats::Assertion;
use std::path::PathBuf;
use std::time::Duration;
use trace::{Nanos, Slo};

/// A measurement of a server, resolved: whom, what, how fast, and what is asked of it.
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct Config {
    pub(crate) server: ServerConfig,
    /// What the requests are.
    pub(crate) task: Task,
    pub(crate) load: Load,
    pub(crate) seed: u64,
    pub(crate) deadlines: Deadlines,
    pub(crate) keep_alive: bool,
    pub(crate) slo: Option<Slo>,
    /// The objectives as they were typed.
    pub(crate) objectives: String,
    pub(crate) question: Question,
    /// Whether the client is held against a known provider after the run.
    pub(crate) certify: bool,
    /// Whether the server's own numbers are looked at.
    pub(crate) server_metrics: bool,
    pub(crate) output: OutputConfig,
    pub(crate) dry_run: bool,
    pub(crate) description: Option<String>,
}

/// What the requests of a measurement are. All else is the same for both.
#[derive(Clone)]
pub(crate) enum Task {
    /// Chats and completions.
    Generation(Box<GenerationConfig>),
    /// Texts that become vectors or scores.
    Pooling(Box<PoolingConfig>),
}

impl Task {
    /// A load with each kind of its requests.
    pub(crate) fn over(&self, load: Load) -> Load {
        match self {
            Self::Generation(_) => load,
            Self::Pooling(config) => config.over_all(load),
        }
    }
}

/// Where results go.
#[derive(Clone)]
pub(crate) struct OutputConfig {
    pub(crate) results_file: Option<PathBuf>,
    pub(crate) records: RecordsFormat,
    pub(crate) plot: bool,
    pub(crate) format: OutputFormat,
    pub(crate) file: Option<PathBuf>,
    /// What the numbers must keep.
    pub(crate) assertions: Vec<Assertion>,
    /// Formats of others.
    pub(crate) exports: Vec<ExportFormat>,
}

impl OutputConfig {
    fn resolve(args: &ResultArgs, load: &Load) -> Result<Self, Failure> {
        Ok(Self {
            assertions: objectives::assertions(&args.thresholds, load)?,
            exports: args.exports.export.clone(),
            results_file: args.results_file.clone(),
            records: args.records,
            plot: !args.no_plot,
            format: args.output_format,
            file: args.output.clone(),
        })
    }

    /// Whether nothing is said on standard error that is no error.
    pub(crate) fn is_quiet(&self) -> bool {
        self.format == OutputFormat::Quiet
    }
}

impl Config {
    /// Checks what was typed of a chat benchmark.
    pub(crate) fn chat(args: &ChatArgs, environment: Environment<'_>) -> Result<Self, Failure> {
        let (task, server, load) = generation::resolve(args, environment)?;
        Ok(Config {
            deadlines: Deadlines {
                first_token: match args.first_token_timeout {
                    None => seconds("--timeout", args.exchange.timeout)?,
                    Some(typed) => seconds("--first-token-timeout", typed)?,
                },
                stall: seconds("--stall-timeout", args.stall_timeout)?,
                ..deadlines(&args.exchange)?
            },
            slo: objectives::slo(&args.results.goodput, task.request.no_streams())?,
            question: Question::resolve(
                &args.question,
                &args.load,
                &args.server,
                &server,
                environment,
            )?,
            certify: args.certify,
            seed: args.seed,
            ..Self::of(
                server,
                Task::Generation(task.into()),
                load,
                &args.exchange,
                &args.results,
            )?
        })
    }

    /// Checks what was typed of an embedding benchmark.
    pub(crate) fn embedding(
        args: &EmbeddingArgs,
        environment: Environment<'_>,
    ) -> Result<Self, Failure> {
        let (task, server, load) = pooling::resolve(args, environment)?;
        let no_streams = "vectors come whole; give e2e:MS";
        Ok(Config {
            slo: objectives::slo(&args.results.goodput, Some(no_streams))?,
            question: Question::resolve(
                &args.question,
                &args.load,
                &args.server,
                &server,
                environment,
            )?,
            seed: args.texts.seed,
            ..Self::of(
                server,
                Task::Pooling(task.into()),
                load,
                &args.exchange,
                &args.results,
            )?
        })
    }

    /// What both have in common; seed, objectives and question are for whoever calls this.
    fn of(
        server: ServerConfig,
        task: Task,
        load: Load,
        exchange: &ExchangeArgs,
        results: &ResultArgs,
    ) -> Result<Self, Failure> {
        refuse_control_characters("--description", results.description.as_deref())?;
        if results.dry_run && server.launch.is_some() {
            return Err(LaunchConfig::dry_run());
        }
        Ok(Config {
            server,
            task,
            seed: 0,
            deadlines: deadlines(exchange)?,
            keep_alive: !exchange.no_keep_alive,
            slo: None,
            objectives: results.goodput.join(" "),
            question: Question::Numbers,
            certify: false,
            server_metrics: !results.no_server_metrics,
            output: OutputConfig::resolve(results, &load)?,
            dry_run: results.dry_run,
            description: results.description.clone(),
            load,
        })
    }
}

pub(crate) fn refuse_control_characters(flag: &str, text: Option<&str>) -> Result<(), Failure> {
    match text.and_then(|text| text.chars().find(|c| c.is_control())) {
        Some(found) => Err(Failure::usage(format!(
            "{flag} holds the control character U+{:04X}; leave it out",
            u32::from(found)
        ))),
        None => Ok(()),
    }
}

/// A span given in seconds, as nanoseconds above 0.
fn positive(flag: &str, unit: &str, value: f64) -> Result<u64, Failure> {
    /// Longer than any benchmark.
    const LIMIT: f64 = 1e7;
    if value > 0.0 && value <= LIMIT {
        Ok(Nanos::from_seconds(value).0.max(1))
    } else {
        Err(Failure::usage(format!(
            "{flag} must be above 0 and at most {LIMIT} {unit}, got `{value}`"
        )))
    }
}

fn seconds(flag: &str, typed: f64) -> Result<Duration, Failure> {
    positive(flag, "seconds", typed).map(Duration::from_nanos)
}

/// Of requests whose answers come whole.
fn deadlines(args: &ExchangeArgs) -> Result<Deadlines, Failure> {
    let total = seconds("--timeout", args.timeout)?;
    Ok(Deadlines {
        connect: seconds("--connect-timeout", args.connect_timeout)?,
        first_token: total,
        stall: total,
        total,
    })
}
