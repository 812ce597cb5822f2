//! Which server is measured: the one at a URL, the one that a model's name means, one that is launched, or the built-in
//! one.

use super::checks::refuse_control_characters;
use super::credentials::{Secret, api_key, headers, tls};
use super::launch::LaunchConfig;
use crate::args::ServerArgs;
use crate::builtin::BuiltIn;
use crate::environment::Environment;
use crate::failure::Failure;
use load::{Target, TlsOptions};
use std::path::Path;

/// Where a server is expected whose model alone is named, as the first tokenomics had it.
pub(crate) const USUAL_API_BASE: &str = "http://localhost:8000/v1";

/// A server, and what every request to it carries.
#[derive(Clone)]
pub(crate) struct ServerConfig {
    pub(crate) choice: ServerChoice,
    /// What starts it, where the measurement does.
    pub(crate) launch: Option<LaunchConfig>,
    /// Its model's name in the API, where that was said.
    pub(crate) model: Option<String>,
    pub(crate) api_key: Option<Secret>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) tls: TlsOptions,
}

impl ServerConfig {
    /// Makes sense of the server's flags. `default_model` is what the built-in server has where nobody names a model;
    /// what is started here was named by `launch_flag`, and listens on none of the `taken` ports.
    pub(super) fn resolve(
        args: &ServerArgs,
        default_model: &str,
        launch_flag: &str,
        taken: &[u16],
        environment: Environment<'_>,
    ) -> Result<Self, Failure> {
        refuse_control_characters("--model", args.model.as_deref())?;
        let launch = args.launch.as_deref();
        let launch = launch.map(|line| LaunchConfig::of_line(launch_flag, line, taken));
        let launch = launch.transpose()?;
        let url = launch.as_ref().map(|launch| launch.target.url());
        let model = args.model.clone();
        let model = model.or_else(|| launch.as_ref().map(|launch| launch.model.clone()));
        let choice = ServerChoice::resolve(
            args.api_base.as_deref().or(url.as_deref()),
            model.as_deref(),
            args.endpoint.as_deref(),
            default_model,
            environment,
        )?;
        Ok(Self {
            model: choice.asked_model(model),
            api_key: api_key(
                args.api_key.as_deref(),
                args.api_key_file.as_deref(),
                choice.target.is_some(),
                environment,
            )?,
            headers: headers(&args.headers)?,
            tls: tls(args.ca_cert.as_deref())?,
            choice,
            launch,
        })
    }

    /// Which one it is, in a few words.
    pub(crate) fn name(&self) -> String {
        let place = self.choice.words("");
        match &self.launch {
            Some(launch) => format!("{} at {place}", launch.spec.name),
            None => place,
        }
    }

    /// The port of this machine that it listens on.
    pub(super) fn port(&self) -> Option<u16> {
        let here = ["localhost", "127.0.0.1", "::1", "[::1]"];
        let target = self.choice.target.as_ref();
        let target = target.filter(|target| here.contains(&target.host.as_str()))?;
        Some(target.port)
    }
}

/// The server that was meant.
#[derive(Clone, Debug)]
pub(crate) struct ServerChoice {
    /// Where it is; `None` for the built-in one.
    pub(crate) target: Option<Target>,
    /// The model that the built-in one loads, where that one is measured.
    pub(crate) built_in: Option<String>,
    /// Whether nobody gave its address, but a model's name, which means [`USUAL_API_BASE`].
    pub(crate) implied: bool,
    /// The route that the URL ended with, without its leading `/v1`.
    pub(crate) route: Option<&'static str>,
}

/// Routes that people leave at a URL's end, the longest of those that end alike first.
const ROUTES: [&str; 7] = [
    "/chat/completions",
    "/completions",
    "/responses",
    "/embeddings",
    "/score",
    "/rerank",
    "/models",
];

