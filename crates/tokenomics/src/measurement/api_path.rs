//! Under which path a server has its API, and which models it lists.

use super::words::{as_clause, without_keys};
use crate::config::ServerConfig;
use crate::failure::Failure;
use load::{HeaderMap, Target, TcpConnector};
use std::time::Duration;

/// Whom to ask, and how.
pub(super) struct Asked<'a> {
    pub(super) server: &'a ServerConfig,
    /// Where requests will go, below the API's base URL.
    pub(super) route: &'static str,
    /// The time that it has to answer.
    pub(super) within: Duration,
}

impl Asked<'_> {
    fn model(&self) -> Option<&str> {
        self.server.model.as_deref()
    }
}

/// Where the API is.
pub(crate) struct ApiPath {
    pub(crate) target: Target,
    pub(crate) model: String,
    /// It is below the `/v1` of what was typed.
    pub(crate) added_version: bool,
}

/// What a server says to being asked for its models.
enum Listing {
    /// It has these.
    Models(Vec<String>),
    /// There is no such route, or none that lists a model.
    None { status: u16, words: String },
    /// The route is there, and does not answer.
    Refused { status: u16, words: String },
}

/// Finds the API: where it was typed, else below the `/v1` of that.
pub(super) async fn find_api(
    asked: &Asked<'_>,
    target: Target,
    connector: &TcpConnector,
    headers: &HeaderMap,
) -> Result<ApiPath, Failure> {
    let at = |target: Target, model: &str, added_version| ApiPath {
        target,
        model: model.to_owned(),
        added_version,
    };
    let below = (!has_version(&target.base_path)).then(|| below(&target));
    if let (Some(model), None) = (asked.model(), &below) {
        return Ok(at(target, model, false));
    }
    let listing = match list(asked, &target, connector, headers).await {
        // A server whose model is named need not list any.
        Err(_) if asked.model().is_some() => {
            return Ok(at(target, asked.model().unwrap_or_default(), false));
        }
        listing => listing?,
    };
    let (status, words, is_refused) = match &listing {
        Listing::Models(models) => {
            let first = models.first().map(String::as_str);
            let model = asked.model().or(first).unwrap_or_default();
            return Ok(at(target, model, false));
        }
        Listing::Refused { status, words } => (*status, words, true),
        Listing::None { status, words } => (*status, words, false),
    };
    if let Some(below) = below {
        match (list(asked, &below, connector, headers).await, asked.model()) {
            (Ok(Listing::Models(models)), model) => {
                let first = models.first().map(String::as_str);
                return Ok(at(below, model.or(first).unwrap_or_default(), true));
            }
            // What was typed is there, and is meant.
            _ if is_refused => {}
            (Ok(Listing::Refused { .. }), Some(model)) => return Ok(at(below, model, true)),
            (Ok(Listing::Refused { status, words }), None) => {
                return Err(no_listing(asked, &below, (status, &words), false));
            }
            (_, Some(model)) => {
                // Neither lists models: whoever has the route itself is meant.
                let is_below = !has_route(asked, &target, connector, headers).await
                    && has_route(asked, &below, connector, headers).await;
                return Ok(at(if is_below { below } else { target }, model, is_below));
            }
            (_, None) => {}
        }
    }
    if let Some(model) = asked.model() {
        return Ok(at(target, model, false));
    }
    let nothing_below = !is_refused && !has_version(&target.base_path);
    Err(no_listing(asked, &target, (status, words), nothing_below))
}

/// Whether a path ends in a version, such as `/v1`, `/v3` or `/v1beta`.
fn has_version(path: &str) -> bool {
    let last = path.rsplit('/').next().unwrap_or_default();
    let number = last.strip_prefix(['v', 'V']).unwrap_or_default();
    number.starts_with(|first: char| first.is_ascii_digit())
}

fn below(target: &Target) -> Target {
    Target {
        base_path: format!("{}/v1", target.base_path),
        ..target.clone()
    }
}

