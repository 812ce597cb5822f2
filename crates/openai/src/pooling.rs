//! The client's side of embeddings, scores and rankings: texts in, a vector or a number for each.

mod reply;
mod task;

pub use self::reply::PooledReply;
pub use self::task::PoolingTask;

use crate::VectorEncoding;
use crate::json::push_json;
use crate::patch::merge_patch;
use serde_json::{Map, Value, json};

/// What every request of a run has in common.
#[derive(Clone, Debug, PartialEq)]
pub struct PoolingOptions {
    /// What is asked.
    pub task: PoolingTask,
    /// The model's name, as the server knows it.
    pub model: String,
    /// How vectors come back.
    pub encoding: VectorEncoding,
    /// Numbers per vector; the model's own where absent.
    pub dimensions: Option<u32>,
    /// A merge patch (RFC 7396) on the body; the texts are the request's own whatever it says.
    pub extra_body: Map<String, Value>,
}

/// A request body with everything in it but the texts: built once per run.
#[derive(Clone, Debug)]
pub struct PoolingTemplate {
    task: PoolingTask,
    /// `{` and every field that does not change, without the closing brace.
    fixed: Vec<u8>,
}

impl PoolingTemplate {
    /// Renders what the requests have in common; `extra_body` has the last word.
    pub fn new(options: &PoolingOptions) -> Self {
        let mut fields = Map::new();
        fields.insert("model".to_owned(), json!(options.model));
        if options.task == PoolingTask::Embed {
            fields.insert("encoding_format".to_owned(), json!(options.encoding.name()));
            if let Some(dimensions) = options.dimensions {
                fields.insert("dimensions".to_owned(), json!(dimensions));
            }
        }
        merge_patch(&mut fields, &options.extra_body);
        let (query, texts) = options.task.fields();
        fields.remove(query);
        fields.remove(texts);
        let mut fixed = Vec::new();
        push_json(&mut fixed, &fields);
        let brace = fixed.pop();
        debug_assert_eq!(brace, Some(b'}'), "an object ends with a brace");
        Self {
            task: options.task,
            fixed,
        }
    }

    /// What is asked.
    pub const fn task(&self) -> PoolingTask {
        self.task
    }

    /// The JSON body of one request. A single text to embed goes as a text, several as a list; the query of a task
    /// that has one is empty where it is absent.
    pub fn render<'a>(
        &self,
        query: Option<&str>,
        texts: impl ExactSizeIterator<Item = &'a str>,
    ) -> Vec<u8> {
        let (query_field, texts_field) = self.task.fields();
        let mut body = self.fixed.clone();
        let field = |body: &mut Vec<u8>, name: &str| {
            if body.last() != Some(&b'{') {
                body.push(b',');
            }
            body.push(b'"');
            body.extend_from_slice(name.as_bytes());
            body.extend_from_slice(b"\":");
        };
        if self.task.has_query() {
            field(&mut body, query_field);
            push_json(&mut body, query.unwrap_or_default());
        }
        field(&mut body, texts_field);
        let is_list = texts.len() != 1 || self.task.has_query();
        if is_list {
            body.push(b'[');
        }
        for (index, text) in texts.enumerate() {
            if index > 0 {
                body.push(b',');
            }
            push_json(&mut body, text);
        }
        if is_list {
            body.push(b']');
        }
        body.push(b'}');
        body
    }
}

#[cfg(test)]
mod tests {
    use super::{PoolingOptions, PoolingTask, PoolingTemplate, VectorEncoding};
    use serde_json::{Map, Value, json};

    fn body(options: &PoolingOptions, query: Option<&str>, texts: &[&str]) -> Value {
        let body = PoolingTemplate::new(options).render(query, texts.iter().copied());
        serde_json::from_slice(&body).unwrap()
    }

    fn options(task: PoolingTask) -> PoolingOptions {
        PoolingOptions {
            task,
            model: "m".to_owned(),
            encoding: VectorEncoding::Float,
            dimensions: None,
            extra_body: Map::new(),
        }
    }

    #[test]
    fn one_text_is_a_text_and_several_are_a_list() {
        let options = options(PoolingTask::Embed);
        let expected = json!({"model": "m", "encoding_format": "float", "input": "a \"b\""});
        assert_eq!(body(&options, None, &["a \"b\""]), expected);
        assert_eq!(
            body(&options, None, &["a", "b"])["input"],
            json!(["a", "b"])
        );
    }

    #[test]
    fn each_task_has_the_fields_of_its_route() {
        let score = body(&options(PoolingTask::Score), Some("q"), &["a"]);
        assert_eq!(score, json!({"model": "m", "text_1": "q", "text_2": ["a"]}));
        let rerank = body(&options(PoolingTask::Rerank), Some("q"), &["a", "b"]);
        let expected = json!({"model": "m", "query": "q", "documents": ["a", "b"]});
        assert_eq!(rerank, expected);
    }

    #[test]
    fn every_option_reaches_the_body_and_extra_body_has_the_last_word() {
        let options = PoolingOptions {
            encoding: VectorEncoding::Base64,
            dimensions: Some(64),
            extra_body: json!({"dimensions": 32, "user": "u", "input": "not this"})
                .as_object()
                .unwrap()
                .clone(),
            ..options(PoolingTask::Embed)
        };
        let expected = json!({
            "model": "m", "encoding_format": "base64", "dimensions": 32, "user": "u", "input": "t",
        });
        assert_eq!(body(&options, None, &["t"]), expected);
        let options = PoolingOptions {
            extra_body: json!({"dimensions": null, "model": null, "encoding_format": null})
                .as_object()
                .unwrap()
                .clone(),
            ..options
        };
        assert_eq!(body(&options, None, &["t"]), json!({"input": "t"}));
    }

    #[test]
    fn a_route_leads_back_to_its_task() {
        for task in [PoolingTask::Embed, PoolingTask::Score, PoolingTask::Rerank] {
            assert_eq!(PoolingTask::of_path(task.path()), Some(task));
            assert_eq!(
                PoolingTask::of_path(&format!("/v1{}", task.path())),
                Some(task)
            );
        }
        assert_eq!(PoolingTask::of_path("/chat/completions"), None);
    }
}
