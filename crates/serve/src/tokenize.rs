//! `/tokenize` and `/detokenize`.

use crate::app::App;
use crate::http::Whole;
use crate::task::Task;
use openai::{ApiError, Fields, Json, messages, parse_body, token_ids};
use std::sync::Arc;

impl App {
    /// `/tokenize`: `prompt`, or `messages` as the chat template renders them.
    pub(crate) async fn tokenize(self: &Arc<Self>, body: Vec<u8>) -> Whole {
        self.beside(move |app| {
            let tokens = app.tokens(&body)?;
            let listed = serde_json::to_string(&tokens).map_err(|_| unreadable())?;
            Ok(format!(
                "{{\"count\":{},\"max_model_len\":{},\"tokens\":{listed}}}",
                tokens.len(),
                app.limits.context_tokens,
            ))
        })
        .await
    }

    /// `/detokenize`: the text of `tokens`.
    pub(crate) async fn detokenize(self: &Arc<Self>, body: Vec<u8>) -> Whole {
        self.beside(move |app| {
            let json = parse_body(&body)?;
            let fields = app.fields(&json)?;
            let value = fields.get("tokens").unwrap_or(&Json::Null);
            let tokens = token_ids("tokens", value, &app.limits, usize::MAX)?;
            let text = app.codec.tokenizer.decode(&tokens);
            Ok(serde_json::json!({ "prompt": text }).to_string())
        })
        .await
    }

    /// Makes an answer beside the threads that speak HTTP: texts may have megabytes, and others' tokens would wait
    /// meanwhile.
    async fn beside(
        self: &Arc<Self>,
        answer: impl FnOnce(&App) -> Result<String, ApiError> + Send + 'static,
    ) -> Whole {
        let app = Arc::clone(self);
        let answer = tokio::task::spawn_blocking(move || answer(&app)).await;
        match answer.unwrap_or_else(|_| Err(unreadable())) {
            Ok(json) => Whole::json(json.into_bytes()),
            Err(error) => Whole::error(&error),
        }
    }

    fn tokens(&self, body: &[u8]) -> Result<Vec<u32>, ApiError> {
        let json = parse_body(body)?;
        let fields = self.fields(&json)?;
        if fields.get("messages").is_some() {
            if matches!(self.task, Task::Embed(_)) {
                return Err(ApiError::invalid(
                    "messages",
                    "the model is an encoder and knows no chats; send `prompt`",
                ));
            }
            let generate = fields.boolean("add_generation_prompt")?.unwrap_or(true);
            return self.codec.chat(messages(&fields)?, generate);
        }
        let special = fields.boolean("add_special_tokens")?.unwrap_or(true);
        let text = fields.string("prompt")?.ok_or_else(|| {
            ApiError::invalid(
                "prompt",
                "the request has neither `prompt` nor `messages`; send one",
            )
        })?;
        if special {
            self.codec.prompt(text)
        } else {
            self.codec.plain(text)
        }
    }

    /// The request's fields, for this model.
    fn fields<'j, 'a>(&self, json: &'j Json<'a>) -> Result<Fields<'j, 'a>, ApiError> {
        let fields = Fields::of(json)?;
        self.check_model(fields.string("model")?)?;
        Ok(fields)
    }
}

fn unreadable() -> ApiError {
    ApiError::refused(500, "the text could not be read", "internal")
}