async fn list(
    asked: &Asked<'_>,
    target: &Target,
    connector: &TcpConnector,
    headers: &HeaderMap,
) -> Result<Listing, Failure> {
    let path = format!("{}/models", target.base_path);
    let asking = load::get(connector, &path, headers.clone(), asked.within);
    let answer = asking.await.map_err(|why| {
        let url = target.url();
        let why = as_clause(&why);
        Failure::failed(format!(
            "cannot list the models of {url}: {why}; check --api-base"
        ))
    })?;
    let status = answer.status;
    let models = openai::model_ids(&answer.body);
    if status == 200 && !models.is_empty() {
        return Ok(Listing::Models(models));
    }
    let words = openai::error_message(&answer.body).unwrap_or_default();
    let words = without_keys(asked.server, &words);
    Ok(match status {
        // A page in an API's place is sent with 200 as well, and redirects lead to one.
        200..=399 | 404 | 405 | 501 => Listing::None { status, words },
        _ => Listing::Refused { status, words },
    })
}

/// Whether there is something behind the route: an empty request is wrong everywhere, and unknown where nothing is.
async fn has_route(
    asked: &Asked<'_>,
    target: &Target,
    connector: &TcpConnector,
    headers: &HeaderMap,
) -> bool {
    let path = format!("{}{}", target.base_path, asked.route);
    let asking = load::post(connector, &path, headers.clone(), b"{}", asked.within);
    asking
        .await
        .is_ok_and(|answer| !matches!(answer.status, 300..=399 | 404 | 405 | 501))
}

/// `nothing_below` where `/v1` below it was asked too, and there is nothing.
fn no_listing(
    asked: &Asked<'_>,
    target: &Target,
    (status, words): (u16, &str),
    nothing_below: bool,
) -> Failure {
    let url = target.url();
    if status == 200 {
        return Failure::failed(format!("{url} lists no model; name one with --model"));
    }
    let said = match as_clause(words) {
        "" => String::new(),
        words => format!(": {words}"),
    };
    let also = if nothing_below && key_hint(status, words).is_none() {
        format!(", and there is nothing under {url}/v1 either")
    } else {
        String::new()
    };
    let way_out = match key_hint(status, words) {
        Some(hint) if asked.server.api_key.is_some() => hint.to_owned(),
        Some(hint) => format!("no key was given: {hint}"),
        None => "check --api-base, or name the model with --model".to_owned(),
    };
    Failure::failed(format!(
        "listing the models of {url} was answered with status {status}{said}{also}; {way_out}"
    ))
}

/// What to do where a server refuses the key, or wants one. `LiteLLM` says of a wrong one that no database is
/// connected.
pub(super) fn key_hint(status: u16, words: &str) -> Option<&'static str> {
    const HINT: &str = "check the key: --api-key, --api-key-file or the variable OPENAI_API_KEY";
    let words = words.to_ascii_lowercase();
    let speaks_of_it = [
        "api key",
        "api_key",
        "api-key",
        "apikey",
        "authentication",
        "unauthorized",
        "no connected db",
        "no_db_connection",
        "invalid token",
        "bearer token",
    ];
    let is_refusal = (400..=500).contains(&status);
    let is_about_it = matches!(status, 401 | 403)
        || (is_refusal && speaks_of_it.iter().any(|said| words.contains(said)));
    is_about_it.then_some(HINT)
}

#[cfg(test)]
mod tests {
    use super::{has_version, key_hint};

    #[test]
    fn a_version_at_a_paths_end_is_seen() {
        for (path, expected) in [
            ("/v1", true),
            ("/openai/v1", true),
            ("/v3", true),
            ("/v1beta", true),
            ("", false),
            ("/openai", false),
            ("/v1beta/openai", false),
            ("/vllm", false),
        ] {
            assert_eq!(has_version(path), expected, "{path}");
        }
    }

    #[test]
    fn a_refused_key_is_recognised_whatever_the_status() {
        for (status, words) in [
            (401, ""),
            (403, "Forbidden"),
            (400, "No connected db."),
            (400, "Incorrect API key provided"),
            (404, "Authentication Error, malformed key"),
        ] {
            assert!(key_hint(status, words).is_some(), "{status} {words}");
        }
        for (status, words) in [
            (400, "max_tokens is not supported"),
            (404, "The model `m` does not exist."),
            (503, "no api key left in the pool"),
        ] {
            assert!(key_hint(status, words).is_none(), "{status} {words}");
        }
    }
}
