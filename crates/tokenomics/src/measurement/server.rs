//! The server that is measured: the one that was named, or the built-in one.

use super::api_path::{ApiPath, Asked, find_api, key_hint};
use super::words::as_clause;
use crate::builtin::BuiltIn;
use crate::config::{Config, Secret, Secrets, ServerChoice, ServerConfig, USUAL_API_BASE};
use crate::failure::Failure;
use crate::output::say;
use load::{Deadlines, HeaderMap, Target, TcpConnector};
use trace::{Outcome, Record, TimeoutKind};

/// A server that answered.
pub(crate) struct Server {
    pub(crate) target: Target,
    pub(crate) connector: TcpConnector,
    pub(crate) headers: HeaderMap,
    /// The same of requests whose answers come whole.
    pub(crate) plain_headers: HeaderMap,
    pub(crate) model: String,
    /// Kept for as long as it is measured.
    pub(crate) built_in: Option<BuiltIn>,
    /// The URL was typed without the `/v1` under which the API is.
    added_version: bool,
}

impl Server {
    /// Finds an address that accepts connections, the path under which the API is, and the model's name where none
    /// was given.
    pub(super) async fn find(config: &Config, asked: &ServerConfig) -> Result<Self, Failure> {
        let kind = config.task.kind();
        let (target, built_in) = match (&asked.choice.target, &asked.choice.built_in) {
            (Some(target), _) => (target.clone(), None),
            (None, model) => {
                let server = kind.built_in()(model.as_deref().unwrap_or_default())?;
                (server.target()?, Some(server))
            }
        };
        let key = asked.api_key.as_ref().map(Secret::expose);
        let headers = |streams| {
            load::request_headers(&target, streams, key, &asked.headers).map_err(Failure::usage)
        };
        let (headers, plain_headers) = (headers(kind.streams())?, headers(false)?);
        let connector = TcpConnector::probe(&target, &asked.tls, config.deadlines.connect)
            .map_err(|error| unreachable(&error.to_string(), &asked.choice))?;
        let found = if let Some(server) = &built_in {
            ApiPath {
                model: server.model().to_owned(),
                target,
                added_version: false,
            }
        } else {
            let asked = Asked {
                server: asked,
                route: kind.path(),
                within: config.deadlines.connect,
            };
            find_api(&asked, target, &connector, &headers).await?
        };
        Ok(Server {
            target: found.target,
            connector,
            headers,
            plain_headers,
            model: found.model,
            built_in,
            added_version: found.added_version,
        })
    }

    /// Says which server is measured, where that is not the one that was typed.
    pub(crate) fn announce(&self, choice: &ServerChoice, endpoint: &str) {
        let url = self.target.url();
        if let Some(model) = &choice.built_in {
            let words = BuiltIn::words(model);
            say(&format!("No --api-base given: measuring {words} at {url}."));
        }
        if choice.implied {
            say(&format!(
                "No --api-base given: measuring {} at {url}.",
                self.model
            ));
        }
        if self.added_version {
            say(&format!(
                "The API is not at the address that was given but below its /v1: measuring {url}{endpoint}."
            ));
        } else if let Some(note) = choice.note(endpoint) {
            say(&note);
        }
    }
}

/// Nothing listens there. Who gave no address may have meant something else by the model.
fn unreachable(why: &str, choice: &ServerChoice) -> Failure {
    if !choice.implied {
        return Failure::failed(why);
    }
    let cause = why.split("; ").next().unwrap_or(why);
    Failure::failed(format!(
        "{cause}. --model alone means a server at {USUAL_API_BASE}: start it there, or give the address of another \
         with --api-base. To measure the built-in engine instead, give a path as --model (./FOLDER, FILE.gguf), \
         random:NAME, or nothing"
    ))
}

/// Puts into a record what only the program knows: the limit that was passed, and how to get a key right. Takes keys
/// out of it: a server may repeat the one that it refuses.
pub(crate) fn complete_words(record: &mut Record, secrets: &Secrets, deadlines: &Deadlines) {
    secrets.redact_record(record);
    record.detail = match (record.outcome, record.detail.take()) {
        (Outcome::Timeout(kind), None) => Some(limit_words(kind, deadlines)),
        (Outcome::Http, Some(words)) => {
            match key_hint(record.status.unwrap_or_default(), &words) {
                // The verdict says so itself of these.
                Some(hint) if !matches!(record.status, Some(401 | 403)) => {
                    Some(format!("{} ({hint})", as_clause(&words)))
                }
                _ => Some(words),
            }
        }
        (_, words) => words,
    };
}

fn limit_words(kind: TimeoutKind, deadlines: &Deadlines) -> String {
    let (what, limit, flag) = match kind {
        TimeoutKind::Connect => ("no connection", deadlines.connect, "--connect-timeout"),
        TimeoutKind::FirstToken if deadlines.first_token == deadlines.total => {
            ("no token", deadlines.first_token, "--timeout")
        }
        TimeoutKind::FirstToken => ("no token", deadlines.first_token, "--first-token-timeout"),
        TimeoutKind::Stall => ("no further token", deadlines.stall, "--stall-timeout"),
        TimeoutKind::Total => ("no end of the answer", deadlines.total, "--timeout"),
    };
    format!(
        "{what} within {} s, the limit of {flag}",
        limit.as_secs_f64()
    )
}
