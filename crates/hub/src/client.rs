//! Talks to the hub.

use crate::{HubConfig, HubError, Repo, Token};
use std::time::Duration;
use ureq::http::header::{AUTHORIZATION, LOCATION, RANGE};
use ureq::http::uri::Scheme;
use ureq::http::{Response, StatusCode, Uri};
use ureq::{Agent, Body, Proxy};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const READ_TIMEOUT: Duration = Duration::from_secs(30);
const REDIRECTS_MAX: usize = 5;

/// The longest list of files that is read, in bytes: a hundred thousand names.
const LISTING_BYTES_MAX: u64 = 16 << 20;

/// Talks to one endpoint, and to the hosts that it redirects to.
#[derive(Debug)]
pub(crate) struct Client {
    agent: Agent,
    endpoint: Uri,
    token: Option<Token>,
}

impl Client {
    pub(crate) fn new(config: &HubConfig) -> Result<Self, HubError> {
        let endpoint = endpoint(&config.endpoint).ok_or_else(|| HubError::Endpoint {
            endpoint: config.endpoint.clone(),
        })?;
        let proxy = config.proxy_from_environment.then(Proxy::try_from_env);
        let agent = Agent::config_builder()
            .user_agent(concat!("tokenomics/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(Some(CONNECT_TIMEOUT))
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_recv_response(Some(READ_TIMEOUT))
            .timeout_per_read(Some(READ_TIMEOUT))
            .timeout_per_write(Some(READ_TIMEOUT))
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(proxy.flatten())
            .build();
        Ok(Self {
            agent: Agent::new_with_config(agent),
            endpoint,
            token: config.token.clone(),
        })
    }

    /// Scheme, host and port of the endpoint.
    pub(crate) fn origin(&self) -> String {
        origin(&self.endpoint)
    }

    /// The body of `path`, whole.
    pub(crate) fn text(&self, repo: &Repo, path: &str) -> Result<Vec<u8>, HubError> {
        let mut response = self.get(repo, path, "main", None)?;
        let body = response.body_mut().with_config().limit(LISTING_BYTES_MAX);
        body.read_to_vec().map_err(|error| HubError::Unreachable {
            origin: self.origin(),
            cause: cause(error),
        })
    }

    /// The response to `path`, from the byte `from` on where one is given: 200, or 206 or 416 to a range.
    ///
    /// `what` of `repo` is there goes into the sentence of a 404.
    pub(crate) fn get(
        &self,
        repo: &Repo,
        path: &str,
        what: &str,
        from: Option<u64>,
    ) -> Result<Response<Body>, HubError> {
        let mut uri = self.at_endpoint(path)?;
        for _ in 0..=REDIRECTS_MAX {
            let response = self.send(&uri, from)?;
            let location = response.headers().get(LOCATION);
            match location.filter(|_| response.status().is_redirection()) {
                None => return accept(response, &uri, repo, what, from.is_some()),
                Some(location) => uri = redirected(&uri, location.as_bytes())?,
            }
        }
        Err(HubError::Redirect {
            origin: self.origin(),
            what: format!("more than {REDIRECTS_MAX} times"),
        })
    }

    fn at_endpoint(&self, path: &str) -> Result<Uri, HubError> {
        let base = self.endpoint.path().trim_end_matches('/');
        let text = format!("{}{base}{path}", self.origin());
        text.parse()
            .map_err(|_| HubError::Endpoint { endpoint: text })
    }

    /// One exchange. The token goes to the endpoint's own scheme, host and port: a redirect leads to storage
    /// of somebody else, whose URL carries its own permission.
    fn send(&self, uri: &Uri, from: Option<u64>) -> Result<Response<Body>, HubError> {
        let mut request = self.agent.get(uri);
        if let Some(token) = self.token.as_ref().filter(|_| origin(uri) == self.origin()) {
            request = request.header(AUTHORIZATION, token.authorization());
        }
        if let Some(from) = from {
            request = request.header(RANGE, format!("bytes={from}-"));
        }
        request.call().map_err(|error| HubError::Unreachable {
            origin: origin(uri),
            cause: cause(error),
        })
    }
}

/// The endpoint, where it is a URL that can be asked. A user name in it would end up in messages.
fn endpoint(text: &str) -> Option<Uri> {
    let uri: Uri = text.trim().parse().ok()?;
    let plain = !uri.authority()?.as_str().contains('@') && uri.query().is_none();
    (is_http(&uri) && plain).then_some(uri)
}

fn is_http(uri: &Uri) -> bool {
    let scheme = uri.scheme();
    scheme == Some(&Scheme::HTTP) || scheme == Some(&Scheme::HTTPS)
}

fn origin(uri: &Uri) -> String {
    let scheme = uri.scheme_str().unwrap_or_default();
    let host = uri.host().unwrap_or_default().to_ascii_lowercase();
    match (scheme, uri.port_u16()) {
        (_, None) | ("http", Some(80)) | ("https", Some(443)) => format!("{scheme}://{host}"),
        (_, Some(port)) => format!("{scheme}://{host}:{port}"),
    }
}

/// Where a redirect leads: a URL, or a path on the same host.
fn redirected(from: &Uri, location: &[u8]) -> Result<Uri, HubError> {
    let location = String::from_utf8_lossy(location);
    let absolute = match location.strip_prefix('/') {
        Some(rest) if !rest.starts_with('/') => format!("{}{location}", origin(from)),
        _ => location.clone().into_owned(),
    };
    let refuse = |what: String| {
        let origin = origin(from);
        Err(HubError::Redirect { origin, what })
    };
    match absolute.parse::<Uri>() {
        Ok(to) if is_http(&to) => {
            if from.scheme() == Some(&Scheme::HTTPS) && to.scheme() == Some(&Scheme::HTTP) {
                return refuse(format!("from https to {}", origin(&to)));
            }
            Ok(to)
        }
        _ => refuse("to something other than an http or https URL".to_owned()),
    }
}

fn accept(
    response: Response<Body>,
    uri: &Uri,
    repo: &Repo,
    what: &str,
    ranged: bool,
) -> Result<Response<Body>, HubError> {
    let (origin, id) = (origin(uri), repo.id().to_owned());
    let status = response.status().as_u16();
    match response.status() {
        StatusCode::OK => Ok(response),
        StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE if ranged => Ok(response),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            Err(HubError::Refused { origin, id, status })
        }
        StatusCode::NOT_FOUND => Err(HubError::NotFound {
            origin,
            what: what.escape_debug().to_string(),
            kind: repo.kind_name(),
            id,
        }),
        _ => Err(HubError::Status { origin, id, status }),
    }
}

/// The system's own words, where it is the system that failed.
fn cause(error: ureq::Error) -> String {
    match error {
        ureq::Error::Io(error) => error.to_string(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Uri, endpoint, origin, redirected};

    #[test]
    fn an_endpoint_is_a_plain_http_url() {
        for text in [
            "https://huggingface.co",
            "http://127.0.0.1:8080/",
            "https://h/mirror",
        ] {
            assert!(endpoint(text).is_some(), "{text}");
        }
        for text in [
            "",
            "huggingface.co",
            "ftp://h",
            "file:///etc",
            "https://u:p@h",
            "https://h?a",
        ] {
            assert!(endpoint(text).is_none(), "{text}");
        }
    }

    fn follow(from: &'static str, location: &str) -> Option<String> {
        let to = redirected(&Uri::from_static(from), location.as_bytes());
        to.ok().map(|uri| uri.to_string())
    }

    #[test]
    fn a_redirect_stays_with_http_and_does_not_drop_encryption() {
        let follow_https = |location| follow("https://a/b", location);
        assert_eq!(follow_https("/c?d").as_deref(), Some("https://a/c?d"));
        assert_eq!(follow_https("https://e/f").as_deref(), Some("https://e/f"));
        for refused in [
            "http://a/b",
            "ftp://a/b",
            "file:///etc/passwd",
            "//e/f",
            "",
            "c",
        ] {
            assert_eq!(follow_https(refused), None, "{refused}");
        }
        assert!(follow("http://a/b", "https://a/b").is_some());
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let same = |a: &'static str, b: &'static str| {
            origin(&Uri::from_static(a)) == origin(&Uri::from_static(b))
        };
        assert!(same("https://H/a", "https://h:443/b"));
        assert!(!same("https://h", "http://h"));
        assert!(!same("https://h", "https://h:444"));
        assert!(!same("https://h", "https://h.evil"));
    }
}
