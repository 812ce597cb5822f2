//! What was measured.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What was measured, as far as numbers and verdicts depend on it. What a result file shows beside it is for people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// The model's name in the API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Where requests went, below the API's base URL: `/chat/completions`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// SHA-256 of what was sent, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload_sha256: Option<String>,
    /// The server was part of this program, on the processors of the client.
    #[serde(default)]
    pub built_in: bool,
    /// Texts became vectors or scores, and none were generated.
    #[serde(default)]
    pub pooling: bool,
    /// Prompts have beginnings that the server is meant to know: what was said before, or what groups share.
    #[serde(default)]
    pub shares_prompts: bool,
    /// Tokens that the model's chat template adds to every prompt, where a tokenizer told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_tokens: Option<u64>,
}

impl Subject {
    /// That of records from before there was one, which have it in what the result file shows.
    pub fn of_metadata(metadata: &Map<String, Value>) -> Self {
        let text = |name: &str| metadata.get(name).and_then(Value::as_str);
        let owned = |name: &str| text(name).map(str::to_owned);
        let tokenizer = metadata.get("tokenizer");
        let template = tokenizer.and_then(|tokenizer| tokenizer.get("template_tokens"));
        let conversations = metadata.get("conversations");
        Self {
            model: owned("model"),
            endpoint: owned("endpoint"),
            workload_sha256: owned("workload_sha256"),
            built_in: metadata.get("built_in_server") == Some(&Value::Bool(true)),
            pooling: text("endpoint")
                .is_some_and(|name| ["/embeddings", "/score", "/rerank"].contains(&name)),
            shares_prompts: conversations.is_some_and(|known| !known.is_null()),
            template_tokens: template.and_then(Value::as_u64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Subject;
    use serde_json::json;

    #[test]
    fn records_from_before_say_it_in_what_people_see() {
        let metadata = json!({
            "model": "m", "endpoint": "/rerank", "built_in_server": true, "conversations": {"turns": [2, 2]},
            "tokenizer": {"name": "t", "template_tokens": 7}, "workload_sha256": "ab",
        });
        let subject = Subject::of_metadata(metadata.as_object().unwrap());
        let expected = Subject {
            model: Some("m".to_owned()),
            endpoint: Some("/rerank".to_owned()),
            workload_sha256: Some("ab".to_owned()),
            built_in: true,
            pooling: true,
            shares_prompts: true,
            template_tokens: Some(7),
        };
        assert_eq!(subject, expected);
        assert_eq!(
            Subject::of_metadata(&serde_json::Map::new()),
            Subject::default()
        );
    }
}