impl ServerChoice {
    /// Makes sense of the server's flags. `endpoint` is where requests go, as it was typed; `default_model` is what
    /// the built-in server has where nobody names a model.
    pub(crate) fn resolve(
        api_base: Option<&str>,
        model: Option<&str>,
        endpoint: Option<&str>,
        default_model: &str,
        environment: Environment<'_>,
    ) -> Result<Self, Failure> {
        let built_in = match (api_base, model) {
            (None, None) => Some(default_model.to_owned()),
            (None, Some(model)) if is_of_the_engine(model) => Some(existing(model, environment)?),
            _ => None,
        };
        if built_in.is_some() {
            return Ok(Self {
                target: None,
                built_in,
                implied: false,
                route: None,
            });
        }
        let target = Target::parse(api_base.unwrap_or(USUAL_API_BASE)).map_err(Failure::usage)?;
        let (target, route) = without_route(target);
        Ok(Self {
            target: Some(with_version(target, endpoint.unwrap_or_default())),
            built_in: None,
            implied: api_base.is_none(),
            route,
        })
    }

    /// Where it is, for a plan that is only shown.
    pub(crate) fn words(&self, endpoint: &str) -> String {
        match (&self.target, &self.built_in) {
            (Some(target), _) => format!("{}{endpoint}", target.url()),
            (None, built_in) => BuiltIn::words(built_in.as_deref().unwrap_or_default()),
        }
    }

    /// The model of a plan that is only shown.
    pub(crate) fn model_words<'a>(&'a self, asked: Option<&'a str>) -> &'a str {
        let own = self.built_in.as_deref();
        asked.or(own).unwrap_or("the first one it lists")
    }

    /// What was made of the URL, for the person who typed it; `None` where it was taken as it is.
    pub(crate) fn note(&self, endpoint: &str) -> Option<String> {
        let (target, route) = (self.target.as_ref()?, self.route?);
        Some(format!(
            "--api-base ends in {route}, and the address of an API ends before that: measuring {}{endpoint}.",
            target.url()
        ))
    }

    /// The model's name in the API, as far as it was said: what the built-in server loads has a name of its own.
    pub(crate) fn asked_model(&self, typed: Option<String>) -> Option<String> {
        typed.filter(|_| self.target.is_some())
    }
}

/// Whether a model is one that the built-in engine loads, a path or random weights, and not a name that a server
/// knows. `Qwen/Qwen3-8B` is a name, unless there is such a folder here.
fn is_of_the_engine(model: &str) -> bool {
    let begins = ["random:", "./", "../", "/", "~/"];
    let is_gguf = Path::new(model)
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("gguf"));
    begins.iter().any(|begin| model.starts_with(begin))
        || [".", "..", "~"].contains(&model)
        || is_gguf
        || (model.contains('/') && Path::new(model).exists())
}

/// Random weights, or a path at which something is.
fn existing(model: &str, environment: Environment<'_>) -> Result<String, Failure> {
    let path = at_home(model, environment);
    if path.starts_with("random:") || Path::new(&path).exists() {
        return Ok(path);
    }
    Err(Failure::usage(format!(
        "--model {model}: there is no such file or folder, which the built-in engine would load; check the path, or \
         give the address of the server that has a model of this name: --api-base {USUAL_API_BASE}"
    )))
}

/// A path below `~`, which a shell leaves as it is behind `--model=`.
fn at_home(model: &str, environment: Environment<'_>) -> String {
    let below = model.strip_prefix('~');
    let below = below.filter(|rest| rest.is_empty() || rest.starts_with('/'));
    match (below, environment("HOME")) {
        (Some(below), Some(home)) => format!("{home}{below}"),
        _ => model.to_owned(),
    }
}

/// `http://host:8000/v1/chat/completions` is the API at `http://host:8000/v1`.
fn without_route(mut target: Target) -> (Target, Option<&'static str>) {
    let path = target.base_path.to_ascii_lowercase();
    let route = ROUTES.iter().find(|route| path.ends_with(*route)).copied();
    if let Some(route) = route {
        let left = target.base_path.len() - route.len();
        target.base_path.truncate(left);
        let left = target.base_path.trim_end_matches('/').len();
        target.base_path.truncate(left);
    }
    (target, route)
}

/// `--base-url http://host:8000 --endpoint /v1/chat/completions`, as `vllm bench serve` has it, is
/// `--api-base http://host:8000/v1` here.
fn with_version(mut target: Target, endpoint: &str) -> Target {
    if endpoint.starts_with("/v1/") && !target.base_path.ends_with("/v1") {
        target.base_path.push_str("/v1");
    }
    target
}

