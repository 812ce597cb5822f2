//! Where requests go.

use crate::LoadError;
use http::Uri;
use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

/// Where requests go: the parts of a base URL such as `http://localhost:8000/v1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The host name or address, without brackets.
    pub host: String,
    /// The port, from the URL or the scheme.
    pub port: u16,
    /// Whether the scheme is `https`.
    pub tls: bool,
    /// The path that the endpoint's is appended to, without a trailing slash.
    pub base_path: String,
}

impl Target {
    /// Reads a base URL. One without a scheme is `http` where it can hardly be anything else: with a port, an address
    /// or `localhost`.
    ///
    /// # Errors
    /// It is not a URL, its scheme is neither `http` nor `https`, it has no host, or it carries a
    /// user name, a query or a fragment.
    pub fn parse(url: &str) -> Result<Self, LoadError> {
        let refuse = |why: &'static str| LoadError::BadUrl {
            url: without_secrets(url),
            why,
        };
        let spelled = with_scheme(url.trim());
        if !spelled.contains("://") && !spelled.is_empty() && !spelled.contains(char::is_whitespace)
        {
            return Err(refuse(
                "it has no scheme; put http:// or https:// in front of it",
            ));
        }
        let uri: Uri = spelled
            .parse()
            .map_err(|_| refuse("it is not a URL; write it like http://localhost:8000/v1"))?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            Some(_) => return Err(refuse("its scheme must be http or https")),
            None => {
                return Err(refuse(
                    "it is not a URL; write it like http://localhost:8000/v1",
                ));
            }
        };
        let authority = uri.authority().ok_or_else(|| refuse("it has no host"))?;
        if authority.as_str().contains('@') {
            return Err(refuse(
                "it carries a user name; give the key with --api-key instead",
            ));
        }
        if uri.query().is_some() || url.contains('#') {
            return Err(refuse("it must end with its path, without ? or #"));
        }
        let host = authority.host();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if bare.is_empty() {
            return Err(refuse("it has no host"));
        }
        Ok(Target {
            host: bare.to_owned(),
            port: authority.port_u16().unwrap_or(if tls { 443 } else { 80 }),
            tls,
            base_path: uri.path().trim_end_matches('/').to_owned(),
        })
    }

    /// The same as a URL.
    pub fn url(&self) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        format!("{scheme}://{}{}", self.authority(), self.base_path)
    }

    /// Host and port as the `Host` header has them.
    pub fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// Whether the host is this machine: one of its addresses is one that we could listen on.
    pub fn is_this_machine(&self) -> bool {
        let own = |address: &SocketAddr| std::net::UdpSocket::bind((address.ip(), 0)).is_ok();
        self.resolve()
            .is_ok_and(|addresses| addresses.iter().any(own))
    }

    /// The addresses of the host's name.
    pub(crate) fn resolve(&self) -> Result<Vec<SocketAddr>, LoadError> {
        let found = (self.host.as_str(), self.port)
            .to_socket_addrs()
            .map_err(|error| LoadError::Resolve {
                host: self.host.clone(),
                cause: error.to_string(),
            })?;
        Ok(found.collect())
    }
}

/// Behind `http://`, where it has no scheme and names a machine nearby.
fn with_scheme(url: &str) -> Cow<'_, str> {
    let authority = url.split(['/', '?', '#']).next().unwrap_or_default();
    let (host, port) = match authority.rsplit_once(':') {
        // The colons of an address in brackets are no port's.
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let is_port = |port: &str| port.parse::<u16>().is_ok();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let is_nearby = bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok();
    if !bare.is_empty() && port.map_or(is_nearby, is_port) {
        format!("http://{url}").into()
    } else {
        url.into()
    }
}

/// A URL as an error may show it: what is in front of an `@` or behind a `?` may be a key.
fn without_secrets(url: &str) -> String {
    let shown = url.split(['?', '#']).next().unwrap_or_default();
    let cut = if shown.len() < url.len() { "?…" } else { "" };
    match (shown.split_once("://"), shown.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://…@{rest}{cut}"),
        (None, Some((_, rest))) => format!("…@{rest}{cut}"),
        (_, None) => format!("{shown}{cut}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Target, without_secrets};

    #[test]
    fn what_may_be_a_key_in_a_url_is_not_shown() {
        assert_eq!(without_secrets("http://me:pw@host/v1"), "http://…@host/v1");
        assert_eq!(without_secrets("me:pw@host"), "…@host");
        assert_eq!(without_secrets("http://host/v1?key=pw"), "http://host/v1?…");
    }

    #[test]
    fn a_base_url_loses_its_trailing_slash_and_gains_its_port() {
        let target = Target::parse("https://api.example.com/v1/").unwrap();
        assert_eq!(target.url(), "https://api.example.com:443/v1");
        let target = Target::parse("http://[::1]:8000").unwrap();
        assert_eq!((target.host.as_str(), target.port), ("::1", 8000));
        assert_eq!(target.authority(), "[::1]:8000");
        assert_eq!(target.base_path, "");
    }

    #[test]
    fn a_machine_nearby_needs_no_scheme_and_a_scheme_may_be_shouted() {
        for (typed, url) in [
            ("localhost:8000", "http://localhost:8000"),
            ("localhost:8000/v1/", "http://localhost:8000/v1"),
            ("LOCALHOST", "http://LOCALHOST:80"),
            ("gpu-7:30000/v1", "http://gpu-7:30000/v1"),
            ("10.0.0.7", "http://10.0.0.7:80"),
            ("[::1]:8000/v1", "http://[::1]:8000/v1"),
            ("  http://localhost:8000/v1\n", "http://localhost:8000/v1"),
            ("HTTP://localhost:8000", "http://localhost:8000"),
            (
                "HTTPS://api.example.com/v1",
                "https://api.example.com:443/v1",
            ),
        ] {
            assert_eq!(Target::parse(typed).unwrap().url(), url, "{typed}");
        }
    }

    #[test]
    fn bad_input_44_what_is_not_a_base_url_is_refused_with_the_reason() {
        for (url, why) in [
            ("api.example.com/v1", "scheme"),
            ("localhost:port", "scheme"),
            ("", "not a URL"),
            ("ftp://localhost", "http or https"),
            ("http://", "not a URL"),
            ("http://user:secret@host/v1", "--api-key"),
            ("http://host/v1?key=1", "without ?"),
            ("not a url", "not a URL"),
        ] {
            let error = Target::parse(url).unwrap_err().to_string();
            assert!(error.contains(why), "{url}: {error}");
        }
    }
}
