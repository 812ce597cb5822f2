//! The server that is measured: the one that was named, or the built-in one.

use crate::builtin::BuiltIn;
use crate::config::{Secret, secrets};
use crate::failure::Failure;
use load::{HeaderMap, Target, TcpConnector, TlsOptions};
use std::time::Duration;

/// A server that answered.
pub(crate) struct Server {
    pub(crate) target: Target,
    pub(crate) connector: TcpConnector,
    pub(crate) headers: HeaderMap,
    pub(crate) model: String,
    /// Kept for as long as it is measured.
    pub(crate) built_in: Option<BuiltIn>,
}

/// Where a server is, or which one to start, and how to ask it.
pub(crate) struct Asked<'a> {
    pub(crate) target: Option<&'a Target>,
    pub(crate) model: Option<&'a str>,
    pub(crate) api_key: Option<&'a Secret>,
    pub(crate) headers: &'a [(String, String)],
    pub(crate) tls: &'a TlsOptions,
    pub(crate) connect: Duration,
    pub(crate) stream: bool,
    /// Starts what is measured where no server is named.
    pub(crate) built_in: fn() -> Result<BuiltIn, Failure>,
}

impl Server {
    /// Finds an address that accepts connections, and the model's name where none was given.
    pub(crate) async fn find(asked: &Asked<'_>) -> Result<Self, Failure> {
        let (target, built_in) = if let Some(target) = asked.target {
            (target.clone(), None)
        } else {
            let server = (asked.built_in)()?;
            (server.target()?, Some(server))
        };
        let key = asked.api_key.map(Secret::expose);
        let headers = load::request_headers(&target, asked.stream, key, asked.headers)
            .map_err(Failure::usage)?;
        let connector =
            TcpConnector::probe(&target, asked.tls, asked.connect).map_err(Failure::failed)?;
        let model = match asked.model {
            Some(model) => model.to_owned(),
            None => first_model(asked, &target, &connector, &headers).await?,
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
    asked: &Asked<'_>,
    target: &Target,
    connector: &TcpConnector,
    headers: &HeaderMap,
) -> Result<String, Failure> {
    let path = format!("{}/models", target.base_path);
    let url = target.url();
    let asking = load::get(connector, &path, headers.clone(), asked.connect);
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
        let words = secrets(asked.api_key, asked.headers).redact(&words);
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