#[cfg(test)]
mod tests {
    use super::ServerChoice;

    fn choice(api_base: Option<&str>, model: Option<&str>) -> ServerChoice {
        let home = |name: &str| (name == "HOME").then(|| "/home/me".to_owned());
        ServerChoice::resolve(api_base, model, None, "random:tiny", &home).unwrap()
    }

    #[test]
    fn a_model_alone_means_the_server_at_port_8000() {
        for model in ["distill-llama-8b", "Qwen/Qwen3-Embedding-4B", "gpt-4o"] {
            let choice = choice(None, Some(model));
            assert_eq!(choice.target.unwrap().url(), "http://localhost:8000/v1");
            assert!(choice.implied && choice.built_in.is_none(), "{model}");
        }
    }

    #[test]
    fn a_path_or_random_weights_mean_the_built_in_server() {
        for (model, loads) in [
            (None, "random:tiny"),
            (Some("random:gpt2"), "random:gpt2"),
            // Such folders are there when this test runs.
            (Some("src/config"), "src/config"),
            (Some("./src"), "./src"),
            (Some(".."), ".."),
        ] {
            let choice = choice(None, model);
            assert_eq!(choice.built_in.as_deref(), Some(loads));
            assert!(choice.target.is_none() && !choice.implied, "{model:?}");
        }
    }

    #[test]
    fn a_path_at_which_nothing_is_names_both_ways_out() {
        for (model, why) in [
            ("./llama", "./llama"),
            ("/models/llama", "/models/llama"),
            ("~/llama", "~/llama"),
            ("SmolLM2.Q4_1.GGUF", "SmolLM2.Q4_1.GGUF"),
        ] {
            let home = |name: &str| (name == "HOME").then(|| "/nobody".to_owned());
            let refused = ServerChoice::resolve(None, Some(model), None, "random:tiny", &home);
            let refused = refused.unwrap_err().to_string();
            assert!(refused.contains(why), "{refused}");
            assert!(refused.contains("no such file or folder"), "{refused}");
            assert!(refused.contains("--api-base"), "{refused}");
        }
    }

    #[test]
    fn what_the_shell_left_of_a_home_folder_is_found() {
        let home = |name: &str| (name == "HOME").then(|| env!("CARGO_MANIFEST_DIR").to_owned());
        assert_eq!(
            super::at_home("~/src", &home),
            concat!(env!("CARGO_MANIFEST_DIR"), "/src")
        );
        assert_eq!(super::at_home("~other/src", &home), "~other/src");
    }

    #[test]
    fn a_server_that_is_named_has_the_model_whatever_that_looks_like() {
        for model in [None, Some("./llama"), Some("random:tiny"), Some("m")] {
            let choice = choice(Some("http://gpu:9/v1"), model);
            assert_eq!(choice.target.unwrap().url(), "http://gpu:9/v1");
            assert!(choice.built_in.is_none() && !choice.implied);
        }
    }

    #[test]
    fn a_route_at_the_urls_end_is_dropped_and_kept_in_mind() {
        for (typed, url, route) in [
            (
                "http://h:1/v1/chat/completions",
                "http://h:1/v1",
                Some("/chat/completions"),
            ),
            (
                "http://h:1/v1/Chat/Completions/",
                "http://h:1/v1",
                Some("/chat/completions"),
            ),
            (
                "http://h:1/v1/completions",
                "http://h:1/v1",
                Some("/completions"),
            ),
            ("h:1/embeddings", "http://h:1", Some("/embeddings")),
            (
                "http://h:1/v1//responses",
                "http://h:1/v1",
                Some("/responses"),
            ),
            ("http://h:1/v1/models", "http://h:1/v1", Some("/models")),
            ("http://h:1/openai/v1/", "http://h:1/openai/v1", None),
            (
                "http://h:1/completions-api",
                "http://h:1/completions-api",
                None,
            ),
        ] {
            let choice = choice(Some(typed), None);
            assert_eq!(choice.target.unwrap().url(), url);
            assert_eq!(choice.route, route, "{typed}");
        }
    }
}
