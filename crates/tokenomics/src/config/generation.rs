//! What was typed of a benchmark of chats or completions, made sense of.

use super::load::Load;
use super::question::CapacityQuestion;
use super::request::{RequestConfig, patched_model};
use super::server::ServerConfig;
use super::traffic::TrafficConfig;
use crate::args::ChatArgs;
use crate::builtin::BuiltIn;
use crate::environment::Environment;
use crate::failure::Failure;
use openai::Endpoint;
use std::str::FromStr;
use trace::Pacing;

/// What is generated, and from what.
#[derive(Clone)]
pub(crate) struct GenerationConfig {
    pub(crate) endpoint: Endpoint,
    /// What the requests are.
    pub(crate) traffic: TrafficConfig,
    pub(crate) request: RequestConfig,
}

/// The task, whom it is for, and how it is loaded: of a `search`, at first.
pub(super) fn resolve(
    args: &ChatArgs,
    search: Option<&CapacityQuestion>,
    environment: Environment<'_>,
) -> Result<(GenerationConfig, ServerConfig, Load), Failure> {
    let mut server =
        ServerConfig::resolve(&args.server, BuiltIn::MODEL, "--launch", &[], environment)?;
    let endpoint = endpoint(args.server.endpoint.as_deref(), server.choice.route)?;
    refuse_responses(args, endpoint, server.choice.target.is_some())?;
    let request = RequestConfig::resolve(args, endpoint)?;
    if let Some(model) = patched_model(&request.patch)? {
        server.model = Some(model);
    }
    let built_in = server.choice.built_in.as_deref();
    let mut traffic = TrafficConfig::resolve(args, &request, endpoint, built_in, environment)?;
    let load = match search {
        Some(search) => search.first_load()?,
        None => Load::resolve(
            &args.load,
            "1,2,4,8",
            traffic.replay.take(),
            &args.question.until,
        )?,
    };
    let follows = args.sessions.turns.is_some() || args.sessions.tool_loop.is_some();
    if follows && matches!(load.points[0].info.pacing, Pacing::Burst { .. }) {
        return Err(Failure::usage(
            "--turns and --tool-loop need a load that goes on, because a conversation outlasts a \
             batch; add --max-concurrency N or --request-rate R",
        ));
    }
    let task = GenerationConfig {
        endpoint,
        traffic,
        request,
    };
    Ok((task, server, load))
}

/// The route that was typed, else the one that the URL ended with.
fn endpoint(typed: Option<&str>, route: Option<&str>) -> Result<Endpoint, Failure> {
    match (typed, route) {
        (Some(typed), _) => Endpoint::from_str(typed).map_err(Failure::usage),
        (None, Some(route @ ("/embeddings" | "/score" | "/rerank"))) => {
            Err(Failure::usage(format!(
                "--api-base ends in {route}, which writes no text; measure it with `tokenomics embedding`"
            )))
        }
        (None, Some(route)) => Ok(Endpoint::from_str(route).unwrap_or_default()),
        (None, None) => Ok(Endpoint::default()),
    }
}

/// What `/responses` does not go with.
fn refuse_responses(args: &ChatArgs, endpoint: Endpoint, has_target: bool) -> Result<(), Failure> {
    let refuse = |why: &str| Err(Failure::usage(format!("--endpoint {endpoint} {why}")));
    if endpoint != Endpoint::Responses {
        Ok(())
    } else if !has_target && args.server.launch.is_none() {
        refuse("is no route of the built-in server; name a server that has it with --api-base")
    } else if args.sessions.tool_loop.is_some() {
        refuse("brings results to tools otherwise than --tool-loop does; leave one of the two out")
    } else if args.n > 1 {
        refuse("gives one answer to a request; leave out --n")
    } else {
        Ok(())
    }
}
