//! What was typed, made sense of: checked values, files read, the environment asked.

mod arrivals;
mod checks;
mod classes;
mod credentials;
mod generation;
mod launch;
mod lists;
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

pub(crate) use self::checks::refuse_control_characters;
pub(crate) use self::credentials::{Secret, key, secrets};
pub(crate) use self::generation::GenerationConfig;
pub(crate) use self::launch::LaunchConfig;
pub(crate) use self::lists::list;
pub(crate) use self::load::{Load, Point, Until};
pub(crate) use self::pooling::PoolingConfig;
pub(crate) use self::question::{CapacityQuestion, LOOKS, Question, VersusQuestion};
pub(crate) use self::request::{Fields, RequestConfig};
pub(crate) use self::secrets::Secrets;
pub(crate) use self::server::{ServerChoice, ServerConfig, USUAL_API_BASE};
pub(crate) use self::traffic::TrafficConfig;
pub(crate) use self::words::words;

use self::checks::seconds;
use self::request::patched_model;
use crate::args::{ChatArgs, EmbeddingArgs, ExchangeArgs, ResultArgs};
use crate::environment::Environment;
use crate::failure::Failure;
use crate::output::OutputConfig;
use ::load::Deadlines;
use trace::Slo;

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

impl Config {
    /// Checks what was typed of a chat benchmark.
    pub(crate) fn chat(args: &ChatArgs, environment: Environment<'_>) -> Result<Self, Failure> {
        let search = CapacityQuestion::resolve(&args.question.capacity, &args.load)?;
        let (task, server, load) = generation::resolve(args, search.as_ref(), environment)?;
        let question = Question::resolve(
            &args.question,
            search,
            &args.load,
            &args.server,
            &server,
            patched_model(&task.request.patch)?.as_deref(),
            environment,
        )?;
        let load = question.load(load);
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
            question,
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
        let search = CapacityQuestion::resolve(&args.question.capacity, &args.load)?;
        let (task, server, load) = pooling::resolve(args, search.as_ref(), environment)?;
        let question = Question::resolve(
            &args.question,
            search,
            &args.load,
            &args.server,
            &server,
            patched_model(&task.extra_body)?.as_deref(),
            environment,
        )?;
        let load = question.load(load);
        let no_streams = "vectors come whole; give e2e:MS";
        Ok(Config {
            slo: objectives::slo(&args.results.goodput, Some(no_streams))?,
            question,
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
            output: output(results, &load)?,
            dry_run: results.dry_run,
            description: results.description.clone(),
            load,
        })
    }
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

/// Where results go.
fn output(args: &ResultArgs, load: &Load) -> Result<OutputConfig, Failure> {
    Ok(OutputConfig {
        assertions: objectives::assertions(&args.thresholds, load)?,
        exports: args.exports.export.clone(),
        results_file: args.results_file.clone(),
        records: args.records,
        plot: !args.no_plot,
        format: args.output_format,
        file: args.output.clone(),
    })
}
