//! Keys, headers and certificates: what every request carries beside its body.

use super::secrets::Secrets;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::input::read;
use load::{Target, TlsOptions};
use std::path::Path;

/// A key: it goes to the server and nowhere else.
#[derive(Clone)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[a key]")
    }
}

/// The key and the values of the user's headers.
pub(crate) fn secrets(key: Option<&Secret>, headers: &[(String, String)]) -> Secrets {
    let key = key.map(|key| key.expose().to_owned());
    let headers = headers.iter().flat_map(|(_, value)| {
        // `Bearer sk-…`: the key is the last word.
        [Some(value.as_str()), value.split_whitespace().last()]
    });
    let headers = headers.flatten().map(str::to_owned);
    Secrets::of(key.into_iter().chain(headers))
}

pub(super) fn tls(ca_cert: Option<&Path>) -> Result<TlsOptions, Failure> {
    let extra_roots_pem = ca_cert.map(|path| read("--ca-cert", path)).transpose()?;
    Ok(TlsOptions { extra_roots_pem })
}

/// What every request will carry: whatever HTTP cannot carry is refused here, before anything is shown or sent.
fn check_sendable(key: Option<&str>, headers: &[(String, String)]) -> Result<(), Failure> {
    let anywhere = Target::parse("http://localhost/v1").map_err(Failure::usage)?;
    let made = load::request_headers(&anywhere, true, key, headers);
    made.map(drop).map_err(Failure::usage)
}

pub(super) fn headers(typed: &[String]) -> Result<Vec<(String, String)>, Failure> {
    let headers: Result<Vec<(String, String)>, Failure> = typed
        .iter()
        .map(|header| {
            let (name, value) = header.split_once(':').ok_or_else(|| {
                Failure::usage("--header must be a name and a value: write it like 'X-Team: infra'")
            })?;
            Ok((name.trim().to_owned(), value.trim_matches(' ').to_owned()))
        })
        .collect();
    let headers = headers?;
    check_sendable(None, &headers)?;
    Ok(headers)
}

/// The key that was typed, or the file's, or the environment's; the built-in server gets none.
pub(super) fn api_key(
    typed: Option<&str>,
    file: Option<&Path>,
    has_target: bool,
    environment: Environment<'_>,
) -> Result<Option<Secret>, Failure> {
    let typed = key(typed, file)?;
    let from_environment = || environment("OPENAI_API_KEY").filter(|key| !key.is_empty());
    if typed.is_some() || !has_target {
        return Ok(typed);
    }
    let key = from_environment();
    check_sendable(key.as_deref(), &[])?;
    Ok(key.map(Secret))
}

/// A key that was typed, or that a file holds.
pub(crate) fn key(typed: Option<&str>, file: Option<&Path>) -> Result<Option<Secret>, Failure> {
    let key = match (typed, file) {
        (Some(key), _) => Some(key.to_owned()),
        (None, Some(path)) => {
            let bytes = read("--api-key-file", path)?;
            let text = String::from_utf8(bytes).map_err(|_| {
                Failure::usage(format!("--api-key-file {} is not text", path.display()))
            })?;
            Some(text.trim().to_owned())
        }
        (None, None) => None,
    };
    let key = key.filter(|key| !key.is_empty());
    check_sendable(key.as_deref(), &[])?;
    Ok(key.map(Secret))
}
