//! Text to tokens, and back.

use models::{
    ChatContent, ChatMessage, ChatTemplate, CpuEncoder, Detokenizer, LoadedEncoder, LoadedModel,
    Matryoshka, TextError, Tokenizer,
};
use openai::{ApiError, Message, MessageContent, VectorSizes};
use std::sync::Arc;

/// What text becomes on its way to a model and back.
pub struct TextCodec {
    /// Of the model.
    pub tokenizer: Arc<Tokenizer>,
    /// How a chat becomes a prompt; without it chats are refused.
    pub template: Option<ChatTemplate>,
    /// The model's end-of-sequence tokens.
    pub eos: Vec<u32>,
}

impl TextCodec {
    /// That of a loaded model, and the model itself.
    pub fn of(loaded: LoadedModel) -> (models::CpuModel, TextCodec) {
        let codec = TextCodec {
            tokenizer: loaded.tokenizer,
            template: loaded.template,
            eos: loaded.eos,
        };
        (loaded.model, codec)
    }

    /// That of a loaded encoder, the encoder itself, and what its vectors may be cut to.
    pub fn of_encoder(loaded: LoadedEncoder) -> (CpuEncoder, TextCodec, VectorSizes) {
        let sizes = match &loaded.encoder.config().matryoshka {
            None => VectorSizes::Whole,
            Some(Matryoshka::Any) => VectorSizes::Any,
            Some(Matryoshka::Listed(sizes)) => VectorSizes::Listed(sizes.clone()),
        };
        let codec = TextCodec {
            tokenizer: loaded.tokenizer,
            template: None,
            eos: Vec::new(),
        };
        (loaded.encoder, codec, sizes)
    }

    /// The tokens of a chat, with the beginning of the answer.
    pub(crate) fn chat(
        &self,
        messages: Vec<Message>,
        generate: bool,
    ) -> Result<Vec<u32>, ApiError> {
        let template = self.template.as_ref().ok_or_else(|| {
            ApiError::invalid(
                "messages",
                "the model has no chat template, so `messages` cannot be taken; use /v1/completions",
            )
        })?;
        let messages: Vec<ChatMessage> = messages.into_iter().map(chat_message).collect();
        let rendered = template
            .render(&messages, generate)
            .map_err(|error| text_fault("messages", &error))?;
        self.tokenizer
            .encode(&rendered, true)
            .map_err(|error| text_fault("messages", &error))
    }

    /// The tokens of a prompt.
    pub(crate) fn prompt(&self, text: &str) -> Result<Vec<u32>, ApiError> {
        self.tokenizer
            .encode_prompt(text)
            .map_err(|error| text_fault("prompt", &error))
    }

    /// The tokens of a text for an encoder, cut to `truncate` where that is given; `name` is its field.
    pub(crate) fn text(
        &self,
        text: &str,
        truncate: Option<usize>,
        name: impl Fn() -> String,
    ) -> Result<Vec<u32>, ApiError> {
        let most = truncate.unwrap_or(usize::MAX);
        let ends = self.tokenizer.end_tokens();
        if most <= ends {
            return Err(ApiError::invalid(
                "truncate_prompt_tokens",
                format!(
                    "`truncate_prompt_tokens` must be above {ends}, the tokens that are put around each text, got \
                     `{most}`"
                ),
            ));
        }
        self.tokenizer
            .encode_prompt_within(text, most)
            .map_err(|error| text_fault(&name(), &error))
    }

    /// The tokens of a text that nothing is added to.
    pub(crate) fn plain(&self, text: &str) -> Result<Vec<u32>, ApiError> {
        self.tokenizer
            .encode(text, false)
            .map_err(|error| text_fault("prompt", &error))
    }

    pub(crate) fn detokenizer(&self) -> Detokenizer {
        Detokenizer::new(Arc::clone(&self.tokenizer))
    }
}

fn chat_message(message: Message) -> ChatMessage {
    ChatMessage {
        role: message.role.to_owned(),
        content: match message.content {
            MessageContent::Text(text) => ChatContent::Text(text),
            MessageContent::Parts(texts) => ChatContent::Parts(texts),
        },
    }
}

fn text_fault(param: &str, error: &TextError) -> ApiError {
    ApiError::invalid(param, format!("`{param}` cannot be read: {error}"))
}
