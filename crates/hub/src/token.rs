//! Access tokens.

use crate::HubError;
use std::fmt;

/// An access token. It is shown to nobody but the endpoint.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// The token in `text`, without the blanks around it; none where nothing else is there.
    ///
    /// `from` says in an error where the text came from.
    pub fn parse(text: &str, from: &str) -> Result<Option<Self>, HubError> {
        let text = text.trim();
        if text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok((!text.is_empty()).then(|| Self(text.to_owned())))
        } else {
            let from = from.to_owned();
            Err(HubError::Token { from })
        }
    }

    /// The value of the `Authorization` header.
    pub(crate) fn authorization(&self) -> String {
        format!("Bearer {}", self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Token(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::Token;

    #[test]
    fn a_token_is_never_shown() {
        let token = Token::parse(" hf_secret\n", "HF_TOKEN").unwrap().unwrap();
        assert_eq!(token.authorization(), "Bearer hf_secret");
        assert_eq!(format!("{token:?}"), "Token(hidden)");

        let error = Token::parse("hf_secret\r\nX-Other: 1", "HF_TOKEN").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hf_secret"));
    }

    #[test]
    fn an_empty_token_is_none() {
        assert_eq!(Token::parse("  \n", "HF_TOKEN").unwrap(), None);
    }
}
