//! Refusals and failures, as a server writes them.

use crate::json::push_json;

/// A refusal or a failure, as the body of a response or the data of an event says it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// HTTP status.
    pub status: u16,
    /// A sentence with the field, the value and the limit.
    pub message: String,
    /// OpenAI's class of the error: `invalid_request_error` and so on.
    pub kind: &'static str,
    /// The field of the request that is to blame.
    pub param: Option<String>,
    /// What programs look at, where there is such a word.
    pub code: Option<&'static str>,
}

impl ApiError {
    /// The request is to blame: status 400.
    pub fn invalid(param: impl Into<String>, message: impl Into<String>) -> Self {
        ApiError {
            status: 400,
            message: message.into(),
            kind: "invalid_request_error",
            param: Some(param.into()),
            code: None,
        }
    }

    /// The request asks for something that this server does not do: status 400.
    pub fn unsupported(param: impl Into<String>) -> Self {
        let param = param.into();
        ApiError {
            message: format!("`{param}` is not supported by this server; leave it out"),
            code: Some("unsupported_parameter"),
            ..Self::invalid(param, "")
        }
    }

    /// A refusal that no field is to blame for.
    pub fn refused(status: u16, message: impl Into<String>, code: &'static str) -> Self {
        ApiError {
            status,
            message: message.into(),
            kind: match status {
                401 => "authentication_error",
                429 => "rate_limit_error",
                400..=499 => "invalid_request_error",
                _ => "server_error",
            },
            param: None,
            code: Some(code),
        }
    }

    /// `{"error":{…}}`, all texts escaped.
    pub fn body(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(96 + self.message.len());
        self.push(&mut out);
        out
    }

    /// As a frame of a stream whose status was already 200.
    pub fn frame(&self) -> Vec<u8> {
        let mut out = b"data: ".to_vec();
        self.push(&mut out);
        out.extend_from_slice(b"\n\n");
        out
    }

    fn push(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"error":{"message":"#);
        push_json(out, &self.message);
        out.extend_from_slice(br#","type":"#);
        push_json(out, self.kind);
        out.extend_from_slice(br#","param":"#);
        push_json(out, &self.param);
        out.extend_from_slice(br#","code":"#);
        push_json(out, &self.code);
        out.extend_from_slice(b"}}");
    }
}

#[cfg(test)]
mod tests {
    use super::ApiError;

    #[test]
    fn errors_have_the_shape_of_openai() {
        let error = ApiError::invalid("messages[0].role", "no \"role\" <b>\n");
        assert_eq!(
            String::from_utf8(error.body()).unwrap(),
            r#"{"error":{"message":"no \"role\" <b>\n","type":"invalid_request_error","param":"messages[0].role","code":null}}"#
        );
        let error = ApiError::refused(429, "full", "queue_full");
        assert_eq!(
            String::from_utf8(error.frame()).unwrap(),
            "data: {\"error\":{\"message\":\"full\",\"type\":\"rate_limit_error\",\"param\":null,\"code\":\"queue_full\"}}\n\n"
        );
    }
}
