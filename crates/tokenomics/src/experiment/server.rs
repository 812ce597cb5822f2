//! The server that is measured: the one that was named, or the built-in one.

use crate::builtin::BuiltIn;
use crate::config::{ChatConfig, Secret};
use crate::failure::Failure;
use load::{HeaderMap, Target, TcpConnector};

/// A server that answered.
pub(crate) struct Server {
    pub(crate) target: Target,
    pub(crate) connector: TcpConnector,
    pub(crate) headers: HeaderMap,
    pub(crate) model: String,
    /// Kept for as long as it is measured.
    pub(crate) built_in: Option<BuiltIn>,
}

impl Server {
    /// Finds an address that accepts connections, and the model's name where none was given.
    pub(crate) async fn find(config: &ChatConfig) -> Result<Self, Failure> {
        let (target, built_in) = if let Some(target) = &config.target {
            (target.clone(), None)
        } else {
            let server = BuiltIn::start()?;
            (server.target()?, Some(server))
        };
        let key = config.api_key.as_ref().map(Secret::expose);
        let headers = load::request_headers(&target, config.request.stream, key, &config.headers)
            .map_err(Failure::usage)?;
        let connector = TcpConnector::probe(&target, &config.tls, config.deadlines.connect)
            .map_err(Failure::failed)?;
        let model = match &config.model {
            Some(model) => model.clone(),
            None => first_model(config, &target, &connector, &headers).await?,
        };
        Ok(Server {
            target,
            connector,
            headers,
            model,
            built_in,
        })
    }
}

/// The first model that the server lists.
async fn first_model(
    config: &ChatConfig,
    target: &Target,
    connector: &TcpConnector,
    headers: &HeaderMap,
) -> Result<String, Failure> {
    let path = format!("{}/models", target.base_path);
    let url = target.url();
    let asking = load::get(connector, &path, headers.clone(), config.deadlines.connect);
    let answer = asking.await.map_err(|why| {
        let way_out = if why.contains("InvalidContentType") {
            "it does not speak TLS; write http:// in front of its address"
        } else {
            "check --api-base"
        };
        Failure::failed(format!("cannot list the models of {url}: {why}; {way_out}"))
    })?;
    if answer.status != 200 {
        let words = openai::error_message(&answer.body).unwrap_or_default();
        let words = config.secrets().redact(&words);
        let way_out = match answer.status {
            401 | 403 => {
                "check the key: --api-key, --api-key-file or the variable OPENAI_API_KEY".to_owned()
            }
            404 if !target.base_path.ends_with("/v1") => {
                format!("most servers have their API under /v1: try --api-base {url}/v1")
            }
            _ => "check --api-base, or name the model with --model".to_owned(),
        };
        return Err(Failure::failed(format!(
            "listing the models of {url} was answered with status {}: {words}; {way_out}",
            answer.status
        )));
    }
    let first = openai::model_ids(&answer.body).into_iter().next();
    first.ok_or_else(|| Failure::failed(format!("{url} lists no model; name one with --model")))
}
