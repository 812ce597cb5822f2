//! The headers of every request.

use crate::{LoadError, Target};
use http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT,
};

/// They frame the message or name it.
const CLIENT_SETS: [&str; 4] = [
    "content-length",
    "transfer-encoding",
    "connection",
    "x-request-id",
];

/// The headers of every request: ours, the key, and the user's, which win.
///
/// # Errors
/// A name or value that HTTP cannot carry, or a name that the client needs for itself.
pub fn request_headers(
    target: &Target,
    stream: bool,
    api_key: Option<&str>,
    extra: &[(String, String)],
) -> Result<HeaderMap, LoadError> {
    let mut headers = HeaderMap::new();
    let accept = if stream {
        "text/event-stream"
    } else {
        "application/json"
    };
    headers.insert(HOST, value("host", &target.authority())?);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(ACCEPT, HeaderValue::from_static(accept));
    headers.insert(
        USER_AGENT,
        HeaderValue::from_static(concat!("tokenomics/", env!("CARGO_PKG_VERSION"))),
    );
    if let Some(key) = api_key {
        let mut bearer = value("authorization", &format!("Bearer {key}"))?;
        bearer.set_sensitive(true);
        headers.insert(AUTHORIZATION, bearer);
    }
    for (name, content) in extra {
        let refuse = |why| LoadError::BadHeader {
            name: name.escape_debug().to_string(),
            why,
        };
        let parsed = HeaderName::try_from(name.as_str())
            .map_err(|_| refuse("its name may hold letters, digits and dashes only"))?;
        if CLIENT_SETS.contains(&parsed.as_str()) {
            return Err(refuse("the client sets it itself"));
        }
        let mut content = value(parsed.as_str(), content)?;
        content.set_sensitive(true);
        headers.insert(parsed, content);
    }
    Ok(headers)
}

/// The first line of a request and its headers, without the empty line behind them.
pub(crate) fn request_head(method: &str, path: &str, headers: &HeaderMap) -> Vec<u8> {
    let mut head = format!("{method} {path} HTTP/1.1\r\n").into_bytes();
    for (name, value) in headers {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head
}

fn value(name: &str, content: &str) -> Result<HeaderValue, LoadError> {
    HeaderValue::from_str(content).map_err(|_| LoadError::BadHeader {
        name: name.to_owned(),
        why: "its value holds a line break or another character that HTTP cannot carry",
    })
}

#[cfg(test)]
mod tests {
    use super::{HeaderMap, LoadError, Target, request_headers};

    fn headers(key: Option<&str>, name: &str, value: &str) -> Result<HeaderMap, LoadError> {
        let target = Target::parse("http://localhost:8000/v1").unwrap();
        request_headers(&target, true, key, &[(name.into(), value.into())])
    }

    #[test]
    fn a_header_of_the_users_replaces_ours() {
        let headers = headers(Some("sk-1"), "Authorization", "Basic abc").unwrap();
        assert_eq!(headers["authorization"], "Basic abc");
        assert_eq!(headers["host"], "localhost:8000");
    }

    #[test]
    fn bad_input_48_a_key_with_a_newline_is_refused_without_showing_it() {
        let error = headers(Some("sk-secret\nx: y"), "x-a", "b").unwrap_err();
        let error = format!("{error} {error:?}");
        assert!(error.contains("line break"), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn bad_input_49_a_header_with_a_line_break_is_refused() {
        assert!(headers(None, "x-a", "b\r\nx-evil: 1").is_err());
        assert!(headers(None, "x-a\r\nx-evil", "b").is_err());
    }

    #[test]
    fn headers_that_frame_the_message_stay_the_clients() {
        assert!(headers(None, "Content-Length", "5").is_err());
    }
}
