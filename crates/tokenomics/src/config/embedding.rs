//! What was typed of an embedding benchmark, made sense of.

use super::request::{Fields, dimensions, encoding, extra_body, patched_model, refuse_texts};
use super::{
    Load, OutputConfig, Point, Secret, ServerChoice, TypedLoad, api_key, assertions, headers,
    positive, refuse_control_characters, tls,
};
use crate::args::EmbeddingArgs;
use crate::builtin::BuiltIn;
use crate::config::arrivals::named_arrivals;
use crate::config::texts::TextConfig;
use crate::failure::Failure;
use ::load::{Deadlines, TlsOptions};
use openai::{PoolingTask, VectorEncoding};
use std::sync::Arc;
use std::time::Duration;
use trace::{Pacing, PointInfo};
use workload::{PromptSource, Texts};

/// An embedding benchmark, resolved.
pub(crate) struct EmbeddingConfig {
    pub(crate) server: ServerChoice,
    /// Its name in the API, where it was said.
    pub(crate) model: Option<String>,
    pub(crate) task: PoolingTask,
    pub(crate) api_key: Option<Secret>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) tls: TlsOptions,
    /// A point for each load, number of texts and length.
    pub(crate) load: Load,
    /// The texts of each point, in the same order.
    pub(crate) sources: Vec<PromptSource>,
    pub(crate) texts: TextConfig,
    pub(crate) encoding: VectorEncoding,
    pub(crate) dimensions: Option<u32>,
    /// The merge patch on each body.
    pub(crate) extra_body: Fields,
    pub(crate) deadlines: Deadlines,
    pub(crate) keep_alive: bool,
    pub(crate) output: OutputConfig,
    pub(crate) dry_run: bool,
    pub(crate) description: Option<String>,
}

impl EmbeddingConfig {
    /// Checks what was typed. `environment` looks up a variable.
    pub(crate) fn resolve(
        args: EmbeddingArgs,
        environment: &impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Failure> {
        let server = ServerChoice::resolve(
            args.api_base.as_deref(),
            args.model.as_deref(),
            args.endpoint.as_deref(),
            BuiltIn::ENCODER,
            environment,
        )?;
        let task = task(args.endpoint.as_deref(), server.route)?;
        for (flag, text) in [
            ("--model", &args.model),
            ("--description", &args.description),
        ] {
            refuse_control_characters(flag, text.as_deref())?;
        }
        if args.dimensions == Some(0) {
            return Err(Failure::usage("--dimensions must be at least 1, got 0"));
        }
        let texts =
            TextConfig::resolve(&args.texts, task, server.built_in.as_deref(), environment)?;
        let (load, sources) = points(&args, &texts, task)?;
        let patch = extra_body(args.extra_body.as_deref())?;
        refuse_texts(&patch)?;
        Ok(EmbeddingConfig {
            api_key: api_key(
                args.api_key.as_deref(),
                args.api_key_file.as_deref(),
                server.target.is_some(),
                environment,
            )?,
            headers: headers(&args.headers)?,
            tls: tls(args.ca_cert.as_deref())?,
            sources,
            texts,
            encoding: encoding(&patch, args.encoding_format.into())?,
            dimensions: dimensions(&patch, args.dimensions)?,
            deadlines: deadlines(&args)?,
            keep_alive: !args.no_keep_alive,
            output: OutputConfig {
                assertions: assertions(args.thresholds, &load)?,
                exports: args.exports.export,
                precision: Vec::new(),
                results_file: args.results_file,
                records: args.records,
                plot: !args.no_plot,
                format: args.output_format,
                prints: true,
                keeps: true,
                file: args.output,
            },
            load,
            dry_run: args.dry_run,
            description: args.description,
            model: patched_model(&patch)?.or_else(|| server.asked_model(args.model)),
            extra_body: patch,
            server,
            task,
        })
    }
}

/// The task of the route that was typed, else of the one that the URL ended with.
fn task(typed: Option<&str>, route: Option<&str>) -> Result<PoolingTask, Failure> {
    match (typed, route) {
        (Some(typed), _) => PoolingTask::of_path(typed).ok_or_else(|| {
            Failure::usage(format!(
                "--endpoint must be /embeddings, /score or /rerank, got `{typed}`"
            ))
        }),
        (None, Some(route @ ("/chat/completions" | "/completions" | "/responses"))) => {
            Err(Failure::usage(format!(
                "--api-base ends in {route}, which gives no vectors; measure it with `tokenomics chat`"
            )))
        }
        (None, Some(route)) => Ok(PoolingTask::of_path(route).unwrap_or_default()),
        (None, None) => Ok(PoolingTask::default()),
    }
}

/// A point for each length, number of texts and load, in the names of the first result files: `batch_8_seq_200`,
/// and beside it `batch_8_tok_128` and `batch_8_seq_dataset`.
fn points(
    args: &EmbeddingArgs,
    texts: &TextConfig,
    task: PoolingTask,
) -> Result<(Load, Vec<PromptSource>), Failure> {
    let mut load = Load::resolve(&TypedLoad {
        batch_sizes: args.batch_sizes.as_deref(),
        batch_sizes_default: "1,2,4,8,16",
        max_concurrency: args.max_concurrency.as_deref(),
        request_rate: args.request_rate.as_deref(),
        arrivals: named_arrivals(
            &args.arrivals,
            args.request_rate.as_deref(),
            args.burstiness,
        )?,
        burstiness: args.burstiness,
        num_prompts: args.num_prompts,
        duration: args.duration,
        until: false,
        num_runs: args.num_runs,
        warmup_runs: args.warmup_runs,
        seed: args.texts.seed,
    })?;
    let loads = std::mem::take(&mut load.points);
    let mut sources = Vec::new();
    let tokenizer = texts.tokenizer.as_ref();
    for (kind, source) in &texts.kinds {
        for &per_request in &texts.per_request {
            let counter = tokenizer.map(|by| Arc::clone(&by.counter));
            let source = Texts::new(source.clone(), per_request, task.has_query(), counter);
            let source = PromptSource::Texts(source.map_err(Failure::usage)?);
            for point in &loads {
                let name = match point.info.pacing {
                    Pacing::Burst { .. } => "batch",
                    Pacing::Closed { .. } => "concurrency",
                    Pacing::Open { .. } => "rate",
                };
                let inputs = if per_request == 1 {
                    String::new()
                } else {
                    format!("_inputs_{per_request}")
                };
                let key = format!("{name}_{}{inputs}_{kind}", point.info.key);
                load.points.push(Point {
                    info: PointInfo {
                        key,
                        pacing: point.info.pacing,
                    },
                    ..*point
                });
                sources.push(source.clone());
            }
        }
    }
    Ok((load, sources))
}

fn deadlines(args: &EmbeddingArgs) -> Result<Deadlines, Failure> {
    let span = |flag, seconds| positive(flag, "seconds", seconds).map(Duration::from_nanos);
    let total = span("--timeout", args.timeout)?;
    Ok(Deadlines {
        connect: span("--connect-timeout", args.connect_timeout)?,
        first_token: total,
        stall: total,
        total,
    })
}
