use crate::app::App;
use crate::http::Whole;
use crate::task::Task;
use openai::{ApiError, Fields, Json, messages, parse_body, token_ids};
use std::sync::Arc;

impl App {
    /// `/tokenize`: `prompt`, or `messages` as the chat template renders them.
    pub(crate) async fn tokenize(self: &Arc<Self>, body: Vec<u8>) -> Whole {
        let app = Arc::clone(self);
        // Whoever tokenises may do so with megabytes.
        let tokens = tokio::task::spawn_blocking(move || app.tokens(&body)).await;
        match tokens {
            Ok(Ok(tokens)) => Whole::json(
                serde_json::json!({
                    "count": tokens.len(),
                    "max_model_len": self.limits.context_tokens,
                    "tokens": tokens,
                })
                .to_string()
                .into_bytes(),
            ),
            Ok(Err(error)) => Whole::error(&error),
            Err(_) => Whole::error(&ApiError::refused(
                500,
                "the text could not be read",
                "internal",
            )),
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

    /// `/detokenize`: the text of `tokens`.
    pub(crate) fn detokenize(&self, body: &[u8]) -> Whole {
        let text = || -> Result<String, ApiError> {
            let json = parse_body(body)?;
            let fields = self.fields(&json)?;
            let value = fields.get("tokens").unwrap_or(&Json::Null);
            let tokens = token_ids("tokens", value, &self.limits, usize::MAX)?;
            Ok(self.codec.tokenizer.decode(&tokens))
        };
        match text() {
            Ok(text) => Whole::json(
                serde_json::json!({ "prompt": text })
                    .to_string()
                    .into_bytes(),
            ),
            Err(error) => Whole::error(&error),
        }
    }

    /// The request's fields, for this model.
    fn fields<'j, 'a>(&self, json: &'j Json<'a>) -> Result<Fields<'j, 'a>, ApiError> {
        let fields = Fields::of(json)?;
        self.check_model(fields.string("model")?)?;
        Ok(fields)
    }
}
