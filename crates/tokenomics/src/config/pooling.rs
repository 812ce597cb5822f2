//! What was typed of a benchmark of vectors or scores, made sense of.

use super::load::{Load, Point};
use super::question::CapacityQuestion;
use super::request::{Fields, dimensions, encoding, extra_body, patched_model, refuse_texts};
use super::server::ServerConfig;
use super::texts::TextConfig;
use crate::args::EmbeddingArgs;
use crate::builtin::BuiltIn;
use crate::environment::Environment;
use crate::failure::Failure;
use openai::{PoolingTask, VectorEncoding};
use std::sync::Arc;
use trace::{Pacing, PointInfo};
use workload::{PromptSource, Texts};

/// What texts become, and which.
#[derive(Clone)]
pub(crate) struct PoolingConfig {
    pub(crate) task: PoolingTask,
    pub(crate) texts: TextConfig,
    /// Texts of each length, in each number of them.
    pub(crate) sources: Vec<NamedSource>,
    pub(crate) encoding: VectorEncoding,
    pub(crate) dimensions: Option<u32>,
    /// The merge patch on each body.
    pub(crate) extra_body: Fields,
}

/// Texts of one length, so many in each request.
#[derive(Clone)]
pub(crate) struct NamedSource {
    /// The end of the names of its points: `_inputs_4_seq_200`.
    name: String,
    pub(crate) source: PromptSource,
}

/// The task, whom it is for, and how it is loaded: of a `search`, at first.
pub(super) fn resolve(
    args: &EmbeddingArgs,
    search: Option<&CapacityQuestion>,
    environment: Environment<'_>,
) -> Result<(PoolingConfig, ServerConfig, Load), Failure> {
    let mut server =
        ServerConfig::resolve(&args.server, BuiltIn::ENCODER, "--launch", &[], environment)?;
    let task = task(args.server.endpoint.as_deref(), server.choice.route)?;
    if args.dimensions == Some(0) {
        return Err(Failure::usage("--dimensions must be at least 1, got 0"));
    }
    let built_in = server.choice.built_in.as_deref();
    let texts = TextConfig::resolve(&args.texts, task, built_in, environment)?;
    let sources = sources(&texts, task)?;
    let load = match search {
        Some(search) => search.first_load()?,
        None => Load::resolve(&args.load, "1,2,4,8,16", None, &args.question.until)?,
    };
    let one_answer = args.question.fixed_vs_continuous || args.question.capacity.find_capacity;
    if one_answer && sources.len() > 1 {
        return Err(Failure::usage(format!(
            "--find-capacity and --fixed-vs-continuous have one answer, and there are {} kinds of requests; choose one \
             with --sequence-lengths (200, say) and one number with --inputs-per-request",
            sources.len()
        )));
    }
    let patch = extra_body(args.exchange.extra_body.as_deref())?;
    refuse_texts(&patch)?;
    if let Some(model) = patched_model(&patch)? {
        server.model = Some(model);
    }
    let task = PoolingConfig {
        task,
        texts,
        sources,
        encoding: encoding(&patch, args.encoding_format.into())?,
        dimensions: dimensions(&patch, args.dimensions)?,
        extra_body: patch,
    };
    let load = task.over_all(load);
    Ok((task, server, load))
}

impl PoolingConfig {
    /// A point for each kind of texts and load, in the names of the first result files: `batch_8_seq_200`, and beside it
    /// `batch_8_tok_128` and `batch_8_seq_dataset`.
    pub(crate) fn over_all(&self, mut load: Load) -> Load {
        let bare = std::mem::take(&mut load.points);
        for (source, texts) in self.sources.iter().enumerate() {
            load.points.extend(bare.iter().map(|point| {
                let name = match point.info.pacing {
                    Pacing::Burst { .. } => "batch",
                    Pacing::Closed { .. } => "concurrency",
                    Pacing::Open { .. } => "rate",
                };
                Point {
                    info: PointInfo {
                        key: format!("{name}_{}{}", point.info.key, texts.name),
                        pacing: point.info.pacing,
                    },
                    source,
                    ..*point
                }
            }));
        }
        load
    }
}

fn sources(texts: &TextConfig, task: PoolingTask) -> Result<Vec<NamedSource>, Failure> {
    let tokenizer = texts.tokenizer.as_ref();
    let mut sources = Vec::new();
    for (kind, source) in &texts.kinds {
        for &per_request in &texts.per_request {
            let counter = tokenizer.map(|by| Arc::clone(&by.counter));
            let source = Texts::new(source.clone(), per_request, task.has_query(), counter);
            let source = PromptSource::Texts(source.map_err(Failure::usage)?);
            let name = if per_request == 1 {
                format!("_{kind}")
            } else {
                format!("_inputs_{per_request}_{kind}")
            };
            sources.push(NamedSource { name, source });
        }
    }
    Ok(sources)
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
